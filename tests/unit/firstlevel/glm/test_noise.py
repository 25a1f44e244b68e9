"""Estimates of the noise against what they must be in expectation, or by brute force."""

import numpy as np
import pytest
import scipy.linalg

from phmri.firstlevel.glm import Contrast, Noise, fit_glm
from phmri.firstlevel.glm._arma import Arma
from phmri.firstlevel.glm._autoregression import (
    from_partial,
    levinson,
    make_lag_model,
    shrink_partial,
)
from phmri.firstlevel.glm._design import reduce_design

N = 100


def make_design(seed=0, n_columns=12):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, n_columns - 1)).cumsum(axis=0)])
    spikes = np.eye(N)[:, [30, 31, 70]]
    return np.column_stack([X, spikes])


def simulate(a, b, n_voxels, seed=1):
    rng = np.random.default_rng(seed)
    e = rng.normal(size=(N + 100, n_voxels))
    y = e.copy()
    for t in range(1, len(y)):
        y[t] = a * y[t - 1] + e[t] + b * e[t - 1]
    return y[100:]


def test_levinson_solves_the_yule_walker_equations():
    covariance = 0.6 ** np.arange(5.0) + 0.3 * np.cos(np.arange(5.0))
    phi, kappa = levinson(covariance[:, None])
    expected = scipy.linalg.solve_toeplitz(covariance[:4], covariance[1:])
    np.testing.assert_allclose(phi[:, 0], expected, rtol=1e-10)
    np.testing.assert_allclose(from_partial(kappa), phi, rtol=1e-12)


def test_a_series_without_variance_has_coefficients_0():
    assert not levinson(np.zeros((3, 1)))[0].any()


@pytest.mark.parametrize("phi", [(0.0,), (0.4,), (0.7,), (0.5, 0.2), (0.3, 0.2, -0.1)])
def test_the_corrected_estimate_is_right_in_expectation(phi):
    design, _ = reduce_design(make_design(), [])
    residual_maker = np.eye(N) - design.basis @ design.basis.T
    order = len(phi)
    response = np.zeros(2000)
    response[0] = 1
    for t in range(1, 2000):
        response[t] = sum(phi[k] * response[t - 1 - k] for k in range(min(order, t)))
    covariance = [response[: 2000 - k] @ response[k:] for k in range(N)]
    expected = residual_maker @ scipy.linalg.toeplitz(covariance) @ residual_maker
    products = np.array([[np.trace(expected, offset=k)] for k in range(order + 1)])
    corrected = make_lag_model(design.basis, order, bias_corrected=True).partial(products)
    plain = make_lag_model(design.basis, order, bias_corrected=False).partial(products)
    np.testing.assert_allclose(from_partial(corrected)[:, 0], phi, atol=5e-3)
    assert np.abs(from_partial(plain)[:, 0] - phi).max() > 0.05


def test_shrinking_keeps_what_sampling_does_not_explain():
    rng = np.random.default_rng(3)
    by_chance = 0.3 + 0.1 * rng.normal(size=(1, 4000))
    assert np.ptp(shrink_partial(by_chance, 91)) < 0.25 * np.ptp(by_chance)
    real = by_chance + np.where(rng.random(4000) < 0.5, 0.3, -0.3)
    kept = shrink_partial(real, 91)
    assert np.corrcoef(kept[0], real[0])[0, 1] > 0.999
    assert 0.8 < kept.std() / real.std() < 1.0


def test_groups_have_coefficients_of_their_own():
    Y = np.column_stack([simulate(0.2, 0, 300), 9 * simulate(0.6, 0, 300, seed=2)])
    Y[:, 7] = 3.0
    groups = np.repeat([4, -1], 300)
    X = make_design()
    fit = fit_glm(Y, X, [], noise=Noise(scope="group"), groups=groups)
    found = [np.unique(fit.noise["ar1"][groups == g][10:]) for g in (4, -1)]
    assert [len(values) for values in found] == [1, 1]
    np.testing.assert_allclose(np.concatenate(found), [0.2, 0.6], atol=0.02)
    assert fit.n_constant == 1
    whole = fit_glm(Y, X, [], noise=Noise(scope="brain"), groups=groups)
    assert 0.3 < whole.noise["ar1"][0] < 0.5


def test_groups_share_one_arma():
    Y = np.column_stack([simulate(0.8, -0.4, 60), simulate(0.3, 0.0, 60, seed=2)])
    groups = np.repeat([0, 1], 60)
    fit = fit_glm(Y, make_design(), [], noise=Noise(kind="arma11", scope="group"), groups=groups)
    found = np.array([[fit.noise[k][i] for k in "ab"] for i in (0, 60)])
    assert np.ptp(fit.noise["a"][:60]) == 0
    np.testing.assert_allclose(found, [[0.8, -0.4], [0.3, 0.0]], atol=0.11)


def test_the_arma_search_finds_the_likeliest_of_the_grid():
    X = make_design()
    Y = simulate(0.7, -0.3, 60)
    fit = fit_glm(Y, X, [], noise=Noise(kind="arma11"))
    design, _ = reduce_design(X, [])
    e = Y - design.basis @ (design.basis.T @ Y)
    arma = Arma(design, None, n_voxels=60, dtype=np.dtype(np.float64))
    grid = np.array([(a, b) for a in np.arange(39) for b in np.arange(-36, 37, 2) if a + b >= 0])
    everywhere = arma.criterion(e, grid / 40).min(axis=0)
    at_found = np.array(
        [
            arma.criterion(e[:, [v]], np.array([[fit.noise["a"][v], fit.noise["b"][v]]]))[0, 0]
            for v in range(60)
        ]
    )
    # 2 units of the criterion are one of log-likelihood.
    assert np.mean(at_found < everywhere + 0.05) > 0.95
    assert (at_found - everywhere).max() < 0.5


def test_the_arma_criterion_is_the_restricted_likelihood():
    X = make_design()[:, :5]
    y = simulate(0.6, 0.2, 1)
    design, _ = reduce_design(X, [])
    e = y - design.basis @ (design.basis.T @ y)
    arma = Arma(design, None, n_voxels=1, dtype=np.dtype(np.float64))
    points = np.array([[0.6, 0.2], [0.3, -0.2], [0.0, 0.5]])
    found = arma.criterion(e, points)[:, 0]
    expected = []
    for a, b in points:
        response = np.concatenate([[1.0], (a + b) * a ** np.arange(2000.0)])
        V = scipy.linalg.toeplitz([response[: 2001 - k] @ response[k:] for k in range(N)])
        P = np.linalg.inv(V)
        Q = design.basis
        gram = Q.T @ P @ Q
        rest = y[:, 0] @ (P - P @ Q @ np.linalg.solve(gram, Q.T @ P)) @ y[:, 0]
        determinants = np.linalg.slogdet(V)[1] + np.linalg.slogdet(gram)[1]
        expected.append(determinants + design.df * np.log(rest))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_spm_noise_is_estimated_and_refused_where_it_cannot_be():
    Y = simulate(0.3, 0.0, 400)
    X = make_design()
    task = Contrast(name="t", weights=np.eye(X.shape[1])[1:2])
    spm, known = (
        fit_glm(Y, X, [task], noise=noise)
        for noise in (Noise(kind="spm", scope="brain"), Noise(scope="brain"))
    )
    ratio = spm.contrasts["t"].statistic / known.contrasts["t"].statistic
    assert np.median(np.abs(ratio - 1)) < 0.02
