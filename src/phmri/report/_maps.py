"""A statistic map: everything is shown, what was found is outlined."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.path import Path

from phmri.exceptions import OutputError, Problem
from phmri.inference import Claim
from phmri.report._anatomy import (
    AXES,
    Volume,
    bounds,
    draw_background,
    make_volume,
    mni_template,
    place_volume,
    section_title,
)
from phmri.report._correction import beyond_words, own_df, passes, statistic_axis, threshold_marks
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import DIVERGING, INK, MUTED, STYLE, finish, new_figure, panel_title
from phmri.report._text import plural

__all__ = ["plot_statistic_map"]

_N_SLICES = 7
_APART_MM = 8.0


@mpl.rc_context(STYLE)
def plot_statistic_map(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw a map of the statistic on sections through its peaks and in a glass brain.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        With a ``t_map``, its ``p_map`` and its ``affine``.

    Returns
    -------
    Figure
        Colour is the statistic; opacity rises with its square and is full where the corrected
        p is at most alpha, which is outlined. The glass brain holds these voxels alone.

    Raises
    ------
    OutputError
        If the question has no map, or no p-values of the same voxels.

    References
    ----------
    Taylor PA, Reynolds RC, Calhoun V, et al. Highlight results, don't hide them.
    NeuroImage 274, 120138 (2023). doi:10.1016/j.neuroimage.2023.120138
    """
    t_map, p_map, affine = question.t_map, question.p_map, question.affine
    if t_map is None or p_map is None or affine is None or p_map.shape != t_map.shape:
        raise OutputError(
            Problem(
                what="There is no map to draw",
                field=f"questions.{question.claim.question}.t_map",
                found=", ".join(
                    "none" if part is None else f"one of shape {part.shape}"
                    for part in (t_map, p_map, affine)
                ),
                expected="a map of the statistic, its corrected p-values and its affine",
            )
        )
    drawn = _make_drawn(question.claim, t_map, p_map, affine)
    mni = content.protocol.space.startswith("MNI")
    background = mni_template() if mni else _tested(drawn.statistic)
    figure = new_figure(10.0, 5.0)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[union-attr,call-arg]
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.18])[:, 0]
    axes = upper.subplots(1, 6, width_ratios=_widths(background) * 2)
    title, middle = _middle(question.claim, drawn)
    for place, (direction, cut) in enumerate(zip(AXES, middle, strict=True)):
        _draw_section(axes[place], direction, cut, drawn, background)
        _draw_glass(axes[3 + place], direction, drawn, background, mni=mni)
    panel_title(axes[0], title)
    panel_title(axes[3], _glass_title(drawn))
    cuts = _slices(question.claim, background)
    strip = lower.subplots(1, len(cuts))
    for panel, cut in zip(np.atleast_1d(strip), cuts, strict=True):
        _draw_section(panel, "z", cut, drawn, background)
    _draw_scale(figure, list(np.atleast_1d(strip)), question, drawn.limit)
    return finish(figure, simulated=content.simulated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What is drawn: the statistic, where it was found, and both ends of the colour scale."""

    statistic: Volume
    found: Volume
    full: float
    limit: float


def _make_drawn(
    claim: Claim,
    t_map: Float[np.ndarray, "x y z"],
    p_map: Float[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
) -> _Drawn:
    finite = np.abs(t_map[np.isfinite(t_map)])
    largest = float(finite.max()) if finite.size else 1.0
    height = max((abs(mark) for mark in threshold_marks(claim)), default=0.0)
    limit = max(largest, height, 1e-6)
    found = passes(p_map, claim) & np.isfinite(t_map)
    return _Drawn(
        statistic=make_volume(t_map, affine),
        found=make_volume(found.astype(float), affine),
        full=height or limit,
        limit=limit,
    )


def _tested(statistic: Volume) -> Volume:
    return place_volume(
        np.where(np.isfinite(statistic.data), 0.85, np.nan),
        origin_mm=statistic.origin_mm,
        step_mm=statistic.step_mm,
    )


def _widths(background: Volume) -> list[float]:
    sizes = []
    for direction in AXES:
        left, right, bottom, top = bounds(background, direction)
        sizes.append((right - left) / (top - bottom))
    return sizes


def _middle(claim: Claim, drawn: _Drawn) -> tuple[str, tuple[float, float, float]]:
    """Choose where to cut: through the strongest voxel that was found, else the strongest."""
    found = bool(drawn.found.data.any())
    title = "Through the strongest voxel" + (" found" if found else "")
    for peak in claim.peaks:
        if peak.position_mm is not None and (not found or passes(peak.pvalue_corrected, claim)):
            return title, peak.position_mm
    statistic = drawn.statistic
    shown = drawn.found.data > 0 if found else np.isfinite(statistic.data)
    strength = np.where(shown, np.abs(statistic.data), -1.0)
    place = np.array(np.unravel_index(int(strength.argmax()), strength.shape))
    x, y, z = statistic.origin_mm + statistic.step_mm * place
    return title, (float(x), float(y), float(z))


def _slices(claim: Claim, background: Volume) -> list[float]:
    """Choose axial positions: significant peaks first, then the widest gaps between them."""
    _, _, bottom, top = bounds(background, "x")
    low, high = bottom + 0.16 * (top - bottom), top - 0.13 * (top - bottom)
    chosen: list[float] = []
    for peak in claim.peaks:
        if peak.position_mm is None or not passes(peak.pvalue_corrected, claim):
            continue
        z = peak.position_mm[2]
        if low <= z <= high and all(abs(z - other) >= _APART_MM for other in chosen):
            chosen.append(z)
        if len(chosen) == _N_SLICES:
            break
    while len(chosen) < _N_SLICES:
        ends = sorted([*chosen, *([] if chosen and min(chosen) - low < _APART_MM else [low])])
        ends = sorted([*ends, *([] if ends and high - max(ends) < _APART_MM else [high])])
        if len(ends) > len(chosen):
            chosen = ends[:_N_SLICES]
            continue
        before, after = max(pairwise(ends), key=lambda pair: pair[1] - pair[0])
        chosen = sorted([*chosen, (before + after) / 2])
    return sorted(chosen)


def _draw_section(
    axes: Axes, direction: str, position: float, drawn: _Drawn, background: Volume
) -> None:
    draw_background(axes, direction, position, background=background)
    values = drawn.statistic.section(direction, position)
    found = drawn.found.section(direction, position) > 0
    extent = drawn.statistic.extent(direction)
    colour = mpl.colormaps[DIVERGING](
        Normalize(-drawn.limit, drawn.limit)(np.where(np.isnan(values), 0, values))
    )
    strength = np.where(np.isfinite(values), np.abs(values) / drawn.full, 0.0)
    colour[..., 3] = np.where(found, 1.0, np.clip(strength, 0, 1) ** 2)
    axes.imshow(colour, extent=extent, origin="lower", interpolation="nearest", zorder=3)
    if found.any():
        _draw_outline(axes, found, extent)
    box = bounds(background, direction)
    axes.set(xlim=box[:2], ylim=box[2:])
    section_title(axes, direction, position)


def _draw_outline(
    axes: Axes,
    found: Bool[np.ndarray, "rows columns"],
    extent: tuple[float, float, float, float],
) -> None:
    """Draw the edge of what was found, along the edges of its voxels."""
    left, right, bottom, top = extent
    rows, columns = found.shape
    axes.contour(
        np.linspace(left, right, 6 * columns + 1)[1::2][: 3 * columns],
        np.linspace(bottom, top, 6 * rows + 1)[1::2][: 3 * rows],
        np.kron(found.astype(float), np.ones((3, 3))),
        levels=[0.5], colors="black", linewidths=0.7, zorder=4,
    )  # fmt: skip


def _draw_glass(
    axes: Axes, direction: str, drawn: _Drawn, background: Volume, *, mni: bool
) -> None:
    statistic = drawn.statistic
    axis = AXES[direction]
    axes.set_axis_off()
    if mni:
        paths, faces = _schematics(direction)
        axes.add_collection(
            PathCollection(paths, facecolors=faces, edgecolors="#9aa5b1", linewidths=0.5)
        )
    else:
        inside = np.isfinite(statistic.data).any(axis=axis).T.astype(float)
        axes.imshow(
            np.where(inside > 0, 0.93, np.nan), extent=statistic.extent(direction), origin="lower",
            cmap="gray", vmin=0, vmax=1,
        )  # fmt: skip
    kept = np.where(drawn.found.data > 0, statistic.data, 0.0)
    strongest = np.take_along_axis(kept, np.abs(kept).argmax(axis=axis, keepdims=True), axis=axis)
    values = strongest.squeeze(axis).T
    colour = mpl.colormaps[DIVERGING](np.where(values > 0, 0.95, 0.05))
    colour[..., 3] = np.where(values != 0, 0.85, 0.0)
    axes.imshow(
        colour,
        extent=statistic.extent(direction),
        origin="lower",
        interpolation="nearest",
        zorder=3,
    )
    left, right, bottom, top = bounds(background, direction)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


@cache
def _schematics(direction: str) -> tuple[list[Path], list[tuple[float, ...]]]:
    """Give the outlines of a brain in mm with their colours, drawn together and read once."""
    from nilearn.plotting.glass_brain import (  # noqa: PLC0415 - takes seconds to import
        plot_brain_schematics,
    )

    axes = Figure().add_subplot()
    plot_brain_schematics(axes, direction)
    to_mm = [patch.get_transform() - axes.transData for patch in axes.patches]
    paths = [
        patch.get_path().transformed(move) for patch, move in zip(axes.patches, to_mm, strict=True)
    ]
    return paths, [to_rgba(patch.get_facecolor()) for patch in axes.patches]


def _glass_title(drawn: _Drawn) -> str:
    count = int(drawn.found.data.sum())
    return f"Found: {plural(count, 'voxel')}" if count else "Found: no voxel"


def _draw_scale(
    figure: Figure, panels: list[Axes], question: QuestionContent, limit: float
) -> None:
    scale = ScalarMappable(Normalize(-limit, limit), cmap=DIVERGING)
    parent = panels[0].get_figure()
    bar = (parent or figure).colorbar(
        scale, ax=panels, location="bottom", shrink=0.32, aspect=40, pad=0.09
    )
    bar.outline.set_visible(False)
    bar.set_label(_scale_label(question))
    for mark in threshold_marks(question.claim):
        bar.ax.axvline(mark, color="black", linewidth=1.2)
    bar.ax.tick_params(color=MUTED, labelcolor=INK)


def _scale_label(question: QuestionContent) -> str:
    claim = question.claim
    axis = statistic_axis(claim, one_df=not own_df(question))
    mark = "outline and black mark" if threshold_marks(claim) else "outline"
    if math.isfinite(claim.threshold):
        return f"{axis}; {mark}: {beyond_words(claim)}"
    return f"{axis}; no threshold"
