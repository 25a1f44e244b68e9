"""What responses to an infusion and concentration curves are, for the methods text."""

from collections import Counter
from collections.abc import Sequence

from phmri.pipeline._exposure import drug_model
from phmri.pipeline._job import ExposureCurve
from phmri.protocol import (
    ExposureConnectivity,
    ExposureResponse,
    GammaVariate,
    Infusion,
    InfusionModel,
    Measure,
    Protocol,
    Pseudoblock,
    Ramp,
    Step,
)

__all__ = ["describe_curve", "describe_settings"]

_SCOPES = {
    "voxel": "of each voxel",
    "tissue": "shared by the voxels of each tissue",
    "brain": "shared by all voxels",
}


def describe_settings(measure: Measure) -> str:
    """Say what of a measure of the drug was set: response and window, drift, noise.

    Parameters
    ----------
    measure : Measure

    Returns
    -------
    str
        Sentences; empty for measures of other kinds.
    """
    if isinstance(measure, ExposureConnectivity):
        return (
            f"Windows lasted {measure.window_s:g} s and began every {measure.step_s:g} s; the "
            f"concentration was that of exposure '{measure.exposure}'."
        )
    if not isinstance(measure, Infusion):
        return ""
    drift = "No drift was modelled"
    if measure.drift.order:
        informed = "the whole run"
        if measure.drift.source == "baseline":
            informed = "the volumes before the infusion alone, and extrapolated"
        drift = (
            f"The drift was a polynomial of order {measure.drift.order}, informed by {informed}"
        )
    return f"{_response(measure.response)}. {drift}. {_noise(measure)}."


def _response(response: InfusionModel) -> str:
    if isinstance(response, Pseudoblock):
        against = "all volumes before it"
        if response.baseline_min is not None:
            against = f"the {response.baseline_min:g} min before it"
        window = "all time after it"
        if response.window_min is not None:
            window = (
                f"the window from {response.window_min[0]:g} to {response.window_min[1]:g} min"
            )
        return (
            f"The signal in bins of {response.bin_s:g} s from the start of the infusion on was "
            f"set against {against}, and averaged over {window}"
        )
    if isinstance(response, ExposureResponse):
        return (
            f"The signal was regressed on exposure '{response.exposure}' "
            "[doi:10.1007/s00429-016-1291-0]"
        )
    if isinstance(response, Step):
        return f"The response was a step at {response.onset_min:g} min"
    if isinstance(response, Ramp):
        return (
            f"The response was a straight rise from {response.onset_min:g} to "
            f"{response.end_min:g} min, level after it"
        )
    if isinstance(response, GammaVariate):
        return (
            f"The response was a gamma variate of shape {response.shape:g} with onset "
            f"{response.onset_min:g} min and peak {response.peak_min:g} min"
        )
    onset, delay, shape = response.onset_min, response.delay_min, response.shape
    return (
        f"The response was spanned by principal components of gamma variates with onset "
        f"{onset[0]:g} to {onset[1]:g} min, {delay[0]:g} to {delay[1]:g} min from onset to peak "
        f"and shape {shape[0]:g} to {shape[1]:g}"
    )


def _noise(measure: Infusion) -> str:
    noise = measure.noise
    if noise.kind == "white":
        return "The noise was taken for white"
    name = f"AR({noise.order})" if noise.kind == "ar" else "ARMA(1,1)"
    words = f"The noise was {name} with coefficients {_SCOPES[noise.scope]}"
    if noise.shrink and noise.kind == "ar" and noise.scope == "voxel":
        words += ", drawn towards their mean over the brain"
    return words


def describe_curve(protocol: Protocol, name: str, curves: Sequence[ExposureCurve]) -> str:
    """Say by which model a concentration curve was made, from what, and what counts as 1.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Key in ``protocol.exposures``.
    curves : sequence of ExposureCurve
        Of the runs, one or more.

    Returns
    -------
    str
        Citations as ``[doi:...]``.
    """
    exposure = protocol.exposures[name]
    model = drug_model(protocol, exposure)
    source = model.citation.rstrip(".") + (f" [doi:{model.doi}]" if model.doi else "")
    own = protocol.compartments.get(exposure.model)
    if own is not None:
        volumes = ", ".join(f"{value:g}" for value in own.volumes_l)
        clearances = ", ".join(f"{value:g}" for value in own.clearances_l_per_h)
        source = (
            f"the protocol's own, volumes {volumes} L, clearances {clearances} L/h for "
            f"{own.reference_weight_kg:g} kg"
        )
    place = f"of {exposure.analyte or exposure.drug} in plasma (blood: {model.site})"
    if exposure.ke0_per_min is not None:
        place = (
            f"of {exposure.analyte or exposure.drug} at the site of effect, behind plasma (blood: "
            f"{model.site}) by ke0 {exposure.ke0_per_min:g} per min"
        )
    made = Counter(curve.source.split(", ", 1)[1] for curve in curves)
    runs = "; ".join(f"{words}: {n} run{'' if n == 1 else 's'}" for words, n in made.items())
    peaks = sorted({f"{curve.peak_ng_ml:.4g}" for curve in curves})
    return (
        f"Exposure '{name}': concentration {place} by the model '{model.name}' ({source}); "
        f"{runs}. The unit is the peak within the scan of the typical participant's curve, "
        f"{' or '.join(peaks)} ng/mL."
    )
