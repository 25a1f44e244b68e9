r"""From maxima to p-values, beyond the shufflings made.

A count of :math:`n` shufflings gives no p below :math:`1/n`. The far end of almost any
distribution has a known form, though, which a few hundred shufflings determine.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import least_reaching, pvalue_of_maximum, tie_margin
from phmri.inference.tails._finite import not_finite
from phmri.inference.tails._pareto import GOODNESS_PVALUES, ParetoFit, fit_pareto, pareto_survival

__all__ = ["Tail", "fit_tail", "pvalue_in_tail"]

JUNCTION = 0.1
"""Counts are as good as a fit from here on: of 1000 shufflings, 100."""
LARGEST_SHARE, MOST, FEWEST = 4, 2500, 20
"""Exceedances: at most a quarter of the shufflings, and between these numbers."""
STEPS = 25
"""The threshold is raised by a 25th of the exceedances, as from the upper quartile by percents."""
ACCEPTABLE = 0.05

CITATIONS = "[doi:10.1093/bioinformatics/btp211, doi:10.1016/j.neuroimage.2016.05.068]"
COUNTED = "All p-values are counts of shufflings: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The distribution of a maximum: counts, and what lies above a threshold.

    Parameters
    ----------
    null_maximum : ndarray of shape (n_shufflings,)
        The identity first.
    threshold : float or None
        Above it, the fit holds; None: nowhere.
    excess : ParetoFit or None
        Of what exceeds the threshold, the identity left out.
    least_pvalue : float
        That all possible shufflings could give.
    sentence : str
        What p-values rest on, with citations as ``[doi:...]``.
    """

    null_maximum: Float[np.ndarray, " n_shufflings"]
    threshold: float | None
    excess: ParetoFit | None
    least_pvalue: float
    sentence: str


def fit_tail(
    null_maximum: Float[np.ndarray, " n_shufflings"], *, n_possible: int | None = None
) -> Tail:
    """Find a threshold above which the maxima follow a generalised Pareto distribution.

    Parameters
    ----------
    null_maximum : ndarray of shape (n_shufflings,)
        Maximum of every shuffling, the identity first.
    n_possible : int, optional
        Distinct shufflings that there are: no p is below one of them.

    Returns
    -------
    Tail
        For `pvalue_in_tail`.

    Raises
    ------
    InferenceError
        A value that is not a finite number, or no shuffling.

    Notes
    -----
    Starts at the upper quartile, or at the 2500 largest, and raises the threshold until Anderson
    and Darling's test accepts the fit [1]_ [2]_ [3]_, or fewer than 20 exceedances are left. The
    identity takes no part: were the effect real, the fit would bend to it.

    References
    ----------
    .. [1] Knijnenburg et al. (2009), doi:10.1093/bioinformatics/btp211.
    .. [2] Winkler et al. (2016), doi:10.1016/j.neuroimage.2016.05.068.
    .. [3] Choulakian and Stephens (2001), doi:10.1198/00401700152672573.
    """
    problems = not_finite("null_maximum", null_maximum)
    if not null_maximum.size:
        problems.append(Problem(what="no shufflings", field="null_maximum"))
    if problems:
        raise InferenceError(*problems)
    n = null_maximum.size
    threshold, excess = None, None
    if n_possible is not None and n_possible <= n:
        sentence = f"{COUNTED}all {n_possible} that there are have been made."
    elif (n - 1) // LARGEST_SHARE < FEWEST:
        sentence = f"{COUNTED}{n - 1} random ones are too few to fit their tail."
    else:
        threshold, excess = _raise_threshold(null_maximum[1:].astype(np.float64))
        sentence = (
            f"{COUNTED}a generalised Pareto distribution did not fit their tail above any "
            f"threshold {CITATIONS}."
        )
        if threshold is not None and excess is not None:
            sentence = _fitted_sentence(null_maximum, threshold, excess)
    return Tail(
        null_maximum=null_maximum,
        threshold=threshold,
        excess=excess,
        least_pvalue=max(1 / (n_possible or np.inf), float(np.finfo(np.float64).tiny)),
        sentence=sentence,
    )


def pvalue_in_tail(
    tail: Tail, statistic: Float[np.ndarray, " m"], *, margin: float = 0.0
) -> Float[np.ndarray, " m"]:
    r"""Give p-values by counting and, in the tail, by the fit.

    Parameters
    ----------
    tail : Tail
        As `fit_tail` gives it.
    statistic : ndarray of shape (m,)
        Oriented: large against the null hypothesis.
    margin : float, default 0
        Relative difference, beside 1e-9, within which two values are the same number.

    Returns
    -------
    ndarray of shape (m,)
        Never 0; falls as the statistic rises.

    Raises
    ------
    InferenceError
        A statistic that is not a finite number.

    Notes
    -----
    Counted where the count is 0.1 or more, or the statistic is below the threshold :math:`u`.
    Beyond,

    .. math:: p = \frac{k + 1}{n}\,S(T - u),

    where :math:`(k+1)/n` is exactly the probability that one more shuffling exceeds the k-th
    largest of :math:`n - 1` others, and :math:`S` the probability of an excess, averaged over all
    distributions that the k excesses do not rule out (`_pareto`). The p of the
    best-fitting one alone is reached too often under the null hypothesis (0.001, from 200
    shufflings: 3 times too often), and is 0 beyond the end of a bounded tail.
    """
    problems = not_finite("statistic", statistic)
    if problems:
        raise InferenceError(*problems)
    pvalue = pvalue_of_maximum(statistic, tail.null_maximum, margin=margin)
    if tail.threshold is None or tail.excess is None:
        return pvalue
    least = least_reaching(statistic, margin=margin)
    beyond = (pvalue < JUNCTION) & (least > tail.threshold)
    share = (tail.excess.n + 1) / tail.null_maximum.size
    fitted = share * pareto_survival(tail.excess, least[beyond] - tail.threshold)
    pvalue[beyond] = np.clip(fitted, tail.least_pvalue, JUNCTION)
    return pvalue


def _raise_threshold(
    shuffled: Float[np.ndarray, " n"],
) -> tuple[float, ParetoFit] | tuple[None, None]:
    """Give the least threshold above which the fit is acceptable."""
    descending = np.sort(shuffled)[::-1]
    most = min(descending.size // LARGEST_SHARE, MOST)
    for step in range(STEPS):
        n_above = most * (STEPS - step) // STEPS
        threshold = float(descending[n_above])
        excess = descending[:n_above] - threshold
        excess = excess[excess > tie_margin(descending[n_above : n_above + 1], np.inf)]
        if excess.size < FEWEST:
            break
        fit = fit_pareto(excess)
        if fit.goodness_pvalue > ACCEPTABLE:
            return threshold, fit
    return None, None


def _fitted_sentence(
    null_maximum: Float[np.ndarray, " n_shufflings"], threshold: float, excess: ParetoFit
) -> str:
    ceiling = GOODNESS_PVALUES[0]
    goodness = f"{excess.goodness_pvalue:.2f}"
    if excess.goodness_pvalue >= ceiling:
        goodness = f"above {ceiling:g}"
    end = np.inf if excess.shape >= 0 else threshold - excess.scale / excess.shape
    sentence = (
        f"p-values below {JUNCTION:g} come from a generalised Pareto distribution, fitted to the "
        f"{excess.n} of {null_maximum.size - 1} random shufflings whose maximum is above "
        f"{threshold:.4g} (shape {excess.shape:.2f}, Anderson-Darling p {goodness}) and averaged "
        f"over the shapes and scales that these do not rule out {CITATIONS}."
    )
    if end < null_maximum[0]:
        sentence += (
            f" The best fit ends at {end:.4g}, below the strongest outcome, whose p rests on the "
            "others and is no smaller than all possible shufflings could give."
        )
    return sentence
