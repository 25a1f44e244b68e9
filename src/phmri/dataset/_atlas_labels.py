"""Names of all areas of an atlas, to label positions with; only from a local folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phmri.dataset._read_files import file_sha256
from phmri.dataset._read_images import read_image
from phmri.dataset._read_tables import read_table
from phmri.dataset._records import Image

__all__ = ["AtlasLabels", "read_labels"]

_TABLE = "atlas-Julich31_dseg.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtlasLabels:
    """A label image with the names of its labels.

    Parameters
    ----------
    image : Image
        0 where there is no area.
    names : dict of int to str
        Label -> area, the side first, e.g. ``left p32 (pACC)``.
    source : dict
        Files with their SHA-256.
    """

    image: Image
    names: dict[int, str]
    source: dict[str, object]


def read_labels(folders: Sequence[Path], space: str) -> AtlasLabels | None:
    """Read the Julich-Brain labels of a template space.

    Parameters
    ----------
    folders : sequence of Path
        Searched in order for ``tpl-<space>_res-<n>_atlas-Julich31_dseg.nii.gz`` with its table.
    space : str

    Returns
    -------
    AtlasLabels or None
        None when no folder has them in this space: another space is never used in its place.
    """
    for folder in folders:
        images = sorted(folder.glob(f"tpl-{space}_res-*_atlas-Julich31_dseg.nii.gz"))
        table = folder / _TABLE
        if not images or not table.is_file():
            continue
        rows = read_table(table, text_columns=("hemisphere", "julich_name"))
        sides = {"L": "left", "R": "right"}
        names = {
            int(index): f"{sides.get(side, side)} {name.removeprefix('Area ')}"
            for index, side, name in zip(
                rows["index"], rows["hemisphere"], rows["julich_name"], strict=True
            )
        }
        path = images[0]
        return AtlasLabels(
            image=read_image(path),
            names=names,
            source={"file": path.name, "sha256": file_sha256(path)},
        )
    return None
