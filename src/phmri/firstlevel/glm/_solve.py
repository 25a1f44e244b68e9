r"""Normal equations of generalised least squares, and what contrasts come to.

The data are :math:`y = Q z + e`. With the precision A of the noise (up to its variance),
:math:`Q^\top A Q = L L^\top`, :math:`x = L^{-1} Q^\top A e` and :math:`h = L^{-1} D^\top`, a
contrast D of the basis is

.. math:: D\theta = D z + h^\top x, \qquad \mathrm{cov} = s^2 h^\top h, \qquad
          s^2 = (e^\top A e - x^\top x) / df.

Because e holds only what the design leaves, x is small, and float32 sums are safe.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from phmri.firstlevel.glm._design import Design
from phmri.firstlevel.glm._records import ContrastEstimate

__all__ = [
    "Equations",
    "Estimates",
    "Solution",
    "solve_each",
    "solve_equations",
    "solve_shared",
    "squared_distance",
]

_LANES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Equations:
    """Solved normal equations of some voxels of a block.

    Parameters
    ----------
    where : ndarray of shape (n,)
        Their places in the block.
    half : ndarray of shape (rank, n_rows) or (rank, n_rows, n)
        h of all rows of contrasts: one for all voxels, or one each.
    x : ndarray of shape (rank, n)
        As above.
    square : ndarray of shape (n,)
        e'Ae.
    """

    where: Int[np.ndarray, " n"]
    half: Float[np.ndarray, "rank n_rows *each"]
    x: Float[np.ndarray, "rank n"]
    square: Float[np.ndarray, " n"]


def solve_shared(
    gram: Float[np.ndarray, "rank rank"], rows: Float[np.ndarray, "n_rows rank"]
) -> tuple[Float[np.ndarray, "rank rank"], Float[np.ndarray, "rank n_rows"]]:
    """Invert the factor of one matrix of normal equations.

    Parameters
    ----------
    gram : ndarray of shape (rank, rank)
        Q'AQ.
    rows : ndarray of shape (n_rows, rank)
        Contrasts.

    Returns
    -------
    inverse_factor : ndarray of shape (rank, rank)
        The inverse of L.
    half : ndarray of shape (rank, n_rows)
        h.
    """
    inverse_factor = np.linalg.inv(np.linalg.cholesky(gram))
    return inverse_factor, inverse_factor @ rows.T


def solve_each(
    weights: Float[np.ndarray, "terms n"],
    terms: Float[np.ndarray, "terms rank rank"],
    u: Float[np.ndarray, "rank n"],
    rows: Float[np.ndarray, "n_rows rank"],
) -> tuple[Float[np.ndarray, "rank n"], Float[np.ndarray, "rank n_rows n"]]:
    """Solve normal equations whose matrix differs from voxel to voxel.

    Parameters
    ----------
    weights : ndarray of shape (n_terms, n)
        Of the terms, per voxel.
    terms : ndarray of shape (n_terms, rank, rank)
        Matrices whose weighted sum is Q'AQ.
    u : ndarray of shape (rank, n)
        Q'Ae.
    rows : ndarray of shape (n_rows, rank)
        Contrasts.

    Returns
    -------
    x : ndarray of shape (rank, n)
        As above.
    half : ndarray of shape (rank, n_rows, n)
        h of every voxel.
    """
    rank, n = u.shape
    flat = np.ascontiguousarray(terms.reshape(len(terms), -1).T)
    x, half = np.empty_like(u), np.empty((rank, len(rows), n))
    for start in range(0, n, _LANES):
        part = slice(start, start + _LANES)
        stack = (flat @ weights[:, part]).reshape(rank, rank, -1)
        right = np.concatenate(
            [u[:, None, part], np.repeat(rows.T[:, :, None], stack.shape[2], axis=2)], axis=1
        )
        _factor(stack)
        _solve(stack, right)
        x[:, part], half[:, :, part] = right[:, 0], right[:, 1:]
    return x, half


# Voxels run innermost, so that every step of the factorisation is one over many voxels.
@njit(nogil=True)
@no_type_check
def _subtract(target, left, right):
    for v in range(target.shape[0]):
        target[v] -= left[v] * right[v]


@njit(nogil=True)
@no_type_check
def _factor(stack):
    """Put the factor in the place of the matrix, with 1 over its diagonal on the diagonal."""
    for j in range(stack.shape[0]):
        pivot = stack[j, j]
        for k in range(j):
            for i in range(j, stack.shape[0]):
                _subtract(stack[i, j], stack[i, k], stack[j, k])
        for v in range(pivot.shape[0]):
            pivot[v] = 1.0 / np.sqrt(pivot[v])
        for i in range(j + 1, stack.shape[0]):
            for v in range(pivot.shape[0]):
                stack[i, j, v] *= pivot[v]


@njit(nogil=True)
@no_type_check
def _solve(stack, right):
    for i in range(stack.shape[0]):
        pivot = stack[i, i]
        for c in range(right.shape[1]):
            for k in range(i):
                _subtract(right[i, c], stack[i, k], right[k, c])
            for v in range(pivot.shape[0]):
                right[i, c, v] *= pivot[v]


def squared_distance(
    covariance: Float[np.ndarray, "*each q q"], effect: Float[np.ndarray, "q n"]
) -> Float[np.ndarray, " n"]:
    """Give the squared length of an effect in units of its covariance.

    Parameters
    ----------
    covariance : ndarray of shape (q, q) or (n, q, q)
        One for all voxels, or one each.
    effect : ndarray of shape (q, n)
        Of every voxel.

    Returns
    -------
    ndarray of shape (n,)
        effect' covariance^-1 effect.
    """
    if covariance.ndim == 2:  # noqa: PLR2004  one matrix for all
        weighted = np.linalg.solve(covariance, effect)
    else:
        weighted = np.linalg.solve(covariance, effect.T[:, :, None])[:, :, 0].T
    return np.asarray((effect * weighted).sum(axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What the contrasts come to in some voxels.

    Parameters
    ----------
    voxels : ndarray of shape (n,)
        Their places in the brain.
    effect, spread : ndarray of shape (n_rows, n)
        Of every row of contrasts, and its sampling variance.
    variance : ndarray of shape (n,)
        Of the noise.
    statistic : dict of str to ndarray of shape (n,)
        t or F of every contrast.
    """

    voxels: Int[np.ndarray, " n"]
    effect: Float[np.ndarray, "n_rows n"]
    spread: Float[np.ndarray, "n_rows n"]
    variance: Float[np.ndarray, " n"]
    statistic: dict[str, Float[np.ndarray, " n"]]


def solve_equations(
    design: Design,
    equations: Equations,
    z: Float[np.ndarray, "rank n_in_block"],
    voxels: Int[np.ndarray, " n_in_block"],
) -> Solution:
    """Say what contrasts come to.

    Parameters
    ----------
    design : Design
        What is fitted.
    equations : Equations
        Of some voxels of a block.
    z : ndarray of shape (rank, n_in_block)
        Q'y of the block.
    voxels : ndarray of shape (n_in_block,)
        Places of the block's voxels in the brain.

    Returns
    -------
    Solution
        Of those voxels.
    """
    half, x = equations.half, equations.x
    each = half.ndim > 2  # noqa: PLR2004  a matrix per voxel
    variance = (equations.square - np.einsum("rv,rv->v", x, x)) / design.df
    gain = np.einsum("rcv,rv->cv", half, x) if each else half.T @ x
    effect = design.rows @ z[:, equations.where] + gain
    unit = (half * half).sum(axis=0)
    spread = (unit if each else unit[:, None]) * variance
    statistic = {}
    for name, part in design.contrasts.items():
        size = part.stop - part.start
        if size == 1:
            statistic[name] = effect[part.start] / np.sqrt(spread[part.start])
            continue
        own = half[:, part]
        gram = own.transpose(2, 1, 0) @ own.transpose(2, 0, 1) if each else own.T @ own
        statistic[name] = squared_distance(gram, effect[part]) / (size * variance)
    return Solution(
        voxels=voxels[equations.where],
        effect=effect,
        spread=spread,
        variance=variance,
        statistic=statistic,
    )


class Estimates:
    """Contrasts of all voxels, filled block by block.

    Parameters
    ----------
    design : Design
        What is fitted.
    n_voxels : int
        In all.
    """

    def __init__(self, design: Design, n_voxels: int) -> None:
        self._design = design
        self.variance = np.full(n_voxels, np.nan)
        self._effect = np.full((len(design.rows), n_voxels), np.nan)
        self._spread = np.full((len(design.rows), n_voxels), np.nan)
        self._statistic = {name: np.full(n_voxels, np.nan) for name in design.contrasts}

    def note(self, solution: Solution) -> None:
        """Note what contrasts come to.

        Parameters
        ----------
        solution : Solution
            Of some voxels.
        """
        target = solution.voxels
        self.variance[target] = solution.variance
        self._effect[:, target] = solution.effect
        self._spread[:, target] = solution.spread
        for name, statistic in solution.statistic.items():
            self._statistic[name][target] = statistic

    def contrasts(self) -> dict[str, ContrastEstimate]:
        """Give the contrasts.

        Returns
        -------
        dict of str to ContrastEstimate
            In every voxel.
        """
        return {
            name: ContrastEstimate(
                name=name,
                effect=self._effect[part],
                variance=self._spread[part],
                statistic=self._statistic[name],
                df=float(self._design.df),
            )
            for name, part in self._design.contrasts.items()
        }
