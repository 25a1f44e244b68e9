"""Adjusted p-values of hypotheses that count alike, or that stand in one order."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import optimize

from phmri.inference.multiplicity._check import check_pvalues

__all__ = ["Adjustment", "adjust_pvalues"]

Adjustment = Literal["bonferroni", "holm", "hochberg", "hommel", "fixed_sequence"]


def adjust_pvalues(pvalue: Float[np.ndarray, " n"], method: Adjustment) -> Float[np.ndarray, " n"]:
    r"""Adjust p-values for the family-wise error rate.

    Parameters
    ----------
    pvalue : ndarray of shape (n,)
        Between 0 and 1; may be empty. For ``fixed_sequence`` in the order of testing.
    method : {"bonferroni", "holm", "hochberg", "hommel", "fixed_sequence"}
        Bonferroni, Holm and the fixed sequence hold under any dependence; Hochberg and Hommel
        where Simes' test does: independence, or positive dependence (PRDS).

    Returns
    -------
    ndarray of shape (n,)
        The least family-wise error rate at which each hypothesis is rejected.

    Notes
    -----
    With :math:`p_{(1)} \le \dots \le p_{(n)}`, and 1 as the bound of each,

    .. math::
        \text{Bonferroni: } & n\,p_{(i)} \\
        \text{Holm [1]_: } & \max_{j \le i} (n - j + 1)\,p_{(j)} \\
        \text{Hochberg [2]_: } & \min_{j \ge i} (n - j + 1)\,p_{(j)} \\
        \text{fixed sequence: } & \max_{j \le i} p_j \text{ in the order given}

    and Hommel's [3]_ from closed testing with Simes' test. All take :math:`O(n \log n)`, so that
    a map of voxels is adjusted like three questions.

    References
    ----------
    .. [1] Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
       Journal of Statistics 6:65-70.
    .. [2] Hochberg (1988), doi:10.1093/biomet/75.4.800.
    .. [3] Hommel (1988), doi:10.1093/biomet/75.2.383.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.01, 0.04, 0.03])
    >>> adjust_pvalues(p, "holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjust_pvalues(p, "fixed_sequence").round(3).tolist()
    [0.01, 0.04, 0.04]
    """
    check_pvalues(pvalue)
    in_order = method == "fixed_sequence"
    order = np.arange(pvalue.size) if in_order else np.argsort(pvalue, kind="stable")
    rising = pvalue[order]
    remaining = np.arange(pvalue.size, 0, -1)
    bound: Float[np.ndarray, " n"]
    match method:
        case "bonferroni":
            bound = pvalue.size * rising
        case "holm":
            bound = np.maximum.accumulate(remaining * rising)
        case "hochberg":
            bound = np.minimum.accumulate((remaining * rising)[::-1])[::-1]
        case "hommel":
            bound = _adjust_by_hommel(rising)
        case "fixed_sequence":
            bound = np.maximum.accumulate(rising)
    adjusted = np.empty(pvalue.size)
    adjusted[order] = np.minimum(bound, 1.0)
    return adjusted


def _adjust_by_hommel(rising: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""Adjust by Hommel's procedure.

    Notes
    -----
    Let :math:`S_k` be the p-value of Simes' test of the k largest p-values; it falls as k rises.
    A set of k that holds :math:`p` is rejected at the latest at :math:`\max(S_{k+1}, k p)`, whose
    minimum over k is the adjusted p-value. It lies where the rising :math:`k p` first reaches the
    falling :math:`S_{k+1}`.
    """
    if rising.size <= 1:
        return rising
    simes = _simes_of_largest(rising)
    sizes = np.arange(1, rising.size + 1)
    reached = np.append(simes[1:], 0.0) / sizes
    first = rising.size - np.searchsorted(reached[::-1], rising, side="right")
    adjusted: Float[np.ndarray, " n"] = np.minimum(sizes[first] * rising, simes[first])
    return adjusted


def _simes_of_largest(rising: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    r"""Give the p-value of Simes' test of the k largest p-values, for every k.

    Notes
    -----
    :math:`S_k = k \min_{r > m} p_{(r)} / (r - m)` with :math:`m = n - k`: the slope of the
    flattest line from (m, 0) to the points :math:`(r, p_{(r)})` right of it. That point is a
    corner of their lower convex hull, whose slopes are the isotonic regression of the steps. A
    corner is passed over when the hull's next edge, drawn on, meets the axis left of m.
    """
    n = rising.size
    corner = optimize.isotonic_regression(np.diff(rising)).blocks
    height = rising[corner]
    steps = np.diff(height)
    back = np.full(steps.size, np.inf)
    np.divide(height[1:] * np.diff(corner), steps, out=back, where=steps > 0)
    meets = corner[1:] + 1 - back
    left = np.arange(n - 1, -1, -1)
    touched = np.maximum(
        np.searchsorted(meets, left, side="left"), np.searchsorted(corner + 1, left, side="right")
    )
    simes: Float[np.ndarray, " n"] = (n - left) * height[touched] / (corner[touched] + 1 - left)
    return simes
