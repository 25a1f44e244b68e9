"""Degrees of freedom of a contrast whose rows have unequal variances."""

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["welch_df"]

OUTCOMES = 2048
"""Outcomes solved at once: bounds the memory, changes no number."""


def welch_df(
    columns: Float[np.ndarray, "n_rows n_columns"],
    groups: Int[np.ndarray, " n_rows"],
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None,
    tested: Bool[np.ndarray, " n_outcomes"],
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the degrees of freedom of v by Satterthwaite's approximation.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns)
        Of the model; the contrast is the coefficient of the last one.
    groups : ndarray of shape (n_rows,)
        Variance group of each row.
    Y : ndarray of shape (n_rows, n_outcomes)
        Outcomes; NaN where a row is missing.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        One more column, of its own in every outcome.
    tested : ndarray of bool of shape (n_outcomes,)
        Outcomes whose degrees of freedom are wanted; 1 elsewhere.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        Of two groups without covariates: Welch's.

    Notes
    -----
    The variance of v's numerator is :math:`V = c^\top K^{-1} c` with :math:`K = \sum_g M_g^\top
    M_g / s_g^2`, and :math:`s_g^2` has :math:`\nu_g` (the trace of the residual-forming matrix
    over the rows of g) degrees of freedom. With :math:`u = K^{-1}c` its derivatives are
    :math:`q_g = s_g^2\,\partial V/\partial s_g^2 = u^\top M_g^\top M_g u / s_g^2`, which add up
    to V, so that :math:`\nu = V^2 / \sum_g q_g^2/\nu_g` [1]_. Groups that the contrast does not
    touch do not count.

    References
    ----------
    .. [1] Satterthwaite (1946), doi:10.2307/3002019; Welch (1947), doi:10.1093/biomet/34.1-2.28.
    """
    df = np.ones(Y.shape[1])
    known = np.isfinite(Y) if baseline is None else np.isfinite(Y) & np.isfinite(baseline)
    patterns, member = np.unique(np.packbits(known, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        alike = np.flatnonzero((member.ravel() == number) & tested)
        for start in range(0, alike.size, OUTCOMES):
            part = alike[start : start + OUTCOMES]
            rows = known[:, part[0]]
            beside = None if baseline is None else baseline[np.ix_(rows, part)]
            df[part] = _of_block(columns[rows], groups[rows], Y[np.ix_(rows, part)], beside)
    return df


def _of_block(
    M: Float[np.ndarray, "n_rows n_columns"],
    groups: Int[np.ndarray, " n_rows"],
    Y: Float[np.ndarray, "n_rows n"],
    baseline: Float[np.ndarray, "n_rows n"] | None,
) -> Float[np.ndarray, " n"]:
    """Give the degrees of freedom of outcomes that have the same rows."""
    Q, _ = np.linalg.qr(M)
    residual = Y - Q @ (Q.T @ Y)
    freedom = np.repeat(1 - np.einsum("ij,ij->i", Q, Q)[:, None], Y.shape[1], axis=1)
    first = 0
    if baseline is not None:
        first = 1
        left = baseline - Q @ (Q.T @ baseline)
        left /= np.sqrt(np.einsum("ij,ij->j", left, left))
        residual -= left * np.einsum("ij,ij->j", left, residual)
        freedom -= left**2
    side = first + M.shape[1]
    grams, weights, frees = [], [], []
    for group in np.unique(groups):
        rows = groups == group
        gram = np.empty((Y.shape[1], side, side))
        gram[:, first:, first:] = M[rows].T @ M[rows]
        if baseline is not None:
            b = baseline[rows]
            gram[:, 0, 0] = np.einsum("ij,ij->j", b, b)
            gram[:, 0, 1:] = b.T @ M[rows]
            gram[:, 1:, 0] = gram[:, 0, 1:]
        free = freedom[rows].sum(axis=0)
        grams.append(gram)
        weights.append(free / np.einsum("ij,ij->j", residual[rows], residual[rows]))
        frees.append(free)
    K = sum(gram * weight[:, None, None] for gram, weight in zip(grams, weights, strict=True))
    contrast = np.zeros((Y.shape[1], side, 1))
    contrast[:, -1] = 1.0
    u = np.linalg.solve(K, contrast)[:, :, 0]
    share = np.array(
        [
            weight * np.einsum("vi,vij,vj->v", u, gram, u)
            for gram, weight in zip(grams, weights, strict=True)
        ]
    )
    df: Float[np.ndarray, " n"] = share.sum(axis=0) ** 2 / (share**2 / np.array(frees)).sum(axis=0)
    return df
