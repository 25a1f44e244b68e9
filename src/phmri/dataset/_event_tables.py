"""Who had an intercurrent event, by ``participants.tsv`` or a table of ``phenotype``.

An entry counts where it is the value of the protocol, letter by letter. One that only reads like
it (``Yes`` for ``yes``, ``1.0`` for ``1``) would be passed over, and is told.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from phmri.dataset._read_tables import read_table
from phmri.dataset._records import DatasetIndex
from phmri.dataset._table_columns import without_column
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import IntercurrentEvent, Protocol

__all__ = ["EventTables", "read_event_tables"]

_YES = frozenset({"yes", "y", "true", "t", "1"})
_NO = frozenset({"no", "n", "false", "f", "0"})
_SHOWN = 12
"""Levels of a column that are shown; beyond this they are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTables:
    """Intercurrent events as the tables have them.

    Parameters
    ----------
    happened : dict of str to frozenset of (str, str)
        Event -> participants and sessions that it counts in; without those whose table or column
        is not there.
    problems : tuple of Problem
        Tables and columns that are not there, and values that are spelled in another way.
    remarks : tuple of Problem
        Events whose value nobody has, which can be right.
    """

    happened: dict[str, frozenset[tuple[str, str]]]
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...]


def read_event_tables(protocol: Protocol, index: DatasetIndex) -> EventTables:
    """Look up who had which intercurrent event.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex
        From `index_dataset`.

    Returns
    -------
    EventTables
    """
    happened: dict[str, frozenset[tuple[str, str]]] = {}
    problems: list[Problem] = []
    remarks: list[Problem] = []
    for name, event in protocol.intercurrent_events.items():
        try:
            table = _table(index, name, event)
        except DatasetError as error:
            problems += error.problems
            continue
        happened[name] = _pairs(protocol, event, table)
        problems += _unknown_sessions(protocol, index, name, event, table)
        _judge_levels(index, name, event, table, problems=problems, remarks=remarks)
    return EventTables(happened=happened, problems=tuple(problems), remarks=tuple(remarks))


def _file(index: DatasetIndex, event: IntercurrentEvent) -> Path:
    return index.root / (f"phenotype/{event.file}.tsv" if event.file else "participants.tsv")


def _table(index: DatasetIndex, name: str, event: IntercurrentEvent) -> pd.DataFrame:
    path = _file(index, event)
    if not path.is_file():
        raise DatasetError(
            Problem(
                what="there is no such table",
                file=str(path),
                field=f"intercurrent_events.{name}.file",
            )
        )
    table = read_table(path, text_columns=("participant_id", "session_id", event.column))
    lacking = {"participant_id", event.column} - set(table.columns)
    if lacking:
        raise DatasetError(
            Problem(
                what=without_column(path.name, *sorted(lacking)),
                file=str(path),
                field=f"intercurrent_events.{name}.column",
                found=", ".join(map(str, table.columns)),
                expected=", ".join(sorted(lacking)),
            )
        )
    return table


def _pairs(
    protocol: Protocol, event: IntercurrentEvent, table: pd.DataFrame
) -> frozenset[tuple[str, str]]:
    sessions = event.sessions or tuple(
        label for label, visit in protocol.sessions.items() if visit.phase != "baseline"
    )
    had = table[table[event.column].astype(str) == event.value]
    people = had["participant_id"].str.removeprefix("sub-")
    if "session_id" not in table.columns:
        return frozenset((person, session) for person in people for session in sessions)
    visits = had["session_id"].str.removeprefix("ses-")
    pairs = zip(people, visits, strict=True)
    return frozenset((person, session) for person, session in pairs if session in sessions)


def _unknown_sessions(
    protocol: Protocol,
    index: DatasetIndex,
    name: str,
    event: IntercurrentEvent,
    table: pd.DataFrame,
) -> list[Problem]:
    """Tell of events in sessions that the protocol does not have: they would count nowhere."""
    if "session_id" not in table.columns:
        return []
    had = table[table[event.column].astype(str) == event.value]
    return [
        Problem(
            what=f"the event '{name}' happened in a session that the protocol does not have",
            file=str(_file(index, event)),
            subject=str(person).removeprefix("sub-"),
            field="session_id",
            found="n/a" if pd.isna(visit) else str(visit),
            expected=", ".join(f"ses-{session}" for session in protocol.sessions),
        )
        for person, visit in zip(had["participant_id"], had["session_id"], strict=True)
        if pd.isna(visit) or str(visit).removeprefix("ses-") not in protocol.sessions
    ]


def _judge_levels(
    index: DatasetIndex,
    name: str,
    event: IntercurrentEvent,
    table: pd.DataFrame,
    *,
    problems: list[Problem],
    remarks: list[Problem],
) -> None:
    """Tell of a value that is written in another way, or that nobody has."""
    levels = sorted(table[event.column].dropna().astype(str).unique())
    others = [level for level in levels if level != event.value]
    nobody = len(others) == len(levels)
    alike = [level for level in others if _same(level, event.value)]
    if nobody:
        alike = alike or [level for level in others if _means_the_same(level, event.value)]
    if not (nobody or alike):
        return
    what = "nobody has the value of the event"
    if alike:
        what = "the column holds the value of the event in another spelling"
        what += "" if nobody else " as well"
    more = f" and {len(levels) - _SHOWN} more" if len(levels) > _SHOWN else ""
    (problems if alike else remarks).append(
        Problem(
            what=what,
            file=str(_file(index, event)),
            field=f"intercurrent_events.{name}.value",
            found=", ".join(levels[:_SHOWN]) + more or "no entry",
            expected=event.value,
        )
    )


def _same(level: str, value: str) -> bool:
    """Tell whether two texts differ in case, blanks or the writing of a number alone."""
    one, other = level.strip().casefold(), value.strip().casefold()
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


def _means_the_same(level: str, value: str) -> bool:
    pair = {level.strip().casefold(), value.strip().casefold()}
    return pair <= _YES or pair <= _NO
