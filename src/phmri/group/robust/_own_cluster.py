r"""Errors clustered by participant where every outcome has columns of its own.

As in `_cluster`, but the leverage of a participant, :math:`H_{ii} = Q_iQ_i^\top + Z_iZ_i^\top`,
differs between outcomes, and with it the adjustment and the degrees of freedom. With
:math:`g_i` the adjusted weights of a participant, :math:`d_i = g_i^\top g_i` and
:math:`u_i = [Q_i, Z_i]^\top g_i`, the covariance of scores under independent errors is
:math:`P = \mathrm{diag}(d) - uu^\top`, whose two moments need no matrix of participants.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.group._own_columns import OwnColumns, make_own_columns
from phmri.group._partition import VANISHING
from phmri.group.robust._model import SINGULAR, LinearModel, has_no_error

__all__ = ["Fitted", "fit_own_clusters"]

Fitted = tuple[
    Float[np.ndarray, "n_contrasts n_block"],
    Float[np.ndarray, "n_block n_contrasts n_contrasts"],
    Float[np.ndarray, "n_contrasts n_block"],
    Bool[np.ndarray, " n_block"],
]
"""Effects, their covariance, degrees of freedom, and outcomes that cannot be answered."""


def fit_own_clusters(
    linear: LinearModel,
    subjects: Int[np.ndarray, " n_rows"],
    visits: Int[np.ndarray, " n_rows"],
    Y: Float[np.ndarray, "n_rows n_block"],
    baseline: Float[np.ndarray, "n_rows n_block"],
) -> Fitted:
    """Fit a block of outcomes with the correction CR2.

    Parameters
    ----------
    linear : LinearModel
        Of the columns that all share.
    subjects, visits : ndarray of int of shape (n_rows,)
        Whose row it is, and of which visit.
    Y, baseline : ndarray of shape (n_rows, n_block)
        Finite; the baseline has a slope in each visit.

    Returns
    -------
    tuple
        Effects, covariance, degrees of freedom, and which failed.
    """
    Q = linear.basis
    own = make_own_columns(Q, visits, baseline)
    beside = np.tensordot(linear.weights @ Q, own.shift, 1)
    weights = linear.weights[..., None] - np.einsum("csv,isv->civ", beside, own.Z)
    residual = Y - Q @ (Q.T @ Y)
    residual -= np.einsum("isv,sv->iv", own.Z, np.einsum("isv,iv->sv", own.Z, residual))
    effect = np.einsum("civ,iv->cv", weights, Y)
    k, n_block = effect.shape
    covariance = np.zeros((n_block, k, k))
    total, square = np.zeros((k, n_block)), np.zeros((k, n_block))
    rank = Q.shape[1] + own.Z.shape[1]
    together = np.zeros((k, rank, rank, n_block))
    for rows in _of_one_size(subjects):
        g = _adjust(Q, own, weights, rows)
        score = np.einsum("cmiv,miv->cmv", g, residual[rows])
        covariance += np.einsum("amv,bmv->vab", score, score)
        d = np.einsum("cmiv,cmiv->cmv", g, g)
        u = np.concatenate(
            [
                np.einsum("mir,cmiv->cmrv", Q[rows], g),
                np.einsum("misv,cmiv->cmsv", own.Z[rows], g),
            ],
            axis=2,
        )
        length = np.einsum("cmrv,cmrv->cmv", u, u)
        total += (d - length).sum(axis=1)
        square += (d * (d - 2.0 * length)).sum(axis=1)
        together += np.einsum("cmrv,cmsv->crsv", u, u)
    apart = square + np.einsum("crsv,crsv->cv", together, together)
    usable = (apart > 0.0) & (total > 0.0)
    df = np.where(usable, total**2 / np.where(usable, apart, 1.0), np.nan)
    failed = ~own.told | ~usable.all(axis=0) | has_no_error(residual, Y)
    size = np.einsum("civ,civ->cv", weights, weights) * (Y**2).max(axis=0)
    rounding = np.einsum("vcc->cv", covariance) <= VANISHING * size
    return effect, covariance, df, failed | rounding.any(axis=0)


def _of_one_size(subjects: Int[np.ndarray, " n_rows"]) -> Iterator[Int[np.ndarray, "m size"]]:
    """Give the rows of participants who have as many."""
    _, clusters, sizes = np.unique(subjects, return_inverse=True, return_counts=True)
    order = np.argsort(clusters.ravel(), kind="stable")
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes).tolist():
        yield order[starts[sizes == size][:, None] + np.arange(size)]


def _adjust(
    Q: Float[np.ndarray, "n_rows rank"],
    own: OwnColumns,
    weights: Float[np.ndarray, "n_contrasts n_rows n_block"],
    rows: Int[np.ndarray, "m size"],
) -> Float[np.ndarray, "n_contrasts m size n_block"]:
    """Multiply the weights of each participant by the inverse root of I - H."""
    x, z = Q[rows], own.Z[rows]
    free = np.eye(rows.shape[1]) - x @ x.transpose(0, 2, 1)
    value, vector = np.linalg.eigh(free[:, None] - np.einsum("misv,mjsv->mvij", z, z))
    power = np.where(value > SINGULAR, np.maximum(value, SINGULAR), np.inf) ** -0.5
    root = np.einsum("mvia,mva,mvja->mijv", vector, power, vector, optimize=True)
    adjusted: Float[np.ndarray, "n_contrasts m size n_block"]
    adjusted = np.einsum("mijv,cmjv->cmiv", root, weights[:, rows])
    return adjusted
