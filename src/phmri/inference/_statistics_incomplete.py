"""Statistics of outcomes with missing rows, refitted under every shuffling.

A missing datum travels with its participant: the model is fitted to the rows that some datum
comes to, and, where the model has a voxelwise baseline, that have one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.inference._kernel_incomplete import refit
from phmri.inference._shuffled_model import Layout, TileModel, orthonormal
from phmri.inference._statistics_complete import LEAST_ERROR, Block, make_pivotal_tile
from phmri.inference._statistics_data import adjust

__all__ = ["Incomplete", "Refitted", "make_incomplete"]

OUTCOMES = 1024
"""Outcomes of one matrix product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refitted:
    """Statistics of one shuffling and what they rest on.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        0 where the contrast cannot be estimated.
    df : ndarray of shape (n_outcomes,)
        Residual degrees of freedom, or Welch's.
    tested : ndarray of shape (n_outcomes,)
        Every column of the model can be estimated, with error.
    """

    statistic: Float[np.ndarray, " n_outcomes"]
    df: Float[np.ndarray, " n_outcomes"]
    tested: Bool[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomplete:
    """Outcomes with missing rows.

    Parameters
    ----------
    columns : ndarray of shape (n_outcomes,)
        Their numbers among all outcomes.
    block : Block
        Residuals of length 1, and baseline of length 1, 0 where missing.
    lacking, beside_lacking : ndarray of shape (n_rows, n_outcomes)
        Where data, and where baselines, are missing.
    """

    columns: Int[np.ndarray, " n_outcomes"]
    block: Block
    lacking: Bool[np.ndarray, "n_rows n_outcomes"]
    beside_lacking: Bool[np.ndarray, "n_rows n_outcomes"]

    def fill(
        self, layout: Layout, model: TileModel, out: Float[np.ndarray, "n_out n_all"]
    ) -> None:
        """Compute the statistics under a tile of shufflings.

        Parameters
        ----------
        layout : Layout
            What moves and what stays.
        model : TileModel
            The model of each shuffling.
        out : ndarray of shape (n_out, n_all)
            Receives the statistic of the first ``n_out`` shufflings, in the columns of these
            outcomes.
        """
        out[:, self.columns] = self._refit(layout, model, len(out))[0]

    def observe(self, layout: Layout, model: TileModel) -> Refitted:
        """Compute the statistics under the first shuffling of a tile.

        Parameters
        ----------
        layout : Layout
            What moves and what stays.
        model : TileModel
            The model of each shuffling.

        Returns
        -------
        Refitted
        """
        statistic, df, rank = self._refit(layout, model, 1)[:, 0]
        n_columns = model.basis.shape[2] + layout.with_baseline
        tested = (rank == n_columns) & (df > 0) & self.block.data.any(axis=0)
        return Refitted(
            statistic=np.where(tested, statistic, 0.0),
            df=np.where(tested, df, model.df[0]),
            tested=tested,
        )

    def _refit(
        self, layout: Layout, model: TileModel, n_out: int
    ) -> Float[np.ndarray, "3 n_out n_outcomes"]:
        found = np.empty((3, n_out, self.columns.size))
        double = np.dtype(np.float64)
        tile = make_pivotal_tile(layout, model, double, n_still=0)
        data, baseline = self.block.data, self.block.baseline
        for start in range(0, self.columns.size, OUTCOMES):
            part = slice(start, start + OUTCOMES)
            block = Block(
                data=np.ascontiguousarray(data[:, part]),
                baseline=None if baseline is None else np.ascontiguousarray(baseline[:, part]),
            )
            refit(
                tile.cross(block, n_out),
                (np.ascontiguousarray(np.swapaxes(model.basis, 1, 2)), model.groups, tile.gram),
                (
                    block.data,
                    block.data if block.baseline is None else block.baseline,
                    _list_rows(self.lacking[:, part]),
                    _list_rows(self.beside_lacking[:, part]),
                ),
                (model.order, model.sign),
                layout.n_contrasts,
                LEAST_ERROR[double],
                found[:, :, part],
            )
        return found

    def take(self, keep: Bool[np.ndarray, " n_outcomes"]) -> "Incomplete":
        """Leave outcomes out.

        Parameters
        ----------
        keep : ndarray of shape (n_outcomes,)
            Those to keep.

        Returns
        -------
        Incomplete
        """
        baseline = self.block.baseline
        return Incomplete(
            columns=self.columns[keep],
            block=Block(
                data=self.block.data[:, keep],
                baseline=None if baseline is None else baseline[:, keep],
            ),
            lacking=self.lacking[:, keep],
            beside_lacking=self.beside_lacking[:, keep],
        )


def _list_rows(
    lacking: Bool[np.ndarray, "n_rows n_outcomes"],
) -> tuple[Int[np.ndarray, " n_starts"], Int[np.ndarray, " n_lacking"]]:
    """List the rows of every outcome: from starts[v] to starts[v + 1]."""
    counts = np.count_nonzero(lacking, axis=0)
    return np.concatenate([[0], np.cumsum(counts)]), np.nonzero(lacking.T)[1]


def make_incomplete(
    layout: Layout,
    model: TileModel,
    columns: Int[np.ndarray, " n_outcomes"],
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None,
) -> tuple[Incomplete, Float[np.ndarray, "n_rows n_outcomes"]]:
    """Take the nuisance out of outcomes with missing rows.

    Parameters
    ----------
    layout : Layout
        What moves and what stays.
    model : TileModel
        Its first model is that of the data as they are.
    columns : ndarray of shape (n_outcomes,)
        Numbers of these outcomes among all.
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where missing.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        NaN where missing.

    Returns
    -------
    incomplete : Incomplete
        With residuals of nuisance and baseline.
    full : ndarray of shape (n_rows, n_outcomes)
        Residuals of the whole model.
    """
    Z, D = layout.nuisance, model.basis[0][:, layout.nuisance.shape[1] :]
    known = np.isfinite(Y)
    beside_known, beside = np.ones(Y.shape, dtype=bool), np.zeros(Y.shape)
    if baseline is not None:
        beside_known = np.isfinite(baseline)
        for rows, members in _patterns(beside_known):
            alone = np.empty((np.count_nonzero(rows), 0))
            unit = adjust(baseline[np.ix_(rows, members)], None, orthonormal(Z[rows]), alone)
            beside[np.ix_(rows, members)] = unit.null
        known &= beside_known
    null, full = np.zeros((2, *Y.shape))
    for rows, members in _patterns(known):
        nuisance = orthonormal(Z[rows])
        left = D[rows] - nuisance @ (nuisance.T @ D[rows])
        here = np.ix_(rows, members)
        adjusted = adjust(
            Y[here],
            None if baseline is None else baseline[here],
            nuisance,
            orthonormal(left),
        )
        null[here], full[here] = adjusted.null, adjusted.full
    incomplete = Incomplete(
        columns=columns,
        block=Block(data=null, baseline=None if baseline is None else beside),
        lacking=~known,
        beside_lacking=~beside_known,
    )
    return incomplete, full


def _patterns(
    known: Bool[np.ndarray, "n_rows n_outcomes"],
) -> Iterator[tuple[Bool[np.ndarray, " n_rows"], Int[np.ndarray, " n_members"]]]:
    """Give every set of rows that outcomes have, and the outcomes that have it."""
    packed = np.packbits(known, axis=0)
    _, which = np.unique(packed, axis=1, return_inverse=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
        yield known[:, members[0]], members
