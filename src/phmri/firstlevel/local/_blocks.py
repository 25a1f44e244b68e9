"""A run's voxels, cleaned block by block, and what several measures ask of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._unit_series import clean
from phmri.signals import Cleaning

__all__ = [
    "CleanBlock",
    "clean_blocks",
    "n_coordinates",
    "only_series",
    "percent_scale",
    "refuse",
    "refuse_flat",
    "refuse_names",
    "refuse_single",
    "unit_series",
    "zscored",
]

_BLOCK = 4096  # columns: a block of 300 float64 volumes and its products stay in cache
_NO_VARIANCE = 1e-12  # of a series' sum of squares: rounding of float32 data, not signal
_ORTHONORMAL = 1e-8  # what is left of an orthonormal basis' product with itself


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanBlock:
    """Some voxels of a run after cleaning.

    Parameters
    ----------
    columns : slice
        Which voxels.
    values : ndarray of shape (n_coordinates, n_block)
        Coordinates that have the inner products of the cleaned series, or the series.
    flat : ndarray of shape (n_block,)
        True for voxels without variance after cleaning.
    """

    columns: slice
    values: Float[np.ndarray, "n_coordinates n_block"]
    flat: Bool[np.ndarray, " n_block"]


def clean_blocks(
    cleaning: Cleaning, voxels: Float[np.ndarray, "n_volumes n_voxels"], *, in_time: bool
) -> Iterator[CleanBlock]:
    """Clean voxels block by block, in float64.

    Parameters
    ----------
    cleaning : Cleaning
        Of the same run; a projection if `in_time` (`only_series`).
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned.
    in_time : bool
        Give one row per kept volume, whatever the form of the cleaning.

    Yields
    ------
    CleanBlock
        In order. `FirstLevelError` tells that the voxels do not fit the run or are not finite.
    """
    for start in range(0, voxels.shape[1], _BLOCK):
        columns = slice(start, min(start + _BLOCK, voxels.shape[1]))
        block = voxels[:, columns]
        values = clean(cleaning, block)
        power = np.square(block[cleaning.sample_mask], dtype=np.float64).sum(axis=0)
        flat = np.asarray(np.square(values).sum(axis=0) <= _NO_VARIANCE * power)
        if in_time and cleaning.kind == "keep":
            values = np.asarray(cleaning.basis @ values)
        yield CleanBlock(columns=columns, values=values, flat=flat)


def only_series(cleaning: Cleaning, measure: str) -> list[Problem]:
    """Tell whether cleaned series exist: a Butterworth filter hands on inner products only.

    Parameters
    ----------
    cleaning : Cleaning
    measure : str
        That needs the series.

    Returns
    -------
    list of Problem
        Empty for a projection.
    """
    basis = cleaning.basis
    if cleaning.kind == "remove" or (
        np.abs(basis.T @ basis - np.eye(basis.shape[1])).max() < _ORTHONORMAL
    ):
        return []
    return [
        Problem(
            what=f"{measure} needs cleaned series, which this filter does not hand on",
            field="filter",
            found="butterworth",
            expected="projection",
        )
    ]


def refuse(problems: Sequence[Problem]) -> None:
    """Raise all problems at once, if there are any.

    Parameters
    ----------
    problems : sequence of Problem

    Raises
    ------
    FirstLevelError
        There are.
    """
    if problems:
        raise FirstLevelError(*problems)


def refuse_flat(flat: Bool[np.ndarray, " n"], names: Sequence[str]) -> None:
    """Refuse series without variance, by name.

    Parameters
    ----------
    flat : ndarray of shape (n,)
        True for series without variance after cleaning.
    names : sequence of str
        Of the series.
    """
    refuse(
        [
            Problem(
                what="a series has no variance after cleaning",
                field=names[i],
                expected="a signal that the confounds do not explain whole",
            )
            for i in np.flatnonzero(flat).tolist()
        ]
    )


def refuse_names(series: Float[np.ndarray, "n_volumes n"], names: Sequence[str]) -> None:
    """Refuse parcels that do not have one name each.

    Parameters
    ----------
    series : ndarray of shape (n_volumes, n)
    names : sequence of str

    Raises
    ------
    FirstLevelError
        There are more or fewer names than series, or one twice.
    """
    if series.shape[1] != len(names) or len(set(names)) != len(names):
        raise FirstLevelError(
            Problem(
                what="every parcel needs a name of its own",
                found=f"{series.shape[1]} series, {len(set(names))} different names",
            )
        )


def refuse_single(n_varying: int) -> None:
    """Refuse a run that has no pair of series.

    Parameters
    ----------
    n_varying : int
        Series with variance.

    Raises
    ------
    FirstLevelError
        There are fewer than two.
    """
    if n_varying < 2:  # noqa: PLR2004  a pair
        raise FirstLevelError(
            Problem(
                what="correlations with all others need at least two series with variance",
                found=f"{n_varying}",
            )
        )


def n_coordinates(cleaning: Cleaning) -> int:
    """Give the number of coordinates of a cleaned series.

    Parameters
    ----------
    cleaning : Cleaning

    Returns
    -------
    int
    """
    return int(cleaning.basis.shape[1 if cleaning.kind == "keep" else 0])


def unit_series(
    cleaning: Cleaning,
    series: Float[np.ndarray, "n_volumes n_series"],
    dtype: type[np.float32] | type[np.float64],
) -> tuple[Float[np.ndarray, "n_series n_coordinates"], Bool[np.ndarray, " n_series"]]:
    """Clean series and scale them to length 1.

    Parameters
    ----------
    cleaning : Cleaning
    series : ndarray of shape (n_volumes, n_series)
        Uncleaned.
    dtype : type
        Of the answer.

    Returns
    -------
    unit : ndarray of shape (n_series, n_coordinates)
        Zero where flat.
    flat : ndarray of shape (n_series,)
        True for series without variance after cleaning.
    """
    unit = np.zeros((series.shape[1], n_coordinates(cleaning)), dtype)
    flat = np.zeros(series.shape[1], bool)
    for block in clean_blocks(cleaning, series, in_time=False):
        length = np.where(block.flat, np.inf, np.linalg.norm(block.values, axis=0))
        unit[block.columns] = (block.values / length).T
        flat[block.columns] = block.flat
    return unit, flat


def percent_scale(
    mean: Float[np.ndarray, " n_means"] | None, n_voxels: int
) -> Float[np.ndarray, " n_voxels"]:
    """Give the factor from units of the data to % of a voxel's mean.

    Parameters
    ----------
    mean : ndarray of shape (n_voxels,) or None
        In time, in units of the data; None leaves those units.
    n_voxels : int

    Returns
    -------
    ndarray of shape (n_voxels,)
        NaN where the mean is not positive: no brain is there.

    Raises
    ------
    FirstLevelError
        The means do not fit the voxels or are not finite.
    """
    if mean is None:
        return np.ones(n_voxels)
    if mean.size != n_voxels or not np.isfinite(mean).all():
        raise FirstLevelError(
            Problem(
                what="voxel means do not fit the voxels",
                field="mean",
                found=f"{mean.size} means, {int((~np.isfinite(mean)).sum())} of them not finite",
                expected=f"{n_voxels} numbers",
            )
        )
    inside = mean > 0
    return np.where(inside, 100.0 / np.where(inside, mean, 1.0), np.nan)


def zscored(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Standardise a map over its defined voxels.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN where undefined.

    Returns
    -------
    ndarray of shape (n,)
        Mean 0, standard deviation 1; NaN everywhere where the map does not vary.
    """
    defined = np.isfinite(values)
    if not defined.any() or np.ptp(values[defined]) == 0.0:
        return np.full(values.shape, np.nan)
    return np.asarray((values - values[defined].mean()) / values[defined].std())
