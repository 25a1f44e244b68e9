r"""One covariance of the noise for the brain, from two components, as SPM's AR(1).

The covariance is :math:`V = h_1 Q_1 + h_2 Q_2`, linear in h: an autoregression of coefficient 0.2
less and plus its derivative, :math:`Q_{1,2}(k) = (1 \mp k)\, 0.2^k` for volumes k apart. h is
found by restricted maximum likelihood from the covariance S of the data pooled over voxels, each
divided by its residual variance. Fisher scoring, with
:math:`P = V^{-1} - V^{-1}X(X^\top V^{-1}X)^{-1}X^\top V^{-1}`:

.. math:: g_i = \tfrac12 \mathrm{tr}(P Q_i P S) - \tfrac12 \mathrm{tr}(P Q_i), \qquad
          H_{ij} = \tfrac12 \mathrm{tr}(P Q_i P Q_j).

SPM pools the voxels that an F test of the effects of interest chooses; here all count.
"""

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.glm._blocks import Blocks, for_each
from phmri.firstlevel.glm._design import Design

__all__ = ["estimate_covariance", "pool_covariance", "root_of_precision"]

_COEFFICIENT = 0.2
_MOST_STEPS = 64
_TOLERANCE = 1e-8
_BLOCK = 8192


def pool_covariance(blocks: Blocks, design: Design, n_threads: int) -> Float[np.ndarray, "t t"]:
    """Average the products of residuals over voxels.

    Parameters
    ----------
    blocks : Blocks
        The run.
    design : Design
        What is fitted.
    n_threads : int
        Blocks at one time.

    Returns
    -------
    ndarray of shape (n_volumes, n_volumes)
        Of residual variance 1.
    """

    def add(voxels: Int[np.ndarray, " n"]) -> tuple[int, Float[np.ndarray, "t t"]]:
        e = blocks.take(voxels).e
        e = e / np.sqrt(np.einsum("tv,tv->v", e, e) / design.df)
        return e.shape[1], (e @ e.T).astype(np.float64)

    pooled, n = np.zeros((len(design.basis), len(design.basis))), 0
    parts = for_each(add, np.arange(blocks.n_voxels), size=_BLOCK, n_threads=n_threads)
    for count, total in parts:
        pooled, n = pooled + total, n + count
    return pooled / n if n else np.eye(len(pooled))


def estimate_covariance(
    pooled: Float[np.ndarray, "t t"], basis: Float[np.ndarray, "t rank"]
) -> Float[np.ndarray, " t"]:
    """Estimate the covariance of the noise.

    Parameters
    ----------
    pooled : ndarray of shape (n_volumes, n_volumes)
        Covariance of the data over voxels; what the design spans does not matter.
    basis : ndarray of shape (n_volumes, rank)
        Of the design.

    Returns
    -------
    ndarray of shape (n_volumes,)
        Autocovariance by distance.

    Raises
    ------
    FirstLevelError
        The noise is too far from an autoregression of 0.2 for these components.

    References
    ----------
    Friston et al. 2002, doi:10.1006/nimg.2002.1091.
    """
    k = np.arange(len(pooled))
    first_columns = np.stack([(1.0 - k) * _COEFFICIENT**k, (1.0 + k) * _COEFFICIENT**k])
    components = np.stack([scipy.linalg.toeplitz(column) for column in first_columns])
    h = np.full(2, np.trace(pooled) / (2.0 * len(pooled)))
    for _ in range(_MOST_STEPS):
        try:
            inverse = np.linalg.inv(np.linalg.cholesky(np.tensordot(h, components, 1)))
        except np.linalg.LinAlgError:
            break
        inverse = inverse.T @ inverse
        carried = inverse @ basis
        P = inverse - carried @ np.linalg.solve(basis.T @ carried, carried.T)
        PQ = P @ components
        gradient = 0.5 * (np.einsum("kij,ji->k", PQ, P @ pooled) - np.trace(PQ, axis1=1, axis2=2))
        step = np.linalg.solve(0.5 * np.einsum("aij,bji->ab", PQ, PQ), gradient)
        h = h + step
        if np.abs(step).max() < _TOLERANCE * np.abs(h).max():
            return np.asarray(h @ first_columns)
    raise FirstLevelError(
        Problem(
            what="the noise of this run does not fit SPM's AR(1) components",
            field="noise.kind",
            expected="an autocorrelation near 0.2; ar and arma11 have no such limit",
        )
    )


def root_of_precision(covariance: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t t"]:
    """Give the symmetric matrix that whitens.

    Parameters
    ----------
    covariance : ndarray of shape (n_volumes,)
        Autocovariance by distance.

    Returns
    -------
    ndarray of shape (n_volumes, n_volumes)
        Inverse square root of the autocorrelation matrix.
    """
    values, vectors = np.linalg.eigh(scipy.linalg.toeplitz(covariance / covariance[0]))
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)
