r"""Temporal filters as linear operators.

*Projection.* The discrete cosines :math:`c_k(t) = \sqrt{2/N}\cos(\pi k (t + 1/2)/N)` have the
frequencies :math:`f_k = k / (2 N \cdot TR)`. A high-pass at :math:`h` removes
:math:`0 < f_k \le h`, a low-pass at :math:`l` removes :math:`f_k > l`.

*Butterworth.* Order 5, forward and backward (zero phase), as second-order sections with the odd
extension of `scipy.signal.sosfiltfilt`. The filter is linear in its input, so it equals the
matrix that it makes of the identity.
"""

import numpy as np
import scipy.signal
from jaxtyping import Float

from phmri.exceptions import Problem, SignalsError

__all__ = ["butterworth_matrix", "check_band", "cosines_outside"]

_TOLERANCE = 1e-9  # of a frequency step: an edge that falls on a cosine counts as on it


def check_band(t_r: float, highpass_hz: float | None, lowpass_hz: float | None) -> None:
    """Refuse a band that the sampling cannot hold.

    Parameters
    ----------
    t_r : float
        Repetition time in seconds.
    highpass_hz, lowpass_hz : float or None
        Edges of the band that stays.

    Raises
    ------
    SignalsError
        An edge is not below the Nyquist frequency, or the band is empty.
    """
    if not (np.isfinite(t_r) and t_r > 0):
        raise SignalsError(
            Problem(what="the repetition time is not a positive number of seconds", found=f"{t_r}")
        )
    nyquist = 0.5 / t_r
    problems = [
        Problem(
            what="a filter edge is not below the Nyquist frequency",
            field=name,
            found=f"{edge:g} Hz at a repetition time of {t_r:g} s",
            expected=f"less than {nyquist:g} Hz, or no such filter",
        )
        for name, edge in (("highpass_hz", highpass_hz), ("lowpass_hz", lowpass_hz))
        if edge is not None and edge >= nyquist
    ]
    if highpass_hz is not None and lowpass_hz is not None and highpass_hz >= lowpass_hz:
        problems.append(
            Problem(
                what="the band to keep is empty",
                field="highpass_hz, lowpass_hz",
                found=f"{highpass_hz:g} to {lowpass_hz:g} Hz",
                expected="highpass_hz < lowpass_hz",
            )
        )
    if problems:
        raise SignalsError(*problems)


def cosines_outside(
    n_volumes: int, t_r: float, *, highpass_hz: float | None, lowpass_hz: float | None
) -> Float[np.ndarray, "n_volumes n_cosines"]:
    """Make the discrete cosines whose frequency lies outside a band.

    Parameters
    ----------
    n_volumes : int
        Consecutive volumes.
    t_r : float
        Repetition time in seconds.
    highpass_hz, lowpass_hz : float or None
        Edges of the band that stays; both edges' own cosines follow the module's rule.

    Returns
    -------
    ndarray of shape (n_volumes, n_cosines)
        Orthonormal columns, the constant not among them.

    Examples
    --------
    >>> cosines_outside(100, 2.0, highpass_hz=0.01, lowpass_hz=None).shape
    (100, 4)
    """
    step = 1.0 / (2.0 * n_volumes * t_r)
    order = np.arange(1, n_volumes)
    outside = np.zeros(order.size, bool)
    if highpass_hz is not None:
        outside |= order <= highpass_hz / step + _TOLERANCE
    if lowpass_hz is not None:
        outside |= order > lowpass_hz / step + _TOLERANCE
    angle = np.pi / n_volumes * np.outer(np.arange(n_volumes) + 0.5, order[outside])
    return np.asarray(np.sqrt(2.0 / n_volumes) * np.cos(angle))


def butterworth_matrix(
    n_volumes: int, t_r: float, *, highpass_hz: float | None, lowpass_hz: float | None
) -> Float[np.ndarray, "n_volumes n_volumes"]:
    """Write the zero-phase Butterworth filter of order 5 as a matrix.

    Parameters
    ----------
    n_volumes : int
        Consecutive volumes.
    t_r : float
        Repetition time in seconds.
    highpass_hz, lowpass_hz : float or None
        Edges of the band that stays.

    Returns
    -------
    ndarray of shape (n_volumes, n_volumes)
        ``F`` such that ``F @ y`` is the filtered series.

    Raises
    ------
    SignalsError
        There is no edge, or the run is shorter than the filter's extension.
    """
    edges = [edge for edge in (highpass_hz, lowpass_hz) if edge is not None]
    if not edges:
        raise SignalsError(
            Problem(
                what="filter 'butterworth' has nothing to filter",
                field="highpass_hz, lowpass_hz",
                found="neither",
                expected="at least one edge, or filter 'projection'",
            )
        )
    band = highpass_hz is not None and lowpass_hz is not None
    kind = "bandpass" if band else ("lowpass" if highpass_hz is None else "highpass")
    sections = scipy.signal.butter(
        5, edges if band else edges[0], btype=kind, output="sos", fs=1.0 / t_r
    )
    padding = 3 * (2 * len(sections) + 1)  # longest default extension of sosfiltfilt
    if n_volumes <= padding:
        raise SignalsError(
            Problem(
                what="the run is too short for the Butterworth filter",
                found=f"{n_volumes} volumes",
                expected=f"more than {padding}",
            )
        )
    return np.asarray(scipy.signal.sosfiltfilt(sections, np.eye(n_volumes), axis=0))
