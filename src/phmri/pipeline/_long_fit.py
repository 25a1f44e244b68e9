"""The outcomes of a model of all sessions or periods: laid out as its rows, and fitted."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from phmri.group import JointEstimate, fit_long_design
from phmri.pipeline._long_model import LongModel, Visit
from phmri.protocol import Question

__all__ = ["fit_long", "own_baselines", "rows_of"]


def rows_of(
    model: LongModel,
    at_hand: Sequence[tuple[str, Visit]],
    stack: Float[np.ndarray, "n_sources n_outcomes"],
) -> Float[np.ndarray, "n_rows n_outcomes"]:
    """Lay outcomes out as the rows of a model.

    Parameters
    ----------
    model : LongModel
    at_hand : sequence of (participant, visit)
        Of every row of ``stack``.
    stack : ndarray of shape (n_sources, n_outcomes)

    Returns
    -------
    ndarray of shape (n_rows, n_outcomes)
        float64.
    """
    places = {cell: row for row, cell in enumerate(at_hand)}
    wanted = [
        places[model.table.subjects[row], model.table.sessions[row]]
        for row in model.design.rows.tolist()
    ]
    return stack[wanted].astype(np.float64)


def own_baselines(
    question: Question,
    model: LongModel,
    at_hand: Sequence[tuple[str, Visit]],
    stack: Float[np.ndarray, "n_sources n_outcomes"],
) -> Float[np.ndarray, "n_rows n_outcomes"] | None:
    """Lay out the baseline image of each row's participant.

    Parameters
    ----------
    question : Question
    model : LongModel
    at_hand : sequence of (participant, visit)
        Of every row of ``stack``.
    stack : ndarray of shape (n_sources, n_outcomes)

    Returns
    -------
    ndarray of shape (n_rows, n_outcomes) or None
        As `rows_of` has its rows, of the type of ``stack``; None where the model takes none.
    """
    if not model.design.voxelwise_baseline:
        return None
    before = {who: row for row, (who, visit) in enumerate(at_hand) if visit == question.baseline}
    return stack[[before[model.table.subjects[row]] for row in model.design.rows.tolist()]]


def fit_long(
    question: Question,
    model: LongModel,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
    *,
    n_threads: int,
) -> JointEstimate:
    """Fit a model of all sessions or periods.

    Parameters
    ----------
    question : Question
    model : LongModel
    Y : ndarray of shape (n_rows, n_outcomes)
        As `rows_of` gives it; NaN where a row has no data.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        As `own_baselines` gives it; finite where ``Y`` is.
    n_threads : int

    Returns
    -------
    JointEstimate
        The question's own contrast first.
    """
    return fit_long_design(
        model.design,
        Y,
        baseline=baseline,
        errors="cr2" if question.errors == "cr2" else "model",
        df_method=question.degrees_of_freedom,
        n_threads=n_threads,
    )
