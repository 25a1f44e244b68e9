"""The statistic of every outcome under any shuffling of its rows."""

from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import InferenceError
from phmri.group import UnitDesign
from phmri.inference.shuffling._source import Shufflings
from phmri.inference.statistics._complete import Block, PivotalTile, StudentTile, make_tile
from phmri.inference.statistics._data import (
    adjust,
    find_misfits,
    has_still_group,
    is_covered,
    to_ranks,
)
from phmri.inference.statistics._incomplete import Incomplete, make_incomplete
from phmri.inference.statistics._shuffled_model import Layout, TileModel, make_layout, meet
from phmri.inference.statistics._welch import welch_df
from phmri.protocol import Inference

__all__ = ["TILE", "StatisticModel", "make_statistic"]

TILE = 16
"""Shufflings of one matrix product. Fewer are padded, so that its shape is always the same."""
OUTCOMES = 2048
"""Outcomes of one matrix product: data and results stay in a core's cache."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticModel:
    """Outcomes and model, ready to give maps of the statistic under shufflings.

    Parameters
    ----------
    name : {"t", "F", "v", "G"}
        Student's t, or Aspin and Welch's v with a residual variance per group; F and G of several
        contrasts. Of ranks, t and F keep their names.
    observed : ndarray of shape (n_outcomes,)
        Of the data as they are, in float64; t and v with their sign, 0 where not tested.
    df : float or ndarray of shape (n_outcomes,)
        Residual degrees of freedom; Welch and Satterthwaite's for v and G.
    df1 : int
        Independent rows of the contrast.
    tested : ndarray of shape (n_outcomes,)
        Otherwise the outcome or its baseline does not vary, the model does not fit or fits
        without error (v and G: a group), or coverage is too little.
    n_per_outcome : ndarray of shape (n_outcomes,)
        Rows that have data.
    dtype : dtype
        Of the maps.
    layout : Layout
        What moves and what stays.
    blocks : tuple of Block
        All outcomes, `OUTCOMES` each; those with missing rows and those not tested are 0.
    incomplete : Incomplete or None
        Tested outcomes with missing rows.
    keeps_identity : bool
        Shuffled residuals of the whole model have no effect left; the identity has.
    """

    name: Literal["t", "F", "v", "G"]
    observed: Float[np.ndarray, " n_outcomes"]
    df: float | Float[np.ndarray, " n_outcomes"]
    df1: int
    tested: Bool[np.ndarray, " n_outcomes"]
    n_per_outcome: Int[np.ndarray, " n_outcomes"]
    dtype: np.dtype[np.floating]
    layout: Layout
    blocks: tuple[Block, ...]
    incomplete: Incomplete | None
    keeps_identity: bool

    def fill(
        self, shufflings: Shufflings, out: Float[np.ndarray, "n_shufflings n_outcomes"]
    ) -> None:
        """Compute maps of the statistic.

        Parameters
        ----------
        shufflings : Shufflings
            At most `TILE`, of the design's exchangeability.
        out : ndarray of shape (n_shufflings, n_outcomes)
            Receives one map per shuffling; of `dtype`.

        Notes
        -----
        A map is the same, bit for bit, whatever shufflings come with it. Several threads may
        fill at once, each with BLAS limited to one thread.
        """
        padded = np.minimum(np.arange(TILE), len(shufflings.order) - 1)
        order, sign = shufflings.order[padded], shufflings.sign[padded]
        model = meet(self.layout, order, sign)
        tile = make_tile(self.layout, model, self.dtype)
        for number, block in enumerate(self.blocks):
            tile.fill(block, out, number * OUTCOMES)
        if self.incomplete is not None:
            self.incomplete.fill(self.layout, model, out)
        if self.keeps_identity:
            still = (shufflings.order == np.arange(order.shape[1])) & (shufflings.sign == 1)
            out[still.all(axis=1)] = self.observed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """What the preparation of every block needs."""

    layout: Layout
    model: TileModel
    tile: StudentTile | PivotalTile
    groups: tuple[str, ...]
    settings: Inference
    whole_model: bool
    dtype: np.dtype[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A block and what was observed in it; outcomes that lack rows are left as they came."""

    block: Block
    observed: Float[np.ndarray, " n_block"]
    df: Float[np.ndarray, " n_block"]
    tested: Bool[np.ndarray, " n_block"]
    n_used: Int[np.ndarray, " n_block"]
    lacking: Int[np.ndarray, " n_lacking"]
    Y: Float[np.ndarray, "n_rows n_lacking"]
    baseline: Float[np.ndarray, "n_rows n_lacking"] | None


def make_statistic(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    *,
    single: bool,
) -> StatisticModel:
    r"""Prepare the statistic of a design for shuffling.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcomes; NaN where a participant has no data, if ``settings.min_coverage`` is below 1.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one.
    settings : Inference
        ``statistic``, ``nuisance`` and ``min_coverage`` are read.
    single : bool
        Maps in float32, with products taken in it; otherwise float64 throughout.

    Returns
    -------
    StatisticModel

    Raises
    ------
    InferenceError
        When data and design do not fit, values are not finite, or the contrast cannot be
        estimated.

    Notes
    -----
    With the residuals :math:`e` of the model without the contrast, Freedman and Lane [1]_ fit the
    whole model to :math:`Pe`; ter Braak [2]_ takes :math:`e` of the whole model; Draper and
    Stoneman [3]_ fit :math:`[Px, Z]` to the data. ``rank`` replaces outcomes, and baselines, by
    their ranks over participants first; without covariates that is Wilcoxon's test.

    References
    ----------
    .. [1] Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354; Winkler et al. (2014),
       doi:10.1016/j.neuroimage.2014.01.060.
    .. [2] ter Braak (1992), doi:10.1007/978-3-642-48850-4_10.
    .. [3] Draper and Stoneman (1966), as in Winkler et al. (2014), table 2.
    """
    layout = make_layout(design, settings)
    problems = find_misfits(design, layout, Y, baseline, settings)
    if problems:
        raise InferenceError(*problems)
    n_planned = len(design.X)
    identity = np.tile(np.arange(n_planned), (TILE, 1))
    model = meet(layout, identity, np.ones((TILE, n_planned)))
    setting = _Setting(
        layout=layout,
        model=model,
        tile=make_tile(layout, model, np.dtype(np.float64)),
        groups=tuple(np.array(design.groups)[layout.present].tolist()),
        settings=settings,
        whole_model=settings.nuisance == "ter_braak" and not layout.moves_labels,
        dtype=np.dtype(np.float32 if single else np.float64),
    )
    n_outcomes = Y.shape[1]
    parts = []
    for start in range(0, n_outcomes, OUTCOMES):
        part = slice(start, start + OUTCOMES)
        beside = None if baseline is None else baseline[layout.present, part].astype(np.float64)
        parts.append(_prepare(setting, Y[layout.present, part].astype(np.float64), beside))
    found = _add_incomplete(setting, _join(setting, parts), parts)
    if found.name != "v":
        return found
    rows = layout.present
    beside = None if baseline is None else baseline[rows].astype(np.float64)
    members = np.asarray(model.groups[0])
    df = welch_df(model.basis[0], members, Y[rows].astype(np.float64), beside, found.tested)
    return replace(found, df=df)


def _prepare(
    setting: _Setting,
    Y: Float[np.ndarray, "n_rows n_block"],
    baseline: Float[np.ndarray, "n_rows n_block"] | None,
) -> _Prepared:
    """Observe a block of outcomes and take from them what shuffling does not need."""
    layout = setting.layout
    known = np.isfinite(Y) if baseline is None else np.isfinite(Y) & np.isfinite(baseline)
    if setting.settings.statistic == "rank":
        Y = to_ranks(np.where(known, Y, np.nan))
        baseline = None if baseline is None else to_ranks(baseline)
    complete = known.all(axis=0)
    covered = is_covered(known, setting.groups, setting.settings.min_coverage)
    lacking = np.flatnonzero(covered & ~complete)
    k = layout.nuisance.shape[1]
    adjusted = adjust(
        np.where(complete, Y, 0.0),
        None if baseline is None else np.where(complete, baseline, 0.0),
        layout.nuisance,
        setting.model.basis[0][:, k:],
    )
    observed = np.empty((1, Y.shape[1]))
    df = np.full(Y.shape[1], setting.model.df[0])
    tested = ~adjusted.degenerate
    if layout.n_groups > 1:
        tested &= ~has_still_group(adjusted.full, np.asarray(setting.model.groups[0]))
    block = Block(data=adjusted.null, baseline=adjusted.baseline)
    if isinstance(setting.tile, PivotalTile):
        uneven = np.empty(observed.shape)
        setting.tile.fill(block, observed, 0, uneven)
        s = layout.n_contrasts
        tested &= np.isfinite(uneven[0]) & (uneven[0] > 0)
        df[tested] = s * (s + 2) / (3 * uneven[0, tested])
    else:
        setting.tile.fill(block, observed, 0)
    data = adjusted.full if setting.whole_model else adjusted.null
    beside = adjusted.baseline
    return _Prepared(
        block=Block(
            data=np.where(tested, data, 0.0).astype(setting.dtype),
            baseline=None if beside is None else beside.astype(setting.dtype),
        ),
        observed=np.where(tested, observed[0], 0.0),
        df=df,
        tested=tested,
        n_used=np.count_nonzero(known, axis=0),
        lacking=lacking,
        Y=Y[:, lacking],
        baseline=None if baseline is None else baseline[:, lacking],
    )


def _join(setting: _Setting, parts: list[_Prepared]) -> StatisticModel:
    """Put blocks together, as if no outcome with missing rows were tested."""
    layout = setting.layout
    joint = layout.n_contrasts > 1
    student = layout.n_groups == 1
    df = np.concatenate([part.df for part in parts])
    return StatisticModel(
        name=("F" if joint else "t") if student else ("G" if joint else "v"),
        observed=np.concatenate([part.observed for part in parts]),
        df=float(df[0]) if student else df,
        df1=layout.n_contrasts,
        tested=np.concatenate([part.tested for part in parts]),
        n_per_outcome=np.concatenate([part.n_used for part in parts]),
        dtype=setting.dtype,
        layout=layout,
        blocks=tuple(part.block for part in parts),
        incomplete=None,
        keeps_identity=setting.whole_model,
    )


def _add_incomplete(
    setting: _Setting, complete: StatisticModel, parts: list[_Prepared]
) -> StatisticModel:
    """Add the outcomes with missing rows."""
    columns = np.concatenate([k * OUTCOMES + part.lacking for k, part in enumerate(parts)])
    if not columns.size:
        return complete
    beside = [part.baseline for part in parts if part.baseline is not None]
    incomplete, found = make_incomplete(
        setting.layout,
        setting.model,
        columns,
        np.hstack([part.Y for part in parts]),
        np.hstack(beside) if beside else None,
        whole_model=setting.whole_model,
    )
    observed, tested = complete.observed, complete.tested
    df = np.broadcast_to(np.asarray(complete.df), observed.shape).copy()
    observed[columns], tested[columns], df[columns] = found.statistic, found.tested, found.df
    if not found.tested.any():
        return replace(complete, df=df)
    return replace(complete, df=df, incomplete=incomplete)
