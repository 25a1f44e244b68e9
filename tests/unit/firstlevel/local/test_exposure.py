"""Connectivity that follows exposure: definition, planted change, and size under the null."""

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.local import exposure_connectivity

N, T_R = 240, 2.0
EXPOSURE = np.exp(1.0) * np.linspace(0, 4, N) * np.exp(-np.linspace(0, 4, N))
TIMES = {"t_r": T_R, "window_s": 60.0, "step_s": 10.0}


def noise(n_series, phi=0.0, seed=0):
    white = np.random.default_rng(seed).standard_normal((N + 50, n_series))
    return lfilter([1.0], [1.0, -phi], white, axis=0)[50:]


def test_against_windows_one_by_one(clean_of):
    series = noise(4)
    cleaning = clean_of(N, n_confounds=3, censored=(20, 21, 90), n_leading=5)
    result = exposure_connectivity(cleaning, series[:, 0], series, EXPOSURE, **TIMES)
    kept = np.flatnonzero(cleaning.sample_mask)
    cleaned = series[kept] - cleaning.basis @ (cleaning.basis.T @ series[kept])
    z, mean = [], []
    for start in range(5, N - 30 + 1, 5):
        rows = (kept >= start) & (kept < start + 30)
        z.append(np.arctanh(np.corrcoef(cleaned[rows].T)[0, 1:]))
        mean.append(EXPOSURE[kept[rows]].mean())
    slope, intercept = np.polyfit(mean, z, 1)
    np.testing.assert_allclose(result.values[1:], slope, rtol=1e-8)
    np.testing.assert_allclose(result.extras["baseline"][1:], intercept, rtol=1e-8)
    assert result.facts["n_windows"] == len(z)


@pytest.mark.parametrize(
    ("phi", "step_s", "setting"),
    [
        (0.0, 60.0, {}),
        (0.0, 10.0, {}),
        (0.5, 2.0, {}),
        (0.8, 10.0, {}),
        (0.3, 10.0, {"n_confounds": 24, "censored": tuple(range(4, N, 9))}),
    ],
)
def test_size_under_the_null(clean_of, phi, step_s, setting):
    """Of unrelated series, t beyond its 5 % point in about 5 % of voxels, never in many more."""
    beyond = []
    for seed in range(40):
        series = noise(60, phi, seed)
        result = exposure_connectivity(
            clean_of(N, **setting),
            series[:, 0],
            series[:, 1:],
            EXPOSURE,
            t_r=T_R,
            window_s=60.0,
            step_s=step_s,
        )
        t = np.abs(result.values) / np.sqrt(result.variance)
        beyond.append((t > stats.t.ppf(0.975, result.df)).mean())
    assert 0.02 < np.mean(beyond) < 0.07


def test_finds_a_planted_change(clean_of):
    """Correlation that rises with exposure from 0.2 to 0.7: z rises by 0.66 per unit."""
    planted = np.arctanh(0.7) - np.arctanh(0.2)
    r = np.tanh(np.arctanh(0.2) + planted * EXPOSURE)[:, None]
    values, variance = [], []
    for seed in range(300):
        series = noise(3, seed=seed)
        voxels = r * series[:, :1] + np.sqrt(1 - r**2) * series[:, 1:]
        result = exposure_connectivity(clean_of(N), series[:, 0], voxels, EXPOSURE, **TIMES)
        values.append(result.values)
        variance.append(result.variance)
    assert np.mean(values) == pytest.approx(planted, rel=0.1)
    assert np.mean(variance) == pytest.approx(np.var(values), rel=0.2)


def test_flat_voxels_are_undefined(clean_of):
    series = noise(3)
    series[:, 1] = 2.0
    series[40:140, 2] = 1.0  # still inside some windows
    result = exposure_connectivity(clean_of(N), series[:, 0], series, EXPOSURE, **TIMES)
    assert np.isnan(result.values).tolist() == [False, True, True]
    assert result.n_undefined == 2
    assert result.facts["highest_exposure"] <= 1.0


def test_windows_with_few_volumes_are_left_out(clean_of):
    series = noise(2)
    cleaning = clean_of(N, censored=tuple(range(100, 120)))
    result = exposure_connectivity(
        cleaning, series[:, 0], series, EXPOSURE, t_r=T_R, window_s=60.0, step_s=60.0
    )
    assert result.facts["n_windows_left_out"] == 1
    assert result.facts["n_windows"] == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_s": 481.0}, "the window does not fit the run"),
        ({"window_s": 10.0}, "the window does not fit the run"),
        ({"window_s": 400.0, "step_s": 100.0}, "too few windows"),
        ({"step_s": 0.0}, "lengths of time"),
        ({"exposure": np.zeros(N)}, "the same in all windows"),
        ({"exposure": np.full(N, np.nan)}, "exposure does not fit"),
        ({"exposure": EXPOSURE[1:]}, "exposure does not fit"),
        ({"seed": np.ones(N)}, "the seed has no variance"),
        ({"seed": np.where(np.arange(N) < 100, 3.0, noise(1)[:, 0])}, "the seed has no variance"),
    ],
)
def test_misuse_is_refused(clean_of, change, message):
    series = noise(2)
    arguments = {"seed": series[:, 0], "exposure": EXPOSURE, **TIMES} | change
    seed, exposure = arguments.pop("seed"), arguments.pop("exposure")
    with pytest.raises(FirstLevelError, match=message):
        exposure_connectivity(clean_of(N), seed, series, exposure, **arguments)
