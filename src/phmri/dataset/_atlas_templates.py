"""Julich-Brain labels in folders with BIDS-like names, one per template space."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Real

from phmri.dataset._read_files import file_sha256
from phmri.dataset._read_images import read_image
from phmri.dataset._read_tables import read_table
from phmri.exceptions import AtlasError, Problem

__all__ = ["Kind", "Part", "Request", "as_probability", "from_templates", "short_name"]

_BYTE = 255.0

Kind = Literal["mask", "probability"]
Part = tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Parameters
    ----------
    areas : tuple of str
        Names without ``Area`` and region.
    sides : tuple of {"L", "R"}
    space : str
        Template.
    kind : {"mask", "probability"}
    """

    areas: tuple[str, ...]
    sides: tuple[str, ...]
    space: str
    kind: Kind


def short_name(name: str) -> str:
    """Shorten ``Area p24ab (pACC)`` to ``p24ab``.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return name.removeprefix("Area ").split(" (")[0].strip()


def from_templates(
    folder: Path, request: Request, spaces: set[str], known: set[str]
) -> tuple[list[Part], list[dict[str, object]]] | None:
    """Read ``tpl-<space>_...`` files; note the spaces, and the areas in the asked one.

    Parameters
    ----------
    folder : Path
        Where to look.
    request : Request
        What is asked for.
    spaces : set of str
        Gains the spaces that the folder has.
    known : set of str
        Gains the areas that it has in the asked space.

    Returns
    -------
    tuple or None
        Images to be added up and records of the files; None when they are not here.

    Raises
    ------
    AtlasError
        The probability image does not match its table.
    """
    suffix = "dseg" if request.kind == "mask" else "probseg"
    for description in ("_desc-ACC", ""):
        table = folder / f"atlas-Julich31{description}_dseg.tsv"
        end = f"_atlas-Julich31{description}_{suffix}.nii.gz"
        images = sorted(folder.glob(f"tpl-*{end}"))
        spaces |= {path.name.removeprefix("tpl-").split("_")[0] for path in images}
        here = [path for path in images if path.name.startswith(f"tpl-{request.space}_")]
        if not here or not table.is_file():
            continue
        indices = _indices(table, request, known)
        if indices is None:
            continue
        path = here[0]  # res-01 before res-02
        record: dict[str, object] = {
            "file": str(path),
            "sha256": file_sha256(path),
            "table": str(table),
            "table_sha256": file_sha256(table),
            "labels": indices,
        }
        image = read_image(path)
        if request.kind == "mask":
            return [(np.isin(image.data, indices).astype(np.float64), image.affine)], [record]
        volumes = [index - 1 for index in indices]
        if image.data.ndim != 4 or max(volumes) >= image.data.shape[3]:  # noqa: PLR2004 - 4D
            what = "the probability image does not match its table"
            raise AtlasError(Problem(what=what, file=str(path), found=str(image.data.shape)))
        total = sum(as_probability(path, image.data[..., volume]) for volume in volumes)
        return [(np.asarray(total), image.affine)], [record]
    return None


def _indices(table: Path, request: Request, known: set[str]) -> list[int] | None:
    """Look up the labels of all areas; None when the table lacks one.

    Raises
    ------
    AtlasError
        The table lacks columns, or a name stands for several areas.
    """
    frame = read_table(table, text_columns=("julich_name", "area", "hemisphere"))
    wanted = {"index", "hemisphere", "julich_name"}
    if not wanted <= set(frame.columns):
        raise AtlasError(
            Problem(
                what="the table of labels lacks columns",
                file=str(table),
                found=", ".join(frame.columns),
                expected=", ".join(sorted(wanted)),
            )
        )
    indices = []
    full = frame["julich_name"].to_numpy()
    known |= {short_name(name) for name in full}
    for area in request.areas:
        named = np.array([name == area or short_name(name) == area for name in full])
        for side in request.sides:
            rows = frame[named & (frame["hemisphere"] == side).to_numpy()]
            if len(rows) > 1:
                raise AtlasError(
                    Problem(
                        what="the area is not unique in the atlas; use its full name",
                        file=str(table),
                        found=area,
                        expected=", ".join(rows["julich_name"]),
                    )
                )
            if rows.empty:
                return None
            indices.append(int(rows["index"].iloc[0]))
    return indices


def as_probability(path: Path, data: Real[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Scale bytes to [0, 1].

    Parameters
    ----------
    path : Path
        For messages.
    data : ndarray
        Probabilities, or bytes of 1/255.

    Returns
    -------
    ndarray
        Of the same shape.

    Raises
    ------
    AtlasError
        Values outside [0, 1].
    """
    values = data.astype(np.float64)
    if data.dtype == np.uint8:
        values /= _BYTE
    if values.min() < 0 or values.max() > 1:
        raise AtlasError(
            Problem(
                what="these are not probabilities",
                file=str(path),
                found=f"values from {values.min():g} to {values.max():g}",
                expected="0 to 1",
            )
        )
    return values
