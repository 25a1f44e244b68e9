"""One question's data, tested."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.inference import InferenceResult, Space, Volume, infer, make_edge_graph, region_pairs
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._left_out import leave_out_constant
from phmri.pipeline._loading import LoadedOutcomes, load_outcomes
from phmri.pipeline._shuffle import KeptState
from phmri.pipeline._stack import stack_outcomes
from phmri.protocol import Inference

__all__ = ["Tested", "space_of", "test_question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A question's data and what inference made of them.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    Y, baseline : ndarray of shape (n_units, n_outcomes)
        As `stack_outcomes` gives them.
    searched : ndarray of bool of shape (n_outcomes,) or None
        The outcomes asked about, where the result is of more than these.
    result : InferenceResult
    """

    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_units n_outcomes"]
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None
    searched: Bool[np.ndarray, " n_outcomes"] | None
    result: InferenceResult


def test_question(inputs: GroupInputs, asked: Asked, state: KeptState | None) -> Tested:
    """Load the outcomes of a question and test them.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    state : KeptState or None
        What was shuffled before; nothing is kept or resumed without.

    Returns
    -------
    Tested
    """
    question, settings, design = asked.question, asked.settings, asked.design
    region = inputs.regions.get(question.where.mean_of or question.where.within or "")
    # Random fields need the smoothness of the whole map, also to search a small volume.
    narrowed = settings.method == "random_field" and question.where.within is not None
    outcomes = load_outcomes(
        inputs.protocol,
        question,
        asked.units.runs,
        None if narrowed else region,
        min_coverage=settings.min_coverage,
    )
    outcomes = leave_out_constant(outcomes)
    searched = None
    if narrowed and region is not None and outcomes.mask is not None:
        inside = np.zeros(outcomes.mask.size, dtype=bool)
        inside[region.voxels] = True
        searched = inside[outcomes.mask.ravel()]
    Y, baseline = stack_outcomes(design, outcomes)
    result = infer(
        design,
        Y,
        baseline,
        settings,
        alternative=question.alternative,
        space=space_of(outcomes, settings),
        searched=searched,
        n_threads=inputs.n_threads,
        on_batch=None if state is None else state.keep,
        resume=None if state is None else state.read(),
    )
    return Tested(outcomes=outcomes, Y=Y, baseline=baseline, searched=searched, result=result)


def space_of(outcomes: LoadedOutcomes, settings: Inference) -> Space | None:
    """Say where outcomes lie beside each other.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    settings : Inference

    Returns
    -------
    Volume or Graph or None
        Voxels of a mask, or edges that share a region.
    """
    if outcomes.kind == "map" and outcomes.mask is not None:
        return Volume(mask=outcomes.mask, connectivity=settings.connectivity)
    if outcomes.kind == "edges":
        return make_edge_graph(region_pairs(outcomes.names))
    return None
