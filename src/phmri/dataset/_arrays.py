"""Named arrays in one file: where a long computation stands, for the one that goes on with it."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from phmri.dataset._write import write_bytes
from phmri.exceptions import DatasetError, Problem

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."] | str]) -> Path:
    """Write arrays to one ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray
        Numbers or texts.

    Returns
    -------
    Path
        `path`.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Read arrays back.

    Parameters
    ----------
    path : Path
        As `write_arrays` wrote it.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    DatasetError
        If the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            Problem(what="the file cannot be read", file=str(path), found=str(error))
        ) from error
