"""Images and masks in memory, from NIfTI files."""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from phmri.dataset._headers import READ_ERRORS, find_affine_fault, header_of
from phmri.dataset._records import Image
from phmri.exceptions import DatasetError, Problem

__all__ = ["read_image", "read_mask"]

_N_AXES = 3


def read_image(path: Path, *, allow_nan: bool = False) -> Image:
    """Read a whole image into memory.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    allow_nan : bool, default: False
        Accept NaN, as in statistical maps, where it stands for "not tested".

    Returns
    -------
    Image
        Integers as stored when the header scales nothing, else real numbers.

    Raises
    ------
    DatasetError
        Missing, damaged, without orientation, or NaN or infinity where not allowed.
    """
    path = Path(path)
    header = header_of(path)
    fault = find_affine_fault(header)
    if fault is not None:
        raise DatasetError(fault)
    try:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except (*READ_ERRORS, ImageFileError, HeaderDataError, ValueError) as error:
        what = "the image is truncated or damaged"
        raise DatasetError(Problem(what=what, file=str(path), found=str(error))) from error
    if not allow_nan and data.dtype.kind == "f":
        n_bad = int(data.size - np.count_nonzero(np.isfinite(data)))
        if n_bad:
            raise DatasetError(
                Problem(
                    what="the image holds NaN or infinity",
                    file=str(path),
                    found=f"{n_bad} of {data.size} values",
                    expected="finite values",
                )
            )
    return Image(data=np.array(data, copy=None, subok=False), affine=header.affine)


def read_mask(path: Path) -> Image:
    """Read a mask: true where the image is not zero.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    Image
        ``data`` is boolean, of shape (x, y, z).

    Raises
    ------
    DatasetError
        As in `read_image`; not 3D; or no voxel in the mask.
    """
    image = read_image(path)
    data = image.data
    if data.ndim == _N_AXES + 1 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != _N_AXES:
        what = "a mask has three axes"
        raise DatasetError(Problem(what=what, file=str(path), found=f"shape {data.shape}"))
    mask = data != 0
    if not mask.any():
        raise DatasetError(Problem(what="the mask is empty", file=str(path)))
    return Image(data=mask, affine=image.affine)
