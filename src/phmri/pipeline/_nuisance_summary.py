"""What is not of interest in a run, as numbers: a drug may change it, too.

A regressor that follows the drug takes part of the drug's effect out of every map that it cleans.
Its own response to the infusion, by the run's own model, says how much it follows.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from phmri.exceptions import PhmriError
from phmri.firstlevel import Contrast, Noise, fit_glm
from phmri.pipeline._infusion_measure import make_infusion_design
from phmri.pipeline._run_data import RunData
from phmri.protocol import Infusion
from phmri.signals import count_leading, physiology_summary

__all__ = ["summarise_nuisance"]

_ALWAYS = ("global_signal", "white_matter", "csf", "framewise_displacement", "std_dvars")


def summarise_nuisance(data: RunData) -> dict[str, float]:
    """Describe motion, global signal and physiology of a run.

    Parameters
    ----------
    data : RunData

    Returns
    -------
    dict of str to float
        By name and unit; without what the run does not have.
    """
    return {**_levels(data), **_physiology(data), **_responses(data)}


def _levels(data: RunData) -> dict[str, float]:
    found = {}
    columns = _columns(data)
    for name, words in (
        ("framewise_displacement", "framewise displacement, mean (mm)"),
        ("std_dvars", "standardised DVARS, mean"),
    ):
        if name in columns:
            found[words] = float(columns[name].mean())
    signal = columns.get("global_signal")
    if signal is not None and signal.mean() > 0:
        found["global signal, SD (% of its mean)"] = float(100 * signal.std() / signal.mean())
    return found


def _columns(data: RunData) -> dict[str, Float[np.ndarray, " n_used"]]:
    """Give the confounds that vary in steady state; n/a of the first volumes takes the mean."""
    if data.confounds is None:
        return {}
    columns = {}
    steady = data.confounds.values[count_leading(data.confounds) :]
    for name, column in zip(data.confounds.names, steady.T, strict=True):
        known = np.isfinite(column)
        if known.mean() > 0.9 and np.ptp(column[known]) > 0:  # noqa: PLR2004 - a few are missing
            columns[name] = np.where(known, column, column[known].mean())
    return columns


def _physiology(data: RunData) -> dict[str, float]:
    if not data.job.run.physio:
        return {}
    try:
        found = physiology_summary(data.physio, t_r=data.t_r, n_volumes=data.n_volumes)
    except PhmriError:  # does not cover the run, say; a denoising that uses it says so
        return {}
    values = {
        "heart rate (per min)": found.heart_rate_per_min,
        "heart rate, SD (per min)": found.heart_rate_sd_per_min,
        "breathing rate (per min)": found.breathing_rate_per_min,
        "breathing volume per time (units of the device)": found.breathing_volume_per_s,
    }
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def _responses(data: RunData) -> dict[str, float]:
    """Fit the run's own model of the response to every regressor, each scaled to SD 1."""
    measures = [item for item in data.job.measures.values() if isinstance(item, Infusion)]
    # The peak of a fitted curve is no contrast.
    linear = [item for item in measures if item.response.model != "response_family"]
    series = _regressors(data, sorted({name for item in measures for name in item.denoisings}))
    if not linear or not series:
        return {}
    measure = linear[0]
    design = make_infusion_design(data, measure)
    contrast = next(item for item in design.contrasts if item.name == design.primary)
    # The volumes that all of them have: those at the start may not be in steady state.
    n_used = min(column.size for column in series.values())
    shared = {name: column[-n_used:] for name, column in series.items()}
    shared = {name: column for name, column in shared.items() if np.ptp(column) > 0}
    if not shared:
        return {}
    late = np.column_stack(list(shared.values()))
    fit = fit_glm(
        ((late - late.mean(axis=0)) / late.std(axis=0)).astype(np.float32),
        design.X[-n_used:],
        (Contrast(name="response", weights=contrast.weights),),
        noise=Noise(kind="ar", order=measure.noise.order),
    )
    effect = fit.contrasts["response"].effect[0]
    return {
        f"{name}, response to the infusion (SD)": float(value)
        for name, value in zip(shared, effect, strict=True)
        if np.isfinite(value)
    }


def _regressors(
    data: RunData, denoisings: Sequence[str]
) -> dict[str, Float[np.ndarray, " n_used"]]:
    """Give every regressor of some denoisings, and the usual ones whether used or not.

    From the first volume on that each has: they end together.
    """
    found: dict[str, Float[np.ndarray, " n_used"]] = {}
    for name in denoisings:
        nuisance = data.nuisance(name)
        for label, column in zip(nuisance.names, nuisance.X.T, strict=True):
            is_own = label == "constant" or label.startswith(("dct", "censored_"))
            if not is_own and np.ptp(column) > 0:
                found[label] = column
    columns = _columns(data)
    found |= {name: columns[name] for name in _ALWAYS if name in columns}
    return found
