"""Wilcoxon, Mann and Whitney's test, and the shift that belongs to it."""

import numpy as np
from jaxtyping import Float, Int
from scipy import special, stats

from phmri.exceptions import DesignError
from phmri.group.ranks._check import group_problems
from phmri.group.ranks._records import RankComparison

__all__ = ["wilcoxon_mann_whitney"]

LARGEST = 150
"""Participants up to which all dealings are counted (about a second)."""
TIE = 1e-9


def wilcoxon_mann_whitney(
    first: Float[np.ndarray, " n_first"],
    second: Float[np.ndarray, " n_second"],
    *,
    confidence: float = 0.95,
) -> RankComparison:
    r"""Compare two groups by the ranks of their scores.

    Parameters
    ----------
    first : ndarray of shape (n_first,)
        Scores of one group, in points.
    second : ndarray of shape (n_second,)
        Scores of the other, in points.
    confidence : float, default 0.95
        Of the interval of the shift, between 0 and 1.

    Returns
    -------
    RankComparison
        First against second.

    Raises
    ------
    DesignError
        When a group is empty, a score is not finite, all scores are equal, or the confidence is
        not a probability.

    Notes
    -----
    Ties share the mean of their ranks. The null hypothesis of both p-values is that the groups
    have the same distribution. The exact one counts the dealings of the scores into groups of
    these sizes whose rank sum lies as far from its mean [1]_. The shift, and its interval
    between two of the ordered differences, assume distributions of one shape [2]_; the order
    numbers are those of scores without ties, which makes the interval too long with ties.

    References
    ----------
    .. [1] Mann and Whitney (1947), doi:10.1214/aoms/1177730491.
    .. [2] Hodges and Lehmann (1963), doi:10.1214/aoms/1177704172.
    """
    problems = group_problems(first, second, fewest=1, confidence=confidence)
    if problems:
        raise DesignError(*problems)
    m, n = first.size, second.size
    pairs = m * n
    ranks = np.asarray(stats.rankdata(np.concatenate([first, second])), dtype=np.float64)
    statistic = float(ranks[:m].sum()) - m * (m + 1) / 2
    middle = (m + n + 1) / 2
    spread = np.sqrt(pairs / ((m + n) * (m + n - 1)) * np.sum((ranks - middle) ** 2))
    z = float((statistic - pairs / 2) / spread)
    differences = np.sort(np.subtract.outer(first.astype(np.float64), second), axis=None)
    place = _order_number(m, n, (1 - confidence) / 2)
    return RankComparison(
        statistic=statistic,
        superiority=statistic / pairs,
        z=z,
        pvalue=float(2 * special.ndtr(-abs(z))),
        pvalue_exact=_exact_pvalue(ranks, m),
        shift=float(np.median(differences)),
        low=float(differences[place - 1]) if place else float("-inf"),
        high=float(differences[pairs - place]) if place else float("inf"),
    )


def _dealings(doubled: Int[np.ndarray, " n_items"], n_chosen: int) -> Float[np.ndarray, " n_sums"]:
    """Count the choices of so many items by the sum of their values, as floats."""
    largest = int(np.sort(doubled)[-n_chosen:].sum())
    counts = np.zeros((n_chosen + 1, largest + 1))
    counts[0, 0] = 1.0
    for value in doubled:
        counts[1:, value:] += counts[:-1, : largest + 1 - value].copy()
    chosen: Float[np.ndarray, " n_sums"] = counts[n_chosen]
    return chosen


def _exact_pvalue(ranks: Float[np.ndarray, " n_ranks"], m: int) -> float:
    """Count the dealings whose rank sum lies as far from the mean as that of the first m."""
    if ranks.size > LARGEST:
        return float("nan")
    # Doubled, mid-ranks are whole; the smaller group has the shorter sums.
    doubled = np.rint(2 * ranks).astype(np.int64)
    chosen = doubled[:m] if m <= ranks.size - m else doubled[m:]
    counts = _dealings(doubled, chosen.size)
    mean = chosen.size * (ranks.size + 1)
    far = np.abs(np.arange(counts.size) - mean) >= abs(int(chosen.sum()) - mean)
    return float(counts[far].sum() / counts.sum())


def _order_number(m: int, n: int, tail: float) -> int:
    """Give the place, from either end of the ordered differences, where the interval ends."""
    if m + n > LARGEST:
        spread = np.sqrt(m * n * (m + n + 1) / 12)
        return max(0, int(np.floor(m * n / 2 + stats.norm.ppf(tail) * spread)))
    small = min(m, n)
    counts = _dealings(np.arange(1, m + n + 1), small)[small * (small + 1) // 2 :]
    below = np.cumsum(counts) / counts.sum()
    # Interval from the k-th to the k-th last covers unless the statistic is below k.
    return int(np.searchsorted(below, tail * (1 + TIE), side="right"))
