"""Repeated measurements: what goes together within participants, and what between them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group._confidence import confidence_problems
from phmri.group.association._check import (
    codes_of,
    data_problems,
    length_problems,
    nuisance_columns,
)
from phmri.group.association._correlate import (
    Method,
    left_of_score,
    partial_correlation,
    ranked,
    within_problems,
)
from phmri.group.association._records import RepeatedCorrelation

__all__ = ["correlate_repeated", "split_within_between"]


def split_within_between(
    values: Float[np.ndarray, "n_rows ..."], participants: Sequence[str]
) -> tuple[Float[np.ndarray, "n_rows ..."], Float[np.ndarray, "n_rows ..."]]:
    r"""Split repeated measurements into participants' means and departures from them.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        One row per participant and session or period, in any unit.
    participants : sequence of str
        Participant of each row.

    Returns
    -------
    within, between : ndarray of shape (n_rows, ...)
        Departure from the participant's own mean, and that mean less the mean of all
        participants' means; both in the unit of the values.

    Raises
    ------
    DesignError
        When a length does not fit or a value is not finite.

    Notes
    -----
    :math:`x_{ij} = \bar x + (\bar x_i - \bar x) + (x_{ij} - \bar x_i)`. As covariates the two
    parts have slopes of their own, so that no slope between participants passes for one within
    them [1]_.

    References
    ----------
    .. [1] Kenward and Roger (2010), doi:10.1093/biostatistics/kxp046.
    """
    problems = [
        *data_problems({"values": values}, len(values)),
        *length_problems({"participants": len(participants)}, len(values)),
    ]
    if problems:
        raise DesignError(*problems)
    codes = codes_of(participants, len(values))
    means = _means(values, participants)
    return values - means[codes], (means - means.mean(axis=0))[codes]


def correlate_repeated(
    outcomes: Float[np.ndarray, "n_rows n_outcomes"],
    score: Float[np.ndarray, " n_scores"],
    participants: Sequence[str],
    *,
    method: Method = "pearson",
    nuisance: Float[np.ndarray, "n_others n_nuisance"] | None = None,
    groups: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> RepeatedCorrelation:
    r"""Correlate a score with every outcome over repeated sessions or periods.

    Parameters
    ----------
    outcomes : ndarray of shape (n_rows, n_outcomes)
        One row per participant and session or period, in the measure's unit.
    score : ndarray of shape (n_rows,)
        Of the same rows, in points of the scale.
    participants : sequence of str
        Participant of each row; sessions may be missing.
    method : {"pearson", "spearman"}, default "pearson"
        Spearman: within, of the ranks over all rows; between, of the ranks of the means.
    nuisance : ndarray of shape (n_rows, n_nuisance), optional
        Taken out of both: indicators of treatment and period, if what they do to score and
        outcome alike is not to count.
    groups : sequence of str, optional
        Arm of each row, the same in all rows of a participant: its means are taken out between
        participants; within them nothing of it is left.
    confidence : float, default 0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    RepeatedCorrelation
        Within and between participants; they may differ, even in sign.

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, a participant is in two groups, the score
        does not vary within or between participants beside the nuisance, too few rows or
        participants are left, or the confidence is not a probability.

    Notes
    -----
    Within: the correlation beside one mean per participant, which is repeated measures
    correlation, with :math:`N - n - k - 1` degrees of freedom [1]_: one slope for all
    participants, independent errors. Without treatment among the nuisance a drug that changes
    both in everyone makes a correlation within participants. Between: of the means, every
    participant counting once whatever the number of sessions.

    References
    ----------
    .. [1] Bakdash and Marusich (2017), doi:10.3389/fpsyg.2017.00456.
    """
    n = score.size
    lengths = {"participants": len(participants)}
    problems = [
        *data_problems({"outcomes": outcomes, "score": score, "nuisance": nuisance}, n),
        *length_problems(lengths | ({} if groups is None else {"groups": len(groups)}), n),
        *confidence_problems(confidence),
    ]
    if problems:
        raise DesignError(*problems)
    people, first = np.unique(np.asarray(participants), return_index=True)
    arms = codes_of(groups, n)
    _refuse_two_groups(participants, arms, arms[first][codes_of(participants, n)])
    mean_score, mean_outcomes = _means(score, participants), _means(outcomes, participants)
    if method == "spearman":
        score, mean_score = ranked(score), ranked(mean_score)
    mean_nuisance = None if nuisance is None else _means(nuisance, participants)
    within = nuisance_columns(codes_of(participants, n), _as_asked(nuisance, method))
    between = nuisance_columns(arms[first], _as_asked(mean_nuisance, method))
    left_within, bad_within = left_of_score(score, within)
    left_between, bad_between = left_of_score(mean_score, between)
    problems = [*within_problems(bad_within), *within_problems(bad_between, "between")]
    if problems:
        raise DesignError(*problems)
    return RepeatedCorrelation(
        within=partial_correlation(
            outcomes, left_within, within, codes=None, method=method, confidence=confidence
        ),
        between=partial_correlation(
            mean_outcomes,
            left_between,
            between,
            codes=None if groups is None else arms[first],
            method=method,
            confidence=confidence,
        ),
        n_participants=people.size,
    )


def _as_asked(
    nuisance: Float[np.ndarray, "n_rows n_nuisance"] | None, method: Method
) -> Float[np.ndarray, "n_rows n_nuisance"] | None:
    return ranked(nuisance) if nuisance is not None and method == "spearman" else nuisance


def _refuse_two_groups(
    participants: Sequence[str],
    arms: Int[np.ndarray, " n_rows"],
    first: Int[np.ndarray, " n_rows"],
) -> None:
    odd = sorted({name for name, moved in zip(participants, arms != first, strict=True) if moved})
    if odd:
        raise DesignError(
            Problem(
                what="participants in more than one group",
                field="groups",
                found=", ".join(odd),
                expected="one group in all rows of a participant",
            )
        )


def _means(
    values: Float[np.ndarray, "n_rows ..."], participants: Sequence[str]
) -> Float[np.ndarray, "n_participants ..."]:
    """Average the rows of every participant."""
    codes = codes_of(participants, len(values))
    sums = np.zeros((int(codes.max()) + 1, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums / np.bincount(codes).reshape(-1, *(1,) * (values.ndim - 1))
