"""Names for positions in the brain: atlas areas where an atlas is at hand, else the regions."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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
    centres_mm : tuple of ndarray of shape (n_voxels, 3)
        One per name.
    """

    names: tuple[str, ...]
    centres_mm: tuple[Float[np.ndarray, "_ 3"], ...]

    def label_of(self, position_mm: Float[np.ndarray, " 3"]) -> str:
        """Name a position after the region it lies in or near.

        Parameters
        ----------
        position_mm : ndarray of shape (3,)

        Returns
        -------
        str
            Empty when no region is near.
        """
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


def label_regions(regions: dict[str, RegionOnGrid], grid: Grid | None) -> PeakLabels:
    """Make labels of the regions that a protocol names.

    Parameters
    ----------
    regions : dict of str to RegionOnGrid
    grid : Grid or None
        Where they lie; None for tabular data, which have no positions.

    Returns
    -------
    PeakLabels
    """
    if grid is None:
        return PeakLabels(names=(), centres_mm=())
    centres = []
    for region in regions.values():
        ijk = np.column_stack(np.unravel_index(region.voxels, grid.shape))
        centres.append(ijk @ grid.affine[:3, :3].T + grid.affine[:3, 3])
    return PeakLabels(names=tuple(regions), centres_mm=tuple(centres))
