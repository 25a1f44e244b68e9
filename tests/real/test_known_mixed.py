"""Mixed models of published data with published results; the data are not ours to ship."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.mixed import fit_random_intercept, fit_structured, fit_unstructured

KNOWN = Path(__file__).parents[2].parent / "shared" / "reference" / "stats" / "known"

pytestmark = pytest.mark.skipif(
    not KNOWN.is_dir(), reason=f"published data are not distributed: {KNOWN} is absent"
)
INFORMATION = {"satterthwaite": "observed", "kenward_roger": "expected"}


def answer(name):
    checks = json.loads((KNOWN / "known_answers.json").read_text())["checks"]
    found = next(check for check in checks if check["id"] == name)
    return found["published"], found["computed_full_precision"]


def read(name):
    return pd.read_csv(KNOWN / f"{name}.csv")


def columns(*parts):
    one = np.ones(len(parts[0]))
    return np.column_stack([one, *(np.asarray(part, dtype=float) for part in parts)])


def numbers(found, i=0):
    joint = found.contrasts
    return joint.effect[i, 0], np.sqrt(joint.covariance[0, i, i]), joint.df[i, 0]


@pytest.mark.parametrize("method", INFORMATION)
def test_sleepstudy(method):
    published, full = answer("sleepstudy")
    frame = read("sleepstudy")
    found = fit_structured(
        frame[["Reaction"]].to_numpy(float),
        columns(frame["Days"]),
        frame["Subject"].to_numpy(),
        frame["Days"].to_numpy(),
        np.array([[0.0, 1.0]]),
        ("days",),
        structure="slope",
        df_method=method,
    )
    effect, se, df = numbers(found)
    assert_allclose(found.coefficients[:, 0], list(full["beta"].values()), rtol=1e-8)
    assert_allclose(se, full[method]["se"], rtol=1e-6)
    assert_allclose(df, full[method]["df"], rtol=1e-5)
    assert_allclose(found.reml_loglik_minus2[0], full["reml_criterion"], rtol=1e-8)
    components = [full["vcov"][k] for k in ("var_int", "cov", "var_slope", "var_resid")]
    assert_allclose(found.theta[:, 0], components, rtol=1e-5)
    assert (round(effect, 3), round(se, 3)) == (published["days"], published["se"])


def test_orthodont():
    _, full = answer("orthodont")
    want = full["ri_reml"]
    frame = read("orthodont_potthoff_roy")
    male = frame["sex"] == "Male"
    found = fit_random_intercept(
        frame[["distance"]].to_numpy(float),
        columns(male, frame["age"], male * frame["age"]),
        pd.factorize(frame["subject"])[0],
        np.eye(4)[3:],
        ("growth",),
        information="expected",
    )
    assert_allclose(found.coefficients[:, 0], list(want["beta"].values()), rtol=1e-9)
    assert_allclose(found.theta[:, 0], [want["var_subject"], want["var_residual"]], rtol=1e-6)
    interaction = want["interaction_KR"]
    assert_allclose(found.omnibus.statistic[0], interaction["F"], rtol=1e-6)
    assert_allclose(found.omnibus.df_denominator[0], interaction["df"], rtol=1e-6)


@pytest.mark.parametrize("method", ["satterthwaite", "kenward_roger"])
def test_fev(method):
    published, full = answer("fev_mmrm_un")
    frame = read("fev_data")
    visit = frame["AVISIT"].str[-1].astype(int).to_numpy() - 1
    arm = (frame["ARMCD"] == "TRT").to_numpy(float)
    late = [(visit == k).astype(float) for k in (1, 2, 3)]
    X = columns(
        frame["RACE"] == "Black or African American",
        frame["RACE"] == "White",
        frame["SEX"] == "Female",
        arm,
        *late,
        *(arm * part for part in late),
    )
    key = {"satterthwaite": "satterthwaite", "kenward_roger": "kenward_roger_linear"}[method]
    found = fit_unstructured(
        frame[["FEV1"]].to_numpy(float),
        X,
        pd.factorize(frame["USUBJID"])[0],
        visit,
        np.eye(11),
        tuple(full[key]),
        df_method=method,
    )
    covariance = np.array(full["covariance"])
    assert_allclose(found.theta[:, 0], covariance[np.tril_indices(4)], rtol=1e-5)
    assert_allclose(found.reml_loglik_minus2[0], full["minus2_reml_loglik"], rtol=1e-8)
    for i, want in enumerate(full[key].values()):
        effect, se, df = numbers(found, i)
        assert_allclose(effect, want["estimate"], rtol=1e-5)
        assert_allclose([se, df], [want["se"], want["df"]], rtol=1e-5)
    if method == "satterthwaite":
        # The SAS listing, whose optimiser stopped earlier.
        for i, key in ((4, "sas_ARMCD_TRT"), (7, "sas_AVISIT_VIS4"), (10, "sas_TRT_x_VIS4")):
            effect, se, df = numbers(found, i)
            assert_allclose([effect, se], published[key][:2], rtol=1e-3)
            assert round(df) == published[key][2]


@pytest.mark.parametrize("method", INFORMATION)
@pytest.mark.parametrize("number", [1, 2])
def test_bioequivalence(number, method):
    published, full = answer(f"ema_dataset_{'I' * number}")
    frame = read(f"ema_dataset_{number}")
    sequence, period = frame["sequence"], frame["period"]
    X = columns(
        frame["treatment"] == "T",
        *(sequence == s for s in sorted(sequence.unique())[1:]),
        *(period == p for p in sorted(period.unique())[1:]),
    )
    found = fit_random_intercept(
        np.log(frame[["PK"]].to_numpy(float)),
        X,
        pd.factorize(frame["subject"])[0],
        np.eye(X.shape[1])[1:2],
        ("T",),
        df_method=method,
        information=INFORMATION[method],
    )
    effect, se, df = numbers(found)
    name = {"satterthwaite": "Satterthwaite", "kenward_roger": "Kenward-Roger"}[method]
    want = full["method_B_random_subjects"][name]
    assert_allclose([100 * np.exp(effect), se], [want["pe"], want["se"]], rtol=1e-6)
    assert_allclose(df, want["df"], rtol=1e-5)
    half = stats.t.ppf(0.95, df) * se
    interval = 100 * np.exp([effect - half, effect + half])
    assert_allclose(interval, want["ci90"], rtol=1e-6)
    if method == "satterthwaite":
        assert np.round(interval, 2).tolist() == published["B_ci"]
        assert round(100 * np.exp(effect), 2) == published["B_pe"]


def test_formoterol():
    published, full = answer("senn_formoterol_salbutamol")
    wide = read("senn_formoterol_salbutamol")
    n = len(wide)
    first = (wide["sequence"] == "FS").to_numpy()
    drug = np.concatenate([first, ~first])
    X = columns(drug, np.repeat([0.0, 1.0], n), np.tile(first, 2))
    found = fit_random_intercept(
        np.concatenate([wide["period1"], wide["period2"]])[:, None].astype(float),
        X,
        np.tile(np.arange(n), 2),
        np.eye(4)[1:2],
        ("formoterol",),
    )
    effect, se, df = numbers(found)
    want = full["treatment"]
    assert_allclose([effect, se, df], [want["estimate"], want["se"], want["df"]], rtol=1e-9)
    assert (round(effect, 1), round(se, 1)) == (published["treatment"], published["se"])
