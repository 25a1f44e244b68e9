"""Models whose p-values come from the model itself, and several contrasts of one model.

A question whose p-values come from shuffling is a `UnitDesign` and nothing else. Beside it stands
a `LongModel` where all sessions or periods are modelled together; and several contrasts of either
are fitted together where a question is about a blockade or about persistence.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.dataset import REPEATED
from phmri.exceptions import DesignError, Problem
from phmri.group import (
    ORDERED,
    Estimate,
    JointEstimate,
    UnitDesign,
    UnitTable,
    fit_ols,
    fit_ordered,
    make_unit_contrasts,
)
from phmri.pipeline._long_model import settings_of
from phmri.protocol import Parallel, Protocol, Question

__all__ = [
    "first_estimate",
    "fit_units",
    "needs_model",
    "refuse_thin_references",
    "residual_sd",
]

NOT_CONVERGED = 2
CHUNK = 4096
"""Outcomes whose own columns are held at once."""
LEAST = 2
_OWN: tuple[str, ...] = ("difference",)


def needs_model(question: Question) -> bool:
    """Tell whether p-values come from the model rather than from shuffling.

    Parameters
    ----------
    question : Question

    Returns
    -------
    bool
    """
    return question.estimator in REPEATED | ORDERED or question.errors != "model"


def refuse_thin_references(protocol: Protocol, question: Question, table: UnitTable) -> None:
    """Refuse a blockade for which an arm has too few participants, as models of sessions do.

    Parameters
    ----------
    protocol : Protocol
    question : Question
        Answered with one row per participant.
    table : UnitTable
        Those who can answer it.

    Raises
    ------
    DesignError
        With every arm of the contrast and every reference that has too few.
    """
    blocked = question.blockade
    if blocked is None or not isinstance(protocol.design, Parallel):
        return
    arms = (*question.contrast, blocked.reference, blocked.pretreated_reference)
    least = max(LEAST, protocol.exclusions.min_participants_per_group)
    problems = [
        Problem(
            what="too few participants in this arm can answer the question",
            session=question.session,
            field=arm,
            found=str(table.groups.count(arm)),
            expected=f"at least {least}",
        )
        for arm in dict.fromkeys(filter(None, arms))
        if table.groups.count(arm) < least
    ]
    if problems:
        raise DesignError(*problems)


def fit_units(
    protocol: Protocol,
    question: Question,
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
) -> JointEstimate:
    """Fit a question's contrasts with one row per participant (or period).

    Parameters
    ----------
    protocol : Protocol
    question : Question
    design : UnitDesign
    Y, baseline : ndarray of shape (n_units, n_outcomes)
        As `stack_outcomes` gives them.

    Returns
    -------
    JointEstimate
        The question's own contrast first.

    Raises
    ------
    DesignError
        The treatments of a blockade do not stand in one model.
    """
    if design.estimator in ORDERED:
        return fit_ordered(design, Y, baseline)
    if design.estimator in {"crossover", "paired"}:
        if question.blockade is not None:
            raise DesignError(
                Problem(
                    what="the treatments of a blockade do not stand in one model of two periods",
                    field="blockade",
                    found=f"estimator {question.estimator}",
                    expected="estimator mixed, which takes all sequences together",
                )
            )
        contrasts, names = np.atleast_2d(design.contrast), _OWN
    else:
        settings = settings_of(protocol, question, number=True)
        contrasts, names = make_unit_contrasts(settings, design)
    rows = slice(None) if design.present is None else design.present
    errors: Literal["model", "hc3"] = "hc3" if question.errors == "hc3" else "model"
    return fit_ols(
        Y[rows],
        design.X[rows],
        contrasts,
        names,
        errors=errors,
        baseline=None if baseline is None else baseline[rows],
    )


def first_estimate(
    joint: JointEstimate, sd: Float[np.ndarray, " n_outcomes"]
) -> tuple[Estimate, Bool[np.ndarray, " n_outcomes"]]:
    r"""Give the first contrast as an estimate of its own.

    Parameters
    ----------
    joint : JointEstimate
    sd : ndarray of shape (n_outcomes,)
        As `residual_sd` gives it.

    Returns
    -------
    Estimate
        ``d`` is the effect over the standard deviation of the residuals of least squares. Where
        nothing was fitted the effect is 0 and its standard error 1.
    ndarray of bool of shape (n_outcomes,)
        Whether the model was fitted and converged.
    """
    fitted = joint.status < NOT_CONVERGED
    se = np.sqrt(joint.covariance[:, 0, 0])
    fitted &= np.isfinite(se) & (se > 0.0)
    effect = np.where(fitted, joint.effect[0], 0.0)
    se = np.where(fitted, se, 1.0)
    return (
        Estimate(
            effect=effect,
            se=se,
            t=effect / se,
            df=np.where(fitted, joint.df[0], 1.0),
            d=effect / np.where(fitted & (sd > 0.0), sd, 1.0),
        ),
        fitted,
    )


def residual_sd(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
    visits: Int[np.ndarray, " n_rows"] | None = None,
) -> Float[np.ndarray, " n_outcomes"]:
    """Give the residual standard deviation of least squares, with the rows that have data.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row has no data.
    X : ndarray of shape (n_rows, n_columns)
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        A further column of every outcome.
    visits : ndarray of int of shape (n_rows,), optional
        The baseline has a slope in each of these; else one in all.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        0 where no degree of freedom is left.
    """
    has = np.isfinite(Y)
    own = []
    if baseline is not None:
        every = np.zeros(len(Y)) if visits is None else visits
        own = [(every == visit)[:, None] for visit in np.unique(every)]
    sd = np.zeros(Y.shape[1])
    patterns, member = np.unique(np.packbits(has, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero(member.ravel() == number)
        rows = has[:, columns[0]]
        free = int(rows.sum()) - X.shape[1] - len(own)
        if free < 1:
            continue
        Q = np.linalg.qr(X[rows])[0]
        for start in range(0, len(columns), CHUNK):
            chunk = columns[start : start + CHUNK]
            cells = np.ix_(rows, chunk)
            left = _without(Q, Y[cells])
            if baseline is not None:
                before = baseline[cells]
                further = np.stack([_without(Q, before * at[rows]) for at in own])
                U = np.linalg.qr(further.transpose(2, 1, 0))[0]
                along = np.einsum("vij,iv->vj", U, left)
                left -= np.einsum("vij,vj->iv", U, along)
            sd[chunk] = np.sqrt((left**2).sum(axis=0) / free)
    return sd


def _without(
    Q: Float[np.ndarray, "n_held n_columns"], values: Float[np.ndarray, "n_held n_chunk"]
) -> Float[np.ndarray, "n_held n_chunk"]:
    """Take what the columns of a model hold out of some numbers."""
    left: Float[np.ndarray, "n_held n_chunk"] = values - Q @ (Q.T @ values)
    return left
