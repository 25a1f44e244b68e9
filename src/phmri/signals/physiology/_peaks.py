r"""Beats and breaths in a recording.

*Pulse.* With :math:`y` the recording between 0.5 and 8 Hz and :math:`z = \max(y, 0)^2`, a beat is
the maximum of :math:`y` in each stretch where the mean of :math:`z` over 111 ms exceeds its mean
over 667 ms by a small offset (Elgendi 2013). The offset is 2 % of the *median* of the long mean,
so that one artefact does not hide quiet beats. Noise moves a flat maximum; so each beat is then
moved to where the median wave around all beats fits best, and a parabola through three samples
places it between samples. Beats are last corrected by their intervals (`correct_beats`).

*Breathing.* A breath is a maximum of the recording between 0.05 and 1 Hz that rises above its
surroundings by a fraction of the signal's range.
"""

from itertools import pairwise

import numpy as np
import scipy.ndimage
import scipy.signal
from jaxtyping import Bool, Float, Int

from phmri.exceptions import Problem, SignalsError
from phmri.signals.physiology._intervals import correct_beats
from phmri.signals.physiology._quality import judge
from phmri.signals.physiology._records import BREATHING, PULSE, Beats, Breaths, RecordingLimits

__all__ = ["breathing_band", "find_beats", "find_breaths"]

_PULSE_HZ = (0.5, 8.0)
_BREATHING_HZ = (0.05, 1.0)
_SLOWEST_SAMPLING_HZ = {"pulse": 20.0, "breathing": 5.0}
_SHORT_S, _LONG_S = 0.111, 0.667  # Elgendi 2013
_OFFSET = 0.02
_WAVE_S = 0.25  # each side of a beat
_RISE = 0.15  # of the range between the 5th and 95th percentile
_FEWEST = 3


def find_beats(
    cardiac: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    *,
    start_s: float = 0.0,
    limits: RecordingLimits = PULSE,
) -> Beats:
    """Find heart beats in the recording of a pulse oximeter.

    Parameters
    ----------
    cardiac : ndarray of shape (n_samples,)
        Any unit; the pulse wave points up.
    sampling_hz : float
        Samples per second, at least 20.
    start_s : float
        Time of the first sample in seconds.
    limits : RecordingLimits
        For the quality's flags; the fastest rate also sets how near two beats may be.

    Returns
    -------
    Beats
        Whatever the quality, which is for the caller to look at.

    Notes
    -----
    `SignalsError` tells that the recording is flat, not finite, sampled too slowly, or holds
    fewer than three beats. The time of a beat is that of the wave's maximum: a constant distance
    from any other mark of the same wave, which no phase, interval or rate depends on.

    References
    ----------
    Elgendi et al. 2013, doi:10.1371/journal.pone.0076585.
    """
    filtered = _filtered(cardiac, sampling_hz, _PULSE_HZ, "pulse")
    peaks = _wave_maxima(filtered, sampling_hz, nearest_s=60.0 / limits.fastest_per_min)
    _refuse_few(peaks, "pulse", filtered.size / sampling_hz)
    found = start_s + _matched(filtered, peaks, sampling_hz) / sampling_hz
    times, inserted, n_removed = correct_beats(found)
    quality = judge(
        cardiac,
        sampling_hz,
        start_s=start_s,
        found=found,
        used=times,
        n_corrected=int(inserted.sum()) + n_removed,
        limits=limits,
    )
    return Beats(times_s=times, inserted=inserted, n_removed=n_removed, quality=quality)


def find_breaths(
    respiratory: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    *,
    start_s: float = 0.0,
    limits: RecordingLimits = BREATHING,
) -> Breaths:
    """Find breaths in the recording of a belt.

    Parameters
    ----------
    respiratory : ndarray of shape (n_samples,)
        Any unit; breathing in points up.
    sampling_hz : float
        Samples per second, at least 5.
    start_s : float
        Time of the first sample in seconds.
    limits : RecordingLimits
        For the quality's flags; the fastest rate also sets how near two breaths may be.

    Returns
    -------
    Breaths
        Whatever the quality. Breaths are not corrected by their intervals: unlike a heart,
        breathing pauses.

    Notes
    -----
    `SignalsError` tells that the recording is flat, not finite, sampled too slowly, or holds
    fewer than three breaths.
    """
    filtered = breathing_band(respiratory, sampling_hz)
    low, high = np.percentile(filtered, (5.0, 95.0))
    peaks, _ = scipy.signal.find_peaks(
        filtered,
        distance=max(1.0, sampling_hz * 60.0 / limits.fastest_per_min),
        prominence=_RISE * (high - low),
    )
    _refuse_few(peaks, "breathing", filtered.size / sampling_hz)
    troughs = np.array([a + int(np.argmin(filtered[a:b])) for a, b in pairwise(peaks.tolist())])
    times = start_s + _between_samples(filtered, peaks) / sampling_hz
    quality = judge(
        respiratory,
        sampling_hz,
        start_s=start_s,
        found=times,
        used=times,
        n_corrected=0,
        limits=limits,
    )
    return Breaths(
        times_s=times,
        heights=filtered[peaks],
        trough_times_s=start_s + troughs / sampling_hz,
        trough_heights=filtered[troughs],
        quality=quality,
    )


def breathing_band(
    respiratory: Float[np.ndarray, " n_samples"], sampling_hz: float
) -> Float[np.ndarray, " n_samples"]:
    """Keep what breathing can be: 0.05 to 1 Hz, without delay.

    Parameters
    ----------
    respiratory : ndarray of shape (n_samples,)
        The recording.
    sampling_hz : float
        Samples per second.

    Returns
    -------
    ndarray of shape (n_samples,)
        In the device's units, about 0.
    """
    return _filtered(respiratory, sampling_hz, _BREATHING_HZ, "breathing")


def _filtered(
    signal: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    band_hz: tuple[float, float],
    kind: str,
) -> Float[np.ndarray, " n_samples"]:
    problems = []
    if not np.isfinite(signal).all():
        problems.append(
            Problem(
                what=f"the recording of {kind} is not finite",
                found=f"{int((~np.isfinite(signal)).sum())} of {signal.size} samples",
            )
        )
    elif signal.size == 0 or np.ptp(signal) == 0.0:
        problems.append(
            Problem(
                what=f"the recording of {kind} does not change",
                found=f"{signal[0]:g} in every sample" if signal.size else "no sample",
            )
        )
    if not sampling_hz >= _SLOWEST_SAMPLING_HZ[kind]:
        problems.append(
            Problem(
                what=f"the recording of {kind} was sampled too slowly",
                field="SamplingFrequency",
                found=f"{sampling_hz:g} Hz",
                expected=f"at least {_SLOWEST_SAMPLING_HZ[kind]:g} Hz",
            )
        )
    if problems:
        raise SignalsError(*problems)
    sections = scipy.signal.butter(2, band_hz, btype="bandpass", output="sos", fs=sampling_hz)
    # Two cycles of the slowest frequency, so that the filter's start dies away outside.
    padding = min(signal.size - 1, int(2.0 * sampling_hz / band_hz[0]))
    return np.asarray(
        scipy.signal.sosfiltfilt(sections, signal - np.median(signal), padlen=padding)
    )


def _wave_maxima(
    filtered: Float[np.ndarray, " n_samples"], sampling_hz: float, *, nearest_s: float
) -> Int[np.ndarray, " n_peaks"]:
    power = np.maximum(filtered, 0.0) ** 2
    short = scipy.ndimage.uniform_filter1d(power, max(1, round(_SHORT_S * sampling_hz)))
    long = scipy.ndimage.uniform_filter1d(power, max(1, round(_LONG_S * sampling_hz)))
    in_wave = short > long + _OFFSET * np.median(long)
    peaks: list[int] = []
    for start, stop in _stretches(in_wave):
        if stop - start < _SHORT_S * sampling_hz:
            continue
        peak = start + int(np.argmax(filtered[start:stop]))
        if peaks and peak - peaks[-1] < nearest_s * sampling_hz:
            if filtered[peak] > filtered[peaks[-1]]:
                peaks[-1] = peak
            continue
        peaks.append(peak)
    return np.array(peaks, dtype=np.int64)


def _matched(
    filtered: Float[np.ndarray, " n_samples"],
    peaks: Int[np.ndarray, " n_peaks"],
    sampling_hz: float,
) -> Float[np.ndarray, " n_peaks"]:
    """Move each beat to where the median wave fits best, in samples."""
    half, reach = round(_WAVE_S * sampling_hz), max(1, round(_SHORT_S * sampling_hz))
    inner = peaks[(peaks >= half) & (peaks < filtered.size - half)]
    if not inner.size:
        return _between_samples(filtered, peaks)
    wave = np.median(filtered[inner[:, None] + np.arange(-half, half + 1)], axis=0)
    fit = scipy.signal.fftconvolve(filtered, wave[::-1], mode="same")
    places = np.clip(peaks[:, None] + np.arange(-reach, reach + 1), 0, filtered.size - 1)
    best = places[np.arange(peaks.size), np.argmax(fit[places], axis=1)]
    return _between_samples(fit, best)


def _stretches(inside: Bool[np.ndarray, " n"]) -> Int[np.ndarray, "n_stretches 2"]:
    """List where True begins and ends."""
    return np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)


def _between_samples(
    signal: Float[np.ndarray, " n_samples"], peaks: Int[np.ndarray, " n_peaks"]
) -> Float[np.ndarray, " n_peaks"]:
    """Place each maximum by the parabola through it and its neighbours, in samples."""
    inner = np.clip(peaks, 1, signal.size - 2)
    before, at, after = signal[inner - 1], signal[inner], signal[inner + 1]
    bend = before - 2.0 * at + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros_like(bend), where=bend < 0)
    return np.asarray(peaks + np.where(inner == peaks, np.clip(shift, -0.5, 0.5), 0.0))


def _refuse_few(peaks: Int[np.ndarray, " n_peaks"], kind: str, length_s: float) -> None:
    if peaks.size < _FEWEST:
        raise SignalsError(
            Problem(
                what=f"no {kind} can be seen in the recording",
                found=f"{peaks.size} peaks in {length_s:.0f} s",
                expected=f"at least {_FEWEST}",
            )
        )
