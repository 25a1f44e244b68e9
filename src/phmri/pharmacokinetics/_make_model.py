"""A model of one's own from plain numbers: a central compartment with others around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._records import (
    Analyte,
    CompartmentModel,
    Flow,
    Parameter,
    Route,
    Unit,
)

__all__ = ["Absorption", "exchange", "make_model", "make_model_from_rates"]

Site = Literal["arterial", "venous", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absorption:
    """First-order absorption of an oral dose.

    Parameters
    ----------
    ka_per_h : float
        Rate constant, 1/h.
    bioavailability : float, default 1
        Fraction that arrives. 1 where volumes and clearances are apparent ones (V/F, CL/F).
    lag_min : float, default 0
        Minutes before absorption begins.
    """

    ka_per_h: float
    bioavailability: float = 1.0
    lag_min: float = 0.0


def exchange(
    central: str, peripheral: str, clearance: str, volumes: tuple[str, str]
) -> list[Flow]:
    """Make the two flows between a compartment and one beside it.

    Parameters
    ----------
    central, peripheral : str
        Compartments.
    clearance : str
        Parameter: the clearance between them.
    volumes : tuple of str
        Parameters: the volumes of the two, in that order.

    Returns
    -------
    list of Flow
        There and back.
    """
    return [
        Flow(source=central, target=peripheral, numerator=clearance, denominator=volumes[0]),
        Flow(source=peripheral, target=central, numerator=clearance, denominator=volumes[1]),
    ]


def make_model(
    *,
    name: str,
    drug: str,
    site: Site,
    volumes_l: Sequence[float],
    clearances_l_per_h: Sequence[float],
    absorption: Absorption | None = None,
    weight_exponents: Mapping[str, float] | None = None,
    variances: Mapping[str, float] | None = None,
) -> CompartmentModel:
    r"""Make a model from volumes and clearances.

    Parameters
    ----------
    name : str
        How a protocol calls it.
    drug : str
        What is dosed and measured.
    site : {"arterial", "venous", "mixed"}
        Where the blood was drawn that the numbers come from.
    volumes_l : sequence of float
        ``V1``, ``V2``, ...: central first, then one per peripheral compartment, litres.
    clearances_l_per_h : sequence of float
        ``CL`` of elimination, then ``Q2``, ``Q3``, ... to the peripheral compartments, L/h.
    absorption : Absorption, optional
        Makes oral doses possible (parameters ``ka`` and ``F``); intravenous ones always are.
    weight_exponents : mapping of str to float, optional
        Parameter to power of (weight / 70 kg); 0 where left out.
    variances : mapping of str to float, optional
        Parameter to :math:`\omega^2` between people; 0 where left out.

    Returns
    -------
    CompartmentModel
        One central and ``len(volumes_l) - 1`` peripheral compartments.

    Raises
    ------
    PharmacokineticsError
        Naming all of: numbers out of range, unequal numbers of volumes and clearances, exponents
        or variances of parameters that do not exist.

    Examples
    --------
    >>> model = make_model(
    ...     name="mine",
    ...     drug="ketamine",
    ...     site="arterial",
    ...     volumes_l=[25.0, 56.0],
    ...     clearances_l_per_h=[84.0, 161.0],
    ... )
    >>> model.compartments
    ('central', 'peripheral2')
    """
    if len(volumes_l) != len(clearances_l_per_h) or not volumes_l:
        raise PharmacokineticsError(
            Problem(
                what="a model needs as many clearances as volumes: elimination first, then one "
                "for each peripheral compartment",
                field=name,
                found=f"{len(volumes_l)} volumes, {len(clearances_l_per_h)} clearances",
            )
        )
    n = len(volumes_l)
    clearances = ["CL", *(f"Q{i}" for i in range(2, n + 1))]
    numbers: list[tuple[str, float, Unit]] = [
        (f"V{i}", value, "L") for i, value in enumerate(volumes_l, start=1)
    ]
    numbers += [
        (key, value, "L/h") for key, value in zip(clearances, clearances_l_per_h, strict=True)
    ]
    flows = [Flow(source="central", target=None, numerator="CL", denominator="V1")]
    for i in range(2, n + 1):
        flows += exchange("central", f"peripheral{i}", f"Q{i}", ("V1", f"V{i}"))
    peripherals = tuple(f"peripheral{i}" for i in range(2, n + 1))
    return _assemble(
        (name, drug, site),
        numbers,
        flows,
        peripherals,
        absorption,
        (weight_exponents or {}, variances or {}),
    )


def make_model_from_rates(
    *,
    name: str,
    drug: str,
    site: Site,
    volume_l: float,
    rates_per_min: Mapping[str, float],
    absorption: Absorption | None = None,
    weight_exponents: Mapping[str, float] | None = None,
    variances: Mapping[str, float] | None = None,
) -> CompartmentModel:
    r"""Make a model from a central volume and micro-constants.

    Parameters
    ----------
    name : str
        How a protocol calls it.
    drug : str
        What is dosed and measured.
    site : {"arterial", "venous", "mixed"}
        Where the blood was drawn that the numbers come from.
    volume_l : float
        ``V1`` of the central compartment, litres.
    rates_per_min : mapping of str to float
        ``k10``, and ``k12``, ``k21``, ``k13``, ``k31``, ... in pairs, 1/min.
    absorption : Absorption, optional
        Makes oral doses possible (parameters ``ka`` and ``F``); intravenous ones always are.
    weight_exponents : mapping of str to float, optional
        Parameter to power of (weight / 70 kg); 0 where left out. A volume in L/kg is its value
        at 70 kg with the exponent 1.
    variances : mapping of str to float, optional
        Parameter to :math:`\omega^2` between people; 0 where left out.

    Returns
    -------
    CompartmentModel
        One central compartment and one per pair.

    Raises
    ------
    PharmacokineticsError
        Naming all of: numbers out of range, micro-constants that form no pairs, exponents or
        variances of parameters that do not exist.
    """
    n_peripheral = (len(rates_per_min) - 1) // 2
    names = [f"peripheral{i}" for i in range(2, n_peripheral + 2)]
    expected = ["k10"] + [key for i in range(2, n_peripheral + 2) for key in (f"k1{i}", f"k{i}1")]
    if sorted(expected) != sorted(rates_per_min):
        raise PharmacokineticsError(
            Problem(
                what="micro-constants that make no model",
                field=f"{name}.rates_per_min",
                found=", ".join(rates_per_min) or "none",
                expected="k10, then k12 with k21, k13 with k31, ...",
            )
        )
    numbers: list[tuple[str, float, Unit]] = [("V1", volume_l, "L")]
    numbers += [(key, rates_per_min[key], "1/min") for key in expected]
    flows = [Flow(source="central", target=None, numerator="k10")]
    for i, peripheral in enumerate(names, start=2):
        flows.append(Flow(source="central", target=peripheral, numerator=f"k1{i}"))
        flows.append(Flow(source=peripheral, target="central", numerator=f"k{i}1"))
    return _assemble(
        (name, drug, site),
        numbers,
        flows,
        tuple(names),
        absorption,
        (weight_exponents or {}, variances or {}),
    )


def _assemble(
    labels: tuple[str, str, Site],
    numbers: list[tuple[str, float, Unit]],
    flows: list[Flow],
    peripherals: tuple[str, ...],
    absorption: Absorption | None,
    between: tuple[Mapping[str, float], Mapping[str, float]],
) -> CompartmentModel:
    name, drug, site = labels
    exponents, variances = between
    compartments = ("central", *peripherals)
    routes = [Route(name="intravenous", compartment="central")]
    if absorption is not None:
        numbers = [
            *numbers,
            ("ka", absorption.ka_per_h, "1/h"),
            ("F", absorption.bioavailability, "fraction"),
        ]
        flows = [*flows, Flow(source="gut", target="central", numerator="ka")]
        compartments = (*compartments, "gut")
        routes.append(
            Route(name="oral", compartment="gut", bioavailability="F", lag_min=absorption.lag_min)
        )
    known = [key for key, _, _ in numbers]
    strangers = [
        Problem(what="no such parameter", field=f"{name}.{key}", expected=", ".join(known))
        for key in (*exponents, *variances)
        if key not in known
    ]
    if strangers:
        raise PharmacokineticsError(*strangers)
    plain = [Parameter(name=key, value=value, unit=unit) for key, value, unit in numbers]
    return CompartmentModel(
        name=name,
        drug=drug,
        site=site,
        compartments=compartments,
        parameters=tuple(
            replace(
                parameter,
                weight_exponent=exponents.get(parameter.name, 0.0),
                variance=variances.get(parameter.name, 0.0),
            )
            for parameter in plain
        ),
        flows=tuple(flows),
        analytes=(Analyte(name=drug, compartment="central", volume="V1"),),
        routes=tuple(routes),
    )
