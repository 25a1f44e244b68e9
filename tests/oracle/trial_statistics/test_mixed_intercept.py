"""Random intercepts and few-parameter covariances against lme4, lmerTest, pbkrtest and nlme."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.mixed import fit_random_intercept, fit_structured

HERE = Path(__file__).parents[1] / "stats_reference"
MEASURES = ("roi_complete", "roi_missing", "fc_edge")
STRUCTURES = ("cs", "csh", "ar1", "un")
CROSSOVERS = ("seq_y", "noseq_y", "seq_y_missing", "noseq_y_missing")
WILLIAMS = ("seq_y", "y", "seq_y_missing", "y_missing")
CHECKS = (
    *(f"B_lmm_parallel:lmm_ri_{measure}" for measure in MEASURES),
    *(f"B_lmm_parallel:lmm_ri_baseline_adjusted_{measure}" for measure in MEASURES),
    *(f"B_lmm_parallel:gls_reml_loglik_{structure}_roi_missing" for structure in STRUCTURES),
    *(f"F_crossover2x2:xover_lmm_{model}" for model in CROSSOVERS),
    "F_crossover2x2:xover_lmm_baseline_within_between",
    "F_crossover2x2:xover_lmm_baseline_conventional_BIASED",
    *(f"G_williams:williams3_lmm_{model}" for model in WILLIAMS),
    "G_williams:williams4_factorial_lmm",
)
# As lmerTest and pbkrtest have it.
METHODS = {"satterthwaite": "observed", "kenward_roger": "expected"}
DF = 1e-5
ARMS, SESSIONS = ("PLA", "KET", "LTGKET"), ("baseline", "acute", "h24")
SUM = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])


def expected(check):
    file, name = check.split(":")
    checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
    return next((c["value"], c["tol_rel"]) for c in checks if c["id"] == name)


def read(name):
    return pd.read_csv(HERE / "data" / f"{name}.csv")


def fit(y, X, subjects, rows, method):
    """Fit one outcome, with every contrast under a name of its own."""
    names, contrasts = tuple(rows), np.array(list(rows.values()), dtype=float)
    found = fit_random_intercept(
        np.asarray(y, dtype=float)[:, None],
        np.asarray(X, dtype=float),
        pd.factorize(subjects)[0],
        contrasts,
        names,
        df_method=method,
        information=METHODS[method],
    )
    joint = found.contrasts
    se = np.sqrt(np.diagonal(joint.covariance[0]))
    return found, {
        name: (joint.effect[i, 0], se[i], joint.df[i, 0]) for i, name in enumerate(names)
    }


def compare(found, want, tolerance):
    effect, se, df = found
    assert_allclose([effect, se], [want["estimate"], want["se"]], rtol=tolerance)
    assert_allclose(df, want["df"], rtol=DF)
    assert_allclose(2 * stats.t.sf(abs(effect / se), df), want["p_two_sided"], rtol=1e-4)


def compare_model(found, value, tolerance):
    assert_allclose(
        found.theta[:, 0], [value["var_subject"], value["var_residual"]], rtol=1e-5, atol=1e-9
    )
    if "reml_criterion" in value:
        assert_allclose(found.reml_loglik_minus2[0], value["reml_criterion"], rtol=tolerance)
    if "beta" in value:
        assert_allclose(
            found.coefficients[:, 0], list(value["beta"].values()), rtol=tolerance, atol=1e-8
        )


def compare_joint(y, X, subjects, rows, method, want, tolerance):
    found, _ = fit(y, X, subjects, dict(enumerate_names(rows)), method)
    assert found.omnibus.df_numerator == want["num_df"]
    assert_allclose(found.omnibus.statistic[0], want["F"], rtol=max(tolerance, 1e-6))
    assert_allclose(found.omnibus.df_denominator[0], want["den_df"], rtol=DF)


def enumerate_names(rows):
    return [(str(i), row) for i, row in enumerate(np.atleast_2d(rows))]


def contrast_name(one, other, when):
    return f"{when}_{one}_minus_{other}"


def parallel_cell(a, s):
    A, S = SUM[a], SUM[s]
    return np.array([1.0, *A, *S, A[0] * S[0], A[1] * S[0], A[0] * S[1], A[1] * S[1]])


def parallel_changes():
    places = {"baseline": 0, "acute": 1, "h24": 2}
    rows = {}
    for when, (late, early) in {
        "change_acute": ("acute", "baseline"),
        "change_h24": ("h24", "baseline"),
        "acute_minus_h24": ("acute", "h24"),
    }.items():
        for one, other in (("KET", "PLA"), ("LTGKET", "PLA"), ("KET", "LTGKET")):
            a, b, i, j = ARMS.index(one), ARMS.index(other), places[late], places[early]
            rows[contrast_name(one, other, when)] = (
                parallel_cell(a, i)
                - parallel_cell(b, i)
                - parallel_cell(a, j)
                + parallel_cell(b, j)
            )
    return rows


def parallel_terms():
    """Contrasts to the first level: what lmerTest's type III takes its eigenvectors of."""
    cells = np.array([[parallel_cell(a, s) for s in range(3)] for a in range(3)])
    return {
        "arm": [cells[a].mean(0) - cells[0].mean(0) for a in (1, 2)],
        "session": [cells[:, s].mean(0) - cells[:, 0].mean(0) for s in (1, 2)],
        "arm:session": [
            cells[a, s] - cells[0, s] - cells[a, 0] + cells[0, 0] for s in (1, 2) for a in (1, 2)
        ],
    }


@pytest.fixture(scope="module")
def parallel():
    frame = read("parallel3x3")
    arm = pd.Categorical(frame["arm"], ARMS).codes
    session = pd.Categorical(frame["session"], SESSIONS).codes
    return frame, arm, session


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("measure", MEASURES)
def test_arm_by_session(parallel, measure, method):
    frame, arm, session = parallel
    value, tolerance = expected(f"B_lmm_parallel:lmm_ri_{measure}")
    X = np.array([parallel_cell(a, s) for a, s in zip(arm, session, strict=True)])
    y = frame[measure]
    found, effects = fit(y, X, frame["subject"], parallel_changes(), method)
    compare_model(found, value, tolerance)
    for name, want in value[f"contrasts_{method}"].items():
        compare(effects[name], want, tolerance)
    for term, rows in parallel_terms().items():
        want = value[f"type3_{method}"][term]
        compare_joint(y, X, frame["subject"], rows, method, want, tolerance)
    rows = dict(zip(value["se_model"], np.eye(9), strict=True))
    _, coefficients = fit(y, X, frame["subject"], rows, "satterthwaite")
    assert_allclose(
        [coefficients[name][1] for name in rows], list(value["se_model"].values()), rtol=tolerance
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("measure", MEASURES)
def test_baseline_as_covariate(parallel, measure, method):
    frame, arm, session = parallel
    value, tolerance = expected(f"B_lmm_parallel:lmm_ri_baseline_adjusted_{measure}")
    start = frame[frame["session"] == "baseline"].set_index("subject")[measure]
    base = frame["subject"].map(start).to_numpy()
    keep = (session > 0) & np.isfinite(base) & np.isfinite(frame[measure])
    A, S = SUM[arm], np.where(session == 1, 1.0, -1.0)
    sex = np.where(frame["sex"] == frame["sex"].min(), 1.0, -1.0)
    X = np.column_stack([np.ones(len(frame)), A, S, base, sex, A * S[:, None], S * base])[keep]
    mean = base[keep].mean()

    def cell(name, s):
        a = SUM[ARMS.index(name)]
        return np.array([1.0, *a, s, mean, 0.0, *(a * s), s * mean])

    when = {"acute": (1.0, 0.0), "h24": (0.0, 1.0), "acute_minus_h24": (1.0, -1.0)}
    when["mean"] = (0.5, 0.5)
    rows = {
        contrast_name(one, other, name): w[0] * (cell(one, 1.0) - cell(other, 1.0))
        + w[1] * (cell(one, -1.0) - cell(other, -1.0))
        for name, w in when.items()
        for one, other in (("KET", "PLA"), ("LTGKET", "PLA"), ("KET", "LTGKET"))
    }
    y, subjects = frame[measure][keep], frame["subject"][keep]
    found, effects = fit(y, X, subjects, rows, method)
    compare_model(found, value, tolerance)
    for name, want in value[f"contrasts_{method}"].items():
        compare(effects[name], want, tolerance)
    places = {"base": [4], "sex": [5], "session:base": [8]}
    for term, columns in places.items():
        want = value[f"type3_{method}"][term]
        compare_joint(y, X, subjects, np.eye(9)[columns], method, want, tolerance)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_restricted_likelihood_of_structures(parallel, structure):
    frame, arm, session = parallel
    value, tolerance = expected(f"B_lmm_parallel:gls_reml_loglik_{structure}_roi_missing")
    X = np.array([parallel_cell(a, s) for a, s in zip(arm, session, strict=True)])
    found = fit_structured(
        frame[["roi_missing"]].to_numpy(float),
        X,
        pd.factorize(frame["subject"])[0],
        session.astype(int),
        np.eye(9)[1:2],
        ("arm1",),
        structure=structure,
    )
    assert found.contrasts.status[0] == 0
    assert_allclose(found.reml_loglik_minus2[0], value["minus2_reml_loglik"], rtol=tolerance)
    assert_allclose(
        found.coefficients[:, 0],
        list(value["sum_coding_beta"].values()),
        rtol=tolerance,
        atol=1e-7,
    )


def dummies(*columns):
    one = np.ones(len(columns[0]))
    return np.column_stack([one, *(np.asarray(column, dtype=float) for column in columns)])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", CROSSOVERS)
def test_two_by_two(model, method):
    frame = read("xover2x2")
    value, tolerance = expected(f"F_crossover2x2:xover_lmm_{model}")
    columns = [frame["treatment"] == "KET", frame["period"] == 2]
    if not model.startswith("noseq"):
        columns.append(frame["sequence"] == "PK")
    X = dummies(*columns)
    y = frame[model.split("seq_")[1]]
    found, effects = fit(y, X, frame["subject"], {"t": np.eye(X.shape[1])[1]}, method)
    compare_model(found, value, tolerance)
    compare(effects["t"], value[method], tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_period_baseline_within_and_between(method):
    frame = read("xover2x2")
    value, tolerance = expected("F_crossover2x2:xover_lmm_baseline_within_between")
    mean = frame.groupby("subject")["baseline"].transform("mean")
    X = dummies(
        frame["treatment"] == "KET",
        frame["period"] == 2,
        frame["sequence"] == "PK",
        frame["baseline"] - mean,
        mean,
    )
    found, effects = fit(frame["y"], X, frame["subject"], {"t": np.eye(6)[1]}, method)
    compare_model(found, value, tolerance)
    compare(effects["t"], value[method], tolerance)


@pytest.mark.parametrize("method", METHODS)
def test_a_variance_of_zero(method):
    frame = read("xover2x2")
    value, tolerance = expected("F_crossover2x2:xover_lmm_baseline_conventional_BIASED")
    X = dummies(
        frame["treatment"] == "KET",
        frame["period"] == 2,
        frame["sequence"] == "PK",
        frame["baseline"],
    )
    found, effects = fit(frame["y"], X, frame["subject"], {"t": np.eye(5)[1]}, method)
    assert found.contrasts.status[0] == 1
    assert found.theta[0, 0] == 0.0
    compare_model(found, value, tolerance)
    compare(effects["t"], value[method], tolerance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", WILLIAMS)
def test_williams(model, method):
    frame = read("williams3")
    value, tolerance = expected(f"G_williams:williams3_lmm_{model}")
    columns = [
        frame["treatment"] == "KET",
        frame["treatment"] == "LTGKET",
        frame["period"] == 2,
        frame["period"] == 3,
    ]
    if model.startswith("seq"):
        columns += [frame["sequence"] == s for s in sorted(frame["sequence"].unique())[1:]]
    X = dummies(*columns)
    unit = np.eye(X.shape[1])
    rows = {
        "KET_minus_PLA": unit[1],
        "LTGKET_minus_PLA": unit[2],
        "KET_minus_LTGKET": unit[1] - unit[2],
    }
    y = frame["y_missing" if model.endswith("missing") else "y"]
    found, effects = fit(y, X, frame["subject"], rows, method)
    compare_model(found, value, tolerance)
    for name, want in value[method].items():
        compare(effects[name], want, tolerance)
    # The third contrast is the difference of the first two.
    want = value[f"F_treatment_{method}"]
    assert found.omnibus.df_numerator == want["num_df"]
    assert_allclose(found.omnibus.statistic[0], want["F"], rtol=tolerance)
    assert_allclose(found.omnibus.df_denominator[0], want["den_df"], rtol=DF)


@pytest.mark.parametrize("method", METHODS)
def test_factorial(method):
    frame = read("williams4_factorial")
    value, tolerance = expected("G_williams:williams4_factorial_lmm")
    ltg, ket = frame["pretreatment"] == "LTG", frame["infusion"] == "KET"
    X = dummies(*(frame["period"] == k for k in (2, 3, 4)), ltg, ket, ltg & ket)
    rows = {"ket_without_ltg": np.eye(7)[5], "interaction": np.eye(7)[6]}
    found, effects = fit(frame["y"], X, frame["subject"], rows, method)
    compare_model(found, value, tolerance)
    for name, want in value[method].items():
        compare(effects[name], want, tolerance)


def test_retest_variance_components():
    value, tolerance = expected("J_reliability:icc_retest_reml")
    wide = read("retest").set_index("subject").to_numpy(float)
    n, k = wide.shape
    occasion = np.tile(np.arange(k), n)
    X = dummies(occasion == 1, occasion == 2)
    found, _ = fit(
        wide.ravel(), X, np.repeat(np.arange(n), k), {"o": np.eye(3)[1]}, "satterthwaite"
    )
    subject, residual = found.theta[:, 0]
    assert_allclose(subject / (subject + residual), value["icc31"], rtol=tolerance)
