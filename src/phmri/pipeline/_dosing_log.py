"""What was given, and when: the dosing log laid over the protocol."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from phmri.dataset import Cell, DatasetIndex, DosingRow, read_dosing
from phmri.exceptions import DatasetError, Problem
from phmri.pharmacokinetics import Dose
from phmri.protocol import Protocol

__all__ = ["DosingLog"]

_MANY = 12
"""More names than this are counted, not listed."""


@dataclass(slots=True)
class DosingLog:
    """The lines of ``phenotype/dosing.tsv``; none where the data set has no such file.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    problems : list of Problem
        Everything in the log that the trial does not have.
    """

    protocol: Protocol
    index: DatasetIndex
    problems: list[Problem] = field(default_factory=list)
    _given: dict[tuple[str, str], list[DosingRow]] = field(init=False)

    def __post_init__(self) -> None:
        self._given = {}
        path = self.index.root / "phenotype" / "dosing.tsv"
        if not path.is_file():
            return
        try:
            rows = read_dosing(path)
        except DatasetError as error:
            self.problems += error.problems
            return
        for row in rows:
            self.problems += self._faults(row, str(path))
            self._given.setdefault((row.subject, self._session_of(row)), []).append(row)

    def _session_of(self, row: DosingRow) -> str:
        """Give the session of a line; a trial of one session need not name it."""
        only = next(iter(self.protocol.sessions)) if len(self.protocol.sessions) == 1 else ""
        return row.session or only

    def _faults(self, row: DosingRow, file: str) -> list[Problem]:
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
                field=name,
                found=found or "n/a",
                expected=", ".join(names) if len(names) < _MANY else f"one of {len(names)}",
            )
            for name, found, names in known
            if found is not None and found not in names
        ]
        scan = protocol.scans.get(row.scan or "")
        if scan is not None and session in protocol.sessions and session not in scan.start_min:
            problems.append(
                Problem(
                    what="the dose counts from a scan that the protocol does not place in time",
                    file=file,
                    line=row.line,
                    field="scan",
                    found=f"{row.scan}, without start_min in session {session}",
                    expected=f"scans.{row.scan}.start_min.{session}, or scan n/a and minutes",
                )
            )
        return problems

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
        infused = [
            self._minutes(cell.session, row)
            for row in self._given.get((cell.subject, cell.session), ())
            if row.route == "intravenous"
        ]
        if not infused:
            return 0.0
        treatment = self.protocol.treatments.get(cell.treatment or "")
        doses = () if treatment is None else treatment.doses
        planned = [dose.start_min for dose in doses if dose.route == "intravenous"]
        return min(infused) - min(planned, default=0.0)

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
            In minutes from the actual start of the infusion; empty where the log has none.
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
            for row in self._given.get((cell.subject, cell.session), ())
            if row.drug == drug
        )
