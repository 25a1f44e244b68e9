r"""What a marginal model needs of design and data: sums over participants with the same visits.

For the participants who came to the visits :math:`o`, with rows :math:`x_{ia}` of the basis and
residuals :math:`e_{ia}` of ordinary least squares,

.. math:: C_{oab} = \sum_i x_{ia}x_{ib}^\top,\quad c_{oab} = \sum_i x_{ia}e_{ib},\quad
   s_{oab} = \sum_i e_{ia}e_{ib},

so that no step of a fit goes through the rows again. Visits that a group did not come to are 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.group.mixed._basis import Basis
from phmri.group.mixed._sweep import invert

__all__ = ["Moments", "VisitDesign", "make_moments", "make_visit_design", "starting_covariance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitDesign:
    """What outcomes with the same rows share.

    Parameters
    ----------
    Q : ndarray of shape (n_rows, rank[, n_block])
        Orthonormal basis of the fixed effects; with an axis of outcomes where these have columns
        of their own.
    contrasts : ndarray of shape (n_contrasts, rank[, n_block])
        The contrasts in it.
    rows : tuple of ndarray of shape (n_members, n_seen)
        Rows of the participants of each group.
    seen : tuple of ndarray of shape (n_seen,)
        Visits that each group came to.
    n_members : ndarray of shape (n_groups,)
        Participants of each.
    products : ndarray of shape (n_groups, n_visits, n_visits, rank, rank[, n_block])
        :math:`C`.
    """

    Q: Float[np.ndarray, "n_rows rank *n_block"]
    contrasts: Float[np.ndarray, "n_contrasts rank *n_block"]
    rows: tuple[np.ndarray, ...]
    seen: tuple[np.ndarray, ...]
    n_members: Float[np.ndarray, " n_groups"]
    products: Float[np.ndarray, "n_groups n_visits n_visits rank rank *n_block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums of a block of outcomes.

    Parameters
    ----------
    crossed : ndarray of shape (n_groups, n_visits, n_visits, rank, n_block)
        :math:`c`.
    squares : ndarray of shape (n_groups, n_visits, n_visits, n_block)
        :math:`s`.
    """

    crossed: Float[np.ndarray, "n_groups n_visits n_visits rank n_block"]
    squares: Float[np.ndarray, "n_groups n_visits n_visits n_block"]


def make_visit_design(
    basis: Basis, subjects: np.ndarray, visits: np.ndarray, n_visits: int
) -> VisitDesign:
    """Sort participants by the visits they came to.

    Parameters
    ----------
    basis : Basis
        Fixed effects.
    subjects, visits : ndarray of int of shape (n_rows,)
        Whose row it is, of which visit, from 0.
    n_visits : int
        Visits of the trial.

    Returns
    -------
    VisitDesign
        Shared by all outcomes of the pattern.
    """
    _, member = np.unique(subjects, return_inverse=True)
    place = np.full((int(member.max()) + 1, n_visits), -1)
    place[member, visits] = np.arange(len(visits))
    kinds, kind = np.unique(place >= 0, axis=0, return_inverse=True)
    rank = basis.Q.shape[1]
    products = np.zeros((len(kinds), n_visits, n_visits, rank, rank))
    rows, seen = [], []
    for o, came in enumerate(kinds):
        rows.append(place[kind.ravel() == o][:, came])
        seen.append(np.flatnonzero(came))
        x = basis.Q[rows[o]]
        products[o][np.ix_(came, came)] = np.einsum("iar,ibs->abrs", x, x, optimize=True)
    return VisitDesign(
        Q=basis.Q,
        contrasts=basis.contrasts,
        rows=tuple(rows),
        seen=tuple(seen),
        n_members=np.array([len(members) for members in rows], dtype=float),
        products=products,
    )


def make_moments(design: VisitDesign, error: Float[np.ndarray, "n_rows n_block"]) -> Moments:
    """Sum a block of outcomes.

    Parameters
    ----------
    design : VisitDesign
        Of their rows.
    error : ndarray of shape (n_rows, n_block)
        Residuals of ordinary least squares.

    Returns
    -------
    Moments
        Of the block.
    """
    n_groups, n_visits, _, rank = design.products.shape[:4]
    n_block = error.shape[1]
    crossed = np.zeros((n_groups, n_visits, n_visits, rank, n_block))
    squares = np.zeros((n_groups, n_visits, n_visits, n_block))
    for o, (rows, seen) in enumerate(zip(design.rows, design.seen, strict=True)):
        x, e = design.Q[rows], error[rows]
        pair = np.ix_(seen, seen)
        if x.ndim > e.ndim:
            crossed[o][pair] = np.einsum("iarv,ibv->abrv", x, e)
        else:
            sums = x.reshape(len(rows), -1).T @ e.reshape(len(rows), -1)
            sums = sums.reshape(len(seen), rank, len(seen), n_block)
            crossed[o][pair] = sums.swapaxes(1, 2)
        squares[o][pair] = np.einsum("iav,ibv->abv", e, e)
    return Moments(crossed=crossed, squares=squares)


def starting_covariance(
    design: VisitDesign, moments: Moments
) -> Float[np.ndarray, "n_visits n_visits n_block"]:
    """Guess the covariance of visits from ordinary residuals.

    Parameters
    ----------
    design : VisitDesign
        Of the rows.
    moments : Moments
        Of a block.

    Returns
    -------
    ndarray of shape (n_visits, n_visits, n_block)
        Positive definite: variances of visits and covariances of pairs, shrunk where needed.
    """
    n_visits = moments.squares.shape[1]
    came = np.zeros((len(design.seen), n_visits))
    for o, seen in enumerate(design.seen):
        came[o, seen] = 1.0
    pairs = np.maximum(np.einsum("o,oa,ob->ab", design.n_members, came, came), 1.0)
    n_rows, rank = design.Q.shape[:2]
    start: Float[np.ndarray, "n_visits n_visits n_block"] = (
        moments.squares.sum(axis=0) / pairs[..., None] * (n_rows / (n_rows - rank))
    )
    diagonal = np.arange(n_visits)
    variance = start[diagonal, diagonal]
    start[diagonal, diagonal] = np.maximum(variance, 1e-3 * variance.mean(axis=0))
    wrong = ~invert(start)[2]
    if wrong.any():
        # Pairs from different participants need not make a covariance; a dominant diagonal does.
        sd = np.sqrt(start[diagonal, diagonal][:, wrong])
        largest = np.abs(start[..., wrong] / (sd[:, None] * sd))
        largest[diagonal, diagonal] = 0.0
        shrink = 0.9 / (n_visits - 1) / np.maximum(largest.max(axis=(0, 1)), 1.0)
        start[..., wrong] *= shrink
        start[diagonal[:, None], diagonal[:, None], np.flatnonzero(wrong)] = sd**2
    return start
