"""Where a map is strongest: local maxima that keep their distance."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import KDTree

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import Alternative, orient

__all__ = ["find_extrema", "find_peaks"]

SIDES: tuple[Alternative, Alternative] = ("greater", "less")


def find_peaks(
    t_map: Float[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    *,
    min_distance_mm: float = 8.0,
    n_peaks: int | None = 10,
    alternative: Alternative = "two-sided",
) -> Int[np.ndarray, "n_found 3"]:
    """Find the highest local maxima of a t map, the highest first.

    Parameters
    ----------
    t_map : ndarray of shape (x, y, z)
        Student's t in every voxel.
    mask : ndarray of bool of shape (x, y, z)
        Voxels outside it are neither peaks nor neighbours.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    min_distance_mm : float, default 8.0
        A maximum nearer than this to a higher one is left out.
    n_peaks : int or None, default 10
        Most peaks to give; None: all.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        Maxima of ``|t|``, ``t`` or ``-t``.

    Returns
    -------
    ndarray of shape (n_found, 3)
        Voxel indices.

    Raises
    ------
    InferenceError
        When shapes differ, or t is not finite inside the mask.

    Notes
    -----
    A maximum is at least as high as its 26 neighbours. Equal heights are ordered by mm, so the
    result depends neither on the order of voxels nor on the orientation of the image axes.
    """
    if t_map.shape != mask.shape or not np.isfinite(t_map[mask]).all():
        raise InferenceError(
            Problem(
                what="the map has another shape than the mask, or values inside it that are not "
                "finite",
                found=f"map {t_map.shape}, mask {mask.shape}",
            )
        )
    height = np.where(mask, orient(np.where(mask, t_map, 0.0), alternative), -np.inf)
    highest = ndimage.maximum_filter(height, size=3, mode="constant", cval=-np.inf)
    candidates = np.argwhere(mask & (height >= highest))
    position = candidates @ affine[:3, :3].T + affine[:3, 3]
    values = height[tuple(candidates.T)]
    ranking = np.lexsort((position[:, 2], position[:, 1], position[:, 0], -values))
    near = KDTree(position)
    free = np.ones(len(candidates), dtype=bool)
    kept: list[int] = []
    for k in ranking.tolist():
        if len(kept) == n_peaks:
            break
        if free[k]:
            kept.append(k)
            free[near.query_ball_point(position[k], min_distance_mm - 1e-9)] = False
    return candidates[kept].reshape(-1, 3)


def find_extrema(
    values: Float[np.ndarray, " n_outcomes"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
) -> Int[np.ndarray, " n_found"]:
    """Find all positive local maxima and negative local minima of a map, the strongest first.

    Parameters
    ----------
    values : ndarray of shape (n_outcomes,)
        Of the voxels of the mask, in C order.
    mask : ndarray of bool of shape (x, y, z)
        Voxels outside it are neither extrema nor neighbours.
    affine : ndarray of shape (4, 4)
        Voxel to mm.

    Returns
    -------
    ndarray of int of shape (n_found,)
        Outcomes, as numbers of voxels of the mask.

    Notes
    -----
    As `find_peaks`, of either sign, at any distance from each other.
    """
    t_map = np.zeros(mask.shape)
    t_map[mask] = values
    outcome = np.cumsum(mask.ravel()) - 1
    found = [
        find_peaks(t_map, mask, affine, min_distance_mm=0.0, n_peaks=None, alternative=side)
        for side in SIDES
    ]
    both = outcome[np.ravel_multi_index(tuple(np.concatenate(found).T), mask.shape)]
    sign = np.repeat([1, -1], [len(part) for part in found])
    both = both[sign * values[both] > 0]
    strongest: np.ndarray = both[np.argsort(-np.abs(values[both]), kind="stable")]
    return strongest
