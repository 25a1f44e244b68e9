"""What must hold for any data, and the size of tests where nothing is there."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.firstlevel.glm import Contrast, Noise, fit_glm

N, P = 60, 5
T = Contrast(name="t", weights=np.eye(P)[1:2])
F = Contrast(name="F", weights=np.eye(P)[1:4])
MODELS = [
    Noise(kind="white"),
    Noise(),
    Noise(bias_corrected=False),
    Noise(order=3),
    Noise(shrink=True),
    Noise(scope="brain"),
    Noise(kind="arma11"),
    Noise(kind="spm", scope="brain"),
]


def make_case(seed, n_voxels=12):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, P - 1))])
    return rng.normal(size=(N, n_voxels)) + 50, X, rng


@pytest.mark.parametrize("noise", MODELS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_voxels_does_not_matter(noise, seed):
    Y, X, rng = make_case(seed)
    order = rng.permutation(Y.shape[1])
    one, two = (fit_glm(y, X, [T, F], noise=noise) for y in (Y, Y[:, order]))
    for name in ("t", "F"):
        np.testing.assert_allclose(
            one.contrasts[name].statistic[order],
            two.contrasts[name].statistic,
            rtol=1e-6,
            atol=1e-9,
        )


@pytest.mark.parametrize("noise", MODELS)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.integers(-20, 20))
def test_units_of_the_data_scale_effects_alone(noise, seed, power):
    Y, X, _ = make_case(seed)
    scale = 2.0**power
    one, two = (fit_glm(y, X, [T, F], noise=noise) for y in (Y, scale * (Y - 7)))
    for name in ("t", "F"):
        a, b = one.contrasts[name], two.contrasts[name]
        np.testing.assert_allclose(b.statistic, a.statistic, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(b.effect, scale * a.effect, rtol=1e-6, atol=scale * 1e-9)
        np.testing.assert_allclose(b.variance, scale**2 * a.variance, rtol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), out=st.sets(st.integers(0, N - 1), min_size=1, max_size=9))
def test_a_spike_column_is_a_volume_less_under_white_noise(seed, out):
    Y, X, _ = make_case(seed)
    chosen = sorted(out)
    keep = np.setdiff1d(np.arange(N), chosen)
    spikes = np.column_stack([X, np.eye(N)[:, chosen]])
    wide = Contrast(name="t", weights=np.append(T.weights, np.zeros((1, len(chosen))), axis=1))
    one = fit_glm(Y, spikes, [wide], noise=Noise(kind="white"))
    two = fit_glm(Y[keep], X[keep], [T], noise=Noise(kind="white"))
    assert one.df == two.df
    np.testing.assert_allclose(
        one.contrasts["t"].statistic, two.contrasts["t"].statistic, rtol=1e-8, atol=1e-10
    )


def task_design(n, rng):
    """Two conditions in blocks, cosines to 128 s at TR 2 s, drifting confounds, a constant."""
    t = np.arange(n)
    blocks = [np.convolve((t + 12 * k) % 24 < 6, np.ones(4) / 4)[:n] for k in range(2)]
    k = np.arange(1, 4 * n // 128 + 1)
    drift = np.cos(np.pi * (t[:, None] + 0.5) * k / n)
    white = rng.standard_normal((n, 12))
    return np.column_stack([*blocks, drift, 0.3 * white.cumsum(axis=0) + white, np.ones(n)])


def simulate(a, b, n, n_voxels, rng):
    e = rng.standard_normal((n + 60, n_voxels))
    y = e.copy()
    for t in range(1, len(y)):
        y[t] = a * y[t - 1] + e[t] + b * e[t - 1]
    return y[60:]


# The last number is how far above 5 % the rate may truly be: coefficients are estimates, and t
# takes them as known. 3 Monte Carlo standard errors come on top.
@pytest.mark.parametrize(
    ("n", "a", "b", "noise", "above"),
    [
        (150, 0.0, 0.0, Noise(kind="white"), 0.0),
        (150, 0.4, 0.0, Noise(), 0.008),
        (300, 0.4, 0.0, Noise(), 0.004),
        (150, 0.4, 0.0, Noise(shrink=True), 0.004),
        (300, 0.4, 0.0, Noise(scope="brain"), 0.002),
        (300, 0.8, -0.5, Noise(order=3, shrink=True), 0.006),
        (300, 0.8, -0.5, Noise(kind="arma11"), 0.012),
    ],
)
def test_a_true_null_is_rejected_as_often_as_said(n, a, b, noise, above):
    rng = np.random.default_rng(n)
    n_voxels = 1500 if noise.kind == "arma11" else 12_000
    X = task_design(n, rng)
    weights = np.zeros((1, X.shape[1]))
    weights[0, :2] = 1, -1
    fit = fit_glm(
        simulate(a, b, n, n_voxels, rng).astype(np.float32),
        X,
        [Contrast(name="t", weights=weights)],
        noise=noise,
    )
    limit = scipy.stats.t.isf(0.025, fit.df)
    rate = np.mean(np.abs(fit.contrasts["t"].statistic) > limit)
    error = 3 * np.sqrt(0.05 * 0.95 / n_voxels)
    assert 0.05 - error < rate < 0.05 + above + error


def test_uncorrected_coefficients_reject_too_often():
    rng = np.random.default_rng(5)
    X = task_design(150, rng)
    Y = simulate(0.4, 0.0, 150, 4000, rng).astype(np.float32)
    weights = np.zeros((1, X.shape[1]))
    weights[0, :2] = 1, -1
    task = Contrast(name="t", weights=weights)
    rates = []
    for corrected in (True, False):
        fit = fit_glm(Y, X, [task], noise=Noise(bias_corrected=corrected))
        limit = scipy.stats.t.isf(0.025, fit.df)
        rates.append(np.mean(np.abs(fit.contrasts["t"].statistic) > limit))
    assert rates[0] < 0.068
    assert rates[1] > rates[0] + 0.01
