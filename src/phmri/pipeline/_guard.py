"""What results must not be written over: the input, or another program's results."""

from collections.abc import Iterable
from pathlib import Path

from phmri.dataset import read_json
from phmri.exceptions import DatasetError, OutputError, Problem

__all__ = ["refuse_foreign_output"]

_DESCRIPTION = "dataset_description.json"


def refuse_foreign_output(out_dir: Path, root: Path, derivatives: Iterable[Path]) -> None:
    """Refuse to write results into the data or into the folder of another program.

    Parameters
    ----------
    out_dir : Path
        Where results would go.
    root : Path
        Of the data set.
    derivatives : iterable of Path
        Folders of preprocessed data.

    Raises
    ------
    OutputError
        `out_dir` is a part of the data, holds a data set that phmri did not write, or has a name
        that cannot be written down.
    """
    what, found = "results cannot be written there", _unusable(out_dir) or _unusable(root)
    if not found:
        what = "results would be mixed into other data"
        found = _place_in_data(out_dir.resolve(), root.resolve(), derivatives)
    if not found and _is_foreign(out_dir):
        found = "a data set that phmri did not write"
    if found:
        raise OutputError(
            Problem(
                what=what,
                file=_shown(out_dir),
                found=found,
                expected="an empty or new folder, or one with results of phmri",
            )
        )


def _shown(path: Path) -> str:
    return str(path).encode(errors="backslashreplace").decode()


def _unusable(path: Path) -> str:
    """Say what is wrong with a path itself."""
    try:
        str(path).encode()
        path.resolve()
    except UnicodeEncodeError:  # records of what was done could not name it
        return f"a name that is not UTF-8: {_shown(path)}"
    except (RuntimeError, OSError):
        return f"a link that leads to itself: {_shown(path)}"
    return "a file, where a folder is needed" if path.is_file() else ""


def _place_in_data(out_dir: Path, root: Path, derivatives: Iterable[Path]) -> str:
    """Say which part of the data a folder is; results may lie beside derivatives, in the root."""
    if out_dir == root:
        return "the folder that the data are read from"
    if out_dir == root / "derivatives":
        return "the folder of all derivatives, which is not one itself"
    inside = {folder.resolve() for folder in derivatives} - {root, out_dir}
    if any(folder in out_dir.parents for folder in inside):
        return "a folder within preprocessed data"
    if out_dir.is_relative_to(root):
        parts = out_dir.relative_to(root).parts
        if any(part.startswith("sub-") for part in parts):
            return "the folder of a participant"
    return ""


def _is_foreign(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    path = folder / _DESCRIPTION
    if not path.exists():
        return any(child.is_dir() for child in folder.glob("sub-*"))
    try:
        generated = read_json(path).get("GeneratedBy")
    except DatasetError:
        return True
    programs = generated if isinstance(generated, list) else [generated]
    return not any(isinstance(item, dict) and item.get("Name") == "phmri" for item in programs)
