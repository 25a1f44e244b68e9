"""The dosing log: what each participant was given, as it was given.

``phenotype/dosing.tsv`` has one line per administration. Times are seconds from the first volume
of the scan that ``scan`` names, or minutes from time zero where it is ``n/a``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from phmri.dataset._read_tables import MISSING, is_number, loose_rows
from phmri.dataset._records import DosingRow
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import Dose

__all__ = ["ROUTES", "UNITS", "DosingTable", "read_dosing", "scan_dosing"]

_COLUMNS = (
    "participant_id",
    "session_id",
    "drug",
    "route",
    "amount",
    "unit",
    "start",
    "duration",
    "scan",
)
ROUTES: tuple[str, ...] = get_args(Dose.model_fields["route"].annotation)
UNITS: tuple[str, ...] = get_args(Dose.model_fields["unit"].annotation)

_NAMES_LINE = 1

_Check = tuple[str, Callable[[str], bool], str]
"""Column, what makes a field right, and how that reads."""

_CHECKS: tuple[_Check, ...] = (
    ("participant_id", lambda text: text not in MISSING, "a participant"),
    ("drug", lambda text: text not in MISSING, "a drug"),
    ("route", lambda text: text in ROUTES, ", ".join(ROUTES)),
    ("amount", lambda text: _number(text) > 0, "a number above 0"),
    ("unit", lambda text: text in UNITS, ", ".join(UNITS)),
    ("start", lambda text: math.isfinite(_number(text)), "a number"),
    ("duration", lambda text: _number(text) >= 0, "a number, 0 or more"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DosingTable:
    """The dosing log as far as it can be read.

    Parameters
    ----------
    rows : tuple of DosingRow
        In the order of the file; what a line does not tell is empty or NaN.
    problems : tuple of Problem
        All that is wrong with the file itself, with line and column.
    """

    rows: tuple[DosingRow, ...]
    problems: tuple[Problem, ...]

    def tells(self, row: DosingRow, column: str) -> bool:
        """Tell whether a field of a line can be used.

        Parameters
        ----------
        row : DosingRow
        column : str

        Returns
        -------
        bool
            False where a problem names the field, or there is no such column.
        """
        return not any(
            problem.field == column and problem.line in {row.line, _NAMES_LINE}
            for problem in self.problems
        )


def read_dosing(path: Path) -> tuple[DosingRow, ...]:
    """Read the doses that were given.

    Parameters
    ----------
    path : Path
        ``phenotype/dosing.tsv`` with the columns participant_id, session_id, drug, route, amount,
        unit, start, duration and scan.

    Returns
    -------
    tuple of DosingRow
        In the order of the file.

    Raises
    ------
    DatasetError
        A column is missing, or a field is not what it should be: all of them, with their lines.
    """
    table = scan_dosing(path)
    if table.problems:
        raise DatasetError(*table.problems)
    return table.rows


def scan_dosing(path: Path) -> DosingTable:
    """Read the doses that were given, and all that is wrong with their table.

    Parameters
    ----------
    path : Path
        As `read_dosing` takes it.

    Returns
    -------
    DosingTable

    Notes
    -----
    A file that is missing or empty makes a `DatasetError`.
    """
    path = Path(path)
    names, lines, problems = loose_rows(path)
    problems += [
        Problem(
            what="the dosing log has no such column",
            file=str(path),
            line=_NAMES_LINE,
            field=name,
            found=", ".join(names),
        )
        for name in _COLUMNS
        if name not in names
    ]
    fields = [(line, dict(zip(names, row, strict=True))) for line, row in lines]
    for line, row in fields:
        problems += _problems_of(path, line, row)
    return DosingTable(
        rows=tuple(_row(line, row) for line, row in fields), problems=tuple(problems)
    )


def _problems_of(path: Path, line: int, row: Mapping[str, str]) -> list[Problem]:
    subject, session = _label(row, "participant_id", "sub-"), _label(row, "session_id", "ses-")
    wrong = [
        (name, row[name], expected)
        for name, ok, expected in _CHECKS
        if name in row and not ok(row[name])
    ]
    if row.get("unit", "").endswith("/h") and _number(row.get("duration", "")) == 0:
        wrong.append(("duration", row["duration"], f"above 0 for a rate in {row['unit']}"))
    return [
        Problem(
            what="a field of the dosing log cannot be used",
            file=str(path),
            line=line,
            subject=subject,
            session=session,
            field=name,
            found=repr(found),
            expected=expected,
        )
        for name, found, expected in wrong
    ]


def _row(line: int, row: Mapping[str, str]) -> DosingRow:
    return DosingRow(
        subject=_label(row, "participant_id", "sub-") or "",
        session=_label(row, "session_id", "ses-"),
        drug=_label(row, "drug") or "",
        route=row.get("route", ""),
        amount=_number(row.get("amount", "")),
        unit=row.get("unit", ""),
        start=_number(row.get("start", "")),
        duration=_number(row.get("duration", "")),
        scan=_label(row, "scan"),
        line=line,
    )


def _label(row: Mapping[str, str], column: str, prefix: str = "") -> str | None:
    text = row.get(column, "")
    return None if text in MISSING else text.removeprefix(prefix)


def _number(text: str) -> float:
    """Give the number, or NaN where there is none."""
    if text in MISSING or not is_number(text):
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan
