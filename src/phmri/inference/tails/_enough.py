"""How well a p-value out of random shufflings is known, and how many would be enough."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from scipy import special

from phmri.exceptions import InferenceError, Problem

__all__ = ["Enough", "enough", "monte_carlo_interval"]

MOST = 10**7
"""Shufflings that nobody makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enough:
    """Whether more shufflings could change the side of alpha on which a p-value is.

    Parameters
    ----------
    decided : bool
        The interval excludes alpha.
    interval : tuple of float
        Of the p that all possible shufflings would give.
    n_needed : int or None
        Shufflings, the identity counted, of which this p would decide; None: more than 1e7.
    sentence : str
        All that in words, with citations as ``[doi:...]``.
    """

    decided: bool
    interval: tuple[float, float]
    n_needed: int | None
    sentence: str


def monte_carlo_interval(
    pvalue: float,
    n: int,
    confidence: float = 0.95,
    *,
    exhaustive: bool = False,
    stop_after: int | None = None,
) -> tuple[float, float]:
    r"""Give the interval of the p-value that all possible shufflings would give.

    Parameters
    ----------
    pvalue : float
        Share of shufflings that reach the statistic, the identity counted; or what
        `phmri.inference.tails._sequential.sequential_pvalue` gives.
    n : int
        Shufflings made, the identity counted.
    confidence : float, default 0.95
        Coverage.
    exhaustive : bool, default False
        All shufflings were made: nothing is uncertain.
    stop_after : int, optional
        Number of exceedances with which the test was to end.

    Returns
    -------
    tuple of float
        Low and high end.

    Raises
    ------
    InferenceError
        A p that is not in (0, 1], no shuffling, or a confidence that is not between 0 and 1.

    Notes
    -----
    Clopper and Pearson's interval [1]_ for :math:`b = pn - 1` exceedances in :math:`n - 1` random
    shufflings,

    .. math:: B^{-1}\bigl(\tfrac{a}{2};\, b,\, n-b\bigr),\quad
        B^{-1}\bigl(1 - \tfrac{a}{2};\, b+1,\, n-1-b\bigr),

    :math:`B` the beta distribution, :math:`a` one minus the confidence. Of a test that ended with
    its h-th exceedance in the l-th random shuffling (:math:`p = h/l`), the last draw is no news:
    the high end is that of :math:`h - 1` exceedances in :math:`l - 1`.

    References
    ----------
    .. [1] Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.

    Examples
    --------
    >>> low, high = monte_carlo_interval(0.05, 5000)
    >>> round(low, 4), round(high, 4)
    (0.0439, 0.0562)
    """
    problems = _problems(pvalue, n, confidence)
    if problems:
        raise InferenceError(*problems)
    if exhaustive:
        return pvalue, pvalue
    if stop_after is not None and pvalue * (n - 1) > stop_after * (1 - 1e-9):
        n_random = round(stop_after / pvalue)
        low, _ = _clopper_pearson(float(stop_after), n_random, confidence)
        _, high = _clopper_pearson(stop_after - 1.0, n_random - 1, confidence)
        return low, high
    return _clopper_pearson(max(round(pvalue * n) - 1.0, 0.0), n - 1, confidence)


def enough(
    pvalue: float, n: int, alpha: float, confidence: float = 0.95, *, exhaustive: bool = False
) -> Enough:
    """Tell whether enough shufflings were made to know on which side of alpha a p-value is.

    Parameters
    ----------
    pvalue : float
        Share of shufflings that reach the statistic, the identity counted.
    n : int
        Shufflings made, the identity counted.
    alpha : float
        Error rate.
    confidence : float, default 0.95
        Coverage of the interval.
    exhaustive : bool, default False
        All shufflings were made.

    Returns
    -------
    Enough
        With a sentence to print.

    Raises
    ------
    InferenceError
        A p that is not in (0, 1], no shuffling, or an alpha or confidence that is not between 0
        and 1.
    """
    if not 0 < alpha < 1:
        raise InferenceError(
            Problem(what="alpha is not between 0 and 1", field="alpha", found=str(alpha))
        )
    low, high = monte_carlo_interval(pvalue, n, confidence, exhaustive=exhaustive)
    if exhaustive:
        sentence = f"All {n:,} shufflings there are have been made: p = {pvalue:.4g} is exact."
        return Enough(decided=True, interval=(low, high), n_needed=n, sentence=sentence)

    def decides(n: int) -> bool:
        low, high = _clopper_pearson(pvalue * n - 1, n - 1, confidence)
        return high <= alpha or low > alpha

    decided = high <= alpha or low > alpha
    n_needed = _least(decides, ceil(1 / pvalue)) if decides(MOST) else None
    known = (
        f"With {100 * confidence:g} % confidence, all possible shufflings would give a p between "
        f"{low:.3g} and {high:.3g} [doi:10.1093/biomet/26.4.404]: "
    )
    if decided:
        ending = f"more than the {n:,} made would not change the verdict at {alpha:g}."
    elif n_needed is None:
        ending = f"no feasible number of them would tell which side of {alpha:g} it is on."
    else:
        ending = f"{n:,} do not settle the verdict at {alpha:g}; about {n_needed:,} would."
    return Enough(
        decided=decided, interval=(low, high), n_needed=n_needed, sentence=known + ending
    )


def _clopper_pearson(count: float, n: int, confidence: float) -> tuple[float, float]:
    rest = (1 - confidence) / 2
    low = special.betaincinv(count, n - count + 1, rest) if count > 0 else 0.0
    high = special.betaincinv(count + 1, n - count, 1 - rest) if count < n else 1.0
    return float(low), float(high)


def _least(holds: Callable[[int], bool], start: int) -> int:
    """Find the least number, from start on, from which on something holds."""
    short, n = start - 1, start
    while not holds(n):
        short, n = n, 2 * n
    while n - short > 1:
        middle = (short + n) // 2
        short, n = (short, middle) if holds(middle) else (middle, n)
    return n


def _problems(pvalue: float, n: int, confidence: float) -> list[Problem]:
    problems = []
    if n < 1:
        problems.append(Problem(what="no shufflings", field="n", found=str(n)))
    if not 0 < pvalue <= 1:
        problems.append(
            Problem(
                what="not a p-value",
                field="pvalue",
                found=str(pvalue),
                expected="above 0, at most 1",
            )
        )
    if not 0 < confidence < 1:
        problems.append(
            Problem(
                what="confidence is not between 0 and 1",
                field="confidence",
                found=str(confidence),
            )
        )
    return problems
