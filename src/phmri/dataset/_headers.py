"""What the first bytes of a NIfTI file promise, read without decompressing the file.

A gzip file ends with the length of its content modulo 2^32; comparing that with the size that
the header promises finds a truncated file at the cost of reading four bytes.
"""

import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from isal.igzip_lib import IsalError
from jaxtyping import Float
from nibabel.spatialimages import HeaderDataError

from phmri.dataset._read_files import why_unreadable
from phmri.exceptions import DatasetError, Problem

__all__ = [
    "READ_ERRORS",
    "ImageHeader",
    "find_affine_fault",
    "find_size_fault",
    "gzip_or_plain",
    "header_of",
]

_ISAL_ERROR: type[Exception] = IsalError  # type: ignore[assignment]  # the stub says: an instance
READ_ERRORS: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, _ISAL_ERROR)
"""What reading a damaged file raises, gzip or plain."""

_HEADER_BYTES = 544  # NIfTI-2 is 540 long, NIfTI-1 348
_PROBE_BYTES = 8192
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_SMALLEST_MM, _LARGEST_MM = 0.05, 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What the header of a NIfTI file says.

    Parameters
    ----------
    path : Path
        File.
    shape : tuple of int
        All dimensions, as written.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    has_space : bool
        The header states an orientation (sform or qform code above 0).
    t_r : float or None
        Repetition time in seconds, None where the header has none or no unit of time.
    slope, inter : float
        Scaled value = stored value * slope + inter.
    dtype : numpy dtype
        Of the stored values, with the byte order of the file.
    offset : int
        Bytes before the first value.
    """

    path: Path
    shape: tuple[int, ...]
    affine: Float[np.ndarray, "4 4"]
    has_space: bool
    t_r: float | None
    slope: float
    inter: float
    dtype: np.dtype[np.generic]
    offset: int

    @property
    def n_bytes(self) -> int:  # numpydoc ignore=RT01
        """Length of the uncompressed file that the header promises."""
        return self.offset + self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))


def gzip_or_plain(path: Path) -> io.BufferedIOBase:
    """Open an image for reading its uncompressed bytes.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.

    Returns
    -------
    binary file
    """
    if path.name.endswith(".gz"):
        stream: io.BufferedIOBase = igzip.open(path, "rb")
        return stream
    return path.open("rb")


def header_of(path: Path) -> ImageHeader:
    """Read the header of a NIfTI file.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    ImageHeader

    Raises
    ------
    DatasetError
        The file cannot be opened, is empty, not gzip although named so, or not NIfTI.
    """
    block = _first_bytes(path)
    sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")}
    kind = (
        nib.Nifti1Header if 348 in sizes else nib.Nifti2Header if 540 in sizes else None  # noqa: PLR2004 - lengths of the two headers
    )
    if kind is None:
        raise DatasetError(
            _broken(path, "not a NIfTI image", "another kind of file", "a NIfTI header")
        )
    try:
        header = kind(block[: kind.sizeof_hdr], check=False)
        if bytes(header["magic"].tobytes())[:3] not in {b"n+1", b"n+2"}:
            raise DatasetError(
                _broken(path, "not a single-file NIfTI image", "a header of another format")
            )
        return _parse(path, header)
    except (HeaderDataError, ValueError, KeyError, OverflowError) as error:
        raise DatasetError(_broken(path, "the NIfTI header makes no sense", str(error))) from error


def _parse(path: Path, header: nib.Nifti1Header) -> ImageHeader:
    shape = tuple(int(length) for length in header.get_data_shape())
    if not shape or min(shape) < 1:
        raise DatasetError(_broken(path, "the image has no voxels", f"shape {shape}"))
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > np.dtype(np.float64).itemsize:
        raise DatasetError(
            _broken(path, "the type of the voxels cannot be used", str(dtype), "real numbers")
        )
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0.0 or not np.isfinite(slope):
        slope, inter = 1.0, 0.0
    factor = _SECONDS.get(header.get_xyzt_units()[1])
    pixdim = float(header["pixdim"][4])
    return ImageHeader(
        path=path,
        shape=shape,
        affine=np.asarray(header.get_best_affine(), dtype=np.float64),
        has_space=bool(header["sform_code"] > 0 or header["qform_code"] > 0),
        t_r=pixdim * factor if factor is not None and 0 < pixdim < np.inf else None,
        slope=slope,
        inter=inter if np.isfinite(inter) else 0.0,
        dtype=dtype,
        offset=max(int(header["vox_offset"]), int(header.sizeof_hdr)),
    )


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_PROBE_BYTES)
    except OSError as error:
        raise DatasetError(
            _broken(path, "cannot be opened", why_unreadable(path, error))
        ) from error
    if not raw:
        raise DatasetError(_broken(path, "the file is empty", "0 bytes", "a NIfTI image"))
    if path.name.endswith(".gz"):
        if raw[:2] != b"\x1f\x8b":
            raise DatasetError(_broken(path, "not gzip although its name ends with .gz"))
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, _HEADER_BYTES)
        except zlib.error as error:
            raise DatasetError(
                _broken(path, "damaged gzip data at the start", str(error))
            ) from error
    if len(raw) < 348:  # noqa: PLR2004 - length of the NIfTI-1 header
        raise DatasetError(_broken(path, "the file ends within its header", f"{len(raw)} bytes"))
    return raw[:_HEADER_BYTES]


def _broken(
    path: Path, what: str, found: str | None = None, expected: str | None = None
) -> Problem:
    return Problem(what=what, file=str(path), found=found, expected=expected)


def find_size_fault(header: ImageHeader) -> Problem | None:
    """Compare the length of a file with what its header promises.

    A gzip file whose trailer disagrees may still be whole (it may consist of several members),
    so only then is it decompressed.

    Parameters
    ----------
    header : ImageHeader
        From `header_of`.

    Returns
    -------
    Problem or None
    """
    path, expected = header.path, header.n_bytes
    try:
        if not path.name.endswith(".gz"):
            n_bytes = path.stat().st_size
        elif _gzip_trailer(path) == expected % 2**32:
            return None
        else:
            n_bytes = _decompressed_size(path)
    except READ_ERRORS as error:
        return Problem(what="truncated or damaged gzip data", file=str(path), found=str(error))
    if n_bytes >= expected:
        return None
    return Problem(
        what="the image is truncated",
        file=str(path),
        found=f"{n_bytes} bytes",
        expected=f"{expected} bytes for shape {header.shape}",
    )


def _gzip_trailer(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(-4, io.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def _decompressed_size(path: Path) -> int:
    total = 0
    with gzip_or_plain(path) as stream:
        while chunk := stream.read(1 << 20):
            total += len(chunk)
    return total


def find_affine_fault(header: ImageHeader) -> Problem | None:
    """Judge whether an affine can place voxels in millimetres.

    Parameters
    ----------
    header : ImageHeader
        From `header_of`.

    Returns
    -------
    Problem or None
    """
    affine = header.affine
    if not header.has_space:
        return Problem(
            what="the header does not say where the voxels lie",
            file=str(header.path),
            found="sform and qform codes both 0",
            expected="an orientation",
        )
    if not np.isfinite(affine).all():
        return Problem(what="the affine holds NaN or infinity", file=str(header.path))
    sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    volume = abs(float(np.linalg.det(affine[:3, :3])))
    flat = volume < 1e-3 * float(np.prod(sizes))
    if flat or sizes.min() < _SMALLEST_MM or sizes.max() > _LARGEST_MM:
        return Problem(
            what="the affine cannot be right",
            file=str(header.path),
            found="voxels of "
            + " x ".join(f"{size:.4g}" for size in sizes)
            + " mm"
            + (", axes that lie in a plane" if flat else ""),
            expected=f"three independent axes of {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm",
        )
    return None
