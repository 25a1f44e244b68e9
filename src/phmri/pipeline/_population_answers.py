"""The answer in every population that a question names, side by side."""

from collections import Counter

import numpy as np
import scipy.stats

from phmri.exceptions import DesignError, InferenceError
from phmri.group import Estimate, fit_covered
from phmri.inference import Claim, infer, match_estimate
from phmri.pipeline._asked import Asked, GroupInputs, ask
from phmri.pipeline._beside import interval_at, same_place
from phmri.pipeline._loading import LoadedOutcomes
from phmri.pipeline._models import needs_model
from phmri.pipeline._ordered import effect_limits
from phmri.pipeline._stack import stack_outcomes
from phmri.pipeline._tested import load_asked, test_model
from phmri.report import PopulationContent

__all__ = ["population_answers"]


def population_answers(
    inputs: GroupInputs,
    asked: Asked,
    claim: Claim,
    outcomes: LoadedOutcomes,
    estimate: Estimate,
) -> tuple[PopulationContent, ...]:
    """Answer a question in the other populations that it names.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
        In its own population.
    claim : Claim
    outcomes : LoadedOutcomes
        That the claim speaks of.
    estimate : Estimate
        Of the same outcomes.

    Returns
    -------
    tuple of PopulationContent
        The question's own population first; empty where it names no other.
    """
    first, *others = asked.question.populations or ("",)
    if not others or not claim.peaks:
        return ()
    index = claim.peaks[0].index
    own = _content(asked, first, estimate, index)
    return (own, *(_other(inputs, asked, name, outcomes, index) for name in others))


def _content(asked: Asked, name: str, estimate: Estimate, index: int) -> PopulationContent:
    effect, *ends = interval_at(estimate, index, asked.settings.confidence)
    low, high = np.clip(ends, *effect_limits(asked.question)).tolist()
    df = float(np.broadcast_to(estimate.df, estimate.effect.shape)[index])
    t = float(estimate.t[index])
    tail = {
        "two-sided": 2.0 * scipy.stats.t.sf(abs(t), df),
        "greater": scipy.stats.t.sf(t, df),
        "less": scipy.stats.t.cdf(t, df),
    }[asked.question.alternative]
    return PopulationContent(
        name=name,
        n_per_group=_count(asked),
        effect=effect,
        ci_low=low,
        ci_high=high,
        pvalue=max(float(tail), np.finfo(float).tiny),  # no p is 0
    )


def _count(asked: Asked) -> dict[str, int]:
    # As the claim counts them: a model may have no outcome of some who have a baseline.
    people = dict(zip(asked.design.subjects, asked.design.groups, strict=True))
    return dict(sorted(Counter(people.values()).items()))


def _other(
    inputs: GroupInputs, asked: Asked, name: str, outcomes: LoadedOutcomes, index: int
) -> PopulationContent:
    try:
        other = ask(inputs, asked.name, name)
        if needs_model(other.question):
            tested = test_model(inputs, other)
            found, estimate, usable = tested.outcomes, tested.estimate, tested.result.tested
        else:
            found = load_asked(inputs, other)
            Y, baseline = stack_outcomes(other.design, found)
            usable = np.nanmax(Y, axis=0) > np.nanmin(Y, axis=0)
            estimate = fit_covered(other.design, Y, baseline, usable)
            if other.settings.statistic == "v":  # the standard error and df of Welch
                plain = other.settings.model_copy(update={"method": "holm"})
                estimate = match_estimate(estimate, infer(other.design, Y, baseline, plain))
        place = same_place(outcomes, index, found)
        if place is not None and usable[place]:
            return _content(other, name, estimate, place)
        reason, counts = "no data at this place", _count(other)
    except (DesignError, InferenceError) as error:
        reason, counts = str(error), {}
    return PopulationContent(
        name=name,
        n_per_group=counts,
        effect=None,
        ci_low=None,
        ci_high=None,
        pvalue=None,
        reason=reason,
    )
