"""Four real recordings of pulse and breathing, 612 s at 50 Hz, of resting people.

Their spectra peak at 52 to 75 beats and 17 to 19 breaths a minute.
"""

from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import read_physio
from phmri.signals import (
    find_beats,
    physiology_regressors,
    physiology_summary,
)

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "physio-ds210"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no ../shared/data/real/physio-ds210")
T_R, N = 3.0, 204


@pytest.fixture(params=["01", "02", "04", "12"])
def physio(request):
    return read_physio(FOLDER / f"sub-{request.param}_task-rest_run-01_physio.tsv.gz")


def spectral_peak(signal, low_hz, high_hz):
    power = np.abs(np.fft.rfft((signal - signal.mean()) * np.hanning(signal.size))) ** 2
    hz = np.fft.rfftfreq(signal.size, 1 / 50.0)
    band = (hz > low_hz) & (hz < high_hz)
    width = round(0.05 / hz[1])
    smooth = np.convolve(power, np.ones(width), mode="same")
    return 60.0 * hz[band][np.argmax(smooth[band])]


def test_rates_are_those_of_the_spectra(physio):
    summary = physiology_summary([physio], t_r=T_R, n_volumes=N)
    assert summary.flags == ()
    assert 52 <= summary.heart_rate_per_min <= 75
    peak = spectral_peak(physio.cardiac, 0.7, 1.6)
    assert summary.heart_rate_per_min == pytest.approx(peak, abs=3.0)
    # Of the typical breath: one recording has pauses, which lower its mean rate to 16.7.
    assert 17 <= summary.breathing_rate_per_min <= 19


def test_the_recordings_are_clean(physio):
    beats = find_beats(physio.cardiac, physio.sampling_hz)
    assert beats.quality.corrected < 0.005
    assert beats.quality.explained > 0.8
    intervals = np.diff(beats.times_s)
    assert 0.5 < intervals.min() < intervals.max() < 1.5


def test_regressors_have_full_rank(physio):
    made = physiology_regressors([physio], t_r=T_R, n_volumes=N)
    assert made.X.shape == (N, 20)
    unit = made.X / np.linalg.norm(made.X, axis=0)
    assert np.linalg.cond(unit) < 3
