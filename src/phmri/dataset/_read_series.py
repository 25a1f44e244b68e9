"""Readers of tabular time series, with or without names in the first line."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset._read_files import unreadable
from phmri.dataset._read_tables import (
    MAX_PROBLEMS,
    MISSING,
    fields_of,
    is_number,
    lines_of,
    loose_rows,
)
from phmri.dataset._records import Series
from phmri.exceptions import DatasetError, Problem

__all__ = ["lacks_names", "read_series", "scan_series", "series_names"]


def read_series(path: Path) -> Series:
    """Read tabular time series.

    Parameters
    ----------
    path : Path
        ``_timeseries.tsv``. A table whose first line holds numbers with decimals has no names
        (as HALFpipe writes them); its columns are then called ``1``, ``2``, ...

    Returns
    -------
    Series

    Raises
    ------
    DatasetError
        Missing, damaged, or a field that is not a finite number.
    """
    series, problems = scan_series(path)
    if problems:
        raise DatasetError(*problems[:MAX_PROBLEMS])
    return series


def scan_series(path: Path) -> tuple[Series, list[Problem]]:
    """Read what can be read of tabular time series, and tell all that cannot.

    Parameters
    ----------
    path : Path
        As `read_series` takes it.

    Returns
    -------
    series : Series
        The rows that have as many fields as there are names; NaN where there is no finite number.
    problems : list of Problem
        Lines of another length, names that stand twice, fields that are no finite numbers.
    """
    path = Path(path)
    names, lines, problems = (_nameless_rows if lacks_names(path) else loose_rows)(path)
    rows = [row for _, row in lines]
    if not rows and not problems:
        problems.append(Problem(what="the table has no rows", file=str(path)))
    values = _finite(rows).reshape(len(rows), len(names))
    problems += [
        Problem(
            what="the time series is not finite" if is_number(field) else "not a number",
            file=str(path),
            line=lines[row][0],
            field=names[column],
            found=repr(field) if field else "nothing",
            expected="a number",
        )
        for row, column in np.argwhere(np.isnan(values))[:MAX_PROBLEMS]
        for field in [rows[row][column]]
    ]
    return Series(names=names, values=values, path=str(path)), problems


def _finite(rows: list[list[str]]) -> Float[np.ndarray, " n"]:
    """Turn fields into finite numbers, and all others into NaN."""
    flat = [field for row in rows for field in row]
    try:
        values = np.array(flat, dtype=np.float64)
    except ValueError:
        values = np.array(
            [float(f) if f not in MISSING and is_number(f) else math.nan for f in flat]
        )
    return np.where(np.isfinite(values), values, np.nan)


def series_names(path: Path) -> tuple[str, ...]:
    """Read the names of the columns of tabular time series alone.

    Parameters
    ----------
    path : Path
        As `read_series` takes it.

    Returns
    -------
    tuple of str
    """
    fields = _first_fields(path)
    return _numbered(fields) if _are_data(fields) else tuple(fields)


def lacks_names(path: Path) -> bool:
    """Tell whether a table of time series starts with data instead of column names.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    bool
        All fields of the first line are numbers and not all of them whole.
    """
    return _are_data(_first_fields(path))


def _first_fields(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            line = file.readline().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from error
    return fields_of(line.rstrip("\r\n"))


def _are_data(fields: list[str]) -> bool:
    return all(map(is_number, fields)) and not all(f.isdigit() for f in fields)


def _numbered(fields: list[str]) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, len(fields) + 1))


def _nameless_rows(
    path: Path,
) -> tuple[tuple[str, ...], list[tuple[int, list[str]]], list[Problem]]:
    lines = enumerate(lines_of(path), start=1)
    rows = [(number, fields_of(line)) for number, line in lines if line.strip()]
    names = _numbered(rows[0][1])
    problems = [
        Problem(
            what="another number of fields than in the first line",
            file=str(path),
            line=number,
            found=str(len(row)),
            expected=str(len(names)),
        )
        for number, row in rows
        if len(row) != len(names)
    ]
    return names, [(number, row) for number, row in rows if len(row) == len(names)], problems
