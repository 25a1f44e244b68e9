"""Infusion response: what a drug does to the signal while it is given."""

from phmri.firstlevel.infusion._design import infusion_design
from phmri.firstlevel.infusion._fit import fit_infusion
from phmri.firstlevel.infusion._models import (
    Drift,
    Exposure,
    GammaVariate,
    InfusionDesign,
    InfusionModel,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    Step,
)
from phmri.firstlevel.infusion._shape import shape_maps

__all__ = [
    "Drift",
    "Exposure",
    "GammaVariate",
    "InfusionDesign",
    "InfusionModel",
    "Pseudoblock",
    "Ramp",
    "ResponseFamily",
    "Step",
    "fit_infusion",
    "infusion_design",
    "shape_maps",
]
