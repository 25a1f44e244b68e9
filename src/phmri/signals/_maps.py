"""Maps of networks or receptors, brought onto the grid of a run."""

from pathlib import Path

import numpy as np
import scipy.ndimage
from jaxtyping import Float

from phmri.dataset import read_image
from phmri.exceptions import Problem, RegionError
from phmri.signals._records import Grid
from phmri.signals._resample import same_grid

__all__ = ["place_maps"]


def place_maps(path: Path, grid: Grid) -> Float[np.ndarray, "n_maps x y z"]:
    """Read an image of one or more maps and interpolate it linearly onto a grid.

    Parameters
    ----------
    path : Path
        3-D, or 4-D with one map per volume; in the space of the grid. NaN counts as 0.
    grid : Grid
        Of the run.

    Returns
    -------
    ndarray of shape (n_maps, x, y, z)
        0 outside the image.

    Raises
    ------
    RegionError
        The image is neither 3-D nor 4-D, or a map is 0 everywhere on the grid.
    """
    image = read_image(path, allow_nan=True)
    data = np.nan_to_num(np.asarray(image.data, np.float64))
    if data.ndim not in {3, 4}:
        raise RegionError(
            Problem(
                what="an image of maps is 3-D or 4-D",
                file=str(path),
                found=f"{data.ndim} dimensions",
            )
        )
    volumes = data[None] if data.ndim == 3 else np.moveaxis(data, -1, 0)  # noqa: PLR2004
    if not (data.ndim == 3 and same_grid(image, grid)):  # noqa: PLR2004
        matrix = np.linalg.solve(image.affine, grid.affine)
        volumes = np.stack(
            [
                scipy.ndimage.affine_transform(
                    volume, matrix[:3, :3], matrix[:3, 3], output_shape=grid.shape, order=1
                )
                for volume in volumes
            ]
        )
    empty = [str(i + 1) for i, volume in enumerate(volumes) if not volume.any()]
    if empty:
        raise RegionError(
            Problem(
                what="maps have no value on the grid of the run",
                file=str(path),
                found=f"map {', '.join(empty)} of {len(volumes)}",
                expected="maps in the space of the data",
            )
        )
    return np.asarray(volumes)
