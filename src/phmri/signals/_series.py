"""Series of regions and parcels from a table instead of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float

from phmri.dataset import Confounds, Series
from phmri.exceptions import Problem, SignalsError
from phmri.signals._quality import run_quality
from phmri.signals._records import RunSignals

__all__ = ["extract_series", "find_series_faults"]

_FLAT = 1e-12  # of a column's size: a rounding error of its mean, not a signal
_ALIKE = 1e-12  # of a correlation: a rounding error of 1
_LEAST_VOLUMES = 3  # two values are always correlated by 1
_SHOWN = 5


def extract_series(
    series: Series,
    columns: Mapping[str, tuple[str, ...]],
    confounds: Confounds | None = None,
) -> RunSignals:
    """Average columns of tabular time series into regions.

    Parameters
    ----------
    series : Series
        One run, n_volumes x n_parcels.
    columns : mapping of str to tuple of str
        Region or parcel -> columns of the table that it is the mean of.
    confounds : Confounds, optional
        For the motion summary.

    Returns
    -------
    RunSignals
        Without voxels; a region's coverage is 1, its voxels are its columns.

    Raises
    ------
    SignalsError
        A column is missing, has values that are not finite, does not change in time, or has the
        time course of another; all are named.

    Examples
    --------
    >>> import numpy as np
    >>> from phmri.dataset import Series
    >>> table = Series(names=("a", "b"), values=np.array([[1.0, 2.0], [3.0, 5.0]]))
    >>> extract_series(table, {"ab": ("a", "b")}).regions.tolist()
    [[1.5], [4.0]]
    """
    problems = [*_not_finite(series, columns), *find_series_faults(series, columns)]
    if problems:
        raise SignalsError(*problems)
    place = {name: i for i, name in enumerate(series.names)}
    means = [
        series.values[:, [place[n] for n in names]].mean(axis=1) for names in columns.values()
    ]
    quality = replace(
        run_quality(confounds),
        region_voxels={name: len(names) for name, names in columns.items()},
        region_coverage=dict.fromkeys(columns, 1.0),
    )
    return RunSignals(
        voxels=None,
        regions=np.column_stack(means) if means else np.empty((series.values.shape[0], 0)),
        region_names=tuple(columns),
        quality=quality,
    )


def find_series_faults(series: Series, columns: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    """Find columns of tabular time series that cannot be used.

    Parameters
    ----------
    series : Series
        One run, n_volumes x n_parcels; may have values that are not finite.
    columns : mapping of str to tuple of str
        Region or parcel -> columns of the table that it is the mean of. Others do not matter.

    Returns
    -------
    list of Problem
        Columns that are missing, do not change in time, or have the time course of another: a
        correlation of 1 (or -1) up to rounding.

    Notes
    -----
    Volumes with a value that is not finite are left out: who reads the table tells of them.
    """
    named_by: dict[str, list[str]] = {}
    for region, names in columns.items():
        for name in names:
            named_by.setdefault(name, []).append(region)
    used = [name for name in named_by if name in series.names]
    values = series.values[:, [series.names.index(name) for name in used]]
    some = np.isfinite(values).any(axis=0)
    used, values = list(compress(used, some)), values[:, some]
    values = values[np.isfinite(values).all(axis=1)]
    problems = [
        Problem(
            what="the time series have no such column",
            field=name,
            found=", ".join(series.names[:_SHOWN])
            + (", ..." if len(series.names) > _SHOWN else ""),
            expected=f"the columns of {', '.join(regions)}",
        )
        for name, regions in named_by.items()
        if name not in series.names
    ]
    problems += [*_still(used, values), *_alike(used, values)]
    return [replace(problem, file=series.path or None) for problem in problems]


def _not_finite(series: Series, columns: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    used = {name for names in columns.values() for name in names}
    n_bad = (~np.isfinite(series.values)).sum(axis=0)
    return [
        Problem(
            what="a parcel has values that are not finite",
            file=series.path or None,
            field=name,
            found=f"{n} of {len(series.values)} volumes",
            expected="numbers",
        )
        for name, n in zip(series.names, n_bad, strict=True)
        if n and name in used
    ]


def _is_still(values: Float[np.ndarray, "n_volumes n"]) -> Bool[np.ndarray, " n"]:
    still = np.ptp(values, axis=0) <= _FLAT * np.abs(values).max(axis=0)
    return np.asarray(still)


def _still(names: Sequence[str], values: Float[np.ndarray, "n_volumes n"]) -> list[Problem]:
    if not len(values):
        return []
    return [
        Problem(
            what="a parcel does not change in time: nothing can be correlated with it",
            field=names[column],
            found=f"{values[0, column]:g} in every volume",
            expected="a time series",
        )
        for column in np.flatnonzero(_is_still(values)).tolist()
    ]


def _alike(names: Sequence[str], values: Float[np.ndarray, "n_volumes n"]) -> list[Problem]:
    """Find columns that are a copy of an earlier one, whatever their scale."""
    if len(values) < _LEAST_VOLUMES:
        return []
    changing = np.flatnonzero(~_is_still(values))
    Z = values[:, changing] - values[:, changing].mean(axis=0)
    Z /= np.linalg.norm(Z, axis=0)
    problems = []
    for second in range(1, changing.size):
        r = Z[:, second] @ Z[:, :second]
        first = int(np.argmax(np.abs(r)))
        if abs(r[first]) >= 1 - _ALIKE:
            problems.append(
                Problem(
                    what="two parcels have one time course: a copy is no measurement",
                    field=f"{names[changing[first]]}, {names[changing[second]]}",
                    found=f"a correlation of {r[first]:.0f}",
                    expected="a time series of its own for each",
                )
            )
    return problems
