"""What is said of how well outcomes repeat themselves."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

__all__ = [
    "ReliabilityContent",
    "ReliabilityNumbers",
    "ReliabilityResult",
    "ReliabilitySpread",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityNumbers:
    """The reliability of one number.

    Parameters
    ----------
    icc, low, high : float
        Estimate, negative where it comes out so, and its interval.
    participant, session, residual : float
        Variances, in the squared unit of the measure.
    error_of_measurement : float
        In the unit of the measure.
    smallest_change : float
        Change of one participant between two sessions that error alone exceeds in 5 %.
    agreement : tuple of float or None
        Second minus first of two sessions: mean, and the limits of 95 % of differences.
    """

    icc: float
    low: float
    high: float
    participant: float
    session: float
    residual: float
    error_of_measurement: float
    smallest_change: float
    agreement: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilitySpread:
    """The reliabilities of many outcomes.

    Parameters
    ----------
    n_outcomes, n_unknown : int
        All, and those that do not vary or lack data.
    percentiles : dict of str to float
        Percentile in words -> ICC.
    shares : tuple of float
        Medians over outcomes: percentages of participants, sessions and error in the variance.
    edges : tuple of float
        Of the bins of ICC.
    counts : tuple of int
        Outcomes in each bin; those below the first edge are in the first.
    """

    n_outcomes: int
    n_unknown: int
    percentiles: dict[str, float]
    shares: tuple[float, float, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityResult:
    """A reliability as it is kept on disk.

    Parameters
    ----------
    name, text : str
    verdict : str
    sentence : str
    form : str
        ``ICC(2,1)`` or ``ICC(3,1)``.
    n : int
        Participants.
    occasions : tuple of str
        What the sessions are called.
    label, unit : str
        Of the outcome.
    confidence : float
        Coverage of the interval.
    numbers : ReliabilityNumbers or None
        Of one number.
    spread : ReliabilitySpread or None
        Of several outcomes.
    points : dict of str to tuple
        Of one number: group -> outcomes in the first and in the second session.
    notes : tuple of str
        Citations as ``[doi:...]``.
    """

    name: str
    text: str
    verdict: Literal["estimated", "refused"]
    sentence: str
    form: str
    n: int = 0
    occasions: tuple[str, ...] = ()
    label: str = ""
    unit: str = ""
    confidence: float = 0.95
    numbers: ReliabilityNumbers | None = None
    spread: ReliabilitySpread | None = None
    points: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityContent:
    """A reliability with what is drawn of it.

    Parameters
    ----------
    result : ReliabilityResult
    icc_map : ndarray of shape (x, y, z) or None
        None unless the outcome is a map.
    affine : ndarray of shape (4, 4) or None
    """

    result: ReliabilityResult
    icc_map: Float[np.ndarray, "x y z"] | None = None
    affine: Float[np.ndarray, "4 4"] | None = None
