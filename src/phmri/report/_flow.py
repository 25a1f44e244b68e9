"""Who took part and what there is of each: the flow per arm, the matrix of runs."""

import textwrap
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from phmri.protocol import Parallel
from phmri.report._records import ReportContent
from phmri.report._style import (
    FAINT,
    INK,
    MUTED,
    STYLE,
    Look,
    finish,
    make_looks,
    new_figure,
)
from phmri.report._trial import (
    FinalCell,
    final_cells,
    group_order,
    group_treatments,
    left_out,
    ranked_questions,
    session_order,
    subjects_by_group,
)

__all__ = ["STATUS_WORDS", "flow_texts", "plot_completeness", "plot_flow"]

_WIDTH = 10.0
_TIED = "\N{NO-BREAK SPACE}"
_LINE = 0.155
_PAD = 0.16
_GAP = 0.24
_PER_BAND = 90

STATUS_WORDS = {
    "ok": "used",
    "not planned": "not planned",
    "missing": "missing",
    "short": "too short",
    "doubled": "doubled",
    "space": "other space",
    "broken": "broken",
    "excluded": "excluded by protocol",
    "quality": "excluded for quality",
}
_STATUS_LOOKS = {
    "ok": ("#9dc3b5", ""),
    "not planned": ("#f1f3f5", ""),
    "missing": ("#ffffff", "–"),
    "short": ("#f0c75e", "s"),
    "doubled": ("#d9a5c3", "2"),
    "space": ("#8ecbee", "≠"),
    "broken": ("#7a1f1f", "!"),
    "excluded": ("#d0642a", "×"),
    "quality": ("#e9a27c", "q"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    heading: str
    boxes: tuple[tuple[str, ...], ...]
    dashed: bool = False


def flow_texts(content: ReportContent) -> dict[str, dict[str, tuple[str, ...]]]:
    """Count participants on their way from allocation to analysis.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    dict of str to dict of str to tuple of str
        Stage -> group -> lines of text.
    """
    cells = final_cells(content)
    members = subjects_by_group(content)
    rows: dict[str, dict[str, tuple[str, ...]]] = {"Allocated": {}}
    for group, subjects in members.items():
        lines = [f"n = {len(subjects)}" + _planned(content, group)]
        treatment = group_treatments(content.protocol, group)
        if treatment and treatment != group:
            lines.append(treatment)
        rows["Allocated"][group] = tuple(lines)
    for session in session_order(content):
        phase = content.protocol.sessions.get(session)
        heading = f"Session {session}" + (f" ({phase.phase})" if phase else "")
        rows[heading] = {
            group: _session_lines(content, cells, group, session) for group in members
        }
    rows["Left out"] = {
        group: tuple(
            f"{item.reason}: {item.n_runs} run{'s' * (item.n_runs != 1)}"
            f" ({item.n_participants}{_TIED}participant{'s' * (item.n_participants != 1)})"
            for item in left_out(tuple(cell for cell in cells if cell.group == group))
        )
        or ("none",)
        for group in members
    }
    rows["Analysed"] = {group: _analysed_lines(content, group) for group in members}
    return rows


def _planned(content: ReportContent, group: str) -> str:
    design = content.protocol.design
    record = (design.arms if isinstance(design, Parallel) else design.sequences).get(group)
    n_planned = record.n_planned if record is not None else None
    return f" of {n_planned} planned" if n_planned is not None else ""


def _session_lines(
    content: ReportContent, cells: tuple[FinalCell, ...], group: str, session: str
) -> tuple[str, ...]:
    here = [cell for cell in cells if cell.group == group and cell.session == session]
    lines = []
    for scan in content.protocol.scans:
        planned = [c for c in here if c.scan == scan and c.status != "not planned"]
        if planned:
            used = sum(cell.status == "ok" for cell in planned)
            lines.append(f"{scan}: {used} used of {len(planned)}")
    return tuple(lines) or ("no scan planned",)


def _analysed_lines(content: ReportContent, group: str) -> tuple[str, ...]:
    groups = group_order(content)
    lines = []
    for question in ranked_questions(content):
        counts = question.claim.n_per_group
        if group in counts:
            lines.append(f"{question.claim.question}: n = {counts[group]}")
        elif len(groups) == 1:
            lines.append(f"{question.claim.question}: n = {sum(counts.values())}")
    return tuple(lines) or ("in no question",)


@mpl.rc_context(STYLE)
def plot_flow(content: ReportContent) -> Figure:
    """Draw the participants' flow, one column per arm or sequence.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    Figure
    """
    groups = group_order(content)
    looks, _ = make_looks(content.protocol, groups)
    left = 1.25
    column = (_WIDTH - left) / max(len(groups), 1)
    characters = max(12, int((column - 0.35) / 0.057))
    rows = [
        _Row(
            heading=heading,
            boxes=tuple(_wrap(texts[group], characters) for group in groups),
            dashed=heading == "Left out",
        )
        for heading, texts in flow_texts(content).items()
    ]
    heights = [max(map(len, row.boxes), default=1) * _LINE + 2 * _PAD * 0.6 for row in rows]
    top = 0.42 + 0.62
    height = top + sum(heights) + _GAP * len(rows)
    figure = new_figure(_WIDTH, height)
    axes = figure.add_subplot()
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    centres = [left + (index + 0.5) * column for index in range(len(groups))]
    _draw_top(axes, content, centres, height=0.42)
    y = top
    for group, centre in zip(groups, centres, strict=True):
        axes.text(
            centre, y - 0.07, group, ha="center", va="bottom", weight="bold",
            color=looks[group].colour, fontsize=8.5,
        )  # fmt: skip
    for number, (row, box_height) in enumerate(zip(rows, heights, strict=True)):
        axes.text(
            left - 0.12, y + box_height / 2, "\n".join(textwrap.wrap(row.heading, 16)),
            ha="right", va="center", color=MUTED, fontsize=7.5,
        )  # fmt: skip
        for group, centre, lines in zip(groups, centres, row.boxes, strict=True):
            _draw_box(
                axes, (centre, y), (column - 0.22, box_height), lines,
                colour=looks[group].colour, dashed=row.dashed,
            )  # fmt: skip
            if number + 1 < len(rows):
                _draw_arrow(axes, centre, y + box_height, y + box_height + _GAP)
        y += box_height + _GAP
    return finish(figure, simulated=content.simulated)


def _wrap(lines: tuple[str, ...], characters: int) -> tuple[str, ...]:
    return tuple(
        piece
        for line in lines
        for piece in textwrap.wrap(line, characters, subsequent_indent="  ")
    )


def _draw_top(axes: Axes, content: ReportContent, centres: list[float], *, height: float) -> None:
    if not centres:
        return
    middle = (centres[0] + centres[-1]) / 2
    total = sum(map(len, subjects_by_group(content).values()))
    line = f"Participants (participants.tsv): n = {total}"
    _draw_box(axes, (middle, 0.02), (3.4, height - 0.06), (line,), colour=INK, dashed=False)
    bar = height + 0.14
    axes.plot([middle, middle], [height - 0.04, bar], color=MUTED, linewidth=0.8)
    axes.plot([centres[0], centres[-1]], [bar, bar], color=MUTED, linewidth=0.8)
    for centre in centres:
        _draw_arrow(axes, centre, bar, bar + 0.2)


def _draw_box(
    axes: Axes,
    place: tuple[float, float],
    size: tuple[float, float],
    lines: tuple[str, ...],
    *,
    colour: str,
    dashed: bool,
) -> None:
    centre, y = place
    width, height = size
    axes.add_patch(
        FancyBboxPatch(
            (centre - width / 2, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="white" if dashed else "#f8f9fa",
            edgecolor=MUTED if dashed else colour,
            linewidth=0.8 if dashed else 1.1,
            linestyle=(0, (3, 2)) if dashed else "solid",
        )
    )
    axes.text(
        centre, y + height / 2, "\n".join(lines), ha="center", va="center",
        fontsize=7.5, linespacing=1.3,
    )  # fmt: skip


def _draw_arrow(axes: Axes, x: float, start: float, end: float) -> None:
    axes.annotate(
        "",
        xy=(x, end),
        xytext=(x, start),
        arrowprops={
            "arrowstyle": "-|>",
            "color": MUTED,
            "linewidth": 0.8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


@mpl.rc_context(STYLE)
def plot_completeness(content: ReportContent) -> Figure:
    """Draw every participant x session x scan, coloured by what became of it.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    Figure
    """
    cells = {(cell.subject, cell.session, cell.scan): cell for cell in final_cells(content)}
    rows = [
        (session, scan)
        for session in session_order(content)
        for scan in content.protocol.scans
        if any(
            (cell.session, cell.scan) == (session, scan) and cell.status != "not planned"
            for cell in cells.values()
        )
    ]
    members = subjects_by_group(content)
    looks, _ = make_looks(content.protocol, tuple(members))
    people = [(group, subject) for group, own in members.items() for subject in own]
    bands = [people[start : start + _PER_BAND] for start in range(0, len(people), _PER_BAND)]
    bands = bands or [[]]
    figure = new_figure(_WIDTH, 0.5 + len(bands) * (0.85 + 0.19 * max(len(rows), 1)))
    grid = figure.subplots(len(bands), 1, squeeze=False)
    used: set[str] = set()
    for axes, band in zip(grid[:, 0], bands, strict=True):
        states = [[_state(cells.get((subject, *row))) for _, subject in band] for row in rows]
        used.update(state for line in states for state in line)
        _draw_band(axes, band, rows, states, looks=looks)
    handles = [
        Patch(
            facecolor=_STATUS_LOOKS[status][0],
            edgecolor=MUTED,
            linewidth=0.5,
            label=STATUS_WORDS[status]
            + (f" ({_STATUS_LOOKS[status][1]})" if _STATUS_LOOKS[status][1] else ""),
        )
        for status in _STATUS_LOOKS
        if status in used
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=9, handlelength=1.1)
    return finish(figure, simulated=content.simulated)


def _state(cell: FinalCell | None) -> str:
    return "not planned" if cell is None else cell.status


def _draw_band(
    axes: Axes,
    band: list[tuple[str, str]],
    rows: list[tuple[str, str]],
    states: list[list[str]],
    *,
    looks: dict[str, Look],
) -> None:
    names = list(_STATUS_LOOKS)
    codes = np.array([[names.index(state) for state in line] for line in states], dtype=float)
    shape = (len(rows), len(band))
    axes.pcolormesh(
        np.arange(shape[1] + 1),
        np.arange(shape[0] + 1),
        codes.reshape(shape),
        cmap=ListedColormap([colour for colour, _ in _STATUS_LOOKS.values()]),
        vmin=-0.5,
        vmax=len(names) - 0.5,
        edgecolor="white",
        linewidth=0.8,
    )
    for y, line in enumerate(states):
        for x, state in enumerate(line):
            if _STATUS_LOOKS[state][1]:
                colour = "white" if state in {"broken", "excluded"} else INK
                axes.text(
                    x + 0.5, y + 0.52, _STATUS_LOOKS[state][1], ha="center", va="center",
                    fontsize=6, color=colour,
                )  # fmt: skip
    axes.set(xlim=(0, max(shape[1], 1)), ylim=(max(shape[0], 1), 0))
    axes.set_xticks(np.arange(shape[1]) + 0.5, [subject for _, subject in band], rotation=90)
    axes.set_yticks(np.arange(shape[0]) + 0.5, [f"{session} · {scan}" for session, scan in rows])
    axes.tick_params(length=0, pad=2)
    axes.tick_params(axis="x", labelsize=6 if shape[1] > 40 else 7)  # noqa: PLR2004
    axes.set_xlabel("Participant (sub-)")
    axes.spines[:].set_visible(False)
    for y in range(1, shape[0]):
        if rows[y][0] != rows[y - 1][0]:
            axes.axhline(y, color=MUTED, linewidth=0.7)
    for group in dict.fromkeys(group for group, _ in band):
        places = [index for index, (own, _) in enumerate(band) if own == group]
        if places[0]:
            axes.axvline(places[0], color=INK, linewidth=1.2)
        axes.text(
            (places[0] + places[-1] + 1) / 2, -0.25, f"{group} (n = {len(places)})",
            ha="center", va="bottom", weight="bold", color=looks[group].colour,
        )  # fmt: skip
    axes.plot([0, shape[1]], [0, 0], color=FAINT, linewidth=0.5)
