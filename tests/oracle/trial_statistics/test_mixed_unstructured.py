"""Unstructured covariances (MMRM, cLDA, crossover) against the R package mmrm."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.mixed import fit_unstructured

HERE = Path(__file__).parents[1] / "stats_reference"
MEASURES = ("roi_complete", "roi_missing")
CHECKS = (
    *(f"C_mmrm_clda_parallel:mmrm_un_post_{measure}" for measure in MEASURES),
    *(f"C_mmrm_clda_parallel:clda_un_{measure}" for measure in MEASURES),
    "F_crossover2x2:xover_joint_baseline_outcome_un4",
    "G_williams:williams3_un_period_y",
    "G_williams:williams3_un_period_y_missing",
    "Q_missing_balance:clda_motion_excluded_hypothetical",
)
METHODS = {"satterthwaite": "satterthwaite", "kenward_roger": "kenward_roger_linear"}
DF = 1e-5
SESSIONS = ("baseline", "acute", "h24")
PAIRS = (("KET", "PLA"), ("LTGKET", "PLA"), ("KET", "LTGKET"))


def expected(check):
    file, name = check.split(":")
    checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
    return next((c["value"], c["tol_rel"]) for c in checks if c["id"] == name)


def read(name):
    return pd.read_csv(HERE / "data" / f"{name}.csv")


def fit(y, X, subjects, visits, rows, method):
    return fit_unstructured(
        np.asarray(y, dtype=float)[:, None],
        np.asarray(X, dtype=float),
        pd.factorize(subjects)[0],
        np.asarray(visits, dtype=int),
        np.array(list(rows.values()), dtype=float),
        tuple(rows),
        df_method=method,
    )


def compare(found, wants, tolerance):
    joint = found.contrasts
    assert joint.status[0] == 0
    for name, want in wants.items():
        i = joint.names.index(name)
        effect, se = joint.effect[i, 0], np.sqrt(joint.covariance[0, i, i])
        assert_allclose([effect, se], [want["estimate"], want["se"]], rtol=tolerance)
        assert_allclose(joint.df[i, 0], want["df"], rtol=DF)
        assert_allclose(
            2 * stats.t.sf(abs(effect / se), joint.df[i, 0]), want["p_two_sided"], rtol=1e-4
        )


def compare_model(found, value, tolerance):
    assert_allclose(found.reml_loglik_minus2[0], value["minus2_reml_loglik"], rtol=1e-7)
    if "covariance" in value:
        covariance = np.array(value["covariance"])
        assert_allclose(
            found.theta[:, 0], covariance[np.tril_indices(len(covariance))], rtol=tolerance
        )
    if "coef" in value:
        assert_allclose(
            found.coefficients[:, 0], list(value["coef"].values()), rtol=tolerance, atol=1e-7
        )


@pytest.fixture(scope="module")
def parallel():
    frame = read("parallel3x3")
    return frame.assign(
        place=pd.Categorical(frame["session"], SESSIONS).codes,
        male=(frame["sex"] == "M").astype(float),
        one=1.0,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("measure", MEASURES)
def test_mmrm(parallel, measure, method):
    value, tolerance = expected(f"C_mmrm_clda_parallel:mmrm_un_post_{measure}")
    start = parallel[parallel["place"] == 0].set_index("subject")[measure]
    frame = parallel.assign(base=parallel["subject"].map(start))
    frame = frame[(frame["place"] > 0) & frame["base"].notna() & frame[measure].notna()]
    late = (frame["place"] == 2).astype(float)
    ket, ltg = ((frame["arm"] == arm).astype(float) for arm in ("KET", "LTGKET"))
    X = np.column_stack(
        [
            *(frame["one"], ket, ltg, late, frame["base"], frame["male"]),
            *(ket * late, ltg * late, frame["base"] * late),
        ]
    )
    arm = {"PLA": np.zeros(9), "KET": np.eye(9)[1], "LTGKET": np.eye(9)[2]}
    arm_late = {"PLA": np.zeros(9), "KET": np.eye(9)[6], "LTGKET": np.eye(9)[7]}
    rows = {}
    for one, other in PAIRS:
        acute, change = arm[one] - arm[other], arm_late[one] - arm_late[other]
        rows[f"acute_{one}_minus_{other}"] = acute
        rows[f"h24_{one}_minus_{other}"] = acute + change
        rows[f"acute_minus_h24_{one}_minus_{other}"] = -change
        rows[f"mean_{one}_minus_{other}"] = acute + change / 2
    found = fit(frame[measure], X, frame["subject"], frame["place"], rows, method)
    assert len(frame) == value["n_obs"]
    compare_model(found, value, tolerance)
    compare(found, value[f"contrasts_{METHODS[method]}"], tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_mmrm_of_a_map(parallel, method):
    """Both measures as two voxels of one map, each with its own baseline and missing scans."""
    late_rows = parallel[parallel["place"] > 0]
    start = parallel[parallel["place"] == 0].set_index("subject")
    Y = late_rows[list(MEASURES)].to_numpy(dtype=float)
    before = np.column_stack([late_rows["subject"].map(start[name]) for name in MEASURES])
    Y[np.isnan(before)] = np.nan
    cells = [(arm, place) for place in (1, 2) for arm in ("PLA", "KET", "LTGKET")]
    X = np.column_stack(
        [
            *((late_rows["arm"] == a) & (late_rows["place"] == p) for a, p in cells),
            late_rows["male"],
        ]
    ).astype(float)
    rows = {
        f"{session}_{one}_minus_{other}": np.eye(7)[cells.index((one, place))]
        - np.eye(7)[cells.index((other, place))]
        for place, session in ((1, "acute"), (2, "h24"))
        for one, other in PAIRS
    }
    joint = fit_unstructured(
        Y,
        X,
        pd.factorize(late_rows["subject"])[0],
        late_rows["place"].to_numpy(dtype=int),
        np.array(list(rows.values())),
        tuple(rows),
        baseline=before,
        df_method=method,
    ).contrasts
    for v, measure in enumerate(MEASURES):
        value, tolerance = expected(f"C_mmrm_clda_parallel:mmrm_un_post_{measure}")
        assert np.isfinite(Y[:, v]).sum() == value["n_obs"]
        for i, name in enumerate(rows):
            want = value[f"contrasts_{METHODS[method]}"][name]
            found = [joint.effect[i, v], np.sqrt(joint.covariance[v, i, i])]
            assert_allclose(found, [want["estimate"], want["se"]], rtol=tolerance)
            assert_allclose(joint.df[i, v], want["df"], rtol=DF)


def clda(frame):
    columns = ["one"]
    frame = frame.assign(
        acute=(frame["place"] == 1).astype(float), h24=(frame["place"] == 2).astype(float)
    )
    columns += ["acute", "h24"]
    for session in ("acute", "h24"):
        for arm in ("KET", "LTGKET"):
            frame[f"{arm}_{session}"] = frame[session] * (frame["arm"] == arm)
            columns.append(f"{arm}_{session}")
    columns.append("male")
    unit = dict(zip(columns, np.eye(len(columns)), strict=True))
    rows = {}
    for session in ("acute", "h24"):
        ket, ltg = unit[f"KET_{session}"], unit[f"LTGKET_{session}"]
        rows[f"{session}_KET_minus_PLA"] = ket
        rows[f"{session}_LTGKET_minus_PLA"] = ltg
        rows[f"{session}_KET_minus_LTGKET"] = ket - ltg
    rows["acute_minus_h24_KET_minus_PLA"] = unit["KET_acute"] - unit["KET_h24"]
    return frame[columns].to_numpy(float), rows


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("measure", MEASURES)
def test_constrained_longitudinal_model(parallel, measure, method):
    value, tolerance = expected(f"C_mmrm_clda_parallel:clda_un_{measure}")
    X, rows = clda(parallel)
    found = fit(parallel[measure], X, parallel["subject"], parallel["place"], rows, method)
    compare_model(found, value, tolerance)
    compare(found, value[f"contrasts_{METHODS[method]}"], tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_sessions_with_motion_left_out(parallel, method):
    value, tolerance = expected("Q_missing_balance:clda_motion_excluded_hypothetical")
    X, rows = clda(parallel)
    y = parallel["roi_complete"].where(parallel["motion_excluded"] == 0)
    assert y.notna().sum() == value["n_obs"]
    found = fit(y, X, parallel["subject"], parallel["place"], rows, method)
    compare_model(found, value, tolerance)
    names = ("acute_KET_minus_PLA", "acute_KET_minus_LTGKET")
    compare(found, {name: value[name][METHODS[method]] for name in names}, tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_period_baselines_and_outcomes_together(method):
    value, tolerance = expected("F_crossover2x2:xover_joint_baseline_outcome_un4")
    frame = read("xover2x2")
    long = pd.concat(
        [
            frame.assign(y=frame["baseline"], visit=2 * frame["period"] - 2, drug=0.0),
            frame.assign(
                visit=2 * frame["period"] - 1, drug=(frame["treatment"] == "KET").astype(float)
            ),
        ]
    )
    visit = long["visit"].to_numpy()
    X = np.column_stack([np.ones(len(long)), *(visit == k for k in (1, 2, 3)), long["drug"]])
    found = fit(long["y"], X, long["subject"], visit, {"t": np.eye(5)[4]}, method)
    compare_model(found, value, tolerance)
    compare(found, {"t": value[METHODS[method]]}, tolerance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("measure", ["y", "y_missing"])
def test_williams(measure, method):
    value, tolerance = expected(f"G_williams:williams3_un_period_{measure}")
    frame = read("williams3")
    ket, ltg = frame["treatment"] == "KET", frame["treatment"] == "LTGKET"
    period = frame["period"]
    X = np.column_stack([np.ones(len(frame)), ket, ltg, period == 2, period == 3])
    unit = np.eye(5)
    rows = {
        "KET_minus_PLA": unit[1],
        "LTGKET_minus_PLA": unit[2],
        "KET_minus_LTGKET": unit[1] - unit[2],
    }
    found = fit(frame[measure], X, frame["subject"], period - 1, rows, method)
    compare_model(found, value, tolerance)
    compare(found, value[METHODS[method]], tolerance)
