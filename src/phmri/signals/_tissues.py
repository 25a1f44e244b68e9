"""Which tissue every voxel of a run is of.

Labels 1, 2 and 3 are grey matter, white matter and CSF, as BIDS and fMRIPrep number them. A voxel
takes the label of the nearest voxel of the image; one without label that of the nearest with one.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.ndimage
from jaxtyping import Int, Shaped

from phmri.dataset import Image, read_image
from phmri.exceptions import Problem, RegionError
from phmri.signals._records import Grid
from phmri.signals._resample import same_grid

__all__ = ["place_tissues"]

_N_TISSUES = 3
_N_AXES = 3


def place_tissues(paths: Sequence[Path], grid: Grid) -> Int[np.ndarray, "x y z"]:
    """Tell grey matter, white matter and CSF apart on the grid of a run.

    Parameters
    ----------
    paths : sequence of Path
        One image of labels, or the probabilities of the three tissues on the grid itself.
    grid : Grid
        Of the run, in the space of the images.

    Returns
    -------
    ndarray of shape (x, y, z)
        1, 2 or 3 everywhere: voxels of no tissue, and of other labels, take that of the nearest
        voxel which has one. With probabilities, the tissue of the largest.

    Raises
    ------
    RegionError
        An image is not 3-D, probabilities lie on another grid, or no voxel has a label of a
        tissue.
    """
    images = [read_image(path, allow_nan=True) for path in paths]
    file = str(paths[0])
    odd = [str(image.data.shape) for image in images if image.data.ndim != _N_AXES]
    if odd:
        raise RegionError(
            Problem(what="an image of tissues is 3-D", file=file, found=f"shape {odd[0]}")
        )
    labels = _nearest(images[0], grid) if len(images) == 1 else _most_probable(images, grid, file)
    is_tissue = (labels >= 1) & (labels <= _N_TISSUES)
    if not is_tissue.any():
        raise RegionError(
            Problem(
                what="no voxel of the run has a tissue",
                file=file,
                found=f"labels {', '.join(map(str, np.unique(labels)[:8]))} on the run's grid",
                expected="1 grey matter, 2 white matter, 3 CSF, in the space of the run",
            )
        )
    voxel_mm = np.linalg.norm(grid.affine[:3, :3], axis=0)
    nearest = scipy.ndimage.distance_transform_edt(
        ~is_tissue, sampling=voxel_mm, return_distances=False, return_indices=True
    )
    return np.asarray(labels[tuple(nearest)], np.int64)


def _nearest(image: Image, grid: Grid) -> Int[np.ndarray, "x y z"]:
    if same_grid(image, grid):
        return _whole(image.data)
    matrix = np.linalg.solve(image.affine, grid.affine)
    place = np.tensordot(matrix[:3, :3], np.indices(grid.shape, np.float32), 1)
    nearest = np.rint(place + matrix[:3, 3, None, None, None]).astype(np.intp)
    limit = np.array(image.data.shape)[:, None, None, None]
    there = ((nearest >= 0) & (nearest < limit)).all(axis=0)
    labels = np.zeros(grid.shape, np.int64)
    labels[there] = _whole(image.data[tuple(nearest[:, there])])
    return labels


def _whole(data: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
    # Labels may be stored as real numbers; what is none of them is no tissue.
    values = np.nan_to_num(np.asarray(data, np.float64))
    near = np.rint(values)
    return np.where(np.abs(values - near) < 1e-3, near, 0.0).astype(np.int64)  # noqa: PLR2004


def _most_probable(images: Sequence[Image], grid: Grid, file: str) -> Int[np.ndarray, "x y z"]:
    if not all(same_grid(image, grid) for image in images):
        raise RegionError(
            Problem(
                what="the probabilities of tissues lie on another grid than the run",
                file=file,
                found=f"shape {images[0].data.shape}",
                expected=f"{grid.shape}, with the run's affine",
            )
        )
    shares = np.stack([np.nan_to_num(np.asarray(image.data, np.float64)) for image in images])
    return np.where(shares.max(axis=0) > 0, shares.argmax(axis=0) + 1, 0).astype(np.int64)
