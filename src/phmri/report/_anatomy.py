"""Slices of a volume in mm, the template behind them, regions on anatomy."""

from dataclasses import dataclass
from functools import lru_cache

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nibabel import affines, orientations

from phmri.report._records import RegionContent, ReportContent
from phmri.report._style import ACCENT, MUTED, STYLE, finish, new_figure

__all__ = [
    "AXES",
    "Volume",
    "background_sentence",
    "bounds",
    "draw_background",
    "make_volume",
    "mni_template",
    "place_volume",
    "plot_regions",
    "section_title",
]

AXES = {"x": 0, "y": 1, "z": 2}
_SPAN = 4  # values of Matplotlib's extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume whose axes run left to right, back to front, bottom to top.

    Parameters
    ----------
    data : ndarray of shape (x, y, z)
    origin_mm : ndarray of shape (3,)
        Centre of the first voxel.
    step_mm : ndarray of shape (3,)
        Voxel size, positive.
    ends : tuple of (int, int)
        First and last slice along each axis that hold a finite voxel.
    """

    data: Float[np.ndarray, "x y z"]
    origin_mm: Float[np.ndarray, " 3"]
    step_mm: Float[np.ndarray, " 3"]
    ends: tuple[tuple[int, int], ...]

    def index(self, direction: str, position_mm: float) -> int:  # numpydoc ignore=PR01,RT01
        """Find the slice nearest to a position."""
        axis = AXES[direction]
        place = round(float((position_mm - self.origin_mm[axis]) / self.step_mm[axis]))
        return int(np.clip(place, 0, self.data.shape[axis] - 1))

    def section(
        self, direction: str, position_mm: float
    ) -> Float[np.ndarray, "rows columns"]:  # numpydoc ignore=PR01,RT01
        """Cut a slice, rows from bottom to top."""
        place: list[int | slice] = [slice(None)] * 3
        place[AXES[direction]] = self.index(direction, position_mm)
        data: Float[np.ndarray, "rows columns"] = self.data[tuple(place)].T
        return data

    def extent(
        self, direction: str
    ) -> tuple[float, float, float, float]:  # numpydoc ignore=PR01,RT01
        """Give the outer edges of a slice in mm, as Matplotlib wants them."""
        kept = [axis for axis in range(3) if axis != AXES[direction]]
        low = self.origin_mm - self.step_mm / 2
        high = low + self.step_mm * np.array(self.data.shape)
        first, second = kept
        return float(low[first]), float(high[first]), float(low[second]), float(high[second])


def make_volume(data: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"]) -> Volume:
    """Turn a volume so that its axes are nearest to those of the space.

    Parameters
    ----------
    data : ndarray of shape (x, y, z)
    affine : ndarray of shape (4, 4)
        Voxel to mm. An oblique one is drawn along its own axes, with the mm of its centre.

    Returns
    -------
    Volume
    """
    turn = orientations.io_orientation(affine)
    turned = orientations.apply_orientation(data, turn)
    straight = affine @ orientations.inv_ornt_aff(turn, data.shape)
    step = affines.voxel_sizes(straight)
    centre = (np.array(turned.shape) - 1) / 2
    middle = affines.apply_affine(straight, centre)
    return place_volume(
        np.asarray(turned, dtype=float),
        origin_mm=np.asarray(middle - step * centre, dtype=float),
        step_mm=np.asarray(step, dtype=float),
    )


def place_volume(
    data: Float[np.ndarray, "x y z"],
    *,
    origin_mm: Float[np.ndarray, " 3"],
    step_mm: Float[np.ndarray, " 3"],
) -> Volume:
    """Make a volume of data whose axes already run as they should.

    Parameters
    ----------
    data : ndarray of shape (x, y, z)
    origin_mm, step_mm : ndarray of shape (3,)

    Returns
    -------
    Volume
    """
    inside = np.isfinite(data)
    flat = inside.any(axis=2)
    lines = (flat.any(axis=1), flat.any(axis=0), inside.any(axis=(0, 1)))
    ends = tuple(_ends(line) for line in lines)
    return Volume(data=data, origin_mm=origin_mm, step_mm=step_mm, ends=ends)


def _ends(line: Bool[np.ndarray, " n"]) -> tuple[int, int]:
    found = np.flatnonzero(line)
    return (int(found[0]), int(found[-1])) if found.size else (0, line.size - 1)


@lru_cache(maxsize=1)
def mni_template() -> Volume:
    """Load the T1-weighted MNI template that nilearn brings, 1 mm, brain only.

    Returns
    -------
    Volume
        NaN outside the brain.
    """
    from nilearn.datasets import load_mni152_template  # noqa: PLC0415 - takes seconds to import

    image = load_mni152_template(resolution=1)
    data = np.asarray(image.get_fdata(dtype=np.float32), dtype=float)
    return make_volume(np.where(data > 0, data, np.nan), np.asarray(image.affine, dtype=float))


def background_sentence(*, mni: bool) -> str:
    """Say what stands behind a map.

    Parameters
    ----------
    mni : bool

    Returns
    -------
    str
    """
    if mni:
        return (
            "Background: T1-weighted MNI ICBM152 2009a template as distributed with nilearn, for "
            "orientation only; it can differ from the trial's own template by more than 1 mm."
        )
    return "Background: the voxels that were tested (no anatomical template for this space)."


def draw_background(axes: Axes, direction: str, position_mm: float, *, background: Volume) -> None:
    """Draw one anatomical slice in mm.

    Parameters
    ----------
    axes : Axes
    direction : {"x", "y", "z"}
    position_mm : float
    background : Volume
        NaN outside the brain, at most 1 inside.
    """
    axes.imshow(
        background.section(direction, position_mm),
        extent=background.extent(direction),
        origin="lower",
        cmap="gray",
        vmin=-0.35,
        vmax=1.05,
        interpolation="bilinear",
    )
    axes.set_axis_off()
    left, right, bottom, top = bounds(background, direction)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def bounds(background: Volume, direction: str) -> tuple[float, float, float, float]:
    """Find the box of a volume's finite voxels, seen along a direction.

    Parameters
    ----------
    background : Volume
    direction : {"x", "y", "z"}

    Returns
    -------
    tuple of float
        Left, right, bottom, top in mm, with a margin of two voxels or 2 mm.
    """
    box = []
    for axis in range(3):
        if axis == AXES[direction]:
            continue
        ends = background.ends[axis]
        step, origin = background.step_mm[axis], background.origin_mm[axis]
        margin = max(2.0, 2 * step)
        box += [origin + step * ends[0] - margin, origin + step * ends[1] + margin]
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def section_title(axes: Axes, direction: str, position_mm: float) -> None:
    """Write a slice's position below it, and left and right.

    Parameters
    ----------
    axes : Axes
    direction : {"x", "y", "z"}
    position_mm : float
    """
    sign = "−" if round(position_mm) < 0 else ""
    axes.text(
        0.5, -0.02, f"{direction} = {sign}{abs(round(position_mm))} mm", ha="center", va="top",
        transform=axes.transAxes, fontsize=7, color=MUTED,
    )  # fmt: skip
    if direction != "x":
        for place, side in ((0.05, "L"), (0.95, "R")):
            axes.text(
                place, 0.99, side, ha="left" if side == "L" else "right", va="top",
                transform=axes.transAxes, fontsize=6.5, color=MUTED,
            )  # fmt: skip


@mpl.rc_context(STYLE)
def plot_regions(content: ReportContent) -> Figure:
    """Draw every region that has a mask on three sections through its middle.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    Figure
        Two regions per row; the colour deepens with the region's weights.
    """
    shown = [
        (region, volume) for region in content.regions if (volume := _volume(region)) is not None
    ]
    n_rows = max(1, -(-len(shown) // 2))
    figure = new_figure(10.0, 1.85 * n_rows)
    if not shown:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "The regions of this trial have no image.", ha="center", va="center")
        return finish(figure, simulated=content.simulated)
    mni = content.protocol.space.startswith("MNI")
    blocks = figure.subfigures(n_rows, 2, squeeze=False, wspace=0.03)
    for index, (region, volume) in enumerate(shown):
        block = blocks[index // 2, index % 2]
        block.suptitle(region.name, x=0.01, ha="left", fontsize=8.5, fontweight="bold")
        grid = block.subplots(1, 3)
        middle = _middle(volume)
        background = mni_template() if mni else _grey(volume)
        for axes, direction in zip(grid, AXES, strict=True):
            _draw_region(axes, direction, middle[AXES[direction]], volume, background=background)
    return finish(figure, simulated=content.simulated)


def _volume(region: RegionContent) -> Volume | None:
    if region.mask is None or region.affine is None or not (region.mask > 0).any():
        return None
    return make_volume(region.mask.astype(float), region.affine)


def _grey(volume: Volume) -> Volume:
    return place_volume(
        np.full(volume.data.shape, 0.85), origin_mm=volume.origin_mm, step_mm=volume.step_mm
    )


def _middle(volume: Volume) -> Float[np.ndarray, " 3"]:
    """Find the region's voxel that is nearest to its weighted mean."""
    voxels = np.argwhere(volume.data > 0)
    weights = volume.data[volume.data > 0]
    mean = np.average(voxels, axis=0, weights=weights)
    nearest = voxels[np.argmin(((voxels - mean) ** 2).sum(axis=1))]
    return np.asarray(volume.origin_mm + volume.step_mm * nearest, dtype=float)


def _draw_region(
    axes: Axes, direction: str, position: float, volume: Volume, *, background: Volume
) -> None:
    draw_background(axes, direction, position, background=background)
    weights = volume.section(direction, position)
    colour = np.zeros((*weights.shape, _SPAN))
    colour[..., :3] = mpl.colors.to_rgb(ACCENT)
    colour[..., 3] = np.where(weights > 0, 0.25 + 0.5 * weights / volume.data.max(), 0)
    axes.imshow(
        colour, extent=volume.extent(direction), origin="lower", interpolation="nearest", zorder=3
    )
    left, right, bottom, top = bounds(background, direction)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    section_title(axes, direction, position)
