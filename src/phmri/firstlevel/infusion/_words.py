"""What the infusion model is, in sentences for the methods text."""

from phmri.firstlevel.infusion._models import (
    Drift,
    Exposure,
    GammaVariate,
    InfusionModel,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    Step,
)

__all__ = ["sentences"]


def sentences(
    model: InfusionModel, drift: Drift, overlap: float, explained: float, *, n_curves: int
) -> tuple[str, ...]:
    """Say what was fitted.

    Parameters
    ----------
    model : InfusionModel
    drift : Drift
    overlap : float
        Of the measure with the drift.
    explained : float
        By the components of a family.
    n_curves : int
        Number of bins, curves or components.

    Returns
    -------
    tuple of str
        The response, then the drift; citations as ``[doi:...]``.
    """
    return _response(model, explained, n_curves), _drift(drift, overlap)


def _response(model: InfusionModel, explained: float, n_curves: int) -> str:
    if isinstance(model, Pseudoblock):
        window = "all time after its start"
        if model.window_min is not None:
            window = f"minutes {model.window_min[0]:g} to {model.window_min[1]:g}"
        baseline = "all volumes before it"
        if model.baseline_min is not None:
            baseline = f"the {model.baseline_min:g} min before it"
        return (
            f"The response to the infusion was the signal in {n_curves} bins of {model.bin_s:g} s "
            f"from the start of the infusion on, without a haemodynamic response, against "
            f"{baseline} [doi:10.1007/s00213-005-2270-y]; the measure is its mean over {window}."
        )
    if isinstance(model, Exposure):
        where = "in plasma" if model.kind == "plasma" else "at the site of effect"
        unit = "its peak within the scan"
        if model.peak_ng_ml is not None:
            unit = f"{model.peak_ng_ml:g} ng/mL"
        return (
            f"The response was the regression on the concentration {where} at the middle of "
            f"each volume [doi:10.1007/s00429-016-1291-0], in signal change at {unit}."
        )
    if isinstance(model, ResponseFamily):
        return (
            f"The response was spanned by {n_curves} principal components, "
            f"{100 * explained:.1f} % of the sum of squares, of gamma variates with onset "
            f"{model.onset_min[0]:g} to {model.onset_min[1]:g} min, time from onset to peak "
            f"{model.delay_min[0]:g} to {model.delay_min[1]:g} min and shape {model.shape[0]:g} "
            f"to {model.shape[1]:g}; the measure is the fitted curve at its largest distance "
            "from the baseline."
        )
    return f"The response was {_curve(model)}."


def _curve(model: Step | Ramp | GammaVariate) -> str:
    if isinstance(model, Step):
        return f"a step at {model.onset_min:g} min"
    if isinstance(model, Ramp):
        return f"a straight rise from {model.onset_min:g} to {model.end_min:g} min, level after it"
    return (
        f"a gamma variate of shape {model.shape:g} with onset {model.onset_min:g} min and peak "
        f"{model.peak_min:g} min"
    )


def _drift(drift: Drift, overlap: float) -> str:
    if not drift.order:
        return "No drift was modelled, nor was the run high-pass filtered."
    informed = "the whole run"
    if drift.extrapolated:
        informed = "the volumes before the infusion only and extrapolated"
    return (
        f"Drift was a polynomial of order {drift.order}, informed by {informed}, in place of a "
        "high-pass filter; its overlap with the measure, the share of the measure's variance "
        f"that is due to it, is {overlap:.3f}."
    )
