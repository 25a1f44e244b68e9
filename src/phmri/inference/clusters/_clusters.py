r"""Clusters: neighbouring outcomes that all exceed a threshold, and how large they are.

At a threshold :math:`u` a positive cluster is a connected component of :math:`\{v: T_v > u\}`, a
negative one of :math:`\{v: -T_v > u\}`. Its extent is the number of its outcomes (or the sum of
their sizes), its mass :math:`\sum_v (|T_v| - u)` or :math:`\sum_v |T_v|`. For the edges of a
network the clusters are the components of the network-based statistic.
"""

from dataclasses import dataclass
from math import fsum, isfinite
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int, Int32, UInt8
from scipy import stats

from phmri.exceptions import InferenceError, Problem
from phmri.inference._records import StatisticName
from phmri.inference._space import Space
from phmri.inference.clusters._kernel import find_beyond, measure_clusters
from phmri.inference.clusters._neighbourhood import Lattice, Links, make_neighbourhood
from phmri.protocol import Inference

__all__ = ["ClusterFinder", "ClusterWorkspace", "Labelling", "cluster_threshold", "make_clusters"]

THRESHOLDS = ("cluster_z", "cluster_t", "cluster_p")
LEAST_P = 1e-12
"""One-sided p of the highest cluster-forming threshold, as the protocol has it; so small a p is
good to four digits in 1 - p, and no map reaches much beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """The clusters of one map, the largest mass first.

    Parameters
    ----------
    labels : ndarray of int of shape (n_outcomes,)
        0 outside; k in the k-th cluster.
    sign : ndarray of int of shape (n_clusters,)
        1 or -1.
    extent : ndarray of shape (n_clusters,)
        Number of outcomes, or sum of their sizes.
    mass : ndarray of shape (n_clusters,)
        In units of the statistic.
    """

    labels: Int[np.ndarray, " n_outcomes"]
    sign: Int[np.ndarray, " n_clusters"]
    extent: Float[np.ndarray, " n_clusters"]
    mass: Float[np.ndarray, " n_clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWorkspace:
    """Buffers of one thread.

    Parameters
    ----------
    flags : ndarray of shape (n_flags,)
        Whether an outcome is beyond the threshold; as many as outcomes, rounded up to eights.
    beyond : ndarray of shape (n_outcomes + 1,)
        The outcomes that are.
    tags : ndarray of shape (n_places,)
        Place in that list; 0 between calls.
    parent : ndarray of shape (n_outcomes,)
        For each outcome of the list, an earlier one of its cluster.
    extent, mass : ndarray of shape (n_outcomes,)
        Of the cluster that begins there.
    """

    flags: UInt8[np.ndarray, " n_flags"]
    beyond: Int32[np.ndarray, " n_list"]
    tags: Int32[np.ndarray, " n_places"]
    parent: Int32[np.ndarray, " n_outcomes"]
    extent: Float64[np.ndarray, " n_outcomes"]
    mass: Float64[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFinder:
    """Finds the clusters of maps over one set of outcomes.

    Parameters
    ----------
    neighbourhood : Lattice or Links
        Which outcomes are neighbours.
    sizes : ndarray of shape (n_outcomes,)
        What an outcome counts for in the extent.
    threshold : float
        Only what is strictly beyond it belongs to a cluster.
    base : float
        Taken off the height of every outcome before mass is summed: the threshold, or 0.
    """

    neighbourhood: Lattice | Links
    sizes: Float64[np.ndarray, " n_outcomes"]
    threshold: float
    base: float

    def workspace(self) -> ClusterWorkspace:
        """Make the buffers of one thread.

        Returns
        -------
        ClusterWorkspace
        """
        n = self.sizes.size
        return ClusterWorkspace(
            flags=np.zeros(-(-n // 8) * 8, dtype=np.uint8),
            beyond=np.empty(n + 1, dtype=np.int32),
            tags=np.zeros(self.neighbourhood.n_places, dtype=np.int32),
            parent=np.empty(n, dtype=np.int32),
            extent=np.empty(n),
            mass=np.empty(n),
        )

    def maxima(
        self, values: Float[np.ndarray, " n_outcomes"], workspace: ClusterWorkspace
    ) -> tuple[float, float, float, float]:
        """Give the largest extent and the largest mass of the clusters of each sign.

        Parameters
        ----------
        values : ndarray of shape (n_outcomes,)
            Statistic with its sign, float32 or float64.
        workspace : ClusterWorkspace
            Of the calling thread.

        Returns
        -------
        tuple of float
            Extent and mass of positive clusters, extent and mass of negative ones; 0 where there
            are none. The largest mass need not be the mass of the largest cluster.

        Notes
        -----
        A map with NaN, or of another number of outcomes, is refused.
        """
        beyond = self._join(values, workspace)
        extent_up, mass_up, extent_down, mass_down = measure_clusters(
            values,
            beyond,
            workspace.parent,
            self.sizes,
            self.base,
            workspace.extent,
            workspace.mass,
        )
        return extent_up, mass_up, extent_down, mass_down

    def label(
        self,
        values: Float[np.ndarray, " n_outcomes"],
        positions_mm: Float[np.ndarray, "n_outcomes 3"] | None = None,
    ) -> Labelling:
        """Find the clusters of one map and number them.

        Parameters
        ----------
        values : ndarray of shape (n_outcomes,)
            Statistic with its sign, float32 or float64.
        positions_mm : ndarray of shape (n_outcomes, 3), optional
            Decide between clusters of equal mass.

        Returns
        -------
        Labelling

        Notes
        -----
        A map with NaN, or of another number of outcomes, is refused.

        Masses are summed exactly (rounded once), so that neither they nor the order of the
        clusters depend on the order of outcomes or the direction of image axes; `maxima` gives
        the same masses but for rounding. Of clusters of equal mass the one comes first whose
        least member does: by x, then y, then z in mm, or by outcome where no positions are given.
        """
        workspace = self.workspace()
        beyond = self._join(values, workspace)
        roots, cluster = np.unique(workspace.parent[: beyond.size], return_inverse=True)
        heights = values[beyond].astype(np.float64)
        rank = np.arange(beyond.size)
        if positions_mm is not None:
            rank[np.lexsort(positions_mm[beyond].T[::-1])] = np.arange(beyond.size)
        least = np.full(roots.size, beyond.size)
        np.minimum.at(least, cluster, rank)
        parts = np.split(
            (np.abs(heights) - self.base)[np.argsort(cluster, kind="stable")],
            np.cumsum(np.bincount(cluster, minlength=roots.size))[:-1],
        )
        mass = np.array([fsum(part) for part in parts[: roots.size]])
        order = np.lexsort((least, -mass))
        number = np.empty(roots.size, dtype=np.int64)
        number[order] = np.arange(1, roots.size + 1)
        labels = np.zeros(values.size, dtype=np.int64)
        labels[beyond] = number[cluster]
        extent = np.bincount(cluster, self.sizes[beyond], minlength=roots.size)
        return Labelling(
            labels=labels,
            sign=np.where(heights[roots] > 0, 1, -1)[order],
            extent=extent[order].astype(np.float64),  # of no cluster, bincount gives int
            mass=mass[order],
        )

    def _join(
        self, values: Float[np.ndarray, " n_outcomes"], workspace: ClusterWorkspace
    ) -> Int32[np.ndarray, " n_beyond"]:
        # Lists the outcomes beyond the threshold, and leaves their roots in the workspace.
        if values.size != self.sizes.size:
            raise InferenceError(
                Problem(
                    what="the map has another number of outcomes than the space of the clusters",
                    found=str(values.size),
                    expected=str(self.sizes.size),
                )
            )
        bar = _rounded_down(self.threshold, values.dtype)
        count = find_beyond(values, bar, workspace.flags, workspace.beyond)
        if count < 0:
            raise InferenceError(Problem(what="the map has values that are not numbers"))
        beyond = workspace.beyond[:count]
        self.neighbourhood.join(values, beyond, workspace.tags, workspace.parent)
        return beyond


def make_clusters(
    space: Space, threshold: float, *, mass: Literal["excess", "height"]
) -> ClusterFinder:
    r"""Prepare the search for clusters.

    Parameters
    ----------
    space : Volume or Graph
        Where the outcomes lie.
    threshold : float
        Cluster-forming threshold, in units of the statistic; 0 or more.
    mass : {"excess", "height"}
        Whether mass sums what exceeds the threshold, or all of the height.

    Returns
    -------
    ClusterFinder

    Raises
    ------
    InferenceError
        When the threshold is negative or not finite, or the space is empty or contradicts itself.

    Notes
    -----
    "Beyond" is strict, :math:`|T_v| > u`, as in randomise and PALM, and is decided exactly for
    the number that arrives, in float32 as in float64: a value that rounding moved across the
    threshold has crossed it. Two runs of the same data decide alike, bit by bit.

    References
    ----------
    .. [1] Bullmore et al. (1999), Global, voxel, and cluster tests, by theory and permutation,
       for a difference between two groups of structural MR images of the brain,
       doi:10.1109/42.750253.
    .. [2] Zalesky et al. (2010), Network-based statistic: identifying differences in brain
       networks, doi:10.1016/j.neuroimage.2010.06.041.
    """
    if not (isfinite(threshold) and threshold >= 0):
        raise InferenceError(
            Problem(
                what="a cluster-forming threshold is a finite number, 0 or more",
                found=str(threshold),
            )
        )
    neighbourhood, sizes = make_neighbourhood(space)
    return ClusterFinder(
        neighbourhood=neighbourhood,
        sizes=sizes,
        threshold=float(threshold),
        base=float(threshold) if mass == "excess" else 0.0,
    )


def cluster_threshold(
    settings: Inference, df: float, *, df1: int = 1, statistic: StatisticName = "t"
) -> float:
    r"""Give the cluster-forming threshold in units of the heights that are clustered.

    Parameters
    ----------
    settings : Inference
        As the protocol declares it; exactly one of its three thresholds is given.
    df : float
        Residual degrees of freedom; infinity for a normal statistic.
    df1 : int, default 1
        Rows of the contrast, for F and G.
    statistic : {"t", "F", "v", "G"}, default "t"
        v is referred to Student's t, G to F.

    Returns
    -------
    float
        In units of the statistic where ``settings.height`` is t, a z value where it is z.

    Raises
    ------
    InferenceError
        When none or several thresholds are given, the one given does not fit the heights, or its
        one-sided p at these degrees of freedom is below 1e-12, where no map has clusters.

    Notes
    -----
    z, t and p are exchanged at equal one-sided tail probability:
    :math:`1 - F_\nu(t) = 1 - \Phi(z) = p`; of F, the upper tail.
    """
    given = {name: getattr(settings, name) for name in THRESHOLDS}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) != 1:
        raise InferenceError(
            Problem(
                what="clusters are formed by exactly one threshold",
                field="inference",
                found=", ".join(given) or "none",
                expected="one of cluster_z (a z value), cluster_t (in units of the statistic), "
                "cluster_p (a one-sided p-value)",
            )
        )
    ((name, value),) = given.items()
    if name == "cluster_t" and settings.height == "z":
        raise InferenceError(
            Problem(
                what="heights are turned into z, so a threshold in units of t does not apply",
                field="inference.cluster_t",
                found=f"{value:g}",
                expected="cluster_z or cluster_p, or height: t",
            )
        )
    of_statistic = stats.f(df1, df) if statistic in {"F", "G"} else stats.t(df)
    tails = {"cluster_p": lambda p: p, "cluster_z": stats.norm.sf, "cluster_t": of_statistic.sf}
    tail = float(tails[name](value))
    if not tail >= LEAST_P * (1 - 1e-9):
        raise InferenceError(
            Problem(
                what="no map has clusters beyond so high a threshold",
                field=f"inference.{name}",
                found=f"{value:g}, a one-sided p of {tail:.2g} at {df:g} degrees of freedom",
                expected=f"a one-sided p of {LEAST_P:g} or more",
            )
        )
    if name == f"cluster_{settings.height}":
        return float(value)
    return float((stats.norm if settings.height == "z" else of_statistic).isf(tail))


def _rounded_down(threshold: float, dtype: np.dtype) -> np.floating:
    """Give the largest number of this type that is not above the threshold.

    A float32 value is greater than the one exactly where it is greater than the other.
    """
    bar: np.floating = dtype.type(threshold)
    return np.nextafter(bar, dtype.type(0)) if float(bar) > threshold else bar
