"""Linear rank test within strata."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group.ranks._check import group_problems
from phmri.group.ranks._records import StratifiedComparison

__all__ = ["stratified_rank_test"]


def stratified_rank_test(
    first: Float[np.ndarray, " n_first"],
    second: Float[np.ndarray, " n_second"],
    *,
    strata: tuple[Sequence[str], Sequence[str]],
    ranks: Literal["pooled", "within"] = "pooled",
) -> StratifiedComparison:
    r"""Compare two groups by the ranks of their scores, within strata.

    Parameters
    ----------
    first : ndarray of shape (n_first,)
        Scores of one group, in points.
    second : ndarray of shape (n_second,)
        Scores of the other, in points.
    strata : tuple of two sequences of str
        Stratum of each participant of the first and of the second group.
    ranks : {"pooled", "within"}, default "pooled"
        Ranks among all participants, or within the stratum and weighted by one over its size
        plus one (van Elteren).

    Returns
    -------
    StratifiedComparison
        First against second.

    Raises
    ------
    DesignError
        When a group is empty, a score is not finite, strata do not fit, or in no stratum both
        groups are present and scores differ.

    Notes
    -----
    The sum T of the first group's ranks is compared with its mean and variance over all dealings
    within strata: :math:`\sum_s m_s \bar a_s` and :math:`\sum_s \frac{m_s n_s}{N_s(N_s-1)}
    \sum_{i \in s} (a_i - \bar a_s)^2`, ties included [1]_.

    References
    ----------
    .. [1] Hothorn, Hornik, van de Wiel and Zeileis (2006), doi:10.1198/000313006X118430.
    """
    problems = group_problems(first, second, fewest=1)
    problems += [
        Problem(
            what="another number of strata than scores",
            field=name,
            found=str(len(labels)),
            expected=str(scores.size),
        )
        for name, labels, scores in zip(("first", "second"), strata, (first, second), strict=True)
        if len(labels) != scores.size
    ]
    if problems:
        raise DesignError(*problems)
    scores = np.concatenate([first, second]).astype(np.float64)
    is_first = np.arange(scores.size) < first.size
    labels = np.array([*strata[0], *strata[1]])
    pooled = stats.rankdata(scores)
    departure, variance = 0.0, 0.0
    for stratum in np.unique(labels):
        here = labels == stratum
        n, m = int(here.sum()), int((here & is_first).sum())
        a = pooled[here] if ranks == "pooled" else stats.rankdata(scores[here]) / (n + 1)
        a = a - a.mean()
        departure += float(a[is_first[here]].sum())
        variance += m * (n - m) / (n * max(n - 1, 1)) * float(a @ a)
    if variance == 0:
        raise DesignError(
            Problem(
                what="no stratum in which both groups are present and scores differ",
                field="strata",
            )
        )
    z = departure / float(np.sqrt(variance))
    return StratifiedComparison(ranks=ranks, z=z, pvalue=float(2 * special.ndtr(-abs(z))))
