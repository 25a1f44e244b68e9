"""How a simulated run is stored; `phmri.dataset` does the writing."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int16

from phmri.dataset import write_image, write_text, write_volumes
from phmri.exceptions import Problem, SimulationError
from phmri.simulation._anatomy import Anatomy

__all__ = ["write_bold", "write_columns", "write_mask"]

_STEP = 8.0  # image units per stored integer: noise of 2 to 3 steps, and files that shrink
_LARGEST = float(np.iinfo(np.int16).max) * _STEP


def write_columns(
    path: Path, columns: Mapping[str, Sequence[str] | Float[np.ndarray, " n_rows"]]
) -> None:
    """Write a tab-separated table with 7 digits.

    Parameters
    ----------
    path : Path
        File to be written.
    columns : mapping of str to sequence of str or ndarray of shape (n_rows,)
        NaN is written as ``n/a``.
    """
    texts = [
        [_number(value) for value in column.tolist()] if isinstance(column, np.ndarray) else column
        for column in columns.values()
    ]
    rows = ["\t".join(columns), *("\t".join(row) for row in zip(*texts, strict=True))]
    write_text(path, "\n".join(rows) + "\n")


def _number(value: float) -> str:
    return "n/a" if isnan(value) else f"{value:.7g}"


def write_bold(
    path: Path,
    anatomy: Anatomy,
    data: Float32[np.ndarray, "n_volumes n_voxels"],
    t_r: float,
) -> None:
    """Write a run as int16 with a coarse scale; air is 0.

    Parameters
    ----------
    path : Path
        ``.nii.gz``.
    anatomy : Anatomy
        The brain and its grid.
    data : ndarray of shape (n_volumes, n_voxels)
        Image units, not negative.
    t_r : float
        Seconds.

    Raises
    ------
    SimulationError
        Values are not finite, or larger than the format holds.
    """
    largest = float(max(data.max(), -data.min()))
    if not largest <= _LARGEST:  # NaN too
        raise SimulationError(
            Problem(
                what="the simulated values cannot be stored",
                file=str(path),
                found=f"a value of {largest:.4g}; the mean of grey matter is 1000",
                expected=f"at most {_LARGEST:.4g}: smaller effects, or runs whose noise is small "
                "beside their mean",
            )
        )
    x, y, z = anatomy.mask.shape
    write_volumes(
        path,
        _stored_volumes(anatomy, data),
        (x, y, z, data.shape[0]),
        anatomy.affine,
        dtype=np.int16,
        t_r=t_r,
        slope=_STEP,
    )


def _stored_volumes(
    anatomy: Anatomy, data: Float32[np.ndarray, "n_volumes n_voxels"]
) -> Iterator[Int16[np.ndarray, "x y z"]]:
    inside = anatomy.mask.ravel(order="F")
    grid = np.zeros(inside.size, dtype=np.int16)
    scale = np.float32(1 / _STEP)
    for volume in data:
        grid[inside] = np.rint(volume * scale)
        yield grid.reshape(anatomy.mask.shape, order="F")


def write_mask(path: Path, anatomy: Anatomy) -> None:
    """Write the brain mask and its sidecar.

    Parameters
    ----------
    path : Path
        ``.nii.gz``.
    anatomy : Anatomy
        The brain and its grid.
    """
    sidecar = {
        "Type": "Brain",
        "Resolution": f"voxels of {anatomy.resolution} mm",
        "Simulated": True,
    }
    write_image(path, anatomy.mask, anatomy.affine, sidecar)
