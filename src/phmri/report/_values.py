"""The values of a question's participants: those that its model uses, and the others."""

import math

import numpy as np
from scipy import stats

from phmri.report._records import QuestionContent

__all__ = ["Values", "counted_values", "floor_of", "mean_interval", "unused_values"]

Values = dict[tuple[str, str], float]
"""The outcome of a participant in a session."""

_FLOOR_SHARE, _FLOOR_COUNT = 0.1, 3
"""Of all values: how many must be the least one before it is called a floor."""


def _split(question: QuestionContent) -> tuple[Values, Values]:
    values = {key: value for key, value in question.values.items() if math.isfinite(value)}
    if question.used is None:
        return values, {}
    people = {subject for subject, _ in question.used}
    sessions = {session for _, session in question.used}
    counted = {
        (subject, session): value
        for (subject, session), value in values.items()
        if (subject, session) in question.used
        # A session that the model uses of nobody is drawn of those it knows from others.
        or (subject in people and session not in sessions)
    }
    return counted, {key: value for key, value in values.items() if key not in counted}


def counted_values(question: QuestionContent) -> Values:
    """Give the values that are counted and averaged.

    Parameters
    ----------
    question : QuestionContent

    Returns
    -------
    dict of (subject, session) to float
        Finite ones that the model uses, and those of the same participants in sessions that it
        does not look at.
    """
    return _split(question)[0]


def unused_values(question: QuestionContent) -> Values:
    """Give the values that the model leaves out.

    Parameters
    ----------
    question : QuestionContent

    Returns
    -------
    dict of (subject, session) to float
        Finite ones.
    """
    return _split(question)[1]


def floor_of(question: QuestionContent) -> float | None:
    """Find the least value, where so many have it that a scale seems to end there.

    Parameters
    ----------
    question : QuestionContent

    Returns
    -------
    float or None
        None where few have it.
    """
    values = list(counted_values(question).values())
    least = min(values, default=math.nan)
    count = values.count(least)
    return least if count >= max(_FLOOR_COUNT, _FLOOR_SHARE * len(values)) else None


def mean_interval(values: list[float], confidence: float) -> tuple[float, float, float]:
    """Compute a mean and its Student interval.

    Parameters
    ----------
    values : list of float
    confidence : float

    Returns
    -------
    mean, low, high : float
        The interval is NaN for fewer than two values, the mean for none.
    """
    if not values:
        return math.nan, math.nan, math.nan
    mean = float(np.mean(values))
    if len(values) == 1:
        return mean, math.nan, math.nan
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * error
    return mean, mean - half, mean + half
