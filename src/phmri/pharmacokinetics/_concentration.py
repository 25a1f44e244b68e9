r"""Concentrations from doses: exact, for one person or for thousands.

See `phmri.pharmacokinetics._system` for the mathematics.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._doses import DoseInput
from phmri.pharmacokinetics._individuals import typical_individual
from phmri.pharmacokinetics._records import Analyte, CompartmentModel, Individuals
from phmri.pharmacokinetics._system import make_system, propagate

__all__ = [
    "concentration",
    "concentrations",
    "effect_site_range",
    "find_analyte",
    "mean_concentrations",
]

_N_TOGETHER = 256
"""People whose matrices stay in the processor's own memory."""
_NG_PER_ML = 1000.0
"""Of one mg/L."""

Ke0 = float | Float[np.ndarray, " n_individuals"] | None


def concentration(
    model: CompartmentModel,
    doses: Sequence[DoseInput],
    times_min: Float[np.ndarray, " n_times"],
    *,
    weight_kg: float | None = None,
    ke0_per_min: float | None = None,
    analyte: str | None = None,
) -> Float[np.ndarray, " n_times"]:
    r"""Give the concentration in a model's typical person.

    Parameters
    ----------
    model : CompartmentModel
        From `find_model` or `make_model`.
    doses : sequence of DoseInput
        In mg and minutes from time zero; none gives zero.
    times_min : ndarray of shape (n_times,)
        Minutes from time zero, in any order.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.
    ke0_per_min : float, optional
        Rate constant in 1/min with which an effect site follows the plasma; plasma where left
        out. No measured one of ketamine is known: see `effect_site_range`.
    analyte : str, optional
        One of the model's; the parent drug where left out.

    Returns
    -------
    ndarray of shape (n_times,)
        ng/mL, never below 0. A bolus at one of the times is in already.

    Notes
    -----
    The solution of :math:`\dot x = A x + B u(t)` from :math:`x = 0`, with :math:`u` constant
    between doses, by matrix exponentials; the effect site is
    :math:`\dot c_e = k_{e0} (c_p - c_e)`. It assumes that every process is of first order and
    constant in time. What `concentrations` and `typical_individual` refuse is refused.
    """
    typical = typical_individual(model, weight_kg)
    curves = concentrations(typical, doses, times_min, ke0_per_min=ke0_per_min, analyte=analyte)
    return np.asarray(curves[0])


def concentrations(
    individuals: Individuals,
    doses: Sequence[DoseInput],
    times_min: Float[np.ndarray, " n_times"],
    *,
    ke0_per_min: Ke0 = None,
    analyte: str | None = None,
    dose_factors: Float[np.ndarray, " n_individuals"] | None = None,
) -> Float[np.ndarray, "n_individuals n_times"]:
    """Give the concentration in each of many people.

    Parameters
    ----------
    individuals : Individuals
        Drawn, typical, or fitted.
    doses : sequence of DoseInput
        In mg and minutes from time zero; the same for everybody.
    times_min : ndarray of shape (n_times,)
        Minutes from time zero, in any order; equidistant ones are fastest.
    ke0_per_min : float or ndarray of shape (n_individuals,), optional
        Rate constant of an effect site, 1/min; plasma where left out.
    analyte : str, optional
        One of the model's; the parent drug where left out.
    dose_factors : ndarray of shape (n_individuals,), optional
        Multiply all doses of a person, e.g. each one's weight over the weight that the doses
        were resolved with.

    Returns
    -------
    ndarray of shape (n_individuals, n_times)
        ng/mL, never below 0. A bolus at one of the times is in already.

    Raises
    ------
    PharmacokineticsError
        Naming all of: times, doses, factors or a ke0 out of range, a route or an analyte that
        the model does not have.
    """
    request = _Request(
        individuals=individuals,
        doses=doses,
        ke0_per_min=ke0_per_min,
        analyte=analyte,
        dose_factors=dose_factors,
    )
    problems = [*_wrong(request), *_wrong_times(times_min)]
    if problems:
        raise PharmacokineticsError(*problems)
    order = np.argsort(times_min, kind="stable")
    result = _follow(request, times_min[order], "value")
    if (np.diff(order) == 1).all():
        return result
    return result[:, np.argsort(order)]


def mean_concentrations(
    individuals: Individuals,
    doses: Sequence[DoseInput],
    edges_min: Float[np.ndarray, " n_edges"],
    *,
    ke0_per_min: Ke0 = None,
    analyte: str | None = None,
) -> Float[np.ndarray, "n_individuals n_bins"]:
    """Give the mean concentration between edges: what a bin or a volume sees.

    Parameters
    ----------
    individuals : Individuals
        Drawn, typical, or fitted.
    doses : sequence of DoseInput
        In mg and minutes from time zero; the same for everybody.
    edges_min : ndarray of shape (n_edges,)
        Rising, minutes from time zero; a bin lies between two neighbours.
    ke0_per_min : float or ndarray of shape (n_individuals,), optional
        Rate constant of an effect site, 1/min; plasma where left out.
    analyte : str, optional
        One of the model's; the parent drug where left out.

    Returns
    -------
    ndarray of shape (n_individuals, n_edges - 1)
        ng/mL.

    Raises
    ------
    PharmacokineticsError
        Naming all of: edges that do not rise, doses or a ke0 out of range, a route or an analyte
        that the model does not have.

    Notes
    -----
    The integral is a state of the linear system and as exact as the concentration.
    """
    request = _Request(
        individuals=individuals, doses=doses, ke0_per_min=ke0_per_min, analyte=analyte
    )
    problems = [*_wrong(request), *_wrong_times(edges_min)]
    width = np.diff(edges_min)
    if not (len(width) > 0 and (width > 0).all()):
        problems.append(
            Problem(what="edges of bins that do not rise", field="edges_min", expected="2 or more")
        )
    if problems:
        raise PharmacokineticsError(*problems)
    area = _follow(request, edges_min, "integral")
    return np.maximum(np.diff(area, axis=1), 0.0) / width


def effect_site_range(
    model: CompartmentModel,
    doses: Sequence[DoseInput],
    times_min: Float[np.ndarray, " n_times"],
    *,
    half_lives_min: Sequence[float],
    weight_kg: float | None = None,
    analyte: str | None = None,
) -> Float[np.ndarray, "n_half_lives n_times"]:
    r"""Give the effect-site concentration for each of several delays behind the plasma.

    Parameters
    ----------
    model : CompartmentModel
        From `find_model` or `make_model`.
    doses : sequence of DoseInput
        In mg and minutes from time zero.
    times_min : ndarray of shape (n_times,)
        Minutes from time zero.
    half_lives_min : sequence of float
        :math:`t_{1/2} k_{e0} = \ln 2 / k_{e0}`, minutes.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.
    analyte : str, optional
        One of the model's; the parent drug where left out.

    Returns
    -------
    ndarray of shape (n_half_lives, n_times)
        ng/mL.

    Raises
    ------
    PharmacokineticsError
        When a half-life is none.

    Notes
    -----
    What `concentration` refuses is refused.
    """
    halves = np.asarray(half_lives_min, dtype=float)
    if not (np.isfinite(halves) & (halves > 0)).all() or len(halves) == 0:
        raise PharmacokineticsError(
            Problem(
                what="half-lives of an effect site that are none",
                field="half_lives_min",
                found=f"{list(half_lives_min)}",
                expected="minutes, above 0",
            )
        )
    typical = typical_individual(model, weight_kg)
    repeated = replace(typical, values=np.repeat(typical.values, len(halves), axis=0))
    return concentrations(
        repeated, doses, times_min, ke0_per_min=np.log(2) / halves, analyte=analyte
    )


def find_analyte(model: CompartmentModel, name: str | None) -> Analyte:
    """Find what is measured by its name.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    name : str or None
        None for the parent drug.

    Returns
    -------
    Analyte

    Raises
    ------
    PharmacokineticsError
        When the model has no such analyte.
    """
    for analyte in model.analytes:
        if name in {None, analyte.name}:
            return analyte
    raise PharmacokineticsError(
        Problem(
            what="the model has no such analyte",
            field=f"{model.name}.analyte",
            found=name,
            expected=" or ".join(analyte.name for analyte in model.analytes),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    individuals: Individuals
    doses: Sequence[DoseInput]
    ke0_per_min: Ke0
    analyte: str | None
    dose_factors: Float[np.ndarray, " n_individuals"] | None = None


def _follow(
    request: _Request,
    times: Float[np.ndarray, " n_times"],
    observe: Literal["value", "integral"],
) -> Float[np.ndarray, "n_individuals n_times"]:
    """Follow people in groups; ng/mL at rising times, or ng min/mL up to them."""
    individuals = request.individuals
    model = individuals.model
    lags = {route.name: route.lag_min for route in model.routes}
    arrived = [
        replace(dose, start_min=dose.start_min + lags[dose.route]) for dose in request.doses
    ]
    n = len(individuals.values)
    ke0 = None if request.ke0_per_min is None else np.broadcast_to(request.ke0_per_min, (n,))
    factors = np.ones(n) if request.dose_factors is None else request.dose_factors
    result = np.empty((n, len(times)))
    for first in range(0, n, _N_TOGETHER):
        part = slice(first, first + _N_TOGETHER)
        system = make_system(
            replace(individuals, values=individuals.values[part]),
            find_analyte(model, request.analyte),
            tuple({dose.route for dose in arrived}),
            ke0_per_min=None if ke0 is None else ke0[part],
            observe=observe,
        )
        course = propagate(system, arrived, times)
        np.multiply(course, _NG_PER_ML * factors[part, None], out=result[part])
    return result


def _wrong_times(times: Float[np.ndarray, " n_times"]) -> Iterator[Problem]:
    if not np.isfinite(times).all():
        yield Problem(
            what="times that are not finite",
            field="times_min",
            found=f"{int((~np.isfinite(times)).sum())} of {len(times)}",
        )


def _wrong(request: _Request) -> Iterator[Problem]:
    model = request.individuals.model
    for i, dose in enumerate(request.doses):
        yield from _wrong_dose(dose, f"doses[{i}]", model)
    n = len(request.individuals.values)
    ke0 = np.asarray(1.0 if request.ke0_per_min is None else request.ke0_per_min)
    if ke0.shape not in {(), (n,)} or not (np.isfinite(ke0) & (ke0 > 0)).all():
        yield Problem(
            what="no rate constant of an effect site",
            field="ke0_per_min",
            found=f"{request.ke0_per_min}",
            expected="one number above 0, or one for every person, in 1/min",
        )
    factors = np.ones(n) if request.dose_factors is None else request.dose_factors
    if factors.shape != (n,) or not (np.isfinite(factors) & (factors >= 0)).all():
        yield Problem(
            what="no factors of doses",
            field="dose_factors",
            expected="a finite number for every person, 0 or above",
        )
    try:
        find_analyte(model, request.analyte)
    except PharmacokineticsError as error:
        yield from error.problems


def _wrong_dose(dose: DoseInput, place: str, model: CompartmentModel) -> Iterator[Problem]:
    routes = [route.name for route in model.routes]
    if dose.route not in routes:
        yield Problem(
            what=f"the model {model.name} has no such route",
            field=f"{place}.route",
            found=dose.route,
            expected=" or ".join(routes),
        )
    for name in ("amount_mg", "duration_min", "start_min"):
        value = getattr(dose, name)
        if not np.isfinite(value) or (value < 0 and name != "start_min"):
            yield Problem(what="a number out of range", field=f"{place}.{name}", found=f"{value}")
