"""The drug: its concentration during the runs, and the course of the signal beside it."""

import math
from collections import Counter
from dataclasses import replace
from itertools import zip_longest

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.report._beside_records import CourseContent
from phmri.report._records import ExposureContent, QuestionContent, ReportContent
from phmri.report._style import (
    INK,
    MUTED,
    STYLE,
    Look,
    finish,
    make_looks,
    new_figure,
    panel_title,
)
from phmri.report._trial import group_order
from phmri.report._values import mean_interval

__all__ = ["plot_course", "plot_exposures"]

_WIDTH = 10.0
_HEIGHT = 2.9
_IN_A_ROW = 3


@mpl.rc_context(STYLE)
def plot_exposures(content: ReportContent) -> Figure:
    """Draw every concentration curve that measures use, over the runs.

    Parameters
    ----------
    content : ReportContent
        With at least one exposure.

    Returns
    -------
    Figure
        One panel per exposure, three in a row: thin lines for the runs under the treatment, a
        thick one for the typical participant under the planned doses.
    """
    n = len(content.exposures)
    n_rows = math.ceil(n / _IN_A_ROW)
    figure = new_figure(_WIDTH, _HEIGHT * n_rows)
    panels = figure.subplots(
        n_rows, min(n, _IN_A_ROW), squeeze=False, gridspec_kw={"hspace": 0.12}
    )
    for axes in panels.flat[n:]:
        axes.remove()
    for axes, exposure in zip(panels.flat, content.exposures, strict=False):
        _draw_exposure(axes, exposure)
    for axes in panels[:, 0]:
        axes.set_ylabel("Concentration (ng/mL)")
    return finish(figure, simulated=content.simulated)


def _draw_exposure(axes: Axes, exposure: ExposureContent) -> None:
    for times, values in exposure.curves:
        axes.plot(times, values, color=MUTED, linewidth=0.5, alpha=0.5)
    axes.plot(*exposure.typical, color=INK, linewidth=1.6)
    axes.axvline(0.0, color=MUTED, linewidth=0.7, linestyle=":")
    axes.set_xlabel("Minutes from the start of the infusion")
    axes.set_ylim(bottom=0.0)
    panel_title(axes, exposure.name)


@mpl.rc_context(STYLE)
def plot_course(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw the course of the signal over the infusion, at the place of the question's answer.

    Parameters
    ----------
    content : ReportContent
    question : QuestionContent
        With a course.

    Returns
    -------
    Figure
        The mean of every treatment with its interval; beside it the difference in each bin, where
        the same people had both.

    Raises
    ------
    ValueError
        The question has no course.
    """
    course = question.beside.course
    if course is None:
        raise ValueError("a question without a course cannot be drawn")
    _, looks = make_looks(content.protocol, group_order(content))
    contrast = content.protocol.questions[question.claim.question].contrast
    sides = [name for name in contrast if name in course.values]
    confidence = question.claim.confidence
    difference = _differences(course, sides)
    figure = new_figure(_WIDTH, _HEIGHT)
    panels = figure.subplots(1, 2 if difference else 1, squeeze=False, sharey=True)[0]
    plain = Look(label="", colour=INK, marker="o")
    for name in (item for item in content.protocol.treatments if item in course.values):
        look = looks.get(name, replace(plain, label=name))
        _draw_mean(panels[0], course, course.values[name], confidence, look)
    panels[0].set_ylabel(course.unit)
    figure.legend(loc="outside lower left", ncols=len(course.values))
    panel_title(panels[0], f"Mean of each treatment ± {100 * confidence:g} % CI")
    if difference:
        first, second = (looks[name].label for name in sides)
        _draw_mean(panels[1], course, difference, confidence, plain)
        panel_title(panels[1], f"{first} minus {second},\nwithin people ({_count(difference)})")
        panels[1].tick_params(labelleft=True)
    for panel in panels:
        panel.axhline(0.0, color=MUTED, linewidth=0.7)
        panel.axvline(0.0, color=MUTED, linewidth=0.7, linestyle=":")
        panel.set_xlabel("Minutes from the start of the infusion")
    return finish(figure, simulated=content.simulated)


def _draw_mean(
    axes: Axes,
    course: CourseContent,
    values: dict[str, tuple[float, ...]],
    confidence: float,
    look: Look,
) -> None:
    columns = [
        [value for value in column if value is not None]
        for column in zip_longest(*values.values())
    ]
    mean, low, high = np.array([mean_interval(column, confidence) for column in columns]).T
    edges = np.array(course.edges_min)[: len(columns) + 1]
    middles = (edges[1:] + edges[:-1]) / 2
    axes.plot(
        middles,
        mean,
        color=look.colour,
        marker=look.marker,
        markersize=3.5,
        linewidth=1.2,
        label=f"{look.label} ({_count(values)})" if look.label else None,
    )
    axes.fill_between(middles, low, high, color=look.colour, alpha=0.18, linewidth=0)
    axes.vlines(middles, low, high, color=look.colour, alpha=0.35, linewidth=0.8)


def _count(values: dict[str, tuple[float, ...]]) -> str:
    """Count participants, and those whose run reaches the last bin."""
    reach = Counter(map(len, values.values()))
    last = reach[max(reach)]
    return f"n = {len(values)}" + (f", at the end {last}" if last < len(values) else "")


def _differences(course: CourseContent, sides: list[str]) -> dict[str, tuple[float, ...]]:
    """Subtract the second side from the first in everyone who had both."""
    if len(sides) != 2:  # noqa: PLR2004 - a difference
        return {}
    first, second = (course.values[name] for name in sides)
    return {
        subject: tuple(a - b for a, b in zip(first[subject], second[subject], strict=False))
        for subject in first
        if subject in second
    }
