"""Cumulative logit model with proportional odds."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from phmri.exceptions import DesignError, Problem
from phmri.group.ranks._check import score_problems
from phmri.group.ranks._records import ProportionalOdds

__all__ = ["proportional_odds"]

N_STEPS = 100
N_HALVINGS = 40
ENOUGH = 1e-20
"""Newton decrement, squared, at which the maximum is found: twice the log likelihood to gain."""
SEPARATED = 50.0
"""Standard error of a log odds ratio per SD of its column that no finite maximum has."""


def proportional_odds(
    scores: Float[np.ndarray, " n_participants"],
    X: Float[np.ndarray, "n_rows n_columns"],
    columns: Sequence[str],
) -> ProportionalOdds:
    r"""Fit the odds of a higher score, for every cut through the scale alike.

    Parameters
    ----------
    scores : ndarray of shape (n_participants,)
        In points; only their order counts, every distinct score is a category.
    X : ndarray of shape (n_participants, n_columns)
        Indicators of arms, baseline and other columns; no intercept.
    columns : sequence of str
        Their names.

    Returns
    -------
    ProportionalOdds
        By maximum likelihood.

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, all scores are equal, or columns repeat
        each other or are constant.

    Notes
    -----
    :math:`\operatorname{logit} P(Y \le j \mid x) = \theta_j - x^\top\beta` [1]_. The log
    likelihood is concave, so that Newton's steps, halved where they overshoot, find its maximum.
    Without other columns, the score test of an arm is Wilcoxon's.

    References
    ----------
    .. [1] McCullagh (1980), doi:10.1111/j.2517-6161.1980.tb01109.x.
    """
    problems = _problems(scores, X, columns)
    if problems:
        raise DesignError(*problems)
    categories = np.unique(scores, return_inverse=True)[1].astype(np.int64)
    n_cuts = int(categories.max())
    upper, lower = _rows(X.astype(np.float64), categories)
    below = np.cumsum(np.bincount(categories))[:-1] / scores.size
    parameters = np.concatenate([special.logit(below), np.zeros(X.shape[1])])
    value = _log_likelihood(parameters, upper, lower, categories)
    converged = False
    for _ in range(N_STEPS):
        gradient, information = _derivatives(parameters, upper, lower, categories)
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        converged = float(gradient @ step) < ENOUGH * max(1.0, abs(value))
        if converged:
            break
        parameters, value, moved = _climb(parameters, step, value, (upper, lower, categories))
        if not moved:
            converged = float(gradient @ step) < np.sqrt(ENOUGH)
            break
    _, information = _derivatives(parameters, upper, lower, categories)
    covariance = np.linalg.pinv(information, hermitian=True)[n_cuts:, n_cuts:]
    errors = np.sqrt(np.diag(covariance)) * X.std(axis=0)
    return ProportionalOdds(
        columns=tuple(columns),
        log_odds=parameters[n_cuts:],
        covariance=covariance,
        thresholds=parameters[:n_cuts],
        minus_2_log_likelihood=-2 * value,
        converged=converged and bool(np.all((errors > 0) & (errors < SEPARATED))),
    )


Rows = tuple[
    Float[np.ndarray, "n_rows n_parameters"],
    Float[np.ndarray, "n_rows n_parameters"],
    Int[np.ndarray, " n_rows"],
]


def _rows(
    X: Float[np.ndarray, "n_rows n_columns"], categories: Int[np.ndarray, " n_rows"]
) -> tuple[Float[np.ndarray, "n_rows n_parameters"], Float[np.ndarray, "n_rows n_parameters"]]:
    """Give the rows whose products with the parameters are the cuts around each score."""
    cuts = np.arange(int(categories.max()))
    return (
        np.column_stack([categories[:, None] == cuts, -X]).astype(np.float64),
        np.column_stack([categories[:, None] - 1 == cuts, -X]).astype(np.float64),
    )


def _cuts(
    parameters: Float[np.ndarray, " n_parameters"],
    upper: Float[np.ndarray, "n_rows n_parameters"],
    lower: Float[np.ndarray, "n_rows n_parameters"],
    categories: Int[np.ndarray, " n_rows"],
) -> tuple[
    Float[np.ndarray, " n_rows"], Float[np.ndarray, " n_rows"], Float[np.ndarray, " n_rows"]
]:
    """Give the cuts above and below each score, and the probability between them."""
    a = np.where(categories == categories.max(), np.inf, upper @ parameters)
    b = np.where(categories == 0, -np.inf, lower @ parameters)
    # F(a) - F(b) without the cancellation.
    return a, b, special.expit(a) * special.expit(-b) * -np.expm1(b - a)


def _log_likelihood(
    parameters: Float[np.ndarray, " n_parameters"],
    upper: Float[np.ndarray, "n_rows n_parameters"],
    lower: Float[np.ndarray, "n_rows n_parameters"],
    categories: Int[np.ndarray, " n_rows"],
) -> float:
    """Give minus infinity where cuts are out of order."""
    probability = _cuts(parameters, upper, lower, categories)[2]
    return float(np.log(probability).sum()) if (probability > 0).all() else float("-inf")


def _derivatives(
    parameters: Float[np.ndarray, " n_parameters"],
    upper: Float[np.ndarray, "n_rows n_parameters"],
    lower: Float[np.ndarray, "n_rows n_parameters"],
    categories: Int[np.ndarray, " n_rows"],
) -> tuple[Float[np.ndarray, " n_parameters"], Float[np.ndarray, "n_parameters n_parameters"]]:
    """Give the gradient of the log likelihood and its observed information."""
    a, b, probability = _cuts(parameters, upper, lower, categories)
    density_a = special.expit(a) * special.expit(-a) / probability
    density_b = special.expit(b) * special.expit(-b) / probability
    rows = density_a[:, None] * upper - density_b[:, None] * lower
    bend_a = density_a * (special.expit(-a) - special.expit(a))
    bend_b = density_b * (special.expit(-b) - special.expit(b))
    information = rows.T @ rows - upper.T @ (bend_a[:, None] * upper)
    return rows.sum(axis=0), information + lower.T @ (bend_b[:, None] * lower)


def _climb(
    parameters: Float[np.ndarray, " n_parameters"],
    step: Float[np.ndarray, " n_parameters"],
    value: float,
    data: Rows,
) -> tuple[Float[np.ndarray, " n_parameters"], float, bool]:
    """Take the step, or the largest half of halves of it that climbs."""
    for halving in range(N_HALVINGS):
        there = parameters + step * 0.5**halving
        reached = _log_likelihood(there, *data)
        if reached > value:
            return there, reached, True
    return parameters, value, False


def _problems(
    scores: Float[np.ndarray, " n_scores"],
    X: Float[np.ndarray, "n_rows n_columns"],
    columns: Sequence[str],
) -> list[Problem]:
    """Name what keeps the model from being fitted."""
    problems = score_problems({"scores": scores, "X": X.ravel()})
    if len(X) != scores.size or X.shape[1] != len(columns):
        problems.append(
            Problem(
                what="a model matrix of another shape than scores and names",
                field="X",
                found=str(X.shape),
                expected=str((scores.size, len(columns))),
            )
        )
    if problems:
        return problems
    if np.ptp(scores) == 0:
        problems.append(Problem(what="all participants have the same score", field="scores"))
    centred = X - X.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    flat = length <= 1e-12 * np.linalg.norm(X, axis=0)
    if flat.any() or np.linalg.matrix_rank(centred / np.where(flat, 1.0, length)) < X.shape[1]:
        problems.append(
            Problem(
                what="columns that are constant or repeat each other",
                field="X",
                found=", ".join(columns),
                expected="columns that vary apart; the thresholds are the intercept",
            )
        )
    return problems
