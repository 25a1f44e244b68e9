r"""Separable Gaussian smoothing of one volume, only where the brain is.

The kernel per axis is :math:`w_k \propto \exp(-k^2 / 2\sigma^2)`, :math:`|k| \le r`, with
:math:`\sigma = \mathrm{FWHM} / (2\sqrt{2 \ln 2}\, d)` voxels for voxel size :math:`d` and
:math:`r = \lfloor 4\sigma + 1/2 \rfloor`; beyond an edge the image is reflected
(``d c b a | a b c d | d c b a``). These are the rules of `scipy.ndimage.gaussian_filter1d`.
Values that are not finite count as 0, as other fMRI software does for air.

Each pass computes only what the next one needs: the bounding box of the mask, padded by the
kernel. The first volume is subtracted before smoothing, which is the same by linearity and keeps
float32 rounding relative to the fluctuation instead of the mean.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped
from numba import njit

__all__ = ["SmoothingPlan", "plan_smoothing", "smooth_volume", "take_box"]

_TRUNCATE = 4.0
_SIGMA_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothingPlan:
    """Everything about smoothing that does not depend on the volume. Axes are z, y, x.

    Parameters
    ----------
    start, stop : tuple of int
        Padded box in the volume.
    weights : tuple of three ndarray of shape (radius + 1,)
        Half kernels, centre first.
    tables : tuple of three ndarray of shape (n_core, 2 radius + 1)
        Row per core position: positions in the padded box under the kernel.
    gather : ndarray of shape (n_voxels,)
        Flat index of every mask voxel, in C order of (x, y, z), in the result's buffer.
    """

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    weights: tuple[
        Float32[np.ndarray, " rz"], Float32[np.ndarray, " ry"], Float32[np.ndarray, " rx"]
    ]
    tables: tuple[Int[np.ndarray, "z kz"], Int[np.ndarray, "y ky"], Int[np.ndarray, "x kx"]]
    gather: Int[np.ndarray, " n_voxels"]

    def make_buffers(self) -> tuple[Float32[np.ndarray, "z y x"], Float32[np.ndarray, "cz y x"]]:
        """Allocate the two work volumes of `smooth_volume`.

        Returns
        -------
        tuple of two ndarray
            The padded box, and the box after the first pass.
        """
        size = [b - a for a, b in zip(self.start, self.stop, strict=True)]
        return (
            np.empty(size, np.float32),
            np.empty((self.tables[0].shape[0], size[1], size[2]), np.float32),
        )


def half_kernel(fwhm_mm: float, voxel_mm: float) -> Float32[np.ndarray, " n"]:
    """Give the normalised kernel from its centre outwards.

    Parameters
    ----------
    fwhm_mm, voxel_mm : float
        Full width at half maximum; voxel size along the axis.

    Returns
    -------
    ndarray of shape (radius + 1,)
        The whole kernel has sum 1.
    """
    sigma = fwhm_mm * _SIGMA_PER_FWHM / voxel_mm
    radius = int(_TRUNCATE * sigma + 0.5)
    if radius == 0:
        return np.ones(1, np.float32)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    return np.asarray(weights / (weights[0] + 2.0 * weights[1:].sum()), np.float32)


def _reflect(position: Int[np.ndarray, "n k"], size: int) -> Int[np.ndarray, "n k"]:
    wrapped = np.mod(position, 2 * size)
    return np.asarray(np.where(wrapped < size, wrapped, 2 * size - 1 - wrapped))


def plan_smoothing(
    mask: Bool[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], fwhm_mm: float
) -> SmoothingPlan:
    """Prepare smoothing of volumes on one grid.

    Parameters
    ----------
    mask : ndarray of shape (x, y, z)
        Where the result is wanted; at least one voxel.
    affine : ndarray of shape (4, 4)
        Voxel to mm; voxel sizes are the lengths of its columns, so oblique grids are right.
    fwhm_mm : float
        0 for none.

    Returns
    -------
    SmoothingPlan
        For `smooth_volume`.
    """
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))[::-1]
    weights = tuple(half_kernel(fwhm_mm, float(size)) for size in sizes)
    inside = np.ascontiguousarray(mask.transpose(2, 1, 0))
    where = np.argwhere(inside)
    low, high = where.min(axis=0), where.max(axis=0) + 1
    start, stop, tables = [], [], []
    for axis, half in enumerate(weights):
        radius = half.size - 1
        first = max(int(low[axis]) - radius, 0)
        last = min(int(high[axis]) + radius, inside.shape[axis])
        reach = np.arange(low[axis], high[axis])[:, None] + np.arange(-radius, radius + 1)
        tables.append(np.ascontiguousarray(_reflect(reach, inside.shape[axis]) - first))
        start.append(first)
        stop.append(last)
    x, y, z = np.nonzero(mask)
    n_y, n_x = stop[1] - start[1], stop[2] - start[2]
    gather = ((z - low[0]) * n_y + (y - low[1])) * n_x + (x - low[2])
    return SmoothingPlan(
        start=(start[0], start[1], start[2]),
        stop=(stop[0], stop[1], stop[2]),
        weights=(weights[0], weights[1], weights[2]),
        tables=(tables[0], tables[1], tables[2]),
        gather=gather.astype(np.int64),
    )


def take_box(
    plan: SmoothingPlan, volume: Shaped[np.ndarray, "z y x"]
) -> Float[np.ndarray, "bz by bx"]:
    """Copy the padded box of a volume; values that are not finite become 0.

    Parameters
    ----------
    plan : SmoothingPlan
        Where.
    volume : ndarray of shape (z, y, x)
        Raw values.

    Returns
    -------
    ndarray of shape of the box
        float32 where that holds every value of the type, else float64.
    """
    window = tuple(slice(a, b) for a, b in zip(plan.start, plan.stop, strict=True))
    narrow = volume.dtype.itemsize <= 2 or volume.dtype == np.float32  # noqa: PLR2004  bytes
    box = volume[window].astype(np.float32 if narrow else np.float64)
    box[~np.isfinite(box)] = 0.0
    return box


def smooth_volume(
    plan: SmoothingPlan,
    volume: Shaped[np.ndarray, "z y x"],
    reference: Float[np.ndarray, "bz by bx"],
    slope: float,
    *,
    buffers: tuple[Float32[np.ndarray, "bz by bx"], Float32[np.ndarray, "cz by bx"]],
    out: Float32[np.ndarray, " n_voxels"],
) -> None:
    """Write the smoothed difference of a volume to the reference into ``out``.

    Parameters
    ----------
    plan : SmoothingPlan
        Of the mask.
    volume : ndarray of shape (z, y, x)
        Raw values, native byte order, C order.
    reference : ndarray of shape of the box
        Raw values of the first volume (`take_box`).
    slope : float
        Scale of raw values.
    buffers : tuple of two ndarray
        From `SmoothingPlan.make_buffers`; overwritten.
    out : ndarray of shape (n_voxels,)
        Result, in C order of the mask.
    """
    wide, narrow = buffers
    _load(volume, reference, slope, plan.start, wide)
    _smooth_z(wide, plan.tables[0], plan.weights[0], narrow)
    _smooth_y(narrow, plan.tables[1], plan.weights[1], wide)
    _smooth_x(wide, plan.tables[2], plan.weights[2], narrow, plan.tables[1].shape[0])
    _take(narrow.reshape(-1), plan.gather, out)


# "contract" allows fused multiply-add and nothing else: NaN and infinity keep their meaning.
@njit(nogil=True, cache=True, fastmath={"contract"})
@no_type_check
def _load(volume, reference, slope, start, out):
    for z in range(out.shape[0]):
        for y in range(out.shape[1]):
            row = volume[z + start[0], y + start[1]]
            base = reference[z, y]
            target = out[z, y]
            for x in range(out.shape[2]):
                value = np.float64(row[x + start[2]])
                if not np.isfinite(value):
                    value = 0.0
                target[x] = np.float32((value - base[x]) * slope)


@njit(nogil=True, cache=True, fastmath={"contract"})
@no_type_check
def _smooth_z(source, table, weights, out):
    radius = weights.shape[0] - 1
    for z in range(table.shape[0]):
        for y in range(source.shape[1]):
            target = out[z, y]
            middle = source[table[z, radius], y]
            for x in range(target.shape[0]):
                target[x] = middle[x] * weights[0]
            for k in range(1, radius + 1):
                below = source[table[z, radius - k], y]
                above = source[table[z, radius + k], y]
                weight = weights[k]
                for x in range(target.shape[0]):
                    target[x] += weight * (below[x] + above[x])


@njit(nogil=True, cache=True, fastmath={"contract"})
@no_type_check
def _smooth_y(source, table, weights, out):
    radius = weights.shape[0] - 1
    for z in range(source.shape[0]):
        for y in range(table.shape[0]):
            target = out[z, y]
            middle = source[z, table[y, radius]]
            for x in range(target.shape[0]):
                target[x] = middle[x] * weights[0]
            for k in range(1, radius + 1):
                below = source[z, table[y, radius - k]]
                above = source[z, table[y, radius + k]]
                weight = weights[k]
                for x in range(target.shape[0]):
                    target[x] += weight * (below[x] + above[x])


@njit(nogil=True, cache=True, fastmath={"contract"})
@no_type_check
def _smooth_x(source, table, weights, out, n_y):
    radius = weights.shape[0] - 1
    size = table.shape[0]
    padded = np.empty(size + 2 * radius, np.float32)
    for z in range(out.shape[0]):
        for y in range(n_y):
            row = source[z, y]
            for j in range(radius):
                padded[j] = row[table[0, j]]
                padded[size + radius + j] = row[table[size - 1, radius + 1 + j]]
            first = table[0, radius]
            for j in range(size):
                padded[radius + j] = row[first + j]
            target = out[z, y]
            for x in range(size):
                target[x] = padded[radius + x] * weights[0]
            for k in range(1, radius + 1):
                below = padded[radius - k : radius - k + size]
                above = padded[radius + k : radius + k + size]
                weight = weights[k]
                for x in range(size):
                    target[x] += weight * (below[x] + above[x])


@njit(nogil=True, cache=True)
@no_type_check
def _take(source, index, out):
    for i in range(index.shape[0]):
        out[i] = source[index[i]]
