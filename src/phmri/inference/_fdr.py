"""The share of discoveries that are false, kept below a rate."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import InferenceError, Problem

__all__ = ["false_discovery", "qvalues_of"]


def false_discovery(
    pvalue: Float[np.ndarray, " n"], method: Literal["bh", "by"] = "bh"
) -> Float[np.ndarray, " n"]:
    r"""Adjust p-values for the false discovery rate.

    Parameters
    ----------
    pvalue : ndarray of shape (n,)
        Between 0 and 1; may be empty.
    method : {"bh", "by"}, default "bh"
        Benjamini-Hochberg, valid under independence or positive regression dependence, or
        Benjamini-Yekutieli, valid under any dependence.

    Returns
    -------
    ndarray of shape (n,)
        The least rate at which each outcome is a discovery.

    Raises
    ------
    InferenceError
        When a p-value is not a number between 0 and 1.

    Notes
    -----
    :math:`q_{(i)} = \min(1, \min_{j \ge i} c\,n\,p_{(j)} / j)` with :math:`c = 1` [1]_ or
    :math:`c = \sum_{k=1}^{n} 1/k` [2]_.

    References
    ----------
    .. [1] Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    .. [2] Benjamini and Yekutieli (2001), doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> import numpy as np
    >>> false_discovery(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    bad = ~((pvalue >= 0) & (pvalue <= 1))
    if bad.any():
        raise InferenceError(
            Problem(
                what="p-values that are not probabilities",
                field="pvalue",
                found=f"{int(bad.sum())} of {bad.size}, the first is {pvalue[bad][0]}",
                expected="numbers between 0 and 1",
            )
        )
    falling = np.argsort(pvalue, kind="stable")[::-1]
    ranks = np.arange(pvalue.size, 0, -1)
    dependence = np.sum(1 / ranks) if method == "by" else 1.0
    bound = dependence * pvalue.size * pvalue[falling] / ranks
    q = np.empty(pvalue.size)
    q[falling] = np.minimum(np.minimum.accumulate(bound), 1.0)
    return q


def qvalues_of(
    tested: Bool[np.ndarray, " n"],
    pvalue: Float[np.ndarray, " n"],
    method: Literal["bh", "by"],
) -> Float[np.ndarray, " n"]:
    """Adjust the p-values of the tested outcomes for the false discovery rate among them.

    Parameters
    ----------
    tested : ndarray of bool of shape (n,)
        Outcomes that could be discoveries.
    pvalue : ndarray of shape (n,)
        Between 0 and 1.
    method : {"bh", "by"}
        As in `false_discovery`.

    Returns
    -------
    ndarray of shape (n,)
        1 where nothing was tested.
    """
    qvalue = np.ones(pvalue.size)
    qvalue[tested] = false_discovery(pvalue[tested], method)
    return qvalue
