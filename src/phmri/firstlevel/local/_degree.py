r"""Degree centrality: with how large a part of the brain a voxel is connected.

With :math:`u_j` the cleaned series j at length 1 and a threshold :math:`\theta`,

.. math:: d_v = \frac{1}{M} \sum_{j \ne v} [\, u_v^\top u_j > \theta \,] .

The products go through in blocks of float32; never are all pairs in memory.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel.local._blocks import (
    refuse,
    refuse_flat,
    refuse_names,
    refuse_single,
    unit_series,
    zscored,
)
from phmri.signals import Cleaning

__all__ = ["degree_centrality", "every_nth_voxel"]

_PRODUCTS = 1 << 21  # correlations in memory at once


def every_nth_voxel(
    mask: Bool[np.ndarray, "nx ny nz"], step: int
) -> Int[np.ndarray, " n_targets"]:
    """Choose the voxels of a coarser grid.

    Parameters
    ----------
    mask : ndarray of shape (nx, ny, nz)
        Where the voxels lie, in C order.
    step : int
        Every how many voxels along each axis: 2 leaves about one eighth.

    Returns
    -------
    ndarray of shape (n_targets,)
        Their numbers among the voxels of the mask.

    Raises
    ------
    FirstLevelError
        The step is below 1, or no voxel of the grid lies in the mask.
    """
    kept = np.zeros(mask.shape, bool)
    if step >= 1:
        kept[::step, ::step, ::step] = True
    targets = np.flatnonzero(kept[mask])
    if targets.size == 0:
        raise FirstLevelError(
            Problem(
                what="no voxel of the coarser grid lies in the mask",
                field="step",
                found=f"{step}",
                expected="1 or more, smaller than the mask",
            )
        )
    return targets


def degree_centrality(
    cleaning: Cleaning,
    series: Float[np.ndarray, "n_volumes n_series"],
    *,
    threshold: float,
    names: Sequence[str] = (),
    targets: Int[np.ndarray, " n_targets"] | None = None,
) -> RunEstimate:
    r"""Measure with how large a part of the brain a voxel or parcel is connected.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    series : ndarray of shape (n_volumes, n_series)
        Uncleaned, of voxels or of parcels.
    threshold : float
        Two series are connected if they correlate above it; between 0 and 1.
    names : sequence of str
        Of the parcels; empty for voxels.
    targets : ndarray of shape (n_targets,), optional
        Series that connections are counted to (`every_nth_voxel`); all when left out.

    Returns
    -------
    RunEstimate
        ``values`` is the fraction of all possible connections that are there; NaN without
        variance. Extras: ``weighted``, the sum of their r over the same number, and ``zscored``.
        Fact ``n_targets`` gives the number.

    Notes
    -----
    `FirstLevelError` tells that threshold, targets or names do not fit, or what it tells in
    `global_connectivity`.

    A fraction, not a count, so that masks of different size and coarser targets compare. The
    time grows with voxels times targets times volumes: in a whole brain at 2 mm take the
    targets of step 2 or 3.

    A count of correlated series beyond a threshold has no known variance, so it is NaN.

    References
    ----------
    Buckner et al. 2009, doi:10.1523/JNEUROSCI.5062-08.2009. Zuo et al. 2012,
    doi:10.1093/cercor/bhr269.
    """
    refuse(_degree_problems(threshold, targets, series.shape[1]))
    if names:
        refuse_names(series, names)
    unit, flat = unit_series(cleaning, series, np.float32)
    if names:
        refuse_flat(flat, names)
    chosen = np.flatnonzero(~flat) if targets is None else targets[~flat[targets]]
    refuse_single(int((~flat).sum()) if chosen.size else 0)
    counted, weighted, possible = _above(unit, chosen, threshold)
    undefined = flat | (possible == 0)
    possible = np.where(undefined, np.nan, possible)
    values = counted / possible
    return RunEstimate(
        values=values,
        names=tuple(names),
        variance=np.nan,
        df=np.nan,
        unit="fraction of possible connections",
        variance_assumes="no formula is known for a count beyond a threshold",
        extras={"weighted": weighted / possible, "zscored": zscored(values)},
        facts={"threshold_r": threshold, "n_targets": float(chosen.size)},
        n_undefined=int(undefined.sum()),
    )


def _degree_problems(
    threshold: float, targets: Int[np.ndarray, " n_targets"] | None, n_series: int
) -> list[Problem]:
    problems = []
    if not 0.0 < threshold < 1.0:
        problems.append(
            Problem(
                what="a threshold on r that is no threshold",
                field="threshold",
                found=f"{threshold:g}",
                expected="more than 0 and less than 1",
            )
        )
    if targets is not None and (
        np.unique(targets).size != targets.size
        or targets.size == 0
        or targets.min() < 0
        or targets.max() >= n_series
    ):
        problems.append(
            Problem(
                what="the targets are not different series of this run",
                field="targets",
                expected=f"numbers from 0 to {n_series - 1}, each once",
            )
        )
    return problems


def _above(
    unit: Float[np.ndarray, "n_series n_coordinates"],
    chosen: Int[np.ndarray, " n_targets"],
    threshold: float,
) -> tuple[
    Float[np.ndarray, " n_series"], Float[np.ndarray, " n_series"], Int[np.ndarray, " n_series"]
]:
    # Number of correlations above the threshold, their sum, and how many there could be.
    n_series = unit.shape[0]
    column = np.full(n_series, -1)
    column[chosen] = np.arange(chosen.size)
    others = np.ascontiguousarray(unit[chosen].T)
    counted, weighted = np.empty(n_series), np.empty(n_series)
    edge = np.float32(threshold)
    rows = max(1, _PRODUCTS // chosen.size)
    for start in range(0, n_series, rows):
        part = slice(start, min(start + rows, n_series))
        r = unit[part] @ others
        own = column[part]
        inside = np.flatnonzero(own >= 0)
        r[inside, own[inside]] = 0.0
        count = np.count_nonzero(r > edge, axis=1)
        np.maximum(r, edge, out=r)
        counted[part] = count
        weighted[part] = r.sum(axis=1, dtype=np.float64) - edge * (chosen.size - count)
    return counted, weighted, chosen.size - (column >= 0)
