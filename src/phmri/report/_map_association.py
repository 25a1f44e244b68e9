"""Associations with other maps: what is said of them, and every parcel against every map."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.report._association import correlation_symbol, format_signed, method_name
from phmri.report._figures import Picture, Pictures
from phmri.report._map_records import (
    MapAssociationContent,
    MapAssociationResult,
    MapAssociationRow,
)
from phmri.report._records import ReportContent
from phmri.report._style import ACCENT, FAINT, INK, MUTED, STYLE, finish, new_figure, panel_title
from phmri.report._text import Bibliography, join_sentences, relate_pvalue
from phmri.report._trial import question_anchor

__all__ = ["MapAssociationBlock", "make_map_association", "plot_map_association"]

_COLUMNS = 4
_PANEL_IN = (2.3, 2.1)
_MARGIN_IN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAssociationBlock:
    """An association with maps as the page shows it.

    Parameters
    ----------
    anchor : str
    question_anchor : str
        Of the question whose effect is compared.
    result : MapAssociationResult
    symbol : str
        Of the correlation.
    lines : tuple of (str, str)
    notes : tuple of Markup
    pictures : tuple of Picture
    """

    anchor: str
    question_anchor: str
    result: MapAssociationResult
    symbol: str
    lines: tuple[tuple[str, str], ...]
    notes: tuple[Markup, ...]
    pictures: tuple[Picture, ...]


def make_map_association(
    content: ReportContent,
    association: MapAssociationContent,
    pictures: Pictures,
    bibliography: Bibliography,
) -> MapAssociationBlock:
    """Make the section of an association with maps.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    association : MapAssociationContent
    pictures : Pictures
    bibliography : Bibliography

    Returns
    -------
    MapAssociationBlock
    """
    result = association.result
    drawn: tuple[Picture, ...] = ()
    if result.verdict != "refused":
        drawn = pictures.of_figure(
            plot_map_association(content, association),
            title=f"{result.name}: every parcel.",
            caption=f"{result.label} ({result.unit}) against each map, in the unit of its file. "
            "The line is a guide for the eye; red where the corrected p is at most "
            f"{result.alpha:g}.",
            alternative=result.sentence,
        )
    return MapAssociationBlock(
        anchor=question_anchor(result.name).replace("question", "map-association", 1),
        question_anchor=question_anchor(result.question),
        result=result,
        symbol=correlation_symbol(result.statistic),
        lines=_lines(result),
        notes=tuple(bibliography.cite(note) for note in join_sentences(result.notes)),
        pictures=drawn,
    )


def _lines(result: MapAssociationResult) -> tuple[tuple[str, str], ...]:
    lines = [
        ("Effect", f"{result.label} ({result.unit})" if result.label else ""),
        ("Correlation", method_name(result.statistic)),
        ("Over", f"{result.n_places:,} parcels" if result.n_places else ""),
    ]
    if result.index is not None:
        lines += [
            ("Chance", f"{result.n_surrogates:,} surrogate maps of the effect"),
            ("Autocorrelation", f"Moran's I = {format_signed(result.index)} of the effect"),
        ]
    return tuple((term, text) for term, text in lines if text)


@mpl.rc_context(STYLE)
def plot_map_association(content: ReportContent, association: MapAssociationContent) -> Figure:
    """Draw the effect of every parcel against its value in every map.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    association : MapAssociationContent
        That was answered.

    Returns
    -------
    Figure
        One panel per map, in the order of the protocol.
    """
    rows = association.result.rows
    n_across = min(_COLUMNS, len(rows))
    n_down = -(-len(rows) // n_across)
    figure = new_figure(_PANEL_IN[0] * n_across + _MARGIN_IN, _PANEL_IN[1] * n_down + _MARGIN_IN)
    panels = figure.subplots(n_down, n_across, sharey=True, squeeze=False)
    effect = np.array(association.effect)
    for axes, row in zip(panels.flat, rows, strict=False):
        values = np.array(association.maps[row.name])
        _draw_panel(axes, values, effect, row, association.result)
    for axes in panels.flat[len(rows) :]:
        axes.set_visible(False)
    figure.supylabel(f"Effect ({association.result.unit})", fontsize=8.0, color=INK)
    return finish(figure, simulated=content.simulated)


def _draw_panel(
    axes: Axes,
    values: np.ndarray,
    effect: np.ndarray,
    row: MapAssociationRow,
    result: MapAssociationResult,
) -> None:
    axes.axhline(0.0, color=MUTED, linewidth=0.6)
    axes.scatter(values, effect, s=12, color=INK, alpha=0.55, linewidth=0)
    slope = float(np.cov(values, effect)[0, 1] / np.var(values, ddof=1))
    ends = np.array([values.min(), values.max()])
    colour = ACCENT if row.found else MUTED
    axes.plot(ends, effect.mean() + slope * (ends - values.mean()), color=colour, linewidth=1.2)
    axes.grid(color=FAINT, linewidth=0.5)
    number = f"{correlation_symbol(result.statistic)} = {format_signed(row.correlation)}"
    panel_title(axes, row.name)
    axes.set_xlabel(f"{number}, corrected p {relate_pvalue(row.pvalue_corrected)}")
