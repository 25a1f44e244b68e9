"""ALFF and fALFF: closed forms, independence of length and gaps, and their sampling variance."""

import numpy as np
import pytest
from scipy.signal import lfilter

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.local import alff, falff

T_R = 2.0
BAND = (0.01, 0.08)


def coloured(n, n_series, phi, seed=1):
    noise = np.random.default_rng(seed).standard_normal((n + 100, n_series))
    return lfilter([1.0], [1.0, -phi], noise, axis=0)[100:]


def test_density_of_a_sinusoid(clean_of):
    """One sinusoid of amplitude A in a bin has power A^2 n / 2 there and none elsewhere."""
    n, amplitude = 200, 3.0
    time = np.arange(n) * T_R
    series = amplitude * np.sin(2 * np.pi * 0.05 * time + 0.3)[:, None] + 700.0
    result = alff(clean_of(n), series, t_r=T_R, band_hz=(0.0475, 0.0525))
    assert result.facts["n_bins"] == 3  # 0.0475, 0.05, 0.0525
    expected = np.sqrt(T_R) * amplitude * np.sqrt(n / 2) / 3
    np.testing.assert_allclose(result.values, expected, rtol=1e-9)
    assert falff(clean_of(n), series, t_r=T_R, band_hz=BAND).values[0] == pytest.approx(1.0)


def test_equals_the_fourier_transform_without_censoring(clean_of):
    n = 151
    series = coloured(n, 5, 0.4)
    result = alff(clean_of(n), series, t_r=T_R, band_hz=BAND)
    frequency = np.fft.rfftfreq(n, T_R)
    inside = (frequency >= BAND[0]) & (frequency <= BAND[1])
    centred = series - series.mean(axis=0)
    density = np.sqrt(2 * T_R / n) * np.abs(np.fft.rfft(centred, axis=0)[inside])
    np.testing.assert_allclose(result.values, density.mean(axis=0), rtol=1e-9)


def test_density_does_not_grow_with_length_or_gaps(clean_of):
    """White noise of SD s has amplitude density s sqrt(2 TR) sqrt(pi) / 2 in expectation."""
    expected = 4.0 * np.sqrt(2 * T_R) * np.sqrt(np.pi) / 2
    for n, censored in ((100, ()), (300, ()), (300, range(3, 300, 7))):
        series = 4.0 * coloured(n, 1500, 0.0)
        result = alff(clean_of(n, censored=censored), series, t_r=T_R, band_hz=BAND)
        assert result.values.mean() == pytest.approx(expected, rel=0.02)
        assert result.facts["spectrum"] == ("Lomb-Scargle" if len(censored) else "Fourier")


def test_leading_volumes_do_not_count(clean_of):
    series = coloured(120, 3, 0.3)
    late = alff(clean_of(120, n_leading=20), series, t_r=T_R, band_hz=BAND)
    short = alff(clean_of(100), series[20:], t_r=T_R, band_hz=BAND)
    np.testing.assert_allclose(late.values, short.values, rtol=1e-10)


@pytest.mark.parametrize("phi", [0.0, 0.5])
@pytest.mark.parametrize("setting", [{}, {"n_confounds": 24, "censored": range(5, 240, 12)}])
def test_variance(clean_of, phi, setting):
    """The variance over series of one spectrum is the mean of those written beside them."""
    series = coloured(240, 3000, phi)
    for measure in (alff, falff):
        result = measure(clean_of(240, **setting), series, t_r=T_R, band_hz=BAND)
        ratio = result.variance.mean() / result.values.var()
        assert 0.8 < ratio < 1.15, (measure.__name__, ratio)


def test_percent_of_the_mean(clean_of):
    series = coloured(120, 3, 0.3) + 500.0
    mean = np.array([500.0, 0.0, 250.0])
    plain = alff(clean_of(120), series, t_r=T_R, band_hz=BAND)
    percent = alff(clean_of(120), series, t_r=T_R, band_hz=BAND, mean=mean)
    np.testing.assert_allclose(percent.values[[0, 2]], plain.values[[0, 2]] * [0.2, 0.4])
    np.testing.assert_allclose(percent.variance[2], plain.variance[2] * 0.16)
    assert np.isnan(percent.values[1])
    assert percent.n_undefined == 1
    assert percent.unit == "% signal change / sqrt(Hz)"


def test_flat_voxels_are_undefined(clean_of):
    series = coloured(120, 4, 0.3)
    series[:, 2] = 17.0
    for measure in (alff, falff):
        result = measure(clean_of(120), series, t_r=T_R, band_hz=BAND)
        assert np.flatnonzero(np.isnan(result.values)).tolist() == [2]
        assert np.isnan(result.variance[2])
        z = result.extras["zscored"]
        assert np.nanmean(z) == pytest.approx(0.0, abs=1e-12)
        assert np.nanstd(z) == pytest.approx(1.0)


def test_what_a_filter_removes_is_refused(clean_of):
    series = coloured(200, 2, 0.0)
    with pytest.raises(FirstLevelError, match="removes frequencies of the band"):
        alff(clean_of(200, highpass_hz=0.03), series, t_r=T_R, band_hz=BAND)
    band_pass = clean_of(200, highpass_hz=0.008, lowpass_hz=0.1)
    assert alff(band_pass, series, t_r=T_R, band_hz=BAND).values.shape == (2,)
    with pytest.raises(FirstLevelError, match="the cleaning is a low-pass"):
        falff(band_pass, series, t_r=T_R, band_hz=BAND)
    with pytest.raises(FirstLevelError, match="expected projection"):
        alff(clean_of(200, lowpass_hz=0.1, filter="butterworth"), series, t_r=T_R, band_hz=BAND)


def test_high_pass_leaves_the_band(clean_of):
    series = coloured(200, 3, 0.3)
    plain = alff(clean_of(200), series, t_r=T_R, band_hz=(0.02, 0.08))
    filtered = alff(clean_of(200, highpass_hz=0.01), series, t_r=T_R, band_hz=(0.02, 0.08))
    np.testing.assert_allclose(filtered.values, plain.values, rtol=0.05)
    assert 0.97 < filtered.facts["power_kept_in_band"] < 1.0


@pytest.mark.parametrize(
    ("t_r", "band", "message"),
    [
        (0.0, BAND, "no repetition time"),
        (T_R, (0.08, 0.01), "the band does not fit"),
        (T_R, (0.01, 0.3), "0.25 Hz"),
        (T_R, (0.0101, 0.0102), "fewer than two bins"),
    ],
)
def test_bands_that_do_not_fit(clean_of, t_r, band, message):
    with pytest.raises(FirstLevelError, match=message):
        alff(clean_of(100), coloured(100, 2, 0.0), t_r=t_r, band_hz=band)


def test_afni_band_below_the_first_bin_is_refused(clean_of):
    with pytest.raises(FirstLevelError, match="fewer than two bins"):
        alff(
            clean_of(50),
            coloured(50, 2, 0.0),
            t_r=T_R,
            band_hz=(0.001, 0.1),
            definition="afni",
        )


def test_means_that_do_not_fit(clean_of):
    with pytest.raises(FirstLevelError, match="voxel means do not fit"):
        alff(clean_of(100), coloured(100, 2, 0.0), t_r=T_R, band_hz=BAND, mean=np.ones(3))
