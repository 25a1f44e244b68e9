"""Every participant of a question, by arm and session or by treatment, and the estimate beside."""

import math
from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phmri.inference import Claim
from phmri.protocol import Parallel
from phmri.report._quality import spread
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import (
    FAINT,
    INK,
    MUTED,
    STYLE,
    Look,
    finish,
    make_looks,
    new_figure,
    panel_title,
)
from phmri.report._trial import (
    UNKNOWN,
    group_order,
    session_order,
    treatment_names,
    treatments_by_session,
)
from phmri.report._values import (
    Values,
    counted_values,
    floor_of,
    mean_interval,
    unused_values,
)

__all__ = ["plot_participants"]

_HEIGHT = 3.1
_LABEL = 44


def _count_at(floor: float | None, values: list[float]) -> str:
    """Give a line that counts who is at the floor; empty where nobody is."""
    count = 0 if floor is None else values.count(floor)
    return f"\n{count} at {floor:g}" if count else ""


@mpl.rc_context(STYLE)
def plot_participants(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw the outcome of every participant, the group means, and the estimate.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        The question to be drawn.

    Returns
    -------
    Figure
        Parallel: one panel per arm, sessions joined by a line per participant, then the means
        of all arms together. Crossover: the two treatments, joined; then the differences. The
        last panel holds the claim's estimate. All panels of the outcome share one scale. Values
        that the model leaves out are hollow, and neither counted nor averaged.
    """
    if isinstance(content.protocol.design, Parallel):
        figure = _plot_parallel(content, question)
    else:
        figure = _plot_crossover(content, question)
    return finish(figure, simulated=content.simulated)


def _plot_parallel(content: ReportContent, question: QuestionContent) -> Figure:
    values, unused = counted_values(question), unused_values(question)
    known = values | unused
    sessions = [name for name in session_order(content) if any(name == s for _, s in known)]
    looks, _ = make_looks(content.protocol, group_order(content))
    own = {
        group: [s for s in sorted({s for s, _ in known}) if _group(content, s) == group]
        for group in looks
    }
    own = {group: subjects for group, subjects in own.items() if subjects}
    n_panels = len(own) + 1
    figure = new_figure(10.0, _HEIGHT)
    grid = figure.add_gridspec(1, n_panels + 1, width_ratios=[1.0] * n_panels + [0.6])
    first: Axes | None = None
    for column, (group, subjects) in enumerate(own.items()):
        axes = figure.add_subplot(grid[column], sharey=first)
        first = first or axes
        _draw_arm(
            axes,
            values,
            subjects,
            sessions,
            unused=unused,
            look=looks[group],
            confidence=question.claim.confidence,
        )
        _mark_floor(axes, floor_of(question), values, subjects, sessions)
        n = len({subject for subject, _ in values} & set(subjects))
        panel_title(axes, f"{group}\nn = {n}", colour=looks[group].colour)
    axes = figure.add_subplot(grid[len(own)], sharey=first)
    _draw_means(axes, values, own, sessions, looks=looks, confidence=question.claim.confidence)
    panel_title(axes, f"Arm means\n± {100 * question.claim.confidence:g} % CI")
    (first or axes).set_ylabel(_two_lines(question.values_label))
    for other in figure.axes[1:]:
        other.tick_params(labelleft=False)
    _draw_estimate(figure.add_subplot(grid[n_panels]), question.claim)
    return figure


def _group(content: ReportContent, subject: str) -> str:
    return content.groups.get(subject) or UNKNOWN


def _two_lines(text: str) -> str:
    if len(text) <= _LABEL:
        return text
    places = [index for index, sign in enumerate(text) if sign == " "]
    if not places:
        return text
    cut = min(places, key=lambda index: abs(index - len(text) / 2))
    return f"{text[:cut]}\n{text[cut + 1 :]}"


def _prepare(axes: Axes, labels: list[str]) -> None:
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.4, max(len(labels), 1) - 0.6)
    axes.tick_params(axis="x", length=0)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)


def _draw_arm(
    axes: Axes,
    values: dict[tuple[str, str], float],
    subjects: list[str],
    sessions: list[str],
    *,
    unused: Values,
    look: Look,
    confidence: float,
) -> None:
    _prepare(axes, sessions)
    for subject, shift in zip(subjects, spread(len(subjects)), strict=True):
        for drawn, hollow in ((values, False), (unused, True)):
            points = [
                (place + 0.22 * shift, drawn[subject, session])
                for place, session in enumerate(sessions)
                if (subject, session) in drawn
            ]
            if not points:
                continue
            xs, ys = zip(*points, strict=True)
            style = ":" if hollow else "-"
            axes.plot(xs, ys, color=look.colour, linewidth=0.6, alpha=0.3, linestyle=style)
            _draw_values(axes, xs, ys, look.colour, look.marker, size=8.0, hollow=hollow)
    _draw_group(axes, values, subjects, sessions, look=look, confidence=confidence)


def _draw_values(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    colour: str,
    marker: str,
    *,
    size: float,
    hollow: bool,
) -> None:
    axes.scatter(
        xs, ys, s=2 * size if hollow else size, marker=marker, alpha=0.9 if hollow else 0.6,
        facecolor="none" if hollow else colour, edgecolor=colour if hollow else "none",
        linewidth=0.8,
    )  # fmt: skip


def _mark_floor(
    axes: Axes,
    floor: float | None,
    values: dict[tuple[str, str], float],
    subjects: list[str],
    sessions: list[str],
) -> None:
    held = [
        [values[subject, session] for subject in subjects if (subject, session) in values]
        for session in sessions
    ]
    labels = [
        f"{session}{_count_at(floor, own)}" for session, own in zip(sessions, held, strict=True)
    ]
    axes.set_xticks(range(len(labels)), labels)


def _draw_group(
    axes: Axes,
    values: dict[tuple[str, str], float],
    subjects: list[str],
    sessions: list[str],
    *,
    look: Look,
    confidence: float,
    shift: float = 0.0,
) -> None:
    middles = []
    for place, session in enumerate(sessions):
        here = [values[subject, session] for subject in subjects if (subject, session) in values]
        mean, low, high = mean_interval(here, confidence)
        middles.append((place + shift, mean))
        axes.plot(
            [place + shift] * 2,
            [low, high],
            color=INK if shift == 0 else look.colour,
            linewidth=1.4,
            zorder=4,
        )
    xs, ys = zip(*middles, strict=True)
    axes.plot(
        xs, ys, color=INK if shift == 0 else look.colour, linewidth=1.3, zorder=4,
        marker=look.marker, markersize=5.5, markerfacecolor=look.colour,
        markeredgecolor="white", markeredgewidth=0.7,
    )  # fmt: skip


def _draw_means(
    axes: Axes,
    values: dict[tuple[str, str], float],
    own: dict[str, list[str]],
    sessions: list[str],
    *,
    looks: dict[str, Look],
    confidence: float,
) -> None:
    _prepare(axes, sessions)
    step = 0.14
    for index, (group, subjects) in enumerate(own.items()):
        shift = (index - (len(own) - 1) / 2) * step + 1e-6
        _draw_group(
            axes, values, subjects, sessions,
            look=looks[group], confidence=confidence, shift=shift,
        )  # fmt: skip


def _plot_crossover(content: ReportContent, question: QuestionContent) -> Figure:
    _, looks = make_looks(content.protocol, group_order(content))
    # Of a period with two sessions only that which answers stands for the treatment.
    counted = {
        key: value
        for key, value in counted_values(question).items()
        if question.used is None or key in question.used
    }
    by_treatment = _by_treatment(content, counted)
    unused = _by_treatment(content, unused_values(question))
    pair = _pair(content, question, by_treatment)
    figure = new_figure(10.0, _HEIGHT)
    grid = figure.add_gridspec(1, 3, width_ratios=[1.5, 1.0, 0.6])
    left = figure.add_subplot(grid[0])
    names = treatment_names(content.protocol)
    ordered = [name for name in reversed(pair) if name in by_treatment]
    floor = floor_of(question)
    _prepare(
        left,
        [
            f"{names.get(t, t)}\n(n = {len(by_treatment[t])})"
            f"{_count_at(floor, list(by_treatment[t].values()))}"
            for t in ordered
        ],
    )
    everyone = sorted(
        {subject for of in (by_treatment, unused) for own in of.values() for subject in own}
    )
    shifts = dict(zip(everyone, spread(len(everyone)), strict=True))
    for before, after in pairwise(range(len(ordered))):
        for subject in sorted(
            set(by_treatment[ordered[before]]) & set(by_treatment[ordered[after]])
        ):
            left.plot(
                [before + 0.16 * shifts[subject], after + 0.16 * shifts[subject]],
                [by_treatment[ordered[before]][subject], by_treatment[ordered[after]][subject]],
                color=MUTED, linewidth=0.6, alpha=0.5,
            )  # fmt: skip
    for place, treatment in enumerate(ordered):
        _draw_column(
            left, place, by_treatment[treatment], shifts, unused=unused.get(treatment, {}),
            look=looks.get(treatment), confidence=question.claim.confidence,
        )  # fmt: skip
    panel_title(left, "Every participant under each treatment")
    left.set_ylabel(_two_lines(question.values_label))
    _draw_differences(figure.add_subplot(grid[1]), by_treatment, pair, names, claim=question.claim)
    _draw_estimate(figure.add_subplot(grid[2]), question.claim)
    return figure


def _by_treatment(content: ReportContent, values: Values) -> dict[str, dict[str, float]]:
    """Sort values by the treatment they were measured under."""
    received = treatments_by_session(content)
    found: dict[str, dict[str, float]] = {}
    for (subject, session), value in sorted(values.items()):
        found.setdefault(received.get((subject, session), session), {})[subject] = value
    return found


def _pair(
    content: ReportContent, question: QuestionContent, by_treatment: dict[str, dict[str, float]]
) -> tuple[str, ...]:
    record = content.protocol.questions.get(question.claim.question)
    if record is not None:
        return record.contrast
    return tuple(sorted(by_treatment))[:2]


def _draw_column(
    axes: Axes,
    place: int,
    values: dict[str, float],
    shifts: dict[str, float],
    *,
    unused: dict[str, float],
    look: Look | None,
    confidence: float,
) -> None:
    colour, marker = (look.colour, look.marker) if look else (INK, "o")
    for drawn, hollow in ((values, False), (unused, True)):
        xs = [place + 0.16 * shifts[subject] for subject in drawn]
        _draw_values(axes, xs, list(drawn.values()), colour, marker, size=14.0, hollow=hollow)
    mean, low, high = mean_interval(list(values.values()), confidence)
    side = place - 0.2 if place == 0 else place + 0.2
    axes.plot([side, side], [low, high], color=INK, linewidth=1.4)
    axes.plot(
        [side], [mean], marker=marker, markersize=6, markerfacecolor=colour,
        markeredgecolor="white", markeredgewidth=0.7, linestyle="none",
    )  # fmt: skip


def _draw_differences(
    axes: Axes,
    by_treatment: dict[str, dict[str, float]],
    pair: tuple[str, ...],
    names: dict[str, str],
    *,
    claim: Claim,
) -> None:
    first, second = (by_treatment.get(name, {}) for name in pair[:2])
    differences = [first[s] - second[s] for s in sorted(set(first) & set(second))]
    _prepare(axes, [f"{names.get(pair[0], pair[0])} − {names.get(pair[1], pair[1])}"])
    axes.scatter(
        [0.3 * shift for shift in spread(len(differences))], differences, s=14, color=MUTED,
        alpha=0.75, linewidth=0,
    )  # fmt: skip
    mean, low, high = mean_interval(differences, claim.confidence)
    axes.plot([0.27, 0.27], [low, high], color=INK, linewidth=1.4)
    axes.plot([0.27], [mean], marker="D", markersize=5, color=INK, linestyle="none")
    panel_title(axes, f"Within-person differences (n = {len(differences)})")
    axes.set_ylabel(f"Difference ({claim.unit})")


def _draw_estimate(axes: Axes, claim: Claim) -> None:
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_xlim(-1, 1)
    axes.set_xticks([0], ["at the peak,\nselected" if claim.outcome != "scalar" else "estimate"])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    panel_title(axes, f"Estimate with\n{100 * claim.confidence:g} % CI")
    axes.set_ylabel(f"Effect ({claim.unit})")
    if claim.peaks:
        peak = claim.peaks[0]
        low = peak.ci_low if math.isfinite(peak.ci_low) else peak.effect
        high = peak.ci_high if math.isfinite(peak.ci_high) else peak.effect
        axes.plot([0, 0], [low, high], color=INK, linewidth=1.8)
        hollow = claim.outcome != "scalar"
        axes.plot(
            [0], [peak.effect], marker="D", markersize=7, color=INK, linestyle="none",
            markerfacecolor="white" if hollow else INK,
        )  # fmt: skip
        reach = 1.15 * max(abs(low), abs(high), 1e-12)
        axes.set_ylim(min(-0.25 * reach, 1.1 * low), max(0.25 * reach, 1.1 * high))
