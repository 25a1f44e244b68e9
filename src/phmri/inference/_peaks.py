"""Where a map is strongest: local maxima that keep their distance."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import Alternative, orient

__all__ = ["find_peaks"]


def find_peaks(
    t_map: Float[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    *,
    min_distance_mm: float = 8.0,
    n_peaks: int = 10,
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
    n_peaks : int, default 10
        Most peaks to give.
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
    kept: list[int] = []
    for k in ranking.tolist():
        if len(kept) >= n_peaks:
            break
        distance = np.linalg.norm(position[kept] - position[k], axis=1)
        if (distance >= min_distance_mm - 1e-9).all():
            kept.append(k)
    return candidates[kept].reshape(-1, 3)
