"""Scales laid over the protocol: participants x sessions x the scales that are asked about."""

from collections.abc import Mapping, Sequence

import pandas as pd

from phmri.dataset._questions import NO_TABLE
from phmri.dataset._records import Cell, DatasetIndex, Status
from phmri.dataset._scales import read_scale
from phmri.exceptions import DatasetError, Problem
from phmri.protocol import Protocol, treatment_of

__all__ = ["asked_scales", "rating_cells"]


def asked_scales(protocol: Protocol) -> tuple[str, ...]:
    """Name the scales that questions, associations and reliabilities are about.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.

    Returns
    -------
    tuple of str
        In the order of the protocol.
    """
    asked = {question.measure for question in protocol.questions.values()}
    asked |= {item.scale for item in protocol.associations.values()}
    asked |= {item.measure for item in protocol.reliability.values()}
    return tuple(name for name in protocol.scales if name in asked)


def rating_cells(
    protocol: Protocol,
    index: DatasetIndex,
    subjects: Sequence[str],
    *,
    groups: Mapping[str, str | None],
    excluded: Mapping[str, str],
) -> tuple[list[Cell], list[Problem]]:
    """Find for every participant, session and scale whether there is a score.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex
        From `index_dataset`.
    subjects : sequence of str
        Participants of the check.
    groups : mapping of str to str or None
        Arm or sequence.
    excluded : mapping of str to str
        Participant -> why nothing of them is used.

    Returns
    -------
    cells : list of Cell
        ``scan`` is the scale; there is no run. Of a table with faults nothing is read, so that all
        are ``broken`` rather than ``missing``.
    problems : list of Problem
        What is wrong with the tables.
    """
    cells: list[Cell] = []
    problems: list[Problem] = []
    for scale in asked_scales(protocol):
        scored, lacking = set[tuple[str, str]](), ""
        unscored: Status = "missing"
        file = f"phenotype/{protocol.scales[scale].file or scale}.tsv"
        if not (index.root / file).is_file():  # data that are not there, not data that are wrong
            lacking = f"{NO_TABLE} {file}"
        else:
            try:
                scored = _scored(read_scale(index, protocol, scale))
            except DatasetError as error:
                problems += error.problems
                unscored, lacking = "broken", f"{file} was not read, see its problems"
        planned = protocol.scales[scale].sessions or tuple(protocol.sessions)
        for subject in subjects:
            for session in protocol.sessions:
                status: Status = "ok" if (subject, session) in scored else unscored
                if session not in planned:
                    status = "not planned"
                elif subject in excluded:
                    status = "excluded"
                cells.append(
                    Cell(
                        subject=subject,
                        session=session,
                        scan=scale,
                        group=groups[subject],
                        treatment=treatment_of(protocol, groups[subject], session),
                        status=status,
                        reason=excluded.get(subject, "") if status == "excluded" else lacking,
                        run=None,
                    )
                )
    return cells, problems


def _scored(table: pd.DataFrame) -> set[tuple[str, str]]:
    there = table[table["score"].notna()]
    return set(zip(there["participant"], there["session"], strict=True))
