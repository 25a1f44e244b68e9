"""The events that belong to a run, beside its length and the conditions of the protocol."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from phmri.dataset._names import FileName, acquired
from phmri.dataset._read_events import read_events
from phmri.dataset._records import Events, Run
from phmri.dataset._tree import Tree
from phmri.exceptions import DatasetError, Problem

__all__ = ["event_problems", "event_remarks", "find_events", "onset_problems"]

_FAR = 0.5
"""Of the run's length: an event that ends later than this after the run is no last block."""
_SHARED = 0.1
"""Of an event's duration: less may be rounding, or a screen that stayed on."""


def find_events(file: FileName, places: tuple[Tree, ...]) -> Path | None:
    """Find the events of a run, in the first of some trees that has any.

    Parameters
    ----------
    file : FileName
        Image or table.
    places : tuple of Tree

    Returns
    -------
    Path or None
    """
    names = acquired(file.entities)
    for place in places:
        candidates = place.inherited(names, "events", ".tsv")
        if candidates:
            return candidates[-1].path
    return None


def onset_problems(path: Path, t_r: float | None, n_volumes: int | None) -> tuple[Problem, ...]:
    """Find what is wrong with events whatever they are for.

    Parameters
    ----------
    path : Path
        ``_events.tsv``.
    t_r : float or None
        Repetition time in seconds.
    n_volumes : int or None

    Returns
    -------
    tuple of Problem
    """
    try:
        events = read_events(path)
    except DatasetError as error:
        return error.problems
    if t_r is None or n_volumes is None or not len(events.onset):
        return ()
    end, last = t_r * n_volumes, float(events.onset.max())
    if last < end:
        return ()
    n_beyond = int((events.onset >= end).sum())
    return (
        Problem(
            what="events start after the end of the scan",
            file=str(path),
            field="onset",
            found=f"{n_beyond} events, the last at {last:g} s",
            expected=f"onsets before {end:g} s ({n_volumes} volumes of {t_r:g} s)",
        ),
    )


def event_problems(run: Run, conditions: Sequence[str]) -> tuple[Problem, ...]:
    """Find events of conditions that end far beyond the end of the run.

    Parameters
    ----------
    run : Run
        Without problems of its own.
    conditions : sequence of str
        That the protocol names: other events, such as an infusion, may last as long as they like.

    Returns
    -------
    tuple of Problem
        At most one, with the first such event.
    """
    if run.events is None or run.t_r is None or run.n_volumes is None:
        return ()
    events, length = read_events(run.events), run.t_r * run.n_volumes
    ends = events.onset + events.duration
    late = [
        row
        for row in np.flatnonzero(ends - length > max(run.t_r, _FAR * length)).tolist()
        if events.trial_type[row] in conditions
    ]
    if not late:
        return ()
    first = late[0]
    more = f", and {len(late) - 1} more" if len(late) > 1 else ""
    return (
        Problem(
            what="the event ends far beyond the end of the run: is its duration in milliseconds?",
            file=str(run.events),
            line=first + 2,
            subject=run.subject,
            session=run.session,
            field="duration",
            found=f"{events.duration[first]:g} s from {events.onset[first]:g} s on{more}",
            expected=f"seconds; the run lasts {length:g} s ({run.n_volumes} volumes of "
            f"{run.t_r:g} s)",
        ),
    )


def event_remarks(run: Run, conditions: Sequence[str]) -> tuple[Problem, ...]:
    """Find what may be a slip in the events of a run.

    Parameters
    ----------
    run : Run
        Without problems of its own.
    conditions : sequence of str
        That the protocol names.

    Returns
    -------
    tuple of Problem
        Trial types that are almost the name of a condition; events of one condition that overlap.
    """
    if run.events is None:
        return ()
    events = read_events(run.events)
    return (
        *_almost_named(run, events, conditions),
        *(remark for name in conditions for remark in _overlaps(run, events, name)),
    )


def _almost_named(run: Run, events: Events, conditions: Sequence[str]) -> list[Problem]:
    meant = {_plain(name): name for name in conditions}
    return [
        Problem(
            what="a trial type is almost the name of a condition, and does not count as it",
            file=str(run.events),
            line=events.trial_type.index(kind) + 2,
            subject=run.subject,
            session=run.session,
            field="trial_type",
            found=f"{kind} in {events.trial_type.count(kind)} of {len(events.trial_type)} rows",
            expected=meant[_plain(kind)],
        )
        for kind in dict.fromkeys(events.trial_type)
        if kind not in conditions and _plain(kind) in meant
    ]


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c not in "-_" and not c.isspace())


def _overlaps(run: Run, events: Events, condition: str) -> list[Problem]:
    rows = [row for row, kind in enumerate(events.trial_type) if kind == condition]
    rows.sort(key=lambda row: float(events.onset[row]))
    ends = events.onset + events.duration
    pairs = [
        (before, after)
        for before, after in pairwise(rows)
        if ends[before] - events.onset[after] > _SHARED * events.duration[before]
    ]
    if not pairs:
        return []
    before, after = pairs[0]
    more = f"; {len(pairs)} such pairs" if len(pairs) > 1 else ""
    return [
        Problem(
            what="events of one condition overlap, and the time that they share counts twice",
            file=str(run.events),
            line=after + 2,
            subject=run.subject,
            session=run.session,
            field="onset",
            found=f"'{condition}' at {events.onset[after]:g} s, before the event of line "
            f"{before + 2} ends at {ends[before]:g} s{more}",
        )
    ]
