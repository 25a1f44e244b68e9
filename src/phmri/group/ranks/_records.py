"""What a comparison of ranks is told in."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

__all__ = [
    "ArmTest",
    "ProportionalOdds",
    "RankComparison",
    "StratifiedComparison",
    "Superiority",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankComparison:
    """Two groups compared by Wilcoxon, Mann and Whitney.

    Parameters
    ----------
    statistic : float
        Pairs of one of each group in which the first scores higher, ties counting half.
    superiority : float
        Share of these pairs in all.
    z : float
        Standardised statistic, its variance corrected for ties, without continuity correction.
    pvalue : float
        Two-sided, from z.
    pvalue_exact : float
        Two-sided, over all ways to deal the scores as they are, ties included; NaN with more
        than 150 participants.
    shift : float
        Median of all differences between the groups (Hodges and Lehmann), in points.
    low, high : float
        Interval of the shift; infinite where the groups are too small for one.
    """

    statistic: float
    superiority: float
    z: float
    pvalue: float
    pvalue_exact: float
    shift: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Superiority:
    """How probably one of the first group scores above one of the second.

    Parameters
    ----------
    probability : float
        Ties count half; 0.5 if neither tends to score higher.
    se : float
        Its standard error; 0 if the groups do not overlap.
    t, df : float
        Against 0.5, and its degrees of freedom; NaN if the groups do not overlap.
    pvalue : float
        Two-sided; NaN if the groups do not overlap.
    low, high : float
        Interval of the probability; NaN if the groups do not overlap.
    """

    probability: float
    se: float
    t: float
    df: float
    pvalue: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StratifiedComparison:
    """Two groups compared within strata.

    Parameters
    ----------
    ranks : {"pooled", "within"}
        Over all strata, or within each (van Elteren).
    z : float
        Positive where the first group scores higher.
    pvalue : float
        Two-sided, from z.
    """

    ranks: Literal["pooled", "within"]
    z: float
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTest:
    """Whether any arms differ.

    Parameters
    ----------
    f : float
        Between arms over within.
    df : tuple of float
        Of numerator and denominator.
    pvalue : float
        From F.
    """

    f: float
    df: tuple[float, float]
    pvalue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalOdds:
    """Cumulative logit model of an ordinal score.

    Parameters
    ----------
    columns : tuple of str
        Of ``log_odds``.
    log_odds : ndarray of shape (n_columns,)
        Logarithm of the odds ratio of a higher score, per unit of the column.
    covariance : ndarray of shape (n_columns, n_columns)
        Of ``log_odds``, from the observed information.
    thresholds : ndarray of shape (n_categories - 1,)
        Log odds of scoring in a category or below, with all columns 0.
    minus_2_log_likelihood : float
        At the maximum.
    converged : bool
        The maximum was found; if not, no number of this record may be used: where a column
        separates the scores there is none.
    """

    columns: tuple[str, ...]
    log_odds: Float[np.ndarray, " n_columns"]
    covariance: Float[np.ndarray, "n_columns n_columns"]
    thresholds: Float[np.ndarray, " n_thresholds"]
    minus_2_log_likelihood: float
    converged: bool
