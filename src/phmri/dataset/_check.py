"""The data set laid over the protocol: participants x sessions x scans."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np

from phmri.dataset._associated import check_association
from phmri.dataset._choose import Choice, Wanted, choose_run, wanted_runs
from phmri.dataset._event_tables import read_event_tables
from phmri.dataset._odd_doses import odd_doses
from phmri.dataset._people import find_strangers, label_meant
from phmri.dataset._questions import OTHER_SESSIONS, check_question
from phmri.dataset._rating_cells import asked_scales, rating_cells
from phmri.dataset._records import Cell, DatasetCheck, DatasetIndex, Run
from phmri.dataset._remarks import idle_limits, swapped_blockades
from phmri.dataset._table_columns import check_columns
from phmri.exceptions import Problem
from phmri.protocol import Crossover, Parallel, Protocol, treatment_of

__all__ = ["check_dataset", "without_runs"]

_Runs = dict[tuple[str, str | None, str], list[Run]]


def check_dataset(
    protocol: Protocol, index: DatasetIndex, participants: Sequence[str] | None = None
) -> DatasetCheck:
    """Find for every participant, session and scan the run to be used, or why there is none.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex
        From `index_dataset`.
    participants : sequence of str, optional
        Labels, with or without ``sub-``, to restrict the check to.

    Returns
    -------
    DatasetCheck
        Every finding is data; nothing is raised.
    """
    subjects, problems = _subjects(protocol, index, participants)
    groups, excluded, group_problems = _groups(protocol, index, subjects)
    kept = set(subjects) - set(protocol.exclusions.participants)
    problems += group_problems + _date_problems(protocol, index, kept)
    runs: _Runs = {}
    for run in index.runs:
        runs.setdefault((run.subject, run.session, run.task), []).append(run)
    wanted = wanted_runs(protocol)
    cells: list[Cell] = []
    remarks: list[Problem] = []
    for subject in subjects:
        for session in protocol.sessions:
            for scan in protocol.scans:
                empty = Cell(
                    subject=subject,
                    session=session,
                    scan=scan,
                    group=groups[subject],
                    treatment=treatment_of(protocol, groups[subject], session),
                    status="missing",
                    reason="",
                    run=None,
                )
                choice = _choice(empty, protocol, runs, wanted[scan], excluded)
                problems += choice.problems
                remarks += choice.remarks
                cells.append(
                    replace(empty, status=choice.status, reason=choice.reason, run=choice.run)
                )
    cells, grid_problems = _one_grid(cells, protocol)
    ratings, rating_problems = rating_cells(
        protocol, index, subjects, groups=groups, excluded=excluded
    )
    problems += grid_problems + rating_problems
    problems += _table_problems(protocol, index, None if participants is None else subjects)
    return _answerable(
        protocol,
        index,
        DatasetCheck(
            cells=tuple(cells),
            questions=(),
            problems=tuple(dict.fromkeys(problems)),
            ratings=tuple(ratings),
            remarks=(
                *read_event_tables(protocol, index).remarks,
                *odd_doses(protocol),
                *swapped_blockades(protocol),
                *idle_limits(protocol),
                *dict.fromkeys(remarks),
            ),
        ),
    )


def _table_problems(
    protocol: Protocol, index: DatasetIndex, only: Sequence[str] | None
) -> list[Problem]:
    """Find columns and people that the tables and the protocol do not agree about."""
    stems = [protocol.scales[scale].file or scale for scale in asked_scales(protocol)]
    stems += [event.file for event in protocol.intercurrent_events.values() if event.file]
    found = [*check_columns(protocol, index), *find_strangers(index, dict.fromkeys(stems))]
    return [p for p in found if only is None or p.subject is None or p.subject in only]


def without_runs(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    broken: Mapping[tuple[str, str, str], str],
) -> DatasetCheck:
    """Leave runs out of a check, and tell anew who can answer what.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex
        From `index_dataset`.
    check : DatasetCheck
        From `check_dataset`.
    broken : mapping of (str, str, str) to str
        Participant, session and scan of a run -> why it cannot be used.

    Returns
    -------
    DatasetCheck
        The same, where no run is broken.
    """
    if not broken:
        return check
    cells = (
        replace(cell, status="broken", reason=broken[key], run=None)
        if (key := (cell.subject, cell.session, cell.scan)) in broken
        else cell
        for cell in check.cells
    )
    return _answerable(protocol, index, replace(check, cells=tuple(cells)))


def _answerable(protocol: Protocol, index: DatasetIndex, check: DatasetCheck) -> DatasetCheck:
    """Tell of every question and association whether the cells can answer it."""
    return replace(
        check,
        questions=tuple(
            check_question(
                protocol,
                name,
                check.ratings if question.measure in protocol.scales else check.cells,
                index.participants,
            )
            for name, question in protocol.questions.items()
        ),
        associations=tuple(
            check_association(
                protocol,
                name,
                cells=check.cells,
                ratings=check.ratings,
                participants=index.participants,
            )
            for name in protocol.associations
        ),
    )


def _subjects(
    protocol: Protocol, index: DatasetIndex, participants: Sequence[str] | None
) -> tuple[list[str], list[Problem]]:
    known = sorted({*map(str, index.participants.index), *(run.subject for run in index.runs)})
    problems = [
        Problem(
            what="the protocol excludes a participant who is not in the data set",
            field=f"exclusions.participants.{subject}",
            subject=subject,
            expected=label_meant(subject, known) or f"one of {len(known)} participants",
        )
        for subject in protocol.exclusions.participants
        if subject not in known
    ]
    # Of who is excluded by the protocol nothing is used, so nothing can be wrong.
    of_tree = [p for p in index.problems if p.subject not in protocol.exclusions.participants]
    if participants is None:
        return known, [*of_tree, *problems]
    asked = list(dict.fromkeys(label.removeprefix("sub-") for label in participants))
    problems = [p for p in (*of_tree, *problems) if p.subject is None or p.subject in asked]
    problems += [
        Problem(
            what="no such participant",
            file=str(index.root / "participants.tsv"),
            subject=subject,
            expected=label_meant(subject, known) or f"one of {len(known)} participants",
        )
        for subject in asked
        if subject not in known
    ]
    return [subject for subject in known if subject in asked], problems


def _groups(
    protocol: Protocol, index: DatasetIndex, subjects: Sequence[str]
) -> tuple[dict[str, str | None], dict[str, str], list[Problem]]:
    """Look up arm or sequence; who has none that the protocol knows, or two, is excluded."""
    design = protocol.design
    unclear = dict.fromkeys(sorted(index.contradicted), "the rows in participants.tsv differ")
    excluded = {**unclear, **protocol.exclusions.participants}
    groups: dict[str, str | None] = dict.fromkeys(subjects)
    if isinstance(design, Crossover) and design.order == "unknown":
        return groups, excluded, []
    known = design.arms if isinstance(design, Parallel) else design.sequences
    word = "arm" if isinstance(design, Parallel) else "sequence"
    path = str(index.root / "participants.tsv")
    table = index.participants
    problems = []
    # A table that cannot be read has no columns, and its own problem says why.
    nothing = not len(table.index) and not len(table.columns)
    unread = nothing and any(problem.file == path for problem in index.problems)
    if design.column not in table.columns and not unread:
        found = ", ".join(map(str, table.columns)) or "no column"
        what = f"the table has no column for the {word}"
        problems.append(
            Problem(what=what, file=path, field=design.column, found=found, expected=design.column)
        )
    for subject in subjects:
        value = None
        if design.column in table.columns and subject in table.index:
            entry = table[design.column][subject]
            value = entry if isinstance(entry, str) and entry in known else None
            if value is None and subject not in excluded:
                found = "n/a" if entry != entry else str(entry)  # noqa: PLR0124 - NaN
                problems.append(
                    Problem(
                        what=f"the {word} is not one of the protocol's",
                        file=path,
                        subject=subject,
                        field=design.column,
                        found=found,
                        expected=", ".join(known),
                    )
                )
                excluded.setdefault(subject, f"{word} {found} is not in the protocol")
        if value is None:
            excluded.setdefault(subject, f"the {word} is not known")
        groups[subject] = value
    return groups, excluded, problems


def _choice(
    cell: Cell, protocol: Protocol, runs: _Runs, wanted: Wanted, excluded: dict[str, str]
) -> Choice:
    scan = protocol.scans[cell.scan]
    if scan.sessions is not None and cell.session not in scan.sessions:
        return Choice(status="not planned", reason="the protocol plans no such scan here")
    if cell.subject in excluded:
        return Choice(status="excluded", reason=excluded[cell.subject])
    found = runs.get((cell.subject, cell.session, scan.task), [])
    if not found and len(protocol.sessions) == 1:
        found = runs.get((cell.subject, None, scan.task), [])
    labels = sorted({label for _, label, _ in runs if label is not None})
    if not found and labels and cell.session not in labels:
        there = ", ".join(f"ses-{label}" for label in labels)
        return Choice(status="missing", reason=f"no participant has it, {OTHER_SESSIONS} {there}")
    return choose_run(found, protocol, scan, wanted)


def _one_grid(cells: list[Cell], protocol: Protocol) -> tuple[list[Cell], list[Problem]]:
    """Break the runs whose grid is not that of most runs: they cannot be compared voxelwise."""
    if protocol.space == "native":
        return cells, []
    grids = {
        i: (cell.run.shape, tuple(np.round(cell.run.affine, 2).ravel().tolist()))
        for i, cell in enumerate(cells)
        if cell.run is not None and cell.run.affine is not None
    }
    counts = Counter(grids.values())
    if len(counts) < 2:  # noqa: PLR2004 - one grid only
        return cells, []
    (usual, n_usual) = counts.most_common(1)[0]
    problems = []
    for i, grid in grids.items():
        run = cells[i].run
        if grid == usual or run is None:
            continue
        reason = f"its voxel grid is not that of {n_usual} other runs"
        cells[i] = replace(cells[i], status="broken", reason=reason, run=None)
        problems.append(
            Problem(
                what="the voxel grid is not that of the other runs in this space",
                file=str(run.path),
                subject=run.subject,
                session=run.session,
                found=_grid_text(*grid),
                expected=f"{_grid_text(*usual)} as in {n_usual} runs",
            )
        )
    return cells, problems


def _grid_text(shape: tuple[int, ...] | None, affine: tuple[float, ...]) -> str:
    rows = "; ".join(" ".join(f"{mm:g}" for mm in affine[i : i + 4]) for i in (0, 4, 8))
    return f"{shape} with affine {rows}"


def _date_problems(protocol: Protocol, index: DatasetIndex, subjects: set[str]) -> list[Problem]:
    """Compare the order of dates with the order of periods, where both are recorded."""
    design, table = protocol.design, index.sessions
    if (
        not isinstance(design, Crossover)
        or design.order != "recorded"
        or "acq_time" not in table.columns
    ):
        return []
    visits: dict[str, list[tuple[int, str, datetime]]] = {}
    problems = []
    for subject, session, text in table[["subject", "session", "acq_time"]].itertuples(
        index=False
    ):
        visit = protocol.sessions.get(session)
        if subject not in subjects or visit is None or visit.period is None:
            continue
        if not isinstance(text, str):
            continue
        try:
            date = datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            problems.append(
                Problem(
                    what="the date of the session cannot be read",
                    file=_sessions_file(index, subject),
                    subject=subject,
                    session=session,
                    field="acq_time",
                    found=text,
                    expected="a date such as 2024-03-01T09:30:00",
                )
            )
            continue
        visits.setdefault(subject, []).append((visit.period, session, date))
    for subject, found in visits.items():
        problems += _disorder(subject, found, _sessions_file(index, subject))
    return problems


def _sessions_file(index: DatasetIndex, subject: str) -> str:
    return str(index.root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv")


def _disorder(subject: str, visits: list[tuple[int, str, datetime]], file: str) -> list[Problem]:
    return [
        Problem(
            what="the dates contradict the periods of the protocol",
            file=file,
            subject=subject,
            session=second[1],
            field="acq_time",
            found=f"period {second[0]} on {second[2]}, period {first[0]} on {first[2]}",
            expected=f"period {first[0]} before period {second[0]}",
        )
        for first, second in pairwise(sorted(visits, key=lambda visit: visit[:2]))
        if second[0] > first[0] and second[2] < first[2]
    ]
