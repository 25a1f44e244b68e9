r"""How many outcomes of a set truly differ, at least: a bound that holds for all sets at once.

Closed testing with Simes' test rejects a set when, for some j, at least j of its p-values are at
most :math:`j\alpha/s`, with s the size of the set. A set holds at least d true discoveries when
no set that closed testing left standing shares more than all but d of its members. The bound
holds, with probability :math:`1-\alpha`, for every set that could be looked at, so that sets may
be chosen after seeing the data.
"""

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import InferenceError, Problem

__all__ = ["count_true_discoveries", "largest_standing_set", "true_discoveries"]

ROUNDING = 1e-12
"""Relative: p-values that are fractions may equal their critical value."""


def true_discoveries(
    pvalue_all: Float[np.ndarray, " n_outcomes"],
    members: Bool[np.ndarray, " n_outcomes"],
    alpha: float,
) -> int:
    """Give a lower bound on the number of true discoveries in a set of outcomes.

    Parameters
    ----------
    pvalue_all : ndarray of shape (n_outcomes,)
        Uncorrected, of all outcomes that were tested.
    members : ndarray of bool of shape (n_outcomes,)
        The set; it may be chosen after seeing the data.
    alpha : float
        Probability that the bound is too high for any set.

    Returns
    -------
    int
        0 when nothing can be said.

    Notes
    -----
    Valid where Simes' test is: independence, or positive dependence (PRDS), which is commonly
    accepted for the p-values of smooth maps [1]_. A p-value outside 0 to 1 is refused. See
    `count_true_discoveries`.

    References
    ----------
    .. [1] Rosenblatt et al. (2018), All-Resolutions Inference for brain imaging,
       doi:10.1016/j.neuroimage.2018.07.060.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.001, 0.002, 0.004, 0.6, 0.8])
    >>> true_discoveries(p, np.array([True, True, True, True, False]), 0.05)
    3
    """
    standing = largest_standing_set(pvalue_all, alpha)
    return count_true_discoveries(pvalue_all[members], standing, alpha)


def largest_standing_set(pvalue_all: Float[np.ndarray, " n_outcomes"], alpha: float) -> int:
    r"""Give the size of the largest set of outcomes that Simes' test does not reject.

    Parameters
    ----------
    pvalue_all : ndarray of shape (n_outcomes,)
        Uncorrected, of all outcomes that were tested.
    alpha : float
        Error rate.

    Returns
    -------
    int
        Hommel's :math:`h(\alpha)`.

    Raises
    ------
    InferenceError
        When a p-value is not between 0 and 1.

    Notes
    -----
    Of all sets of one size that of the largest p-values is the hardest to reject, so [1]_

    .. math:: h(\alpha) = \max\{0 \le s \le n : s\,p_{(n-s+j)} > j\alpha,\ j = 1, \dots, s\}.

    A set that stands loses its smallest p-value and still stands, since
    :math:`(j + 1)/s \ge j/(s - 1)`: the sizes that stand are 0 to h, and halving finds h in
    :math:`O(n \log n)`.

    References
    ----------
    .. [1] Hommel (1988), A stagewise rejective multiple test procedure based on a modified
       Bonferroni test, doi:10.1093/biomet/75.2.383.
    """
    if not ((pvalue_all >= 0) & (pvalue_all <= 1)).all():
        raise InferenceError(Problem(what="p-values are numbers between 0 and 1"))
    descending = np.sort(pvalue_all)[::-1]
    standing, rejected = 0, pvalue_all.size + 1
    while rejected - standing > 1:
        size = (standing + rejected) // 2
        critical = np.arange(size, 0, -1) * (alpha * (1 + ROUNDING))
        if (size * descending[:size] > critical).all():
            standing = size
        else:
            rejected = size
    return standing


def count_true_discoveries(
    pvalue: Float[np.ndarray, " n_members"], standing: int, alpha: float
) -> int:
    r"""Give a lower bound on the number of true discoveries, of a set of p-values.

    Parameters
    ----------
    pvalue : ndarray of shape (n_members,)
        Uncorrected, of the members of the set.
    standing : int
        As `largest_standing_set` gives it for all outcomes.
    alpha : float
        Error rate.

    Returns
    -------
    int
        From 0 to the size of the set.

    Notes
    -----
    With h the size of the largest standing set [1]_ (their equation 3)

    .. math:: d(S) = \max_{1 \le u \le |S|}\ 1 - u + \#\{i \in S : h\,p_i \le u\alpha\}.

    The maximum is taken where a p-value enters: at the k-th smallest, the least u that lets it in
    is :math:`\max(1, \lceil h\,p_{(k)} / \alpha \rceil)`.

    References
    ----------
    .. [1] Goeman et al. (2019), Simultaneous control of all false discovery proportions in
       large-scale multiple hypothesis testing, doi:10.1093/biomet/asz041.
    """
    if pvalue.size == 0:
        return 0
    entering = np.maximum(1, np.ceil(standing * np.sort(pvalue) / (alpha * (1 + ROUNDING))))
    return max(0, int((np.arange(1, pvalue.size + 1) - entering + 1).max()))
