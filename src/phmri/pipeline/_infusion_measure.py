"""The response to an infusion: the protocol's model, fitted to a run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel import (
    Drift,
    Exposure,
    GammaVariate,
    InfusionDesign,
    InfusionModel,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    RunEstimate,
    Step,
    fit_infusion,
    infusion_design,
    used_volumes,
)
from phmri.pipeline._by_tissue import tissues_of
from phmri.pipeline._job import ExposureCurve
from phmri.pipeline._model_measures import noise_of
from phmri.pipeline._run_data import RunData
from phmri.protocol import Infusion

__all__ = ["infusion", "make_infusion_design"]


def make_infusion_design(
    data: RunData, measure: Infusion, denoising: str | None = None
) -> InfusionDesign:
    """Make the design of a run's response to the infusion.

    Parameters
    ----------
    data : RunData
    measure : Infusion
    denoising : str, optional
        What it removes or censors counts for nothing; all volumes count when left out.

    Returns
    -------
    InfusionDesign

    Raises
    ------
    FirstLevelError
        The protocol does not say when the run begins.
    """
    start_min = data.job.start_min
    if start_min is None:
        raise FirstLevelError(
            Problem(
                what="nobody says when this run begins, in minutes from the infusion",
                field=f"scans.{data.job.scan_name}.start_min.{data.job.session}",
            )
        )
    exposure = measure.used_exposure
    curve = None if exposure is None else data.job.exposures[exposure]
    drift = measure.drift
    return infusion_design(
        _response_model(measure, curve),
        start_min + (np.arange(data.n_volumes) + 0.5) * data.t_r / 60.0,
        drift=Drift(order=drift.order, source=drift.source),
        exposure=None if curve is None else curve.values_ng_ml,
        min_baseline_volumes=measure.min_baseline_volumes,
        max_overlap=drift.max_overlap,
        used=None if denoising is None else used_volumes(data.design_nuisance(denoising)),
    )


def infusion(data: RunData, measure: Infusion, denoising: str) -> RunEstimate:
    """Fit the response to the infusion.

    Parameters
    ----------
    data : RunData
    measure : Infusion
    denoising : str

    Returns
    -------
    RunEstimate
    """
    found = data.percent_outcomes(measure, denoising)
    design = make_infusion_design(data, measure, denoising)
    estimate = fit_infusion(
        found.series,
        found.mean,
        design,
        data.design_nuisance(denoising),
        noise=noise_of(measure),
        groups=tissues_of(data, measure),
        shape_level=measure.shape_level if design.course else None,
    )
    facts = {**estimate.facts, "placebo": "this session alone: not corrected for placebo"}
    if (exposure := measure.used_exposure) is not None:
        facts["exposure"] = data.job.exposures[exposure].source
    return found.named(replace(estimate, facts=facts))


def _response_model(measure: Infusion, curve: ExposureCurve | None) -> InfusionModel:
    """Give the protocol's response as the first level's record."""
    response = measure.response
    values = response.model_dump(exclude={"model", "exposure"})
    if response.model == "exposure":
        kind: Literal["plasma", "effect_site"] = (
            "effect_site" if curve is not None and curve.at_effect_site else "plasma"
        )
        return Exposure(kind=kind, peak_ng_ml=None if curve is None else curve.peak_ng_ml)
    return _MODELS[response.model](**values)


_MODELS: dict[str, Callable[..., InfusionModel]] = {
    "pseudoblock": Pseudoblock,
    "step": Step,
    "ramp": Ramp,
    "gamma_variate": GammaVariate,
    "response_family": ResponseFamily,
}
