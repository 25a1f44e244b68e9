"""Lay out the planned cells of a trial and mark those that have data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from phmri.exceptions import DesignError, Problem
from phmri.group._crossover import make_strata
from phmri.group._records import UnitTable
from phmri.group._table import check_table
from phmri.group.longitudinal._records import LongTable
from phmri.protocol import Crossover, Parallel, Question

__all__ = ["make_long_table"]

Cells = Mapping[str, frozenset[str]] | Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visits:
    """What a participant is planned to have, in order."""

    sessions: tuple[str | int, ...]
    treatments: tuple[str, ...]
    previous: tuple[str, ...]
    experiment: str


def make_long_table(
    question: Question,
    design: Parallel | Crossover,
    table: UnitTable,
    cells: Cells,
    *,
    sessions: Sequence[str] = (),
) -> LongTable:
    """Lay out one row per participant and planned session or period.

    Parameters
    ----------
    question : Question
        Contrast and baseline are read from it.
    design : Parallel or Crossover
        The trial's design.
    table : UnitTable
        Participants, with all that the design needs of them.
    cells : mapping of str to frozenset of str or int
        Participant -> sessions (parallel) or periods counted from 1 (crossover) that have data.
    sessions : sequence of str, default ()
        Sessions of a parallel trial in the order of visits; empty: those in ``cells``, baseline
        first, the others by name.

    Returns
    -------
    LongTable
        Cells without data among them.

    Raises
    ------
    DesignError
        With every participant, arm, sequence and cell that does not fit the trial.
    """
    check_table(table)
    if isinstance(design, Parallel):
        _refuse_arms(question, design, table)
        visits = [
            _parallel_visits(question, group, _order(question, cells, sessions))
            for group in table.groups
        ]
        strata = table.strata
    else:
        _refuse_sequences(question, design, table)
        visits = [_crossover_visits(design, group) for group in table.groups]
        strata = make_strata(design, table)
    problems = [
        Problem(
            what="data in a session or period that is not planned for the participant",
            subject=subject,
            found=", ".join(sorted(map(str, unplanned))),
            expected=", ".join(map(str, planned.sessions)),
        )
        for subject, planned in zip(table.subjects, visits, strict=True)
        if (unplanned := set(cells.get(subject, ())) - set(planned.sessions))
    ]
    if problems:
        raise DesignError(*problems)
    unit = np.repeat(np.arange(len(visits)), [len(planned.sessions) for planned in visits])
    subjects = tuple(table.subjects[i] for i in unit)
    at = tuple(session for planned in visits for session in planned.sessions)
    return LongTable(
        kind=design.kind,
        subjects=subjects,
        groups=tuple(table.groups[i] for i in unit),
        strata=tuple(strata[i] for i in unit),
        experiments=tuple(visits[i].experiment for i in unit),
        sessions=at,
        treatments=tuple(name for planned in visits for name in planned.treatments),
        previous_treatments=tuple(name for planned in visits for name in planned.previous),
        covariates={name: columns[unit] for name, columns in table.covariates.items()},
        present=_mark(cells, subjects, at),
    )


def _mark(
    cells: Cells, subjects: tuple[str, ...], sessions: tuple[str | int, ...]
) -> Bool[np.ndarray, " n_rows"]:
    return np.array(
        [s in cells.get(subject, ()) for subject, s in zip(subjects, sessions, strict=True)]
    )


def _order(question: Question, cells: Cells, sessions: Sequence[str]) -> tuple[str, ...]:
    found = tuple(sessions) or sorted({str(s) for held in cells.values() for s in held})
    first = (question.baseline,) if question.baseline is not None else ()
    return (*first, *(s for s in found if s not in first))


def _parallel_visits(question: Question, group: str, sessions: tuple[str, ...]) -> _Visits:
    return _Visits(
        sessions=sessions,
        treatments=tuple("" if s == question.baseline else group for s in sessions),
        previous=("",) * len(sessions),
        experiment="",
    )


def _crossover_visits(design: Crossover, group: str) -> _Visits:
    sequence = design.sequences[group]
    return _Visits(
        sessions=tuple(range(1, len(sequence.treatments) + 1)),
        treatments=sequence.treatments,
        previous=("", *sequence.treatments[:-1]),
        experiment=sequence.experiment or "",
    )


def _refuse_sequences(question: Question, design: Crossover, table: UnitTable) -> None:
    named = set(question.contrast)
    if question.blockade is not None:
        own = question.blockade.pretreated_reference
        named |= {question.blockade.reference, *question.blockade.elsewhere}
        named |= set() if own is None else {own}
    problems = []
    for subject, group in zip(table.subjects, table.groups, strict=True):
        if group not in design.sequences:
            problems.append(
                Problem(
                    what="participant belongs to no sequence of the design",
                    subject=subject,
                    found=group,
                    expected=", ".join(design.sequences),
                )
            )
        elif not named & set(design.sequences[group].treatments):
            problems.append(
                Problem(
                    what="participant's sequence holds none of the treatments that are compared",
                    subject=subject,
                    found=group,
                    expected=", ".join(sorted(named)),
                )
            )
    if problems:
        raise DesignError(*problems)


def _refuse_arms(question: Question, design: Parallel, table: UnitTable) -> None:
    arms = ", ".join(design.arms)
    problems = [
        Problem(
            what="the contrast names an arm that the design does not have",
            field="contrast",
            found=arm,
            expected=arms,
        )
        for arm in question.contrast
        if arm not in design.arms
    ]
    problems.extend(
        Problem(
            what="participant belongs to no arm of the design",
            subject=subject,
            found=group,
            expected=arms,
        )
        for subject, group in zip(table.subjects, table.groups, strict=True)
        if group not in design.arms
    )
    if problems:
        raise DesignError(*problems)
