r"""Noise :math:`y_t = a y_{t-1} + \epsilon_t + b\,\epsilon_{t-1}`: whitening, and a and b by REML.

One-step predictions whiten exactly. With :math:`v_1 = (1 + 2ab + b^2)/(1 - a^2)` and
:math:`v_t = 1 + b^2 - b^2/v_{t-1}`,

.. math:: \hat y_t = a y_{t-1} + \frac{b}{v_{t-1}} (y_{t-1} - \hat y_{t-1}), \qquad
          w_t = (y_t - \hat y_t)/\sqrt{v_t}.

a and b minimise :math:`\sum_t \log v_t + \log|Q^\top A Q| + df \log s^2` over the grid of
3dREMLfit: :math:`a \ge 0`, autocorrelation :math:`\lambda \ge 0` at distance 1 (:math:`a + b \ge
0`); first in steps of 0.1 everywhere, then by moves to the 8 neighbours in steps of 0.05, 0.025.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from phmri.firstlevel.glm._design import Design
from phmri.firstlevel.glm._solve import Equations, solve_shared

__all__ = ["Arma", "Whitening", "make_whitening", "search", "whiten"]

_PER_UNIT = 40
_LARGEST_A, _LARGEST_B = 38, 36
_COARSE, _FINER = 4, (2, 1)
_MOST_MOVES = 4
_VOXELS_AT_ONCE = 512
_CACHE_BYTES = 1 << 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Whitening:
    """A process and a design whitened by it.

    Parameters
    ----------
    a, b : float
        Of the process.
    carry, scale : ndarray of shape (n_volumes,)
        Weight of the whitened volume before, 1 over the standard deviation of the prediction.
    unit : ndarray of shape (rank, n_volumes)
        The whitened design, orthonormal.
    half : ndarray of shape (rank, n_rows)
        Contrasts in its terms.
    log_determinants : float
        Of the noise covariance and of Q'AQ.
    """

    a: float
    b: float
    carry: Float[np.ndarray, " n_volumes"]
    scale: Float[np.ndarray, " n_volumes"]
    unit: Float[np.ndarray, "rank n_volumes"]
    half: Float[np.ndarray, "rank n_rows"]
    log_determinants: float


def make_whitening(design: Design, a: float, b: float, dtype: np.dtype) -> Whitening:
    """Whiten a design.

    Parameters
    ----------
    design : Design
        With its orthonormal basis.
    a, b : float
        Of the process.
    dtype : numpy dtype
        Of the data that it will be applied to.

    Returns
    -------
    Whitening
        Of the process.
    """
    n = design.basis.shape[0]
    spread = np.empty(n)
    spread[0] = (1 + 2 * a * b + b * b) / (1 - a * a)
    for t in range(1, n):
        spread[t] = 1 + b * b - b * b / spread[t - 1]
    scale = 1 / np.sqrt(spread)
    carry = np.zeros(n)
    carry[1:] = b * scale[:-1]  # b / v times the standard deviation that was divided out
    basis = np.empty_like(design.basis)
    _whiten(design.basis, a, carry, scale, basis)
    inverse_factor, half = solve_shared(basis.T @ basis, design.rows)
    log_gram = -2 * np.log(np.diagonal(inverse_factor)).sum()
    return Whitening(
        a=a,
        b=b,
        carry=carry.astype(dtype),
        scale=scale.astype(dtype),
        unit=(inverse_factor @ basis.T).astype(dtype),
        half=half,
        log_determinants=float(np.log(spread).sum() + log_gram),
    )


class Arma:
    """Noise with a and b voxel by voxel.

    Parameters
    ----------
    design : Design
        What is fitted.
    given : ndarray of shape (2, n_voxels) or None
        a and b; None estimates them.
    n_voxels : int
        In all.
    dtype : numpy dtype
        Of long sums.
    """

    def __init__(
        self,
        design: Design,
        given: Float[np.ndarray, "2 n_voxels"] | None,
        *,
        n_voxels: int,
        dtype: np.dtype,
    ) -> None:
        self._df = design.df
        self.coefficients = np.zeros((2, n_voxels)) if given is None else given
        self._given = given is not None
        size = design.basis.size * dtype.itemsize

        @lru_cache(maxsize=max(64, _CACHE_BYTES // size))
        def whitening(a: float, b: float) -> Whitening:
            return make_whitening(design, a, b, dtype)

        self._whitening = whitening

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
            Voxels of the same a and b together.
        """
        if not self._given:
            self.coefficients[:, voxels] = search(
                lambda points, units: self.criterion(e[:, units], points), voxels.size
            )
        pairs, label = np.unique(self.coefficients[:, voxels], axis=1, return_inverse=True)
        for i, places in _groups(label.reshape(-1), pairs.shape[1]):
            one = self._whitening(float(pairs[0, i]), float(pairs[1, i]))
            w = whiten(one, np.ascontiguousarray(e[:, places]))
            yield Equations(
                where=places,
                half=one.half,
                x=(one.unit @ w).astype(np.float64),
                square=np.einsum("tv,tv->v", w, w).astype(np.float64),
            )

    def criterion(
        self, e: Float[np.ndarray, "n_volumes n"], points: Float[np.ndarray, "m 2"]
    ) -> Float[np.ndarray, "m n"]:
        """Give -2 times the restricted log-likelihood, up to a constant.

        Parameters
        ----------
        e : ndarray of shape (n_volumes, n)
            Residuals of ordinary least squares.
        points : ndarray of shape (m, 2)
            Values of a and b.

        Returns
        -------
        ndarray of shape (m, n)
            Smaller is likelier.
        """
        result = np.empty((len(points), e.shape[1]))
        whitenings = [self._whitening(float(a), float(b)) for a, b in points]
        for start in range(0, e.shape[1], _VOXELS_AT_ONCE):
            part = slice(start, start + _VOXELS_AT_ONCE)
            block = np.ascontiguousarray(e[:, part])
            for i, one in enumerate(whitenings):
                w = whiten(one, block)
                fitted = one.unit @ w
                left = np.einsum("tv,tv->v", w, w) - np.einsum("rv,rv->v", fitted, fitted)
                result[i, part] = one.log_determinants + self._df * np.log(left)
        return result


def whiten(
    one: Whitening, e: Float[np.ndarray, "n_volumes n"]
) -> Float[np.ndarray, "n_volumes n"]:
    """Whiten series.

    Parameters
    ----------
    one : Whitening
        Of the process.
    e : ndarray of shape (n_volumes, n)
        C-contiguous.

    Returns
    -------
    ndarray of shape (n_volumes, n)
        Of the type of `e`.
    """
    w = np.empty_like(e)
    _whiten(e, e.dtype.type(one.a), one.carry, one.scale, w)
    return w


def search(
    criterion: Callable[
        [Float[np.ndarray, "m 2"], Int[np.ndarray, " k"]], Float[np.ndarray, "m k"]
    ],
    n_units: int,
) -> Float[np.ndarray, "2 n_units"]:
    """Find a and b of every unit (voxel, or group of voxels) on the grid.

    Parameters
    ----------
    criterion : callable
        Takes points of shape (m, 2) and numbers of units (k,), gives an array of shape (m, k).
    n_units : int
        In all.

    Returns
    -------
    ndarray of shape (2, n_units)
        Where the criterion is smallest.
    """
    grid = _allowed(
        np.array(
            [
                (a, b)
                for a in range(0, _LARGEST_A, _COARSE)
                for b in range(-_LARGEST_B, _LARGEST_B + 1, _COARSE)
            ]
        )
    )
    values = criterion(grid / _PER_UNIT, np.arange(n_units))
    best, lowest = grid[values.argmin(axis=0)], values.min(axis=0)
    around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    for step in _FINER:
        moving = np.arange(n_units)
        for _ in range(_MOST_MOVES):
            points, label = np.unique(best[moving], axis=0, return_inverse=True)
            moved = [moving[:0]]
            for i, places in _groups(label.reshape(-1), len(points)):
                units = moving[places]
                near = _allowed(points[i] + step * around)
                values = criterion(near / _PER_UNIT, units)
                better = values.min(axis=0) < lowest[units]
                best[units[better]] = near[values[:, better].argmin(axis=0)]
                lowest[units[better]] = values[:, better].min(axis=0)
                moved.append(units[better])
            moving = np.concatenate(moved)
    return np.asarray(best.T / _PER_UNIT)


def _allowed(points: Int[np.ndarray, "m 2"]) -> Int[np.ndarray, "k 2"]:
    a, b = points.T
    inside = (a >= 0) & (a <= _LARGEST_A) & (np.abs(b) <= _LARGEST_B)
    # White noise is a = -b for every a: of these, only 0 counts.
    inside &= (a + b > 0) | ((a == 0) & (b == 0))
    return np.asarray(points[inside])


def _groups(
    label: Int[np.ndarray, " n"], n_labels: int
) -> Iterator[tuple[int, Int[np.ndarray, " k"]]]:
    order = np.argsort(label, kind="stable")
    counts = np.bincount(label, minlength=n_labels)
    for i in np.flatnonzero(counts).tolist():
        stop = int(counts[: i + 1].sum())
        yield i, order[stop - counts[i] : stop]


@njit(nogil=True)
@no_type_check
def _whiten(y, a, carry, scale, out):
    for v in range(y.shape[1]):
        out[0, v] = y[0, v] * scale[0]
    for t in range(1, y.shape[0]):
        _whiten_volume(y[t], y[t - 1], out[t - 1], out[t], a, carry[t], scale[t])


# Of its own, with numbers instead of places in arrays: only then is it vectorised.
@njit(nogil=True)
@no_type_check
def _whiten_volume(now, before, done, out, a, carry, scale):
    for v in range(now.shape[0]):
        out[v] = (now[v] - a * before[v] - carry * done[v]) * scale
