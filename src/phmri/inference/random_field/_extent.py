"""p-values of the clusters of a smooth map from random field theory, without shuffling."""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from phmri.exceptions import InferenceError, Problem
from phmri.inference.random_field._euler import StatisticField, euler_densities, expected_euler

__all__ = [
    "cluster_pvalue",
    "expected_resels_per_cluster",
    "extent_threshold",
    "set_pvalue",
]

TINY = float(np.finfo(np.float64).tiny)


def cluster_pvalue(
    extent_resels: Float[np.ndarray, " n"],
    threshold: float,
    field: StatisticField,
    resels: Float[np.ndarray, " 4"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    r"""Give the probability that any cluster, and that a given cluster, is as large.

    Parameters
    ----------
    extent_resels : ndarray of shape (n,)
        Voxels of each cluster over the product of the three FWHM in voxels.
    threshold : float
        Cluster-forming height.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.

    Returns
    -------
    fwe : ndarray of shape (n,)
        Family-wise p, never 0.
    uncorrected : ndarray of shape (n,)
        p of one cluster given that it exists, never 0.

    Raises
    ------
    InferenceError
        When an extent is negative or not a number, or the threshold or resels are of no use.

    Notes
    -----
    Extent to the power :math:`2/D` is exponential [1]_: with :math:`\eta` the expected resels per
    cluster, :math:`p = e^{-\beta k^{2/D}}`, :math:`\beta = (\Gamma(D/2 + 1)/\eta)^{2/D}` and
    :math:`P = 1 - e^{-m p}` for :math:`m` expected clusters. That holds for Gaussian fields at
    great heights and is used for t and F with their own :math:`\eta` and :math:`m`.

    References
    ----------
    .. [1] Friston et al. (1994), Assessing the significance of focal activations using their
       spatial extent, doi:10.1002/hbm.460010306.
    """
    if not (extent_resels >= 0).all():
        raise InferenceError(
            Problem(
                what="cluster extents that are negative or not numbers",
                field="extent_resels",
                expected="resels, at least 0",
            )
        )
    dimension = _dimension(resels)
    decay = _decay(threshold, field, resels)
    uncorrected = np.exp(-decay * extent_resels ** (2 / dimension))
    m = expected_euler(np.array([threshold]), field, resels)
    return np.maximum(-np.expm1(-m * uncorrected), TINY), np.maximum(uncorrected, TINY)


def expected_resels_per_cluster(
    threshold: float, field: StatisticField, resels: Float[np.ndarray, " 4"]
) -> float:
    r"""Give the expected extent of a cluster, in resels.

    Parameters
    ----------
    threshold : float
        Cluster-forming height.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region; the highest that is not 0 sets the dimension.

    Returns
    -------
    float
        :math:`\rho_0/\rho_D`: the expected supra-threshold resels over the expected number of
        clusters, both without the region's edge. Infinity at heights without a density.
    """
    density = euler_densities(np.array([threshold]), field)[:, 0]
    highest = float(density[_dimension(resels)])
    return float(density[0]) / highest if highest > 0 else math.inf


def extent_threshold(
    alpha: float, threshold: float, field: StatisticField, resels: Float[np.ndarray, " 4"]
) -> float:
    """Give the least extent whose family-wise p is at most alpha.

    Parameters
    ----------
    alpha : float
        Family-wise error rate, above 0 and below 1.
    threshold : float
        Cluster-forming height.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.

    Returns
    -------
    float
        In resels; 0 when every cluster passes, infinity when none does.
    """
    decay = _decay(threshold, field, resels)
    needed = -math.log1p(-alpha)
    m = float(expected_euler(np.array([threshold]), field, resels).item())
    if m <= needed:
        return 0.0
    if not decay:
        return math.inf
    extent: float = (math.log(m / needed) / decay) ** (_dimension(resels) / 2)
    return extent


def set_pvalue(
    n_clusters: int,
    extent_resels: float,
    threshold: float,
    field: StatisticField,
    resels: Float[np.ndarray, " 4"],
) -> float:
    """Give the probability of so many clusters of some extent or more anywhere (set level).

    Parameters
    ----------
    n_clusters : int
        Clusters found that are at least as large.
    extent_resels : float
        Least extent that was counted, in resels.
    threshold : float
        Cluster-forming height.
    field : StatisticField
        Kind of field.
    resels : ndarray of shape (4,)
        Resels of the search region in 0 to 3 dimensions.

    Returns
    -------
    float
        Upper tail of a Poisson variable, never 0.
    """
    _, uncorrected = cluster_pvalue(np.array([extent_resels]), threshold, field, resels)
    m = expected_euler(np.array([threshold]), field, resels) * uncorrected
    return max(float(stats.poisson.sf(n_clusters - 1, m).item()), TINY)


def _decay(threshold: float, field: StatisticField, resels: Float[np.ndarray, " 4"]) -> float:
    """Give the rate at which cluster extent to the power 2/D becomes improbable."""
    dimension = _dimension(resels)
    expected = expected_resels_per_cluster(threshold, field, resels)
    rate: float = (math.gamma(dimension / 2 + 1) / expected) ** (2 / dimension)
    return rate


def _dimension(resels: Float[np.ndarray, " 4"]) -> int:
    extended: Int[np.ndarray, " n_extended"] = np.flatnonzero(resels[1:] > 0) + 1
    if not extended.size:
        raise InferenceError(
            Problem(
                what="a search region without extent has no clusters",
                field="resels",
                found=str(resels),
                expected="resels above 0 in at least one dimension",
            )
        )
    return int(extended[-1])
