"""Names for positions in the brain: atlas areas where an atlas is at hand, else the regions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.dataset import AtlasLabels
from phmri.signals import Grid, RegionOnGrid

__all__ = ["PeakLabels", "label_regions"]

NEAR_MM = 10.0
"""A position farther than this from every region has no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakLabels:
    """Voxel centres of named regions.

    Parameters
    ----------
    names : tuple of str
        Regions of the protocol.
    centres_mm : tuple of ndarray of shape (n_voxels, 3)
        One per name.
    atlas : AtlasLabels or None
        Areas of an atlas in the same space; where a position lies in one, that is its name.
    """

    names: tuple[str, ...]
    centres_mm: tuple[Float[np.ndarray, "_ 3"], ...]
    atlas: AtlasLabels | None

    @property
    def source(self) -> dict[str, object]:  # numpydoc ignore=RT01
        """What the names depend on."""
        return self.atlas.source if self.atlas else {}

    def label_of(self, position_mm: Float[np.ndarray, " 3"]) -> str:
        """Name a position after the area it lies in, or the region it lies in or near.

        Parameters
        ----------
        position_mm : ndarray of shape (3,)

        Returns
        -------
        str
            Empty when neither is near.
        """
        area = self._area_at(position_mm)
        if area:
            return area
        distances = [
            float(np.linalg.norm(centres - position_mm, axis=1).min())
            for centres in self.centres_mm
        ]
        if not distances or min(distances) > NEAR_MM:
            return ""
        nearest = int(np.argmin(distances))
        distance = distances[nearest]
        if distance < 1e-3:  # noqa: PLR2004 - the same voxel
            return self.names[nearest]
        return f"{distance:.0f} mm from {self.names[nearest]}"

    def _area_at(self, position_mm: Float[np.ndarray, " 3"]) -> str:
        if self.atlas is None:
            return ""
        inverse = np.linalg.inv(self.atlas.image.affine)
        voxel = np.rint(inverse[:3, :3] @ position_mm + inverse[:3, 3]).astype(int)
        data = self.atlas.image.data
        if (voxel < 0).any() or (voxel >= data.shape).any():
            return ""
        return self.atlas.names.get(int(data[tuple(voxel)]), "")


def label_regions(
    regions: dict[str, RegionOnGrid], grid: Grid | None, atlas: AtlasLabels | None = None
) -> PeakLabels:
    """Make labels of the regions that a protocol names, and of an atlas where there is one.

    Parameters
    ----------
    regions : dict of str to RegionOnGrid
    grid : Grid or None
        Where they lie; None for tabular data, which have no positions.
    atlas : AtlasLabels, optional

    Returns
    -------
    PeakLabels
    """
    if grid is None:
        return PeakLabels(names=(), centres_mm=(), atlas=None)
    centres = []
    for region in regions.values():
        ijk = np.column_stack(np.unravel_index(region.voxels, grid.shape))
        centres.append(ijk @ grid.affine[:3, :3].T + grid.affine[:3, 3])
    return PeakLabels(names=tuple(regions), centres_mm=tuple(centres), atlas=atlas)
