"""The engine against dense linear algebra, nilearn, and its own promises."""

import warnings

import numpy as np
import pytest
import scipy.linalg
from nilearn.glm.contrasts import compute_contrast
from nilearn.glm.first_level import run_glm

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, fit_glm

N, P, V = 90, 7, 40
T = Contrast(name="t", weights=np.eye(P)[1:2])
MEAN = Contrast(name="mean", weights=np.eye(P)[:1])
F = Contrast(name="F", weights=np.array([[0.0, 1, 0, 0, 0, 0, 0], [0, 1, -1, 0, 0, 0, 0]]))


def make_case(seed=0, phi=0.4, n_voxels=V):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(N), rng.normal(size=(N, P - 1)).cumsum(axis=0)])
    e = rng.normal(size=(N + 50, n_voxels))
    for t in range(1, len(e)):
        e[t] += phi * e[t - 1]
    return 100 + 0.1 * X[:, 1:2] + e[50:], X


def autocovariance(phi, theta, n):
    """Of an ARMA process, by its response to one innovation."""
    response = np.zeros(3000)
    for t in range(len(response)):
        response[t] = (t == 0) + (theta if t == 1 else 0.0)
        response[t] += sum(phi[k] * response[t - 1 - k] for k in range(min(len(phi), t)))
    return np.array([response[: len(response) - k] @ response[k:] for k in range(n)])


def dense(y, X, covariance, weights):
    """Effect, its covariance and t or F by the textbook."""
    precision = np.linalg.inv(covariance)
    inverse = np.linalg.pinv(X.T @ precision @ X)
    b = inverse @ X.T @ precision @ y
    left = y - X @ b
    variance = left @ precision @ left / (len(y) - np.linalg.matrix_rank(X))
    effect, spread = weights @ b, variance * weights @ inverse @ weights.T
    if len(weights) == 1:
        return effect, spread, effect[0] / np.sqrt(spread[0, 0])
    return effect, spread, effect @ np.linalg.solve(spread, effect) / len(weights)


def assert_dense(fit, contrast, Y, X, covariance, voxel=3):
    effect, spread, statistic = dense(Y[:, voxel], X, covariance, contrast.weights)
    found = fit.contrasts[contrast.name]
    np.testing.assert_allclose(found.effect[:, voxel], effect, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.variance[:, voxel], np.diag(spread), rtol=1e-7)
    np.testing.assert_allclose(found.statistic[voxel], statistic, rtol=1e-7)


def test_white_noise_is_least_squares():
    Y, X = make_case()
    fit = fit_glm(Y, X, [T, F, MEAN], noise=Noise(kind="white"))
    assert_dense(fit, T, Y, X, np.eye(N))
    assert_dense(fit, MEAN, Y, X, np.eye(N))
    assert_dense(fit, F, Y, X, np.eye(N))
    assert (fit.df, fit.rank, fit.n_constant) == (N - P, P, 0)


@pytest.mark.parametrize("phi", [(0.5,), (0.5, -0.3), (0.3, 0.1, -0.2, 0.1, 0.05, 0.1)])
@pytest.mark.parametrize("each", [False, True])
def test_autoregression_is_exact_from_the_first_volume(phi, each):
    Y, X = make_case()
    values = np.tile(np.array(phi)[:, None], V)
    if each:  # every voxel its own matrix
        values += np.linspace(0, 0.01, V)
        values[:, 3] = phi
    fit = fit_glm(Y, X, [T, F, MEAN], noise=GivenNoise(kind="ar", values=values))
    covariance = scipy.linalg.toeplitz(autocovariance(phi, 0.0, N))
    assert_dense(fit, T, Y, X, covariance)
    assert_dense(fit, MEAN, Y, X, covariance)
    assert_dense(fit, F, Y, X, covariance)


@pytest.mark.parametrize(("a", "b"), [(0.8, -0.4), (0.0, 0.3), (0.5, 0.5), (0.9, -0.7)])
def test_arma_is_exact_from_the_first_volume(a, b):
    Y, X = make_case()
    values = np.tile(np.array([[a], [b]]), V)
    fit = fit_glm(Y, X, [T, F], noise=GivenNoise(kind="arma11", values=values))
    covariance = scipy.linalg.toeplitz(autocovariance((a,), b, N))
    assert_dense(fit, T, Y, X, covariance)
    assert_dense(fit, F, Y, X, covariance)


def test_a_given_whitening_matrix_is_used():
    Y, X = make_case()
    covariance = scipy.linalg.toeplitz(0.6 ** np.arange(N))
    matrix = np.linalg.inv(np.linalg.cholesky(covariance))
    fit = fit_glm(Y, X, [T, F], noise=GivenNoise(kind="whitening", values=matrix))
    assert_dense(fit, T, Y, X, covariance)
    assert_dense(fit, F, Y, X, covariance)


@pytest.mark.parametrize("kind", ["ar", "arma11"])
def test_a_spike_column_leaves_a_volume_out_at_its_true_distance(kind):
    Y, X = make_case()
    out = [20, 21, 60]
    spikes = np.eye(N)[:, out]
    values = np.tile(np.array([[0.5], [-0.2]]), V)
    wide = Contrast(name="t", weights=np.append(T.weights, np.zeros((1, 3)), axis=1))
    Y[out] += 1000
    fit = fit_glm(
        Y, np.column_stack([X, spikes]), [wide], noise=GivenNoise(kind=kind, values=values)
    )
    phi, theta = ((0.5, -0.2), 0.0) if kind == "ar" else ((0.5,), -0.2)
    covariance = scipy.linalg.toeplitz(autocovariance(phi, theta, N))
    keep = np.setdiff1d(np.arange(N), out)
    assert_dense(fit, T, Y[keep], X[keep], covariance[np.ix_(keep, keep)])


@pytest.mark.parametrize(("ours", "theirs"), [("white", "ols"), ("ar", "ar1")])
def test_statistics_are_those_of_nilearn(ours, theirs):
    Y, X = make_case()
    fit = fit_glm(Y, X, [T, F], noise=Noise(kind=ours, bias_corrected=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels, results = run_glm(Y, X, theirs)
        for contrast, kind in ((T, "t"), (F, "F")):
            peer = compute_contrast(labels, results, contrast.weights, stat_type=kind)
            found = fit.contrasts[contrast.name]
            np.testing.assert_allclose(found.statistic, peer.stat(), rtol=1e-9, atol=1e-10)
            if kind == "t":
                np.testing.assert_allclose(found.variance[0], peer.variance, rtol=1e-9)
    if ours == "ar":
        np.testing.assert_allclose(fit.noise["ar1"], labels.astype(float), atol=1e-9)


@pytest.mark.parametrize(
    "noise",
    [
        Noise(kind="white"),
        Noise(),
        Noise(order=3),
        Noise(scope="brain"),
        Noise(kind="arma11"),
        Noise(kind="spm", scope="brain"),
    ],
)
def test_single_precision_with_a_large_mean_and_drift_is_safe(noise):
    rng = np.random.default_rng(2)
    Y, X = make_case()
    Y = Y + 8000 + 30 * X[:, 2:] @ rng.normal(size=(P - 2, V))
    wide = fit_glm(Y, X, [T, F], noise=noise)
    # What the loader gives: differences to the first volume, rounded after that.
    narrow = fit_glm((Y - Y[0]).astype(np.float32), X, [T, F], noise=noise)
    for name in ("t", "F"):
        a, b = (fit.contrasts[name].statistic for fit in (wide, narrow))
        difference = np.abs(a - b) / np.maximum(np.abs(a), 1)
        assert np.mean(difference < 1e-3) > 0.97  # a coefficient may round to another step
        assert np.median(difference) < 1e-4


def test_threads_and_blocks_change_nothing():
    Y, X = make_case(n_voxels=9000)
    one, two = (fit_glm(Y, X, [T, F], noise=Noise(), n_threads=k) for k in (1, 2))
    part = fit_glm(Y[:, 8000:], X, [T, F], noise=Noise())
    for name in ("t", "F"):
        np.testing.assert_array_equal(one.contrasts[name].statistic, two.contrasts[name].statistic)
        np.testing.assert_allclose(
            one.contrasts[name].statistic[8000:], part.contrasts[name].statistic, rtol=1e-9
        )


def test_a_design_of_deficient_rank_answers_what_it_can():
    Y, X = make_case()
    full = fit_glm(Y, X, [T], noise=Noise())
    double = np.column_stack([X, X[:, 3] + X[:, 4], np.zeros(N)])
    wide = Contrast(name="t", weights=np.append(T.weights, np.zeros((1, 2)), axis=1))
    fit = fit_glm(Y, double, [wide], noise=Noise())
    assert fit.df == full.df
    np.testing.assert_allclose(
        fit.contrasts["t"].statistic, full.contrasts["t"].statistic, rtol=1e-8
    )


def test_units_of_columns_do_not_matter():
    Y, X = make_case()
    scale = 10.0 ** np.array([0, -9, 3, 7, -4, 0, 2])
    fit, plain = (fit_glm(Y, x, [T], noise=Noise()) for x in (X * scale, X))
    np.testing.assert_allclose(
        fit.contrasts["t"].statistic, plain.contrasts["t"].statistic, rtol=1e-7
    )
    np.testing.assert_allclose(
        fit.contrasts["t"].effect * scale[1], plain.contrasts["t"].effect, rtol=1e-7
    )


def test_voxels_that_do_not_vary_are_nan_and_counted():
    Y, X = make_case()
    Y = Y.astype(np.float32)
    Y[:, 5] = 1234.567
    Y[:, 6] = (3 * X[:, 1]).astype(np.float32)  # nothing left but rounding
    for noise in (Noise(kind="white"), Noise(), Noise(kind="arma11"), Noise(shrink=True)):
        fit = fit_glm(Y, X, [T, F], noise=noise)
        assert fit.n_constant == 2
        for values in (
            fit.contrasts["t"].statistic,
            fit.contrasts["F"].effect[1],
            *fit.noise.values(),
        ):
            np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [5, 6])


def test_no_voxel_and_no_contrast_are_no_error():
    Y, X = make_case()
    fit = fit_glm(Y[:, :0], X, [T], noise=Noise(kind="spm", scope="brain"))
    assert fit.contrasts["t"].statistic.shape == (0,)
    assert fit_glm(Y, X, [], noise=Noise()).contrasts == {}


def test_all_that_is_wrong_is_told_at_once():
    Y, X = make_case()
    Y[3, 4] = np.nan
    Y[5, 7] = np.inf
    X[:, 6] = X[:, 5]
    names = ["constant", "drug", "b", "c", "d", "left", "right"]
    contrasts = [
        T,
        T,
        Contrast(name="side", weights=np.eye(P)[5:6]),
        Contrast(name="short", weights=np.ones((1, 3))),
        Contrast(name="twice", weights=np.eye(P)[[1, 1]]),
    ]
    with pytest.raises(FirstLevelError) as caught:
        fit_glm(
            Y,
            X,
            contrasts,
            noise=Noise(scope="group", order=40, shrink=True),
            column_names=names,
            n_threads=0,
        )
    text = str(caught.value)
    for part in (
        "2 of 40 voxels",
        "two contrasts have one name",
        "side: a contrast cannot be estimated",
        "found columns left, right",
        "short: a contrast does not fit the design",
        "twice: rows of a contrast are zero or combinations",
        "noise.order",
        "none are given",
        "noise.shrink",
        "no thread",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("spoil", "noise", "message"),
    [
        (lambda Y, X: (Y, X[:, 1:]), Noise(), "no constant"),
        (lambda Y, X: (Y[:7], X[:7]), Noise(kind="white"), "no degree of freedom"),
        (lambda Y, X: (Y[1:], X), Noise(), "differ in volumes"),
        (lambda Y, X: (Y, X * np.array([1, np.nan, 1, 1, 1, 1, 1])), Noise(), "not finite"),
        (lambda Y, X: (Y, X), Noise(kind="spm"), "one for the brain"),
        (lambda Y, X: (Y, X), GivenNoise(kind="ar", values=np.ones((1, 3))), "does not fit"),
        (lambda Y, X: (Y, X), GivenNoise(kind="ar", values=np.ones((2, V))), "not stationary"),
        (lambda Y, X: (Y, X), GivenNoise(kind="arma11", values=np.ones((2, V))), "stationary"),
    ],
)
def test_what_cannot_be_fitted_is_refused(spoil, noise, message):
    Y, X = spoil(*make_case())
    weights = np.zeros((1, X.shape[1]))
    weights[0, 1] = 1
    with pytest.raises(FirstLevelError, match=message):
        fit_glm(Y, X, [Contrast(name="t", weights=weights)], noise=noise)


def test_groups_must_cover_all_voxels():
    Y, X = make_case()
    with pytest.raises(FirstLevelError, match="every voxel needs a group"):
        fit_glm(Y, X, [T], noise=Noise(scope="group"), groups=np.zeros(3, int))
