r"""Coefficients of an autoregressive process from the residuals of a design.

Residuals :math:`e = R y`, :math:`R = I - QQ^\top`, have other autocovariances than the noise. With
:math:`D_l` summing the products of volumes l apart and noise autocovariances :math:`\gamma_j`,

.. math:: E[e^\top D_l e] = \sum_j M_{lj}\gamma_j, \qquad
          M_{lj} = \mathrm{tr}(R D_l R \, \partial V / \partial \gamma_j).

Worsley solves this for lags up to the order p and takes :math:`\gamma_j = 0` beyond; here the
fitted process fills in :math:`\gamma_j, j > p`, and the equations are solved again until they
agree. Coefficients follow by Levinson's recursion, in which every partial autocorrelation is
kept within 0.99, so that the process is stationary.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["LagModel", "from_partial", "levinson", "make_lag_model", "shrink_partial"]

_LARGEST = 0.99
_N_LAGS = 60
_ROUNDS = 6
_BLOCK = 4096  # series whose autocovariances stay in cache


@dataclass(frozen=True, slots=True, kw_only=True)
class LagModel:
    """How autocovariances of residuals come from those of the noise.

    Parameters
    ----------
    order : int
        Of the process.
    n_volumes : int
        Of the run.
    mixing : ndarray of shape (order + 1, n_lags) or None
        M; None for no correction.
    """

    order: int
    n_volumes: int
    mixing: Float[np.ndarray, "_ n_lags"] | None

    def partial(self, products: Float[np.ndarray, "lags n"]) -> Float[np.ndarray, "order n"]:
        """Estimate partial autocorrelations of the noise.

        Parameters
        ----------
        products : ndarray of shape (order + 1, n)
            Sums of products of residuals 0, 1, ... volumes apart.

        Returns
        -------
        ndarray of shape (order, n)
            0 where there is no residual.
        """
        if self.mixing is None:
            pairs = self.n_volumes - np.arange(self.order + 1.0)
            return levinson(products / pairs[:, None])[1]
        low = np.linalg.inv(self.mixing[:, : self.order + 1])
        carry = low @ self.mixing[:, self.order + 1 :]
        kappa = np.empty((self.order, products.shape[1]))
        for first in range(0, products.shape[1], _BLOCK):
            part = slice(first, first + _BLOCK)
            kappa[:, part] = _settle(low @ products[:, part], carry)
        return kappa


def make_lag_model(
    basis: Float[np.ndarray, "n_volumes rank"], order: int, *, bias_corrected: bool
) -> LagModel:
    """Prepare the estimate of an autoregressive process for a design.

    Parameters
    ----------
    basis : ndarray of shape (n_volumes, rank)
        Orthonormal basis of the design.
    order : int
        Of the process.
    bias_corrected : bool
        Whether for what the design took out.

    Returns
    -------
    LagModel
        To be applied to sums of products.

    References
    ----------
    Worsley et al. 2002, doi:10.1006/nimg.2001.0933.
    """
    n = basis.shape[0]
    if not bias_corrected:
        return LagModel(order=order, n_volumes=n, mixing=None)
    n_lags = min(n, max(_N_LAGS, 4 * order))
    mixing = np.empty((order + 1, n_lags))
    for lag in range(order + 1):
        shift = np.zeros((n, n))
        rows = np.arange(n - lag)
        shift[rows, rows + lag] += 0.5
        shift[rows + lag, rows] += 0.5
        inside = shift - basis @ (basis.T @ shift)
        inside -= (inside @ basis) @ basis.T
        for j in range(n_lags):
            mixing[lag, j] = np.trace(inside, offset=j) * (1.0 if j == 0 else 2.0)
    return LagModel(order=order, n_volumes=n, mixing=mixing)


def _settle(
    start: Float[np.ndarray, "lags n"], carry: Float[np.ndarray, "lags n_more"]
) -> Float[np.ndarray, "order n"]:
    """Solve the equations again and again with the autocovariances that the process adds."""
    phi, kappa = levinson(start)
    covariance = start
    for _ in range(_ROUNDS):
        covariance = start - carry @ _extend(covariance, phi, carry.shape[1])
        phi, kappa = levinson(covariance)
    return kappa


def _extend(
    covariance: Float[np.ndarray, "lags n"], phi: Float[np.ndarray, "order n"], n_more: int
) -> Float[np.ndarray, "n_more n"]:
    """Continue autocovariances by the process."""
    order = len(phi)
    series = np.empty((order + n_more, phi.shape[1]))
    series[:order] = covariance[1:]
    for j in range(order, len(series)):
        series[j] = sum(phi[i] * series[j - 1 - i] for i in range(order))
    return series[order:]


def levinson(
    covariance: Float[np.ndarray, "lags n"],
) -> tuple[Float[np.ndarray, "order n"], Float[np.ndarray, "order n"]]:
    """Solve the Yule-Walker equations of many series.

    Parameters
    ----------
    covariance : ndarray of shape (order + 1, n)
        Autocovariances, up to one factor per series.

    Returns
    -------
    coefficients, partial : ndarray of shape (order, n)
        Coefficients and partial autocorrelations; 0 where the variance is not above 0.
    """
    order = len(covariance) - 1
    phi = np.zeros((order, covariance.shape[1]))
    kappa = np.zeros_like(phi)
    left = covariance[0].copy()
    for k in range(order):
        rest = covariance[k + 1] - sum(phi[i] * covariance[k - i] for i in range(k))
        ratio = np.divide(rest, left, out=np.zeros_like(left), where=left > 0)
        kappa[k] = np.clip(ratio, -_LARGEST, _LARGEST)
        phi[:k] -= kappa[k] * phi[:k][::-1]
        phi[k] = kappa[k]
        left *= 1.0 - kappa[k] ** 2
    return phi, kappa


def from_partial(kappa: Float[np.ndarray, "order n"]) -> Float[np.ndarray, "order n"]:
    """Turn partial autocorrelations into coefficients.

    Parameters
    ----------
    kappa : ndarray of shape (order, n)
        Within -1 to 1.

    Returns
    -------
    ndarray of shape (order, n)
        Coefficients of a stationary process.
    """
    phi = np.zeros_like(kappa)
    for k, value in enumerate(kappa):
        phi[:k] -= value * phi[:k][::-1]
        phi[k] = value
    return phi


def shrink_partial(kappa: Float[np.ndarray, "order n"], df: int) -> Float[np.ndarray, "order n"]:
    r"""Draw partial autocorrelations to their mean as far as they vary by chance.

    Parameters
    ----------
    kappa : ndarray of shape (order, n)
        Of the voxels of a group.
    df : int
        Of the residuals.

    Returns
    -------
    ndarray of shape (order, n)
        Of a stationary process still.

    Notes
    -----
    :math:`\kappa_v \to \bar\kappa + w (\kappa_v - \bar\kappa)`, with w the part of the variance
    between voxels that sampling, :math:`(1 - \kappa^2) / df`, does not explain.
    """
    mean = kappa.mean(axis=1, keepdims=True)
    spread = kappa.var(axis=1, keepdims=True)
    chance = (1.0 - kappa**2).mean(axis=1, keepdims=True) / df
    part = np.divide(chance, spread, out=np.ones_like(spread), where=spread > 0)
    return np.asarray(mean + np.clip(1.0 - part, 0.0, 1.0) * (kappa - mean))
