r"""Columns that every outcome has of its own beside a basis that all share.

The slope of each outcome's own baseline in each visit. With :math:`Q` the shared basis, an
outcome's columns :math:`z_j` become orthonormal beside it, :math:`\tilde z_j = (z_j - Qa_j -
\sum_{i<j}r_{ij}\tilde z_i)/r_{jj} = Zc_j - Qs_j`. The model :math:`Q\gamma + \tilde Z\delta` has
the coefficients :math:`\gamma - S\delta` on :math:`Q`, so that :math:`L` there is
:math:`[L, -LS]` here.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.group._partition import VANISHING

__all__ = ["OwnColumns", "make_own_columns"]

PASSES = 2
"""Projections after which nothing of the other columns is left but rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnColumns:
    r"""Columns of a block of outcomes.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_own, n_block)
        Orthonormal, to the shared basis too.
    shift : ndarray of shape (rank, n_own, n_block)
        :math:`S`.
    log_determinant : ndarray of shape (n_block,)
        :math:`2\sum_j\log r_{jj}`.
    told : ndarray of shape (n_block,)
        The columns differ from the others; without this nothing else has a meaning.
    """

    Z: Float[np.ndarray, "n_rows n_own n_block"]
    shift: Float[np.ndarray, "rank n_own n_block"]
    log_determinant: Float[np.ndarray, " n_block"]
    told: Bool[np.ndarray, " n_block"]


def make_own_columns(
    Q: Float[np.ndarray, "n_rows rank"],
    visits: Int[np.ndarray, " n_rows"],
    baseline: Float[np.ndarray, "n_rows n_block"],
) -> OwnColumns:
    """Give every outcome of a block a slope of its baseline in each visit.

    Parameters
    ----------
    Q : ndarray of shape (n_rows, rank)
        Orthonormal basis that all outcomes share.
    visits : ndarray of int of shape (n_rows,)
        Of the rows.
    baseline : ndarray of shape (n_rows, n_block)
        Finite.

    Returns
    -------
    OwnColumns
        One per visit that a row has.
    """
    n_block, came = baseline.shape[1], np.unique(visits)
    Z = np.empty((len(Q), len(came), n_block))
    shift = np.empty((Q.shape[1], len(came), n_block))
    log_determinant, told = np.zeros(n_block), np.ones(n_block, dtype=bool)
    # Any column that nothing holds stands for one that is none, lest the rest should overflow.
    filling = np.cos(np.arange(1.0, len(Q) + 1.0) ** 2 / 7.0)[:, None]
    for j, visit in enumerate(came.tolist()):
        at = (visits == visit)[:, None]
        left, moved, square = _project(Q, Z[:, :j], shift[:, :j], np.where(at, baseline, 0.0))
        none = square <= VANISHING * np.einsum("iv,iv->v", baseline * at, baseline)
        if none.any():
            told &= ~none
            for part, stand_in in zip(
                (left, moved, square),
                _project(Q, Z[:, :j, none], shift[:, :j, none], np.where(at, filling, 0.0)),
                strict=True,
            ):
                part[..., none] = stand_in
        length = np.sqrt(square)
        Z[:, j], shift[:, j] = left / length, moved / length
        log_determinant += np.log(square)
    return OwnColumns(Z=Z, shift=shift, log_determinant=log_determinant, told=told)


def _project(
    Q: Float[np.ndarray, "n_rows rank"],
    before: Float[np.ndarray, "n_rows n_before n_block"],
    shift: Float[np.ndarray, "rank n_before n_block"],
    column: Float[np.ndarray, "n_rows n_any"],
) -> tuple[
    Float[np.ndarray, "n_rows n_block"],
    Float[np.ndarray, "rank n_block"],
    Float[np.ndarray, " n_block"],
]:
    """Take the shared basis and earlier columns out of a column."""
    n_block = before.shape[2]
    left = np.repeat(column, n_block // column.shape[1], axis=1)
    moved = np.zeros((Q.shape[1], n_block))
    for _ in range(PASSES):
        along = Q.T @ left
        left -= Q @ along
        ratio = np.einsum("isv,iv->sv", before, left)
        left -= np.einsum("isv,sv->iv", before, ratio)
        moved += along - np.einsum("rsv,sv->rv", shift, ratio)
    return left, moved, np.einsum("iv,iv->v", left, left)
