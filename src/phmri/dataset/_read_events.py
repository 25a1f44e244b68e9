"""The events of a run: when each begins, how long it lasts, what it is, and what was measured."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset._read_tables import (
    MAX_PROBLEMS,
    MISSING,
    as_numbers,
    is_number,
    table_rows,
)
from phmri.dataset._records import Events
from phmri.exceptions import DatasetError, Problem

__all__ = ["read_events"]

_TIMES = ("onset", "duration")


def read_events(path: Path) -> Events:
    """Read the events of a run.

    Parameters
    ----------
    path : Path
        ``_events.tsv``; without a column ``trial_type`` every event is called ``event``.

    Returns
    -------
    Events
        A duration of ``n/a`` is NaN; a trial type of ``n/a`` stays ``n/a``. Further columns are
        kept where each entry is a number or ``n/a`` and at least one is a number.

    Raises
    ------
    DatasetError
        A column is missing, an onset is no number, a duration is negative, an event stands there
        twice.
    """
    path = Path(path)
    names, rows = table_rows(path)
    missing = [name for name in _TIMES if name not in names]
    if missing:
        raise DatasetError(
            *(
                Problem(
                    what="the events have no such column",
                    file=str(path),
                    field=name,
                    found=", ".join(names),
                )
                for name in missing
            )
        )
    where = [names.index(name) for name in _TIMES]
    times = as_numbers(path, _TIMES, [[row[i] for i in where] for row in rows])
    problems = [
        Problem(what="the onset is missing", file=str(path), line=int(i) + 2, field="onset")
        for i in np.flatnonzero(~np.isfinite(times[:, 0]))
    ] + [
        Problem(
            what="the duration is negative",
            file=str(path),
            line=int(i) + 2,
            field="duration",
            found=f"{times[i, 1]:g}",
        )
        for i in np.flatnonzero(times[:, 1] < 0)
    ]
    kind = names.index("trial_type") if "trial_type" in names else None
    problems += _doubled(path, rows, times[:, 0], kind)
    if problems:
        raise DatasetError(*problems[:MAX_PROBLEMS])
    return Events(
        onset=times[:, 0].copy(),
        duration=times[:, 1].copy(),
        trial_type=tuple("event" if kind is None else (row[kind] or "n/a") for row in rows),
        columns=_measured(path, names, rows),
    )


def _doubled(
    path: Path, rows: list[list[str]], onset: Float[np.ndarray, " n_events"], kind: int | None
) -> list[Problem]:
    """Find events that stand there twice: a model would take them for one of twice the height."""
    first: dict[tuple[float, str], int] = {}
    problems = []
    for line, (row, start) in enumerate(zip(rows, onset.tolist(), strict=True), start=2):
        # Rows that do not say what they are may tell of different things, unless they are equal.
        type_ = "\t".join(row) if kind is None else row[kind]
        if type_ in MISSING or not math.isfinite(start):
            continue
        before = first.setdefault((start, type_), line)
        if before != line:
            name = "an event" if kind is None else f"'{type_}'"
            problems.append(
                Problem(
                    what="the event stands in the table twice",
                    file=str(path),
                    line=line,
                    field="onset" if kind is None else "onset, trial_type",
                    found=f"{name} at {start:g} s, as in line {before}",
                    expected="one row per event",
                )
            )
    return problems


def _measured(
    path: Path, names: tuple[str, ...], rows: list[list[str]]
) -> dict[str, Float[np.ndarray, " n_events"]]:
    columns = {}
    for place, name in enumerate(names):
        entries = [row[place] for row in rows]
        numeric = all(map(is_number, entries)) and not MISSING.issuperset(entries)
        if numeric and name not in {*_TIMES, "trial_type"}:
            columns[name] = as_numbers(path, (name,), [[entry] for entry in entries])[:, 0]
    return columns
