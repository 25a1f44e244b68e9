r"""Drift columns, and what they cost.

The overlap of a contrast :math:`c` with the drift is the share of its variance that would go if
there were no drift in the model,

.. math:: R^2 = 1 - \frac{\operatorname{Var}_0(c^\top \hat b)}{\operatorname{Var}(c^\top \hat b)},

both under white noise, from the design alone. The standard error grows by
:math:`1/\sqrt{1 - R^2}`: 10 times at 0.99.
"""

import numpy as np
from jaxtyping import Float

__all__ = ["bin_polynomials", "drift_columns", "drift_slope", "overlap", "white_variance"]

_RANK_TOLERANCE = 1e-10


def drift_columns(
    times_min: Float[np.ndarray, " n_volumes"], order: int
) -> Float[np.ndarray, "n_volumes order"]:
    """Give the Legendre polynomials 1 to `order` over the run.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes.
    order : int
        0 for no column.

    Returns
    -------
    ndarray of shape (n_volumes, order)
        Between -1 (first volume) and 1 (last, for odd orders).
    """
    position = 2.0 * (times_min - times_min[0]) / (times_min[-1] - times_min[0]) - 1.0
    return np.asarray(np.polynomial.legendre.legvander(position, order)[:, 1:])


def drift_slope(
    times_min: Float[np.ndarray, " n_volumes"], order: int
) -> Float[np.ndarray, " order"]:
    """Weigh drift columns to their mean slope over the run, last volume minus first per minute.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes.
    order : int
        Of the drift.

    Returns
    -------
    ndarray of shape (order,)
        Per minute.
    """
    odd = np.arange(1, order + 1) % 2
    return np.asarray(2.0 * odd / (times_min[-1] - times_min[0]))


def bin_polynomials(
    times_min: Float[np.ndarray, " n_volumes"],
    inside: Float[np.ndarray, "n_volumes n_bins"],
    order: int,
) -> Float[np.ndarray, "n_volumes n_polynomials"]:
    """Give every bin its own polynomials of zero mean, so that it tells nothing about the drift.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes.
    inside : ndarray of shape (n_volumes, n_bins)
        1 inside a bin.
    order : int
        Of the drift; each bin has more volumes than this.

    Returns
    -------
    ndarray of shape (n_volumes, n_bins * order)
        Bin by bin.
    """
    columns = np.zeros((times_min.size, inside.shape[1], order))
    for k in range(inside.shape[1]):
        rows = inside[:, k] > 0.0
        local = times_min[rows] - times_min[rows].mean()
        powers = np.vander(local / max(np.abs(local).max(), 1e-300), order + 1, increasing=True)
        columns[rows, k] = np.linalg.qr(powers)[0][:, 1:]
    return columns.reshape(times_min.size, -1)


def white_variance(
    X: Float[np.ndarray, "n_volumes n_columns"], weights: Float[np.ndarray, "q n_columns"]
) -> Float[np.ndarray, " q"]:
    r"""Give :math:`c^\top (X^\top X)^{-1} c`, infinite where the design cannot tell.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, n_columns)
    weights : ndarray of shape (q, n_columns)

    Returns
    -------
    ndarray of shape (q,)
        In units of the noise variance.
    """
    _, size, right = np.linalg.svd(X, full_matrices=False)
    kept = size > _RANK_TOLERANCE * size[0]
    coordinates = weights @ right[kept].T
    lost = np.linalg.norm(weights - coordinates @ right[kept], axis=1)
    variance = ((coordinates / size[kept]) ** 2).sum(axis=1)
    told = lost <= 1e-6 * np.linalg.norm(weights, axis=1)
    return np.asarray(np.where(told, variance, np.inf))


def overlap(
    without: Float[np.ndarray, " q"], variance: Float[np.ndarray, " q"]
) -> Float[np.ndarray, " q"]:
    """Compare variances without and with the drift.

    Parameters
    ----------
    without, variance : ndarray of shape (q,)
        Of the same contrasts.

    Returns
    -------
    ndarray of shape (q,)
        From 0 to 1; 1 where the contrast cannot be told from the drift.
    """
    return np.asarray(np.clip(1.0 - without / variance, 0.0, 1.0))
