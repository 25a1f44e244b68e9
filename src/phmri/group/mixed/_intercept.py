r"""A random intercept per participant, by REML, in every outcome at once.

.. math:: y_{ij} = x_{ij}^\top\beta + b_i + e_{ij},\quad b_i\sim N(0,\sigma_b^2),\quad
   e_{ij}\sim N(0,\sigma_e^2),\qquad V = \sigma_e^2(I + \lambda ZZ^\top).

The design is shared, so the eigenvalues :math:`\xi_k` of :math:`Z` without the fixed effects are
found once, and every outcome enters by its sums of squares :math:`E_k` along them. The profile
over :math:`\sigma_e^2` is a function of :math:`\lambda\ge 0` alone,

.. math:: d(\lambda) = \nu\log\Big(R_0+\sum_k\frac{E_k}{1+\lambda\xi_k}\Big)
   + \sum_k m_k\log(1+\lambda\xi_k),

searched on a grid and then by Newton steps held between two places. Everything the fixed effects
need is a sum of products of the design over numbers of rows per participant: within participants,
and between those with :math:`n_g` rows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.group._partition import VANISHING
from phmri.group.mixed._basis import Basis
from phmri.group.mixed._profile import SpectralSums, maximise_profile, profile_terms
from phmri.group.mixed._records import BlockFit, Uncertainty
from phmri.group.mixed._sweep import invert, solve

__all__ = ["Information", "InterceptDesign", "fit_intercept_block", "make_intercept_design"]

Information = Literal["observed", "expected"]
EIGENVALUE_TOLERANCE = 1e-9
"""Difference of eigenvalues, relative to the largest, that counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptDesign:
    """What outcomes with the same rows share.

    Parameters
    ----------
    basis : Basis
        Fixed effects.
    eigenvalue, multiplicity : ndarray of shape (n_distinct,)
        Distinct eigenvalues of the participants' part without the fixed effects.
    start : ndarray of int of shape (n_distinct,)
        First row of each in ``rotation``.
    rotation : ndarray of shape (n_eigenvectors, n_rows)
        Eigenvectors.
    size, n_participants : ndarray of shape (n_sizes,)
        Rows per participant, and how many participants have them.
    products : ndarray of shape (1 + n_sizes, rank, rank)
        Products of the basis within participants, then between those of each size.
    means : ndarray of shape (n_sizes, rank, n_rows)
        Crosses rows with the participants' means of the basis, for each size.
    """

    basis: Basis
    eigenvalue: Float[np.ndarray, " n_distinct"]
    multiplicity: Float[np.ndarray, " n_distinct"]
    start: np.ndarray
    rotation: Float[np.ndarray, "n_eigenvectors n_rows"]
    size: Float[np.ndarray, " n_sizes"]
    n_participants: Float[np.ndarray, " n_sizes"]
    products: Float[np.ndarray, "1+n_sizes rank rank"]
    means: Float[np.ndarray, "n_sizes rank n_rows"]


def make_intercept_design(basis: Basis, subjects: np.ndarray) -> InterceptDesign:
    """Decompose the design of one missingness pattern.

    Parameters
    ----------
    basis : Basis
        Fixed effects.
    subjects : ndarray of int of shape (n_rows,)
        Whose row it is.

    Returns
    -------
    InterceptDesign
        Shared by all outcomes of the pattern.
    """
    Q = basis.Q
    _, member = np.unique(subjects, return_inverse=True)
    Z = np.zeros((len(Q), int(member.max()) + 1))
    Z[np.arange(len(Q)), member] = 1.0
    n = Z.sum(axis=0)
    size = np.unique(n)
    means = np.stack([Q.T @ (Z * ((n == g) / n)) @ Z.T for g in size])
    between = means @ Q
    within = np.eye(Q.shape[1]) - between.sum(axis=0)
    value, vector, start = _decompose(np.diag(n) - (Q.T @ Z).T @ (Q.T @ Z))
    multiplicity = np.diff(np.append(start, len(value))).astype(float)
    if len(start) == 1 and len(value) == len(Q) - Q.shape[1]:
        # Nobody has two rows, in effect: both variances are one.
        value, vector, start, multiplicity = value[:0], vector[:, :0], start[:0], multiplicity[:0]
    return InterceptDesign(
        basis=basis,
        eigenvalue=value[start],
        multiplicity=multiplicity,
        start=start,
        rotation=(Z @ vector / np.sqrt(value)).T,
        size=size,
        n_participants=np.array([(n == g).sum() for g in size], dtype=float),
        products=np.concatenate([within[None], between]),
        means=means,
    )


def _decompose(
    matrix: Float[np.ndarray, "n n"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues that are not zero, their vectors, and where each distinct one starts."""
    value, vector = np.linalg.eigh(matrix)
    tolerance = EIGENVALUE_TOLERANCE * max(value[-1], 1.0)
    value, vector = value[value > tolerance], vector[:, value > tolerance]
    start = np.flatnonzero(np.diff(value, prepend=-np.inf) > tolerance)
    return value, vector, start


def fit_intercept_block(
    design: InterceptDesign, Y: Float[np.ndarray, "n_rows n_block"], information: Information
) -> BlockFit:
    """Fit a block of outcomes.

    Parameters
    ----------
    design : InterceptDesign
        Of their rows.
    Y : ndarray of shape (n_rows, n_block)
        Outcomes.
    information : {"observed", "expected"}
        Whose inverse is the sampling covariance of the variances.

    Returns
    -------
    BlockFit
        ``theta`` holds the variances between and within participants.
    """
    Q = design.basis.Q
    along = Q.T @ Y
    error = Y - Q @ along
    total = np.einsum("iv,iv->v", error, error)
    fitted = total > VANISHING * np.einsum("iv,iv->v", Y, Y)
    # What does not vary is put aside by numbers that can be fitted.
    error, total = np.where(fitted, error, 1.0), np.where(fitted, total, float(len(Y)))
    sums = _spectral_sums(design, error, total)
    ratio, converged = maximise_profile(sums)
    q = profile_terms(sums, ratio)[0]
    variance = q / sums.nu
    scale = 1.0 + ratio * design.size[:, None]
    between = np.einsum("grv,gv->rv", np.tensordot(design.means, error, 1), 1.0 / scale - 1.0)
    weights = np.concatenate([np.ones((1, len(total))), 1.0 / scale])
    inverse, log_determinant, _ = invert(np.tensordot(design.products, weights, (0, 0)))
    loglik = (
        sums.nu * (1.0 + np.log(2.0 * np.pi * variance))
        + design.n_participants @ np.log(scale)
        + log_determinant
    )
    W = _theta_covariance(sums, ratio, variance, information)
    return BlockFit(
        coefficients=along + solve(inverse, between),
        theta=np.stack([ratio * variance, variance]),
        reml_loglik_minus2=loglik,
        uncertainty=_uncertainty(design, inverse, W, scale, variance),
        boundary=ratio == 0.0,
        converged=converged,
        fitted=fitted,
    )


def _spectral_sums(
    design: InterceptDesign,
    error: Float[np.ndarray, "n_rows n_block"],
    total: Float[np.ndarray, " n_block"],
) -> SpectralSums:
    squares = (design.rotation @ error) ** 2
    E = (
        np.add.reduceat(squares, design.start, axis=0)
        if design.start.size
        else np.zeros((0, len(total)))
    )
    rows, rank = design.basis.Q.shape
    nu = float(rows - rank)
    rest = np.maximum(total - E.sum(axis=0), 1e-14 * total)
    if nu == design.multiplicity.sum():
        rest = np.zeros_like(total)
    return SpectralSums(
        nu=nu, eigenvalue=design.eigenvalue, multiplicity=design.multiplicity, E=E, rest=rest
    )


def _theta_covariance(
    sums: SpectralSums,
    ratio: Float[np.ndarray, " n_block"],
    variance: Float[np.ndarray, " n_block"],
    information: Information,
) -> Float[np.ndarray, "2 2 n_block"]:
    """Invert the information on the variances between and within participants."""
    xi, m = sums.eigenvalue[:, None], sums.multiplicity[:, None]
    precision = 1.0 / (variance * (1.0 + ratio * xi))
    expected = 0.5 * m * precision**2
    weight = expected if information == "expected" else sums.E * precision**3 - expected
    rest = 0.5 * (sums.nu - sums.multiplicity.sum()) / variance**2
    if information == "observed":
        rest = sums.rest / variance**3 - rest
    bb, be, ee = (xi**2 * weight).sum(0), (xi * weight).sum(0), weight.sum(0) + rest
    # At the boundary the curvature along a component that is 0 says nothing about its sampling,
    # and is dropped with it; the expected information there is that of the component's presence.
    alone = (ratio == 0.0) & (information == "observed" or not xi.size)
    bb, be = np.where(alone, 1.0, bb), np.where(alone, 0.0, be)
    determinant = bb * ee - be**2
    W: Float[np.ndarray, "2 2 n_block"] = np.array([[ee, -be], [-be, bb]]) / determinant
    W[0, 0, alone] = 0.0
    return W


def _uncertainty(
    design: InterceptDesign,
    inverse: Float[np.ndarray, "rank rank n_block"],
    W: Float[np.ndarray, "2 2 n_block"],
    scale: Float[np.ndarray, "n_sizes n_block"],
    variance: Float[np.ndarray, " n_block"],
) -> Uncertainty:
    r"""Assemble covariance, slopes and Kenward-Roger's correction.

    With the precision written as that within and that between participants of each size, every
    :math:`X^\top V^{-1}G_kV^{-1}X` is a weighted sum of the same products.
    """
    L = design.basis.contrasts
    n_block = len(variance)
    U = np.tensordot(L, inverse, 1).swapaxes(0, 1)
    crossed = np.tensordot(design.products, U.reshape(len(inverse), -1), 1)
    crossed = crossed.reshape(len(design.products), *U.shape)
    forms = np.einsum("rcv,grdv->gcdv", U, crossed)
    n = design.size[:, None]
    none, one = np.zeros((1, n_block)), np.ones((1, n_block))
    # For the variance between, then within, participants: derivative of the precision.
    first = np.stack([np.concatenate([none, n / scale**2]), np.concatenate([one, 1.0 / scale**2])])
    second = (
        np.concatenate([none, n**2 / scale**3]) * W[0, 0]
        + np.concatenate([none, n / scale**3]) * 2.0 * W[0, 1]
        + np.concatenate([one, 1.0 / scale**3]) * W[1, 1]
    )
    F = np.einsum("kgv,grcv->krcv", first, crossed)
    weighted = np.einsum("klv,lrcv->krcv", W, F)
    lost = np.einsum("krcv,krdv->cdv", F, np.einsum("rsv,ksdv->krdv", inverse, weighted))
    return Uncertainty(
        covariance=np.tensordot(L, U, 1) * variance,
        slopes=np.einsum("kgv,gcdv->kcdv", first, forms),
        theta_covariance=W,
        correction=2.0 / variance * (np.einsum("gv,gcdv->cdv", second, forms) - lost),
    )
