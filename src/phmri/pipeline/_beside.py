"""What stands beside an answer and decides nothing: other denoisings, motion, physiology."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy.stats
from jaxtyping import Float

from phmri.group import Estimate, UnitDesign, fit_covered
from phmri.inference import Claim, match_estimate
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun
from phmri.pipeline._stack import stack_outcomes
from phmri.pipeline._tested import test_question
from phmri.report import NuisanceContent, VariantContent

__all__ = ["other_denoisings", "test_nuisance"]

_LEAST = 3
"""Rows beyond the columns of the model that a difference is told from."""


def _interval_at(
    estimate: Estimate, index: int, confidence: float
) -> tuple[float, float, float, float]:
    """Give one outcome's effect with interval and two-sided p."""
    df = float(np.broadcast_to(estimate.df, estimate.effect.shape)[index])
    effect, se = float(estimate.effect[index]), float(estimate.se[index])
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, df)) * se
    pvalue = float(2 * scipy.stats.t.sf(abs(float(estimate.t[index])), df))
    return effect, effect - reach, effect + reach, pvalue


def _same_place(outcomes: LoadedOutcomes, index: int, other: LoadedOutcomes) -> int | None:
    """Find an outcome of one data set in another of the same grid or names."""
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
        effect, low, high, pvalue = _interval_at(estimate, 0, confidence)
        if np.isfinite([effect, low, high, pvalue]).all():
            rows.append(
                NuisanceContent(
                    name=name, effect=effect, ci_low=low, ci_high=high, pvalue=pvalue, n=n
                )
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
    n_columns = np.linalg.matrix_rank(design.X) + design.voxelwise_baseline
    if present.sum() < n_columns + _LEAST or np.ptp(Y[present, 0]) == 0:
        return None
    return fit_covered(design, Y, baseline, np.ones(1, dtype=bool)), int(present.sum())


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
    effect, low, high, pvalue = _interval_at(estimate, own.index, asked.settings.confidence)
    rows = [
        VariantContent(
            denoising=inputs.protocol.measures[question.measure].denoising,
            effect=effect,
            ci_low=low,
            ci_high=high,
            pvalue=pvalue,
            least_pvalue=own.pvalue_corrected,
            n_found=claim.n_significant,
            n_outcomes=claim.n_outcomes,
        )
    ]
    return (*rows, *(_variant(inputs, asked, name, own.index, outcomes) for name in others))


def _variant(
    inputs: GroupInputs, asked: Asked, denoising: str, index: int, outcomes: LoadedOutcomes
) -> VariantContent:
    other = replace(asked, question=asked.question.model_copy(update={"denoising": denoising}))
    tested = test_question(inputs, other, None)
    result = tested.result
    corrected = result.pvalue_corrected
    searched = result.tested if tested.searched is None else result.tested & tested.searched
    estimate = match_estimate(
        fit_covered(asked.design, tested.Y, tested.baseline, result.tested), result
    )
    place = _same_place(outcomes, index, tested.outcomes)
    values: tuple[float | None, ...] = (None,) * 4
    if place is not None and result.tested[place]:
        values = _interval_at(estimate, place, asked.settings.confidence)
    return VariantContent(
        denoising=denoising,
        effect=values[0],
        ci_low=values[1],
        ci_high=values[2],
        pvalue=values[3],
        least_pvalue=float(corrected[searched].min()),
        n_found=int((corrected[searched] <= asked.settings.alpha).sum()),
        n_outcomes=int(searched.sum()),
    )
