r"""Slow changes of pulse and breathing, and what the BOLD signal makes of them.

.. math::
    \mathrm{RVT}(t) &= \frac{P(t) - T(t)}{\Delta(t)}, \qquad
    \mathrm{HR}(t) = 60 \big/ \overline{\Delta}_{|t' - t| \le 3\,\mathrm{s}}, \\
    \mathrm{RRF}(t) &= 0.6\, t^{2.1} e^{-t/1.6} - 0.0023\, t^{3.54} e^{-t/4.25}, \\
    \mathrm{CRF}(t) &= 0.6\, t^{2.7} e^{-t/1.6}
        - \frac{16}{\sqrt{2\pi \cdot 9}}\, e^{-(t - 12)^2 / 18},

with *P* and *T* the highest and lowest points of breathing and :math:`\Delta` intervals between
peaks, each interpolated linearly; *t* in seconds.
"""

from collections.abc import Callable

import numpy as np
import scipy.signal
from jaxtyping import Float

from phmri.exceptions import Problem, SignalsError
from phmri.signals.physiology._records import Breaths

__all__ = [
    "cardiac_response",
    "convolve_response",
    "heart_rate",
    "respiration_response",
    "respiratory_volume_per_time",
]

_RESPONSE_S = 60.0
_STEP_S = 0.25
_UNDERSHOOT_S, _UNDERSHOOT_VARIANCE_S2 = 12.0, 9.0


def heart_rate(
    times_s: Float[np.ndarray, " n_times"],
    beats_s: Float[np.ndarray, " n_beats"],
    *,
    window_s: float = 6.0,
) -> Float[np.ndarray, " n_times"]:
    """Give the heart rate from the mean interval in a window.

    Parameters
    ----------
    times_s : ndarray of shape (n_times,)
        Middle of the window, seconds.
    beats_s : ndarray of shape (n_beats,)
        Seconds, ascending.
    window_s : float
        Length of the window; only intervals that lie in it whole are used, and where there is
        none, the interval nearest to its middle.

    Returns
    -------
    ndarray of shape (n_times,)
        Beats per minute.

    Raises
    ------
    SignalsError
        Fewer than two beats, or a window that is not positive.

    References
    ----------
    Chang et al. 2009, doi:10.1016/j.neuroimage.2008.09.029.
    """
    if beats_s.size < 2 or not window_s > 0:  # noqa: PLR2004 - two beats are one interval
        raise SignalsError(
            Problem(
                what="no heart rate can be computed",
                found=f"{beats_s.size} beats, a window of {window_s:g} s",
                expected="two beats and a positive window",
            )
        )
    low = np.searchsorted(beats_s, times_s - window_s / 2.0, side="left")
    high = np.searchsorted(beats_s, times_s + window_s / 2.0, side="right") - 1
    nearest = np.clip(np.searchsorted(beats_s, times_s, side="right") - 1, 0, beats_s.size - 2)
    alone = high - low < 1
    low, high = np.where(alone, nearest, low), np.where(alone, nearest + 1, high)
    return np.asarray(60.0 * (high - low) / (beats_s[high] - beats_s[low]))


def respiratory_volume_per_time(
    times_s: Float[np.ndarray, " n_times"], breaths: Breaths
) -> Float[np.ndarray, " n_times"]:
    """Give the depth of breathing over its period.

    Parameters
    ----------
    times_s : ndarray of shape (n_times,)
        Seconds.
    breaths : Breaths
        From `phmri.signals.find_breaths`.

    Returns
    -------
    ndarray of shape (n_times,)
        The device's units per second; beyond the first and last breath the nearest value.

    References
    ----------
    Birn et al. 2006, doi:10.1016/j.neuroimage.2006.02.048.
    """
    middle = 0.5 * (breaths.times_s[1:] + breaths.times_s[:-1])
    period = np.interp(times_s, middle, np.diff(breaths.times_s))
    highest = np.interp(times_s, breaths.times_s, breaths.heights)
    lowest = np.interp(times_s, breaths.trough_times_s, breaths.trough_heights)
    return np.asarray((highest - lowest) / period)


def respiration_response(seconds: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Give the BOLD response to a change in breathing.

    Parameters
    ----------
    seconds : ndarray of shape (n,)
        After the change; 0 is returned before it.

    Returns
    -------
    ndarray of shape (n,)
        As published, not normalised.

    References
    ----------
    Birn et al. 2008, doi:10.1016/j.neuroimage.2007.11.059.
    """
    t = np.maximum(seconds, 0.0)
    return np.asarray(0.6 * t**2.1 * np.exp(-t / 1.6) - 0.0023 * t**3.54 * np.exp(-t / 4.25))


def cardiac_response(seconds: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Give the BOLD response to a change in heart rate.

    Parameters
    ----------
    seconds : ndarray of shape (n,)
        After the change; 0 is returned before it.

    Returns
    -------
    ndarray of shape (n,)
        As published, not normalised.

    References
    ----------
    Chang et al. 2009, doi:10.1016/j.neuroimage.2008.09.029.
    """
    t = np.maximum(seconds, 0.0)
    undershoot = np.exp(-((t - _UNDERSHOOT_S) ** 2) / (2.0 * _UNDERSHOOT_VARIANCE_S2))
    height = 16.0 / np.sqrt(2.0 * np.pi * _UNDERSHOOT_VARIANCE_S2)
    response = 0.6 * t**2.7 * np.exp(-t / 1.6) - height * undershoot
    return np.asarray(np.where(seconds >= 0.0, response, 0.0))


def convolve_response(
    times_s: Float[np.ndarray, " n_times"],
    rate: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    response: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    *,
    start_s: float,
) -> Float[np.ndarray, " n_times"]:
    r"""Convolve a rate with its response and sample the result.

    Parameters
    ----------
    times_s : ndarray of shape (n_times,)
        Where the result is wanted, in seconds, ascending.
    rate : callable
        Rate at given times in seconds.
    response : callable
        Response at given seconds after a change.
    start_s : float
        Start of the recording.

    Returns
    -------
    ndarray of shape (n_times,)
        :math:`\int_0^{60} h(u)\,(r(t - u) - \bar r)\,du` in steps of 0.25 s.

    Notes
    -----
    Before the recording the rate is taken to be its mean. A recording that starts a minute before
    the scan needs no such guess.
    """
    first = min(start_s, float(times_s[0]))
    grid = np.arange(first, float(times_s[-1]) + 2.0 * _STEP_S, _STEP_S)
    values = rate(grid)
    kernel = response(np.arange(0.0, _RESPONSE_S, _STEP_S))
    convolved = _STEP_S * scipy.signal.fftconvolve(values - values.mean(), kernel)[: grid.size]
    return np.asarray(np.interp(times_s, grid, convolved))
