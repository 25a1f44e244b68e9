"""A statistic map: everything is shown, what passes the threshold is outlined."""

import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

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
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._style import DIVERGING, INK, MUTED, STYLE, finish, new_figure, panel_title

__all__ = ["plot_statistic_map"]

_N_SLICES = 7
_APART_MM = 8.0


@mpl.rc_context(STYLE)
def plot_statistic_map(content: ReportContent, question: QuestionContent) -> Figure:
    """Draw a t map on sections through its peaks and in a glass brain.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    question : QuestionContent
        With a ``t_map`` and its ``affine``.

    Returns
    -------
    Figure
        Colour is t; opacity rises with the square of |t| and is full at the family-wise
        threshold; voxels beyond the threshold are outlined. The glass brain holds these alone.

    Raises
    ------
    OutputError
        If the question has no map.

    References
    ----------
    Taylor PA, Reynolds RC, Calhoun V, et al. Highlight results, don't hide them.
    NeuroImage 274, 120138 (2023). doi:10.1016/j.neuroimage.2023.120138
    """
    if question.t_map is None or question.affine is None:
        raise OutputError(
            Problem(
                what="There is no map to draw",
                field=f"questions.{question.claim.question}.t_map",
                found="none",
                expected="a t map and its affine",
            )
        )
    statistic = make_volume(question.t_map, question.affine)
    mni = content.protocol.space.startswith("MNI")
    background = mni_template() if mni else _tested(statistic)
    limit = _limit(statistic, question.claim)
    figure = new_figure(10.0, 5.0)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[union-attr,call-arg]
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.0, 1.18])[:, 0]
    axes = upper.subplots(1, 6, width_ratios=_widths(background) * 2)
    for place, (direction, cut) in enumerate(zip(AXES, _peak(question, statistic), strict=True)):
        _draw_section(
            axes[place], direction, cut, statistic, background, claim=question.claim, limit=limit
        )
        _draw_glass(
            axes[3 + place], direction, statistic, background, claim=question.claim, mni=mni
        )
    panel_title(axes[0], "Through the strongest voxel")
    panel_title(axes[3], _glass_title(question.claim, statistic))
    cuts = _slices(question, background)
    strip = lower.subplots(1, len(cuts))
    for panel, cut in zip(np.atleast_1d(strip), cuts, strict=True):
        _draw_section(panel, "z", cut, statistic, background, claim=question.claim, limit=limit)
    _draw_scale(figure, list(np.atleast_1d(strip)), question.claim, limit)
    return finish(figure, simulated=content.simulated)


def _tested(statistic: Volume) -> Volume:
    return place_volume(
        np.where(np.isfinite(statistic.data), 0.85, np.nan),
        origin_mm=statistic.origin_mm,
        step_mm=statistic.step_mm,
    )


def _limit(statistic: Volume, claim: Claim) -> float:
    """Choose the end of the colour scale: the largest |t|, at least the threshold."""
    finite = np.abs(statistic.data[np.isfinite(statistic.data)])
    largest = float(finite.max()) if finite.size else 1.0
    threshold = _threshold(claim)
    return max(largest, threshold if math.isfinite(threshold) else 0.0, 1e-6)


def _threshold(claim: Claim) -> float:
    """Give the height of what passes; maps are stored in float32, which may round down."""
    if math.isnan(claim.threshold_fwe):
        return math.inf
    return abs(claim.threshold_fwe) * (1 - float(np.finfo(np.float32).eps))


def _passing(values: Float[np.ndarray, "*shape"], claim: Claim) -> Float[np.ndarray, "*shape"]:
    """Turn t so that what passes lies above the threshold; untested voxels never pass."""
    tested = np.where(np.isfinite(values), values, 0.0)
    sign = {"greater": tested, "less": -tested}
    return sign.get(claim.alternative, np.abs(tested))


def _widths(background: Volume) -> list[float]:
    sizes = []
    for direction in AXES:
        left, right, bottom, top = bounds(background, direction)
        sizes.append((right - left) / (top - bottom))
    return sizes


def _peak(question: QuestionContent, statistic: Volume) -> tuple[float, float, float]:
    for peak in question.claim.peaks:
        if peak.position_mm is not None:
            return peak.position_mm
    strength = np.where(np.isfinite(statistic.data), np.abs(statistic.data), -1.0)
    place = np.array(np.unravel_index(int(strength.argmax()), strength.shape))
    x, y, z = statistic.origin_mm + statistic.step_mm * place
    return float(x), float(y), float(z)


def _slices(question: QuestionContent, background: Volume) -> list[float]:
    """Choose axial positions: significant peaks first, then the widest gaps between them."""
    _, _, bottom, top = bounds(background, "x")
    low, high = bottom + 0.16 * (top - bottom), top - 0.13 * (top - bottom)
    chosen: list[float] = []
    for peak in question.claim.peaks:
        if peak.position_mm is None or not peak.pvalue_fwe < question.claim.alpha:
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
    axes: Axes,
    direction: str,
    position: float,
    statistic: Volume,
    background: Volume,
    *,
    claim: Claim,
    limit: float,
) -> None:
    draw_background(axes, direction, position, background=background)
    values = statistic.section(direction, position)
    box = bounds(background, direction)
    _draw_overlay(axes, values, statistic.extent(direction), claim=claim, limit=limit)
    threshold = _threshold(claim)
    passing = _passing(values, claim)
    if passing.size and passing.max() >= threshold:
        left, right, bottom, top = statistic.extent(direction)
        rows, columns = passing.shape
        fine = np.kron(passing, np.ones((3, 3)))
        axes.contour(
            np.linspace(left, right, 6 * columns + 1)[1::2][: 3 * columns],
            np.linspace(bottom, top, 6 * rows + 1)[1::2][: 3 * rows],
            fine, levels=[threshold], colors="black", linewidths=0.7, zorder=4,
        )  # fmt: skip
    axes.set(xlim=box[:2], ylim=box[2:])
    section_title(axes, direction, position)


def _draw_overlay(
    axes: Axes,
    values: Float[np.ndarray, "rows columns"],
    extent: tuple[float, float, float, float],
    *,
    claim: Claim,
    limit: float,
) -> None:
    threshold = _threshold(claim)
    full = min(threshold, limit)
    colour = mpl.colormaps[DIVERGING](
        Normalize(-limit, limit)(np.where(np.isnan(values), 0, values))
    )
    strength = np.where(np.isfinite(values), np.abs(values) / full, 0.0)
    colour[..., 3] = np.clip(strength, 0, 1) ** 2
    axes.imshow(colour, extent=extent, origin="lower", interpolation="nearest", zorder=3)


def _draw_glass(
    axes: Axes,
    direction: str,
    statistic: Volume,
    background: Volume,
    *,
    claim: Claim,
    mni: bool,
) -> None:
    axis = AXES[direction]
    axes.set_axis_off()
    if mni:
        from nilearn.plotting.glass_brain import (  # noqa: PLC0415 - takes seconds to import
            plot_brain_schematics,
        )

        plot_brain_schematics(axes, direction, edgecolor="#9aa5b1", linewidth=0.5)
    else:
        inside = np.isfinite(statistic.data).any(axis=axis).T.astype(float)
        axes.imshow(
            np.where(inside > 0, 0.93, np.nan), extent=statistic.extent(direction), origin="lower",
            cmap="gray", vmin=0, vmax=1,
        )  # fmt: skip
    passing = _passing(statistic.data, claim)
    kept = np.where(passing >= _threshold(claim), statistic.data, 0.0)
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


def _glass_title(claim: Claim, statistic: Volume) -> str:
    found = int((_passing(statistic.data, claim) >= _threshold(claim)).sum())
    if not found:
        return "Beyond the threshold: no voxel"
    return f"Beyond the threshold: {found:,} voxel" + "s" * (found != 1)


def _draw_scale(figure: Figure, panels: list[Axes], claim: Claim, limit: float) -> None:
    scale = ScalarMappable(Normalize(-limit, limit), cmap=DIVERGING)
    parent = panels[0].get_figure()
    bar = (parent or figure).colorbar(
        scale, ax=panels, location="bottom", shrink=0.32, aspect=40, pad=0.09
    )
    bar.outline.set_visible(False)
    bar.set_label(_scale_label(claim))
    threshold = _threshold(claim)
    if threshold <= limit:
        marks = {"greater": [threshold], "less": [-threshold]}
        for mark in marks.get(claim.alternative, [-threshold, threshold]):
            bar.ax.axvline(mark, color="black", linewidth=1.2)
    bar.ax.tick_params(color=MUTED, labelcolor=INK)


def _scale_label(claim: Claim) -> str:
    df = f"{claim.df:g}" if math.isfinite(claim.df) else "?"
    threshold = _threshold(claim)
    if not math.isfinite(threshold):
        return f"t (df = {df}); no threshold"
    return (
        f"t (df = {df}); outline and black mark: p(FWE) < {claim.alpha:g}, |t| ≥ {threshold:.2f}"
    )
