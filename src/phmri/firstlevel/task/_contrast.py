"""Contrasts between the conditions of a task, by name."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.glm import Contrast
from phmri.firstlevel.task._records import TaskDesign

__all__ = ["condition_weights", "effects_of_interest", "task_contrast"]


def condition_weights(
    conditions: Sequence[str], weights: Mapping[str, float]
) -> Float[np.ndarray, " n_conditions"]:
    """Put the weights of a contrast into the order of the conditions.

    Parameters
    ----------
    conditions : sequence of str
        Those there are.
    weights : dict of str to float
        By condition; others weigh 0.

    Returns
    -------
    ndarray of shape (n_conditions,)

    Raises
    ------
    FirstLevelError
        A condition is unknown, a weight is not finite, or all are 0; all at once.
    """
    problems = [
        Problem(
            what="a contrast names an unknown condition",
            field=name,
            found=_nearest(name, conditions),
            expected="one of " + ", ".join(conditions),
        )
        for name in weights
        if name not in conditions
    ]
    problems += [
        Problem(what="a contrast has a weight that is no number", field=name, found=str(weight))
        for name, weight in weights.items()
        if not np.isfinite(weight)
    ]
    if not any(weights.values()):
        problems.append(Problem(what="a contrast has no weight other than 0"))
    if problems:
        raise FirstLevelError(*problems)
    return np.array([float(weights.get(name, 0.0)) for name in conditions])


def _nearest(name: str, conditions: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, conditions, n=1, cutoff=0.5)
    return f"{name} (nearest: {near[0]})" if near else name


def task_contrast(
    design: TaskDesign,
    weights: Mapping[str, float],
    *,
    name: str,
    kind: Literal["t", "F"] = "t",
    n_columns: int | None = None,
) -> Contrast:
    """Weigh conditions against each other.

    Parameters
    ----------
    design : TaskDesign
    weights : dict of str to float
        By condition, or ``condition:modulator`` for a slope; e.g. ``{"two_back": 1,
        "zero_back": -1}``.
    name : str
        Of the contrast.
    kind : {"t", "F"}
        ``t``: one number, of the canonical response (derivatives weigh 0) or of the mean over
        the bins of a finite impulse response. ``F``: one row per basis function, so that any
        difference in size or shape counts.
    n_columns : int, optional
        Columns of the whole design, of which the task's are the first; the others weigh 0.
        The task's alone where left out.

    Returns
    -------
    Contrast

    Notes
    -----
    `FirstLevelError` tells that a condition is unknown (with the nearest name there is), a
    weight not finite, or every weight 0; all at once.
    """
    names = list(design.condition_columns)
    ordered = condition_weights(names, weights)
    places = np.array([design.condition_columns[label] for label in names])
    n_basis = places.shape[1]
    rows = np.zeros((n_basis, len(design.columns) if n_columns is None else n_columns))
    for k in range(n_basis):
        rows[k, places[:, k]] = ordered
    if kind == "t":
        rows = rows.mean(axis=0, keepdims=True) if design.hrf == "fir" else rows[:1]
    return Contrast(name=name, weights=rows)


def effects_of_interest(
    design: TaskDesign, *, name: str, n_columns: int | None = None
) -> Contrast:
    """Ask whether the task explains anything: an F over all of its columns.

    Parameters
    ----------
    design : TaskDesign
    name : str
        Of the contrast.
    n_columns : int, optional
        Columns of the whole design, of which the task's are the first.

    Returns
    -------
    Contrast
    """
    own = len(design.columns)
    return Contrast(name=name, weights=np.eye(own, own if n_columns is None else n_columns))
