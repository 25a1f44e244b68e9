"""Effects of one model on a common axis: a blockade with its margin, an effect early and late."""

import math

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.report._beside_records import BlockadeContent, ContrastContent, RatioContent
from phmri.report._blockade import bracketed
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import (
    FAINT,
    INK,
    MUTED,
    STYLE,
    finish,
    new_figure,
    panel_title,
)

__all__ = ["plot_blockade", "plot_persistence"]

_WIDTH = 10.0
_NAMED = 34
_FARTHEST = (-150.0, 250.0)
"""Percent: ends of a confidence set beyond these are drawn as an arrow."""
_SURE = 0.5


@mpl.rc_context(STYLE)
def plot_blockade(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw the three effects of a blockade with its margin, and the percentage removed.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        With a blockade.

    Returns
    -------
    Figure
        Left: effects with intervals on one axis, the margin as a band around zero; the thick bar
        is the interval that is compared with the margin. Right: the confidence set of the
        percentage removed in the form it has, and the bootstrap interval below it.

    Raises
    ------
    ValueError
        The question has no blockade.
    """
    blockade = question.beside.blockade
    if blockade is None:
        raise ValueError("a question without a blockade cannot be drawn")
    claim = question.claim
    hollow = claim.outcome != "scalar"
    figure = new_figure(_WIDTH, 2.3)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1.0])
    rows = {
        "Effect of the drug": blockade.drug,
        "What remained": blockade.pretreated,
        "What was removed": blockade.difference,
    }
    if blockade.margin is not None:
        left.axvspan(-blockade.margin, blockade.margin, color=FAINT, alpha=0.8, linewidth=0)
    _draw_effects(left, rows, hollow=hollow)
    if blockade.equivalence is not None:
        _, low, high = blockade.equivalence
        left.plot([low, high], [1, 1], color=INK, linewidth=4.5, solid_capstyle="butt")
    left.set_xlabel(f"Effect ({claim.unit})")
    margin = f"; band: margin ± {blockade.margin:g}" if blockade.margin is not None else ""
    panel_title(left, f"Effects ± {100 * claim.confidence:g} % CI{margin}")
    _draw_share(right, blockade)
    panel_title(right, f"Share removed, {100 * claim.confidence:g} % set")
    return finish(figure, simulated=content.simulated)


@mpl.rc_context(STYLE)
def plot_persistence(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw an effect early and late, and the difference.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        With a persistence whose effects are known.

    Returns
    -------
    Figure
        Each with its interval, on one axis.

    Raises
    ------
    ValueError
        The question has no persistence, or its effects have no intervals.
    """
    persistence, claim = question.beside.persistence, question.claim
    if persistence is None or not persistence.effects:
        raise ValueError("a question without the effects of two sessions cannot be drawn")
    early, late = persistence.effects
    figure = new_figure(0.62 * _WIDTH, 2.1)
    axes = figure.subplots()
    rows = {
        f"Effect at {persistence.early_session}": early,
        f"Effect at {persistence.late_session}": late,
        "Difference": persistence.waning,
    }
    _draw_effects(axes, rows, hollow=claim.outcome != "scalar")
    axes.set_xlabel(f"Effect ({claim.unit})")
    panel_title(axes, f"Effects ± {100 * claim.confidence:g} % CI")
    return finish(figure, simulated=content.simulated)


def _draw_effects(axes: Axes, rows: dict[str, ContrastContent], *, hollow: bool) -> None:
    """Draw one row per effect, the first on top."""
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    for place, contrast in enumerate(rows.values()):
        axes.plot([contrast.ci_low, contrast.ci_high], [place] * 2, color=INK, linewidth=1.6)
        axes.plot(
            [contrast.effect], [place], marker="D", markersize=6.5, color=INK, linestyle="none",
            markerfacecolor="white" if hollow else INK, zorder=4,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_label(role, one) for role, one in rows.items()])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _label(role: str, contrast: ContrastContent) -> str:
    name = bracketed(contrast.name)
    if len(name) > _NAMED:
        name = name.replace(" − ", "\n− ", 1)
    return f"{role}\n{name}"


def _draw_share(axes: Axes, blockade: BlockadeContent) -> None:
    low, high = _range(blockade)
    axes.set_xlim(low, high)
    axes.set_ylim(1.5, -0.5)
    for place in (0.0, 100.0):
        axes.axvline(place, color=MUTED, linewidth=0.8, linestyle=":" if place else "-")
    _draw_set(axes, blockade.attenuation, (low, high))
    labels = ["Fieller"]
    if blockade.bootstrap is not None:
        _draw_piece(axes, *blockade.bootstrap, place=1, limits=(low, high))
        labels.append("Bootstrap\n(BCa)")
        axes.set_yticks([0, 1], labels)
    else:
        axes.set_yticks([0], labels)
        axes.set_ylim(0.8, -0.8)
    axes.tick_params(axis="y", length=0, pad=10)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_xlabel("Removed (% of the drug's effect)")


def _range(blockade: BlockadeContent) -> tuple[float, float]:
    """Choose how far the axis of percentages goes."""
    ratio = blockade.attenuation
    shown = [0.0, 100.0, ratio.low, ratio.high, *(blockade.bootstrap or ())]
    if ratio.kind != "none":
        shown.append(ratio.estimate)
    within = [
        min(max(value, _FARTHEST[0]), _FARTHEST[1])
        for value in shown
        if value is not None and math.isfinite(value)
    ]
    room = 0.12 * (max(within) - min(within))
    return min(within) - room, max(within) + room


def _draw_set(axes: Axes, ratio: RatioContent, limits: tuple[float, float]) -> None:
    """Draw a confidence set by its form: what lies between its ends, or all but that."""
    if ratio.kind == "none" or math.isnan(ratio.estimate):
        axes.text(sum(limits) / 2, 0, "no estimate", ha="center", va="center", color=MUTED)
        return
    if ratio.low is None or ratio.high is None:
        _draw_piece(axes, -math.inf, math.inf, place=0, limits=limits)
    elif ratio.kind == "complement":
        _draw_piece(axes, -math.inf, ratio.low, place=0, limits=limits)
        _draw_piece(axes, ratio.high, math.inf, place=0, limits=limits)
    else:
        _draw_piece(axes, ratio.low, ratio.high, place=0, limits=limits)
    sure = ratio.kind == "bounded" and ratio.g is not None and ratio.g < _SURE
    if limits[0] <= ratio.estimate <= limits[1]:
        axes.plot(
            [ratio.estimate], [0], marker="D", markersize=6.5, color=INK, linestyle="none",
            markerfacecolor=INK if sure else "white", zorder=4,
        )  # fmt: skip


def _draw_piece(
    axes: Axes, low: float, high: float, *, place: int, limits: tuple[float, float]
) -> None:
    """Draw an interval; an end beyond the axis becomes an arrow."""
    first, last = max(low, limits[0]), min(high, limits[1])
    if first > last:  # all of it is beyond: the arrow alone
        first = last = limits[0] if high < limits[0] else limits[1]
    axes.plot([first, last], [place] * 2, color=INK, linewidth=1.6, solid_capstyle="butt")
    for beyond, end, marker in ((low < first, first, "<"), (high > last, last, ">")):
        if beyond:
            axes.plot(
                [end], [place], marker=marker, markersize=6, color=INK, linestyle="none",
                clip_on=False,
            )  # fmt: skip
