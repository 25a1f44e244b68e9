"""p-values of the peaks of a smooth map from random field theory, without shuffling."""

import math

import numpy as np
from jaxtyping import Float
from scipy import optimize

from phmri.exceptions import InferenceError, Problem
from phmri.inference._fdr import false_discovery
from phmri.inference.random_field._euler import (
    StatisticField,
    expected_euler,
    height_of_tail,
    tail_probability,
)

__all__ = ["height_threshold", "peak_pvalue", "peak_qvalue"]

TINY = float(np.finfo(np.float64).tiny)
TAILS = np.logspace(math.log10(0.5), -140, 600)
"""Uncorrected p of the heights among which a threshold is bracketed."""


def peak_pvalue(
    height: Float[np.ndarray, " n"],
    field: StatisticField,
    resels: Float[np.ndarray, " 4"],
    n_voxels: int | None = None,
) -> Float[np.ndarray, " n"]:
    r"""Give the probability that any peak of the search region is as high, never 0.

    Parameters
    ----------
    height : ndarray of shape (n,)
        Statistic; its absolute value when the field has two sides.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.
    n_voxels : int, optional
        Voxels searched: the bound of Bonferroni stands where it is smaller. None: never.

    Returns
    -------
    ndarray of shape (n,)
        Family-wise p.

    Notes
    -----
    :math:`P = \min(1 - e^{-\sum_d R_d \rho_d(u)},\; N\rho_0(u))` [1]_: the number of peaks above
    a great height is a Poisson variable whose mean is the expected Euler characteristic.

    References
    ----------
    .. [1] Worsley et al. (1996), A unified statistical approach for determining significant
       signals in images of cerebral activation,
       doi:10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO;2-O.
    """
    pvalue: Float[np.ndarray, " n"] = -np.expm1(-expected_euler(height, field, resels))
    if n_voxels is not None:
        pvalue = np.minimum(pvalue, n_voxels * tail_probability(height, field))
    return np.asarray(np.maximum(pvalue, TINY))


def height_threshold(
    alpha: float,
    field: StatisticField,
    resels: Float[np.ndarray, " 4"],
    n_voxels: int | None = None,
) -> float:
    """Give the least height from which on the family-wise p of a peak is at most alpha.

    Parameters
    ----------
    alpha : float
        Family-wise error rate, above 0 and below 1.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.
    n_voxels : int, optional
        Voxels searched, for the bound of Bonferroni.

    Returns
    -------
    float
        In units of the statistic; infinity when no height suffices.
    """

    def excess(height: float) -> float:
        return float(peak_pvalue(np.array([height]), field, resels, n_voxels).item()) - alpha

    heights = height_of_tail(TAILS, field)
    heights = heights[np.isfinite(heights)]
    missed = np.flatnonzero(peak_pvalue(heights, field, resels, n_voxels) > alpha)
    if not missed.size:
        return float(heights[0])
    last = int(missed[-1])
    if last == heights.size - 1:
        return math.inf
    return float(optimize.brentq(excess, heights[last], heights[last + 1], xtol=1e-12))


def peak_qvalue(
    height: Float[np.ndarray, " n_peaks"],
    threshold: float,
    field: StatisticField,
    resels: Float[np.ndarray, " 4"],
) -> Float[np.ndarray, " n_peaks"]:
    r"""Adjust all peaks above a threshold for the false discovery rate of peaks.

    Parameters
    ----------
    height : ndarray of shape (n_peaks,)
        Every local maximum above the threshold; its absolute value when the field has two sides.
    threshold : float
        Height above which peaks were looked for.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.

    Returns
    -------
    ndarray of shape (n_peaks,)
        Topological q-value of each peak.

    Raises
    ------
    InferenceError
        When a height is below the threshold, or the threshold or resels are of no use.

    Notes
    -----
    A peak above :math:`u` is as high as :math:`h` with probability
    :math:`\sum_d R_d\rho_d(h) / \sum_d R_d\rho_d(u)`, adjusted by Benjamini-Hochberg [1]_.

    References
    ----------
    .. [1] Chumbley et al. (2010), Topological FDR for neuroimaging,
       doi:10.1016/j.neuroimage.2009.10.090.
    """
    if not (height >= threshold).all():
        raise InferenceError(
            Problem(
                what="peaks below the height above which they were looked for",
                field="height",
                expected=f"at least {threshold:g}",
            )
        )
    above = expected_euler(np.array([threshold]), field, resels)
    share = np.divide(
        expected_euler(height, field, resels), above, out=np.ones(height.size), where=above > 0
    )
    return false_discovery(np.clip(share, TINY, 1.0), "bh")
