"""Scores before each period of a crossover: known before anything is measured."""

from phmri.group import UnitDesign, leave_out_same_baseline
from phmri.pipeline._ratings import Rating, load_ratings, score_of
from phmri.pipeline._stack import stack_outcomes
from phmri.pipeline._units import QuestionUnits, Visit
from phmri.protocol import Question

__all__ = ["adjust_for_scores", "scores_of_periods"]


def scores_of_periods(
    question: Question, units: QuestionUnits
) -> dict[tuple[str, Visit], float] | None:
    """Give the baseline scores of those who answer a question.

    Parameters
    ----------
    question : Question
    units : QuestionUnits

    Returns
    -------
    dict of (str, int) to float, or None
        Participant and period -> score at its baseline; None where there is none to tell.
    """
    members = units.runs.get("baseline-periods", ())
    found = {
        cell: score_of(item, question.map)
        for cell, item in zip(units.visits, members, strict=bool(members))
        if isinstance(item, Rating)
    }
    return found or None


def adjust_for_scores(question: Question, units: QuestionUnits, design: UnitDesign) -> UnitDesign:
    """Leave the baselines of periods out of a model where scores at them tell nothing.

    Parameters
    ----------
    question : Question
    units : QuestionUnits
    design : UnitDesign
        Of the question.

    Returns
    -------
    UnitDesign
        The same for measures, whose baselines are not known yet.
    """
    ratings = {
        role: tuple(item for item in members if isinstance(item, Rating))
        for role, members in units.runs.items()
    }
    scored = question.period_baseline and all(ratings.values())
    if not scored or not design.voxelwise_baseline:
        return design
    _, baseline = stack_outcomes(design, load_ratings(question, ratings))
    return design if baseline is None else leave_out_same_baseline(design, baseline[:, 0])
