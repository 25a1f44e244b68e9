r"""Regional homogeneity: Kendall's W of a voxel and its neighbours.

Each series is replaced by its ranks in time. Of K series of n volumes, with :math:`R_t` the sum of
ranks at volume t,

.. math:: W = \frac{12 \sum_t R_t^2 - 3 K^2 n (n+1)^2}{K^2 (n^3 - n) - K \sum_i T_i}, \qquad
          T_i = \sum_{\mathrm{ties\ of\ } i} (m^3 - m) .
"""

from itertools import product
from typing import Literal, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Float, UInt16

from phmri.exceptions import Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel.local._blocks import clean_blocks, only_series, refuse, zscored
from phmri.signals import Cleaning

__all__ = ["reho"]

_SHORTEST = 3
_LONGEST = 32767  # volumes: twice a rank fits in 16 bits
_FARTHEST = {7: 1, 19: 2, 27: 3}  # squared distance in voxels of the neighbours that count


def reho(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    mask: Bool[np.ndarray, "nx ny nz"],
    *,
    neighbours: Literal[7, 19, 27] = 27,
) -> RunEstimate:
    r"""Measure how alike the series of a voxel and its neighbours rise and fall.

    Parameters
    ----------
    cleaning : Cleaning
        A projection; a band-pass is usual.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned, **unsmoothed**: smoothing makes neighbours alike.
    mask : ndarray of shape (nx, ny, nz)
        Where the voxels lie, in C order.
    neighbours : {7, 19, 27}
        Voxels of a whole neighbourhood, its centre included: those that share a face, an edge
        too, a corner too.

    Returns
    -------
    RunEstimate
        ``values`` are W, 0 to 1; NaN in voxels without variance or without any neighbour.
        Extras: ``zscored`` over the voxels, ``neighbours`` (K), and ``meanrankcorrelation``.

    Notes
    -----
    `FirstLevelError` tells that mask and voxels do not fit, that the run has too few or too many
    volumes, or that the cleaning hands on no series (Butterworth).

    Neighbours outside the mask or without variance are left out, and W is of the K that remain.
    Unrelated series have W of about 1/K, which is larger at the edge of the mask; the mean rank
    correlation of all pairs, :math:`(KW - 1)/(K - 1)`, is free of that where there are no ties.

    Equal values share their mean rank. AFNI's 3dReHo cuts values to integers before it looks
    for ties, so that data of small range come out different there unless scaled up.

    No formula is known for the variance of W among neighbours, so it is NaN.

    References
    ----------
    Zang et al. 2004, doi:10.1016/j.neuroimage.2003.12.030. Taylor & Saad 2013,
    doi:10.1089/brain.2013.0154 (3dReHo).
    """
    n = int(cleaning.sample_mask.sum())
    refuse(only_series(cleaning, "ReHo") + _shape_problems(voxels, mask, neighbours, n))
    ranks = np.zeros((voxels.shape[1], n), np.uint16)
    ties = np.zeros(voxels.shape[1])
    varies = np.zeros(voxels.shape[1], bool)
    for block in clean_blocks(cleaning, voxels, in_time=True):
        series = np.ascontiguousarray(block.values.T, np.float32)
        _double_ranks(
            series, np.argsort(series, axis=1), ranks[block.columns], ties[block.columns]
        )
        varies[block.columns] = ~block.flat
    w, count = _concordance(ranks, ties, varies, mask, neighbours)
    correlation = (count * w - 1.0) / np.maximum(count - 1.0, 1.0)  # NaN of W stays
    return RunEstimate(
        values=w,
        names=(),
        variance=np.nan,
        df=np.nan,
        unit="Kendall's W",
        variance_assumes="no formula is known among neighbours, whose series are correlated",
        extras={
            "zscored": zscored(w),
            "neighbours": count,
            "meanrankcorrelation": correlation,
        },
        facts={"neighbours": float(neighbours)},
        n_undefined=int(np.isnan(w).sum()),
    )


def _shape_problems(
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    mask: Bool[np.ndarray, "nx ny nz"],
    neighbours: int,
    n_kept: int,
) -> list[Problem]:
    problems = []
    if int(mask.sum()) != voxels.shape[1]:
        problems.append(
            Problem(
                what="mask and series hold different numbers of voxels",
                found=f"{int(mask.sum())} and {voxels.shape[1]}",
            )
        )
    if neighbours not in _FARTHEST:
        problems.append(
            Problem(
                what="no such neighbourhood",
                field="neighbours",
                found=f"{neighbours}",
                expected="7, 19 or 27",
            )
        )
    if not _SHORTEST <= n_kept <= _LONGEST:
        problems.append(
            Problem(
                what="ranks in time need another number of volumes",
                found=f"{n_kept}",
                expected=f"{_SHORTEST} to {_LONGEST}",
            )
        )
    return problems


def _concordance(
    ranks: UInt16[np.ndarray, "n_voxels n_kept"],
    ties: Float[np.ndarray, " n_voxels"],
    varies: Bool[np.ndarray, " n_voxels"],
    mask: Bool[np.ndarray, "nx ny nz"],
    neighbours: int,
) -> tuple[Float[np.ndarray, " n_voxels"], Float[np.ndarray, " n_voxels"]]:
    box = np.full(tuple(size + 2 for size in mask.shape), -1, np.int32)
    inner = box[1:-1, 1:-1, 1:-1]
    inner[mask] = np.where(varies, np.arange(varies.size), -1)
    places = np.flatnonzero(np.pad(mask, 1))
    near = [
        step
        for step in product((-1, 0, 1), repeat=3)
        if sum(i * i for i in step) <= _FARTHEST[neighbours]
    ]
    steps = np.array(near) @ np.array([box.shape[1] * box.shape[2], box.shape[2], 1])
    w = np.full(varies.size, np.nan)
    count = np.zeros(varies.size)
    _sum_ranks(ranks, ties, box.ravel(), places, steps, w, count)
    return w, count


@numba.njit(nogil=True)
@no_type_check
def _double_ranks(series, order, ranks, ties):
    # Twice the rank, so that the mean rank of equal values is whole.
    n = series.shape[1]
    for i in range(series.shape[0]):
        start = 0
        while start < n:
            stop = start + 1
            while stop < n and series[i, order[i, stop]] == series[i, order[i, start]]:
                stop += 1
            for k in range(start, stop):
                ranks[i, order[i, k]] = np.uint16(start + stop + 1)
            m = float(stop - start)
            ties[i] += m * m * m - m
            start = stop


@numba.njit(nogil=True)
@no_type_check
def _sum_ranks(ranks, ties, box, places, steps, w, count):
    n = ranks.shape[1]
    total = np.empty(n, np.int32)
    for v in range(places.size):
        if box[places[v]] < 0:
            continue
        total[:] = 0
        k = 0.0
        tied = 0.0
        for step in steps:
            other = box[places[v] + step]
            if other >= 0:
                k += 1.0
                tied += ties[other]
                row = ranks[other]
                for t in range(n):
                    total[t] += np.int32(row[t])
        count[v] = k
        squares = np.int64(0)
        for t in range(n):
            squares += np.int64(total[t]) * np.int64(total[t])
        spread = k * k * (float(n) ** 3 - n) - k * tied
        if k > 1.0 and spread > 0.0:
            w[v] = (3.0 * squares - 3.0 * k * k * n * (n + 1.0) ** 2) / spread
