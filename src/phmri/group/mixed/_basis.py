r"""An orthonormal basis of the fixed effects that the rows at hand can tell apart.

With :math:`X = QR` every quantity of the model :math:`X\beta` follows from that of
:math:`Q\gamma`: :math:`\beta = R^{+}\gamma`, :math:`L\beta = (LR^{+})\gamma` for estimable
:math:`L`, and :math:`\log|X^\top V^{-1}X| = \log|Q^\top V^{-1}Q| + 2\log|R|`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["Basis", "independent_rows", "make_basis"]

RANK_TOLERANCE = 1e-9
"""Singular value, relative to the largest, of columns of length 1, that counts as zero."""
ESTIMABLE = 1e-7
"""Part of a contrast outside the row space, relative to its length, that counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    r"""Fixed effects of one missingness pattern.

    Parameters
    ----------
    Q : ndarray of shape (n_rows, rank)
        Orthonormal columns.
    back : ndarray of shape (n_coefficients, rank)
        From the basis to the coefficients of X; NaN where X has not full rank.
    contrasts : ndarray of shape (n_contrasts, rank)
        The contrasts in the basis.
    log_determinant : float
        :math:`2\log|R|`, over the columns kept.
    """

    Q: Float[np.ndarray, "n_rows rank"]
    back: Float[np.ndarray, "n_coefficients rank"]
    contrasts: Float[np.ndarray, "n_contrasts rank"]
    log_determinant: float


def make_basis(
    X: Float[np.ndarray, "n_rows n_coefficients"],
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"],
) -> Basis | None:
    """Find the basis.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_coefficients)
        The model at the rows at hand.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts of its coefficients.

    Returns
    -------
    Basis or None
        None where the rows do not hold every contrast, or leave no residual.
    """
    length = np.linalg.norm(X, axis=0)
    length[length == 0.0] = 1.0
    if not len(X):
        return None
    U, singular, Vt = np.linalg.svd(X / length, full_matrices=False)
    rank = int((singular > RANK_TOLERANCE * singular[0]).sum())
    U, singular, Vt = U[:, :rank], singular[:rank], Vt[:rank]
    scaled = contrasts / length
    outside = np.linalg.norm(scaled - scaled @ Vt.T @ Vt, axis=1)
    if rank == len(X) or not rank or (outside > ESTIMABLE * np.linalg.norm(scaled, axis=1)).any():
        return None
    full = rank == X.shape[1]
    return Basis(
        Q=U,
        back=Vt.T / singular / length[:, None] if full else np.full((X.shape[1], rank), np.nan),
        contrasts=scaled @ Vt.T / singular,
        log_determinant=2.0 * float(np.log(singular).sum() + full * np.log(length).sum()),
    )


def independent_rows(contrasts: Float[np.ndarray, "n_contrasts n_coefficients"]) -> list[int]:
    """Keep the contrasts that those before them do not hold.

    Parameters
    ----------
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts.

    Returns
    -------
    list of int
        Places of the rows kept.
    """
    kept: list[int] = []
    for row in range(len(contrasts)):
        if np.linalg.matrix_rank(contrasts[[*kept, row]]) == len(kept) + 1:
            kept.append(row)
    return kept
