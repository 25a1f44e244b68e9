"""p-values out of counts, maxima and Student's t."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import stats

__all__ = [
    "Alternative",
    "benjamini_hochberg",
    "orient",
    "parametric_pvalue",
    "pvalue_of_maximum",
    "threshold_of_maximum",
    "tie_margin",
]

Alternative = Literal["two-sided", "greater", "less"]

TIE, ROUNDING = 1e-9, 1e-14


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


def tie_margin(statistic: Float[np.ndarray, "..."], df: float) -> Float[np.ndarray, "..."]:
    r"""Give the margin within which two statistics are the same number.

    Parameters
    ----------
    statistic : ndarray
        Student's t or its absolute value.
    df : float
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


def parametric_pvalue(
    t: Float[np.ndarray, " n"], df: float, alternative: Alternative
) -> Float[np.ndarray, " n"]:
    """Give the p-value of Student's t, never 0.

    Parameters
    ----------
    t : ndarray of shape (n,)
        Statistic with its sign.
    df : float
        Residual degrees of freedom.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.

    Returns
    -------
    ndarray of shape (n,)
        One per outcome.
    """
    tail = np.asarray(stats.t.sf(orient(t, alternative), df), dtype=np.float64)
    sides = 2.0 if alternative == "two-sided" else 1.0
    return np.maximum(sides * tail, np.finfo(np.float64).tiny)


def benjamini_hochberg(pvalue: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""Adjust p-values for the false discovery rate.

    Parameters
    ----------
    pvalue : ndarray of shape (n,)
        Between 0 and 1.

    Returns
    -------
    ndarray of shape (n,)
        One per outcome.

    Notes
    -----
    :math:`q_{(i)} = \min_{j \ge i} n p_{(j)} / j` [1]_; valid under independence or positive
    regression dependence.

    References
    ----------
    .. [1] Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> import numpy as np
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(pvalue, kind="stable")[::-1]
    ranks = np.arange(pvalue.size, 0, -1)
    adjusted = np.minimum.accumulate(pvalue[order] * (pvalue.size / ranks))
    q = np.empty(pvalue.size)
    q[order] = np.minimum(adjusted, 1.0)
    return q


def pvalue_of_maximum(
    statistic: Float[np.ndarray, " n_outcomes"],
    null_maximum: Float[np.ndarray, " n_shufflings"],
    df: float,
) -> Float[np.ndarray, " n_outcomes"]:
    """Give the share of shufflings whose maximum reaches the statistic.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        Oriented: large against the null hypothesis.
    null_maximum : ndarray of shape (n_shufflings,)
        The identity included, so that no p-value is 0.
    df : float
        Residual degrees of freedom.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        One per outcome.
    """
    ascending = np.sort(null_maximum)
    below = np.searchsorted(ascending, statistic - tie_margin(statistic, df), side="left")
    share: Float[np.ndarray, " n_outcomes"] = (ascending.size - below) / ascending.size
    return share


def threshold_of_maximum(
    null_maximum: Float[np.ndarray, " n_shufflings"], alpha: float, df: float
) -> float:
    """Give the least statistic whose family-wise p is at most alpha.

    Parameters
    ----------
    null_maximum : ndarray of shape (n_shufflings,)
        Maximum of every shuffling, the identity included.
    alpha, df : float
        Error rate, and residual degrees of freedom.

    Returns
    -------
    float
        Infinity when there are too few shufflings for any statistic to reach alpha.

    Notes
    -----
    That is just above the largest maximum whose own p exceeds alpha, not the next maximum: a
    statistic between the two has passed.
    """
    candidates = np.unique(null_maximum)
    reached = pvalue_of_maximum(candidates, null_maximum, df) <= alpha * (1 + 1e-12)
    if not reached.any():
        return float("inf")
    short = candidates[~reached][-1:]
    return float((short + 2 * tie_margin(short, df)).item())
