"""Sums over pairs of visits with products of the fixed effects, shared or of every outcome.

Products of a basis that all outcomes share have no axis of outcomes, and go through one matrix
multiplication; those of outcomes with columns of their own have it last, as everything else.
"""

import numpy as np
from jaxtyping import Float

__all__ = ["SHARED", "combine", "trace", "transform", "weigh"]

SHARED = 5
"""Axes of products that all outcomes share: group, two visits, two columns."""


def weigh(
    C: Float[np.ndarray, "n_groups n_visits n_visits rank rank *n_block"],
    W: Float[np.ndarray, "*leading n_groups n_visits n_visits n_block"],
) -> Float[np.ndarray, "*leading rank rank n_block"]:
    """Sum the products with a weight for every group and pair of visits.

    Parameters
    ----------
    C : ndarray of shape (n_groups, n_visits, n_visits, rank, rank[, n_block])
        Products.
    W : ndarray of shape (..., n_groups, n_visits, n_visits, n_block)
        Weights.

    Returns
    -------
    ndarray of shape (..., rank, rank, n_block)
        Sums.
    """
    leading, n_block, rank = W.shape[:-4], W.shape[-1], C.shape[3]
    flat = W.reshape(*leading, -1, n_block)
    if C.ndim == SHARED:
        sums = C.reshape(-1, rank * rank).T @ flat
    else:
        sums = np.einsum("prv,...pv->...rv", C.reshape(flat.shape[-2], -1, n_block), flat)
    total: Float[np.ndarray, "*leading rank rank n_block"]
    total = sums.reshape(*leading, rank, rank, n_block)
    return total


def transform(
    C: Float[np.ndarray, "n_groups n_visits n_visits rank rank *n_block"],
    d: Float[np.ndarray, "rank n_block"],
) -> Float[np.ndarray, "n_groups n_visits n_visits rank n_block"]:
    """Multiply every product by one vector per outcome.

    Parameters
    ----------
    C : ndarray of shape (n_groups, n_visits, n_visits, rank, rank[, n_block])
        Products.
    d : ndarray of shape (rank, n_block)
        Vectors.

    Returns
    -------
    ndarray of shape (n_groups, n_visits, n_visits, rank, n_block)
        Vectors.
    """
    rank, n_block = d.shape
    if C.ndim == SHARED:
        turned = C.reshape(-1, rank) @ d
    else:
        turned = np.einsum("pcv,cv->pv", C.reshape(-1, rank, n_block), d)
    vectors: Float[np.ndarray, "n_groups n_visits n_visits rank n_block"]
    vectors = turned.reshape(*C.shape[:4], n_block)
    return vectors


def trace(
    C: Float[np.ndarray, "n_groups n_visits n_visits rank rank *n_block"],
    M: Float[np.ndarray, "rank rank n_block"],
) -> Float[np.ndarray, "n_groups n_visits n_visits n_block"]:
    """Take the trace of every product with one symmetric matrix per outcome.

    Parameters
    ----------
    C : ndarray of shape (n_groups, n_visits, n_visits, rank, rank[, n_block])
        Products.
    M : ndarray of shape (rank, rank, n_block)
        Matrices.

    Returns
    -------
    ndarray of shape (n_groups, n_visits, n_visits, n_block)
        Traces.
    """
    flat = M.reshape(-1, M.shape[-1])
    if C.ndim == SHARED:
        sums = C.reshape(-1, len(flat)) @ flat
    else:
        sums = np.einsum("prv,rv->pv", C.reshape(-1, *flat.shape), flat)
    traces: Float[np.ndarray, "n_groups n_visits n_visits n_block"]
    traces = sums.reshape(*C.shape[:3], M.shape[-1])
    return traces


def combine(
    L: Float[np.ndarray, "n_contrasts rank *n_block"],
    M: Float[np.ndarray, "rank n_columns n_block"],
) -> Float[np.ndarray, "n_contrasts n_columns n_block"]:
    """Multiply contrasts, shared or of every outcome, by one matrix per outcome.

    Parameters
    ----------
    L : ndarray of shape (n_contrasts, rank[, n_block])
        Contrasts.
    M : ndarray of shape (rank, n_columns, n_block)
        Matrices.

    Returns
    -------
    ndarray of shape (n_contrasts, n_columns, n_block)
        Products.
    """
    if L.ndim < M.ndim:
        return np.tensordot(L, M, 1)
    product: Float[np.ndarray, "n_contrasts n_columns n_block"] = np.einsum("crv,rsv->csv", L, M)
    return product
