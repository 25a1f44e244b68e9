"""Voxels of a run in blocks, each split into what the design spans and what is left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int

from phmri.firstlevel.glm._design import Design
from phmri.threads import map_threads

__all__ = ["Block", "Blocks", "for_each"]

_Result = TypeVar("_Result")

_NOTHING_LEFT = 1e-12
_COLUMNS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Voxels that vary, split by a design: y = Q z + e.

    Parameters
    ----------
    voxels : ndarray of shape (n,)
        Their places in the brain.
    z : ndarray of shape (rank, n)
        Q'y.
    e : ndarray of shape (n_volumes, n)
        Residuals of ordinary least squares.
    """

    voxels: Int[np.ndarray, " n"]
    z: Float[np.ndarray, "rank n"]
    e: Float[np.ndarray, "n_volumes n"]


class Blocks:
    """Access to a run's voxels.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        Data.
    design : Design
        That splits them.
    """

    def __init__(self, Y: Float[np.ndarray, "n_volumes n_voxels"], design: Design) -> None:
        self._Y = Y
        self._basis = design.basis.astype(Y.dtype)
        self._of_one = design.basis.sum(axis=0)  # Q'1: what a constant adds to Q'y
        self.dtype, self.n_voxels = Y.dtype, Y.shape[1]

    def take(self, voxels: Int[np.ndarray, " n"]) -> Block:
        """Read some voxels and split them.

        Parameters
        ----------
        voxels : ndarray of shape (n,)
            Rising places in the brain.

        Returns
        -------
        Block
            Those of them that vary around the design.
        """
        Q = self._basis
        whole = voxels.size and voxels[-1] - voxels[0] + 1 == voxels.size
        y = self._Y[:, voxels[0] : voxels[-1] + 1] if whole else self._Y.take(voxels, axis=1)
        first = y[0].astype(np.float64)
        e = y - y[0]  # exact zeros where a voxel does not vary, and no large mean in float32
        z = Q.T @ e
        for start in range(0, voxels.size, _COLUMNS):
            part = slice(start, start + _COLUMNS)
            e[:, part] -= Q @ z[:, part]
        left, fitted = np.einsum("tv,tv->v", e, e), np.einsum("rv,rv->v", z, z)
        z = z.astype(np.float64) + np.outer(self._of_one, first)
        varies = left > _NOTHING_LEFT * fitted
        if not varies.all():
            voxels, z, e = voxels[varies], z[:, varies], np.ascontiguousarray(e[:, varies])
        return Block(voxels=voxels, z=z, e=e)


def for_each(
    work: Callable[[Int[np.ndarray, " n"]], _Result],
    voxels: Int[np.ndarray, " n_voxels"],
    *,
    size: int,
    n_threads: int,
) -> Sequence[_Result]:
    """Do something with every block.

    Parameters
    ----------
    work : callable
        Takes the voxels of a block.
    voxels : ndarray of shape (n_voxels,)
        Rising places in the brain.
    size : int
        Voxels per block.
    n_threads : int
        Blocks at one time; the linear algebra within has one thread each.

    Returns
    -------
    sequence
        What `work` gave, in order.
    """
    parts = [voxels[start : start + size] for start in range(0, voxels.size, size)]
    return map_threads(work, parts, n_threads)
