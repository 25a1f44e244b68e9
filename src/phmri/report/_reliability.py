"""Reliability: what is said of it, every participant twice, or every outcome and its map."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from phmri.report._anatomy import (
    bounds,
    draw_background,
    make_volume,
    mni_template,
    place_volume,
    section_title,
)
from phmri.report._figures import Picture, Pictures
from phmri.report._records import ReportContent
from phmri.report._reliability_records import (
    ReliabilityContent,
    ReliabilityNumbers,
    ReliabilityResult,
    ReliabilitySpread,
)
from phmri.report._style import FAINT, INK, MUTED, STYLE, Look, finish, make_looks, new_figure
from phmri.report._text import Bibliography, format_number, join_sentences, plural
from phmri.report._trial import group_order, question_anchor

__all__ = ["ReliabilityBlock", "make_reliability", "plot_reliability", "reliability_lines"]

_N_SLICES = 7
_COLOURS = "viridis"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBlock:
    """A reliability as the page shows it.

    Parameters
    ----------
    anchor : str
    result : ReliabilityResult
    lines : tuple of (str, str)
    notes : tuple of Markup
    pictures : tuple of Picture
    """

    anchor: str
    result: ReliabilityResult
    lines: tuple[tuple[str, str], ...]
    notes: tuple[Markup, ...]
    pictures: tuple[Picture, ...]


def make_reliability(
    content: ReportContent,
    reliability: ReliabilityContent,
    pictures: Pictures,
    bibliography: Bibliography,
) -> ReliabilityBlock:
    """Make the section of a reliability.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    reliability : ReliabilityContent
    pictures : Pictures
    bibliography : Bibliography

    Returns
    -------
    ReliabilityBlock
    """
    result = reliability.result
    drawn: tuple[Picture, ...] = ()
    if result.verdict == "estimated":
        drawn = pictures.of_figure(
            plot_reliability(content, reliability),
            title=f"{result.name}: {result.form}.",
            caption=_caption(reliability),
            alternative=result.sentence,
        )
    return ReliabilityBlock(
        anchor=question_anchor(result.name).replace("question", "reliability", 1),
        result=result,
        lines=reliability_lines(result),
        notes=tuple(bibliography.cite(note) for note in join_sentences(result.notes)),
        pictures=drawn,
    )


def reliability_lines(result: ReliabilityResult) -> tuple[tuple[str, str], ...]:
    """List what a reliability is made of, and its numbers.

    Parameters
    ----------
    result : ReliabilityResult

    Returns
    -------
    tuple of (str, str)
        Term and its text.
    """
    kinds = {
        "ICC(2,1)": "agreement, ICC(2,1): shifts that all share between sessions count against it",
        "ICC(3,1)": "consistency, ICC(3,1): shifts that all share between sessions do not count",
    }
    lines = [
        ("Outcome", f"{result.label} ({result.unit})" if result.label else ""),
        ("Measure of it", kinds.get(result.form, result.form)),
        ("Sessions", ", ".join(result.occasions)),
        ("Participants", str(result.n) if result.n else ""),
    ]
    if result.numbers is not None:
        lines += _number_lines(result, result.numbers)
    if result.spread is not None:
        lines += _spread_lines(result.spread)
    return tuple((term, text) for term, text in lines if text)


def _number_lines(result: ReliabilityResult, found: ReliabilityNumbers) -> list[tuple[str, str]]:
    parts = (found.participant, found.session, found.residual)
    total = sum(parts)
    shares = [f"{value:.3g} ({100 * value / total:.0f} %)" for value in parts]
    lines = [
        (
            result.form,
            (
                f"{format_number(found.icc)}, {100 * result.confidence:g} % CI "
                f"{format_number(found.low)} to {format_number(found.high)}"
            ),
        ),
        (
            "Variance",
            f"participants {shares[0]}, sessions {shares[1]}, error {shares[2]}",
        ),
        ("Error of measurement", f"{found.error_of_measurement:.3g} {result.unit}"),
        ("Change beyond error", f"more than {found.smallest_change:.3g} {result.unit}"),
    ]
    if found.agreement is not None:
        bias, low, high = (f"{value:+.3g}".replace("-", "−") for value in found.agreement)
        text = f"{bias} {result.unit} on average, 95 % of participants {low} to {high}"
        lines.append(("Second minus first", text))
    return lines


def _spread_lines(spread: ReliabilitySpread) -> list[tuple[str, str]]:
    people, sessions, error = (f"{share:.0f} %" for share in spread.shares)
    percentiles = ", ".join(f"{n} {format_number(v)}" for n, v in spread.percentiles.items())
    unknown = f"; {spread.n_unknown:,} do not vary" if spread.n_unknown else ""
    return [
        ("Outcomes", f"{spread.n_outcomes:,}{unknown}"),
        ("Percentiles over outcomes", percentiles),
        (
            "Variance, medians",
            f"participants {people}, sessions {sessions}, error {error}",
        ),
    ]


def _caption(reliability: ReliabilityContent) -> str:
    result = reliability.result
    if result.numbers is not None:
        first, second, *more = result.occasions
        left = f" {plural(len(more), 'further session')} not drawn." if more else ""
        return (
            f"Every participant in the sessions {first} and {second}, {result.label}. On the "
            f"line both are equal.{left}"
        )
    where = " Below: the map; negative estimates are drawn as 0." if _has_map(reliability) else ""
    return (
        f"{result.form} of every outcome; line: median.{where} Places chosen for a high value "
        "are less reliable than they look."
    )


def _has_map(reliability: ReliabilityContent) -> bool:
    return reliability.icc_map is not None and reliability.affine is not None


@mpl.rc_context(STYLE)
def plot_reliability(content: ReportContent, reliability: ReliabilityContent) -> Figure:
    """Draw every participant in two sessions, or every outcome and where it lies.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    reliability : ReliabilityContent
        That was estimated.

    Returns
    -------
    Figure
        Of one number: its second value against its first. Of several: how many have which ICC;
        of a map, axial sections of it below.
    """
    result = reliability.result
    if result.spread is None:
        figure = new_figure(5.0, 4.6)
        _draw_pairs(figure.subplots(), content, result)
        return finish(figure, simulated=content.simulated, beside_legend=True)
    icc_map, affine = reliability.icc_map, reliability.affine
    if icc_map is None or affine is None:
        figure = new_figure(6.0, 3.0)
        _draw_counts(figure.subplots(), result.form, result.spread)
        return finish(figure, simulated=content.simulated)
    figure = new_figure(10.0, 4.6)
    upper, lower = figure.subfigures(2, 1, squeeze=False)[:, 0]
    _draw_counts(upper.subplots(), result.form, result.spread)
    mni = content.protocol.space.startswith("MNI")
    panels = list(lower.subplots(1, _N_SLICES))
    _draw_sections(panels, icc_map, affine, mni=mni)
    scale = ScalarMappable(Normalize(0.0, 1.0), cmap=_COLOURS)
    bar = lower.colorbar(scale, ax=panels, location="bottom", shrink=0.32, aspect=40, pad=0.09)
    bar.outline.set_visible(False)
    bar.set_label(result.form)
    return finish(figure, simulated=content.simulated)


def _draw_pairs(axes: Axes, content: ReportContent, result: ReliabilityResult) -> None:
    group_looks, treatment_looks = make_looks(content.protocol, group_order(content))
    looks = treatment_looks | group_looks
    points = result.points or {}
    values = [value for pair in points.values() for part in pair for value in part]
    ends = [min(values), max(values)]
    axes.plot(ends, ends, color=MUTED, linewidth=0.8)
    for group, (first, second) in points.items():
        look = looks.get(group, Look(label=group, colour=INK, marker="o"))
        axes.scatter(
            first, second, s=22, color=look.colour, marker=look.marker, alpha=0.65, linewidth=0,
            label=f"{group} (n = {len(first)})",
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_xlabel(f"{result.occasions[0]} ({result.unit})")
    axes.set_ylabel(f"{result.occasions[1]} ({result.unit})")
    axes.figure.legend(loc="outside upper left", ncols=min(3, len(points)))


def _draw_counts(axes: Axes, form: str, spread: ReliabilitySpread) -> None:
    axes.stairs(spread.counts, spread.edges, fill=True, color=FAINT, edgecolor=MUTED)
    axes.axvline(spread.percentiles["median"], color=INK, linewidth=1.4)
    axes.set_xlabel(form)
    axes.set_ylabel("Outcomes")


def _draw_sections(
    panels: list[Axes],
    icc_map: Float[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    *,
    mni: bool,
) -> None:
    volume = make_volume(icc_map, affine)
    outline = np.where(np.isfinite(volume.data), 0.85, np.nan)
    background = (
        mni_template()
        if mni
        else place_volume(outline, origin_mm=volume.origin_mm, step_mm=volume.step_mm)
    )
    _, _, bottom, top = bounds(volume, "x")
    box = bounds(background, "z")
    heights = np.linspace(bottom, top, len(panels) + 2)[1:-1]
    for axes, height in zip(panels, heights.tolist(), strict=True):
        draw_background(axes, "z", height, background=background)
        axes.imshow(
            np.clip(volume.section("z", height), 0.0, 1.0), extent=volume.extent("z"),
            origin="lower", interpolation="nearest", cmap=_COLOURS, vmin=0.0, vmax=1.0, zorder=3,
        )  # fmt: skip
        axes.set(xlim=box[:2], ylim=box[2:])
        section_title(axes, "z", height)
