"""ARMA noise averaged over: against dense matrices, against the truth, and at its edges."""

import numpy as np
import pytest
from scipy import linalg, signal, stats

from phmri.firstlevel.glm import Contrast, Noise, fit_glm
from phmri.firstlevel.glm._average import grid

AVERAGED = Noise(kind="arma11", shrink=True)


def _covariance(a: float, b: float, n: int) -> np.ndarray:
    first = np.array([1 + 2 * a * b + b * b, (1 + a * b) * (a + b)]) / (1 - a * a)
    return linalg.toeplitz(np.r_[first[0], first[1] * a ** np.arange(n - 1)])


def _draw(processes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    series = [
        signal.lfilter([1.0, b], [1.0, -a], rng.standard_normal(n + 200))[200:]
        for a, b in processes
    ]
    return np.stack(series, axis=1)


def _design(n: int) -> np.ndarray:
    time = np.linspace(-1, 1, n)
    return np.column_stack([np.ones(n), time, np.sin(7 * time)])


def test_the_grid_is_stationary_and_has_positive_neighbours():
    a, b = grid().T
    rho = (a + b) * (1 + a * b) / (1 + 2 * a * b + b * b)
    assert (np.abs(a) < 1).all()
    assert (np.abs(b) < 1).all()
    assert rho.min() == 0.0
    assert len({tuple(point) for point in np.round(grid(), 12).tolist()}) == len(grid())


def test_equals_a_posterior_mean_from_dense_matrices():
    rng, n = np.random.default_rng(3), 50
    Y = 100 + _draw(grid()[[0, 20, 60, 110]], n, rng)
    X = _design(n)
    C = np.eye(3)[1:]
    fit = fit_glm(
        Y, X, [Contrast(name="line", weights=C[:1]), Contrast(name="both", weights=C)],
        noise=AVERAGED,
    )  # fmt: skip
    likelihood, effects, covariances = [], [], []
    for a, b in grid():
        inverse = np.linalg.inv(_covariance(a, b, n))
        gram = X.T @ inverse @ X
        beta = np.linalg.solve(gram, X.T @ inverse @ Y)
        left = Y - X @ beta
        s2 = np.einsum("tv,ts,sv->v", left, inverse, left) / (n - 3)
        log_determinants = np.linalg.slogdet(gram)[1] - np.linalg.slogdet(inverse)[1]
        likelihood.append(-0.5 * (log_determinants + (n - 3) * np.log(s2)))
        effects.append(C @ beta)
        covariances.append(s2[:, None, None] * (C @ np.linalg.inv(gram) @ C.T))
    L = np.exp(np.array(likelihood) - np.max(likelihood, axis=0))
    prior = np.full(len(L), 1 / len(L))
    for _ in range(300):
        post = prior[:, None] * L
        prior = (post / post.sum(axis=0)).sum(axis=1) + 1 / len(L)
        prior /= prior.sum()
    prior[prior < 1e-4] = 0.0
    post = prior[:, None] * L
    post /= post.sum(axis=0)
    effect = np.einsum("gv,gcv->cv", post, np.array(effects))
    deviation = np.array(effects) - effect
    covariance = np.einsum("gv,gvcd->vcd", post, np.array(covariances))
    covariance += np.einsum("gv,gcv,gdv->vcd", post, deviation, deviation)
    F = [e @ np.linalg.solve(cov, e) / 2 for e, cov in zip(effect.T, covariance, strict=True)]
    both, line = fit.contrasts["both"], fit.contrasts["line"]
    np.testing.assert_allclose(both.effect, effect, rtol=1e-8)
    np.testing.assert_allclose(both.variance, covariance[:, [0, 1], [0, 1]].T, rtol=1e-8)
    np.testing.assert_allclose(both.statistic, F, rtol=1e-8)
    np.testing.assert_allclose(line.statistic, effect[0] / np.sqrt(covariance[:, 0, 0]), rtol=1e-8)
    np.testing.assert_allclose(fit.noise["a"], grid()[:, 0] @ post, rtol=1e-8)


def test_intervals_cover_as_often_as_they_say():
    rng, n, n_voxels = np.random.default_rng(5), 200, 4000
    kinds = np.array([(0.0, 0.0), (0.9, -0.7), (0.8, -0.4), (0.5, 0.1)])
    Y = _draw(kinds[np.arange(n_voxels) % 4], n, rng)
    one = [Contrast(name="line", weights=np.eye(3)[1:2])]
    fit = fit_glm(Y, _design(n), one, noise=AVERAGED)
    line = fit.contrasts["line"]
    inside = np.abs(line.statistic) <= stats.t.ppf(0.975, line.df)
    low, high = stats.binom.interval(0.999, n_voxels, 0.95)
    assert low <= inside.sum() <= high
    assert 0.94 < (line.effect**2).mean() / line.variance.mean() < 1.06


def test_threads_and_blocks_do_not_matter_and_constants_are_nan():
    rng = np.random.default_rng(6)
    Y = _draw(np.tile([(0.8, -0.4)], (1100, 1)), 60, rng).astype(np.float32)
    Y[:, 17] = 3.0
    one = [Contrast(name="line", weights=np.eye(3)[1:2])]
    single = fit_glm(Y, _design(60), one, noise=AVERAGED)
    double = fit_glm(Y, _design(60), one, noise=AVERAGED, n_threads=2)
    np.testing.assert_array_equal(
        single.contrasts["line"].statistic, double.contrasts["line"].statistic
    )
    assert np.flatnonzero(np.isnan(single.contrasts["line"].effect[0])).tolist() == [17]
    assert np.isnan(single.noise["a"][17])


def test_tissues_have_priors_of_their_own():
    rng, n = np.random.default_rng(7), 80
    groups = np.repeat([0, 1], 300)
    Y = _draw(np.where(groups[:, None], (0.9, -0.3), (0.0, 0.0)), n, rng)
    one = [Contrast(name="line", weights=np.eye(3)[1:2])]
    together = fit_glm(Y, _design(n), one, noise=AVERAGED).noise
    apart = fit_glm(Y, _design(n), one, noise=AVERAGED, groups=groups).noise
    rho = {
        name: (found["a"] + found["b"])[groups == 0].mean()
        for name, found in (("together", together), ("apart", apart))
    }
    assert rho["apart"] < rho["together"]
    assert rho["apart"] == pytest.approx(0.0, abs=0.05)
