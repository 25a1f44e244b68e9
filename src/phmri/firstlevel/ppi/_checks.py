"""Checks and contrasts that interactions and beta series share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.task import condition_weights

__all__ = ["check_voxels", "contrast_rows"]


def contrast_rows(
    conditions: Sequence[str], contrasts: Mapping[str, Mapping[str, float]]
) -> Float[np.ndarray, "n_contrasts n_conditions"]:
    """Put the weights of named contrasts into the order of the conditions.

    Parameters
    ----------
    conditions : sequence of str
        Those there are.
    contrasts : dict of str to dict of str to float
        Weights by name of the contrast and condition.

    Returns
    -------
    ndarray of shape (n_contrasts, n_conditions)

    Raises
    ------
    FirstLevelError
        There is no contrast, a condition is unknown, a weight is not finite, or all weights of
        a contrast are 0; all at once.
    """
    rows, problems = [], []
    for name, weights in contrasts.items():
        try:
            rows.append(condition_weights(conditions, weights))
        except FirstLevelError as error:
            problems += [
                replace(problem, field=", ".join(filter(None, (name, problem.field))))
                for problem in error.problems
            ]
    if not contrasts:
        problems.append(Problem(what="no contrast between conditions is asked for"))
    if problems:
        raise FirstLevelError(*problems)
    return np.stack(rows)


def check_voxels(Y: Float[np.ndarray, "rows n_voxels"], n_volumes: int) -> None:
    """Refuse data that do not fit the run or are not finite.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        Of the run.
    n_volumes : int
        Of the design.

    Raises
    ------
    FirstLevelError
        Another number of volumes, or values that are not finite.
    """
    if Y.shape[0] != n_volumes:
        raise FirstLevelError(
            Problem(
                what="data and design are of runs of different length",
                found=f"{Y.shape[0]} volumes",
                expected=f"{n_volumes}",
            )
        )
    # A sum is not finite if one of its terms is not, and needs no array of the data's size.
    n_bad = int((~np.isfinite(Y.sum(axis=0, dtype=np.float64))).sum())
    if n_bad:
        raise FirstLevelError(
            Problem(
                what="data have values that are not finite",
                found=f"in {n_bad} voxels",
                expected="numbers",
            )
        )
