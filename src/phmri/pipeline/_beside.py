"""What stands beside an answer and decides nothing: other denoisings, motion, physiology."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
import scipy.stats
from jaxtyping import Float

from phmri.exceptions import DesignError, InferenceError
from phmri.group import Estimate, UnitDesign, fit_covered
from phmri.inference import Claim, InferenceResult, correct_jointly
from phmri.pipeline._asked import Asked, GroupInputs, ask, corrected_with, question_folder
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun
from phmri.pipeline._shuffle import KeptState
from phmri.pipeline._sound import refuse_altered
from phmri.pipeline._stack import stack_outcomes
from phmri.pipeline._tested import test_question
from phmri.report import NuisanceContent, VariantContent

__all__ = ["interval_at", "other_denoisings", "same_place", "test_nuisance"]

_LEAST = 3
"""Rows beyond the columns of the model that a difference is told from."""


def interval_at(estimate: Estimate, index: int, confidence: float) -> tuple[float, float, float]:
    """Give one outcome's effect with its interval.

    Parameters
    ----------
    estimate : Estimate
    index : int
    confidence : float

    Returns
    -------
    tuple of float
        Effect, lower and upper end.
    """
    effect, se = float(estimate.effect[index]), float(estimate.se[index])
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, _df_at(estimate, index))) * se
    return effect, effect - reach, effect + reach


def _df_at(estimate: Estimate, index: int) -> float:
    return float(np.broadcast_to(estimate.df, estimate.effect.shape)[index])


def same_place(outcomes: LoadedOutcomes, index: int, other: LoadedOutcomes) -> int | None:
    """Find an outcome of one data set in another of the same grid or names.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    index : int
    other : LoadedOutcomes

    Returns
    -------
    int or None
        None where the other lacks it.
    """
    if outcomes.weights is not None or outcomes.mask is None or other.mask is None:
        name = outcomes.names[index]
        return other.names.index(name) if name in other.names else None
    voxel = np.flatnonzero(outcomes.mask)[index]
    places = np.flatnonzero(other.mask)
    found = int(np.searchsorted(places, voxel))
    return found if found < places.size and places[found] == voxel else None


def test_nuisance(
    design: UnitDesign, runs: Mapping[str, Sequence[MeasuredRun]], confidence: float
) -> tuple[NuisanceContent, ...]:
    """Test by a question's model whether motion, global signal or physiology differ.

    Parameters
    ----------
    design : UnitDesign
        Of the question.
    runs : mapping of str to sequence of MeasuredRun
        Per role, as the question uses them.
    confidence : float

    Returns
    -------
    tuple of NuisanceContent
        Of what enough runs have and what varies among them.
    """
    everyone = [run for members in runs.values() for run in members]
    names = sorted(
        {name for run in everyone for name in run.manifest.nuisance},
        key=lambda name: (", response" in name, name),
    )
    rows = []
    for name in names:
        found = _test(design, runs, name)
        if found is None:
            continue
        estimate, n = found
        effect, low, high = interval_at(estimate, 0, confidence)
        tail = scipy.stats.t.sf(abs(float(estimate.t[0])), _df_at(estimate, 0))
        pvalue = max(float(2 * tail), np.finfo(float).tiny)  # no p is 0
        rows.append(
            NuisanceContent(name=name, effect=effect, ci_low=low, ci_high=high, pvalue=pvalue, n=n)
        )
    return tuple(rows)


def _test(
    design: UnitDesign, runs: Mapping[str, Sequence[MeasuredRun]], name: str
) -> tuple[Estimate, int] | None:
    images: dict[str, Float[np.ndarray, "n_units 1"]] = {
        role: np.array([[run.manifest.nuisance.get(name, np.nan)] for run in members])
        for role, members in runs.items()
    }
    scalar = LoadedOutcomes(
        kind="scalar", images=images, names=(name,), mask=None, affine=None, weights=None, note=""
    )
    Y, baseline = stack_outcomes(design, scalar)
    present = np.isfinite(Y[:, 0])
    X = design.X[present]
    kept = X.any(axis=0)  # without the columns of people and arms that lack it
    n_columns = int(kept.sum()) + design.voxelwise_baseline
    if len(X) < n_columns + _LEAST or design.contrast[~kept].any():
        return None
    if np.linalg.matrix_rank(X[:, kept]) < kept.sum():
        return None
    columns = tuple(compress(design.columns, kept))
    smaller = replace(
        design, X=design.X[:, kept], columns=columns, contrast=design.contrast[kept], dealt=None
    )
    try:
        estimate = fit_covered(smaller, Y, baseline, np.ones(1, dtype=bool))
    except DesignError:  # the same in everyone, or in everyone of an arm
        return None
    return estimate, len(set(compress(design.subjects, present)))


def other_denoisings(
    inputs: GroupInputs,
    asked: Asked,
    claim: Claim,
    outcomes: LoadedOutcomes,
    estimate: Estimate,
) -> tuple[VariantContent, ...]:
    """Answer a question with the other denoisings of its measure, for comparison.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    claim : Claim
        The question's own answer.
    outcomes : LoadedOutcomes
        That the claim speaks of.
    estimate : Estimate
        Of the same outcomes.

    Returns
    -------
    tuple of VariantContent
        The question's own denoising first; empty where there is no other.
    """
    question = asked.question
    others = inputs.protocol.measures[question.measure].sensitivity
    if question.denoising is not None or not others or not claim.peaks:
        return ()
    own = claim.peaks[0]
    effect, low, high = interval_at(estimate, own.index, asked.settings.confidence)
    first = VariantContent(
        denoising=inputs.protocol.measures[question.measure].denoising,
        effect=effect,
        ci_low=low,
        ci_high=high,
        pvalue=own.pvalue_uncorrected,
        least_pvalue=own.pvalue_corrected,
        n_found=claim.n_significant,
        n_outcomes=claim.n_outcomes,
    )
    return (first, *(_variant(inputs, asked, name, own.index, outcomes) for name in others))


def _variant(
    inputs: GroupInputs, asked: Asked, denoising: str, index: int, outcomes: LoadedOutcomes
) -> VariantContent:
    other = replace(asked, question=asked.question.model_copy(update={"denoising": denoising}))
    runs = [run for members in asked.units.runs.values() for run in members]
    measured = [(run.job, run.manifest) for run in runs if isinstance(run, MeasuredRun)]
    refuse_altered(measured, other.question)
    try:
        tested = test_question(inputs, other, None)
    except (DesignError, InferenceError):  # none of its data can be tested: the answer stands
        return VariantContent(
            denoising=denoising,
            effect=None,
            ci_low=None,
            ci_high=None,
            pvalue=None,
            least_pvalue=1.0,
            n_found=0,
            n_outcomes=0,
        )
    result = tested.result
    searched = result.tested if tested.searched is None else result.tested & tested.searched
    corrected = _corrected(inputs, asked, result)[searched]
    place = same_place(outcomes, index, tested.outcomes)
    values: tuple[float | None, ...] = (None,) * 4
    if place is not None and result.tested[place]:
        effect, low, high = interval_at(tested.estimate, place, asked.settings.confidence)
        values = effect, low, high, float(result.pvalue_uncorrected[place])
    return VariantContent(
        denoising=denoising,
        effect=values[0],
        ci_low=values[1],
        ci_high=values[2],
        pvalue=values[3],
        least_pvalue=float(corrected.min(initial=1.0)),
        n_found=int((corrected <= asked.settings.alpha).sum()),
        n_outcomes=corrected.size,
    )


def _corrected(
    inputs: GroupInputs, asked: Asked, result: InferenceResult
) -> Float[np.ndarray, " n_outcomes"]:
    """Give corrected p-values, over the family where the answer's own are."""
    method = result.method
    tests, keys = {asked.name: result.tests[method]}, {asked.name: result.shufflings_key}
    for member in corrected_with(inputs.protocol, asked.name):
        if member != asked.name:
            # Shuffled for the answer already, and kept until the family is answered.
            state = KeptState(question_folder(inputs, member), lambda n_done: None)
            other = test_question(inputs, ask(inputs, member), state).result
            tests[member], keys[member] = other.tests[method], other.shufflings_key
    if len(tests) == 1:
        return result.pvalue_corrected
    alternative, alpha = asked.question.alternative, asked.settings.alpha
    return correct_jointly(tests, keys, alternative=alternative, alpha=alpha)[asked.name].pvalue
