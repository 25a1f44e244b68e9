"""The dosing log: what each participant was given, as it was given.

``phenotype/dosing.tsv`` has one line per administration. Times are seconds from the first volume
of the scan that ``scan`` names, or minutes from time zero where it is ``n/a``.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from phmri.dataset._read_tables import MAX_PROBLEMS, MISSING, is_number, table_rows
from phmri.dataset._records import DosingRow
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import Dose

__all__ = ["ROUTES", "UNITS", "read_dosing"]

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
    path = Path(path)
    names, rows = table_rows(path)
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise DatasetError(
            *(
                Problem(
                    what="the dosing log has no such column",
                    file=str(path),
                    line=1,
                    field=name,
                    found=", ".join(names),
                )
                for name in missing
            )
        )
    fields = [dict(zip(names, row, strict=True)) for row in rows]
    problems = [
        problem
        for line, row in enumerate(fields, start=2)
        for problem in _problems_of(path, line, row)
    ]
    if problems:
        raise DatasetError(*problems[:MAX_PROBLEMS])
    return tuple(_row(line, row) for line, row in enumerate(fields, start=2))


def _problems_of(path: Path, line: int, row: Mapping[str, str]) -> list[Problem]:
    subject, session = _label(row["participant_id"], "sub-"), _label(row["session_id"], "ses-")
    wrong = [(name, row[name], expected) for name, ok, expected in _CHECKS if not ok(row[name])]
    if row["unit"].endswith("/h") and _number(row["duration"]) == 0:
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
        subject=_label(row["participant_id"], "sub-") or "",
        session=_label(row["session_id"], "ses-"),
        drug=row["drug"],
        route=row["route"],
        amount=float(row["amount"]),
        unit=row["unit"],
        start=float(row["start"]),
        duration=float(row["duration"]),
        scan=None if row["scan"] in MISSING else row["scan"],
        line=line,
    )


def _label(text: str, prefix: str) -> str | None:
    return None if text in MISSING else text.removeprefix(prefix)


def _number(text: str) -> float:
    """Give the number, or NaN where there is none."""
    if text in MISSING or not is_number(text):
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan
