"""Planned doses of a drug that hardly belong together: other units, other orders of magnitude."""

from collections.abc import Iterator

from phmri.exceptions import Problem
from phmri.protocol import Dose, Protocol

__all__ = ["odd_doses"]

FAR = 10.0
"""Doses further apart than this are told: trials of several doses rarely go so far."""


def odd_doses(protocol: Protocol) -> Iterator[Problem]:
    """Find drugs that are planned in mg and in mg/kg, or in amounts far apart.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.

    Yields
    ------
    Problem
        Once for each drug and route, amounts and rates apart.
    """
    planned: dict[tuple[str, str, bool], list[tuple[str, Dose]]] = {}
    for treatment, item in protocol.treatments.items():
        for dose in item.doses:
            kind = (dose.drug, dose.route, dose.rate is not None)
            planned.setdefault(kind, []).append((treatment, dose))
    for (drug, route, _), doses in planned.items():
        sizes = [dose.rate or dose.amount or 0.0 for _, dose in doses]
        units = {dose.unit for _, dose in doses}
        if len(units) == 1 and max(sizes) <= FAR * min(sizes):
            continue
        told = dict.fromkeys(
            f"{size:g} {dose.unit} under {treatment}"
            for (treatment, dose), size in zip(doses, sizes, strict=True)
        )
        yield Problem(
            what=f"{route} doses of {drug} are planned in different units"
            if len(units) > 1
            else f"{route} doses of {drug} are more than {FAR:g}-fold apart",
            field="treatments",
            found=", ".join(told),
        )
