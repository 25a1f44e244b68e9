"""How smooth a model's errors are, and how many resels a search region then has."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import InferenceError, Problem

__all__ = [
    "Smoothness",
    "count_resels",
    "estimate_smoothness",
    "smoothness_within",
]

ROUGHNESS = 4 * math.log(2)
"""Squared gradient of a unit field whose smoothing kernel is one FWHM wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoothness:
    """How smooth the errors are, and how large that makes the search region.

    Parameters
    ----------
    fwhm_voxels : ndarray of shape (3,)
        Full width at half maximum of the errors' smoothing kernel along the axes, in voxels; 1
        along an axis of a single voxel.
    resels : ndarray of shape (4,)
        Resolution elements of the search region in 0 (Euler characteristic) to 3 dimensions.
    n_voxels : int
        Voxels of the search region.
    resels_per_voxel : ndarray of shape (n_voxels,)
        Local smoothness, in the order of the mask; NaN where a forward neighbour is missing.
    """

    fwhm_voxels: Float[np.ndarray, " 3"]
    resels: Float[np.ndarray, " 4"]
    n_voxels: int
    resels_per_voxel: Float[np.ndarray, " n_voxels"]


def estimate_smoothness(
    residuals: Float[np.ndarray, "n_rows n_voxels"], mask: Bool[np.ndarray, "x y z"]
) -> Smoothness:
    r"""Estimate the smoothness of the errors from a model's residuals.

    Parameters
    ----------
    residuals : ndarray of shape (n_rows, n_voxels)
        Residuals of the whole model, in the outcome's unit; the k-th column belongs to the k-th
        voxel of the mask.
    mask : ndarray of bool of shape (x, y, z)
        Search region. An axis of a single voxel has no smoothness and counts for no dimension.

    Returns
    -------
    Smoothness
        Of the whole mask.

    Raises
    ------
    InferenceError
        When the shapes do not fit, a residual is not finite, a voxel has no error, no voxel has
        all its forward neighbours in the mask, or the residuals do not vary in space.

    Notes
    -----
    Residuals :math:`e` of :math:`n` rows and :math:`\nu` degrees of freedom are standardised,
    :math:`u = e\sqrt{\nu / \sum_i e_i^2}`, and the variance of their gradient is
    :math:`\hat\Lambda_{ab} = \frac{1}{n}\frac{n}{\nu}\sum_i \Delta_a u_i\,\Delta_b u_i` [1]_, in
    which the degrees of freedom cancel. :math:`\Delta` are differences to the next voxel; only
    voxels whose whole forward cell (2 x 2 x 2) lies in the mask count. The resels of such a voxel
    are :math:`\sqrt{\det\hat\Lambda/(4\ln 2)^D}`; their mean is the product of
    :math:`1/\mathrm{FWHM}_a`, which stand to each other as the means of
    :math:`\hat\Lambda_{aa}^{1/2}`. Differences see a kernel of FWHM :math:`f` voxels as wider by
    about :math:`0.35/f^2`.

    References
    ----------
    .. [1] Kiebel et al. (1999), Robust smoothness estimation in statistical parametric maps
       using standardized residuals from the general linear model, doi:10.1006/nimg.1999.0508.
    """
    axes = [axis for axis in range(3) if mask.shape[axis] > 1]
    here, forward = _forward_cells(mask, axes)
    inverse_length = _inverse_lengths(residuals, mask, here.size)
    n_axes = len(axes)
    gradient = np.empty((n_axes, here.size))
    variance = np.zeros((n_axes, n_axes, here.size))
    for row in residuals:
        unit = row * inverse_length
        for a in range(n_axes):
            np.subtract(unit[forward[a]], unit[here], out=gradient[a])
        for a, b in itertools.combinations_with_replacement(range(n_axes), 2):
            variance[a, b] += gradient[a] * gradient[b]
    for a, b in itertools.combinations(range(n_axes), 2):
        variance[b, a] = variance[a, b]
    volume = np.linalg.det(np.moveaxis(variance, -1, 0)) / ROUGHNESS**n_axes
    resels = np.sqrt(np.maximum(volume, 0.0))
    if not resels.any():
        raise InferenceError(
            Problem(
                what="residuals that do not vary along every axis have no smoothness",
                field="residuals",
                found=f"{len(residuals)} maps over {n_axes} axes",
            )
        )
    along = np.sqrt(np.einsum("aav->av", variance) / ROUGHNESS).mean(axis=1)
    fwhm = np.ones(3)
    fwhm[axes] = (np.prod(along) / resels.mean()) ** (1 / n_axes) / along
    per_voxel = np.full(residuals.shape[1], np.nan)
    per_voxel[here] = resels
    return Smoothness(
        fwhm_voxels=fwhm,
        resels=count_resels(mask, fwhm),
        n_voxels=residuals.shape[1],
        resels_per_voxel=per_voxel,
    )


def count_resels(
    mask: Bool[np.ndarray, "x y z"], fwhm_voxels: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, " 4"]:
    r"""Count the resels of a search region in 0 to 3 dimensions.

    Parameters
    ----------
    mask : ndarray of bool of shape (x, y, z)
        Voxels of the region.
    fwhm_voxels : ndarray of shape (3,)
        Smoothness along the axes, in voxels.

    Returns
    -------
    ndarray of shape (4,)
        Euler characteristic, and resel length, area and volume of the region.

    Notes
    -----
    Voxel centres are joined to a lattice [1]_. With :math:`n_B` cells that span the axes
    :math:`B` (points, edges, faces, cubes),

    .. math:: R_d = \sum_{|A| = d} \prod_{a \in A} \frac{1}{\mathrm{FWHM}_a}
        \sum_{B \supseteq A} (-1)^{|B| - |A|} n_B,

    exact for boxes. Of a region that is round, length and area come out half as large again,
    which errs on the safe side.

    References
    ----------
    .. [1] Worsley et al. (1996), A unified statistical approach for determining significant
       signals in images of cerebral activation, appendix,
       doi:10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO;2-O.
    """
    subsets = [axes for d in range(4) for axes in itertools.combinations(range(3), d)]
    n_cells = {axes: int(_whole_cells(mask, axes).sum()) for axes in subsets}
    resels = np.zeros(4)
    for inner in subsets:
        lattice = sum(
            (-1) ** (len(outer) - len(inner)) * n_cells[outer]
            for outer in subsets
            if set(inner) <= set(outer)
        )
        resels[len(inner)] += lattice / math.prod(fwhm_voxels[list(inner)].tolist())
    return resels


def smoothness_within(
    smoothness: Smoothness, mask: Bool[np.ndarray, "x y z"], region: Bool[np.ndarray, "p q r"]
) -> Smoothness:
    """Narrow the search to a region chosen beforehand (small-volume correction).

    Parameters
    ----------
    smoothness : Smoothness
        Of the whole mask: estimated from all voxels, it stays as it is.
    mask : ndarray of bool of shape (x, y, z)
        Voxels the smoothness was estimated in.
    region : ndarray of bool of shape (x, y, z)
        Region to search; voxels outside the mask are left out.

    Returns
    -------
    Smoothness
        Same FWHM; resels, voxels and local smoothness of the region.

    Raises
    ------
    InferenceError
        When shapes differ or the region has no voxel in the mask.
    """
    if region.shape != mask.shape or not (region & mask).any():
        raise InferenceError(
            Problem(
                what="the region has another shape than the mask, or no voxel in common with it",
                field="region",
                found=f"region {region.shape}, mask {mask.shape}",
            )
        )
    inside = region[mask]
    return Smoothness(
        fwhm_voxels=smoothness.fwhm_voxels,
        resels=count_resels(region & mask, smoothness.fwhm_voxels),
        n_voxels=int(inside.sum()),
        resels_per_voxel=smoothness.resels_per_voxel[inside],
    )


def _whole_cells(
    mask: Bool[np.ndarray, "x y z"], axes: tuple[int, ...]
) -> Bool[np.ndarray, "p q r"]:
    """Mark lattice cells that span the axes, by their first corner."""
    cells = mask
    for axis in axes:
        cells = np.logical_and(
            np.take(cells, range(cells.shape[axis] - 1), axis=axis),
            np.take(cells, range(1, cells.shape[axis]), axis=axis),
        )
    return cells


def _forward_cells(
    mask: Bool[np.ndarray, "x y z"], axes: list[int]
) -> tuple[Int[np.ndarray, " n_cells"], Int[np.ndarray, "n_axes n_cells"]]:
    """Give the outcome at the first corner of every whole cell, and the next along each axis."""
    number = np.cumsum(mask).reshape(mask.shape) - 1
    corner = np.argwhere(_whole_cells(mask, tuple(axes)))
    step = np.eye(3, dtype=np.intp)
    nexts = [number[tuple((corner + step[axis]).T)] for axis in axes]
    return number[tuple(corner.T)], np.array(nexts, dtype=np.intp).reshape(len(axes), -1)


def _inverse_lengths(
    residuals: Float[np.ndarray, "n_rows n_voxels"], mask: Bool[np.ndarray, "x y z"], n_cells: int
) -> Float[np.ndarray, " n_voxels"]:
    squares = np.zeros(residuals.shape[1])
    for row in residuals:
        squares += np.square(row, dtype=np.float64)
    problems = []
    if residuals.shape[1] != mask.sum():
        problems.append(
            Problem(
                what="another number of residual maps' voxels than the mask has",
                field="residuals",
                found=str(residuals.shape[1]),
                expected=str(int(mask.sum())),
            )
        )
    bad = ~(np.isfinite(squares) & (squares > 0))
    if bad.any():
        problems.append(
            Problem(
                what="voxels whose residuals are not finite, or all 0",
                field="residuals",
                found=f"{int(bad.sum())} of {bad.size}, first at index "
                f"{int(np.flatnonzero(bad)[0])}",
                expected="a mask of voxels with errors",
            )
        )
    if not n_cells:
        problems.append(
            Problem(
                what="no voxel of the mask has all its forward neighbours in it, so that nothing "
                "can be said of smoothness",
                field="mask",
                expected="a contiguous region",
            )
        )
    if problems:
        raise InferenceError(*problems)
    lengths: Float[np.ndarray, " n_voxels"] = 1 / np.sqrt(squares)
    return lengths
