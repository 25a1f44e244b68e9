"""Writing files whole or not at all.

Every file is written under a temporary name in the folder where it belongs and renamed when it is
complete. On any failure the temporary file is removed and the old file, if any, stands untouched.
What a killed process leaves is removed by the next one that writes the same file.
"""

import dataclasses
import errno
import fcntl
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
import pandas as pd
from isal import igzip
from jaxtyping import Float, Shaped

from phmri.exceptions import OutputError, Problem

__all__ = [
    "sidecar_path",
    "write_bytes",
    "write_image",
    "write_json",
    "write_table",
    "write_text",
    "write_volumes",
]

_LEVEL = 1
_BLOCK_BYTES = 1 << 22
_IMAGE_AXES = (3, 4)


def sidecar_path(path: Path) -> Path:
    """Name the JSON file that belongs to a data file.

    Parameters
    ----------
    path : Path
        For example ``x_bold.nii.gz`` or ``x_timeseries.tsv``.

    Returns
    -------
    Path
        For example ``x_bold.json``.
    """
    name = path.name.removesuffix(".gz")
    return path.with_name(name.rsplit(".", 1)[0] + ".json")


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    stem = f".{path.name[:150]}."
    part = path.with_name(f"{stem}{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent, stem)
        try:
            with part.open("xb") as file:
                _hold(file)
                yield file
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            reason += " (free some space and run again)"
        raise OutputError(
            Problem(what="the file cannot be written", file=str(path), found=reason)
        ) from error


def _hold(file: BinaryIO) -> bool:
    """Mark a file as being written; the mark goes with the process, however that ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another process, or a file system without locks
        return False
    return True


def _remove_abandoned(folder: Path, stem: str) -> None:
    """Remove what a killed process left of the same file; what is being written stays."""
    for part in folder.iterdir():
        if part.name.startswith(stem) and part.name.endswith(".part"):
            with suppress(OSError), part.open("rb") as file:
                if _hold(file):
                    part.unlink()


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes to a file, whole or not at all.

    Parameters
    ----------
    path : Path
        Its folder is made if need be.
    content : bytes
        What is written.

    Returns
    -------
    Path
        `path`.

    Notes
    -----
    A full disk, a folder that cannot be written and the like make an `OutputError` that names the
    file and the reason.
    """
    path = Path(path)
    with _whole(path) as file:
        file.write(content)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write text as UTF-8, whole or not at all.

    Parameters
    ----------
    path : Path
        File.
    text : str
        Content.

    Returns
    -------
    Path
        `path`.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: object) -> Path:
    """Write JSON with sorted keys, whole or not at all.

    Parameters
    ----------
    path : Path
        File.
    content : object
        Of dicts, lists, tuples, dataclasses, NumPy arrays and numbers, paths, texts. NaN and
        infinity, which JSON lacks, are written as ``null``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        Something in `content` has no JSON form, or the file cannot be written.
    """
    try:
        plain = _plain(content, "")
    except TypeError as error:
        raise OutputError(
            Problem(what="the content has no JSON form", file=str(path), found=str(error))
        ) from error
    text = json.dumps(plain, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return write_text(path, text + "\n")


def _plain(value: object, place: str) -> object:
    """Turn a value into what the json module writes; `place` is for the message."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), place)
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return _plain_container(value, place)


def _plain_container(value: object, place: str) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: _plain(getattr(value, f.name), f"{place}.{f.name}") for f in fields}
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), place)
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{i}]") for i, item in enumerate(value)]
    raise TypeError(f"{type(value).__name__} at {place or 'the top'}")


def _key(key: object, place: str) -> str:
    if isinstance(key, str | int | np.integer):
        return str(key)
    raise TypeError(f"key of type {type(key).__name__} at {place or 'the top'}")


def write_table(
    path: Path, table: pd.DataFrame, sidecar: Mapping[str, object] | None = None
) -> Path:
    """Write a table as tab-separated text and its sidecar as JSON.

    Parameters
    ----------
    path : Path
        ``.tsv``.
    table : DataFrame
        The index is not written. Missing values become ``n/a``; numbers keep every digit that is
        needed to read the same number back.
    sidecar : dict, optional
        Written first, so that no table stands without it.

    Returns
    -------
    Path
        `path`.
    """
    path = Path(path)
    text = io.StringIO()
    table.to_csv(text, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    if sidecar is not None:
        write_json(sidecar_path(path), sidecar)
    return write_text(path, text.getvalue())


def write_image(
    path: Path,
    data: Shaped[np.ndarray, "..."],
    affine: Float[np.ndarray, "4 4"],
    sidecar: Mapping[str, object] | None = None,
    *,
    t_r: float | None = None,
) -> Path:
    """Write an image as NIfTI-1 and its sidecar as JSON; the same input gives the same bytes.

    Parameters
    ----------
    path : Path
        ``.nii.gz`` or ``.nii``.
    data : ndarray of shape (x, y, z) or (x, y, z, n)
        Real numbers become float32, booleans uint8, integers the smallest of uint8, int16 and
        int32 that holds them. NaN is kept.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    sidecar : dict, optional
        Written first, so that no image stands without it.
    t_r : float, optional
        Repetition time in seconds, for 4D data.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OutputError
        `data` is not an image, or the file cannot be written.
    """
    path, data = Path(path), np.asarray(data)
    if data.ndim not in _IMAGE_AXES:
        what = f"an image has 3 or 4 axes, not {data.ndim}"
        raise OutputError(Problem(what=what, file=str(path), found=f"shape {data.shape}"))
    stored = data.astype(_stored_type(path, data), copy=False)
    volumes = (stored[..., i] for i in range(stored.shape[3])) if stored.ndim > 3 else [stored]  # noqa: PLR2004 - 4D
    header = _nifti_header(stored.shape, stored.dtype, affine, t_r)
    if sidecar is not None:
        write_json(sidecar_path(path), sidecar)
    return _write_nifti(path, header, volumes)


def _stored_type(path: Path, data: Shaped[np.ndarray, "..."]) -> np.dtype[np.generic]:
    if data.dtype.kind == "f":
        return np.dtype(np.float32)
    if data.dtype.kind in "biu":
        low, high = (int(data.min()), int(data.max())) if data.size else (0, 0)
        for kind in (np.uint8, np.int16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
    raise OutputError(
        Problem(
            what="these values cannot be stored in an image",
            file=str(path),
            found=str(data.dtype),
            expected="real numbers, integers of at most 32 bits or booleans",
        )
    )


def write_volumes(
    path: Path,
    volumes: Iterable[Shaped[np.ndarray, "x y z"]],
    shape: tuple[int, int, int, int],
    affine: Float[np.ndarray, "4 4"],
    *,
    dtype: type[np.generic],
    t_r: float,
    slope: float = 1.0,
    inter: float = 0.0,
) -> Path:
    """Write a 4D NIfTI-1 image volume by volume, in the memory of one volume.

    Parameters
    ----------
    path : Path
        ``.nii.gz`` or ``.nii``.
    volumes : iterable of ndarray of shape (x, y, z)
        Stored values, ``shape[3]`` of them. Fastest when each is in Fortran order.
    shape : tuple of int
        x, y, z and the number of volumes.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    dtype : numpy type
        Of the stored values.
    t_r : float
        Repetition time in seconds.
    slope, inter : float
        Written to the header: scaled value = stored value * slope + inter.

    Returns
    -------
    Path
        `path`.

    Notes
    -----
    Another number or shape of volumes than promised makes an `OutputError`, and no file.
    """
    header = _nifti_header(shape, np.dtype(dtype), affine, t_r)
    header["scl_slope"], header["scl_inter"] = slope, inter
    return _write_nifti(Path(path), header, volumes)


def _nifti_header(
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    affine: Float[np.ndarray, "4 4"],
    t_r: float | None,
) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_sform(affine, code="mni")
    header.set_qform(affine, code="mni", strip_shears=True)
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["vox_offset"], header["magic"] = 352, b"n+1"
    header.set_xyzt_units("mm", "sec" if t_r else "unknown")
    if t_r:
        header["pixdim"][4] = t_r
    return header


def _write_nifti(
    path: Path, header: nib.Nifti1Header, volumes: Iterable[Shaped[np.ndarray, "x y z"]]
) -> Path:
    shape = tuple(header.get_data_shape())
    n_expected = shape[3] if len(shape) > 3 else 1  # noqa: PLR2004 - 4D
    dtype = header.get_data_dtype()
    n_written = 0
    with _whole(path) as file, _compressor(path, file) as stream:
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            if volume.shape != shape[:3] or n_written == n_expected:
                raise OutputError(
                    _wrong_volumes(path, f"volume {n_written} of shape {volume.shape}", shape)
                )
            raw = np.asarray(volume, dtype=dtype).ravel(order="F").view(np.uint8).data
            for start in range(0, len(raw), _BLOCK_BYTES):
                stream.write(raw[start : start + _BLOCK_BYTES])
            n_written += 1
        if n_written != n_expected:
            raise OutputError(_wrong_volumes(path, f"{n_written} volumes", shape))
    return path


def _wrong_volumes(path: Path, found: str, shape: tuple[int, ...]) -> Problem:
    what = "the volumes given are not those promised"
    return Problem(what=what, file=str(path), found=found, expected=f"shape {shape}")


@contextmanager
def _compressor(path: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    if not path.name.endswith(".gz"):
        yield file
        return
    with igzip.IGzipFile(
        filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0
    ) as gz:
        yield gz
