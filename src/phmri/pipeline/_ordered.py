"""Scores compared by their order alone: effects in words and in numbers that people know."""

import math
from dataclasses import replace

import numpy as np

from phmri.group import ORDERED, Estimate, UnitDesign, confidence_interval, standardised
from phmri.pipeline._asked import Asked
from phmri.pipeline._measure_words import question_unit
from phmri.protocol import Protocol, Question
from phmri.report import EffectMeasureContent

__all__ = ["P_OF_ORDER", "describe_effect", "effect_limits", "effect_unit", "in_deviations"]

P_OF_ORDER = {
    "rank": "The p-value comes from Student's t with Satterthwaite's degrees of freedom.",
    "ordinal": "The p-value is that of Wald's z, which with few participants finds something a "
    "little too often: in 6 to 7 % of simulated trials without an effect with 8 to 10 in each "
    "arm, at a nominal 5 %.",
}
_UNITS = {
    "rank": "probability of superiority above 0.5",
    "ordinal": "log odds ratio of a higher score",
}
_NAMES = {"rank": "Probability of superiority", "ordinal": "Odds ratio of a higher score"}
_NO_EFFECT = {"rank": 0.5, "ordinal": 1.0}
_LIMITS = {"rank": (-0.5, 0.5)}


def effect_unit(protocol: Protocol, question: Question) -> str:
    """Give the unit that a question's effect is told in.

    Parameters
    ----------
    protocol : Protocol
    question : Question

    Returns
    -------
    str
        That of the outcome, as a rule.
    """
    return _UNITS.get(question.estimator) or question_unit(protocol, question)


def effect_limits(question: Question) -> tuple[float, float]:
    """Give the least and the largest effect that there can be.

    Parameters
    ----------
    question : Question

    Returns
    -------
    tuple of float
        Infinite, as a rule.
    """
    return _LIMITS.get(question.estimator, (-math.inf, math.inf))


def in_deviations(design: UnitDesign, estimate: Estimate) -> Estimate:
    """Give an effect of the order of scores the d of distributions that would have it.

    Parameters
    ----------
    design : UnitDesign
        Of an estimator that compares the order of scores.
    estimate : Estimate

    Returns
    -------
    Estimate
    """
    match design.estimator:
        case "rank" | "ordinal":
            d = [standardised(design.estimator, effect) for effect in estimate.effect.tolist()]
            return replace(estimate, d=np.array(d))
        case _:
            return estimate


def describe_effect(asked: Asked, estimate: Estimate) -> EffectMeasureContent | None:
    """Tell the effect by the number that it is known by.

    Parameters
    ----------
    asked : Asked
    estimate : Estimate
        Of one outcome.

    Returns
    -------
    EffectMeasureContent or None
        None where the effect is a difference in the unit of its outcome.

    Notes
    -----
    The interval of a probability is cut at 0 and 1; that of an odds ratio is of its logarithm.
    """
    estimator = asked.question.estimator
    if estimator not in ORDERED:
        return None
    low, high = confidence_interval(estimate, asked.settings.confidence)
    ends = np.clip([estimate.effect[0], low[0], high[0]], *effect_limits(asked.question))
    shown = np.exp(ends) if estimator == "ordinal" else ends + _NO_EFFECT[estimator]
    value, low_end, high_end = shown.tolist()
    return EffectMeasureContent(
        name=_NAMES[estimator],
        estimate=value,
        low=low_end,
        high=high_end,
        no_effect=_NO_EFFECT[estimator],
        confidence=asked.settings.confidence,
    )
