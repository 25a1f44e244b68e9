"""The algebra that estimation and permutation share: contrast, nuisance, voxelwise baseline."""

import numpy as np
from jaxtyping import Float

from phmri.group._records import AdjustedOutcomes, ContrastPartition, UnitDesign

__all__ = ["adjust_outcomes", "partition_contrast"]

VANISHING = 1e-24
"""Squared length, relative to the squared length before projection, that counts as zero."""


def partition_contrast(design: UnitDesign) -> ContrastPartition:
    r"""Split a design into its contrast and everything else.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.

    Returns
    -------
    ContrastPartition
        Regressor of the contrast and orthonormal nuisance; one column per row of a contrast of
        several. Rows without data are 0 in both, but not in the labels.

    Notes
    -----
    :math:`X\beta = x\,(C\beta) + X N g` with :math:`x = XC^\top(CC^\top)^{+}` and :math:`N` an
    orthonormal basis of the null space of :math:`C` [1]_.

    References
    ----------
    .. [1] Winkler et al. (2014), Permutation inference for the general linear model,
       doi:10.1016/j.neuroimage.2014.01.060, section "Model partitioning".
    """
    C = np.atleast_2d(design.contrast)
    labels = design.X @ (C.T @ np.linalg.pinv(C @ C.T))
    if design.contrast.ndim == 1:
        labels = labels[:, 0]
    _, _, rows = np.linalg.svd(C)
    X, x = design.X, labels
    if design.present is not None:
        X, x = np.zeros_like(X), np.zeros_like(x)
        X[design.present], x[design.present] = design.X[design.present], labels[design.present]
    nuisance, _ = np.linalg.qr(X @ rows[np.linalg.matrix_rank(C) :].T)
    n_fitted = len(X) if design.present is None else int(design.present.sum())
    return ContrastPartition(
        regressor=x - nuisance @ (nuisance.T @ x),
        nuisance=nuisance,
        labels=labels,
        df=float(n_fitted - X.shape[1] - design.voxelwise_baseline),
    )


def adjust_outcomes(
    partition: ContrastPartition,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None = None,
) -> AdjustedOutcomes:
    """Take nuisance and voxelwise baseline out of the outcomes, in float64.

    Parameters
    ----------
    partition : ContrastPartition
        Contrast and nuisance of the design.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcome of every unit, as `make_outcome` gives it.
    baseline : ndarray of shape (n_units, n_outcomes), optional
        Each unit's own baseline where the design has one.

    Returns
    -------
    AdjustedOutcomes
        Residuals under the null hypothesis.
    """
    Q, r = partition.nuisance, partition.regressor
    residual, before, after = _project(Q, Y)
    degenerate = after <= VANISHING * before
    length = float(r @ r)
    if baseline is None:
        return AdjustedOutcomes(
            residual=residual,
            baseline=None,
            overlap=None,
            information=np.full(Y.shape[1], length),
            degenerate=degenerate,
        )
    unit, before, after = _project(Q, baseline)
    flat = after <= VANISHING * before
    unit /= np.sqrt(np.where(flat, 1.0, after))
    residual -= unit * np.einsum("ij,ij->j", unit, residual)
    overlap = r @ unit
    information = length - overlap**2
    return AdjustedOutcomes(
        residual=residual,
        baseline=unit,
        overlap=overlap,
        information=information,
        degenerate=degenerate | flat | (information <= 1e-12 * length),
    )


def _project(
    Q: Float[np.ndarray, "n_units k"], Y: Float[np.ndarray, "n_units n_outcomes"]
) -> tuple[
    Float[np.ndarray, "n_units n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
]:
    """Give what is left of the columns, and their squared lengths before and after."""
    left = Y.astype(np.float64)
    before = np.einsum("ij,ij->j", left, left)
    left -= Q @ (Q.T @ left)
    return left, before, np.einsum("ij,ij->j", left, left)
