r"""Task regressors by the canonical haemodynamic response of SPM.

Time runs in bins of :math:`\delta = TR/16`. The response is the difference of two gamma
densities at the bins :math:`0, 1, 2, \dots` up to 32 s,

.. math:: h(t) = g(t; 6, 1) - g(t; 16, 1)/6, \qquad
          g(t; a, 1) = t^{a-1} e^{-t} / \Gamma(a),

scaled to sum 1. An event at :math:`o` s of :math:`d` s fills the bins from
:math:`\mathrm{round}(o/\delta)` on, :math:`\mathrm{round}(d/\delta) + 1` of them, with height 1
(:math:`1/\delta` where all events of a condition have no duration). The convolution is sampled
in bin :math:`16 i + 7` of scan :math:`i`, near the middle of its acquisition.
"""

from collections.abc import Sequence

import numpy as np
import scipy.signal
import scipy.stats
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError, Problem

__all__ = ["canonical_response", "task_regressors"]

_BINS = 16
_REFERENCE_BIN = 7
_BEFORE_BINS = 32
_RESPONSE_S = 32.0


def canonical_response(t_r: float) -> Float[np.ndarray, " n_bins"]:
    """Give SPM's canonical response in bins of a sixteenth of a volume.

    Parameters
    ----------
    t_r : float
        Repetition time in seconds.

    Returns
    -------
    ndarray of shape (n_bins,)
        Sum 1.

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.
    """
    step = t_r / _BINS
    # The last bin is floor(32 / step); an exact multiple may come out a rounding below it.
    time = np.arange(int(np.floor(_RESPONSE_S / step * (1.0 + 1e-12))) + 1) * step
    response = scipy.stats.gamma.pdf(time, 6.0) - scipy.stats.gamma.pdf(time, 16.0) / 6.0
    return np.asarray(response / response.sum())


def task_regressors(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    *,
    conditions: Sequence[str],
    t_r: float,
    n_volumes: int,
) -> tuple[Float[np.ndarray, "n_volumes n_conditions"], tuple[str, ...]]:
    """Convolve the events of every condition with the haemodynamic response.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds; onsets count from the first volume of the file.
    trial_type : sequence of str
        Condition of every event.
    conditions : sequence of str
        Those wanted; other events are left out.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.

    Returns
    -------
    regressors : ndarray of shape (n_volumes, n_conditions)
        One column per condition.
    names : tuple of str
        ``task_<condition>``.

    Raises
    ------
    FirstLevelError
        A condition has no event, or an event has no finite time, a negative duration, or lies
        outside the run; all at once.

    References
    ----------
    Friston et al. 1998, doi:10.1006/nimg.1997.0306.

    Examples
    --------
    >>> import numpy as np
    >>> X, names = task_regressors(
    ...     np.array([10.0]), np.array([5.0]), ["go"], conditions=["go"], t_r=2.0, n_volumes=20
    ... )
    >>> names, int(X[:, 0].argmax())
    (('task_go',), 9)
    """
    kinds = np.asarray(trial_type, dtype=str)
    wanted = np.isin(kinds, list(conditions))
    length_s = n_volumes * t_r
    problems = [
        Problem(
            what="a condition has no event in this run",
            field=name,
            found="conditions " + (", ".join(sorted(set(trial_type))) or "none"),
        )
        for name in conditions
        if name not in set(trial_type)
    ]
    problems += [
        Problem(
            what=fault,
            field=f"event {i + 1} ({trial_type[i]})",
            found=f"onset {onset[i]:g} s, duration {duration[i]:g} s",
            expected=f"onset within the run of {length_s:g} s, duration of 0 s or more",
        )
        for i in np.flatnonzero(wanted).tolist()
        if (fault := _fault(float(onset[i]), float(duration[i]), length_s, t_r))
    ]
    if problems:
        raise FirstLevelError(*problems)
    response = canonical_response(t_r)
    columns = [
        _regressor(onset[kinds == name], duration[kinds == name], response, t_r, n_volumes)
        for name in conditions
    ]
    X = np.column_stack(columns) if columns else np.empty((n_volumes, 0))
    return X, tuple(f"task_{name}" for name in conditions)


def _fault(onset: float, duration: float, length_s: float, t_r: float) -> str:
    if not (np.isfinite(onset) and np.isfinite(duration)):
        return "an event has no finite onset and duration"
    if duration < 0:
        return "an event has a negative duration"
    if onset >= length_s:
        return "an event begins after the end of the scan"
    if onset < -_BEFORE_BINS / _BINS * t_r:
        return "an event begins more than two volumes before the scan"
    return ""


def _half_away(x: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Round to the nearest integer, halves away from zero."""
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + 0.5), np.int64)


def _regressor(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    response: Float[np.ndarray, " n_bins"],
    t_r: float,
    n_volumes: int,
) -> Float[np.ndarray, " n_volumes"]:
    step = t_r / _BINS
    height = 1.0 / step if not duration.any() else 1.0
    n_bins = n_volumes * _BINS + _BEFORE_BINS
    start = np.clip(_half_away(onset / step) + _BEFORE_BINS, 0, n_bins)
    stop = np.clip(start + _half_away(duration / step) + 1, 0, n_bins)
    steps = np.zeros(n_bins + 1)
    np.add.at(steps, start, height)
    np.add.at(steps, stop, -height)
    stimulus = np.cumsum(steps)[:n_bins]
    # Direct sum: a transform would leave rounding where the regressor is exactly 0.
    signal = scipy.signal.convolve(stimulus, response, method="direct")[:n_bins]
    return np.asarray(signal[_BEFORE_BINS + _REFERENCE_BIN :: _BINS])
