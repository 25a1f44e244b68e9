r"""Correlations of cleaned series within one run.

A cleaned series is :math:`\hat y = (I - QQ^\top) y`, or its coordinates :math:`K y`. The
correlation of two series is the cosine between them,

.. math:: r_{ab} = \frac{\hat a^\top \hat b}{\lVert\hat a\rVert \lVert\hat b\rVert},
          \qquad z_{ab} = \operatorname{artanh} r_{ab},

which for a projection is the partial correlation given the constant, filter and confounds, and
under white noise :math:`\operatorname{Var} z = 1/(df - 2)`. Voxels go through in blocks: with
unit seeds :math:`S`, one product :math:`[S; Q^\top] Y` gives the numerator and, as
:math:`\lVert\hat y\rVert^2 = \lVert y\rVert^2 - \lVert Q^\top y\rVert^2`, the denominator.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.signals import Cleaning

__all__ = ["clean", "edge_names", "roi_to_roi", "seed_to_parcel", "seed_to_voxel"]

_BLOCK = 4096  # columns: a block of 300 float64 volumes and its products stay in cache
_LARGEST_R = 1.0 - 1e-7  # what float32 data can tell from 1; artanh of it is 8.4
_NO_VARIANCE = 1e-12  # of a series' sum of squares: rounding of float32 data, not signal


def clean(
    cleaning: Cleaning, series: Float[np.ndarray, "n_volumes n_series"]
) -> Float[np.ndarray, "n_coordinates n_series"]:
    """Apply a run's cleaning to its series.

    Parameters
    ----------
    cleaning : Cleaning
        Of the same run.
    series : ndarray of shape (n_volumes, n_series)
        All volumes of the file.

    Returns
    -------
    ndarray of shape (n_coordinates, n_series)
        ``remove``: the cleaned series, one row per kept volume. ``keep``: coordinates that have
        the same inner products as the cleaned series.

    Raises
    ------
    FirstLevelError
        The series do not fit the run, or hold values that are not finite.
    """
    _check_rows(cleaning, series)
    kept = series[cleaning.sample_mask].astype(np.float64)
    if not np.isfinite(kept).all():
        raise FirstLevelError(
            Problem(what="series have values that are not finite", expected="numbers")
        )
    if cleaning.kind == "keep":
        return np.asarray(cleaning.basis.T @ kept)
    once = kept - cleaning.basis @ (cleaning.basis.T @ kept)
    twice = once - cleaning.basis @ (cleaning.basis.T @ once)  # enough for rounding
    return np.asarray(twice)


def _check_rows(cleaning: Cleaning, series: Float[np.ndarray, "rows n"]) -> None:
    if series.shape[0] != cleaning.sample_mask.size:
        raise FirstLevelError(
            Problem(
                what="series and cleaning are of runs of different length",
                found=f"{series.shape[0]} volumes",
                expected=f"{cleaning.sample_mask.size}",
            )
        )


def _unit(
    cleaning: Cleaning, series: Float[np.ndarray, "n_volumes n"], names: Sequence[str]
) -> Float[np.ndarray, "n_coordinates n"]:
    # Clean series and scale them to length 1; refuse those without variance, by name.
    cleaned = clean(cleaning, series)
    flat = _has_no_variance(cleaned, series[cleaning.sample_mask].astype(np.float64))
    if flat.any():
        raise FirstLevelError(
            *(
                Problem(
                    what="a series has no variance after cleaning",
                    field=names[i],
                    expected="a signal that the confounds do not explain whole",
                )
                for i in np.flatnonzero(flat).tolist()
            )
        )
    unit: Float[np.ndarray, "n_coordinates n"] = cleaned / np.linalg.norm(cleaned, axis=0)
    return unit


def _has_no_variance(
    cleaned: Float[np.ndarray, "k n"], kept: Float[np.ndarray, "n_kept n"]
) -> Bool[np.ndarray, " n"]:
    return np.asarray((cleaned**2).sum(axis=0) <= _NO_VARIANCE * (kept**2).sum(axis=0))


def _fisher(r: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return np.asarray(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)))


def _variance(cleaning: Cleaning) -> float:
    if cleaning.df <= 2:  # noqa: PLR2004  1 / (df - 2)
        raise FirstLevelError(
            Problem(
                what="too few degrees of freedom for a correlation",
                found=f"{cleaning.df:g}",
                expected="more than 2",
            )
        )
    return 1.0 / (cleaning.df - 2.0)


def _estimate(
    cleaning: Cleaning, z: Float[np.ndarray, " n_outcomes"], names: tuple[str, ...]
) -> RunEstimate:
    return RunEstimate(
        values=z,
        names=names,
        variance=_variance(cleaning),
        df=cleaning.df,
        unit="Fisher z",
        variance_assumes="white noise; autocorrelation makes the true variance larger",
        n_undefined=int(np.isnan(z).sum()),
    )


def seed_to_voxel(
    cleaning: Cleaning,
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
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

    Returns
    -------
    tuple of RunEstimate
        One per seed, of n_voxels; NaN in the ``n_undefined`` voxels that have no variance after
        cleaning.

    Notes
    -----
    `FirstLevelError` tells that series do not fit the run, that a seed or voxel is not finite, or
    that a seed has no variance.

    :math:`|r|` is bounded by :math:`1 - 10^{-7}`, which is all that float32 data can tell from
    1, so that a seed's own voxel has a finite z of at most 8.4.
    """
    _variance(cleaning)  # before the long part
    _check_rows(cleaning, voxels)
    unit = _unit(cleaning, seeds, [f"seed {i}" for i in range(seeds.shape[1])])
    n_seeds = unit.shape[1]
    to_seed = cleaning.basis @ unit if cleaning.kind == "keep" else unit
    product = np.ascontiguousarray(np.hstack([to_seed, cleaning.basis]).T)
    all_kept = bool(cleaning.sample_mask.all())
    z = np.empty((n_seeds, voxels.shape[1]))
    for start in range(0, voxels.shape[1], _BLOCK):
        stop = min(start + _BLOCK, voxels.shape[1])
        block = voxels[:, start:stop] if all_kept else voxels[cleaning.sample_mask, start:stop]
        z[:, start:stop] = _block_z(product, block.astype(np.float64), n_seeds, cleaning.kind)
    return tuple(_estimate(cleaning, values, ()) for values in z)


def _block_z(
    product: Float[np.ndarray, "k n_kept"],
    block: Float[np.ndarray, "n_kept n_block"],
    n_seeds: int,
    kind: Literal["remove", "keep"],
) -> Float[np.ndarray, "n_seeds n_block"]:
    total = np.einsum("ij,ij->j", block, block)
    if not np.isfinite(total).all():
        raise FirstLevelError(
            Problem(
                what="voxels have values that are not finite",
                found=f"{int((~np.isfinite(total)).sum())} of a block of {total.size}",
                expected="numbers",
            )
        )
    coordinates = product @ block
    inside = np.einsum("ij,ij->j", coordinates[n_seeds:], coordinates[n_seeds:])
    left = inside if kind == "keep" else total - inside
    flat = left <= _NO_VARIANCE * total
    length = np.sqrt(np.where(flat, 1.0, left))
    z = _fisher(coordinates[:n_seeds] / length)
    z[:, flat] = np.nan
    return z


def seed_to_parcel(
    cleaning: Cleaning,
    seed: Float[np.ndarray, " n_volumes"],
    parcels: Float[np.ndarray, "n_volumes n_parcels"],
    names: Sequence[str],
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
    one = _unit(cleaning, seed[:, None], ["seed"])
    many = _unit(cleaning, parcels, names)
    return _estimate(cleaning, _fisher((one.T @ many)[0]), tuple(names))


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
    unit = _unit(cleaning, regions, names)
    z = _fisher(unit.T @ unit)
    if summary == "edges":
        values, labels = z[np.triu_indices(len(names), 1)], edge_names(names)
    elif summary == "nodes":
        np.fill_diagonal(z, 0.0)
        values, labels = z.sum(axis=1) / (len(names) - 1), tuple(names)
    else:
        values, labels = z[np.triu_indices(len(names), 1)].mean(keepdims=True), ("mean",)
    return _estimate(cleaning, values, labels)
