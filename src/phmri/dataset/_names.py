"""BIDS file names as entities: ``sub-01_task-rest_space-X_desc-preproc_bold.nii.gz``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ACQUIRED", "FileName", "acquired", "parse_name", "same_number"]

ACQUIRED = frozenset(
    {"sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "chunk", "mod"}
)
"""Entities of the raw file; the others are added by whatever derives from it."""

_EXTENSIONS = (".nii.gz", ".nii", ".tsv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file with what its name says.

    Parameters
    ----------
    path : Path
        File.
    entities : dict of str to str
        Key to label, e.g. ``{"sub": "01", "task": "rest"}``.
    suffix : str
        For example ``bold``.
    extension : str
        For example ``.nii.gz``.
    """

    path: Path
    entities: dict[str, str]
    suffix: str
    extension: str


def parse_name(path: Path, name: str) -> FileName | None:
    """Read the entities of a file name.

    Parameters
    ----------
    path : Path
        File.
    name : str
        Its last part.

    Returns
    -------
    FileName or None
        None when it is no BIDS name of an extension that phmri reads.
    """
    extension = next((ending for ending in _EXTENSIONS if name.endswith(ending)), None)
    if extension is None or name.startswith("."):
        return None
    *pairs, suffix = name[: -len(extension)].split("_")
    entities: dict[str, str] = {}
    for pair in pairs:
        key, dash, label = pair.partition("-")
        if not (key and dash and label):
            return None
        entities[key] = label
    if not suffix or "-" in suffix:
        return None
    return FileName(path=path, entities=entities, suffix=suffix, extension=extension)


def acquired(entities: Mapping[str, str]) -> dict[str, str]:
    """Keep the entities that the raw file of a derivative has.

    Parameters
    ----------
    entities : dict of str to str
        Key to label.

    Returns
    -------
    dict of str to str
        The number of a run without zeros in front: ``run-1`` and ``run-01`` are the same.
    """
    return {key: _plain(key, label) for key, label in entities.items() if key in ACQUIRED}


def _plain(key: str, label: str) -> str:
    return str(int(label)) if key == "run" and label.isdecimal() else label


def same_number(a: str | int | None, b: str | int | None) -> bool:
    """Compare two labels, as numbers where both are: ``02`` and ``2`` are the same.

    Parameters
    ----------
    a, b : str, int or None
        Labels or numbers.

    Returns
    -------
    bool
    """
    if a is None or b is None:
        return a is b
    first, second = str(a), str(b)
    if first.isdigit() and second.isdigit():
        return int(first) == int(second)
    return first == second


def applies_to(file: FileName, entities: Mapping[str, str], ignore: Iterable[str] = ()) -> bool:
    """Tell whether a metadata file applies to a data file by BIDS inheritance.

    Parameters
    ----------
    file : FileName
        The metadata file.
    entities : dict of str to str
        Of the data file.
    ignore : iterable of str
        Keys of `file` that need not agree.

    Returns
    -------
    bool
        Every entity of `file` is one of the data file's.
    """
    skip = set(ignore)
    return all(
        key in skip or (key in entities and _plain(key, entities[key]) == _plain(key, label))
        for key, label in file.entities.items()
    )
