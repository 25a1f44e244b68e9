"""p-values out of counts, maxima and known distributions."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.inference._records import StatisticName

__all__ = [
    "Alternative",
    "least_reaching",
    "orient",
    "parametric_pvalue",
    "pvalue_of_maximum",
    "threshold_of",
    "tie_margin",
]

Alternative = Literal["two-sided", "greater", "less"]

TIE, ROUNDING = 1e-9, 1e-14
THRESHOLD_WIDTH = 1e-12


def orient(t: Float[np.ndarray, "..."], alternative: Alternative) -> Float[np.ndarray, "..."]:
    """Turn t into the statistic that is large against the null hypothesis.

    Parameters
    ----------
    t : ndarray
        Statistic with its sign.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.

    Returns
    -------
    ndarray
        ``|t|``, ``t`` or ``-t``.
    """
    oriented: np.ndarray = np.abs(t)
    if alternative == "greater":
        oriented = t
    elif alternative == "less":
        oriented = -t
    return oriented


def tie_margin(
    statistic: Float[np.ndarray, "..."], df: float | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    r"""Give the margin within which two statistics are the same number.

    Parameters
    ----------
    statistic : ndarray
        Student's t or its absolute value.
    df : float or ndarray
        Residual degrees of freedom.

    Returns
    -------
    ndarray
        1e-9, relative above 1 and absolute below, plus the rounding of a huge t.

    Notes
    -----
    t comes from a residual sum of squares that is a difference; its rounding error grows as
    :math:`\epsilon\,t\,(1 + t^2/\nu)`.
    """
    size = np.abs(statistic)
    margin: np.ndarray = TIE * np.maximum(1.0, size) + ROUNDING * size * (1 + size**2 / df)
    return margin


def least_reaching(
    statistic: Float[np.ndarray, "..."],
    *,
    margin: float = 0.0,
    df: float | Float[np.ndarray, "..."] = np.inf,
) -> Float[np.ndarray, "..."]:
    """Give the least value of another shuffling that reaches the statistic.

    Parameters
    ----------
    statistic : ndarray
        Oriented: large against the null hypothesis.
    margin : float, default 0
        Relative difference, beside that of `tie_margin`, within which two values are the same
        number.
    df : float or ndarray, default inf
        Residual degrees of freedom, where the statistic is a ratio like t.

    Returns
    -------
    ndarray
        Just below the statistic, so that ties count whatever their rounding.
    """
    least: np.ndarray = statistic - tie_margin(statistic, df) - margin * np.abs(statistic)
    return least


def parametric_pvalue(
    statistic: Float[np.ndarray, " n"],
    df: Float[np.ndarray, " n"],
    alternative: Alternative,
    *,
    df1: int = 1,
    name: StatisticName = "t",
) -> Float[np.ndarray, " n"]:
    """Give the p-value of a statistic under normal errors, never 0.

    Parameters
    ----------
    statistic : ndarray of shape (n,)
        With its sign.
    df : ndarray of shape (n,)
        Residual degrees of freedom.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.
    df1 : int, default 1
        Rows of the contrast, for F and G.
    name : {"t", "v", "F", "G"}, default "t"
        Student's t, Welch's v, or their generalisations to several rows.

    Returns
    -------
    ndarray of shape (n,)
        One per outcome.
    """
    if name in {"F", "G"}:
        tail = np.asarray(stats.f.sf(statistic, df1, df), dtype=np.float64)
    else:
        tail = np.asarray(stats.t.sf(orient(statistic, alternative), df), dtype=np.float64)
        tail *= 2.0 if alternative == "two-sided" else 1.0
    return np.maximum(tail, np.finfo(np.float64).tiny)


def pvalue_of_maximum(
    statistic: Float[np.ndarray, " n_outcomes"],
    null_maximum: Float[np.ndarray, " n_shufflings"],
    *,
    margin: float = 0.0,
    df: float = np.inf,
) -> Float[np.ndarray, " n_outcomes"]:
    """Give the share of shufflings whose maximum reaches the statistic.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        Oriented: large against the null hypothesis.
    null_maximum : ndarray of shape (n_shufflings,)
        The identity included, so that no p-value is 0.
    margin : float, default 0
        Relative difference, beside 1e-9, within which two values are the same number.
    df : float, default inf
        Residual degrees of freedom, where the statistic is a ratio like t.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        One per outcome.
    """
    ascending = np.sort(null_maximum)
    least = least_reaching(statistic, margin=margin, df=df)
    below = np.searchsorted(ascending, least, side="left")
    share: Float[np.ndarray, " n_outcomes"] = (ascending.size - below) / ascending.size
    # The largest value of the data is itself among the maxima, whatever its rounding.
    reached: Float[np.ndarray, " n_outcomes"] = np.maximum(share, 1 / ascending.size)
    return reached


def threshold_of(
    pvalue_of: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]],
    null_maximum: Float[np.ndarray, " n_shufflings"],
    alpha: float,
) -> float:
    """Give the least value whose p is at most alpha.

    Parameters
    ----------
    pvalue_of : callable
        p-values of oriented values; falls as they rise.
    null_maximum : ndarray of shape (n_shufflings,)
        Maximum of every shuffling, the identity included.
    alpha : float
        Error rate.

    Returns
    -------
    float
        Infinity when no value reaches alpha.

    Notes
    -----
    That is just above the largest maximum whose own p exceeds alpha, not the next maximum: a
    value between the two has passed. Found by halving the interval of the maxima, to 1e-12 of
    their size.
    """
    low, high = float(null_maximum.min()), float(null_maximum.max())
    reach = max(abs(low), abs(high), 1.0)
    low, high = low - reach, high + reach
    limit = alpha * (1 + 1e-12)
    if pvalue_of(np.array([high]))[0] > limit:
        return float("inf")
    while high - low > THRESHOLD_WIDTH * reach:
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        if pvalue_of(np.array([middle]))[0] > limit:
            low = middle
        else:
            high = middle
    return high
