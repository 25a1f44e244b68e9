"""What a model leaves of its outcomes."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem
from phmri.group import UnitDesign

__all__ = ["model_residuals"]

BLOCK = 4096
"""Outcomes projected at once: bounds the memory, changes no number."""


def model_residuals(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
) -> Float[np.ndarray, "n_present n_outcomes"]:
    """Give the residuals of the whole model of a design.

    Parameters
    ----------
    design : UnitDesign
        Model; rows that are not ``present`` are left out.
    Y : ndarray of shape (n_rows, n_outcomes)
        Outcome of every row.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        Each row's own baseline where the design has one.

    Returns
    -------
    ndarray of shape (n_present, n_outcomes)
        Of the type of ``Y``; computed in float64.

    Raises
    ------
    InferenceError
        When a baseline is missing or not asked for.
    """
    if design.voxelwise_baseline == (baseline is None):
        raise InferenceError(
            Problem(
                what=f"estimator {design.estimator} "
                + ("needs" if baseline is None else "does not take")
                + " a baseline image as covariate",
                field="baseline",
            )
        )
    rows = slice(None) if design.present is None else design.present
    left, size, _ = np.linalg.svd(design.X[rows], full_matrices=False)
    Q = left[:, size > size[0] * max(design.X.shape) * np.finfo(np.float64).eps]
    residual = np.array(Y[rows])
    for start in range(0, Y.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        error = _free_of(Q, residual[:, part])
        if baseline is not None:
            regressor = _free_of(Q, baseline[:, part][rows])
            length = np.einsum("ij,ij->j", regressor, regressor)
            slope = np.einsum("ij,ij->j", regressor, error)
            error -= regressor * np.divide(slope, length, out=slope, where=length > 0)
        residual[:, part] = error
    return residual


def _free_of(
    Q: Float[np.ndarray, "n_rows k"], Y: Float[np.ndarray, "n_rows n_block"]
) -> Float[np.ndarray, "n_rows n_block"]:
    left = Y.astype(np.float64)
    left -= Q @ (Q.T @ left)
    return left
