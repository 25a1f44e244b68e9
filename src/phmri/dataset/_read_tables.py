"""Tables: confounds, time series, participants.

Tables are tab-separated with one line of names, ``n/a`` for a missing value. Errors name the
line and the column.
"""

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset._read_files import read_json, read_text
from phmri.dataset._records import Confounds
from phmri.dataset._write import sidecar_path
from phmri.exceptions import DatasetError, Problem

__all__ = [
    "MAX_PROBLEMS",
    "MISSING",
    "as_numbers",
    "fields_of",
    "is_number",
    "lines_of",
    "loose_rows",
    "make_frame",
    "read_confounds",
    "read_table",
    "table_rows",
]

MISSING = frozenset({"n/a", "", "N/A", "NA", "nan", "NaN"})
MAX_PROBLEMS = 20


def read_table(path: Path, *, text_columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a tab-separated table.

    Parameters
    ----------
    path : Path
        File.
    text_columns : tuple of str
        Columns kept as text even when every entry is a number, such as labels with zeros in front.

    Returns
    -------
    DataFrame
        A column is float (or int, when whole and complete) if all its entries are numbers, else
        text; ``n/a`` is missing.

    Notes
    -----
    A table that is missing, empty, names a column twice or has a line with another number of
    fields makes a `DatasetError` with all of that at once.
    """
    names, rows = table_rows(Path(path))
    return make_frame(names, rows, text_columns)


def make_frame(
    names: tuple[str, ...], rows: list[list[str]], text_columns: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Turn fields into columns of numbers or text.

    Parameters
    ----------
    names : tuple of str
        Columns.
    rows : list of list of str
        Fields, one list per line.
    text_columns : tuple of str
        Never numbers.

    Returns
    -------
    DataFrame
    """
    data: dict[str, object] = {}
    for column, name in enumerate(names):
        entries = [row[column] for row in rows]
        data[name] = _text(entries) if name in text_columns else _typed(entries)
    return pd.DataFrame(data, columns=list(names))


def _typed(entries: list[str]) -> object:
    try:
        values = np.array([math.nan if e in MISSING else float(e) for e in entries], dtype=float)
    except ValueError:
        return _text(entries)
    whole = all(e.lstrip("+-").isdigit() for e in entries)
    if whole and entries and bool((np.abs(values) < 2**53).all()):
        return values.astype(np.int64)
    return values


def _text(entries: list[str]) -> object:
    return pd.array([pd.NA if e in MISSING else e for e in entries], dtype="str")


def table_rows(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """Split a table into its names and rows, all of one length.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    names : tuple of str
    rows : list of list of str

    Raises
    ------
    DatasetError
        Missing, empty, a name twice, or a line with another number of fields; all at once.
    """
    names, lines, problems = loose_rows(path)
    if problems:
        raise DatasetError(*problems[:MAX_PROBLEMS])
    return names, [row for _, row in lines]


def loose_rows(
    path: Path,
) -> tuple[tuple[str, ...], list[tuple[int, list[str]]], list[Problem]]:
    """Split a table into its names and the rows that fit them; tell of the others.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    names : tuple of str
    rows : list of (int, list of str)
        Line, and its fields.
    problems : list of Problem
        A name twice, or a line with another number of fields.

    Raises
    ------
    DatasetError
        Missing or empty.
    """
    lines = lines_of(path)
    if not lines:
        raise DatasetError(Problem(what="the table is empty", file=str(path)))
    names = tuple(fields_of(lines[0]))
    problems = [
        Problem(what="two columns have the same name", file=str(path), line=1, field=name or "''")
        for name, count in Counter(names).items()
        if count > 1
    ]
    rows = [(number, fields_of(line)) for number, line in enumerate(lines[1:], start=2)]
    problems += [
        Problem(
            what="another number of fields than names",
            file=str(path),
            line=number,
            found=str(len(row)),
            expected=str(len(names)),
        )
        for number, row in rows
        if len(row) != len(names)
    ]
    return names, [(number, row) for number, row in rows if len(row) == len(names)], problems


def lines_of(path: Path) -> list[str]:
    """Split text at line ends only, not at the separators that a cell of text may hold.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    list of str
        Without empty lines at the end.
    """
    lines = read_text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def fields_of(line: str) -> list[str]:
    """Split a line at its tabs; a field in double quotes is what stands between them.

    Parameters
    ----------
    line : str

    Returns
    -------
    list of str
        Without blanks around them.
    """
    if '"' in line:
        try:
            (fields,) = csv.reader([line], delimiter="\t", strict=True)
        except (csv.Error, ValueError):  # a lone quote is a character like any other
            fields = line.split("\t")
    else:
        fields = line.split("\t")
    return [field.strip() for field in fields]


def as_numbers(
    path: Path, names: tuple[str, ...], rows: list[list[str]], *, first_line: int = 2
) -> Float[np.ndarray, "n_rows n_columns"]:
    """Turn fields into numbers, missing ones into NaN; name every field that is no number.

    Parameters
    ----------
    path : Path
        For messages.
    names : tuple of str
        Columns.
    rows : list of list of str
        Fields, one list per line, as many as there are names.
    first_line : int, default: 2
        Line of the file that the first row stands in.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        float64.

    Raises
    ------
    DatasetError
        A field is neither a number nor missing.
    """
    flat = [math.nan if f in MISSING else f for row in rows for f in row]
    try:
        return np.array(flat, dtype=np.float64).reshape(len(rows), len(names))
    except ValueError as error:
        problems = [
            Problem(
                what="not a number",
                file=str(path),
                line=line,
                field=name,
                found=repr(field),
                expected="a number or n/a",
            )
            for line, row in enumerate(rows, start=first_line)
            for name, field in zip(names, row, strict=True)
            if not is_number(field)
        ]
        raise DatasetError(*problems[:MAX_PROBLEMS]) from error


def is_number(field: str) -> bool:
    """Tell whether a field is a number or stands for a missing one.

    Parameters
    ----------
    field : str
        Without blanks around it.

    Returns
    -------
    bool
    """
    if field in MISSING:
        return True
    try:
        float(field)
    except ValueError:
        return False
    return True


def read_confounds(path: Path) -> Confounds:
    """Read a confound table and its sidecar.

    Parameters
    ----------
    path : Path
        fMRIPrep's ``_desc-confounds_timeseries.tsv`` or ``_desc-confounds_regressors.tsv``.

    Returns
    -------
    Confounds
        ``n/a`` is NaN. Columns without any number, such as notes, are left out.

    Raises
    ------
    DatasetError
        Missing, damaged, or a field among numbers that is neither a number nor ``n/a``.
    """
    path = Path(path)
    names, rows = table_rows(path)
    if not rows:
        raise DatasetError(Problem(what="the table has no rows", file=str(path)))
    names, rows = _without_notes(names, rows)
    values = as_numbers(path, names, rows)
    metadata: dict[str, dict[str, object]] = {}
    sidecar = sidecar_path(path)
    if sidecar.is_file():
        entries = read_json(sidecar).items()
        metadata = {key: entry for key, entry in entries if isinstance(entry, dict)}
    return Confounds(names=names, values=values, metadata=metadata, path=str(path))


def _without_notes(
    names: tuple[str, ...], rows: list[list[str]]
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Leave out columns of text: no strategy asks for one, and other programs add them."""
    kept = []
    for column in range(len(names)):
        given = [row[column] for row in rows if row[column] not in MISSING]
        if not given or any(is_number(text.replace(",", ".", 1)) for text in given):
            kept.append(column)  # also where a decimal comma makes a text of a number: told later
    if len(kept) == len(names):
        return names, rows
    return tuple(names[i] for i in kept), [[row[i] for i in kept] for row in rows]
