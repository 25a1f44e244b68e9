r"""Columns that every outcome has of its own: the slope of its baseline in each visit.

With :math:`Q` the basis that all outcomes share, an outcome's own columns :math:`z_j` become
orthonormal beside it, :math:`\tilde z_j = (z_j - Qa_j - \sum_{i<j}r_{ij}\tilde z_i)/r_{jj}
= Zc_j - Qs_j`. The model :math:`Q\gamma + \tilde Z\delta` has the coefficients
:math:`\gamma - S\delta` on :math:`Q`, so that :math:`L` there is :math:`[L, -LS]` here.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.group._partition import VANISHING
from phmri.group.mixed._moments import VisitDesign

__all__ = ["OwnColumns", "add_own_columns"]

PASSES = 2
"""Projections after which nothing of the other columns is left but rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnColumns:
    r"""What the columns of a block of outcomes add to the shared basis.

    Parameters
    ----------
    shift : ndarray of shape (rank, n_own, n_block)
        :math:`S`, of the shared basis alone.
    log_determinant : ndarray of shape (n_block,)
        :math:`2\sum_j\log r_{jj}`.
    told : ndarray of shape (n_block,)
        The columns differ from the others; without this nothing else has a meaning.
    """

    shift: Float[np.ndarray, "rank n_own n_block"]
    log_determinant: Float[np.ndarray, " n_block"]
    told: Bool[np.ndarray, " n_block"]


def add_own_columns(
    design: VisitDesign, baseline: Float[np.ndarray, "n_rows n_block"]
) -> tuple[VisitDesign, OwnColumns]:
    """Give every outcome of a block a slope of its baseline in each visit.

    Parameters
    ----------
    design : VisitDesign
        Of the columns that all outcomes share.
    baseline : ndarray of shape (n_rows, n_block)
        Finite.

    Returns
    -------
    design : VisitDesign
        With these columns; ``Q``, ``contrasts`` and ``products`` have an axis of outcomes.
    own : OwnColumns
        How the coefficients of the shared basis follow.
    """
    Z, own = _orthonormal(design, baseline)
    Q = design.Q
    rank, n_own = own.shift.shape[:2]
    n_block = baseline.shape[1]
    together = np.concatenate([np.broadcast_to(Q[..., None], (*Q.shape, n_block)), Z], axis=1)
    beside = -np.tensordot(design.contrasts, own.shift, 1)
    shared = np.broadcast_to(design.contrasts[..., None], (len(beside), rank, n_block))
    products = np.zeros((*design.products.shape[:3], rank + n_own, rank + n_own, n_block))
    products[..., :rank, :rank, :] = design.products[..., None]
    for o, (rows, seen) in enumerate(zip(design.rows, design.seen, strict=True)):
        n_members, n_seen = rows.shape
        x, z = Q[rows].reshape(n_members, -1), Z[rows]
        crossed = (x.T @ z.reshape(n_members, -1)).reshape(n_seen, rank, n_seen, n_own, n_block)
        pair = np.ix_(seen, seen)
        whole = products[o][pair]
        whole[:, :, :rank, rank:] = crossed.transpose(0, 2, 1, 3, 4)
        whole[:, :, rank:, :rank] = crossed.transpose(2, 0, 3, 1, 4)
        whole[:, :, rank:, rank:] = np.einsum("iasv,ibtv->abstv", z, z)
        products[o][pair] = whole
    widened = replace(
        design,
        Q=together,
        contrasts=np.concatenate([shared, beside], axis=1),
        products=products,
    )
    return widened, own


def _orthonormal(
    design: VisitDesign, baseline: Float[np.ndarray, "n_rows n_block"]
) -> tuple[Float[np.ndarray, "n_rows n_own n_block"], OwnColumns]:
    Q = design.Q
    n_block = baseline.shape[1]
    visit_of = np.empty(len(Q), dtype=int)
    for rows, seen in zip(design.rows, design.seen, strict=True):
        visit_of[rows] = seen
    came = np.unique(visit_of)
    Z = np.empty((len(Q), len(came), n_block))
    shift = np.empty((Q.shape[1], len(came), n_block))
    log_determinant, told = np.zeros(n_block), np.ones(n_block, dtype=bool)
    # Any column that nothing holds stands for one that is none, lest the rest should overflow.
    filling = np.cos(np.arange(1.0, len(Q) + 1.0) ** 2 / 7.0)[:, None]
    for j, visit in enumerate(came.tolist()):
        at = (visit_of == visit)[:, None]
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
    return Z, OwnColumns(shift=shift, log_determinant=log_determinant, told=told)


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
