"""Associations with a scale: what is said of them, and the scatter of every participant."""

import math
from collections.abc import Sequence
from dataclasses import replace

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.protocol import Protocol
from phmri.report._across_records import (
    AssociationContent,
    CircularContent,
    PredictionContent,
)
from phmri.report._records import ReportContent
from phmri.report._style import FAINT, INK, STYLE, Look, finish, make_looks, new_figure
from phmri.report._text import format_number, format_pvalue, plural, relate_pvalue
from phmri.report._trial import group_order, group_word

__all__ = [
    "association_lines",
    "circular_lines",
    "correlation_symbol",
    "correlation_words",
    "format_signed",
    "method_name",
    "plot_association",
    "scatter_caption",
]

_FEW = 3
"""Participants of a group below which no line is drawn through them."""


def method_name(method: str) -> str:
    """Call a correlation by its name.

    Parameters
    ----------
    method : str
        ``pearson`` or ``spearman``.

    Returns
    -------
    str
    """
    return {"pearson": "Pearson's r", "spearman": "Spearman's rank correlation"}[method]


def correlation_symbol(method: str) -> str:
    """Give the symbol of a correlation.

    Parameters
    ----------
    method : str
        ``pearson`` or ``spearman``.

    Returns
    -------
    str
    """
    return {"pearson": "r", "spearman": "rho"}[method]


def correlation_words(association: AssociationContent) -> str:
    """Write a correlation with its interval.

    Parameters
    ----------
    association : AssociationContent

    Returns
    -------
    str
        Empty where there is none.
    """
    if association.r is None:
        return ""
    mark = "†" if association.place else ""
    text = f"{correlation_symbol(association.method)} = {format_signed(association.r)}{mark}"
    if association.ci_low is not None and association.ci_high is not None:
        text += (
            f", {100 * association.confidence:g} % CI {format_signed(association.ci_low)} to "
            f"{format_signed(association.ci_high)}"
        )
    return text


def format_signed(value: float) -> str:
    """Write a correlation or a share of variance with its sign.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
        Two decimals.
    """
    text = format_number(value)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def association_lines(association: AssociationContent) -> tuple[tuple[str, str], ...]:
    """List what an association is made of, and its numbers.

    Parameters
    ----------
    association : AssociationContent

    Returns
    -------
    tuple of (str, str)
        Term and its text.
    """
    other = {"pearson": "By ranks (Spearman)", "spearman": "By values (Pearson)"}
    over = f" over {association.corrected_over}" if association.corrected_over else ""
    lines = (
        ("Outcome", association.x_label),
        ("Score", association.y_label),
        ("Selected at", association.place),
        ("Method", method_name(association.method)),
        ("Adjusted for", ", ".join(association.partial)),
        ("Participants", str(association.n)),
        ("Pairs", str(association.n_pairs or "")),
        ("Correlation", correlation_words(association)),
        ("p, this outcome alone", _p(association.pvalue)),
        (f"p corrected{over}", _p(association.pvalue_corrected)),
        (other[association.method], _rank_p(association.pvalue_rank)),
        ("Prediction", _prediction(association.prediction, association.partial)),
    )
    return tuple((term, text) for term, text in lines if text)


def _p(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else format_pvalue(value)


def _rank_p(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"p {relate_pvalue(value)}"


def _prediction(prediction: PredictionContent | None, partial: Sequence[str]) -> str:
    if prediction is None:
        return ""
    text = (
        f"R² = {format_signed(prediction.r2)} in participants who taught nothing "
        f"({prediction.model}, {plural(prediction.folds, 'fold')})"
    )
    if not math.isnan(prediction.pvalue):
        text += f", p {relate_pvalue(prediction.pvalue)} by shuffling"
    if prediction.r2 <= 0:
        text += "; no better than the mean score"
    if prediction.r2_in_sample is not None:
        fitted = format_signed(prediction.r2_in_sample)
        text += f". In the data it was fitted to, R² would be {fitted}"
    if partial:
        text += f". Not adjusted: what it foretells may be {', '.join(partial)}"
    return f"{text}."


def circular_lines(circular: CircularContent) -> tuple[str, ...]:
    """Say what a circular analysis would have claimed, and what is left of it.

    Parameters
    ----------
    circular : CircularContent

    Returns
    -------
    tuple of str
        Sentences.
    """
    if not circular.n_selected:
        return (f"Nothing: no outcome passed the selection ({circular.threshold}).",)
    said = [
        (
            f"r = {format_signed(circular.max_r_in_map)} at the strongest outcome, and "
            f"{format_signed(circular.mean_r_selected)} on average over "
            f"{plural(circular.n_selected, 'outcome')} selected by the same data "
            f"({circular.threshold})."
        )
    ]
    if circular.null_r is not None:
        said.append(
            "With nothing to find, the same selection gives an average of about "
            f"{format_signed(circular.null_r)}."
        )
    if circular.honest_r is not None:
        said.append(
            "With every participant's outcomes selected without that participant: r = "
            f"{format_signed(circular.honest_r)}."
        )
    return tuple(said)


def scatter_caption(protocol: Protocol, association: AssociationContent) -> str:
    """Say what the scatter shows, and what the correlation holds that its points do not.

    Parameters
    ----------
    protocol : Protocol
    association : AssociationContent

    Returns
    -------
    str
    """
    item = association
    said = [f"{method_name(item.method)}: {correlation_words(item) or 'not estimated'}."]
    if item.place:
        said.append(f"† At {item.place}, selected for its height.")
    taken = list(item.partial)
    if item.part != "within" and len(item.points) > 1:
        taken.insert(0, f"a mean of each {group_word(protocol)}")
    if taken:
        said.append(f"Out of the correlation, but not the points, was taken: {', '.join(taken)}.")
    said.append("Lines: least squares of the drawn points of each group, a guide for the eye.")
    return " ".join(said)


@mpl.rc_context(STYLE)
def plot_association(content: ReportContent, association: AssociationContent) -> Figure:
    """Draw every participant's outcome and score.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    association : AssociationContent
        With points.

    Returns
    -------
    Figure
        One colour per group; the lines are a guide for the eye.
    """
    group_looks, treatment_looks = make_looks(content.protocol, group_order(content))
    looks = treatment_looks | group_looks
    figure = new_figure(6.0, 4.2)
    axes = figure.subplots()
    for group, (x, y, _) in association.points.items():
        look = looks.get(group, Look(label=group, colour=INK, marker="o"))
        counted = f"{len(x)} pairs" if association.part == "within" else f"n = {len(x)}"
        named = replace(look, label=f"{group} ({counted})")
        _draw_group(axes, named, np.array(x, dtype=float), np.array(y, dtype=float))
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_xlabel(association.x_label)
    axes.set_ylabel(association.y_label)
    if association.points:
        figure.legend(loc="outside upper left", ncols=min(3, len(association.points)))
    return finish(figure, simulated=content.simulated, beside_legend=bool(association.points))


def _draw_group(axes: Axes, look: Look, x: np.ndarray, y: np.ndarray) -> None:
    axes.scatter(
        x, y, s=22, color=look.colour, marker=look.marker, alpha=0.65, linewidth=0,
        label=look.label,
    )  # fmt: skip
    if x.size < _FEW or not np.ptp(x):
        return
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, y.mean() + slope * (ends - x.mean()), color=look.colour, linewidth=1.2)
