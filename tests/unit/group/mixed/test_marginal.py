"""Covariances between visits: the likelihood against plain algebra, maps, and refusals."""

import jaxtyping
import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.mixed import fit_random_intercept, fit_structured, fit_unstructured
from phmri.group.mixed._basis import make_basis
from phmri.group.mixed._likelihood import curvature, evaluate, score
from phmri.group.mixed._moments import make_moments, make_visit_design
from phmri.group.mixed._structures import make_structure
from phmri.group.mixed._sweep import invert

METHODS = ("kenward_roger", "satterthwaite")


@pytest.fixture
def untyped(monkeypatch):
    """Leave shapes to the function itself, or time to other things."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def repeated(n, n_outcomes, n_visits=3, seed=11):
    """Participants in two arms, a sixth of the rows missing, in a few patterns."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n), n_visits)
    visits = np.tile(np.arange(n_visits), n)
    arm = subjects % 2
    late = [(visits == k).astype(float) for k in range(1, n_visits)]
    X = np.column_stack([np.ones(len(arm)), arm, *late, *(arm * part for part in late)])
    mixing = np.linalg.cholesky(0.5 + np.diag(0.5 + 0.3 * np.arange(n_visits)))
    noise = rng.standard_normal((n_outcomes, n, n_visits)) @ mixing.T
    Y = noise.reshape(n_outcomes, -1).T.copy()
    patterns = rng.random((len(arm), 5)) < 1 / 6
    patterns[: 6 * n_visits] = False
    Y[patterns[:, rng.integers(0, 5, n_outcomes)]] = np.nan
    return Y, X, subjects, visits


@pytest.fixture
def pieces():
    """Design, moments and a covariance per outcome, with rows missing."""
    Y, X, subjects, visits = repeated(14, 4)
    rows = np.isfinite(Y[:, 0])
    basis = make_basis(X[rows], np.eye(6)[4:])
    design = make_visit_design(basis, subjects[rows], visits[rows], 3)
    rng = np.random.default_rng(2)
    values = rng.standard_normal((int(rows.sum()), 3))
    error = values - basis.Q @ (basis.Q.T @ values)
    root = np.eye(3)[..., None] + 0.3 * rng.standard_normal((3, 3, 3))
    sigma = np.einsum("iav,ibv->abv", root, root)
    return design, make_moments(design, error), sigma, values, subjects[rows], visits[rows]


def dense_likelihood(Q, y, sigma, subjects, visits):
    V = np.where(subjects[:, None] == subjects, sigma[visits[:, None], visits], 0.0)
    precision = np.linalg.inv(V)
    A = Q.T @ precision @ Q
    residual = y - Q @ np.linalg.solve(A, Q.T @ precision @ y)
    return np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + residual @ precision @ residual


def test_the_likelihood_is_that_of_plain_algebra(pieces):
    design, moments, sigma, values, subjects, visits = pieces
    found = evaluate(design, moments, sigma)
    for v in range(3):
        want = dense_likelihood(design.Q, values[:, v], sigma[..., v], subjects, visits)
        assert_allclose(found.value[v], want, rtol=1e-12)


def test_derivatives_are_those_of_the_likelihood(pieces):
    design, moments, sigma, *_ = pieces
    lower = np.tril_indices(3)

    def moved(k, step):
        away = sigma.copy()
        for a, b in {(lower[0][k], lower[1][k]), (lower[1][k], lower[0][k])}:
            away[a, b] += step
        return evaluate(design, moments, away)

    point = evaluate(design, moments, sigma)
    gradient, average = score(design, moments, point)
    hessian = 2.0 * average - curvature(design, point).expected
    h = 1e-5
    for k in range(6):
        up, down = moved(k, h), moved(k, -h)
        assert_allclose(gradient[k], (up.value - down.value) / (2 * h), rtol=1e-6, atol=1e-6)
        slope = (score(design, moments, up)[0] - score(design, moments, down)[0]) / (2 * h)
        assert_allclose(hessian[k], slope, rtol=1e-5, atol=1e-5)


def test_a_matrix_that_is_no_covariance_is_not_allowed(pieces):
    design, moments, sigma, *_ = pieces
    sigma[..., 1] = np.ones((3, 3)) - 2.0 * np.eye(3)
    assert evaluate(design, moments, sigma).allowed.tolist() == [True, False, True]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(("method", "n_visits"), [("kenward_roger", 4), ("satterthwaite", 2)])
def test_maps_equal_scalars(method, n_visits):
    Y, X, subjects, visits = repeated(24, 400, n_visits)
    L = np.eye(X.shape[1])[-2:]
    found = fit_unstructured(Y, X, subjects, visits, L, ("a", "b"), df_method=method)
    assert (found.contrasts.status == 0).all()
    for v in np.random.default_rng(7).choice(Y.shape[1], 200, replace=False):
        rows = np.isfinite(Y[:, v])
        alone = fit_unstructured(
            *(Y[rows, v : v + 1], X[rows], subjects[rows], visits[rows], L, ("a", "b")),
            df_method=method,
        )
        for whole, one in (
            (found.contrasts.effect[:, v], alone.contrasts.effect[:, 0]),
            (found.contrasts.covariance[v], alone.contrasts.covariance[0]),
            (found.contrasts.df[:, v], alone.contrasts.df[:, 0]),
            (found.omnibus.statistic[v], alone.omnibus.statistic[0]),
        ):
            assert_allclose(whole, one, rtol=1e-8)


def test_threads_change_no_byte():
    Y, X, subjects, visits = repeated(12, 700)
    one, two = (
        fit_unstructured(Y, X, subjects, visits, np.eye(6)[4:], ("a", "b"), n_threads=k)
        for k in (1, 2)
    )
    assert one.contrasts.covariance.tobytes() == two.contrasts.covariance.tobytes()
    assert one.contrasts.df.tobytes() == two.contrasts.df.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_compound_symmetry_is_a_random_intercept(method):
    Y, X, subjects, visits = repeated(20, 12)
    L, names = np.eye(6)[4:], ("a", "b")
    want = fit_random_intercept(Y, X, subjects, L, names, df_method=method, information="observed")
    found = fit_structured(Y, X, subjects, visits, L, names, structure="cs", df_method=method)
    interior = want.contrasts.status == 0
    assert interior.sum() > 6
    assert_allclose(found.theta[:, interior], want.theta[:, interior], rtol=1e-6)
    assert_allclose(
        found.reml_loglik_minus2[interior], want.reml_loglik_minus2[interior], rtol=1e-9
    )
    assert_allclose(
        found.contrasts.covariance[interior], want.contrasts.covariance[interior], rtol=1e-6
    )
    assert_allclose(found.contrasts.df[:, interior], want.contrasts.df[:, interior], rtol=1e-5)


def test_visits_that_nobody_had_together_are_not_estimable():
    Y, X, subjects, visits = repeated(20, 2)
    Y[:, 0] = np.where((subjects % 3 > 0) == (visits == 0), Y[:, 0], np.nan)
    status = fit_unstructured(Y, X, subjects, visits, np.eye(6)[2:3], ("a",)).contrasts.status
    assert status.tolist() == [3, 0]


def test_more_entries_than_participants_is_not_a_silent_number():
    Y, X, subjects, visits = repeated(5, 3, n_visits=6)
    Y = np.where(np.isfinite(Y), Y, 0.1)
    found = fit_unstructured(Y, X[:, :1], subjects, visits, np.ones((1, 1)), ("mean",))
    assert (found.contrasts.status == 2).all()


@pytest.mark.usefixtures("untyped")
def test_visits_are_checked():
    Y, X, subjects, visits = repeated(8, 1)
    with pytest.raises(DesignError) as error:
        fit_unstructured(Y, X, subjects, np.zeros_like(visits) - 1, np.eye(6)[:1], ("a",))
    assert len(error.value.problems) == 2
    with pytest.raises(DesignError, match="visits"):
        fit_structured(Y, X, subjects, visits[:-1], np.eye(6)[:1], ("a",), structure="cs")


@pytest.mark.parametrize("name", ["un", "cs", "csh", "ar1", "slope"])
def test_structures_know_their_derivatives(name):
    structure = make_structure(name, 4)
    theta = np.linspace(0.4, 0.7, len(structure.names))[:, None]
    sigma, slopes = structure.entries(theta)
    assert_allclose(sigma, sigma.swapaxes(0, 1))
    h = 1e-6
    for k in range(len(theta)):
        step = h * np.eye(len(theta))[k][:, None]
        up, down = structure.entries(theta + step)[0], structure.entries(theta - step)[0]
        assert_allclose(slopes[k], (up - down) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["cs", "csh", "ar1", "slope"])
def test_structures_find_the_maximum_of_their_likelihood(name):
    Y, X, subjects, visits = repeated(40, 3, 4)
    arguments = (X, subjects, visits, np.eye(8)[4:5], ("a",))
    found = fit_structured(Y, *arguments, structure=name)
    free = fit_unstructured(Y, *arguments)
    assert (found.contrasts.status == 0).all()
    assert (found.reml_loglik_minus2 > free.reml_loglik_minus2).all()


def test_visits_that_nobody_had_keep_their_place_in_time():
    Y, X, subjects, visits = repeated(30, 3)
    arguments = (X, subjects, visits, np.eye(6)[4:5], ("a",))
    near = fit_structured(Y, *arguments, structure="ar1")
    far = fit_structured(Y, X, subjects, 2 * visits, *arguments[3:], structure="ar1")
    assert_allclose(far.theta[1] ** 2, near.theta[1], rtol=1e-5)
    assert_allclose(far.contrasts.effect, near.contrasts.effect, rtol=1e-5)


def test_inverses_of_many_matrices():
    root = np.random.default_rng(4).standard_normal((5, 5, 6))
    A = np.einsum("iav,jav->ijv", root, root)
    A[..., 2] = -A[..., 2]
    inverse, log_determinant, positive = invert(A)
    assert positive.tolist() == [True, True, False, True, True, True]
    for v in np.flatnonzero(positive):
        assert_allclose(inverse[..., v], np.linalg.inv(A[..., v]), rtol=1e-8)
        assert_allclose(log_determinant[v], np.linalg.slogdet(A[..., v])[1], rtol=1e-8)
    assert np.isfinite(inverse).all()
