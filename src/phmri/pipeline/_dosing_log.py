"""What was given, and when: dosing log and sidecars of runs laid over the protocol."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from phmri.dataset import (
    Cell,
    DatasetIndex,
    DosingRow,
    DosingTable,
    read_run_dosing,
    scan_dosing,
)
from phmri.exceptions import DatasetError, Problem
from phmri.pharmacokinetics import Dose
from phmri.pipeline._implausible_doses import find_implausible
from phmri.pipeline._job import ToldStart
from phmri.protocol import Dose as PlannedDose
from phmri.protocol import Protocol

__all__ = ["SIDECAR", "DosingLog"]

SIDECAR = "sidecar of the run"

_NAMES_LINE = 1
_MANY = 12
"""More names than this are counted, not listed."""

_ONE_DOSE_MIN = 10.0
"""Doses that two runs tell of are one dose if they lie no further apart: each run counts from its
own first volume, and the protocol knows only when runs were planned."""


@dataclass(slots=True)
class DosingLog:
    """What was given: ``phenotype/dosing.tsv``, else the ``Pharmaceutical…`` fields of runs.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    cells : sequence of Cell
        Whose runs may tell of doses in their sidecars; looked at where the protocol places the
        scan in time and a measure depends on doses.
    problems : list of Problem
        Everything in them that the trial does not have.

    Notes
    -----
    The log wins: what it says of a participant's session is all that counts there. Without it a
    run goes by its own sidecar, and one without doses by that of the session's first run that has
    any.
    """

    protocol: Protocol
    index: DatasetIndex
    cells: Sequence[Cell] = ()
    problems: list[Problem] = field(default_factory=list)
    _given: dict[tuple[str, str], list[DosingRow]] = field(init=False)
    _told: dict[tuple[str, str], dict[str, tuple[DosingRow, ...]]] = field(init=False)
    _sidecars: dict[tuple[str, str, str], tuple[Path, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._given, self._told, self._sidecars = {}, {}, {}
        self._read_log()
        uses_doses = any(
            item.needs_time_zero or item.used_exposure for item in self.protocol.measures.values()
        )
        for cell in self.cells if uses_doses else ():
            if (cell.subject, cell.session) not in self._given:
                self._read_sidecar(cell)

    @property
    def _path(self) -> Path:
        return self.index.root / "phenotype" / "dosing.tsv"

    def _read_log(self) -> None:
        path = self._path
        if not path.is_file():
            return
        try:
            table = scan_dosing(path)
        except DatasetError as error:
            self.problems += error.problems
            return
        lines: dict[tuple[str, str], list[DosingRow]] = {}
        for row in table.rows:
            lines.setdefault((row.subject, self._session_of(row)), []).append(row)
        faults = [fault for row in table.rows for fault in self._faults(row, table, str(path))]
        implausible = find_implausible(self.protocol, lines, self.cells, str(path))
        wrong = {problem.line for problem in (*table.problems, *faults)}
        found = (*table.problems, *faults, *implausible)
        self.problems += sorted(found, key=lambda problem: problem.line or 0)
        readable = _NAMES_LINE not in wrong
        for key, rows in lines.items():
            # Where the log names a session it counts, also with no line of use.
            self._given[key] = [row for row in rows if readable and row.line not in wrong]

    def _read_sidecar(self, cell: Cell) -> None:
        run = cell.run
        if run is None or not run.dosing:
            return
        if cell.session not in self.protocol.scans[cell.scan].start_min:
            return
        try:
            rows = read_run_dosing(run, scan=cell.scan, drugs=self._planned_routes())
        except DatasetError as error:
            self.problems += [replace(problem, session=cell.session) for problem in error.problems]
            return
        if rows:
            told = self._told.setdefault((cell.subject, cell.session), {})
            first = next(iter(told.values()), rows)
            told[cell.scan] = rows
            self._sidecars[cell.subject, cell.session, cell.scan] = run.dosing
            if not self._is_same(cell.session, first, rows):
                self.problems.append(
                    Problem(
                        what="two runs of one session tell of different doses",
                        file=str(run.dosing[-1]),
                        subject=cell.subject,
                        session=cell.session,
                        field="PharmaceuticalDoseAmount, PharmaceuticalDoseTime",
                        found=self._words(cell.session, rows),
                        expected=f"{self._words(cell.session, first)} as scan {first[0].scan} "
                        "has it, or every dose in phenotype/dosing.tsv",
                    )
                )

    def _planned_routes(self) -> dict[str, str | None]:
        """Give every drug, with its route where the protocol gives it one way only."""
        routes: dict[str, set[str]] = {drug: set() for drug in self.protocol.drugs}
        for treatment in self.protocol.treatments.values():
            for dose in treatment.doses:
                routes[dose.drug].add(dose.route)
        return {
            drug: next(iter(found)) if len(found) == 1 else None for drug, found in routes.items()
        }

    def _is_same(
        self, session: str, first: Sequence[DosingRow], rows: Sequence[DosingRow]
    ) -> bool:
        def what(row: DosingRow) -> tuple[object, ...]:
            return (row.drug, row.route, row.amount, row.unit, round(row.duration))

        ours, theirs = (
            sorted(items, key=lambda row: (row.drug, row.start)) for items in (rows, first)
        )
        return list(map(what, ours)) == list(map(what, theirs)) and all(
            abs(self._minutes(session, a) - self._minutes(session, b)) <= _ONE_DOSE_MIN
            for a, b in zip(ours, theirs, strict=True)
        )

    def _words(self, session: str, rows: Sequence[DosingRow]) -> str:
        return "; ".join(
            f"{row.amount:g} {row.unit} of {row.drug} at {self._minutes(session, row):.3g} min "
            f"over {row.duration / 60.0:.3g} min"
            for row in rows
        )

    def _session_of(self, row: DosingRow) -> str:
        """Give the session of a line; a trial of one session need not name it."""
        only = next(iter(self.protocol.sessions)) if len(self.protocol.sessions) == 1 else ""
        return row.session or only

    def _faults(self, row: DosingRow, table: DosingTable, file: str) -> list[Problem]:
        protocol, session = self.protocol, self._session_of(row)
        known: tuple[tuple[str, str | None, Collection[str]], ...] = (
            ("participant_id", row.subject, sorted(map(str, self.index.participants.index))),
            ("session_id", session, protocol.sessions),
            ("drug", row.drug, protocol.drugs),
            ("scan", row.scan, protocol.scans),
        )
        problems = [
            Problem(
                what=f"the trial has no such {name.removesuffix('_id')}",
                file=file,
                line=row.line,
                subject=row.subject or None,
                session=row.session,
                field=name,
                found=found or "n/a",
                expected=", ".join(names) if len(names) < _MANY else f"one of {len(names)}",
            )
            for name, found, names in known
            if found is not None and found not in names and table.tells(row, name)
        ]
        scan = protocol.scans.get(row.scan or "")
        if scan is not None and session in protocol.sessions and session not in scan.start_min:
            problems.append(
                Problem(
                    what="the dose counts from a scan that the protocol does not place in time",
                    file=file,
                    line=row.line,
                    subject=row.subject or None,
                    session=session,
                    field="scan",
                    found=f"{row.scan}, without start_min in session {session}",
                    expected=f"scans.{row.scan}.start_min.{session}, or scan n/a and minutes",
                )
            )
        return problems

    def _rows(self, cell: Cell) -> Sequence[DosingRow]:
        return self._given.get((cell.subject, cell.session)) or self._of_sidecars(cell)

    def _of_sidecars(self, cell: Cell) -> tuple[DosingRow, ...]:
        told = self._told.get((cell.subject, cell.session), {})
        return told.get(cell.scan) or next(iter(told.values()), ())

    def files(self, cell: Cell) -> tuple[Path, ...]:
        """List the files that say what was given before or in a run, and when.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        tuple of Path
            Empty where nobody says what was given.
        """
        rows = self._rows(cell)
        if not rows:
            return ()
        if rows[0].line is not None:
            return (self._path,)
        return self._sidecars[cell.subject, cell.session, str(rows[0].scan)]

    def told_start(self, cell: Cell) -> ToldStart | None:
        """Give the dose that says when time zero was, and how a fault in its time is told.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        ToldStart or None
            None where the plan alone says it.
        """
        rows = self._rows(cell)
        if not rows:
            return None
        infused = [row for row in rows if row.route == "intravenous"]
        row = min(infused or rows, key=lambda item: self._minutes(cell.session, item))
        clock = "min from time zero"
        if row.scan is not None:
            clock = f"s from the first volume of {row.scan}"
        planned = [dose.start_min for dose in self._planned(cell) if dose.route == row.route]
        expected = "a time at which the run can be modelled"
        if planned:
            at = min(planned)
            if row.scan is not None:
                at = 60.0 * (at - self.protocol.scans[row.scan].start_min[cell.session])
            expected = f"{at:g} {clock}, as planned, or a time near it"
        files = self.files(cell)
        problem = Problem(
            what="the run cannot be modelled with time zero where this dose has it",
            file=str(files[-1]),
            line=row.line,
            subject=cell.subject,
            session=cell.session,
            field="start" if row.line is not None else "PharmaceuticalDoseTime",
            found=f"{row.start:g} {clock}",
            expected=expected,
        )
        return ToldStart(files=files, problem=problem)

    def _planned(self, cell: Cell) -> Sequence[PlannedDose]:
        treatment = self.protocol.treatments.get(cell.treatment or "")
        return () if treatment is None else treatment.doses

    def source(self, cell: Cell) -> str:
        """Say where the doses of a run come from.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        str
            A few words; empty where nobody says what was given.
        """
        rows = self._rows(cell)
        if not rows:
            return ""
        return "phenotype/dosing.tsv" if rows[0].line is not None else SIDECAR

    def start_min(self, cell: Cell) -> float | None:
        """Say how long after the actual start of the infusion a run begins.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        float or None
            Minutes, negative before it; None where the protocol gives the scan no such time.
        """
        planned = self.protocol.scans[cell.scan].start_min.get(cell.session)
        return None if planned is None else planned - self._delay(cell)

    def _delay(self, cell: Cell) -> float:
        """Give the minutes by which the infusion began later than planned."""
        rows = [row for row in self._rows(cell) if row.route == "intravenous"]
        if not rows:
            return 0.0
        # A drug that nobody wrote down was given as planned: it tells nothing of the delay.
        told = {row.drug for row in rows}
        doses = [dose for dose in self._planned(cell) if dose.route == "intravenous"]
        known = [dose.start_min for dose in doses if dose.drug in told]
        planned = min(known or [dose.start_min for dose in doses], default=0.0)
        return min(self._minutes(cell.session, row) for row in rows) - planned

    def _minutes(self, session: str, row: DosingRow) -> float:
        """Turn the start of a dose into planned minutes from time zero."""
        scan = self.protocol.scans.get(row.scan or "")
        if scan is None:
            return row.start
        return scan.start_min.get(session, np.nan) + row.start / 60.0

    def doses(self, cell: Cell, drug: str) -> tuple[Dose, ...]:
        """Give the doses of a drug that a participant was given in a session.

        Parameters
        ----------
        cell : Cell
        drug : str

        Returns
        -------
        tuple of Dose
            In minutes from the actual start of the infusion; empty where nobody says that any was
            given.
        """
        delay = self._delay(cell)
        return tuple(
            Dose(
                route=row.route,
                amount=row.amount,
                unit=row.unit,
                start_min=self._minutes(cell.session, row) - delay,
                duration_min=row.duration if row.scan is None else row.duration / 60.0,
            )
            for row in self._rows(cell)
            if row.drug == drug
        )
