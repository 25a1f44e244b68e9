r"""Correlations of cleaned series within one run.

A cleaned series is :math:`\hat y = (I - QQ^\top) y`, or its coordinates :math:`K y`. The
correlation of two series is the cosine between them,

.. math:: r_{ab} = \frac{\hat a^\top \hat b}{\lVert\hat a\rVert \lVert\hat b\rVert},
          \qquad z_{ab} = \operatorname{artanh} r_{ab},

which for a projection is the partial correlation given the constant, filter and confounds, and
under white noise :math:`\operatorname{Var} z = 1/(df - 2)`. Voxels go through in blocks: with
unit seeds :math:`S`, one product :math:`[S; Q^\top] Y` gives the numerator and, as
:math:`\lVert\hat y\rVert^2 = \lVert y\rVert^2 - \lVert Q^\top y\rVert^2`, the denominator.

Within the blocks of a task condition volumes have weights (`BlockWeights`), and several conditions
give a weighted sum of their z.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._blocks import BlockWeights
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._unit_series import (
    NO_VARIANCE,
    Seen,
    fisher,
    give_estimates,
    refuse_other_length,
    sum_of_z,
    unit_series,
    variance_of_z,
)
from phmri.firstlevel._weighted import cleaned_at, weigh
from phmri.signals import Cleaning

__all__ = ["edge_names", "roi_to_roi", "seed_to_parcel", "seed_to_voxel"]

_BLOCK = 4096  # columns: a block of 300 float64 volumes and its products stay in cache


def seed_to_voxel(
    cleaning: Cleaning,
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    within: BlockWeights | None = None,
) -> tuple[RunEstimate, ...]:
    r"""Correlate seeds with every voxel.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    seeds : ndarray of shape (n_volumes, n_seeds)
        Uncleaned means of unsmoothed data.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned, float32; computed with in float64, block by block.
    within : BlockWeights, optional
        Correlate within the blocks of conditions, and add their z up; all volumes weigh the same
        when left out.

    Returns
    -------
    tuple of RunEstimate
        One per seed, of n_voxels; NaN in the ``n_undefined`` voxels that have no variance after
        cleaning.

    Notes
    -----
    `FirstLevelError` tells that series do not fit the run, that a seed or voxel is not finite, or
    that a seed has no variance; within blocks also that too little is left of a condition or the
    cleaning is no projection.

    :math:`|r|` is bounded by :math:`1 - 10^{-7}`, which is all that float32 data can tell from
    1, so that a seed's own voxel has a finite z of at most 8.4.
    """
    variance_of_z(cleaning, within)  # before the long part
    refuse_other_length(cleaning, voxels)
    unit = unit_series(cleaning, seeds, [f"seed {i}" for i in range(seeds.shape[1])], within)
    z = np.empty((seeds.shape[1], voxels.shape[1]))
    if within is None:
        to_seed = cleaning.basis @ unit[0] if cleaning.kind == "keep" else unit[0]
        product = np.ascontiguousarray(np.hstack([to_seed, cleaning.basis]).T)
        for columns, block in _blocks(cleaning, voxels):
            z[:, columns] = _block_z(product, block, seeds.shape[1], cleaning.kind)
    else:
        for columns, block in _blocks(cleaning, voxels):
            z[:, columns] = _weighted_z(cleaning, unit, block, within)
    return give_estimates(cleaning, z, (), within)


def _blocks(
    cleaning: Cleaning, voxels: Float[np.ndarray, "n_volumes n_voxels"]
) -> Iterator[tuple[slice, Float[np.ndarray, "n_kept n_block"]]]:
    all_kept = bool(cleaning.sample_mask.all())
    for start in range(0, voxels.shape[1], _BLOCK):
        columns = slice(start, min(start + _BLOCK, voxels.shape[1]))
        block = voxels[:, columns] if all_kept else voxels[cleaning.sample_mask, columns]
        yield columns, block.astype(np.float64)


def _power(block: Float[np.ndarray, "n_kept n_block"]) -> Float[np.ndarray, " n_block"]:
    total = np.einsum("ij,ij->j", block, block)
    if not np.isfinite(total).all():
        raise FirstLevelError(
            Problem(
                what="voxels have values that are not finite",
                found=f"{int((~np.isfinite(total)).sum())} of a block of {total.size}",
                expected="numbers",
            )
        )
    return np.asarray(total)


def _weighted_z(
    cleaning: Cleaning,
    unit: Seen,
    block: Float[np.ndarray, "n_kept n_block"],
    within: BlockWeights,
) -> Float[np.ndarray, "n_seeds n_block"]:
    weights = within.weights[cleaning.sample_mask]
    power, at = _power(block), cleaned_at(cleaning, block, weights)
    z = np.zeros((unit[0].shape[1], block.shape[1]))
    seen = weights[weights.any(axis=1)]
    for weight, one, column in zip(within.contrast.tolist(), unit, seen.T, strict=True):
        weighted = weigh(column, at)
        left = np.einsum("ij,ij->j", weighted, weighted)
        flat = left <= NO_VARIANCE * column.max() * power
        z += weight * fisher(one.T @ weighted / np.sqrt(np.where(flat, 1.0, left)))
        z[:, flat] = np.nan
    return z


def _block_z(
    product: Float[np.ndarray, "k n_kept"],
    block: Float[np.ndarray, "n_kept n_block"],
    n_seeds: int,
    kind: Literal["remove", "keep"],
) -> Float[np.ndarray, "n_seeds n_block"]:
    total = _power(block)
    coordinates = product @ block
    inside = np.einsum("ij,ij->j", coordinates[n_seeds:], coordinates[n_seeds:])
    left = inside if kind == "keep" else total - inside
    flat = left <= NO_VARIANCE * total
    length = np.sqrt(np.where(flat, 1.0, left))
    z = fisher(coordinates[:n_seeds] / length)
    z[:, flat] = np.nan
    return z


def seed_to_parcel(
    cleaning: Cleaning,
    seed: Float[np.ndarray, " n_volumes"],
    parcels: Float[np.ndarray, "n_volumes n_parcels"],
    names: Sequence[str],
    within: BlockWeights | None = None,
) -> RunEstimate:
    """Correlate a seed with every parcel.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    seed : ndarray of shape (n_volumes,)
        Uncleaned.
    parcels : ndarray of shape (n_volumes, n_parcels)
        Uncleaned.
    names : sequence of str
        Of the parcels.
    within : BlockWeights, optional
        Correlate within the blocks of conditions, and add their z up; all volumes weigh the same
        when left out.

    Returns
    -------
    RunEstimate
        One value per parcel.

    Notes
    -----
    `FirstLevelError` tells that series do not fit the run or each other, are not finite, or have
    no variance after cleaning; every such parcel is named.
    """
    _check_names(parcels, names)
    one = unit_series(cleaning, seed[:, None], ["seed"], within)
    many = unit_series(cleaning, parcels, names, within)
    (found,) = give_estimates(cleaning, sum_of_z(one, many, within), tuple(names), within)
    return found


def _check_names(series: Float[np.ndarray, "n_volumes n"], names: Sequence[str]) -> None:
    if series.shape[1] != len(names) or len(set(names)) != len(names):
        raise FirstLevelError(
            Problem(
                what="every region needs a name of its own",
                found=f"{series.shape[1]} series, {len(set(names))} different names",
            )
        )


def edge_names(names: Sequence[str]) -> tuple[str, ...]:
    """Name all pairs of regions in the one fixed order: the upper triangle, row by row.

    Parameters
    ----------
    names : sequence of str
        Regions.

    Returns
    -------
    tuple of str
        ``A~B``, A before B.

    Examples
    --------
    >>> edge_names(("a", "b", "c"))
    ('a~b', 'a~c', 'b~c')
    """
    first, second = np.triu_indices(len(names), 1)
    return tuple(
        f"{names[i]}~{names[j]}" for i, j in zip(first.tolist(), second.tolist(), strict=True)
    )


def roi_to_roi(
    cleaning: Cleaning,
    regions: Float[np.ndarray, "n_volumes n_regions"],
    names: Sequence[str],
    summary: Literal["edges", "nodes", "global"],
    within: BlockWeights | None = None,
) -> RunEstimate:
    r"""Correlate all pairs of regions and summarise.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    regions : ndarray of shape (n_volumes, n_regions)
        Uncleaned; at least two.
    names : sequence of str
        Of the regions.
    summary : {"edges", "nodes", "global"}
        Every pair, the mean per region, or the mean over all pairs.
    within : BlockWeights, optional
        Correlate within the blocks of conditions, and add their z up; all volumes weigh the same
        when left out.

    Returns
    -------
    RunEstimate
        Of n_edges, n_regions or 1 value.

    Raises
    ------
    FirstLevelError
        Fewer than two regions, series that do not fit, are not finite, or have no variance
        after cleaning; every such region is named.

    Notes
    -----
    For :math:`n` regions, Fisher z first, then the mean:
    :math:`\bar z_i = \frac{1}{n-1} \sum_{j \ne i} z_{ij}` (nodes) and
    :math:`\bar z = \frac{2}{n(n-1)} \sum_{i<j} z_{ij}` (global). ``variance`` is that of one
    :math:`z_{ij}`; a mean of correlated edges has at most this variance.
    """
    _check_names(regions, names)
    if len(names) < 2:  # noqa: PLR2004  a pair
        raise FirstLevelError(
            Problem(
                what="connectivity among regions needs at least two",
                found=", ".join(names) or "none",
            )
        )
    unit = unit_series(cleaning, regions, names, within)
    z = sum_of_z(unit, unit, within)
    if summary == "edges":
        values, labels = z[np.triu_indices(len(names), 1)], edge_names(names)
    elif summary == "nodes":
        np.fill_diagonal(z, 0.0)
        values, labels = z.sum(axis=1) / (len(names) - 1), tuple(names)
    else:
        values, labels = z[np.triu_indices(len(names), 1)].mean(keepdims=True), ("mean",)
    (found,) = give_estimates(cleaning, values[None], labels, within)
    return found
