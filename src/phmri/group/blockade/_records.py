"""What is found out about a blockade."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

__all__ = [
    "KINDS",
    "VERDICTS",
    "Alternative",
    "Blockade",
    "BootstrapInterval",
    "ContrastTest",
    "Equivalence",
    "Persistence",
    "RatioInterval",
]

Alternative = Literal["two-sided", "greater", "less"]

KINDS = ("bounded", "complement", "whole_line", "none")
"""Forms of a confidence set of a ratio: from low to high; everything but what lies between low
and high; every number; no estimate."""

VERDICTS = ("undecided", "not blocked", "partly blocked", "blocked")
"""All that is ever said of a blockade; a verdict's code is its place here, so that 0, which also
fills a map outside its mask, claims nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastTest:
    """One contrast with Student's t, for every outcome.

    Parameters
    ----------
    effect, se : ndarray of shape (n_outcomes,)
        In the measure's unit.
    df : ndarray of shape (n_outcomes,)
        Degrees of freedom of t.
    pvalue : ndarray of shape (n_outcomes,)
        Against no effect, one- or two-sided as asked; never 0.
    low, high : ndarray of shape (n_outcomes,)
        Two-sided confidence interval in the measure's unit.
    """

    effect: Float[np.ndarray, " n_outcomes"]
    se: Float[np.ndarray, " n_outcomes"]
    df: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioInterval:
    """A ratio of two effects with Fieller's confidence set, for every outcome.

    Parameters
    ----------
    estimate : ndarray of shape (n_outcomes,)
        The ratio, or a percentage where the function says so.
    low, high : ndarray of shape (n_outcomes,)
        Ends of the set (``bounded``) or of the gap in it (``complement``); infinite for
        ``whole_line``.
    kind : ndarray of shape (n_outcomes,)
        Place in `KINDS`. Low and high mean nothing without it.
    g : ndarray of shape (n_outcomes,)
        Squared critical t over squared t of the denominator: below 1 the set is bounded, below
        0.5 the ratio deserves a headline.
    """

    estimate: Float[np.ndarray, " n_outcomes"]
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]
    kind: UInt8[np.ndarray, " n_outcomes"]
    g: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided tests that an effect lies within a margin, for every outcome.

    Parameters
    ----------
    pvalue_lower, pvalue_upper : ndarray of shape (n_outcomes,)
        Against an effect at or below the lower, at or above the upper end of the margin.
    pvalue : ndarray of shape (n_outcomes,)
        The larger of both; never 0.
    low, high : ndarray of shape (n_outcomes,)
        Confidence interval at 1 - 2 alpha in the measure's unit; it lies within the margin
        exactly where ``pvalue`` is at most alpha.
    """

    pvalue_lower: Float[np.ndarray, " n_outcomes"]
    pvalue_upper: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """What of an early effect is there later, for every outcome.

    Parameters
    ----------
    ratio : RatioInterval
        Late effect over early effect.
    waning : ContrastTest
        Early minus late effect; its p-value is two-sided.
    """

    ratio: RatioInterval
    waning: ContrastTest


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapInterval:
    """Bootstrap intervals of a statistic, for every outcome.

    Parameters
    ----------
    estimate : ndarray of shape (n_outcomes,)
        The statistic of the units as they are, in its own unit.
    sd : ndarray of shape (n_outcomes,)
        Standard deviation over resamples.
    percentile_low, percentile_high : ndarray of shape (n_outcomes,)
        Percentile interval.
    low, high : ndarray of shape (n_outcomes,)
        Interval with bias corrected and accelerated (BCa).
    bias, acceleration : ndarray of shape (n_outcomes,)
        The two constants of BCa, usually called z0 and a.
    """

    estimate: Float[np.ndarray, " n_outcomes"]
    sd: Float[np.ndarray, " n_outcomes"]
    percentile_low: Float[np.ndarray, " n_outcomes"]
    percentile_high: Float[np.ndarray, " n_outcomes"]
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]
    bias: Float[np.ndarray, " n_outcomes"]
    acceleration: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blockade:
    """Everything that is known about a blockade, and the verdict, for every outcome.

    Parameters
    ----------
    drug : ContrastTest
        The drug's effect: drug minus reference.
    pretreated : ContrastTest
        What remains of it: pretreated drug minus reference, or minus the pretreatment alone
        where ``identifiable``.
    difference : ContrastTest
        What was removed: the first minus the second.
    conjunction_pvalue : ndarray of shape (n_outcomes,)
        That the drug has an effect and that less of it remains: the intersection-union test.
    attenuation : RatioInterval
        Percentage of the effect removed.
    remaining, removed : Equivalence or None
        Whether what remains, and what was removed, lies within the margin; None without one.
    verdict : ndarray of shape (n_outcomes,)
        Place in `VERDICTS`.
    status : ndarray of shape (n_outcomes,)
        Of the fit, as in ``JointEstimate``; 2 (not converged) and 3 (not estimable) are undecided.
    margin : float or None
        Largest effect that counts as none, in the measure's unit.
    alpha : float
        Level of every test.
    confidence : float
        Coverage of the intervals of contrasts and of the attenuation.
    alternative : {"two-sided", "greater", "less"}
        Of the drug's effect and of the difference.
    identifiable : bool
        Whether the design can tell a blockade from the pretreatment's own effect.
    two_experiments : bool
        Whether the drug's effect, and what was removed of it, are of different people.
    """

    drug: ContrastTest
    pretreated: ContrastTest
    difference: ContrastTest
    conjunction_pvalue: Float[np.ndarray, " n_outcomes"]
    attenuation: RatioInterval
    remaining: Equivalence | None
    removed: Equivalence | None
    verdict: UInt8[np.ndarray, " n_outcomes"]
    status: UInt8[np.ndarray, " n_outcomes"]
    margin: float | None
    alpha: float
    confidence: float
    alternative: Alternative
    identifiable: bool
    two_experiments: bool
