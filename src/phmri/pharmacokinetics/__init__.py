r"""Pharmacokinetics: doses to concentrations, exactly, as pure functions.

Amounts follow :math:`\dot x = A x + B u(t)`, doses are constant infusions and instantaneous
boluses, and a concentration is an amount over a volume. Times are minutes from time zero, the
start of the infusion; doses are mg, concentrations ng/mL.
"""

from phmri.pharmacokinetics._concentration import (
    concentration,
    concentrations,
    effect_site_range,
    mean_concentrations,
)
from phmri.pharmacokinetics._constants import (
    DerivedConstants,
    area_under_curve,
    derive_constants,
)
from phmri.pharmacokinetics._doses import Dose, DoseInput, resolve_doses
from phmri.pharmacokinetics._fit import IndividualFit, fit_individual
from phmri.pharmacokinetics._individuals import (
    draw_individuals,
    make_individuals,
    typical_individual,
    with_variances,
)
from phmri.pharmacokinetics._make_model import Absorption, make_model, make_model_from_rates
from phmri.pharmacokinetics._models import find_model, model_names
from phmri.pharmacokinetics._records import (
    Analyte,
    CompartmentModel,
    Flow,
    Individuals,
    Parameter,
    Route,
)
from phmri.pharmacokinetics._system import rate_matrices

__all__ = [
    "Absorption",
    "Analyte",
    "CompartmentModel",
    "DerivedConstants",
    "Dose",
    "DoseInput",
    "Flow",
    "IndividualFit",
    "Individuals",
    "Parameter",
    "Route",
    "area_under_curve",
    "concentration",
    "concentrations",
    "derive_constants",
    "draw_individuals",
    "effect_site_range",
    "find_model",
    "fit_individual",
    "make_individuals",
    "make_model",
    "make_model_from_rates",
    "mean_concentrations",
    "model_names",
    "rate_matrices",
    "resolve_doses",
    "typical_individual",
    "with_variances",
]
