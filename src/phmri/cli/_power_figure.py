"""Power as a figure: a panel per topic, and both designs side by side."""

import io
import math
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.cli._power_tables import topic_title
from phmri.simulation import power

__all__ = ["draw_power"]

_COLOURS = ("#56B4E9", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_INK, _MUTED = "#1f2933", "#66727f"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": _MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.labelcolor": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "phmri",
}
_ACROSS, _WIDTH, _HEIGHT = 3, 3.4, 3.0
_WRAP = 42


def draw_power(study: power.PowerStudy, kind: Literal["png", "svg"]) -> bytes:
    """Draw power curves of every topic, and a parallel trial beside a crossover.

    Parameters
    ----------
    study : PowerStudy
    kind : {"png", "svg"}

    Returns
    -------
    bytes
        Equal studies give equal bytes.
    """
    drawn = [found for found in study.topics if found.curves]
    pairs = _first_pairings(study)
    n_rows = math.ceil(len(drawn) / _ACROSS) + len(pairs)
    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(_ACROSS * _WIDTH, max(n_rows, 1) * _HEIGHT + 0.5), layout="constrained"
        )
        figure.suptitle(
            f"{study.name}: power of simulated or assumed data", x=0.01, ha="left", fontsize=10
        )
        grid = figure.add_gridspec(max(n_rows, 1), _ACROSS)
        for place, found in enumerate(drawn):
            axes = figure.add_subplot(grid[place // _ACROSS, place % _ACROSS])
            _draw_topic(axes, found, study.plan.target)
        first = math.ceil(len(drawn) / _ACROSS)
        for row, (measure, members) in enumerate(pairs.items()):
            for column, design in enumerate(("parallel", "crossover")):
                axes = figure.add_subplot(grid[first + row, column])
                _draw_pairing(axes, measure, members, design, study.plan.target)
        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def _first_pairings(study: power.PowerStudy) -> dict[str, list[power.Pairing]]:
    """Sort what is compared by kind of measure, at the correlation that is planned with."""
    found: dict[str, list[power.Pairing]] = {}
    for one in study.pairings:
        members = found.setdefault(one.measure, [])
        if not members or one.correlation == members[0].correlation:
            members.append(one)
    return found


def _prepare(axes: Axes, title: str, target: float) -> None:
    lines, line = [], ""
    for word in title.split():
        if len(line) + len(word) > _WRAP:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    axes.set_title("\n".join([*lines, line]), pad=12)
    axes.axhline(target, color=_MUTED, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_ylabel("power")


def _draw_topic(axes: Axes, found: power.TopicPower, target: float) -> None:
    topic = found.topic
    _prepare(axes, topic_title(topic), target)
    symbol = "r" if topic.about == "correlation" else "dz"
    for place, (curve, colour) in enumerate(zip(found.curves, _COLOURS, strict=False)):
        style = "-" if topic.closed is not None else (0, (1, 1.2))
        label = f"{symbol} {curve.effect:.2f}\n{curve.size}"
        axes.plot(curve.n, curve.power, color=colour, linestyle=style, linewidth=1.4, label=label)
        points = [row for row in found.rows if row.size == curve.size and row.simulated]
        for row in points:
            if row.simulated is None:
                continue
            low, high = row.simulated.interval
            at = row.n * (1 + 0.01 * (place - 1))
            axes.plot([at, at], [low, high], color=colour, linewidth=1.0)
            axes.plot(at, row.simulated.power, "o", color=colour, markersize=3.2)
    if topic.planned is not None:
        axes.axvline(topic.planned, color=_MUTED, linewidth=0.7)
        axes.text(
            topic.planned,
            1.01,
            f"planned {topic.planned}",
            transform=axes.get_xaxis_transform(),
            fontsize=6.5,
            color=_MUTED,
            ha="center",
        )
    axes.set_xlim(0, topic.ns[-1] * 1.03)
    axes.set_xlabel(f"participants {topic.unit}")
    _below(axes)


def _below(axes: Axes) -> None:
    # Curves fill every corner of some panel.
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
        ncols=len(axes.get_legend_handles_labels()[0]),
        fontsize=6.5,
        columnspacing=1.0,
        handlelength=1.4,
    )


def _draw_pairing(
    axes: Axes, measure: str, members: list[power.Pairing], design: str, target: float
) -> None:
    n_treatments = members[0].n_treatments
    words = f"{n_treatments} arms" if design == "parallel" else f"{n_treatments} periods"
    _prepare(axes, f"{design}, {words}: {measure}, R {members[0].correlation:g}", target)
    for one, colour in zip(members, _COLOURS, strict=False):
        values = one.parallel if design == "parallel" else one.crossover
        need = "none"
        if one.need is not None:
            n = (
                one.need.parallel_participants
                if design == "parallel"
                else one.need.crossover_participants
            )
            need = f"{n:,}"
        label = f"dz {one.size.value:.2f}\n{need} for {target:.0%}"
        axes.plot(one.participants, values, color=colour, linewidth=1.4, label=label)
    axes.set_xlim(0, members[0].participants[-1])
    axes.set_xlabel("participants in all")
    _below(axes)
