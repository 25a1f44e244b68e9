"""One look for every figure: type, colours of arms and treatments, the mark of simulated data."""

import base64
import io
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.protocol import Parallel, Protocol

__all__ = [
    "ACCENT",
    "DIVERGING",
    "FAINT",
    "INK",
    "MUTED",
    "STYLE",
    "Look",
    "data_uri",
    "finish",
    "make_looks",
    "new_figure",
    "panel_title",
]

INK = "#1f2933"
MUTED = "#66727f"
FAINT = "#d9dee3"
ACCENT = "#b42318"
DIVERGING = "RdBu_r"
"""Blue and red stay apart for the colour-blind; white is no effect."""

_PLACEBO = "#5f6b76"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c6d31")
"""After Okabe and Ito; the darker ones first."""
_MARK = 0.2
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "text.parse_math": False,
    "text.hinting": "none",  # a layout at one resolution holds at all, and in SVG
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "phmri",
    "svg.fonttype": "path",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How an arm, sequence or treatment is drawn, everywhere.

    Parameters
    ----------
    label : str
    colour : str
    marker : str
    """

    label: str
    colour: str
    marker: str


def make_looks(
    protocol: Protocol, groups: tuple[str, ...]
) -> tuple[dict[str, Look], dict[str, Look]]:
    """Give every group and every treatment one colour and one marker.

    Parameters
    ----------
    protocol : Protocol
    groups : tuple of str
        Arms or sequences in their order, with those that the data hold beside the design's.

    Returns
    -------
    group_looks : dict of str to Look
    treatment_looks : dict of str to Look
        In a parallel trial an arm and its treatment look the same.
    """
    free = iter(zip(_COLOURS * 9, _MARKERS[1:] * 9, strict=False))
    placebo_taken = False

    def look(label: str, treatment: str | None) -> Look:
        nonlocal placebo_taken
        record = protocol.treatments.get(treatment) if treatment is not None else None
        if record is not None and not record.doses and not placebo_taken:
            placebo_taken = True
            return Look(label=label, colour=_PLACEBO, marker=_MARKERS[0])
        colour, marker = next(free)
        return Look(label=label, colour=colour, marker=marker)

    treatments: dict[str, Look] = {}
    arms: dict[str, Look] = {}
    design = protocol.design
    if isinstance(design, Parallel):
        for group in groups:
            arm = design.arms.get(group)
            arms[group] = look(group, arm.treatment if arm else None)
            if arm is not None and arm.treatment not in treatments:
                treatments[arm.treatment] = arms[group]
        return arms, treatments
    for name, record in protocol.treatments.items():
        treatments[name] = look(record.label or name, name)
    for group in groups:
        arms[group] = look(group, None)
    return arms, treatments


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that no global state knows of.

    Parameters
    ----------
    width, height : float
        Inches.

    Returns
    -------
    Figure
    """
    return Figure(figsize=(width, height), layout="constrained")


def panel_title(axes: Axes, text: str, *, colour: str = INK) -> None:
    """Write a panel's title at its upper left.

    Parameters
    ----------
    axes : Axes
    text : str
    colour : str, optional
    """
    axes.set_title(text, color=colour, pad=5)


def finish(figure: Figure, *, simulated: bool, beside_legend: bool = False) -> Figure:
    """Mark a figure of simulated data as such.

    Parameters
    ----------
    figure : Figure
    simulated : bool
    beside_legend : bool, default False
        A legend at the upper left has made room already.

    Returns
    -------
    Figure
        The same one.
    """
    if simulated:
        if not beside_legend:
            _make_room(figure)
        figure.text(
            0.998,
            0.995,
            "SIMULATED DATA",
            ha="right",
            va="top",
            fontsize=7.5,
            fontweight="bold",
            color=ACCENT,
        )
    return figure


def _make_room(figure: Figure) -> None:
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + _MARK)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - _MARK / (height + _MARK)))  # type: ignore[call-arg]


def data_uri(figure: Figure, kind: Literal["svg", "png"], *, dpi: int = 150) -> str:
    """Encode a figure for an ``img`` element; equal figures give equal text.

    Parameters
    ----------
    figure : Figure
    kind : {"svg", "png"}
    dpi : int, optional
        Of a PNG, or of the pixels inside an SVG.

    Returns
    -------
    str
        A ``data:`` address.
    """
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context(STYLE):
        engine = figure.get_layout_engine()
        if engine is not None:
            # Else `savefig` draws the whole figure once more, unseen, for this alone.
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    return f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
