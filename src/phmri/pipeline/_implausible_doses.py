"""Doses that a trial can hardly have given: mixed-up sessions, double lines, wrong units."""

from collections.abc import Iterable, Iterator, Mapping

from phmri.dataset import Cell, DosingRow
from phmri.exceptions import Problem
from phmri.protocol import Protocol

__all__ = ["find_implausible"]

FAR = 10.0
"""An amount this many times the planned one, or one part in as many, is taken for a mistake."""


def find_implausible(
    protocol: Protocol,
    given: Mapping[tuple[str, str], Iterable[DosingRow]],
    cells: Iterable[Cell],
    file: str,
) -> Iterator[Problem]:
    """Find lines of the dosing log that contradict the trial.

    Parameters
    ----------
    protocol : Protocol
    given : mapping of (str, str) to iterable of DosingRow
        Participant and session -> lines.
    cells : iterable of Cell
        Whose treatment in a session is known.
    file : str
        The log.

    Yields
    ------
    Problem
        A line that stands twice, a drug that the participant's treatment does not have, an amount
        far from the planned one.
    """
    treatments = {(cell.subject, cell.session): cell.treatment for cell in cells}
    for (subject, session), rows in given.items():
        treatment = treatments.get((subject, session))
        seen: set[tuple[object, ...]] = set()
        for row in rows:
            what = (row.drug, row.route, row.amount, row.unit, row.start, row.duration, row.scan)
            if what in seen:
                yield Problem(
                    what="the same dose stands twice",
                    file=file,
                    line=row.line,
                    subject=subject,
                    session=session,
                    field="drug",
                    found=f"{row.amount:g} {row.unit} of {row.drug} again",
                    expected="one line per administration",
                )
            seen.add(what)
            if treatment in protocol.treatments:
                yield from _against_plan(protocol, row, str(treatment), file, session)


def _against_plan(
    protocol: Protocol, row: DosingRow, treatment: str, file: str, session: str
) -> Iterator[Problem]:
    planned = [dose for dose in protocol.treatments[treatment].doses if dose.drug == row.drug]
    elsewhere = any(
        dose.drug == row.drug for other in protocol.treatments.values() for dose in other.doses
    )
    if not planned and elsewhere:
        names = {dose.drug for dose in protocol.treatments[treatment].doses}
        yield Problem(
            what="the log gives a drug that the treatment of this session does not have",
            file=file,
            line=row.line,
            subject=row.subject,
            session=session,
            field="drug",
            found=f"{row.drug} under {treatment}",
            expected=f"{', '.join(sorted(names)) or 'no drug'}; are sessions mixed up? Who was "
            "given it all the same goes into exclusions.participants",
        )
    amounts = [
        amount
        for dose in planned
        if dose.unit == row.unit and (amount := dose.amount or dose.rate) is not None
    ]
    if amounts and (
        row.amount < min(amounts) / FAR or row.amount > max(amounts) * FAR
    ):  # neither, of an amount that is no number and was told as such
        yield Problem(
            what=f"the amount is more than {FAR:g} times off the planned one",
            file=file,
            line=row.line,
            subject=row.subject,
            session=session,
            field="amount",
            found=f"{row.amount:g} {row.unit}",
            expected=f"about {' or '.join(f'{amount:g}' for amount in amounts)} {row.unit}",
        )
