r"""Restricted likelihood of a covariance between visits, with its derivatives, by the moments.

With :math:`S_o` the inverse covariance of the visits a group came to, :math:`G_k` the derivative
of the covariance along its :math:`k`-th entry and :math:`P = V^{-1}-V^{-1}X\Phi X^\top V^{-1}`,
derivatives of -2 log likelihood are :math:`g_k = \mathrm{tr}(PG_k) - y^\top PG_kPy`; its average
information is :math:`y^\top PG_kPG_lPy`, its Hessian twice that less
:math:`\mathrm{tr}(PG_kPG_l)`, and the expectation of the Hessian that trace.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.group.mixed._moments import Moments, VisitDesign
from phmri.group.mixed._products import trace, transform, weigh
from phmri.group.mixed._sweep import invert, solve

__all__ = ["Curvature", "Point", "curvature", "evaluate", "score", "unique_entries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    r"""The likelihood at given covariances.

    Parameters
    ----------
    value : ndarray of shape (n_block,)
        -2 log restricted likelihood less :math:`\nu\log 2\\pi`.
    allowed : ndarray of shape (n_block,)
        The covariance is positive definite; without this nothing else has a meaning.
    precision : ndarray of shape (n_groups, n_visits, n_visits, n_block)
        :math:`S`.
    phi : ndarray of shape (rank, rank, n_block)
        Covariance of the fixed effects.
    shift : ndarray of shape (rank, n_block)
        Fixed effects less those of ordinary least squares.
    """

    value: Float[np.ndarray, " n_block"]
    allowed: Bool[np.ndarray, " n_block"]
    precision: Float[np.ndarray, "n_groups n_visits n_visits n_block"]
    phi: Float[np.ndarray, "rank rank n_block"]
    shift: Float[np.ndarray, "rank n_block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    r"""What the trace of the Hessian is made of.

    Parameters
    ----------
    expected : ndarray of shape (n_entries, n_entries, n_block)
        :math:`\mathrm{tr}(PG_kPG_l)`.
    slopes : ndarray of shape (n_entries, rank, rank, n_block)
        :math:`X^\top V^{-1}G_kV^{-1}X`.
    """

    expected: Float[np.ndarray, "n_entries n_entries n_block"]
    slopes: Float[np.ndarray, "n_entries rank rank n_block"]


def unique_entries(n_visits: int) -> Float[np.ndarray, "n_pairs n_entries"]:
    """Say which entries of a covariance are one parameter.

    Parameters
    ----------
    n_visits : int
        Rows of the covariance.

    Returns
    -------
    ndarray of shape (n_visits**2, n_entries)
        1 where the pair is the entry, by rows of the lower triangle.
    """
    entries = [(a, b) for a in range(n_visits) for b in range(a + 1)]
    pairs = np.zeros((n_visits, n_visits, len(entries)))
    for k, (a, b) in enumerate(entries):
        pairs[a, b, k] = pairs[b, a, k] = 1.0
    return pairs.reshape(n_visits**2, -1)


def evaluate(
    design: VisitDesign, moments: Moments, sigma: Float[np.ndarray, "n_visits n_visits n_block"]
) -> Point:
    """Evaluate the likelihood.

    Parameters
    ----------
    design : VisitDesign
        Of the rows.
    moments : Moments
        Of a block.
    sigma : ndarray of shape (n_visits, n_visits, n_block)
        Covariance between visits.

    Returns
    -------
    Point
        At these covariances.
    """
    n_groups, n_visits, _, _, n_block = moments.crossed.shape
    precision = np.zeros((n_groups, n_visits, n_visits, n_block))
    value = np.zeros(n_block)
    allowed = invert(sigma)[2]
    if not allowed.all():
        sigma = np.where(allowed, sigma, np.eye(n_visits)[..., None])
    for o, seen in enumerate(design.seen):
        pair = np.ix_(seen, seen)
        precision[o][pair], log_determinant, _ = invert(sigma[pair])
        value += design.n_members[o] * log_determinant
    phi, log_determinant, positive = invert(weigh(design.products, precision))
    b = np.einsum("oabv,oabrv->rv", precision, moments.crossed)
    shift = solve(phi, b)
    value += log_determinant - np.einsum("rv,rv->v", b, shift)
    value += np.einsum("oabv,oabv->v", precision, moments.squares)
    return Point(
        value=value, allowed=allowed & positive, precision=precision, phi=phi, shift=shift
    )


def score(
    design: VisitDesign, moments: Moments, point: Point
) -> tuple[
    Float[np.ndarray, "n_entries n_block"], Float[np.ndarray, "n_entries n_entries n_block"]
]:
    """Give the derivatives of -2 log likelihood along the entries and its average information.

    Parameters
    ----------
    design : VisitDesign
        Of the rows.
    moments : Moments
        Of a block.
    point : Point
        Where.

    Returns
    -------
    gradient : ndarray of shape (n_entries, n_block)
        First derivatives.
    average : ndarray of shape (n_entries, n_entries, n_block)
        Positive semidefinite and close to the Hessian.
    """
    S, d = point.precision, point.shift
    n_groups, n_visits, _, rank, n_block = moments.crossed.shape
    D = unique_entries(n_visits)
    left = moments.crossed - transform(design.products, d)
    # Residual products e'e - c'd - (X'r)'d, with r what the shift leaves.
    R = moments.squares - np.einsum("oabrv,rv->oabv", left, d)
    R -= np.einsum("obarv,rv->oabv", moments.crossed, d)
    H = trace(design.products, point.phi)
    inner = design.n_members @ S.reshape(n_groups, -1)
    SRS = _sandwich(S, R)
    gradient = inner.reshape(-1, n_block) - (SRS + _sandwich(S, H)).sum(0).reshape(-1, n_block)
    q = np.einsum("oiav,oabrv->oibrv", S, left)
    q = np.einsum("oibrv,objv->ijrv", q, S).reshape(n_visits**2, -1)
    q = (D.T @ q).reshape(-1, rank, n_block)
    average = _traces(S, SRS, D)
    average -= np.einsum("krv,lrv->klv", q, np.einsum("rsv,ksv->krv", point.phi, q))
    return D.T @ gradient, average


def curvature(design: VisitDesign, point: Point) -> Curvature:
    """Give the expected information, which needs the products of the design at every entry.

    Parameters
    ----------
    design : VisitDesign
        Of the rows.
    point : Point
        Where.

    Returns
    -------
    Curvature
        There.
    """
    S = point.precision
    n_visits = S.shape[1]
    D = unique_entries(n_visits)
    weights = np.einsum("oaiv,ojbv->ijoabv", S, S).reshape(n_visits**2, -1)
    slopes = weigh(design.products, (D.T @ weights).reshape(D.shape[1], *S.shape))
    H = trace(design.products, point.phi)
    spread = np.einsum("rsv,kstv->krtv", point.phi, slopes)
    expected = _traces(S, design.n_members[:, None, None, None] * S - 2.0 * _sandwich(S, H), D)
    expected += np.einsum("krsv,lsrv->klv", spread, spread)
    return Curvature(expected=expected, slopes=slopes)


def _sandwich(
    S: Float[np.ndarray, "n_groups n_visits n_visits n_block"],
    M: Float[np.ndarray, "n_groups n_visits n_visits n_block"],
) -> Float[np.ndarray, "n_groups n_visits n_visits n_block"]:
    sandwich: Float[np.ndarray, "n_groups n_visits n_visits n_block"] = np.einsum(
        "oabv,obcv->oacv", np.einsum("oabv,obcv->oacv", S, M), S
    )
    return sandwich


def _traces(
    S: Float[np.ndarray, "n_groups n_visits n_visits n_block"],
    M: Float[np.ndarray, "n_groups n_visits n_visits n_block"],
    D: Float[np.ndarray, "n_pairs n_entries"],
) -> Float[np.ndarray, "n_entries n_entries n_block"]:
    """Sum tr(G_k S G_l M) over the groups, for every pair of entries."""
    n_pairs, n_block = len(D), S.shape[-1]
    pairs = np.einsum("ojcv,odiv->ijcdv", S, M).reshape(n_pairs, -1)
    rows = (D.T @ pairs).reshape(-1, n_pairs, n_block)
    traces: Float[np.ndarray, "n_entries n_entries n_block"] = np.matmul(D.T, rows)
    return traces
