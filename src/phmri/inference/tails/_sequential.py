"""Shuffling until the answer is clear: p-values from runs that stop early."""

import heapq

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import least_reaching, pvalue_of_maximum
from phmri.inference.tails._finite import not_finite

__all__ = ["sequential_pvalue", "stop_index"]


def sequential_pvalue(
    null_maximum: Float[np.ndarray, " n_shufflings"],
    statistic: Float[np.ndarray, " m"],
    stop_after: int,
    *,
    margin: float = 0.0,
) -> Float[np.ndarray, " m"]:
    r"""Give p-values by the rule that a test ends with its h-th exceedance.

    Parameters
    ----------
    null_maximum : ndarray of shape (n_shufflings,)
        In the order in which they were made, the identity first; independent draws.
    statistic : ndarray of shape (m,)
        Oriented: large against the null hypothesis.
    stop_after : int
        h: number of shufflings, beside the identity, that reach the statistic.
    margin : float, default 0
        Relative difference, beside 1e-9, within which two values are the same number.

    Returns
    -------
    ndarray of shape (m,)
        Never 0; falls as the statistic rises.

    Raises
    ------
    InferenceError
        A value that is not a finite number, no shuffling, or h below 1.

    Notes
    -----
    The h-th exceedance being the l-th of the :math:`n - 1` random shufflings, :math:`p = h/l`;
    without an h-th, with :math:`g < h`, :math:`p = (g+1)/n` [1]_. Under the null hypothesis
    :math:`P(p \le h/l) = h/l` exactly, for an observation is as likely to have any rank among the
    first :math:`l - 1` random ones and itself. Counting the identity in both numerator and
    denominator would be conservative; counting it in the denominator alone, wrong.

    The h-th exceedance comes when the h-th largest so far reaches the statistic. That rises from
    shuffling to shuffling, so that one bisection per test finds it.

    References
    ----------
    .. [1] Besag and Clifford (1991), eq. 1, doi:10.1093/biomet/78.2.301.

    Examples
    --------
    >>> import numpy as np
    >>> null_maximum = np.array([2.5, 1.0, 3.0, 2.0, 1.5, 2.0])
    >>> sequential_pvalue(null_maximum, np.array([2.5, 1.5]), stop_after=2).round(3).tolist()
    [0.333, 0.667]
    """
    problems = _problems(null_maximum, statistic, stop_after)
    if problems:
        raise InferenceError(*problems)
    record = _largest_so_far(null_maximum[1:], stop_after)
    first = np.searchsorted(record, least_reaching(statistic, margin=margin), side="left")
    counted = pvalue_of_maximum(statistic, null_maximum, margin=margin)
    return np.where(first < record.size, stop_after / (first + 1), counted)


def stop_index(
    null_maximum: Float[np.ndarray, " n_shufflings"],
    strongest: float,
    stop_after: int,
    *,
    margin: float = 0.0,
) -> int | None:
    """Find the shuffling with which every test has ended.

    Parameters
    ----------
    null_maximum : ndarray of shape (n_shufflings,)
        As many as have been made, the identity first.
    strongest : float
        The largest of all statistics: the last to be reached often enough.
    stop_after : int
        Number of shufflings, beside the identity, that reach it.
    margin : float, default 0
        Relative difference, beside 1e-9, within which two values are the same number.

    Returns
    -------
    int or None
        Position in ``null_maximum``; what comes after it changes no p-value. None: go on.

    Raises
    ------
    InferenceError
        A value that is not a finite number, no shuffling, or ``stop_after`` below 1.
    """
    statistic = np.array([strongest])
    problems = _problems(null_maximum, statistic, stop_after)
    if problems:
        raise InferenceError(*problems)
    reached = np.flatnonzero(null_maximum[1:] >= least_reaching(statistic, margin=margin))
    return int(reached[stop_after - 1]) + 1 if reached.size >= stop_after else None


def _largest_so_far(values: Float[np.ndarray, " n"], rank: int) -> Float[np.ndarray, " n"]:
    """Give, after each value, the one of this rank among all up to it; -inf before."""
    record = np.full(values.size, -np.inf)
    largest: list[float] = []
    for index, value in enumerate(values.tolist()):
        if len(largest) < rank:
            heapq.heappush(largest, value)
        else:
            heapq.heappushpop(largest, value)
        if len(largest) == rank:
            record[index] = largest[0]
    return record


def _problems(
    null_maximum: Float[np.ndarray, " n_shufflings"],
    statistic: Float[np.ndarray, " m"],
    stop_after: int,
) -> list[Problem]:
    problems = not_finite("null_maximum", null_maximum) + not_finite("statistic", statistic)
    if not null_maximum.size:
        problems.append(Problem(what="no shufflings", field="null_maximum"))
    if stop_after < 1:
        problems.append(
            Problem(
                what="a test cannot end before it is reached",
                field="stop_after",
                found=str(stop_after),
                expected="1 or more",
            )
        )
    return problems
