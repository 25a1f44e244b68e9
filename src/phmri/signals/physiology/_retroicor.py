r"""RETROICOR: noise locked to the phase of pulse and breathing.

.. math::
    \phi_c(t) = 2\pi \frac{t - t_1}{t_2 - t_1}, \qquad
    \phi_r(t) = \pi\, \mathrm{sgn}(\dot R)\,
        \frac{\sum_{b \le 100\,R(t)/R_{max}} H(b)}{\sum_b H(b)},

with :math:`t_1 \le t < t_2` the beats around *t*, *R* the breathing signal from its lowest value,
and *H* its histogram in 100 bins. The regressors are sines and cosines of
:math:`m\phi_c`, :math:`m\phi_r`, and of :math:`m(\phi_c \pm \phi_r)` (interaction).
"""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem, SignalsError
from phmri.signals.physiology._peaks import breathing_band

__all__ = ["cardiac_phase", "respiratory_phase", "retroicor"]

_BINS = 100


def cardiac_phase(
    times_s: Float[np.ndarray, " n_times"], beats_s: Float[np.ndarray, " n_beats"]
) -> Float[np.ndarray, " n_times"]:
    """Give the phase of the heart's cycle.

    Parameters
    ----------
    times_s : ndarray of shape (n_times,)
        Seconds, e.g. the middle of each volume or of one slice in each.
    beats_s : ndarray of shape (n_beats,)
        Seconds, ascending.

    Returns
    -------
    ndarray of shape (n_times,)
        Radians from 0 (a beat) to below 2 pi (the next). Before the first and after the last beat
        the nearest interval goes on.

    Raises
    ------
    SignalsError
        Fewer than two beats.

    References
    ----------
    Glover et al. 2000, doi:10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E.
    """
    if beats_s.size < 2:  # noqa: PLR2004 - two beats are one interval
        raise SignalsError(
            Problem(what="no phase without two beats", found=f"{beats_s.size}", expected="2")
        )
    first = np.clip(np.searchsorted(beats_s, times_s, side="right") - 1, 0, beats_s.size - 2)
    cycle = (times_s - beats_s[first]) / (beats_s[first + 1] - beats_s[first])
    turn = cycle - np.floor(cycle)
    return np.asarray(2.0 * np.pi * np.where(turn < 1.0, turn, 0.0))


def respiratory_phase(
    times_s: Float[np.ndarray, " n_times"],
    respiratory: Float[np.ndarray, " n_samples"],
    sampling_hz: float,
    *,
    start_s: float = 0.0,
) -> Float[np.ndarray, " n_times"]:
    """Give the phase of breathing, which knows how deep a breath is.

    Parameters
    ----------
    times_s : ndarray of shape (n_times,)
        Seconds.
    respiratory : ndarray of shape (n_samples,)
        The recording of a belt; breathing in points up.
    sampling_hz, start_s : float
        Samples per second; time of the first one in seconds.

    Returns
    -------
    ndarray of shape (n_times,)
        Radians: from 0 to pi while breathing in, from -pi to 0 while breathing out.

    Notes
    -----
    Computed of the recording between 0.05 and 1 Hz, so that drift of the belt does not fill the
    histogram and noise does not turn the sign of the slope. Times outside the recording take its
    first or last sample.

    References
    ----------
    Glover et al. 2000, doi:10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E.
    """
    signal = breathing_band(respiratory, sampling_hz)
    signal = signal - signal.min()
    bins = np.rint(_BINS * signal / signal.max()).astype(np.int64)
    share = np.cumsum(np.bincount(bins, minlength=_BINS + 1)) / signal.size
    sample = np.rint((times_s - start_s) * sampling_hz).astype(np.int64)
    sample = np.clip(sample, 0, signal.size - 1)
    rising = np.gradient(signal)[sample] >= 0.0
    return np.asarray(np.pi * np.where(rising, 1.0, -1.0) * share[bins[sample]])


def retroicor(
    cardiac: Float[np.ndarray, " n_times"] | None,
    respiratory: Float[np.ndarray, " n_times"] | None,
    *,
    cardiac_order: int = 3,
    respiratory_order: int = 4,
    interaction_order: int = 1,
) -> tuple[Float[np.ndarray, "n_times k"], tuple[str, ...]]:
    """Make the regressors of pulse and breathing from their phases.

    Parameters
    ----------
    cardiac, respiratory : ndarray of shape (n_times,) or None
        Phases in radians; None where one was not recorded, and there is then no interaction.
    cardiac_order, respiratory_order, interaction_order : int
        Harmonics. Glover 2000 used 2, 2 and 0; Harvey 2008 found 3, 4 and 1 best.

    Returns
    -------
    X : ndarray of shape (n_times, k)
        ``2 cardiac_order + 2 respiratory_order + 4 interaction_order`` columns.
    names : tuple of str
        For example ``cardiac_cos1``, ``respiratory_sin4``, ``cardiac_plus_respiratory_cos1``.

    Raises
    ------
    SignalsError
        An order is negative.

    References
    ----------
    Glover et al. 2000, doi:10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E.
    Harvey et al. 2008, doi:10.1002/jmri.21623 (orders and interaction).

    Examples
    --------
    >>> phase = np.linspace(0.0, 6.0, 20)
    >>> retroicor(phase, None, cardiac_order=1)[1]
    ('cardiac_cos1', 'cardiac_sin1')
    """
    orders = (cardiac_order, respiratory_order, interaction_order)
    if min(orders) < 0:
        raise SignalsError(
            Problem(what="an order of RETROICOR is negative", found=str(orders), expected="0 up")
        )
    phases = []
    if cardiac is not None:
        phases.append(("cardiac", cardiac, cardiac_order))
    if respiratory is not None:
        phases.append(("respiratory", respiratory, respiratory_order))
    if cardiac is not None and respiratory is not None:
        phases.append(("cardiac_plus_respiratory", cardiac + respiratory, interaction_order))
        phases.append(("cardiac_minus_respiratory", cardiac - respiratory, interaction_order))
    names: list[str] = []
    columns: list[Float[np.ndarray, " n_times"]] = []
    for name, phase, order in phases:
        for m in range(1, order + 1):
            names += [f"{name}_cos{m}", f"{name}_sin{m}"]
            columns += [np.cos(m * phase), np.sin(m * phase)]
    n_times = next((phase.size for _, phase, _ in phases), 0)
    return np.column_stack(columns) if columns else np.empty((n_times, 0)), tuple(names)
