r"""A linear compartment model as data.

Amounts :math:`x` (mg) in compartments follow :math:`\dot x = A x + B u(t)`; what is measured is
:math:`c = r\,x_i / V`. Every rate constant of :math:`A` is a clearance over a volume, a rate
constant of its own, or a number over a mean transit time, so that a model is a list of parameters
and a list of flows, and weight and differences between people act on parameters only.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import PharmacokineticsError, Problem

__all__ = [
    "Analyte",
    "CompartmentModel",
    "Flow",
    "Individuals",
    "Parameter",
    "Route",
    "Unit",
    "covariance_matrix",
    "to_litres_and_minutes",
]

Unit = Literal["L", "L/min", "L/h", "1/min", "1/h", "min", "h", "fraction"]

_SCALES: dict[str, tuple[str, float]] = {
    "L": ("volume", 1.0),
    "L/min": ("clearance", 1.0),
    "L/h": ("clearance", 1 / 60),
    "1/min": ("rate", 1.0),
    "1/h": ("rate", 1 / 60),
    "min": ("time", 1.0),
    "h": ("time", 60.0),
    "fraction": ("fraction", 1.0),
}
_RATE_CONSTANTS = {("clearance", "volume"), ("rate", None), (None, "time")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    r"""One number of a model, in its source's unit, and how it differs between people.

    Parameters
    ----------
    name : str
        As the source calls it, e.g. ``"CL"``.
    value : float
        Typical value at the model's reference weight, in `unit`.
    unit : {"L", "L/min", "L/h", "1/min", "1/h", "min", "h", "fraction"}
        Of `value`.
    weight_exponent : float, default 0
        The value is multiplied by (weight / reference weight) to this power.
    variance : float, default 0
        :math:`\omega^2`, the variance of the logarithm between people.
    """

    name: str
    value: float
    unit: Unit
    weight_exponent: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """First-order flow of an amount: factor x numerator / denominator, per minute.

    Parameters
    ----------
    source : str
        Compartment that it leaves.
    target : str or None
        Compartment that it enters; None where it leaves the body, or what is followed.
    numerator : str, optional
        Parameter: a clearance (over a volume) or a rate constant (alone).
    denominator : str, optional
        Parameter: a volume (under a clearance) or a mean transit time (under the factor alone).
    factor : float, default 1
        E.g. the fraction metabolised, or the number of transit compartments.
    """

    source: str
    target: str | None
    numerator: str | None = None
    denominator: str | None = None
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """What a laboratory measures: an amount over a volume.

    Parameters
    ----------
    name : str
        E.g. ``"norketamine"``.
    compartment : str
        Where it is sampled.
    volume : str
        Parameter that turns the amount into a concentration.
    mass_ratio : float, default 1
        Mass of the analyte per mass that the compartment holds: the ratio of molar masses where
        the model carries metabolites as amounts of the parent drug.
    residual_sd_proportional : float, optional
        SD of a measurement as a fraction of the concentration, as the source estimated it.
    residual_sd_additive_ng_ml : float, optional
        SD of a measurement that does not depend on the concentration, in ng/mL.
    """

    name: str
    compartment: str
    volume: str
    mass_ratio: float = 1.0
    residual_sd_proportional: float | None = None
    residual_sd_additive_ng_ml: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a dose enters the model.

    Parameters
    ----------
    name : str
        ``"intravenous"``, ``"oral"``, ... as doses name it.
    compartment : str
        Compartment that receives it.
    bioavailability : str, optional
        Parameter: the fraction of the dose that arrives; all of it where left out.
    lag_min : float, default 0
        Minutes from giving to arriving; the same for everybody.
    """

    name: str
    compartment: str
    bioavailability: str | None = None
    lag_min: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompartmentModel:
    """A linear compartment model of a drug and its metabolites.

    Parameters
    ----------
    name : str
        Short name, e.g. ``"simons"``.
    drug : str
        What is dosed, e.g. ``"S-ketamine"``.
    enantiomer : str
        ``"racemic"``, ``"S"``, ... or empty where the drug has none.
    site : {"arterial", "venous", "mixed"}
        Where the blood was drawn that the model describes.
    compartments : tuple of str
        Names; amounts of the parent drug in mg, metabolites in the source's own equivalents.
    parameters : tuple of Parameter
        All numbers.
    flows : tuple of Flow
        All flows between compartments and out of them.
    analytes : tuple of Analyte
        What can be measured, the parent drug first.
    routes : tuple of Route
        How doses enter.
    covariances : tuple of (str, str, float), optional
        Covariances of the logarithms of two parameters between people.
    reference_weight_kg : float, default 70
        Weight at which the parameters hold.
    citation : str
        Source of the numbers.
    doi : str, optional
        Of the source.
    caution : str
        What a user has to know before trusting a curve.

    Raises
    ------
    PharmacokineticsError
        When names do not fit each other, numbers are out of range, a flow's parameters do not
        make a rate constant, or the variances and covariances make no covariance matrix.
    """

    name: str
    drug: str
    enantiomer: str = ""
    site: Literal["arterial", "venous", "mixed"]
    compartments: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    flows: tuple[Flow, ...]
    analytes: tuple[Analyte, ...]
    routes: tuple[Route, ...]
    covariances: tuple[tuple[str, str, float], ...] = ()
    reference_weight_kg: float = 70.0
    citation: str = ""
    doi: str | None = None
    caution: str = ""

    def __post_init__(self) -> None:
        problems = [*_wrong_names(self), *_wrong_numbers(self)]
        if not problems:
            problems = [*_wrong_flows(self), *_wrong_covariance(self)]
        if problems:
            raise PharmacokineticsError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Individuals:
    """People who share a model, each with parameters of their own.

    Parameters
    ----------
    model : CompartmentModel
        Its structure.
    values : ndarray of shape (n_individuals, n_parameters)
        In the order and units of the model's parameters; weight is already in them.
    """

    model: CompartmentModel
    values: Float[np.ndarray, "n_individuals n_parameters"]


def to_litres_and_minutes(unit: Unit) -> float:
    """Give the factor that turns a value into litres and minutes.

    Parameters
    ----------
    unit : str
        Of a `Parameter`.

    Returns
    -------
    float
    """
    return _SCALES[unit][1]


def covariance_matrix(
    model: CompartmentModel,
) -> tuple[tuple[str, ...], Float[np.ndarray, "n_random n_random"]]:
    """Collect the variances and covariances between people of a model.

    Parameters
    ----------
    model : CompartmentModel
        Any.

    Returns
    -------
    names : tuple of str
        Parameters with a variance, in the order of the model.
    covariance : ndarray of shape (n_random, n_random)
        Of the logarithms.
    """
    random = [parameter for parameter in model.parameters if parameter.variance > 0]
    names = tuple(parameter.name for parameter in random)
    covariance = np.diag(np.array([parameter.variance for parameter in random], dtype=float))
    for first, second, value in model.covariances:
        i, j = names.index(first), names.index(second)
        covariance[i, j] = covariance[j, i] = value
    return names, covariance


def _used_names(model: CompartmentModel) -> Iterator[tuple[str, str, str | None]]:
    for i, flow in enumerate(model.flows):
        yield f"flows[{i}].source", "compartment", flow.source
        yield f"flows[{i}].target", "compartment", flow.target
        yield f"flows[{i}].numerator", "parameter", flow.numerator
        yield f"flows[{i}].denominator", "parameter", flow.denominator
    for analyte in model.analytes:
        yield f"analytes.{analyte.name}", "compartment", analyte.compartment
        yield f"analytes.{analyte.name}", "parameter", analyte.volume
    for route in model.routes:
        yield f"routes.{route.name}", "compartment", route.compartment
        yield f"routes.{route.name}", "parameter", route.bioavailability
    for first, second, _ in model.covariances:
        yield "covariances", "parameter with a variance", first
        yield "covariances", "parameter with a variance", second


def _wrong_names(model: CompartmentModel) -> Iterator[Problem]:
    known = {
        "compartment": model.compartments,
        "parameter": tuple(parameter.name for parameter in model.parameters),
        "parameter with a variance": tuple(
            parameter.name for parameter in model.parameters if parameter.variance > 0
        ),
    }
    for field, kind, name in _used_names(model):
        if name is not None and name not in known[kind]:
            yield Problem(
                what=f"no such {kind}",
                field=f"{model.name}.{field}",
                found=name,
                expected=" or ".join(known[kind]) or f"a {kind}, and there is none",
            )
    lists = {
        "compartments": model.compartments,
        "parameters": known["parameter"],
        "analytes": tuple(analyte.name for analyte in model.analytes),
        "routes": tuple(route.name for route in model.routes),
    }
    for field, names in lists.items():
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice or not names:
            yield Problem(
                what="a name occurs twice" if twice else "a model without any",
                field=f"{model.name}.{field}",
                found=", ".join(twice) or None,
            )


def _wrong_numbers(model: CompartmentModel) -> Iterator[Problem]:
    positive = {f"parameters.{p.name}": p.value for p in model.parameters}
    positive |= {f"flows[{i}].factor": flow.factor for i, flow in enumerate(model.flows)}
    positive |= {f"analytes.{a.name}.mass_ratio": a.mass_ratio for a in model.analytes}
    positive["reference_weight_kg"] = model.reference_weight_kg
    other = {f"parameters.{p.name}.variance": p.variance for p in model.parameters}
    other |= {f"routes.{route.name}.lag_min": route.lag_min for route in model.routes}
    for field, value in (positive | other).items():
        above = field in positive
        if not (np.isfinite(value) and (value > 0 if above else value >= 0)):
            yield Problem(
                what="a number out of range",
                field=f"{model.name}.{field}",
                found=f"{value:g}",
                expected="a finite number above 0" if above else "a finite number, 0 or above",
            )


def _wrong_flows(model: CompartmentModel) -> Iterator[Problem]:
    kinds = {parameter.name: _SCALES[parameter.unit][0] for parameter in model.parameters}
    for i, flow in enumerate(model.flows):
        found = (kinds.get(flow.numerator or ""), kinds.get(flow.denominator or ""))
        if found not in _RATE_CONSTANTS or flow.source == flow.target:
            yield Problem(
                what=f"the flow from {flow.source} to {flow.target} is no rate constant",
                field=f"{model.name}.flows[{i}]",
                found=f"{found[0] or 'nothing'} over {found[1] or 'nothing'}",
                expected="clearance over volume, a rate, or a factor over a time, between two "
                "different compartments",
            )
    for analyte in model.analytes:
        if kinds[analyte.volume] != "volume":
            yield Problem(
                what="a concentration needs a volume",
                field=f"{model.name}.analytes.{analyte.name}",
                found=f"{analyte.volume}, a {kinds[analyte.volume]}",
            )


def _wrong_covariance(model: CompartmentModel) -> Iterator[Problem]:
    names, covariance = covariance_matrix(model)
    if names and np.linalg.eigvalsh(covariance)[0] <= 0:
        yield Problem(
            what="variances and covariances that no people can have",
            field=f"{model.name}.covariances",
            found=f"least eigenvalue {np.linalg.eigvalsh(covariance)[0]:.3g}",
            expected="a positive definite matrix",
        )
