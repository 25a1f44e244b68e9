r"""First level: one run to maps or values, with their sampling variance.

The model of a run is :math:`y = X b + e`, where X holds the constant, the filter, the confounds
and, where the measure says so, the task or the drug. Two ways lead from it to a `RunEstimate`.
Connectivity and local measures take the residuals of everything that is not of interest
(`phmri.signals.make_cleaning` turns it into one operator with known degrees of freedom). Task,
infusion response and interactions are contrasts of :math:`b` itself, estimated with coloured
noise (`fit_glm`).
"""

from phmri.firstlevel._blocks import BlockWeights, block_weights, find_short_conditions
from phmri.firstlevel._connectivity import (
    edge_names,
    roi_to_roi,
    seed_to_parcel,
    seed_to_voxel,
)
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._sentences import measure_sentence
from phmri.firstlevel._unit_series import clean
from phmri.firstlevel._volumes import used_volumes
from phmri.firstlevel.glm import Contrast, ContrastEstimate, GlmFit, Noise, fit_glm
from phmri.firstlevel.infusion import (
    Drift,
    Exposure,
    GammaVariate,
    InfusionDesign,
    InfusionModel,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    Step,
    fit_infusion,
    infusion_design,
)
from phmri.firstlevel.local import (
    alff,
    degree_centrality,
    dual_regression,
    every_nth_voxel,
    exposure_connectivity,
    falff,
    find_window_problems,
    global_connectivity,
    receptor_regression,
    reho,
)
from phmri.firstlevel.ppi import (
    PpiDesign,
    fit_beta_series,
    fit_ppi,
    ppi_design,
    trial_estimator,
)
from phmri.firstlevel.task import (
    Modulator,
    TaskDesign,
    TaskSettings,
    TrialDesign,
    canonical_response,
    task_contrast,
    task_design,
    task_regressors,
    trial_design,
)

__all__ = [
    "BlockWeights",
    "Contrast",
    "ContrastEstimate",
    "Drift",
    "Exposure",
    "GammaVariate",
    "GlmFit",
    "InfusionDesign",
    "InfusionModel",
    "Modulator",
    "Noise",
    "PpiDesign",
    "Pseudoblock",
    "Ramp",
    "ResponseFamily",
    "RunEstimate",
    "Step",
    "TaskDesign",
    "TaskSettings",
    "TrialDesign",
    "alff",
    "block_weights",
    "canonical_response",
    "clean",
    "degree_centrality",
    "dual_regression",
    "edge_names",
    "every_nth_voxel",
    "exposure_connectivity",
    "falff",
    "find_short_conditions",
    "find_window_problems",
    "fit_beta_series",
    "fit_glm",
    "fit_infusion",
    "fit_ppi",
    "global_connectivity",
    "infusion_design",
    "measure_sentence",
    "ppi_design",
    "receptor_regression",
    "reho",
    "roi_to_roi",
    "seed_to_parcel",
    "seed_to_voxel",
    "task_contrast",
    "task_design",
    "task_regressors",
    "trial_design",
    "trial_estimator",
    "used_volumes",
]
