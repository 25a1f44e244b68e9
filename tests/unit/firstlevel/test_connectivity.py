"""Correlations against closed forms, and Fisher z against its variance."""

import numpy as np
import pytest
from scipy import stats

from phmri.dataset import Confounds
from phmri.exceptions import FirstLevelError
from phmri.firstlevel import clean, edge_names, roi_to_roi, seed_to_parcel, seed_to_voxel
from phmri.protocol import Censor, Denoising
from phmri.signals import make_cleaning

N, T_R = 120, 2.0
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
NINE = (*MOTION, "white_matter", "csf", "global_signal")


def make_case(seed=0, *, strategy="6motion", **options):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal((N, 9)), axis=0)
    fd = np.where(rng.random(N) < 0.1, 1.0, 0.1)
    table = Confounds(
        names=(*NINE, "framewise_displacement"),
        values=np.column_stack([values, fd]),
        metadata={},
        path="c.tsv",
    )
    return make_cleaning(Denoising(strategy=strategy, **options), table, n_volumes=N, t_r=T_R), rng


def residuals(y, X):
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


def test_correlation_is_the_partial_correlation():
    """With one confound there is a closed form: (r_ab - r_ac r_bc) / sqrt(...)."""
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, N))
    a, b = a + c, b - 0.5 * c
    cleaning = make_cleaning(
        Denoising(strategy="none"),
        None,
        n_volumes=N,
        t_r=T_R,
        extra=c[:, None],
        extra_names=("c",),
    )
    r = np.corrcoef([a, b, c])
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    result = seed_to_parcel(cleaning, a, b[:, None], ["b"])
    assert np.tanh(result.values[0]) == pytest.approx(expected, abs=1e-12)
    assert result.df == N - 2
    assert result.variance == pytest.approx(1 / (N - 2 - 2))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"highpass_hz": 0.01, "censor": Censor(fd_mm=0.5)},
        {"highpass_hz": 0.01, "lowpass_hz": 0.1},
        {"highpass_hz": 0.01, "lowpass_hz": 0.1, "filter": "butterworth"},
    ],
)
def test_voxels_parcels_and_regions_agree(options):
    cleaning, rng = make_case(1, **options)
    series = np.cumsum(rng.standard_normal((N, 5)), axis=0)
    cleaned = clean(cleaning, series)
    length = np.linalg.norm(cleaned, axis=0)
    z = np.arctanh(np.clip(cleaned.T @ cleaned / np.outer(length, length), -1 + 1e-7, 1 - 1e-7))
    voxels = seed_to_voxel(cleaning, series[:, :2], series.astype(np.float32))
    np.testing.assert_allclose([one.values[2:] for one in voxels], z[:2, 2:], atol=1e-5)
    parcels = seed_to_parcel(cleaning, series[:, 0], series[:, 1:], list("bcde"))
    np.testing.assert_allclose(parcels.values, z[0, 1:], atol=1e-10)
    edges = roi_to_roi(cleaning, series, list("abcde"), "edges")
    np.testing.assert_allclose(edges.values, z[np.triu_indices(5, 1)], atol=1e-10)
    assert edges.names == edge_names(list("abcde"))
    assert edges.names[:5] == ("a~b", "a~c", "a~d", "a~e", "b~c")
    nodes = roi_to_roi(cleaning, series, list("abcde"), "nodes")
    np.testing.assert_allclose(
        nodes.values, [np.delete(z[i], i).mean() for i in range(5)], atol=1e-10
    )
    whole = roi_to_roi(cleaning, series, list("abcde"), "global")
    assert whole.names == ("mean",)
    assert whole.values[0] == pytest.approx(edges.values.mean())


def test_cleaned_series_are_least_squares_residuals():
    cleaning, rng = make_case(2)
    y = rng.standard_normal((N, 3))
    table = np.cumsum(np.random.default_rng(2).standard_normal((N, 9)), axis=0)[:, :6]
    np.testing.assert_allclose(
        clean(cleaning, y), residuals(y, np.column_stack([np.ones(N), table])), atol=1e-9
    )


def test_float32_voxels_cost_less_than_1e_5_of_r():
    """Great drifts that the cleaning takes out are the hard case for float32."""
    cleaning, rng = make_case(3, highpass_hz=0.01)
    drift = np.linspace(0, 300, N)[:, None] * rng.standard_normal(500)
    exact = rng.standard_normal((N, 500)) * 5 + drift
    exact -= exact[0]
    seed = rng.standard_normal((N, 1)) + exact[:, :1]
    (single,) = seed_to_voxel(cleaning, seed, exact.astype(np.float32))
    (double,) = seed_to_voxel(cleaning, seed, exact)
    assert np.abs(np.tanh(single.values) - np.tanh(double.values)).max() < 1e-5


def test_fisher_z_has_its_variance_after_all_cleaning():
    """White noise through 36 confounds, high-pass and censoring: Var z = 1 / (df - 2).

    20 000 independent z; the interval is 4 standard errors of a variance wide.
    """
    cleaning, rng = make_case(4, strategy="36p", highpass_hz=0.01, censor=Censor(fd_mm=0.5))
    assert cleaning.n_censored > 5
    values = []
    for _ in range(20):
        seeds, voxels = rng.standard_normal((N, 1)), rng.standard_normal((N, 1000))
        values.append(seed_to_voxel(cleaning, seeds, voxels)[0].values)
    z = np.concatenate(values)
    expected = 1 / (cleaning.df - 2)
    assert abs(z.mean()) < 4 * np.sqrt(expected / z.size) * 3  # seeds are shared by 1000 voxels
    assert abs(z.var() / expected - 1) < 4 * np.sqrt(2 / z.size)


def test_p_values_of_z_are_uniform_for_white_noise():
    cleaning, rng = make_case(5, highpass_hz=0.01, lowpass_hz=0.15)
    seeds, voxels = rng.standard_normal((N, 1)), rng.standard_normal((N, 4000))
    (result,) = seed_to_voxel(cleaning, seeds, voxels)
    p = 2 * stats.norm.sf(np.abs(result.values) / np.sqrt(result.variance))
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_perfect_correlation_is_finite():
    cleaning, rng = make_case(6)
    seed = rng.standard_normal((N, 1))
    (result,) = seed_to_voxel(cleaning, seed, np.hstack([seed, -2 * seed]))
    np.testing.assert_allclose(np.abs(result.values), np.arctanh(1 - 1e-7), rtol=1e-6)
    assert result.values[0] == -result.values[1]


def test_voxels_without_variance_are_nan_and_counted():
    cleaning, rng = make_case(7)
    voxels = rng.standard_normal((N, 6)).astype(np.float32)
    voxels[:, 2] = 0.0
    voxels[:, 4] = 17.0
    (result,) = seed_to_voxel(cleaning, rng.standard_normal((N, 1)), voxels)
    assert np.flatnonzero(np.isnan(result.values)).tolist() == [2, 4]
    assert result.n_undefined == 2


def test_voxel_that_the_confounds_explain_whole_is_nan():
    rng = np.random.default_rng(8)
    c = rng.standard_normal((N, 1))
    cleaning = make_cleaning(
        Denoising(strategy="none"), None, n_volumes=N, t_r=T_R, extra=c, extra_names=("c",)
    )
    voxels = np.hstack([rng.standard_normal((N, 1)), 3 * c]).astype(np.float32)
    (result,) = seed_to_voxel(cleaning, rng.standard_normal((N, 1)), voxels)
    assert np.isnan(result.values).tolist() == [False, True]


def test_seeds_and_regions_without_variance_are_refused_by_name():
    cleaning, rng = make_case(9)
    series = rng.standard_normal((N, 3))
    series[:, 1] = 4.0
    with pytest.raises(FirstLevelError, match="B: a series has no variance"):
        roi_to_roi(cleaning, series, ["A", "B", "C"], "global")
    with pytest.raises(FirstLevelError, match="seed 0"):
        seed_to_voxel(cleaning, series[:, 1:2], series)


def test_numbers_that_are_none_are_refused():
    cleaning, rng = make_case(10)
    series = rng.standard_normal((N, 3))
    broken = series.copy()
    broken[cleaning.sample_mask.argmax(), 1] = np.nan
    with pytest.raises(FirstLevelError, match="not finite"):
        seed_to_voxel(cleaning, series[:, :1], broken)
    with pytest.raises(FirstLevelError, match="not finite"):
        seed_to_parcel(cleaning, series[:, 0], broken, ["a", "b", "c"])


def test_lengths_and_names_must_fit():
    cleaning, rng = make_case(11)
    series = rng.standard_normal((N, 3))
    with pytest.raises(FirstLevelError, match="different length"):
        seed_to_voxel(cleaning, series[1:, :1], series[1:])
    with pytest.raises(FirstLevelError, match="name of its own"):
        roi_to_roi(cleaning, series, ["a", "a", "b"], "edges")
    with pytest.raises(FirstLevelError, match="at least two"):
        roi_to_roi(cleaning, series[:, :1], ["a"], "edges")


def test_blocks_do_not_show():
    cleaning, rng = make_case(12, censor=Censor(fd_mm=0.5))
    voxels = rng.standard_normal((N, 9000)).astype(np.float32)
    seed = rng.standard_normal((N, 1))
    (whole,) = seed_to_voxel(cleaning, seed, voxels)
    (part,) = seed_to_voxel(cleaning, seed, voxels[:, 4090:4100])
    np.testing.assert_allclose(whole.values[4090:4100], part.values, rtol=1e-12)
