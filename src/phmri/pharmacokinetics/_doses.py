"""Doses, from what was ordered to what entered.

An order is an amount or a rate, for everybody or per kilogram. A model takes milligrams, at once
or at a constant rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from phmri.exceptions import PharmacokineticsError, Problem

__all__ = ["Dose", "DoseInput", "resolve_doses"]

_UNITS = {"mg": (False, False), "mg/kg": (True, False), "mg/h": (False, True)}
_UNITS["mg/kg/h"] = (True, True)
"""Unit -> whether it is per kilogram, and whether it is a rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """One administration, as ordered.

    Parameters
    ----------
    route : str
        ``"intravenous"``, ``"oral"``, ...
    amount : float
        Whole amount, or rate, in `unit`.
    unit : str
        ``mg`` or ``mg/kg`` of an amount, ``mg/h`` or ``mg/kg/h`` of a rate.
    start_min : float
        Minutes from time zero; negative before it.
    duration_min : float, default 0
        Minutes; 0 for a tablet or an instantaneous bolus.
    """

    route: str
    amount: float
    unit: str
    start_min: float
    duration_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseInput:
    """One administration, as it enters a model.

    Parameters
    ----------
    route : str
        ``"intravenous"``, ``"oral"``, ...
    amount_mg : float
        Whole amount, given at a constant rate over the duration.
    start_min : float
        Minutes from time zero; negative before it.
    duration_min : float, default 0
        Minutes; 0 for a tablet or an instantaneous bolus.
    """

    route: str
    amount_mg: float
    start_min: float
    duration_min: float = 0.0


def resolve_doses(
    doses: Sequence[Dose], *, weight_kg: float | None = None
) -> tuple[DoseInput, ...]:
    """Turn ordered doses into milligrams for one person.

    Parameters
    ----------
    doses : sequence of Dose
        In any order.
    weight_kg : float, optional
        Body weight in kg; needed where a dose is per kilogram.

    Returns
    -------
    tuple of DoseInput
        In the order of `doses`.

    Raises
    ------
    PharmacokineticsError
        Naming all of: units that are none, amounts or times out of range, a rate without
        duration, a dose per kilogram without weight.

    Examples
    --------
    >>> bolus = Dose(
    ...     route="intravenous", amount=0.25, unit="mg/kg", start_min=0.0, duration_min=1.0
    ... )
    >>> resolve_doses([bolus], weight_kg=80.0)[0].amount_mg
    20.0
    """
    problems = [problem for i, dose in enumerate(doses) for problem in _wrong(dose, f"doses[{i}]")]
    per_kg = any(_UNITS.get(dose.unit, (False, False))[0] for dose in doses)
    if (weight_kg is None and per_kg) or (
        weight_kg is not None and not (np.isfinite(weight_kg) and weight_kg > 0)
    ):
        problems.append(
            Problem(
                what="a dose per kilogram needs a body weight" if per_kg else "no body weight",
                field="weight_kg",
                found="nothing" if weight_kg is None else f"{weight_kg:g}",
                expected="kilograms, above 0",
            )
        )
    if problems:
        raise PharmacokineticsError(*problems)
    return tuple(_to_milligrams(dose, weight_kg or 1.0) for dose in doses)


def _to_milligrams(dose: Dose, weight_kg: float) -> DoseInput:
    per_kg, is_rate = _UNITS[dose.unit]
    amount = dose.amount * (weight_kg if per_kg else 1.0)
    return DoseInput(
        route=dose.route,
        amount_mg=amount * dose.duration_min / 60 if is_rate else amount,
        start_min=dose.start_min,
        duration_min=dose.duration_min,
    )


def _wrong(dose: Dose, place: str) -> Iterator[Problem]:
    if dose.unit not in _UNITS:
        yield Problem(
            what="no such unit of a dose",
            field=f"{place}.unit",
            found=dose.unit,
            expected=", ".join(_UNITS),
        )
    elif _UNITS[dose.unit][1] and dose.duration_min == 0:
        yield Problem(
            what="a rate without a duration gives nothing",
            field=f"{place}.duration_min",
            found=f"0 min at {dose.amount:g} {dose.unit}",
            expected="minutes, above 0",
        )
    for name, value in (("amount", dose.amount), ("duration_min", dose.duration_min)):
        if not (np.isfinite(value) and value >= 0):
            yield Problem(
                what="a number out of range",
                field=f"{place}.{name}",
                found=f"{value:g}",
                expected="a finite number, 0 or above",
            )
    if not np.isfinite(dose.start_min):
        yield Problem(
            what="no time", field=f"{place}.start_min", found=f"{dose.start_min}", expected="min"
        )
