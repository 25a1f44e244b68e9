r"""The matrix that a model, a route and an observation make, and its course under doses.

The state holds the amounts :math:`x` and, beside them, whatever else makes the answer a plain
matrix exponential: the infusion rate of every route (constant between two events), the effect
site (:math:`\dot c_e = k_{e0}(c_p - c_e)`) and the running integral of what is observed. Between
events :math:`z(t) = e^{M (t - t_k)} z(t_k)`, without approximation; a bolus is a jump.

On an equidistant grid :math:`w^\top \Phi^{k} z` with :math:`k = R q + r` is one product of the
rows :math:`w^\top \Phi^{r}` and the columns :math:`\Phi^{R q} z`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.pharmacokinetics._doses import DoseInput
from phmri.pharmacokinetics._exponential import exponential, powers_from
from phmri.pharmacokinetics._records import (
    Analyte,
    CompartmentModel,
    Individuals,
    to_litres_and_minutes,
)

__all__ = ["System", "make_system", "propagate", "rate_matrices", "upstream"]

_SAME_STEP_MIN = 1e-9
_N_GRID = 12
"""Times from which on the grid's way is the shorter one."""

Step = Callable[[float], Float[np.ndarray, "n_individuals n_states n_states"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Augmented linear system of some people.

    Parameters
    ----------
    matrices : ndarray of shape (n_individuals, n_states, n_states)
        Per minute.
    observed : ndarray of shape (n_individuals, n_states)
        Weights of the state in what is observed, mg/L (or mg min/L).
    entries : dict of str to int
        Route to the state that a dose of it enters.
    rates : dict of str to int
        Route to the state that holds its infusion rate, mg/min.
    gains : dict of str to ndarray of shape (n_individuals,)
        Route to the fraction of a dose that arrives.
    """

    matrices: Float[np.ndarray, "n_individuals n_states n_states"]
    observed: Float[np.ndarray, "n_individuals n_states"]
    entries: dict[str, int]
    rates: dict[str, int]
    gains: dict[str, Float[np.ndarray, " n_individuals"]]


def upstream(model: CompartmentModel, compartment: str) -> tuple[str, ...]:
    """List the compartments from which anything can reach one.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    compartment : str
        One of its own.

    Returns
    -------
    tuple of str
        In the order of the model, that one among them.
    """
    found: set[str] = set()
    new = {compartment}
    while new:
        found |= new
        new = {flow.source for flow in model.flows if flow.target in found} - found
    return tuple(name for name in model.compartments if name in found)


def _column(individuals: Individuals, name: str) -> Float[np.ndarray, " n_individuals"]:
    """Take one parameter of everybody, in litres and minutes."""
    names = [parameter.name for parameter in individuals.model.parameters]
    position = names.index(name)
    unit = individuals.model.parameters[position].unit
    return np.asarray(individuals.values[:, position] * to_litres_and_minutes(unit))


def rate_matrices(
    individuals: Individuals, compartments: Sequence[str] | None = None
) -> Float[np.ndarray, "n_individuals n_compartments n_compartments"]:
    r"""Make the matrix :math:`A` of :math:`\dot x = A x` for every person.

    Parameters
    ----------
    individuals : Individuals
        At least one.
    compartments : sequence of str, optional
        Those to keep, in this order; all of the model where left out. Flows into others are
        losses.

    Returns
    -------
    ndarray of shape (n_individuals, n_compartments, n_compartments)
        Per minute; column j says where the content of compartment j goes.
    """
    model = individuals.model
    places = {name: i for i, name in enumerate(compartments or model.compartments)}
    A = np.zeros((len(individuals.values), len(places), len(places)))
    for flow in model.flows:
        if flow.source not in places:
            continue
        rate = np.full(len(A), flow.factor)
        if flow.numerator is not None:
            rate = rate * _column(individuals, flow.numerator)
        if flow.denominator is not None:
            rate = rate / _column(individuals, flow.denominator)
        source = places[flow.source]
        A[:, source, source] -= rate
        if flow.target in places:
            A[:, places[flow.target], source] += rate
    return A


def make_system(
    individuals: Individuals,
    analyte: Analyte,
    routes: Sequence[str],
    *,
    ke0_per_min: Float[np.ndarray, " n_individuals"] | None,
    observe: Literal["value", "integral"],
) -> System:
    """Augment the matrix of every person by effect site, integral and infusion rates.

    Parameters
    ----------
    individuals : Individuals
        At least one.
    analyte : Analyte
        What is observed.
    routes : sequence of str
        Those of the doses; all are routes of the model.
    ke0_per_min : ndarray of shape (n_individuals,) or None
        Rate constant of the effect site, 1/min; None to observe the plasma.
    observe : {"value", "integral"}
        The concentration, or its integral since the first dose.

    Returns
    -------
    System
    """
    model = individuals.model
    compartments = upstream(model, analyte.compartment)
    n = len(compartments)
    further = (["effect"] if ke0_per_min is not None else []) + (
        ["integral"] if observe == "integral" else []
    )
    used = [r for r in model.routes if r.name in routes and r.compartment in compartments]
    n_states = n + len(further) + len(used)
    M = np.zeros((len(individuals.values), n_states, n_states))
    M[:, :n, :n] = rate_matrices(individuals, compartments)
    observed = np.zeros(M.shape[:2])
    volume = _column(individuals, analyte.volume)
    observed[:, compartments.index(analyte.compartment)] = analyte.mass_ratio / volume
    for state, kind in enumerate(further, start=n):
        if ke0_per_min is not None and kind == "effect":
            M[:, state] += ke0_per_min[:, None] * observed
            M[:, state, state] = -ke0_per_min
        else:
            M[:, state] += observed
        observed = np.zeros_like(observed)
        observed[:, state] = 1.0
    entries = {route.name: compartments.index(route.compartment) for route in used}
    rates = {route.name: n + len(further) + i for i, route in enumerate(used)}
    gains = {
        route.name: _column(individuals, route.bioavailability)
        if route.bioavailability is not None
        else np.ones(len(M))
        for route in used
    }
    for name, state in rates.items():
        M[:, entries[name], state] = gains[name]
    return System(matrices=M, observed=observed, entries=entries, rates=rates, gains=gains)


def propagate(
    system: System, doses: Sequence[DoseInput], times: Float[np.ndarray, " n_times"]
) -> Float[np.ndarray, "n_individuals n_times"]:
    """Follow the system from rest through all doses.

    Parameters
    ----------
    system : System
        Its routes include those of the doses that can reach what is observed.
    doses : sequence of DoseInput
        Start times are those of arrival.
    times : ndarray of shape (n_times,)
        Minutes, not falling. A bolus at one of them is in already.

    Returns
    -------
    ndarray of shape (n_individuals, n_times)
        What is observed; 0 before the first dose.
    """
    result = np.zeros((len(system.matrices), len(times)))
    state = np.zeros(system.matrices.shape[:2])
    step = lru_cache(maxsize=4)(lambda minutes: exponential(system.matrices * minutes))
    for start, stop, jumps, rates in _segments(doses):
        for route, entry in system.entries.items():
            state[:, entry] += system.gains[route] * jumps.get(route, 0.0)
            state[:, system.rates[route]] = rates.get(route, 0.0)
        first, last = np.searchsorted(times, [start, stop])
        if last > first:
            result[:, first:last] = _observe(system, step, state, times[first:last] - start)
        if last == len(times):
            break
        state = _advance(step(stop - start), state)
    return result


def _advance(
    step: Float[np.ndarray, "n_individuals n_states n_states"],
    state: Float[np.ndarray, "n_individuals n_states"],
) -> Float[np.ndarray, "n_individuals n_states"]:
    return np.asarray((step @ state[:, :, None])[:, :, 0])


def _segments(
    doses: Sequence[DoseInput],
) -> Iterator[tuple[float, float, dict[str, float], dict[str, float]]]:
    """Cut time where a dose starts or stops; give boluses at, and rates after, each cut."""
    cuts = sorted({dose.start_min + part for dose in doses for part in (0.0, dose.duration_min)})
    for start, stop in zip(cuts, [*cuts[1:], np.inf], strict=False):
        jumps: dict[str, float] = {}
        rates: dict[str, float] = {}
        for dose in doses:
            if dose.duration_min == 0:
                if dose.start_min == start:
                    jumps[dose.route] = jumps.get(dose.route, 0.0) + dose.amount_mg
            elif dose.start_min <= start < dose.start_min + dose.duration_min:
                rate = dose.amount_mg / dose.duration_min
                rates[dose.route] = rates.get(dose.route, 0.0) + rate
        yield float(start), float(stop), jumps, rates


def _observe(
    system: System,
    step: Step,
    state: Float[np.ndarray, "n_individuals n_states"],
    offsets: Float[np.ndarray, " n_offsets"],
) -> Float[np.ndarray, "n_individuals n_offsets"]:
    """Observe the free course of the system at rising times since the state."""
    if offsets[0] > 0:
        state = _advance(step(float(offsets[0])), state)
    n = len(offsets)
    width = (offsets[-1] - offsets[0]) / max(n - 1, 1)
    grid = offsets[0] + width * np.arange(n)
    if n >= _N_GRID and width > 0 and np.abs(offsets - grid).max() <= _SAME_STEP_MIN:
        n_rows = 2 ** int(np.ceil(np.log2(n) / 2))
        rows, power = powers_from(system.observed, step(float(width)), n_rows)
        columns, _ = powers_from(state, power.transpose(0, 2, 1), -(-n // n_rows))
        return np.asarray((columns @ rows.transpose(0, 2, 1)).reshape(len(state), -1)[:, :n])
    result = np.empty((len(state), n))
    for i, minutes in enumerate(np.diff(offsets, prepend=offsets[0])):
        if minutes > 0:
            state = _advance(step(float(minutes)), state)
        result[:, i] = (system.observed * state).sum(axis=1)
    return result
