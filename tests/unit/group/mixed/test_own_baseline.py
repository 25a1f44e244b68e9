"""A baseline of every outcome's own beside the model that all share: maps of an MMRM."""

import jaxtyping
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from phmri.exceptions import DesignError
from phmri.group.mixed import _marginal, fit_unstructured

NAMES = ("drug", "pretreated")
METHODS = ("kenward_roger", "satterthwaite")


@pytest.fixture
def untyped(monkeypatch):
    """Leave time to other things than shapes."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def maps(n, n_outcomes, n_visits=2, seed=3):
    """Three arms after treatment, baselines that matter, scans and baselines missing."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n), n_visits)
    visits = np.tile(np.arange(n_visits), n)
    cells = [(subjects % 3 == a) & (visits == v) for v in range(n_visits) for a in range(3)]
    age = rng.normal(size=n)[subjects]
    X = np.column_stack([*cells, age]).astype(float)
    own = 50.0 + 2.0 * rng.normal(size=(n, n_outcomes))
    person = rng.normal(size=(n, n_outcomes))
    Y = 0.4 * (1 + visits[:, None]) * own[subjects] + person[subjects]
    Y += rng.normal(size=Y.shape) * (1.0 + 0.5 * visits[:, None])
    lost = rng.random((len(Y), 4)) < 1 / 8
    lost[: 6 * n_visits] = False
    Y[lost[:, rng.integers(0, 4, n_outcomes)]] = np.nan
    contrasts = np.zeros((2, X.shape[1]))
    contrasts[0, [1, 0]] = contrasts[1, [2, 0]] = 1.0, -1.0
    return Y, X, subjects, visits, own[subjects], contrasts


def alone(Y, X, subjects, visits, baseline, contrasts, *, v, method):
    """Fit one outcome with its baseline among the columns."""
    rows = np.isfinite(Y[:, v])
    slopes = [np.where(visits == k, baseline[:, v], 0.0) for k in range(visits.max() + 1)]
    return fit_unstructured(
        Y[rows, v : v + 1],
        np.column_stack([X, *slopes])[rows],
        subjects[rows],
        visits[rows],
        np.pad(contrasts, ((0, 0), (0, len(slopes)))),
        NAMES,
        df_method=method,
    )


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(("method", "n_visits"), [("kenward_roger", 2), ("satterthwaite", 3)])
def test_maps_equal_scalars(method, n_visits):
    Y, X, subjects, visits, baseline, L = maps(30, 300, n_visits)
    found = fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=baseline, df_method=method)
    assert (found.contrasts.status == 0).all()
    for v in np.random.default_rng(7).choice(Y.shape[1], 200, replace=False):
        one = alone(Y, X, subjects, visits, baseline, L, v=v, method=method)
        for whole, single in (
            (found.contrasts.effect[:, v], one.contrasts.effect[:, 0]),
            (found.contrasts.covariance[v], one.contrasts.covariance[0]),
            (found.contrasts.df[:, v], one.contrasts.df[:, 0]),
            (found.omnibus.statistic[v], one.omnibus.statistic[0]),
            (found.omnibus.df_denominator[v], one.omnibus.df_denominator[0]),
            (found.theta[:, v], one.theta[:, 0]),
            (found.coefficients[:, v], one.coefficients[: X.shape[1], 0]),
            (found.reml_loglik_minus2[v], one.reml_loglik_minus2[0]),
        ):
            assert_allclose(whole, single, rtol=1e-8)


def test_a_ridge_that_is_nearly_flat_is_climbed_to_its_top(monkeypatch):
    """A few of many small trials, whose sessions go together nearly wholly."""
    Y, X, subjects, visits, baseline, L = maps(12, 4000, seed=1)
    given = (X, subjects, visits, L, NAMES)
    found = fit_unstructured(Y, *given, baseline=baseline)
    assert (found.contrasts.status == 0).all()
    monkeypatch.setattr(_marginal, "SLOW", _marginal.MOST_STEPS)
    short = fit_unstructured(Y, *given, baseline=baseline).contrasts.status == 2
    assert 1 <= short.sum() < 10
    for v in np.flatnonzero(short):
        slopes = [np.where(visits == k, baseline[:, v], 0.0) for k in range(2)]
        rows = np.isfinite(Y[:, v])
        Z, y = np.column_stack([X, *slopes])[rows], Y[rows, v]

        def deviance(theta, Z=Z, y=y, rows=rows):
            root = np.array([[np.exp(theta[0]), 0.0], [theta[2], np.exp(theta[1])]])
            same = subjects[rows][:, None] == subjects[rows]
            V = np.where(same, (root @ root.T)[visits[rows][:, None], visits[rows]], 0.0)
            precision = np.linalg.inv(V)
            A = Z.T @ precision @ Z
            left = y - Z @ np.linalg.solve(A, Z.T @ precision @ y)
            return (
                np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + left @ precision @ left
                + (len(y) - Z.shape[1]) * np.log(2 * np.pi)
            )  # fmt: skip

        best = min(
            minimize(deviance, start, method="Nelder-Mead", options={"maxiter": 4000}).fun
            for start in ([0.0, 0.0, 0.0], [0.5, -1.0, 1.0], [0.5, -1.0, -1.0])
        )
        assert found.reml_loglik_minus2[v] == pytest.approx(best, abs=1e-4)


def test_threads_change_no_byte():
    Y, X, subjects, visits, baseline, L = maps(15, 700)
    one, two = (
        fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=baseline, n_threads=k)
        for k in (1, 2)
    )
    assert one.contrasts.covariance.tobytes() == two.contrasts.covariance.tobytes()
    assert one.contrasts.df.tobytes() == two.contrasts.df.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_origin_and_unit_of_the_baseline_change_nothing(method):
    Y, X, subjects, visits, baseline, L = maps(24, 6)
    one, other = (
        fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=given, df_method=method)
        for given in (baseline, (1e3 - 1e-3 * baseline))
    )
    assert_allclose(one.contrasts.effect, other.contrasts.effect, rtol=1e-7)
    assert_allclose(one.contrasts.covariance, other.contrasts.covariance, rtol=1e-7)
    assert_allclose(one.contrasts.df, other.contrasts.df, rtol=1e-6)


def test_a_baseline_that_says_nothing_is_not_estimable_and_harms_no_neighbour():
    Y, X, subjects, visits, baseline, L = maps(24, 5)
    whole = fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=baseline)
    flawed = baseline.copy()
    flawed[:, 1] = 0.1
    flawed[:, 3] = X[:, -1]  # the covariate
    found = fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=flawed)
    assert found.contrasts.status.tolist() == [0, 3, 0, 3, 0]
    assert np.isnan(found.contrasts.effect[:, [1, 3]]).all()
    kept = [0, 2, 4]
    assert_allclose(found.contrasts.covariance[kept], whole.contrasts.covariance[kept], rtol=1e-10)


def test_an_outcome_that_its_baseline_tells_exactly_is_not_estimable():
    Y, X, subjects, visits, baseline, L = maps(24, 3)
    Y[:, 1] = np.where(np.isfinite(Y[:, 1]), 3.0 * baseline[:, 1], np.nan)
    found = fit_unstructured(Y, X, subjects, visits, L, NAMES, baseline=baseline)
    assert found.contrasts.status.tolist() == [0, 3, 0]


def test_rows_that_leave_no_residual_are_not_estimable():
    _, X, subjects, visits, baseline, L = maps(4, 2)
    Y = np.random.default_rng(0).normal(size=(8, 2))
    design = X[:, :6]  # six cells and two slopes for eight rows
    found = fit_unstructured(Y, design, subjects, visits, L[:, :6], NAMES, baseline=baseline)
    assert (found.contrasts.status == 3).all()


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda Y, b: (Y, b[:, :1]), "baselines of other rows or outcomes"),
        (lambda Y, b: (Y, np.where(np.arange(len(b))[:, None] == 2, np.nan, b)), "without a base"),
    ],
)
def test_baselines_that_do_not_fit_are_refused(spoil, words):
    Y, X, subjects, visits, baseline, L = maps(12, 2)
    outcomes, given = spoil(Y, baseline)
    with pytest.raises(DesignError, match=words):
        fit_unstructured(outcomes, X, subjects, visits, L, NAMES, baseline=given)
