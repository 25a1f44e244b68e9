r"""What follows from a model without any time course: clearance, volume, half-lives, areas.

With :math:`b` a unit amount in the sampled compartment and :math:`c` the weights of the
concentration, :math:`\mathrm{AUC} = -c^\top A^{-1} b`, :math:`\mathrm{AUMC} = c^\top A^{-2} b`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phmri.exceptions import PharmacokineticsError, Problem
from phmri.pharmacokinetics._concentration import find_analyte
from phmri.pharmacokinetics._doses import DoseInput
from phmri.pharmacokinetics._individuals import typical_individual
from phmri.pharmacokinetics._records import CompartmentModel
from phmri.pharmacokinetics._system import make_system, rate_matrices, upstream

__all__ = ["DerivedConstants", "area_under_curve", "derive_constants"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedConstants:
    """Constants of the parent drug in a model's typical person.

    Parameters
    ----------
    clearance_l_per_h : float
        From the sampled compartment, L/h; apparent (over bioavailability) where the model is.
    steady_state_volume_l : float
        Clearance times mean residence time, litres.
    half_lives_min : tuple of float
        Of every exponential of the parent drug's curve, rising, minutes.
    """

    clearance_l_per_h: float
    steady_state_volume_l: float
    half_lives_min: tuple[float, ...]


def derive_constants(
    model: CompartmentModel, *, weight_kg: float | None = None
) -> DerivedConstants:
    r"""Derive clearance, volume at steady state and half-lives of the parent drug.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.

    Returns
    -------
    DerivedConstants
        Half-lives of absorption are among those of an oral model.

    Notes
    -----
    :math:`CL = 1/\mathrm{AUC}`, :math:`V_{ss} = CL \cdot \mathrm{AUMC}/\mathrm{AUC}` of a unit
    bolus into the sampled compartment, :math:`t_{1/2} = -\ln 2 / \lambda` of the eigenvalues of
    the compartments that lead to it.
    """
    person = typical_individual(model, weight_kg)
    analyte = model.analytes[0]
    system = make_system(person, analyte, (), ke0_per_min=None, observe="value")
    compartments = upstream(model, analyte.compartment)
    A = rate_matrices(person, compartments)[0]
    given = np.eye(len(A))[compartments.index(analyte.compartment)]
    once = np.linalg.solve(A, given)
    area = -float(system.observed[0] @ once)
    moment = float(system.observed[0] @ np.linalg.solve(A, once))
    half_lives = np.sort(-np.log(2) / np.linalg.eigvals(A).real)
    return DerivedConstants(
        clearance_l_per_h=60 / area,
        steady_state_volume_l=moment / area**2,
        half_lives_min=tuple(half_lives.tolist()),
    )


def area_under_curve(
    model: CompartmentModel,
    doses: Sequence[DoseInput],
    *,
    weight_kg: float | None = None,
    analyte: str | None = None,
) -> float:
    """Give the area under the concentration from the first dose to infinity.

    Parameters
    ----------
    model : CompartmentModel
        Any.
    doses : sequence of DoseInput
        By routes of the model.
    weight_kg : float, optional
        Body weight in kg; needed by models that scale with it.
    analyte : str, optional
        One of the model's; the parent drug where left out.

    Returns
    -------
    float
        ng h/mL.

    Raises
    ------
    PharmacokineticsError
        When the model has no route of a dose, or it reaches no such analyte.
    """
    person = typical_individual(model, weight_kg)
    found = find_analyte(model, analyte)
    compartments = upstream(model, found.compartment)
    routes = {dose.route for dose in doses}
    system = make_system(person, found, tuple(routes), ke0_per_min=None, observe="value")
    lost = sorted(routes - set(system.entries))
    if lost:
        raise PharmacokineticsError(
            Problem(
                what=f"the model {model.name} has no such route to {found.name}",
                field="doses",
                found=", ".join(lost),
            )
        )
    n = len(compartments)
    weights = -np.linalg.solve(rate_matrices(person, compartments)[0].T, system.observed[0, :n])
    return (
        1000
        / 60
        * sum(
            float(
                dose.amount_mg * system.gains[dose.route][0] * weights[system.entries[dose.route]]
            )
            for dose in doses
        )
    )
