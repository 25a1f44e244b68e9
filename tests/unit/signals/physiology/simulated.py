"""Simulated recordings with known beats and breaths."""

import numpy as np

from phmri.dataset import Physio

HZ, LENGTH_S = 50.0, 240.0


def beat_times(seed=0, *, length_s=LENGTH_S, start_s=0.0):
    """Beats at about 66 a minute that vary with breathing and at random."""
    rng = np.random.default_rng(seed)
    times = [start_s + 0.4]
    while times[-1] < start_s + length_s - 1.2:
        slow = 0.06 * np.sin(2 * np.pi * 0.3 * times[-1]) + 0.04 * np.sin(0.05 * times[-1])
        times.append(times[-1] + 0.91 + slow + 0.02 * rng.standard_normal())
    return np.array(times)


def pulse_wave(beats, *, hz=HZ, length_s=LENGTH_S, start_s=0.0, noise=0.0, drift=2.0):
    """A steep systolic wave and a dicrotic one on a drifting baseline."""
    times = start_s + np.arange(round(length_s * hz)) / hz
    wave = np.zeros(times.size)
    for beat in beats:
        wave += np.exp(-0.5 * ((times - beat) / 0.09) ** 2)
        wave += 0.35 * np.exp(-0.5 * ((times - beat - 0.32) / 0.1) ** 2)
    baseline = drift * (np.sin(0.12 * times) + 0.1 * np.sin(2 * np.pi * 0.3 * times))
    rng = np.random.default_rng(1)
    return 100.0 * (wave + baseline + noise * rng.standard_normal(times.size)) + 2000.0


def breathing_wave(*, hz=HZ, length_s=LENGTH_S, start_s=0.0, rate_hz=0.3, noise=0.0, seed=2):
    """Breaths whose period and depth change slowly; gives the tops' times too."""
    times = start_s + np.arange(round(length_s * hz)) / hz
    phase = 2 * np.pi * rate_hz * times + 1.5 * np.sin(2 * np.pi * 0.01 * times)
    depth = 1.0 + 0.3 * np.sin(2 * np.pi * 0.017 * times)
    rng = np.random.default_rng(seed)
    wave = depth * np.cos(phase) + noise * rng.standard_normal(times.size)
    fine = np.arange(start_s, start_s + length_s, 1e-3)
    cycles = (2 * np.pi * rate_hz * fine + 1.5 * np.sin(2 * np.pi * 0.01 * fine)) / (2 * np.pi)
    tops = fine[1:][np.diff(np.floor(cycles)) > 0]
    return 500.0 * wave - 1000.0, tops


def recording(*, start_s=0.0, length_s=LENGTH_S, cardiac=True, respiratory=True):
    pulse = pulse_wave(
        beat_times(length_s=length_s, start_s=start_s), length_s=length_s, start_s=start_s
    )
    breathing, _ = breathing_wave(length_s=length_s, start_s=start_s)
    return Physio(
        times_s=start_s + np.arange(pulse.size) / HZ,
        cardiac=pulse if cardiac else None,
        respiratory=breathing if respiratory else None,
        trigger=None,
        sampling_hz=HZ,
        start_s=start_s,
        path="simulated_physio.tsv.gz",
    )
