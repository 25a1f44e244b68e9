"""The clusters of a map as a table: how large, where, how sure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from phmri.inference._records import Cluster
from phmri.inference.clusters._clusters import Labelling
from phmri.inference.clusters._true_discoveries import count_true_discoveries, largest_standing_set

__all__ = ["ClusterPvalues", "Places", "describe_clusters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPvalues:
    """What is known of how sure the outcomes are; of each, a cluster is given the least within it.

    Parameters
    ----------
    uncorrected : ndarray of shape (n_outcomes,)
        For the bound on true discoveries.
    extent, mass, tfce : ndarray of shape (n_outcomes,) or None
        Family-wise, by shuffling: of the cluster an outcome lies in, and of its TFCE.
    random_field, topological : ndarray of shape (n_outcomes,) or None
        By random field theory: family-wise p, and false discovery rate, of the cluster's extent.
    """

    uncorrected: Float[np.ndarray, " n_outcomes"]
    extent: Float[np.ndarray, " n_outcomes"] | None = None
    mass: Float[np.ndarray, " n_outcomes"] | None = None
    tfce: Float[np.ndarray, " n_outcomes"] | None = None
    random_field: Float[np.ndarray, " n_outcomes"] | None = None
    topological: Float[np.ndarray, " n_outcomes"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the outcomes lie and what they are called; empty for outcomes without a place.

    Parameters
    ----------
    positions_mm : ndarray of shape (n_outcomes, 3) or None
        x, y, z.
    voxel_mm3 : float or None
        Volume of one outcome.
    maxima : ndarray of int of shape (n_maxima,)
        Local maxima of the whole map as `find_extrema` gives them, the strongest first.
    name_of : callable or None
        Gives an outcome's name from its index.
    """

    positions_mm: Float[np.ndarray, "n_outcomes 3"] | None = None
    voxel_mm3: float | None = None
    maxima: Int[np.ndarray, " n_maxima"] | None = None
    name_of: Callable[[int], str] | None = None


def describe_clusters(
    labelling: Labelling,
    values: Float[np.ndarray, " n_outcomes"],
    pvalues: ClusterPvalues,
    places: Places,
    *,
    alpha: float,
    n_peaks: int = 3,
    min_distance_mm: float = 8.0,
) -> tuple[Cluster, ...]:
    """List the clusters of a map.

    Parameters
    ----------
    labelling : Labelling
        The clusters.
    values : ndarray of shape (n_outcomes,)
        The map they were found in.
    pvalues : ClusterPvalues
        What is known of how sure they are.
    places : Places
        Where the outcomes lie.
    alpha : float
        Probability that a number of true discoveries is too high for any cluster.
    n_peaks : int, default 3
        Most peaks to list of one cluster.
    min_distance_mm : float, default 8.0
        A peak nearer than this to a stronger one of its cluster is left out.

    Returns
    -------
    tuple of Cluster
        In the order of their numbers.

    Notes
    -----
    The first peak of a cluster is its strongest outcome; of equal ones the first by x, y, z. The
    others are local maxima of the whole map, whatever the threshold, that lie in the cluster. The
    centre is the mean position, weighted by the absolute statistic.
    """
    standing = largest_standing_set(pvalues.uncorrected, alpha)
    maxima = np.empty(0, dtype=np.int64) if places.maxima is None else places.maxima
    by_label = np.argsort(labelling.labels, kind="stable")
    ends = np.cumsum(np.bincount(labelling.labels, minlength=labelling.sign.size + 1))
    clusters = []
    for number, sign in enumerate(labelling.sign.tolist(), start=1):
        members = by_label[ends[number - 1] : ends[number]]
        peaks = _choose_peaks(
            members,
            values,
            maxima[labelling.labels[maxima] == number],
            places.positions_mm,
            n_peaks=n_peaks,
            min_distance_mm=min_distance_mm,
        )
        volume = None if places.voxel_mm3 is None else members.size * places.voxel_mm3
        clusters.append(
            Cluster(
                number=number,
                sign=sign,
                n_outcomes=members.size,
                volume_mm3=volume,
                extent=float(labelling.extent[number - 1]),
                mass=float(labelling.mass[number - 1]),
                centre_mm=_centre(members, values, places.positions_mm),
                peaks=peaks,
                label="" if places.name_of is None else places.name_of(peaks[0]),
                pvalue_extent=_least(pvalues.extent, members),
                pvalue_mass=_least(pvalues.mass, members),
                pvalue_tfce=_least(pvalues.tfce, members),
                pvalue_random_field=_least(pvalues.random_field, members),
                qvalue_topological=_least(pvalues.topological, members),
                true_discoveries=count_true_discoveries(
                    pvalues.uncorrected[members], standing, alpha
                ),
            )
        )
    return tuple(clusters)


def _choose_peaks(
    members: Int[np.ndarray, " n_members"],
    values: Float[np.ndarray, " n_outcomes"],
    candidates: Int[np.ndarray, " n_candidates"],
    positions: Float[np.ndarray, "n_outcomes 3"] | None,
    *,
    n_peaks: int,
    min_distance_mm: float,
) -> tuple[int, ...]:
    """Give the strongest outcome of a cluster, then candidates that keep their distance."""
    height = np.abs(values[members])
    top = members[height == height.max()]
    if positions is not None:
        top = top[np.lexsort(positions[top].T[::-1])]
    peaks = [int(top[0])]
    for candidate in candidates.tolist():
        if len(peaks) >= n_peaks:
            break
        if positions is None:
            apart = candidate not in peaks
        else:
            distance = np.linalg.norm(positions[peaks] - positions[candidate], axis=1).min()
            apart = bool(distance >= min_distance_mm - 1e-9 and distance > 0)
        if apart:
            peaks.append(candidate)
    return tuple(peaks)


def _centre(
    members: Int[np.ndarray, " n_members"],
    values: Float[np.ndarray, " n_outcomes"],
    positions_mm: Float[np.ndarray, "n_outcomes 3"] | None,
) -> tuple[float, float, float] | None:
    if positions_mm is None:
        return None
    x, y, z = np.average(positions_mm[members], axis=0, weights=np.abs(values[members])).tolist()
    return x, y, z


def _least(
    pvalue: Float[np.ndarray, " n_outcomes"] | None, members: Int[np.ndarray, " n_members"]
) -> float | None:
    return None if pvalue is None else float(pvalue[members].min())
