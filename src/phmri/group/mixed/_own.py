"""The design of a block of outcomes that have columns of their own."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.group._own_columns import OwnColumns, make_own_columns
from phmri.group.mixed._moments import VisitDesign

__all__ = ["add_own_columns"]


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
    Q = design.Q
    visits = np.empty(len(Q), dtype=np.int64)
    for rows, seen in zip(design.rows, design.seen, strict=True):
        visits[rows] = seen
    own = make_own_columns(Q, visits, baseline)
    rank, n_own, n_block = own.shift.shape
    together = np.concatenate([np.broadcast_to(Q[..., None], (*Q.shape, n_block)), own.Z], axis=1)
    beside = -np.tensordot(design.contrasts, own.shift, 1)
    shared = np.broadcast_to(design.contrasts[..., None], (len(beside), rank, n_block))
    products = np.zeros((*design.products.shape[:3], rank + n_own, rank + n_own, n_block))
    products[..., :rank, :rank, :] = design.products[..., None]
    for o, (rows, seen) in enumerate(zip(design.rows, design.seen, strict=True)):
        n_members, n_seen = rows.shape
        x, z = Q[rows].reshape(n_members, -1), own.Z[rows]
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
