"""Parcels and edges: one mark per outcome, or a matrix."""

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.exceptions import OutputError, Problem
from phmri.inference import Claim
from phmri.report._correction import own_df, passes, statistic_axis, threshold_marks
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import DIVERGING, FAINT, INK, MUTED, STYLE, finish, new_figure

__all__ = ["plot_outcomes"]

_LINES = 40
_LABELLED = 60
_NAMED = 8
_ENDS = 2


@mpl.rc_context(STYLE)
def plot_outcomes(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw the statistic of every parcel or edge of a question.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        With ``t_values``, ``p_values`` and ``names``.

    Returns
    -------
    Figure
        Up to 40 outcomes: one line each, by name. More edges: the lower triangle of a matrix.
        More parcels: one dot each in the order given, the strongest named. Outcomes whose
        corrected p is at most alpha are filled or ringed.

    Raises
    ------
    OutputError
        If there are no statistics, or not one name and one p-value for each.
    """
    counts = [len(part) for part in (question.t_values, question.names, question.p_values)]
    if not counts[0] or len(set(counts)) > 1:
        raise OutputError(
            Problem(
                what="There are no named statistics to draw",
                field=f"questions.{question.claim.question}.t_values",
                found="{} statistics, {} names and {} p-values".format(*counts),
                expected="at least one statistic, and one name and one p-value for each",
            )
        )
    values = np.array(question.t_values, dtype=float)
    nodes = _nodes(question.names)
    if len(values) <= _LINES:
        figure = _plot_lines(question, values)
    elif nodes is not None:
        figure = _plot_matrix(question, values, nodes)
    else:
        figure = _plot_dots(question, values)
    return finish(figure, simulated=content.simulated)


def _nodes(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """List the ends of edges ``A~B`` in their order; None when these are not edges."""
    pairs = [name.split("~") for name in names]
    if any(len(pair) != _ENDS for pair in pairs):
        return None
    firsts = dict.fromkeys(pair[0] for pair in pairs)
    return tuple(firsts | dict.fromkeys(pair[1] for pair in pairs))


def _passes(question: QuestionContent) -> Bool[np.ndarray, " n_outcomes"]:
    tested = np.isfinite(np.array(question.t_values, dtype=float))
    passing: Bool[np.ndarray, " n_outcomes"] = tested & passes(
        np.array(question.p_values, dtype=float), question.claim
    )
    return passing


def _limit(values: Float[np.ndarray, " n_outcomes"], claim: Claim) -> float:
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 1.0
    return max(largest, *map(abs, threshold_marks(claim)), 1e-6)


def _colours(
    values: Float[np.ndarray, " n_outcomes"], limit: float
) -> Float[np.ndarray, "n_outcomes 4"]:
    scaled = np.where(np.isfinite(values), values, 0.0) / limit
    colours: Float[np.ndarray, "n_outcomes 4"] = mpl.colormaps[DIVERGING](0.5 + 0.5 * scaled)
    return colours


def _plot_lines(question: QuestionContent, values: Float[np.ndarray, " n_outcomes"]) -> Figure:
    claim = question.claim
    figure = new_figure(7.5, 0.75 + 0.2 * len(values))
    axes = figure.add_subplot()
    limit = _limit(values, claim)
    places = np.arange(len(values))
    axes.hlines(places, 0, np.where(np.isfinite(values), values, 0.0), color=MUTED, linewidth=1)
    passes = _passes(question)
    for chosen, filled in ((passes, True), (~passes & np.isfinite(values), False)):
        axes.scatter(
            values[chosen],
            places[chosen],
            s=34,
            facecolor=_colours(values[chosen], limit) if filled else "white",
            edgecolor=INK if filled else MUTED,
            linewidth=0.9,
            zorder=3,
        )
    _draw_limits(axes, claim, vertical=True)
    axes.set_yticks(places, [name.replace("~", " – ") for name in question.names])
    axes.set(ylim=(len(values) - 0.4, -0.6), xlim=(-1.12 * limit, 1.12 * limit))
    axes.set_xlabel(statistic_axis(claim, one_df=not own_df(question)))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    return figure


def _draw_limits(axes: Axes, claim: Claim, *, vertical: bool) -> None:
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=MUTED, linewidth=0.7)
    for mark in threshold_marks(claim):
        draw(mark, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))


def _plot_dots(question: QuestionContent, values: Float[np.ndarray, " n_outcomes"]) -> Figure:
    claim = question.claim
    figure = new_figure(10.0, 3.0)
    axes = figure.add_subplot()
    limit = _limit(values, claim)
    passes = _passes(question)
    places = np.arange(1, len(values) + 1)
    axes.vlines(places, 0, np.where(np.isfinite(values), values, 0), color=FAINT, linewidth=0.8)
    axes.scatter(
        places,
        values,
        s=np.where(passes, 26, 11),
        facecolor=np.where(passes[:, None], _colours(values, limit), mpl.colors.to_rgba(MUTED)),
        edgecolor=[INK if passing else "none" for passing in passes],
        linewidth=0.7,
        zorder=3,
    )
    _draw_limits(axes, claim, vertical=False)
    strongest = np.argsort(-np.where(np.isfinite(values), np.abs(values), -1))[:_NAMED]
    for place in strongest:
        if passes[place]:
            axes.annotate(
                question.names[place],
                (float(places[place]), float(values[place])),
                xytext=(4, 3 if values[place] > 0 else -8),
                textcoords="offset points",
                fontsize=6.5,
            )
    axes.set(xlim=(0, len(values) + 1), ylim=(-1.2 * limit, 1.2 * limit))
    axes.set_xlabel("Outcome, in the order of the parcellation")
    axes.set_ylabel(statistic_axis(claim, one_df=not own_df(question)))
    return figure


def _plot_matrix(
    question: QuestionContent, values: Float[np.ndarray, " n_outcomes"], nodes: tuple[str, ...]
) -> Figure:
    claim = question.claim
    place = {name: index for index, name in enumerate(nodes)}
    matrix = np.full((len(nodes), len(nodes)), np.nan)
    marked = []
    passes = _passes(question)
    for name, value, passing in zip(question.names, values, passes, strict=True):
        low, high = sorted(place[end] for end in name.split("~"))
        matrix[high, low] = value
        if passing:
            marked.append((low + 0.5, high + 0.5))
    size = min(8.6, 3.0 + 0.13 * len(nodes))
    figure = new_figure(size + 0.9, size)
    axes = figure.add_subplot()
    limit = _limit(values, claim)
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(matrix), cmap=DIVERGING, vmin=-limit, vmax=limit, rasterized=True
    )
    if marked:
        xs, ys = zip(*marked, strict=True)
        dot = min(22.0, (size * 72 / len(nodes) * 0.35) ** 2)
        for colour, width in (("white", 2.4), (INK, 0.9)):  # a halo, seen on dark cells
            axes.scatter(xs, ys, s=dot, facecolor="none", edgecolor=colour, linewidth=width)
    step = 1 if len(nodes) <= _LABELLED else -(-len(nodes) // _LABELLED)
    kept = range(0, len(nodes), step)
    columns, rows = [k for k in kept if k + 1 < len(nodes)], [k for k in kept if k]
    axes.set_xticks([k + 0.5 for k in columns], [nodes[k] for k in columns], rotation=90)
    axes.set_yticks([k + 0.5 for k in rows], [nodes[k] for k in rows])
    axes.tick_params(length=0, labelsize=6.5 if len(nodes) <= _LABELLED // 2 else 5.5)
    axes.set(xlim=(0, len(nodes) - 1), ylim=(len(nodes), 1), aspect="equal")
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, shrink=0.5, aspect=28, pad=0.02, anchor=(0, 1))
    bar.set_label(statistic_axis(claim, one_df=not own_df(question)))
    for mark in threshold_marks(claim):
        bar.ax.axhline(mark, color="black", linewidth=1.2)
    return figure
