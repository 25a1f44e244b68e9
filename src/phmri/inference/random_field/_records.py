"""What random field theory says of a map, as records."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from phmri.inference.random_field._euler import StatisticField
from phmri.inference.random_field._smoothness import Smoothness

__all__ = ["FieldClusters", "FieldPeaks", "RandomField"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldClusters:
    """Clusters above the forming height, the one with the strongest peak first.

    Parameters
    ----------
    label : ndarray of int of shape (n_voxels,)
        k for voxels of the k-th cluster, from 1; 0 outside.
    extent : ndarray of int of shape (n_clusters,)
        Voxels.
    pvalue, qvalue, pvalue_uncorrected : ndarray of shape (n_clusters,)
        Family-wise p, topological false discovery rate, and p of one cluster, of the extent.
    """

    label: Int[np.ndarray, " n_voxels"]
    extent: Int[np.ndarray, " n_clusters"]
    pvalue: Float[np.ndarray, " n_clusters"]
    qvalue: Float[np.ndarray, " n_clusters"]
    pvalue_uncorrected: Float[np.ndarray, " n_clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPeaks:
    """Every local maximum above the cluster-forming height, the strongest first.

    A maximum is at least as high as its neighbours; on a plateau every voxel is one.

    Parameters
    ----------
    outcome : ndarray of int of shape (n_peaks,)
        Voxel, in the order of the mask.
    cluster : ndarray of int of shape (n_peaks,)
        Number of its cluster, from 1.
    height : ndarray of shape (n_peaks,)
        Statistic, with its sign.
    z : ndarray of shape (n_peaks,)
        Normal deviate of the same tail probability, with the sign of the statistic.
    pvalue, qvalue, pvalue_uncorrected : ndarray of shape (n_peaks,)
        Family-wise p, topological false discovery rate, and p of one voxel, of the height.
    """

    outcome: Int[np.ndarray, " n_peaks"]
    cluster: Int[np.ndarray, " n_peaks"]
    height: Float[np.ndarray, " n_peaks"]
    z: Float[np.ndarray, " n_peaks"]
    pvalue: Float[np.ndarray, " n_peaks"]
    qvalue: Float[np.ndarray, " n_peaks"]
    pvalue_uncorrected: Float[np.ndarray, " n_peaks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomField:
    """All that random field theory says of a map.

    Parameters
    ----------
    field : StatisticField
        Kind of field under the null hypothesis.
    smoothness : Smoothness
        FWHM, resels and voxels of the search region.
    alpha : float
        Error rate of the thresholds.
    pvalue : ndarray of shape (n_voxels,)
        Family-wise p of every voxel's height.
    height_threshold, height_threshold_fdr : float
        Least height of a peak that is family-wise significant, and least height of a peak found
        here whose topological q is at most alpha (infinity: none).
    cluster_threshold, cluster_forming_pvalue : float
        Height that forms clusters, and its uncorrected p.
    expected_clusters, expected_extent : float
        Clusters expected by chance, and voxels expected in one.
    extent_threshold, extent_threshold_fdr : float
        Least voxels of a cluster that is family-wise significant, and least extent found here
        whose topological q is at most alpha (infinity: none).
    set_pvalue : float
        p of as many clusters by chance.
    clusters : FieldClusters
        Table of the clusters.
    peaks : FieldPeaks
        Table of the peaks.
    assumptions : tuple of str
        What was computed and taken on trust, with citations as ``[doi:...]``.
    doubts : tuple of str
        Which of them these data strain, and what follows; empty when none.
    """

    field: StatisticField
    smoothness: Smoothness
    alpha: float
    pvalue: Float[np.ndarray, " n_voxels"]
    height_threshold: float
    height_threshold_fdr: float
    cluster_threshold: float
    cluster_forming_pvalue: float
    expected_clusters: float
    expected_extent: float
    extent_threshold: float
    extent_threshold_fdr: float
    set_pvalue: float
    clusters: FieldClusters
    peaks: FieldPeaks
    assumptions: tuple[str, ...]
    doubts: tuple[str, ...]
