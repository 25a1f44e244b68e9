"""Robust errors of the parallel trial against sandwich, clubSandwich and multcomp."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.robust import fit_cluster_robust, fit_ols, max_t_pvalues, wald_htz, wald_test

HERE = Path(__file__).parents[1] / "stats_reference"
CHECKS = (
    *(
        f"A_ols_parallel:ancova_{session}{errors}"
        for session in ("acute", "h24")
        for errors in ("", "_HC0", "_HC1", "_HC2", "_HC3")
    ),
    "A_ols_parallel:change_score_acute",
    "A_ols_parallel:post_only_acute",
    "A_ols_parallel:anhecova_acute",
    "A_ols_parallel:single_step_max_t",
    "D_cluster_robust_parallel:swe_ols_roi_complete",
    "D_cluster_robust_parallel:swe_ols_roi_missing",
)
PAIRS = ("KET_minus_PLA", "LTGKET_minus_PLA", "KET_minus_LTGKET")
ARMS = ("PLA", "KET", "LTGKET")
PAIRWISE = np.array([[-1.0, 1, 0], [-1, 0, 1], [0, 1, -1]])


def expected(check):
    file, name = check.split(":")
    checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
    found = next(c for c in checks if c["id"] == name)
    return found["value"], found["tol_rel"]


def long():
    return pd.read_csv(HERE / "data" / "parallel3x3.csv")


def wide(column="roi_complete"):
    frame = long()
    y = frame.pivot_table(index="subject", columns="session", values=column)
    people = frame.drop_duplicates("subject").set_index("subject").loc[y.index]
    arms = (people["arm"].to_numpy()[:, None] == np.array(ARMS)).astype(float)
    sex = (people["sex"] == "M").to_numpy(float)
    return {name: y[[name]].to_numpy() for name in y}, arms, sex


def numbers(joint, outcome=0):
    se = np.sqrt(np.einsum("vkk->kv", joint.covariance))
    t = joint.effect / se
    p = 2 * stats.t.sf(np.abs(t), joint.df)
    half = stats.t.ppf(0.975, joint.df) * se
    columns = (joint.effect, se, joint.df, t, p, joint.effect - half, joint.effect + half)
    return {name: [c[k, outcome] for c in columns] for k, name in enumerate(joint.names)}


def assert_contrasts(joint, value, tolerance):
    keys = ("estimate", "se", "df", "t", "p_two_sided", "ci95_lo", "ci95_hi")
    found = numbers(joint)
    assert set(found) == set(value)
    for name, theirs in value.items():
        assert_allclose(found[name], [theirs[k] for k in keys], rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("session", ["acute", "h24"])
@pytest.mark.parametrize("errors", ["model", "hc0", "hc1", "hc2", "hc3"])
@pytest.mark.parametrize("voxelwise", [False, True])
def test_ancova_equals_r(session, errors, voxelwise):
    value, tolerance = expected(
        f"A_ols_parallel:ancova_{session}" + ("" if errors == "model" else f"_{errors.upper()}")
    )
    y, arms, sex = wide()
    X = np.column_stack([arms, sex] if voxelwise else [arms, sex, y["baseline"]])
    C = np.pad(PAIRWISE, ((0, 0), (0, X.shape[1] - 3)))
    own = y["baseline"] if voxelwise else None
    joint = fit_ols(y[session], X, C, PAIRS, errors=errors, baseline=own)
    assert_contrasts(joint, value["contrasts"] if errors == "model" else value, tolerance)
    if errors == "model":
        test = wald_test(joint, PAIRS[:2])
        assert_allclose(
            [test.statistic[0], test.pvalue[0]],
            [value["F_arm"]["F"], value["F_arm"]["p"]],
            rtol=tolerance,
        )


def test_coefficients_of_the_ancova_equal_r():
    value, tolerance = expected("A_ols_parallel:ancova_acute")
    y, arms, sex = wide()
    X = np.column_stack([np.ones(len(sex)), arms[:, 1:], y["baseline"], sex])
    joint = fit_ols(y["acute"], X, np.eye(5), tuple(value["coef"]))
    found = numbers(joint)
    assert_allclose(
        [found[k][:2] for k in value["coef"]],
        np.column_stack([[*value["coef"].values()], [*value["se"].values()]]),
        rtol=tolerance,
    )
    means = value["adjusted_means_at_mean_baseline_equal_sex_weights"]
    M = np.column_stack(
        [np.ones(3), np.eye(3)[:, 1:], np.full(3, y["baseline"].mean()), [0.5] * 3]
    )
    found = numbers(fit_ols(y["acute"], X, M, ARMS))
    assert_allclose(
        [found[a][:2] for a in ARMS], [[*means[a].values()] for a in ARMS], rtol=tolerance
    )


@pytest.mark.parametrize("check", ["change_score_acute", "post_only_acute"])
def test_change_and_post_equal_r(check):
    value, tolerance = expected(f"A_ols_parallel:{check}")
    y, arms, sex = wide()
    outcome = y["acute"] - y["baseline"] if check.startswith("change") else y["acute"]
    X = np.column_stack([arms, sex])
    joint = fit_ols(outcome, X, np.pad(PAIRWISE, ((0, 0), (0, 1))), PAIRS)
    assert_contrasts(joint, value["contrasts"], tolerance)


@pytest.mark.parametrize(("key", "errors"), [("ols", "model"), ("HC2", "hc2"), ("HC3", "hc3")])
def test_interacting_covariates_equal_r(key, errors):
    value, tolerance = expected("A_ols_parallel:anhecova_acute")
    y, arms, sex = wide()
    centred = [c - c.mean() for c in (y["baseline"][:, 0], sex)]
    X = np.column_stack([arms, *(arms * c[:, None] for c in centred)])
    C = np.pad(PAIRWISE, ((0, 0), (0, 6)))
    assert_contrasts(fit_ols(y["acute"], X, C, PAIRS, errors=errors), value[key], tolerance)


def test_single_step_maximum_equals_multcomp():
    value, tolerance = expected("A_ols_parallel:single_step_max_t")
    y, arms, sex = wide()
    X = np.column_stack([arms, sex, y["baseline"]])
    joint = fit_ols(y["acute"], X, np.pad(PAIRWISE, ((0, 0), (0, 2))), PAIRS)
    sd = np.sqrt(np.diag(joint.covariance[0]))
    correlation = joint.covariance[0] / np.outer(sd, sd)
    assert_allclose(correlation, value["correlation"], rtol=1e-9)
    t = joint.effect / sd[:, None]
    for k, key in ((2, "dunnett_vs_PLA"), (3, "all_three")):
        found = max_t_pvalues(t[:k], correlation[:k, :k], 70.0)[:, 0]
        # multcomp asks mvtnorm for 1e-7 absolute, which for p near 1e-4 is 1e-3 relative.
        assert_allclose(found, [*value[key].values()], rtol=tolerance, atol=2e-7)


def test_maximum_of_four_equals_the_library_integral():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 6))
    covariance = A @ A.T
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    distribution = stats.multivariate_t(np.zeros(4), correlation, df=17, seed=1)
    for c in (1.5, 2.5, 3.5):
        inside = distribution.cdf(
            np.full(4, c), lower_limit=np.full(4, -c), maxpts=400_000, random_state=1
        )
        found = max_t_pvalues(np.full((4, 1), c), correlation, 17.0)
        assert_allclose(found, 1 - inside, rtol=3e-3)


CHANGES = (
    "change_acute_KET_minus_PLA",
    "change_acute_LTGKET_minus_PLA",
    "change_h24_KET_minus_PLA",
)


def visits(column):
    frame = long().dropna(subset=[column])
    arm = [(frame["arm"] == name).to_numpy(float) for name in ARMS[1:]]
    session = [(frame["session"] == name).to_numpy(float) for name in ("acute", "h24")]
    X = np.column_stack(
        [np.ones(len(frame)), *arm, *session, *(a * s for s in session for a in arm)]
    )
    return frame[[column]].to_numpy(), X, pd.factorize(frame["subject"])[0].astype(np.int64)


@pytest.mark.parametrize("column", ["roi_complete", "roi_missing"])
@pytest.mark.parametrize("correction", ["cr0", "cr1", "cr2", "cr3"])
def test_cluster_robust_equals_clubsandwich(column, correction):
    value, tolerance = expected(f"D_cluster_robust_parallel:swe_ols_{column}")
    Y, X, subjects = visits(column)
    C = np.eye(9)[[5, 6, 7]]
    joint = fit_cluster_robust(Y, X, subjects, C, CHANGES, correction=correction)
    keys = ("estimate", "se", "df_satterthwaite", "p_satterthwaite")
    found = numbers(joint)
    for name, theirs in value[correction.upper()].items():
        estimate, se, df, _, p = found[name][:5]
        assert_allclose([estimate, se, df, p], [theirs[k] for k in keys], rtol=tolerance)
    beta = fit_cluster_robust(Y, X, subjects, np.eye(9), tuple(value["beta"])).effect[:, 0]
    assert_allclose(beta, [*value["beta"].values()], rtol=tolerance)


@pytest.mark.parametrize("column", ["roi_complete", "roi_missing"])
def test_joint_test_equals_clubsandwich(column):
    value, tolerance = expected(f"D_cluster_robust_parallel:swe_ols_{column}")
    theirs = value["CR2_wald_arm_by_session"]["HTZ"]
    Y, X, subjects = visits(column)
    test = wald_htz(Y, X, subjects, np.eye(9)[5:])
    assert test.df_numerator == theirs["num_df"]
    assert_allclose(
        [test.statistic[0], test.df_denominator[0], test.pvalue[0]],
        [theirs["F"], theirs["den_df"], theirs["p"]],
        rtol=tolerance,
    )
