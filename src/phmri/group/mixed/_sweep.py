"""Inverses of many small matrices at once."""

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["invert", "solve"]

VANISHING = 1e-13
"""Conditional variance, relative to the variance, that counts as zero."""


def invert(
    A: Float[np.ndarray, "size size n_block"],
) -> tuple[
    Float[np.ndarray, "size size n_block"],
    Float[np.ndarray, " n_block"],
    Bool[np.ndarray, " n_block"],
]:
    """Invert symmetric matrices that should be positive definite.

    Parameters
    ----------
    A : ndarray of shape (size, size, n_block)
        One matrix per outcome, outcomes last, so that every step is one operation on all.

    Returns
    -------
    inverse : ndarray of shape (size, size, n_block)
        Finite, but without meaning where the matrix is not positive definite.
    log_determinant : ndarray of shape (n_block,)
        Likewise.
    positive : ndarray of shape (n_block,)
        The matrix is positive definite.

    Notes
    -----
    Gauss-Jordan sweeps without exchange of rows; the pivots are the squared Cholesky pivots.
    """
    inverse = A.copy()
    log_determinant = np.zeros(A.shape[-1])
    positive = np.ones(A.shape[-1], dtype=bool)
    for j in range(len(A)):
        pivot = inverse[j, j].copy()
        good = pivot > VANISHING * np.abs(A[j, j])
        if not good.all():
            # An identity in its place, lest garbage should overflow.
            positive &= good
            inverse[..., ~good] = np.eye(len(A))[..., None]
            pivot[~good] = 1.0
        log_determinant += np.log(pivot)
        row = inverse[j] / pivot
        column = inverse[:, j].copy()
        inverse -= column[:, None] * row
        inverse[j] = row
        inverse[:, j] = -column / pivot
        inverse[j, j] = 1.0 / pivot
    return inverse, log_determinant, positive


def solve(
    inverse: Float[np.ndarray, "size size n_block"], b: Float[np.ndarray, "size n_block"]
) -> Float[np.ndarray, "size n_block"]:
    """Multiply each vector by its matrix.

    Parameters
    ----------
    inverse : ndarray of shape (size, size, n_block)
        As `invert` gives it.
    b : ndarray of shape (size, n_block)
        One vector per outcome.

    Returns
    -------
    ndarray of shape (size, n_block)
        The products.
    """
    product: Float[np.ndarray, "size n_block"] = np.einsum("ijv,jv->iv", inverse, b)
    return product
