r"""One pass over a run: region means, smoothed voxels, and signal quality.

A region's series is :math:`\sum_v w_v y_v / \sum_v w_v` over its voxels inside the brain mask,
of unsmoothed data, in float64. Voxel statistics are running sums of differences to the first
volume, so that they are safe for any mean. The mean of a smoothed voxel is the smoothed first
volume plus the mean of its differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped
from numba import njit

from phmri.dataset import Confounds, Image, Run, VolumeReader, open_volumes
from phmri.exceptions import Problem, RegionError, SignalsError
from phmri.signals._quality import run_quality
from phmri.signals._records import RegionOnGrid, RunQuality, RunSignals
from phmri.signals._smoothing import SmoothingPlan, plan_smoothing, smooth_volume, take_box
from phmri.signals._volumes import count_leading

__all__ = ["extract_signals"]

_AFFINE_TOLERANCE_MM = 1e-3
_WITH_KERNELS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f4", "f8"}


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Running statistics of raw values in the mask, in memory order."""

    index: Int[np.ndarray, " n_voxels"]
    first: Float[np.ndarray, " n_voxels"]
    total: Float[np.ndarray, " n_voxels"]
    squares: Float[np.ndarray, " n_voxels"]
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voxels:
    """Smoothed differences to the first volume, that volume smoothed, and their running sum."""

    plan: SmoothingPlan
    reference: Float[np.ndarray, "bz by bx"]
    buffers: tuple[Float32[np.ndarray, "bz by bx"], Float32[np.ndarray, "cz by bx"]]
    series: Float32[np.ndarray, "n_volumes n_voxels"]
    first: Float32[np.ndarray, " n_voxels"]
    total: Float[np.ndarray, " n_voxels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """All regions inside the mask, one after the other."""

    starts: Int[np.ndarray, " n_regions_plus_1"]
    index: Int[np.ndarray, " n_entries"]
    weights: Float[np.ndarray, " n_entries"]


def extract_signals(
    run: Run,
    mask: Image | Bool[np.ndarray, "x y z"],
    regions: Sequence[RegionOnGrid],
    *,
    smoothing_fwhm_mm: float,
    voxels: bool,
    dropout_threshold: float,
    confounds: Confounds | None = None,
) -> RunSignals:
    r"""Read a run once and give its region means, its smoothed voxels and its quality.

    Parameters
    ----------
    run : Run
        A volumetric run.
    mask : Image or ndarray of shape (x, y, z)
        Brain mask; with an affine (Image) that is compared with the run's.
    regions : sequence of RegionOnGrid
        Placed on the run's grid.
    smoothing_fwhm_mm : float
        Of the voxels; regions are never smoothed.
    voxels : bool
        Whether voxel series are wanted: n_volumes x n_voxels float32 of memory.
    dropout_threshold : float
        A voxel carries signal when its mean is above this fraction of the brain's median.
    confounds : Confounds, optional
        For the motion summary, and for which volumes are in steady state.

    Returns
    -------
    RunSignals
        Every volume of the file, uncleaned.

    Notes
    -----
    `SignalsError` tells that mask and run differ in grid, that the mask is empty, that a voxel in
    it is not finite, or that the run is zero or constant; `RegionError` names all regions without
    a voxel inside the mask.

    Temporal signal-to-noise is mean / SD (n - 1) of the raw series; a voxel that does not vary
    counts as 0. Data whose mean was taken out (median mean not above the median SD) has none:
    it is NaN, and there a voxel carries signal when it varies. These, and the mean of a voxel,
    leave out volumes at the start that the confounds mark as not in steady state.
    """
    with open_volumes(run.path) as reader:
        inside = _checked_mask(mask, reader)
        packed = _pack(regions, inside, file=str(run.path))
        plan = plan_smoothing(inside, reader.affine, smoothing_fwhm_mm) if voxels else None
        n_leading = 0 if confounds is None else count_leading(confounds)
        smoothed, means, sums = _stream(reader, inside, packed, plan, n_leading)
        quality = _measure(sums, reader, inside, regions, dropout_threshold)
    motion = run_quality(confounds)
    return RunSignals(
        voxels=None if smoothed is None else smoothed.series,
        regions=means,
        region_names=tuple(region.name for region in regions),
        quality=replace(
            quality, mean_fd_mm=motion.mean_fd_mm, mean_std_dvars=motion.mean_std_dvars
        ),
        voxel_mean=None if smoothed is None else _voxel_mean(smoothed, reader, sums.n),
    )


def _checked_mask(
    mask: Image | Bool[np.ndarray, "x y z"], reader: VolumeReader
) -> Bool[np.ndarray, "x y z"]:
    data = mask.data if isinstance(mask, Image) else mask
    problems = []
    if data.shape != reader.shape:
        problems.append(
            Problem(
                what="the brain mask has another shape than the run",
                file=str(reader.path),
                found=f"mask {data.shape}",
                expected=f"{reader.shape}",
            )
        )
    if isinstance(mask, Image):
        shift = float(np.abs(mask.affine - reader.affine).max())
        if shift > _AFFINE_TOLERANCE_MM:
            problems.append(
                Problem(
                    what="the brain mask lies elsewhere than the run: their affines differ",
                    file=str(reader.path),
                    found=f"difference up to {shift:.4g}",
                    expected=f"at most {_AFFINE_TOLERANCE_MM:g}",
                )
            )
    inside = np.asarray(data, bool)
    if not inside.any():
        problems.append(Problem(what="the brain mask is empty", file=str(reader.path)))
    if problems:
        raise SignalsError(*problems)
    return inside


def _memory_order(
    voxels: Int[np.ndarray, " n"], shape: tuple[int, int, int]
) -> Int[np.ndarray, " n"]:
    """Turn flat C indices of (x, y, z) into those of a volume stored as (z, y, x)."""
    x, y, z = np.unravel_index(voxels, shape)
    return np.asarray(np.ravel_multi_index((z, y, x), shape[::-1]), np.int64)


def _pack(
    regions: Sequence[RegionOnGrid], inside: Bool[np.ndarray, "x y z"], *, file: str
) -> _Packed:
    flat = inside.reshape(-1)
    starts, indices, weights, problems = [0], [], [], []
    for region in regions:
        used = flat[region.voxels]
        total = region.weights[used].sum()
        if not total > 0:
            problems.append(
                Problem(
                    what="a region lies outside the run's brain mask",
                    file=file,
                    field=f"regions.{region.name}",
                    found=f"0 of {region.voxels.size} voxels inside",
                    expected="at least one",
                )
            )
            continue
        indices.append(_memory_order(region.voxels[used], inside.shape))
        weights.append(region.weights[used] / total)
        starts.append(starts[-1] + int(used.sum()))
    if problems:
        raise RegionError(*problems)
    return _Packed(
        starts=np.asarray(starts, np.int64),
        index=np.concatenate([np.empty(0, np.int64), *indices]),
        weights=np.concatenate([np.empty(0), *weights]),
    )


def _stream(
    reader: VolumeReader,
    inside: Bool[np.ndarray, "x y z"],
    packed: _Packed,
    plan: SmoothingPlan | None,
    n_leading: int,
) -> tuple[_Voxels | None, Float[np.ndarray, "n_volumes n_regions"], _Sums]:
    index = np.sort(_memory_order(np.flatnonzero(inside), reader.shape))
    means = np.empty((reader.n_volumes, packed.starts.size - 1))
    smoothed, sums = None, None
    # Statistics are of volumes in steady state, where that leaves an SD.
    start = n_leading if n_leading + 1 < reader.n_volumes else 0
    blank: list[int] = []
    for t, raw in enumerate(reader):
        volume = _computable(raw)
        flat = volume.reshape(-1)
        if sums is None:
            first = flat[index].astype(np.float64)
            sums = _Sums(
                index=index,
                first=first,
                total=np.zeros(index.size),
                squares=np.zeros(index.size),
                n=reader.n_volumes - start,
            )
            if plan is not None:
                smoothed = _start_voxels(plan, volume, reader, index.size)
        if t == start:
            sums.total[:], sums.squares[:] = 0.0, 0.0
        n_bad, is_blank = _accumulate(flat, index, sums.first, sums.total, sums.squares)
        blank += [t] if is_blank else []
        if n_bad:
            raise SignalsError(
                Problem(
                    what="voxels inside the brain mask are not finite",
                    file=str(reader.path),
                    found=f"{n_bad} of {index.size} voxels in volume {t} (counted from 0)",
                    expected="numbers",
                )
            )
        _average(flat, packed.starts, packed.index, packed.weights, means[t])
        if smoothed is not None:
            smooth_volume(
                smoothed.plan,
                volume,
                smoothed.reference,
                reader.slope,
                buffers=smoothed.buffers,
                out=smoothed.series[t],
            )
            if t >= start:
                _add(smoothed.series[t], smoothed.total)
    if sums is None:
        raise SignalsError(Problem(what="the run has no volume", file=str(reader.path)))
    if 0 < len(blank) < reader.n_volumes:
        raise SignalsError(
            Problem(
                what="volumes are blank: zero, or one value in the whole brain mask",
                file=str(reader.path),
                found=f"{len(blank)} of {reader.n_volumes}, the first is volume "
                f"{blank[0]} (counted from 0)",
                expected="a BOLD signal in every volume",
            )
        )
    return smoothed, means * reader.slope + reader.inter, sums


def _start_voxels(
    plan: SmoothingPlan, volume: Shaped[np.ndarray, "z y x"], reader: VolumeReader, n_voxels: int
) -> _Voxels:
    reference, buffers = take_box(plan, volume), plan.make_buffers()
    first = np.empty(n_voxels, np.float32)
    nothing = np.zeros_like(reference)
    smooth_volume(plan, volume, nothing, reader.slope, buffers=buffers, out=first)
    return _Voxels(
        plan=plan,
        reference=reference,
        buffers=buffers,
        series=np.empty((reader.n_volumes, n_voxels), np.float32),
        first=first,
        total=np.zeros(n_voxels),
    )


def _voxel_mean(
    smoothed: _Voxels, reader: VolumeReader, n: int
) -> Float32[np.ndarray, " n_voxels"]:
    mean = smoothed.first + smoothed.total / n + reader.inter
    return np.asarray(mean, np.float32)


def _computable(volume: Shaped[np.ndarray, "z y x"]) -> Shaped[np.ndarray, "z y x"]:
    """Give native, contiguous values of a type that the kernels are compiled for."""
    known = volume.dtype.str[1:] in _WITH_KERNELS and volume.dtype.isnative
    dtype = volume.dtype if known else np.dtype(np.float64)
    return np.ascontiguousarray(volume, dtype)


def _measure(
    sums: _Sums,
    reader: VolumeReader,
    inside: Bool[np.ndarray, "x y z"],
    regions: Sequence[RegionOnGrid],
    dropout_threshold: float,
) -> RunQuality:
    n = sums.n
    mean = (sums.first + sums.total / n) * reader.slope + reader.inter
    variance = np.maximum(sums.squares - sums.total**2 / n, 0.0) / max(n - 1, 1)
    sd = np.sqrt(variance) * abs(reader.slope)
    if not (sd > 0).any():
        zero = not mean.any()
        raise SignalsError(
            Problem(
                what="the run is zero in the whole brain mask"
                if zero
                else "the run does not change in time anywhere in the brain mask",
                file=str(reader.path),
                found=f"{sums.index.size} voxels, {reader.n_volumes} volumes",
                expected="a BOLD run",
            )
        )
    brain = float(np.median(mean))
    has_mean = brain > float(np.median(sd))
    signal = np.zeros(inside.size, bool)
    signal[sums.index] = mean > dropout_threshold * brain if has_mean else sd > 0
    ratio = np.divide(mean, sd, out=np.zeros_like(mean), where=sd > 0)
    return RunQuality(
        mean_fd_mm=float("nan"),
        mean_std_dvars=float("nan"),
        tsnr_median=float(np.median(ratio)) if has_mean else float("nan"),
        region_voxels={region.name: int(region.voxels.size) for region in regions},
        region_coverage={
            region.name: float(signal[_memory_order(region.voxels, inside.shape)].mean())
            for region in regions
        },
    )


@njit(nogil=True, cache=True)
@no_type_check
def _accumulate(volume, index, first, total, squares):
    n_bad = 0
    is_blank = True
    one = np.float64(volume[index[0]])
    for i in range(index.shape[0]):
        value = np.float64(volume[index[i]])
        if value != one:
            is_blank = False
        if not np.isfinite(value):
            n_bad += 1
        difference = value - first[i]
        total[i] += difference
        squares[i] += difference * difference
    return n_bad, is_blank


@njit(nogil=True, cache=True)
@no_type_check
def _average(volume, starts, index, weights, out):
    for region in range(out.shape[0]):
        mean = 0.0
        for i in range(starts[region], starts[region + 1]):
            mean += weights[i] * np.float64(volume[index[i]])
        out[region] = mean


@njit(nogil=True, cache=True)
@no_type_check
def _add(values, total):
    for i in range(values.shape[0]):
        total[i] += values[i]
