"""What holds of local measures whatever the data."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.firstlevel.local import (
    alff,
    degree_centrality,
    dual_regression,
    exposure_connectivity,
    falff,
    global_connectivity,
    reho,
)
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

N, T_R = 60, 2.0
BAND = (0.02, 0.1)
CASES = settings(max_examples=15, deadline=None)


def cleaning():
    return make_cleaning(Denoising(strategy="none"), None, n_volumes=N, t_r=T_R)


@st.composite
def series_of(draw, n_series=12):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    return rng.standard_normal((N, n_series)) + draw(st.floats(0, 2)) * rng.standard_normal((N, 1))


@CASES
@given(series_of(), st.floats(0.01, 100))
def test_amplitude_follows_the_scale(series, scale):
    plain = alff(cleaning(), series, t_r=T_R, band_hz=BAND)
    scaled = alff(cleaning(), scale * series, t_r=T_R, band_hz=BAND)
    np.testing.assert_allclose(scaled.values, scale * plain.values, rtol=1e-9)
    np.testing.assert_allclose(scaled.variance, scale**2 * plain.variance, rtol=1e-9)
    fraction = falff(cleaning(), series, t_r=T_R, band_hz=BAND)
    rescaled = falff(cleaning(), scale * series, t_r=T_R, band_hz=BAND)
    np.testing.assert_allclose(rescaled.values, fraction.values, rtol=1e-9)
    assert ((fraction.values > 0) & (fraction.values < 1)).all()


@CASES
@given(series_of(), st.permutations(range(N)))
def test_homogeneity_sees_ranks_only(series, order):
    mask = np.ones((2, 3, 2), bool)
    plain = reho(cleaning(), series, mask).values
    assert ((plain > 0) & (plain <= 1)).all()
    np.testing.assert_allclose(reho(cleaning(), np.exp(series), mask).values, plain, atol=1e-12)
    np.testing.assert_allclose(reho(cleaning(), series[order], mask).values, plain, atol=1e-12)


@CASES
@given(series_of(), st.floats(0.01, 0.9))
def test_degree_falls_with_the_threshold(series, threshold):
    low = degree_centrality(cleaning(), series, threshold=threshold)
    high = degree_centrality(cleaning(), series, threshold=threshold + 0.05)
    assert (high.values <= low.values).all()
    assert (low.extras["weighted"] >= threshold * low.values - 1e-6).all()
    assert (low.extras["weighted"] <= low.values + 1e-6).all()


@CASES
@given(series_of(), st.permutations(range(12)))
def test_global_connectivity_knows_no_order_and_scale(series, order):
    plain = global_connectivity(cleaning(), series)
    scaled = global_connectivity(cleaning(), (series * np.arange(1, 13))[:, order])
    np.testing.assert_allclose(scaled.values, plain.values[order], atol=1e-12)
    np.testing.assert_allclose(scaled.variance, plain.variance[order], rtol=1e-6)


@CASES
@given(series_of(), st.floats(0.1, 10), st.floats(-5, 5))
def test_networks_have_no_unit(series, scale, offset):
    maps = np.random.default_rng(0).standard_normal((2, 12))
    plain = dual_regression(cleaning(), series, maps, names=("a", "b"), network="b")
    other = dual_regression(
        cleaning(), series, scale * maps + offset, names=("a", "b"), network="b"
    )
    np.testing.assert_allclose(other.values, plain.values, atol=1e-8)


@CASES
@given(series_of(), st.floats(0.1, 10), st.floats(-5, 5))
def test_slope_is_per_unit_of_exposure(series, scale, offset):
    exposure = np.linspace(0, 1, N) ** 2

    def measure(exposure):
        return exposure_connectivity(
            cleaning(), series[:, 0], series, exposure, t_r=T_R, window_s=30.0, step_s=6.0
        )

    plain, other = measure(exposure), measure(scale * exposure + offset)
    np.testing.assert_allclose(other.values * scale, plain.values, atol=1e-8)
    np.testing.assert_allclose(other.variance * scale**2, plain.variance, rtol=1e-6, atol=1e-12)
