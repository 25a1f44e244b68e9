"""Series of regions and parcels from a table instead of an image."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from phmri.dataset import Confounds, Series
from phmri.exceptions import Problem, SignalsError
from phmri.signals._quality import run_quality
from phmri.signals._records import RunSignals

__all__ = ["extract_series"]

_FLAT = 1e-12  # of a column's size: a rounding error of its mean, not a signal


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
        A column is missing, has values that are not finite, or does not change in time; all
        are named.

    Examples
    --------
    >>> import numpy as np
    >>> from phmri.dataset import Series
    >>> table = Series(names=("a", "b"), values=np.array([[1.0, 2.0], [3.0, 5.0]]))
    >>> extract_series(table, {"ab": ("a", "b")}).regions.tolist()
    [[1.5], [4.0]]
    """
    used = tuple(dict.fromkeys(name for names in columns.values() for name in names))
    problems = [problem for name in used if (problem := _fault(series, name)) is not None]
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


def _fault(series: Series, name: str) -> Problem | None:
    if name not in series.names:
        return Problem(
            what="the time series have no such column",
            field=name,
            found=", ".join(series.names[:5]) + (", ..." if len(series.names) > 5 else ""),  # noqa: PLR2004
        )
    values = series.values[:, series.names.index(name)]
    n_bad = int((~np.isfinite(values)).sum())
    if n_bad:
        return Problem(
            what="a parcel has values that are not finite",
            field=name,
            found=f"{n_bad} of {values.size} volumes",
            expected="numbers",
        )
    if np.ptp(values) <= _FLAT * np.abs(values).max():
        return Problem(
            what="a parcel does not change in time",
            field=name,
            found=f"{values[0]:g} in every volume",
            expected="a time series",
        )
    return None
