"""How far a recording is to be trusted: intervals, corrections, noise, gaps and clipping."""

import numpy as np
import scipy.signal
from jaxtyping import Float

from phmri.signals.physiology._records import RecordingLimits, RecordingQuality

__all__ = ["judge"]

_BINS = 40
_STUCK = 3  # equal samples at the end of the range that make a stretch


def judge(
    signal: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    *,
    start_s: float,
    found: Float[np.ndarray, " n_found"],
    used: Float[np.ndarray, " n_used"],
    n_corrected: int,
    limits: RecordingLimits,
) -> RecordingQuality:
    """Judge a recording by its peaks.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
        As recorded.
    sampling_hz, start_s : float
        Samples per second; time of the first one in seconds.
    found, used : ndarray of shape (n_found,) and (n_used,)
        Peaks in seconds before and after correction.
    n_corrected : int
        Peaks put in or taken out.
    limits : RecordingLimits
        When to flag.

    Returns
    -------
    RecordingQuality
    """
    intervals = np.diff(found)
    rates = 60.0 / intervals
    wrong = (rates < limits.slowest_per_min) | (rates > limits.fastest_per_min)
    end_s = start_s + signal.size / sampling_hz
    gap = float(np.diff(np.concatenate([[start_s], found, [end_s]])).max())
    measured = {
        "implausible": float(wrong.mean()),
        "corrected": n_corrected / found.size,
        "explained": _explained(signal, sampling_hz, start_s, used, limits),
        "longest_gap_s": gap,
        "clipped": _clipped(signal),
    }
    return RecordingQuality(**measured, flags=_flags(measured, limits))


def _flags(measured: dict[str, float], limits: RecordingLimits) -> tuple[str, ...]:
    rules = (
        ("implausible", limits.max_implausible, "of the intervals have an implausible rate"),
        ("corrected", limits.max_corrected, "of the peaks had to be corrected"),
        ("clipped", limits.max_clipped, "of the samples are clipped"),
    )
    flags = [
        f"{measured[key]:.1%} {words} (limit {limit:.1%})"
        for key, limit, words in rules
        if measured[key] > limit
    ]
    if measured["longest_gap_s"] > limits.max_gap_s:
        flags.append(
            f"{measured['longest_gap_s']:.1f} s without a peak (limit {limits.max_gap_s:g} s)"
        )
    if not measured["explained"] >= limits.min_explained:
        flags.append(
            f"the mean cycle explains {measured['explained']:.1%} of the signal "
            f"(limit {limits.min_explained:.1%})"
        )
    return tuple(flags)


def _explained(
    signal: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    start_s: float,
    peaks: Float[np.ndarray, " n_peaks"],
    limits: RecordingLimits,
) -> float:
    """Give the share of variance that the mean over cycles, by phase, explains."""
    lowest_hz = limits.slowest_per_min / 60.0
    sections = scipy.signal.butter(2, lowest_hz, btype="highpass", output="sos", fs=sampling_hz)
    padding = min(signal.size - 1, int(2.0 * sampling_hz / lowest_hz))
    values = scipy.signal.sosfiltfilt(sections, signal - np.median(signal), padlen=padding)
    times = start_s + np.arange(signal.size) / sampling_hz
    inside = (times >= peaks[0]) & (times < peaks[-1])
    values = values[inside]
    cycles = np.interp(times[inside], peaks, np.arange(peaks.size, dtype=float))
    place = np.minimum((cycles % 1.0 * _BINS).astype(np.int64), _BINS - 1)
    counts = np.maximum(np.bincount(place, minlength=_BINS), 1)
    means = np.bincount(place, values, minlength=_BINS) / counts
    total = float(((values - values.mean()) ** 2).sum())
    return 1.0 - float(((values - means[place]) ** 2).sum()) / total if total > 0 else 0.0


def _clipped(signal: Float[np.ndarray, " n_samples"]) -> float:
    extreme = (signal == signal.min()) | (signal == signal.max())
    edges = np.flatnonzero(np.diff(extreme.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    lengths = edges[:, 1] - edges[:, 0]
    return float(lengths[lengths >= _STUCK].sum() / signal.size)
