import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.group.robust import fit_cluster_robust, fit_ols, max_t_pvalues, wald_htz

QUICK = settings(max_examples=20, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
ERRORS = st.sampled_from(["model", "hc0", "hc1", "hc2", "hc3"])
CORRECTIONS = st.sampled_from(["cr0", "cr1", "cr2", "cr3"])
NAMES = ("d", "a")


def trial(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.repeat(np.eye(2), 7, axis=0), rng.normal(size=14)])
    return X, np.array([[1.0, -1, 0], [1, 0, 0]]), *rng.normal(size=(2, 14, 3))


def visits(seed):
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(10), 3)
    X = np.column_stack([np.equal.outer(np.tile(np.arange(3), 10), np.arange(3)), subjects % 2])
    Y = rng.normal(size=(30, 3)) + rng.normal(size=10)[subjects][:, None]
    Y[rng.random((30, 3)) < 0.1] = np.nan
    return Y, X.astype(float), subjects, np.array([[0, 0, 0, 1.0], [1, -1, 0, 0]])


def both(joint, other, *, effect=1.0):
    assert_allclose(other.effect, effect * joint.effect, rtol=1e-7, atol=1e-9)
    assert_allclose(other.covariance, effect**2 * joint.covariance, rtol=1e-7, atol=1e-12)
    assert_allclose(other.df, joint.df, rtol=1e-8)


@QUICK
@given(seed=SEEDS, errors=ERRORS, scale=st.floats(1e-3, 1e3), sign=st.sampled_from([-1, 1]))
def test_units_and_sign_carry_through(seed, errors, scale, sign):
    X, contrasts, Y, baseline = trial(seed)
    joint = fit_ols(Y, X, contrasts, NAMES, errors=errors, baseline=baseline)
    other = fit_ols(sign * scale * Y, X, contrasts, NAMES, errors=errors, baseline=7 * baseline)
    both(joint, other, effect=sign * scale)


@QUICK
@given(seed=SEEDS, errors=ERRORS)
def test_what_the_model_holds_already_changes_no_difference(seed, errors):
    X, contrasts, Y, baseline = trial(seed)
    joint = fit_ols(Y, X, contrasts[:1], ("d",), errors=errors, baseline=baseline)
    moved = Y + 3 * X[:, 2:] - 5 + 2 * baseline
    other = fit_ols(moved, X, contrasts[:1], ("d",), errors=errors, baseline=baseline + 4)
    both(joint, other)


@QUICK
@given(seed=SEEDS, errors=ERRORS)
def test_another_coding_of_the_same_model_gives_the_same_answer(seed, errors):
    X, contrasts, Y, _ = trial(seed)
    recode = np.array([[1.0, 1, 0], [1, -1, 0], [0, 0.3, 2]]).T
    joint = fit_ols(Y, X, contrasts, NAMES, errors=errors)
    other = fit_ols(
        Y, X @ np.linalg.inv(recode), contrasts @ np.linalg.inv(recode), NAMES, errors=errors
    )
    redundant = fit_ols(
        Y,
        np.column_stack([X, X @ [1, 2, 3]]),
        np.pad(contrasts, ((0, 0), (0, 1))) @ _spread(),
        NAMES,
        errors=errors,
    )
    both(joint, other)
    both(joint, redundant)


def _spread():
    """Write a contrast of three columns for the fourth that follows from them as well."""
    return np.vstack([np.column_stack([np.eye(3), [1, 2, 3]]), np.zeros(4)])


@QUICK
@given(seed=SEEDS, errors=ERRORS)
def test_outcomes_do_not_see_each_other(seed, errors):
    X, contrasts, Y, baseline = trial(seed)
    Y[2, 0] = np.nan
    joint = fit_ols(Y, X, contrasts, NAMES, errors=errors, baseline=baseline)
    other = fit_ols(Y[:, ::-1], X, contrasts, NAMES, errors=errors, baseline=baseline[:, ::-1])
    assert_allclose(other.effect[:, ::-1], joint.effect, rtol=1e-10)
    assert_allclose(other.covariance[::-1], joint.covariance, rtol=1e-10)


@QUICK
@given(seed=SEEDS, errors=ERRORS)
def test_covariances_have_no_negative_variance(seed, errors):
    X, contrasts, Y, baseline = trial(seed)
    joint = fit_ols(Y, X, contrasts, NAMES, errors=errors, baseline=baseline)
    assert (np.linalg.eigvalsh(joint.covariance) >= -1e-12).all()


@QUICK
@given(seed=SEEDS, correction=CORRECTIONS)
def test_participants_may_come_in_any_order(seed, correction):
    Y, X, subjects, contrasts = visits(seed)
    order = np.random.default_rng(seed).permutation(30)
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES, correction=correction)
    other = fit_cluster_robust(
        -2 * Y[order], X[order], subjects[order], contrasts, NAMES, correction=correction
    )
    both(joint, other, effect=-2.0)


@QUICK
@given(seed=SEEDS)
def test_degrees_of_freedom_lie_below_the_number_of_participants(seed):
    Y, X, subjects, contrasts = visits(seed)
    joint = fit_cluster_robust(Y, X, subjects, contrasts, NAMES)
    ok = joint.status == 0
    assert (joint.df[:, ok] > 0).all()
    assert (joint.df[:, ok] <= 10 + 1e-9).all()
    test = wald_htz(Y, X, subjects, contrasts)
    assert ((test.pvalue > 0) & (test.pvalue <= 1))[test.status == 0].all()


@QUICK
@given(seed=SEEDS, k=st.integers(2, 4), df=st.floats(2, 200))
def test_the_correction_lies_between_one_contrast_and_bonferroni(seed, k, df):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(k, rng.integers(1, 4)))
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    t = 3 * rng.normal(size=(k, 2))
    found = max_t_pvalues(t, A @ A.T, df)
    alone = max_t_pvalues(t[:1], np.ones((1, 1)), df)
    assert (found[:1] >= alone * (1 - 1e-2)).all()
    assert (found[:1] <= np.minimum(1, k * alone) * (1 + 1e-2)).all()
    by_size = np.take_along_axis(found, np.argsort(-np.abs(t), axis=0), axis=0)
    assert (np.diff(by_size, axis=0) >= -1e-12).all()
