"""The events of a run: when each begins, how long it lasts, what it is, and what was measured."""

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
        A column is missing, an onset is no number, a duration is negative.
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
    if problems:
        raise DatasetError(*problems[:MAX_PROBLEMS])
    kind = names.index("trial_type") if "trial_type" in names else None
    return Events(
        onset=times[:, 0].copy(),
        duration=times[:, 1].copy(),
        trial_type=tuple("event" if kind is None else (row[kind] or "n/a") for row in rows),
        columns=_measured(path, names, rows),
    )


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
