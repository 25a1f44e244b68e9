"""Random field theory against fields that are what it takes them for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import fft, ndimage, stats

from phmri.inference.random_field._euler import StatisticField, expected_euler
from phmri.inference.random_field._extent import cluster_pvalue
from phmri.inference.random_field._height import height_threshold, peak_pvalue
from phmri.inference.random_field._smoothness import count_resels, estimate_smoothness

PER_SIGMA = np.sqrt(8 * np.log(2))


def gaussian_fields(n_fields, shape, fwhm, seed):
    """Make stationary unit fields on a torus, smoothed in the frequency domain."""
    rng = np.random.default_rng(seed)
    squared = sum(
        (np.square(f * w / PER_SIGMA))
        for f, w in zip(
            np.meshgrid(*[2 * np.pi * fft.fftfreq(n) for n in shape], indexing="ij"),
            fwhm,
            strict=True,
        )
    )
    kernel = np.exp(-squared / 2)
    kernel /= np.sqrt(np.mean(kernel**2))
    for _ in range(n_fields):
        white = fft.fftn(rng.standard_normal(shape))
        yield fft.ifftn(white * kernel).real


@pytest.mark.parametrize("fwhm", [(4.0, 5.0, 6.0), (7.0, 7.0, 3.5)])
def test_smoothness_is_recovered(fwhm):
    mask = np.ones((32, 32, 32), dtype=bool)
    rows = np.stack([field.ravel() for field in gaussian_fields(24, mask.shape, fwhm, seed=5)])
    residuals = rows - rows.mean(axis=0)
    assert_allclose(estimate_smoothness(residuals, mask).fwhm_voxels, fwhm, rtol=0.05)


def test_clusters_and_peaks_of_gaussian_fields():
    # Mean number of clusters, and share of fields with a peak above the 5 % threshold, of 300.
    fwhm, n_fields, inner = np.full(3, 8.0), 300, (slice(0, 26),) * 3
    field = StatisticField(kind="z")
    resels = count_resels(np.ones((26, 26, 26), dtype=bool), fwhm)
    threshold = 3.0
    high = height_threshold(0.05, field, resels)
    counts, peaks = [], []
    for z in gaussian_fields(n_fields, (36, 36, 36), fwhm, seed=6):
        counts.append(ndimage.label(z[inner] > threshold, structure=np.ones((3, 3, 3)))[1])
        peaks.append(z[inner].max() > high)
    expected = expected_euler(np.array([threshold]), field, resels)
    error = np.std(counts) / np.sqrt(n_fields)
    assert abs(np.mean(counts) - expected[0]) < 3.3 * error + 0.1 * expected[0]
    low, top = stats.binom.interval(0.999, n_fields, 0.05)
    assert low - 0.01 * n_fields <= sum(peaks) <= top


def test_peaks_of_null_t_maps_are_found_in_at_most_5_percent():
    # Few rows and little smoothness: conservative, so that only the upper end is tight.
    shape, n_rows, n_maps = (16, 16, 16), 14, 120
    mask = np.ones(shape, dtype=bool)
    field = StatisticField(kind="t", df=n_rows - 1.0)
    fields = gaussian_fields(n_rows * n_maps, shape, (4.0, 4.0, 4.0), seed=7)
    found = 0
    for _ in range(n_maps):
        rows = np.stack([next(fields).ravel() for _ in range(n_rows)])
        mean = rows.mean(axis=0)
        t = mean / (rows.std(axis=0, ddof=1) / np.sqrt(n_rows))
        smoothness = estimate_smoothness(rows - mean, mask)
        p = peak_pvalue(t.max(keepdims=True), field, smoothness.resels, smoothness.n_voxels)
        found += bool(p[0] <= 0.05)
    assert found <= stats.binom.ppf(0.999, n_maps, 0.05)


FIELDS = st.one_of(
    st.just(StatisticField(kind="z")),
    st.builds(StatisticField, kind=st.just("t"), df=st.floats(4, 300), two_sided=st.booleans()),
)
REGIONS = st.tuples(st.integers(2, 40), st.floats(1.5, 12))


def resels_of(region):
    side, fwhm = region
    return count_resels(np.ones((side, side, side), dtype=bool), np.full(3, fwhm))


@settings(max_examples=60, deadline=None)
@given(FIELDS, REGIONS, st.integers(1, 200_000))
def test_higher_is_less_probable(field, region, n_voxels):
    resels = resels_of(region)
    heights = np.linspace(2.5, 40, 60)
    p = peak_pvalue(heights, field, resels, n_voxels)
    assert ((p > 0) & (p <= 1)).all()
    assert (np.diff(p) <= 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(FIELDS, REGIONS, st.floats(2.5, 5))
def test_larger_is_less_probable_and_a_family_never_more_so(field, region, threshold):
    resels = resels_of(region)
    extents = np.linspace(0, 20, 50)
    fwe, uncorrected = cluster_pvalue(extents, threshold, field, resels)
    assert ((uncorrected > 0) & (uncorrected <= 1)).all()
    assert (np.diff(uncorrected) <= 0).all()
    assert (np.diff(fwe) <= 0).all()
    assert ((fwe > 0) & (fwe <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(FIELDS, REGIONS, st.floats(1e-4, 0.2), st.floats(1.1, 5))
def test_stricter_is_higher(field, region, alpha, factor):
    resels = resels_of(region)
    assert height_threshold(alpha / factor, field, resels) > height_threshold(alpha, field, resels)
