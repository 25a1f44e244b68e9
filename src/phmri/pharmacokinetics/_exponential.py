r"""The exponential of a rate matrix, exact in every entry.

A compartment's matrix has no negative entry off its diagonal. With :math:`q` the largest
magnitude on the diagonal, :math:`e^{A} = e^{-q} e^{A + qI}`, and :math:`A + qI` has no negative
entry at all: its Taylor series and the squarings after it only add and multiply numbers of one
sign. Nothing cancels, so that every entry, however small, has nearly all its digits, no
concentration falls below zero, and equal eigenvalues (a chain of equal transit compartments has
them) are a case like any other; an eigen-decomposition fails there.
"""

import numpy as np
from jaxtyping import Float

__all__ = ["exponential", "powers_from"]

_N_TERMS = 24
"""With a norm of at most 1, entries reached in a dozen steps still have all digits."""


def exponential(
    matrices: Float[np.ndarray, "n_matrices n n"],
) -> Float[np.ndarray, "n_matrices n n"]:
    """Compute the exponentials of matrices without negative entries off their diagonals.

    Parameters
    ----------
    matrices : ndarray of shape (n_matrices, n, n)
        Rate constants times a duration, without unit.

    Returns
    -------
    ndarray of shape (n_matrices, n, n)
        No entry is negative.

    Notes
    -----
    Scaling and squaring of the shifted matrix [1]_, here with a Taylor series.

    References
    ----------
    .. [1] Xue and Ye (2013), doi:10.1090/S0025-5718-2013-02677-4.
    """
    n = matrices.shape[-1]
    shift = np.max(-np.diagonal(matrices, axis1=1, axis2=2), axis=1)[:, None, None]
    positive = matrices + shift * np.eye(n)
    norm = positive.sum(axis=1).max(initial=0.0)
    n_halvings = max(0, int(np.ceil(np.log2(norm)))) if norm > 0 else 0
    positive = positive / 2.0**n_halvings
    diagonal = np.arange(n)
    result = np.broadcast_to(np.eye(n), matrices.shape)
    for term in range(_N_TERMS, 0, -1):
        result = positive @ result
        result /= term
        result[:, diagonal, diagonal] += 1.0
    result = result * np.exp(-shift / 2.0**n_halvings)
    for _ in range(n_halvings):
        result = result @ result
    return np.asarray(result)


def powers_from(
    start: Float[np.ndarray, "n_matrices n"],
    step: Float[np.ndarray, "n_matrices n n"],
    least: int,
) -> tuple[Float[np.ndarray, "n_matrices n_powers n"], Float[np.ndarray, "n_matrices n n"]]:
    """Multiply rows by growing powers of matrices, doubling their number in each round.

    Parameters
    ----------
    start : ndarray of shape (n_matrices, n)
        Row that power 0 gives.
    step : ndarray of shape (n_matrices, n, n)
        What one more power multiplies with.
    least : int
        Number of powers needed.

    Returns
    -------
    rows : ndarray of shape (n_matrices, n_powers, n)
        ``start @ step**0, start @ step**1, ...``; the next power of two from `least` on.
    power : ndarray of shape (n_matrices, n, n)
        ``step**n_powers``.
    """
    rows = start[:, None, :]
    while rows.shape[1] < least:
        rows = np.concatenate([rows, rows @ step], axis=1)
        step = step @ step
    return rows, step
