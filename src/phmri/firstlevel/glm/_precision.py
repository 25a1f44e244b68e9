r"""Normal equations under autoregressive noise, from sums of products and a few end volumes.

The precision of a stationary process is a band, less two corners. With
:math:`a = (1, -\phi_1, \dots, -\phi_p)` and :math:`c_k = \sum_j a_j a_{j+k}`,

.. math:: x^\top A y = \sum_{k=0}^{p} c_k\, x^\top S_k y
          - x_\mathrm{head}^\top H\, y_\mathrm{head} - x_\mathrm{tail}^\top G\, y_\mathrm{tail},

where :math:`S_0 = I`, :math:`S_k` adds the volumes k before and k after, head and tail are the p
first and last volumes, :math:`G = B^\top B` with :math:`B_{ij} = a_{p+i-j}`, and H is G read
backwards. Without H the first volumes are weighted as nilearn does.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from phmri.firstlevel.glm._autoregression import LagModel, from_partial
from phmri.firstlevel.glm._design import Design
from phmri.firstlevel.glm._solve import Equations, solve_each, solve_shared

__all__ = ["Autoregressive", "lag_products"]

_PER_UNIT = 100.0
"""Coefficients of order 1 are kept to 0.01: one inverse serves all voxels of a value."""


def lag_products(e: Float[np.ndarray, "n_volumes n"], order: int) -> Float[np.ndarray, "lags n"]:
    """Sum the products of volumes 0, 1, ..., `order` apart.

    Parameters
    ----------
    e : ndarray of shape (n_volumes, n)
        Residuals.
    order : int
        Largest distance.

    Returns
    -------
    ndarray of shape (order + 1, n)
        Sums.
    """
    n = len(e)
    return np.stack(
        [np.einsum("tv,tv->v", e[: n - k], e[k:]).astype(np.float64) for k in range(order + 1)]
    )


class Autoregressive:
    """Noise of order p.

    Parameters
    ----------
    design : Design
        What is fitted.
    order : int
        p.
    source : LagModel or ndarray of shape (order, n_voxels)
        How to estimate the coefficients of every voxel, or the coefficients.
    exact_start : bool
        Whether the first volumes are weighted by the stationary distribution.
    n_voxels : int
        In all.
    dtype : numpy dtype
        Of long sums.
    """

    def __init__(
        self,
        design: Design,
        order: int,
        source: LagModel | Float[np.ndarray, "order n_voxels"],
        *,
        exact_start: bool,
        n_voxels: int,
        dtype: np.dtype,
    ) -> None:
        self._order, self._source, self._exact_start = order, source, exact_start
        self.coefficients = np.zeros((order, n_voxels))
        Q = design.basis
        sums = [Q] + [_shifted_sum(Q, k) for k in range(1, order + 1)]
        self._sums = np.concatenate(sums, axis=1).T.astype(dtype)
        self._head, self._tail = Q[:order], Q[-order:]
        band = [Q.T @ one for one in sums]
        self._terms = np.stack(band + _outer(self._head) + _outer(self._tail))
        self._rows = design.rows

    def equations(
        self, e: Float[np.ndarray, "n_volumes n"], voxels: Int[np.ndarray, " n"]
    ) -> Iterator[Equations]:
        """Give the normal equations of a block.

        Parameters
        ----------
        e : ndarray of shape (n_volumes, n)
            Residuals of ordinary least squares.
        voxels : ndarray of shape (n,)
            Places of the block's voxels in the brain.

        Yields
        ------
        Equations
            Voxels of the same coefficients together, where that saves inverses.
        """
        order = self._order
        products = lag_products(e, order)
        phi = self._phi(products, voxels)
        self.coefficients[:, voxels] = phi
        head, tail = e[:order].astype(np.float64), e[-order:].astype(np.float64)
        weights, corner = _band(phi), _corner(phi)
        tail_part = np.einsum("vij,jv->iv", corner, tail)
        sums = (self._sums @ e).astype(np.float64).reshape(order + 1, -1, e.shape[1])
        u = np.einsum("kv,krv->rv", weights, sums) - self._tail.T @ tail_part
        twice = np.where(np.arange(order + 1) > 0, 2.0, 1.0)[:, None]
        square = (twice * weights * products).sum(axis=0) - (tail * tail_part).sum(axis=0)
        if self._exact_start:
            head_part = np.einsum("vij,jv->iv", corner[:, ::-1, ::-1], head)
            u -= self._head.T @ head_part
            square -= (head * head_part).sum(axis=0)
        places = np.lexsort(phi)
        ordered = phi[:, places]
        starts = np.flatnonzero((np.diff(ordered, prepend=np.nan) != 0).any(axis=0)).tolist()
        if len(starts) > voxels.size // 2:
            x, half = solve_each(self._weights(phi), self._terms, u, self._rows)
            yield Equations(where=np.arange(voxels.size), half=half, x=x, square=square)
            return
        grams = np.tensordot(self._weights(ordered[:, starts]), self._terms, (0, 0))
        for gram, start, stop in zip(grams, starts, [*starts[1:], voxels.size], strict=True):
            where = places[start:stop]
            inverse_factor, half = solve_shared(gram, self._rows)
            yield Equations(
                where=where, half=half, x=inverse_factor @ u[:, where], square=square[where]
            )

    def _phi(
        self, products: Float[np.ndarray, "lags n"], voxels: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, "order n"]:
        if not isinstance(self._source, LagModel):
            return self._source[:, voxels]
        phi = from_partial(self._source.partial(products))
        if self._order > 1:
            return phi
        steps = phi * _PER_UNIT
        nearest = np.trunc(steps) if self._source.mixing is None else np.rint(steps)
        return np.asarray(nearest / _PER_UNIT)

    def _weights(self, phi: Float[np.ndarray, "order m"]) -> Float[np.ndarray, "terms m"]:
        corner = _corner(phi)
        head = corner[:, ::-1, ::-1].reshape(len(corner), -1) * self._exact_start
        return np.concatenate([_band(phi), -head.T, -corner.reshape(len(corner), -1).T])


def _shifted_sum(x: Float[np.ndarray, "n_volumes rank"], k: int) -> Float[np.ndarray, "_ rank"]:
    total = np.zeros_like(x)
    total[:-k] += x[k:]
    total[k:] += x[:-k]
    return total


def _outer(ends: Float[np.ndarray, "order rank"]) -> list[Float[np.ndarray, "rank rank"]]:
    return [np.outer(x, y) for x in ends for y in ends]


def _filter(phi: Float[np.ndarray, "order n"]) -> Float[np.ndarray, "taps n"]:
    return np.concatenate([np.ones((1, phi.shape[1])), -phi])


def _band(phi: Float[np.ndarray, "order n"]) -> Float[np.ndarray, "taps n"]:
    taps = _filter(phi)
    return np.stack([(taps[: len(taps) - k] * taps[k:]).sum(axis=0) for k in range(len(taps))])


def _corner(phi: Float[np.ndarray, "order n"]) -> Float[np.ndarray, "n order order"]:
    order, n = phi.shape
    taps = _filter(phi)
    missing = np.zeros((n, order, order))
    for i in range(order):
        for j in range(i, order):
            missing[:, i, j] = taps[order + i - j]
    return np.asarray(missing.transpose(0, 2, 1) @ missing)
