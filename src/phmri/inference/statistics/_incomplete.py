"""Statistics of outcomes with missing rows, refitted under every shuffling.

A missing datum travels with its participant: the model is fitted to the rows that some datum
comes to, and, where the model has a voxelwise baseline, that have one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.inference.statistics._complete import LEAST_ERROR, Block, make_pivotal_tile
from phmri.inference.statistics._data import adjust, has_still_group
from phmri.inference.statistics._kernel_incomplete import refit
from phmri.inference.statistics._shuffled_model import Layout, TileModel, orthonormal

__all__ = ["Incomplete", "IncompleteBlock", "Refitted", "make_incomplete"]

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
class IncompleteBlock:
    """Some outcomes with missing rows, ready to be shuffled.

    Parameters
    ----------
    block : Block
        Residuals of length 1, and baseline of length 1, 0 where missing.
    rows, rows_beside : ndarray of shape (n_outcomes, n_most)
        Rows of each outcome that lack data, and those that lack a baseline, ended by -1.
    """

    block: Block
    rows: Int[np.ndarray, "n_outcomes n_most"]
    rows_beside: Int[np.ndarray, "n_outcomes n_most_beside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomplete:
    """Outcomes with missing rows.

    Parameters
    ----------
    columns : ndarray of shape (n_outcomes,)
        Their numbers among all outcomes.
    blocks : tuple of IncompleteBlock
        The outcomes, in their order.
    """

    columns: Int[np.ndarray, " n_outcomes"]
    blocks: tuple[IncompleteBlock, ...]

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
        out[:, self.columns] = self.refit(layout, model, len(out))[0]

    def refit(
        self, layout: Layout, model: TileModel, n_out: int
    ) -> Float[np.ndarray, "3 n_out n_outcomes"]:
        """Fit the model anew to every outcome under a tile of shufflings.

        Parameters
        ----------
        layout : Layout
            What moves and what stays.
        model : TileModel
            The model of each shuffling.
        n_out : int
            How many of these.

        Returns
        -------
        ndarray of shape (3, n_out, n_outcomes)
            The statistic (0 where the contrast cannot be estimated), its degrees of freedom, and
            the number of columns that can be estimated.
        """
        double = np.dtype(np.float64)
        tile = make_pivotal_tile(layout, model, double, n_still=0)
        columns = np.ascontiguousarray(np.swapaxes(model.basis, 1, 2))
        groups = np.ascontiguousarray(model.groups)
        shuffling = (np.argsort(model.order, axis=1), model.order, model.sign)
        found = []
        for part in self.blocks:
            data, baseline = part.block.data, part.block.baseline
            statistics = np.empty((3, n_out, data.shape[1]))
            refit(
                tile.cross(part.block, n_out),
                (columns, groups, tile.gram, tile.size),
                (data, data if baseline is None else baseline, part.rows, part.rows_beside),
                shuffling,
                layout.n_contrasts,
                LEAST_ERROR[double],
                statistics,
            )
            found.append(statistics)
        return np.concatenate(found, axis=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrays:
    """Outcomes with missing rows, before they are cut into blocks."""

    null: Float[np.ndarray, "n_rows n_outcomes"]
    full: Float[np.ndarray, "n_rows n_outcomes"]
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None
    known: Bool[np.ndarray, "n_rows n_outcomes"]
    beside_known: Bool[np.ndarray, "n_rows n_outcomes"]


def _cut(
    arrays: _Arrays,
    columns: Int[np.ndarray, " n_all"],
    keep: Int[np.ndarray, " n_kept"],
    *,
    whole_model: bool,
) -> Incomplete:
    """Cut the outcomes to keep into blocks."""
    data = arrays.full if whole_model else arrays.null
    baseline = arrays.baseline
    blocks = []
    for start in range(0, keep.size, OUTCOMES):
        here = keep[start : start + OUTCOMES]
        block = Block(
            data=np.ascontiguousarray(data[:, here]),
            baseline=None if baseline is None else np.ascontiguousarray(baseline[:, here]),
        )
        rows, rows_beside = ~arrays.known[:, here], ~arrays.beside_known[:, here]
        blocks.append(
            IncompleteBlock(
                block=block, rows=_list_rows(rows), rows_beside=_list_rows(rows_beside)
            )
        )
    return Incomplete(columns=columns[keep], blocks=tuple(blocks))


def make_incomplete(
    layout: Layout,
    model: TileModel,
    columns: Int[np.ndarray, " n_outcomes"],
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None,
    *,
    whole_model: bool,
) -> tuple[Incomplete, Refitted]:
    """Take the nuisance out of outcomes with missing rows, and observe them.

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
    whole_model : bool
        Residuals of the whole model are shuffled, instead of those of nuisance and baseline.

    Returns
    -------
    incomplete : Incomplete
        Outcomes that can be tested.
    refitted : Refitted
        What was observed in all of them.
    """
    arrays = _adjust_patterns(layout, model, Y, baseline)
    everything = _cut(arrays, columns, np.arange(columns.size), whole_model=False)
    statistic, df, rank = everything.refit(layout, model, 1)[:, 0]
    n_columns = model.basis.shape[2] + layout.with_baseline
    tested = (rank == n_columns) & (df > 0) & arrays.null.any(axis=0)
    if layout.n_groups > 1:
        tested &= ~has_still_group(arrays.full, np.asarray(model.groups[0]))
    refitted = Refitted(
        statistic=np.where(tested, statistic, 0.0),
        df=np.where(tested, df, model.df[0]),
        tested=tested,
    )
    return _cut(arrays, columns, np.flatnonzero(tested), whole_model=whole_model), refitted


def _adjust_patterns(
    layout: Layout,
    model: TileModel,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None,
) -> _Arrays:
    """Adjust together the outcomes that lack the same rows."""
    Z, D = layout.nuisance, model.basis[0][:, layout.nuisance.shape[1] :]
    known = np.isfinite(Y)
    beside_known, beside = np.ones(Y.shape, dtype=bool), None
    if baseline is not None:
        beside_known, beside = np.isfinite(baseline), np.zeros(Y.shape)
        for rows, members in _patterns(beside_known):
            here = np.ix_(rows, members)
            no_directions = np.empty((np.count_nonzero(rows), 0))
            beside[here] = adjust(baseline[here], None, orthonormal(Z[rows]), no_directions).null
        known &= beside_known
    null, full = np.zeros((2, *Y.shape))
    for rows, members in _patterns(known):
        here = np.ix_(rows, members)
        nuisance = orthonormal(Z[rows])
        directions = orthonormal(D[rows] - nuisance @ (nuisance.T @ D[rows]))
        own = None if baseline is None else baseline[here]
        adjusted = adjust(Y[here], own, nuisance, directions)
        null[here], full[here] = adjusted.null, adjusted.full
    return _Arrays(null=null, full=full, baseline=beside, known=known, beside_known=beside_known)


def _list_rows(
    lacking: Bool[np.ndarray, "n_rows n_outcomes"],
) -> Int[np.ndarray, "n_outcomes n_most"]:
    """List the rows of every outcome, ended by -1."""
    counts = np.count_nonzero(lacking, axis=0)
    rows = np.full((lacking.shape[1], int(counts.max(initial=0)) + 1), -1, dtype=np.int64)
    outcome, row = np.nonzero(lacking.T)
    rows[outcome, np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts)] = row
    return rows


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
