r"""Bring a mask, a label image or weights onto another grid of the same space.

A target voxel is filled with points, :math:`2\lceil r \rceil` per axis where it is
:math:`r > 1` times as large as a source voxel along that axis, else one at its centre; each point
takes the value of the nearest source voxel. The mean over the points is the fraction of the
target voxel that a mask covers, or the mean weight. From 1 mm to 2 mm this is exact area
averaging, whether the grids share corners or centres.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped

from phmri.dataset import Image
from phmri.exceptions import Problem, RegionError
from phmri.signals._records import Grid

__all__ = ["average_onto", "same_grid", "vote_onto"]

_SAME_MM = 1e-3


def same_grid(image: Image, grid: Grid) -> bool:
    """Say whether an image already lies on a grid.

    Parameters
    ----------
    image : Image
        3D.
    grid : Grid
        Target.

    Returns
    -------
    bool
        True when shape and affine are equal.
    """
    return image.data.shape == grid.shape and bool(
        np.abs(image.affine - grid.affine).max() < _SAME_MM
    )


def _points(image: Image, grid: Grid) -> list[Float[np.ndarray, " 3"]]:
    """Offsets of the points within a target voxel, in target voxels."""
    source = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0))
    target_to_source = np.linalg.solve(image.affine[:3, :3], grid.affine[:3, :3])
    # Size of a target voxel along each of its axes, in the smallest source voxels it meets.
    target = np.sqrt((grid.affine[:3, :3] ** 2).sum(axis=0))
    meets = source[np.abs(target_to_source).argmax(axis=0)]
    counts = [
        2 * int(np.ceil(ratio - 1e-6)) if ratio > 1.0 + 1e-6 else 1 for ratio in target / meets
    ]
    axes = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    return [np.array(p) for p in np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)]


def _samples(
    image: Image, grid: Grid, voxels: Int[np.ndarray, "n 3"]
) -> Iterator[Shaped[np.ndarray, " n"]]:
    """Source values at each point of the target voxels; 0 outside the source."""
    matrix = np.linalg.solve(image.affine, grid.affine)
    limit = np.array(image.data.shape)
    for offset in _points(image, grid):
        place = (voxels + offset) @ matrix[:3, :3].T + matrix[:3, 3]
        nearest = np.floor(place + 0.5 + 1e-9).astype(np.int64)
        valid = ((nearest >= 0) & (nearest < limit)).all(axis=1)
        values = np.zeros(voxels.shape[0], image.data.dtype)
        values[valid] = image.data[tuple(nearest[valid].T)]
        yield values


def _candidates(image: Image, grid: Grid, *, file: str) -> Int[np.ndarray, "n 3"]:
    # Target voxels in the box that holds the source's non-zero voxels.
    where = np.argwhere(image.data)
    low, high = where.min(axis=0) - 0.5, where.max(axis=0) + 0.5
    corners = np.stack(np.meshgrid(*zip(low, high, strict=True), indexing="ij"), -1).reshape(-1, 3)
    to_grid = np.linalg.solve(grid.affine, image.affine)
    placed = corners @ to_grid[:3, :3].T + to_grid[:3, 3]
    first = np.maximum(np.floor(placed.min(axis=0)).astype(int), 0)
    last = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 1, grid.shape)
    if (first >= last).any():
        raise RegionError(
            Problem(
                what="the image lies wholly outside the run's grid",
                file=file,
                found=f"voxels {placed.min(axis=0).round(1).tolist()} to "
                f"{placed.max(axis=0).round(1).tolist()} of the grid",
                expected=f"within (0, 0, 0) to {grid.shape}",
            )
        )
    axes = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def average_onto(
    image: Image, grid: Grid, *, file: str
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Average non-negative values over the voxels of a grid.

    Parameters
    ----------
    image : Image
        3D, at least one value above 0.
    grid : Grid
        Target, in the same space.
    file : str
        For messages.

    Returns
    -------
    voxels : ndarray of shape (n,)
        Flat C indices, ascending, of target voxels with a mean above 0.
    means : ndarray of shape (n,)
        Their means.

    Notes
    -----
    `RegionError` tells that the image lies outside the grid.
    """
    if same_grid(image, grid):
        flat = image.data.reshape(-1)
        voxels = np.flatnonzero(flat)
        return voxels, flat[voxels].astype(np.float64)
    candidates = _candidates(image, grid, file=file)
    total = np.zeros(candidates.shape[0])
    n_points = 0
    for values in _samples(image, grid, candidates):
        total += values
        n_points += 1
    used = total > 0
    flat_index = np.ravel_multi_index(tuple(candidates[used].T), grid.shape)
    return np.asarray(flat_index, np.int64), total[used] / n_points


def vote_onto(
    image: Image, grid: Grid, *, file: str
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Give every voxel of a grid the label that fills most of it, background included.

    Parameters
    ----------
    image : Image
        3D labels; 0 is background.
    grid : Grid
        Target, in the same space.
    file : str
        For messages.

    Returns
    -------
    voxels : ndarray of shape (n,)
        Flat C indices, ascending, of labelled target voxels.
    labels : ndarray of shape (n,)
        The smallest of the labels that fill most, not 0 on a tie.

    Notes
    -----
    `RegionError` tells that the image lies outside the grid.
    """
    if same_grid(image, grid):
        flat = image.data.reshape(-1)
        voxels = np.flatnonzero(flat)
        return voxels, flat[voxels].astype(np.int64)
    candidates = _candidates(image, grid, file=file)
    votes = np.stack([values.astype(np.int32) for values in _samples(image, grid, candidates)], 1)
    some = votes.any(axis=1)
    candidates, votes = candidates[some], np.sort(votes[some], axis=1)
    labels = _most_frequent(votes)
    used = labels > 0
    flat_index = np.ravel_multi_index(tuple(candidates[used].T), grid.shape)
    return np.asarray(flat_index, np.int64), labels[used]


def _most_frequent(ordered: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """Most frequent value of sorted rows; on ties the smallest that is not 0."""
    best = np.zeros(ordered.shape[0], np.int64)
    best_count = np.zeros(ordered.shape[0], np.int64)
    run = np.zeros(ordered.shape[0], np.int64)
    previous = np.full(ordered.shape[0], -1, np.int64)
    for column in ordered.T:
        run = np.where(column == previous, run + 1, 1)
        previous = column.astype(np.int64)
        better = (run > best_count) | ((run == best_count) & (best == 0))
        best = np.where(better, column, best)
        best_count = np.maximum(best_count, run)
    return best
