"""What is wrong with a model for the run at hand, all at once."""

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import Problem
from phmri.firstlevel.infusion._bins import bin_edges, bin_index, scan_end
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

__all__ = ["find_problems"]

_NO_VARIATION = 1e-9  # of the largest value: rounding
_ROUNDING_MIN = 1e-9


def find_problems(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    drift: Drift,
    exposure: Float[np.ndarray, " n_exposure"] | None,
    *,
    min_baseline_volumes: int,
    used: Bool[np.ndarray, " n_volumes"],
) -> list[Problem]:
    """List what keeps a model from being fitted to a run.

    Parameters
    ----------
    model : InfusionModel
    times_min : ndarray of shape (n_volumes,)
        Minutes from time zero.
    drift : Drift
    exposure : ndarray of shape (n_volumes,) or None
        ng/mL.
    min_baseline_volumes : int
        Least number of volumes before time zero that are used.
    used : ndarray of bool of shape (n_volumes,)
        False where a volume is removed or censored.

    Returns
    -------
    list of Problem
        Empty where nothing is wrong.
    """
    if times_min.size < 2 or not (np.isfinite(times_min).all() and (np.diff(times_min) > 0).all()):  # noqa: PLR2004  a distance
        return [Problem(what="volume times are not finite and rising", field="times_min")]
    problems = _check_scan(model, times_min, drift, min_baseline_volumes, used)
    problems += _check_exposure(model, times_min, exposure)
    end = scan_end(times_min)
    if isinstance(model, Pseudoblock):
        problems += _check_pseudoblock(model, times_min, end)
    elif isinstance(model, ResponseFamily):
        problems += _check_family(model, end)
    else:
        problems += _check_curve(model, end)
    return problems + _check_bins(model, times_min, drift, end, used)


def _check_scan(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    drift: Drift,
    min_baseline_volumes: int,
    used: Bool[np.ndarray, " n_volumes"],
) -> list[Problem]:
    problems = []
    earliest = -np.inf
    if isinstance(model, Pseudoblock) and model.baseline_min is not None:
        earliest = -model.baseline_min
    early = (times_min < 0.0) & (times_min >= earliest)
    before = int((early & used).sum())
    censored = "" if used[early].all() else f" of {early.sum()}, the others censored or removed"
    least = max(min_baseline_volumes, drift.order + 2 if drift.extrapolated else 1)
    if before < least:
        problems.append(
            Problem(
                what="too few volumes before time zero for a baseline",
                field="min_baseline_volumes",
                found=f"{before}{censored} (the scan begins at {times_min[0]:.4g} min)",
                expected=f"{least} or more",
            )
        )
    if times_min[-1] < 0.0:
        problems.append(
            Problem(
                what="the scan ends before the infusion begins",
                found=f"last volume at {times_min[-1]:.4g} min",
            )
        )
    if drift.order < 0:
        problems.append(
            Problem(what="a negative order", field="drift.order", found=f"{drift.order}")
        )
    return problems


def _check_exposure(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    exposure: Float[np.ndarray, " n_exposure"] | None,
) -> list[Problem]:
    if not isinstance(model, Exposure):
        unused = Problem(what=f"the model {model.kind} uses no exposure", field="exposure")
        return [] if exposure is None else [unused]
    what, found = "", None
    if exposure is None:
        what = "the model needs the exposure at every volume"
    elif exposure.size != times_min.size:
        what = "exposure and volumes differ in number"
        found = f"{exposure.size} and {times_min.size}"
    elif not np.isfinite(exposure).all():
        what = "exposure has values that are not finite"
        found = f"{int((~np.isfinite(exposure)).sum())} of {exposure.size}"
    elif (exposure < 0.0).any():
        what = "exposure is negative"
        found = f"{float(exposure.min()):.4g} ng/mL"
    elif np.ptp(exposure) <= _NO_VARIATION * exposure.max():
        what = "exposure does not vary within the scan"
        found = f"{float(exposure[0]):.4g} ng/mL throughout"
    problems = [Problem(what=what, field="exposure", found=found)] if what else []
    if model.peak_ng_ml is not None and not model.peak_ng_ml > 0.0:
        problems.append(_not_positive("peak_ng_ml", model.peak_ng_ml))
    return problems


def _not_positive(field: str, value: float) -> Problem:
    return Problem(
        what="a value that must be positive is not",
        field=field,
        found=f"{value:g}",
        expected="> 0",
    )


def _check_pseudoblock(
    model: Pseudoblock, times_min: Float[np.ndarray, " n_volumes"], end: float
) -> list[Problem]:
    problems = []
    begin = float(times_min[0] - (end - times_min[-1]))
    baseline = -begin if model.baseline_min is None else model.baseline_min
    if not baseline > 0.0 or baseline > -begin + 1e-9:
        problems.append(
            Problem(
                what="the baseline does not lie within the scan before time zero",
                field="baseline_min",
                found=f"{baseline:.4g} min",
                expected=f"more than 0, at most {max(-begin, 0.0):.4g}",
            )
        )
    elif model.bin_s > 60.0 * baseline * (1.0 + 1e-9):
        problems.append(
            Problem(
                what="bins are longer than the baseline",
                field="bin_s",
                found=f"{model.bin_s:g} s",
                expected=f"at most {60.0 * baseline:.4g} s",
            )
        )
    if model.window_min is not None:
        start, stop = model.window_min
        if not 0.0 <= start < stop <= end + _ROUNDING_MIN:
            problems.append(_outside("window_min", start, stop, end))
    return problems


def _outside(field: str, start: float, stop: float, end: float) -> Problem:
    return Problem(
        what="the window does not lie within the scan after time zero",
        field=field,
        found=f"{start:g} to {stop:g} min",
        expected=f"within 0 and {end:.4g}, its end after its beginning",
    )


def _check_curve(model: Exposure | Step | Ramp | GammaVariate, end: float) -> list[Problem]:
    if isinstance(model, Exposure):
        return []
    problems = []
    if not 0.0 <= model.onset_min < end:
        problems.append(
            Problem(
                what="the onset does not lie within the scan after time zero",
                field="onset_min",
                found=f"{model.onset_min:g} min",
                expected=f"0 to {end:.4g}",
            )
        )
    later = {}
    if isinstance(model, Ramp):
        later = {"end_min": model.end_min}
    elif isinstance(model, GammaVariate):
        later = {"peak_min": model.peak_min}
        if not model.shape > 0.0:
            problems.append(_not_positive("shape", model.shape))
    # What is reached after the scan would be extrapolated: the measure is the height there.
    problems += [
        _outside(name, model.onset_min, value, end)
        for name, value in later.items()
        if 0.0 <= model.onset_min < min(value, end) and value > end + _ROUNDING_MIN
    ]
    problems += [
        Problem(
            what="the response lasts no time: it ends before it begins",
            field=name,
            found=f"{value:g} min, onset {model.onset_min:g}",
        )
        for name, value in later.items()
        if not value > model.onset_min
    ]
    return problems


def _check_family(model: ResponseFamily, end: float) -> list[Problem]:
    problems = [
        Problem(
            what="a range that is no range",
            field=name,
            found=f"{low:g} to {high:g}",
            expected=f"least {least}, then greatest",
        )
        for name, (low, high), least, good in (
            ("onset_min", model.onset_min, "0 or more", model.onset_min[0] >= 0.0),
            ("delay_min", model.delay_min, "above 0", model.delay_min[0] > 0.0),
            ("shape", model.shape, "above 0", model.shape[0] > 0.0),
        )
        if not (good and low <= high)
    ]
    if not model.onset_min[1] < end:
        problems.append(
            Problem(
                what="curves begin after the scan",
                field="onset_min",
                found=f"{model.onset_min[1]:g} min",
                expected=f"before {end:.4g}",
            )
        )
    if not 0.0 < model.explained <= 1.0:
        problems.append(
            Problem(
                what="not a share",
                field="explained",
                found=f"{model.explained:g}",
                expected="0 to 1",
            )
        )
    if model.n_components is not None and model.n_components < 1:
        problems.append(_not_positive("n_components", model.n_components))
    return problems


def _check_bins(
    model: InfusionModel,
    times_min: Float[np.ndarray, " n_volumes"],
    drift: Drift,
    end: float,
    used: Bool[np.ndarray, " n_volumes"],
) -> list[Problem]:
    own = isinstance(model, Pseudoblock | ResponseFamily)
    bin_s = model.bin_s if isinstance(model, Pseudoblock | ResponseFamily) else drift.bin_s
    if not own and not drift.extrapolated:
        return []
    if not (np.isfinite(bin_s) and bin_s > 0.0):
        return [_not_positive("bin_s", bin_s)]
    if end <= 0.0:
        return []
    edges, _ = bin_edges(end, bin_s / 60.0)
    volumes = np.bincount(bin_index(times_min[used], edges) + 1, minlength=edges.size)[1:]
    least = drift.order + 1 if drift.extrapolated else 1
    return [
        Problem(
            what="a bin has too few volumes" if n else "a bin has no volume",
            field=f"bin {k + 1} ({edges[k]:.4g} to {edges[k + 1]:.4g} min)",
            found=f"{n}",
            expected=f"{least} or more",
        )
        for k, n in enumerate(volumes.tolist())
        if n < least
    ]
