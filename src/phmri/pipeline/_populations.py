"""Whose data answer a question: intercurrent events by their strategy, and populations.

An event of strategy ``hypothetical`` makes the data of its sessions missing, ``composite`` gives
the score that stands for it, ``exclude`` leaves the person out, ``treatment_policy`` changes
nothing. A population leaves out who had some events, or who has not every session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from phmri.dataset import Cell, DatasetCheck, DatasetIndex, read_event_tables, source_of
from phmri.exceptions import DatasetError
from phmri.protocol import Protocol

__all__ = ["Counted", "count_in", "find_events"]

Happened = dict[str, frozenset[tuple[str, str]]]
"""Event -> participants and sessions that it counts in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Whose data count for a question.

    Parameters
    ----------
    check : DatasetCheck
        Without the cells that do not count.
    left_out : dict of str to str
        Participant -> why none of their data counts.
    missing : dict of (str, str) to str
        Participant and session -> why these data count as missing.
    scores : dict of (str, str) to float
        Participant and session -> the score that stands for an event.
    """

    check: DatasetCheck
    left_out: dict[str, str]
    missing: dict[tuple[str, str], str]
    scores: dict[tuple[str, str], float]


def find_events(protocol: Protocol, index: DatasetIndex) -> Happened:
    """Look up who had which intercurrent event.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex

    Returns
    -------
    dict of str to frozenset of (str, str)
        Event -> participants and sessions that it counts in.

    Raises
    ------
    DatasetError
        With all tables and columns that the protocol names and the data set lacks, and all values
        that a column holds in another spelling.
    """
    found = read_event_tables(protocol, index)
    if found.problems:
        raise DatasetError(*found.problems)
    return found.happened


def count_in(
    protocol: Protocol,
    measure: str,
    check: DatasetCheck,
    happened: Mapping[str, frozenset[tuple[str, str]]],
    population: str | None,
) -> Counted:
    """Tell whose data count.

    Parameters
    ----------
    protocol : Protocol
    measure : str
        A measure, or a scale.
    check : DatasetCheck
    happened : mapping of str to frozenset of (str, str)
        From `find_events`.
    population : str or None
        None: all who have data.

    Returns
    -------
    Counted
    """
    left_out: dict[str, str] = {}
    missing: dict[tuple[str, str], str] = {}
    scores: dict[tuple[str, str], float] = {}
    for name, event in protocol.intercurrent_events.items():
        if event.measures is not None and measure not in event.measures:
            continue
        why = event.label or name.replace("_", " ")
        match event.strategy:
            case "exclude":
                left_out.update({person: why for person, _ in sorted(happened[name])})
            case "hypothetical":
                missing.update(dict.fromkeys(sorted(happened[name]), why))
            case "composite":
                if event.composite_value is not None:
                    scores.update(dict.fromkeys(happened[name], event.composite_value))
            case _:
                pass
    source = source_of(protocol, measure)
    if population is not None:
        chosen = protocol.populations[population]
        label = chosen.label or population.replace("_", " ")
        for name in chosen.exclude_events:
            words = protocol.intercurrent_events[name].label or name.replace("_", " ")
            left_out.update({p: f"{words} (not of {label})" for p, _ in sorted(happened[name])})
        if chosen.exclude_missing:
            cells = check.ratings if measure in protocol.scales else check.cells
            left_out |= _incomplete(cells, source, missing, label)
    return Counted(
        check=_without(check, source, left_out, missing),
        left_out=left_out,
        missing=missing,
        scores=scores,
    )


def _incomplete(
    cells: tuple[Cell, ...], source: str, missing: Mapping[tuple[str, str], str], label: str
) -> dict[str, str]:
    return {
        cell.subject: f"without ses-{cell.session} (not of {label})"
        for cell in cells
        if cell.scan == source
        and cell.status != "not planned"
        and (cell.status != "ok" or (cell.subject, cell.session) in missing)
    }


def _without(
    check: DatasetCheck,
    source: str,
    left_out: Mapping[str, str],
    missing: Mapping[tuple[str, str], str],
) -> DatasetCheck:
    if not left_out and not missing:
        return check

    def judge(cell: Cell) -> Cell:
        why = left_out.get(cell.subject) or missing.get((cell.subject, cell.session))
        if cell.scan != source or why is None or cell.status != "ok":
            return cell
        return replace(cell, status="excluded", reason=why, run=None)

    return replace(
        check,
        cells=tuple(map(judge, check.cells)),
        ratings=tuple(map(judge, check.ratings)),
    )
