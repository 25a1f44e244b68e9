"""A random intercept: exact cases, the boundary, missing rows, and refusals."""

import jaxtyping
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.mixed import fit_random_intercept

METHODS = ("kenward_roger", "satterthwaite")
TREATMENT = np.array([[0.0, 1.0, 0.0]])


@pytest.fixture
def untyped(monkeypatch):
    """Leave shapes to the function itself, or time to other things."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def crossover(n, n_outcomes, *, between, seed=3):
    """Two complete periods: rows, columns and simulated outcomes."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n), 2)
    period = np.tile([0.0, 1.0], n)
    drug = (period + subjects) % 2
    X = np.column_stack([np.ones(2 * n), drug, period])
    Y = rng.standard_normal((2 * n, n_outcomes)) + 0.5 * drug[:, None]
    return Y + between * rng.standard_normal((n, n_outcomes))[subjects], X, subjects


def repeated(n, n_outcomes, seed=5):
    """Three visits of participants in two arms; a fifth of the rows missing, by outcome."""
    rng = np.random.default_rng(seed)
    subjects, visit = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
    arm = subjects % 2
    late = [(visit == k).astype(float) for k in (1, 2)]
    X = np.column_stack([np.ones(3 * n), arm, *late, *(arm * part for part in late)])
    Y = rng.standard_normal((3 * n, n_outcomes)) + rng.standard_normal((n, n_outcomes))[subjects]
    patterns = rng.random((3 * n, 7)) < 0.2
    Y[patterns[:, rng.integers(0, 7, n_outcomes)]] = np.nan
    return Y, X, subjects


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_two_complete_periods_are_the_analysis_within_participants(method, information):
    n = 12
    Y, X, subjects = crossover(n, 40, between=3.0)
    found = fit_random_intercept(
        Y, X, subjects, TREATMENT, ("drug",), df_method=method, information=information
    )
    difference = (Y[1::2] - Y[::2]) * np.where(np.arange(n) % 2, -1.0, 1.0)[:, None]
    one, other = difference[::2], difference[1::2]
    # The period is in the model, so that the two orders are compared.
    test = stats.ttest_ind(one, -other)
    joint = found.contrasts
    assert (joint.status == 0).all()
    assert_allclose(joint.effect[0], (one.mean(0) + other.mean(0)) / 2, rtol=1e-10)
    se = np.sqrt(joint.covariance[:, 0, 0])
    assert_allclose(joint.effect[0] / se, test.statistic, rtol=1e-9)
    assert_allclose(joint.df[0], n - 2, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_without_periods_it_is_the_paired_t_test(method):
    Y, X, subjects = crossover(10, 30, between=3.0)
    found = fit_random_intercept(
        Y, X[:, :2], subjects, TREATMENT[:, :2], ("drug",), df_method=method
    ).contrasts
    drug = X[:, 1] == 1.0
    test = stats.ttest_rel(Y[drug], Y[~drug])
    assert_allclose(
        found.effect[0] / np.sqrt(found.covariance[:, 0, 0]), test.statistic, rtol=1e-9
    )
    assert_allclose(found.df[0], test.df, rtol=1e-9)


def test_at_the_boundary_it_is_least_squares():
    Y, X, subjects = crossover(14, 60, between=0.0)
    # Participants more alike than chance would have them.
    Y -= np.repeat((Y[::2] + Y[1::2]) / 2, 2, axis=0) * 0.9
    found = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",), df_method="satterthwaite")
    joint = found.contrasts
    assert (joint.status == 1).all()
    assert_array_equal(found.theta[0], 0.0)
    beta, rss = np.linalg.lstsq(X, Y, rcond=None)[:2]
    variance = rss / (28 - 3)
    assert_allclose(joint.effect[0], beta[1], rtol=1e-9)
    assert_allclose(found.theta[1], variance, rtol=1e-9)
    assert_allclose(joint.covariance[:, 0, 0], np.linalg.inv(X.T @ X)[1, 1] * variance, rtol=1e-9)
    assert_allclose(joint.df[0], 28 - 3, rtol=1e-9)
    kept = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",), information="expected")
    assert (kept.contrasts.df[0] < 28 - 3).all()


def test_the_observed_adjustment_vanishes_with_the_component():
    Y, X, subjects = crossover(14, 20, between=0.0)
    Y -= np.repeat((Y[::2] + Y[1::2]) / 2, 2, axis=0) * 0.9
    one, other = (
        fit_random_intercept(
            Y, X, subjects, TREATMENT, ("drug",), df_method=method, information="observed"
        ).contrasts
        for method in METHODS
    )
    assert_allclose(one.covariance, other.covariance, rtol=1e-9)


@pytest.mark.usefixtures("untyped")
def test_maps_equal_scalars():
    Y, X, subjects = repeated(16, 200)
    method, L = "kenward_roger", np.eye(6)[4:]
    found = fit_random_intercept(Y, X, subjects, L, ("a", "b"), df_method=method)
    assert set(found.contrasts.status) <= {0, 1}
    for v in range(Y.shape[1]):
        rows = np.isfinite(Y[:, v])
        alone = fit_random_intercept(
            Y[rows, v : v + 1], X[rows], subjects[rows], L, ("a", "b"), df_method=method
        )
        for whole, one in (
            (found.contrasts.effect[:, v], alone.contrasts.effect[:, 0]),
            (found.contrasts.covariance[v], alone.contrasts.covariance[0]),
            (found.contrasts.df[:, v], alone.contrasts.df[:, 0]),
            (found.omnibus.df_denominator[v], alone.omnibus.df_denominator[0]),
            (found.theta[:, v], alone.theta[:, 0]),
        ):
            assert_allclose(whole, one, rtol=1e-8, atol=1e-12)
        assert found.contrasts.status[v] == alone.contrasts.status[0]


def test_threads_change_no_byte():
    Y, X, subjects = repeated(10, 1100)
    one, two = (
        fit_random_intercept(Y, X, subjects, np.eye(6)[4:], ("a", "b"), n_threads=k)
        for k in (1, 2)
    )
    assert one.contrasts.covariance.tobytes() == two.contrasts.covariance.tobytes()
    assert one.contrasts.df.tobytes() == two.contrasts.df.tobytes()
    assert one.theta.tobytes() == two.theta.tobytes()


def test_single_precision_is_summed_in_double():
    Y, X, subjects = crossover(10, 5, between=1.0)
    Y = Y.astype(np.float32)
    found = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",))
    want = fit_random_intercept(Y.astype(float), X, subjects, TREATMENT, ("drug",))
    assert_array_equal(found.contrasts.effect, want.contrasts.effect)


def test_what_cannot_be_estimated_is_told_apart():
    Y, X, subjects = crossover(8, 5, between=1.0)
    Y[:, 1] = 4.0  # does not vary
    Y[X[:, 1] == 1.0, 2] = np.nan  # no treated period at all
    Y[:, 3] = np.nan
    Y[X[:, 2] == 1.0, 4] = np.nan  # one row each: nothing tells the two variances apart
    found = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",))
    assert found.contrasts.status.tolist() == [found.contrasts.status[0], 3, 3, 3, 1]
    for v in (1, 2, 3):
        assert np.isnan(found.contrasts.effect[:, v]).all()
        assert np.isnan(found.contrasts.covariance[v]).all()
        assert np.isnan(found.theta[:, v]).all()
    assert_allclose(found.contrasts.df[0, 4], 8 - 2)
    # The period's column is 0 in all rows left, but the treatment needs no period there.
    assert np.isnan(found.coefficients[:, 4]).all()


def test_no_variance_within_participants_is_not_a_silent_number():
    Y, X, subjects = crossover(8, 1, between=1.0)
    Y[:] = np.arange(8.0)[subjects][:, None]
    found = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",))
    assert found.contrasts.status[0] == 2


def test_a_redundant_column_changes_no_contrast():
    Y, X, subjects = crossover(9, 6, between=1.0)
    want = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",))
    wide = np.column_stack([X, 1.0 - X[:, 2]])
    found = fit_random_intercept(Y, wide, subjects, np.append(TREATMENT, [[0.0]], 1), ("drug",))
    assert_allclose(found.contrasts.covariance, want.contrasts.covariance, rtol=1e-8)
    assert_allclose(found.contrasts.effect, want.contrasts.effect, rtol=1e-8)


def test_one_contrast_is_its_own_joint_test():
    Y, X, subjects = crossover(9, 6, between=1.0)
    found = fit_random_intercept(Y, X, subjects, TREATMENT, ("drug",))
    t = found.contrasts.effect[0] / np.sqrt(found.contrasts.covariance[:, 0, 0])
    assert_allclose(found.omnibus.statistic, t**2)
    assert_allclose(found.omnibus.df_denominator, found.contrasts.df[0])


@pytest.mark.usefixtures("untyped")
def test_all_that_is_wrong_is_told_at_once():
    Y, X, subjects = crossover(6, 2, between=1.0)
    with pytest.raises(DesignError) as error:
        fit_random_intercept(Y[:-1], X, subjects, TREATMENT[:, :2], ("drug", "more"))
    assert {problem.field for problem in error.value.problems} == {"X", "subjects", "contrasts"}
    Y[0, 0] = np.inf
    X[0, 0] = np.nan
    with pytest.raises(DesignError) as error:
        fit_random_intercept(Y, X, subjects, 0.0 * TREATMENT, ("drug",))
    assert {problem.field for problem in error.value.problems} == {"Y", "X", "contrasts"}
