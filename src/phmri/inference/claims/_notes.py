"""What must be said beside an answer."""

from collections import Counter

import numpy as np

from phmri.exceptions import DesignError
from phmri.group import ORDERED, Estimate, UnitDesign, effect_size_interval
from phmri.inference._records import InferenceResult, Outcomes
from phmri.inference.claims._wording import format_interval
from phmri.inference.tails._enough import enough
from phmri.protocol import Inference

__all__ = ["counted", "notes_beside"]

DOUBTED = (
    "p random field and q topological of clusters, on which the answer does not rest: {doubt}"
)
SHARED = {
    "mixed": "the two variances that all arms and sessions share",
    "mmrm": "one covariance of the sessions for all arms",
    "clda": "one covariance of the sessions for all arms",
}
"""What models of all sessions take to be alike between arms."""
UNEVEN = 1.5
"""Ratio of the compared arms' sizes from which the claim says what that may do to p."""


def counted(result: InferenceResult, settings: Inference) -> bool:
    """Tell whether p-values are counts of shufflings, which can be no smaller than one of them.

    Parameters
    ----------
    result : InferenceResult
        As `infer` gives it.
    settings : Inference
        That it was made with.

    Returns
    -------
    bool
        False where nothing was shuffled, or the tail of the maxima was fitted.
    """
    return result.n_permutations > 0 and (settings.tail == "counts" or result.exhaustive)


def notes_beside(
    design: UnitDesign,
    estimate: Estimate,
    result: InferenceResult,
    outcomes: Outcomes,
    settings: Inference,
    *,
    errors: str = "model",
) -> tuple[str, ...]:
    """Say what follows from the design, the shufflings and the choice of outcomes.

    Parameters
    ----------
    design : UnitDesign
        Rows, model and contrast.
    estimate : Estimate
        Of the contrast in every outcome.
    result : InferenceResult
        p-values of the same outcomes.
    outcomes : Outcomes
        What the outcomes are.
    settings : Inference
        That the result was made with.
    errors : str, default "model"
        Standard errors of the question; others than the model's need no common variance.

    Returns
    -------
    tuple of str
        Sentences for the notes of a claim.
    """
    shuffled = result.n_permutations > 0
    notes = [
        *_held_notes(design, result, settings, errors=errors),
        *(_uneven_notes(design, settings, shuffled=shuffled) if errors == "model" else ()),
    ]
    if shuffled and not np.isfinite(result.threshold):
        notes.append(
            f"With {result.n_permutations:,} shufflings no statistic, however large, can reach "
            f"p = {settings.alpha:g}: read the interval, not the verdict."
        )
    if counted(result, settings) and settings.stop_after is None:
        least = float(result.pvalue_corrected.min())
        settled = enough(
            least,
            result.n_permutations,
            settings.alpha,
            settings.confidence,
            exhaustive=result.exhaustive,
        )
        if not settled.decided:
            notes.append(settled.sentence)
    if shuffled and result.random_field is not None:
        notes += [DOUBTED.format(doubt=doubt) for doubt in result.random_field.doubts]
    if outcomes.kind == "scalar":
        notes.extend(_scalar_notes(design, estimate, result, settings))
    else:
        notes.append(
            "Estimates at listed outcomes were chosen for their height and are biased away from "
            "zero; their intervals are pointwise."
        )
    return tuple(notes)


def _uneven_notes(design: UnitDesign, settings: Inference, *, shuffled: bool) -> list[str]:
    """Say what unequal variances do to p when the compared arms differ in size."""
    moved = zip(design.groups, design.exchangeability.fixed, strict=True)
    counts = sorted(Counter(group for group, fixed in moved if not fixed).items())
    parallel = design.estimator in {"ancova", "change", "post"}
    if not parallel or len(counts) != 2:  # noqa: PLR2004 - two arms
        return []
    (_, fewer), (_, more) = sorted(counts, key=lambda item: item[1])
    if more < UNEVEN * fewer:
        return []
    numbers = " and ".join(f"{n} participants of {arm}" for arm, n in counts)
    if settings.statistic == "v":
        if not shuffled:
            return []
        signs = design.exchangeability.kind != "permute"
        cure = (
            "flipping signs keeps p-values right for errors that are symmetric about zero"
            if signs
            else "a variance per arm makes p-values less too small where the smaller arm varies "
            "more, but does not make them right; `shuffle: sign_flip` does, for errors that are "
            "symmetric about zero"
        )
        return [f"{numbers} were compared: {cure}."]
    return [
        (
            f"{numbers} were compared: if the smaller arm varies more than the larger one, "
            "p-values are too small, and if it varies less, too large; `statistic: v` lessens "
            "that."
        )
    ]


def _held_notes(
    design: UnitDesign, result: InferenceResult, settings: Inference, *, errors: str
) -> list[str]:
    """Say what a variance that arms share means when arms beside the compared ones lend to it."""
    held = _held(design)
    if not held or settings.statistic == "v" or design.estimator in ORDERED:
        return []
    verb, where = ("varies" if len(held) == 1 else "vary"), ", ".join(held)
    if errors != "model":
        said = (
            f"d rests on one residual variance of all arms: it is too large where {where} {verb} "
            "less than the compared arms, too small where more."
        )
        return [said]
    shared = SHARED.get(design.estimator, "one residual variance of all arms")
    shuffled = result.n_permutations > 0
    numbers = [
        *(() if shuffled else ("p-value",)),
        *("interval", "d"),
        *(("q-value",) if result.statistic.size > 1 else ()),
    ]
    what = f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    said = (
        f"{what[:1].upper() if shuffled else what[:1]}{what[1:]} rest on {shared}: they are too "
        f"sure where {where} {verb} less than the compared arms, not sure enough where more."
    )
    return [f"{said} p-values by shuffling hold either way." if shuffled else said]


def _held(design: UnitDesign) -> list[str]:
    """List the arms of a model none of whose means is compared, in any session."""
    compared = np.any(np.atleast_2d(design.contrast) != 0, axis=0)
    arms: dict[str, bool] = {}
    for name, in_contrast in zip(design.columns, compared.tolist(), strict=True):
        if name.startswith("arm:"):
            arm = name.split(":")[1]
            arms[arm] = arms.get(arm, False) or in_contrast
    return [arm for arm, in_contrast in arms.items() if not in_contrast]


def _scalar_notes(
    design: UnitDesign, estimate: Estimate, result: InferenceResult, settings: Inference
) -> list[str]:
    if design.estimator in ORDERED:  # neither has a standard deviation
        return []
    notes = []
    deviation = (
        "the standard deviation of a within-person difference"
        if design.estimator in {"crossover", "paired", "periods"}
        else "the residual standard deviation of the model"
    )
    try:
        low, high = effect_size_interval(estimate, settings.confidence)
    except DesignError:
        notes.append(f"Standardised effect d = 0, in units of {deviation}.")
    else:
        text = format_interval(float(estimate.d[0]), low, high, settings.confidence)
        notes.append(f"Standardised effect d = {text}, in units of {deviation}.")
    if (result.pvalue_uncorrected[0] <= settings.alpha) != (
        result.pvalue_parametric[0] <= settings.alpha
    ):
        notes.append(
            "The p-value rests on shuffling and the interval on the t distribution; here they "
            "fall on different sides of alpha."
        )
    return notes
