"""What results must not be written over: the input, or another program's results."""

from collections.abc import Iterable
from pathlib import Path

from phmri.dataset import read_json
from phmri.exceptions import DatasetError, OutputError, Problem

__all__ = ["refuse_foreign_output"]

_DESCRIPTION = "dataset_description.json"


def refuse_foreign_output(out_dir: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write results into the input or into the folder of another program.

    Parameters
    ----------
    out_dir : Path
        Where results would go.
    inputs : iterable of Path
        The BIDS root and the derivative folders.

    Raises
    ------
    OutputError
        `out_dir` is one of the inputs, or holds a data set that phmri did not write.
    """
    if any(out_dir.resolve() == folder.resolve() for folder in inputs):
        found = "the folder that the data are read from"
    elif _is_foreign(out_dir):
        found = "a data set that phmri did not write"
    else:
        return
    raise OutputError(
        Problem(
            what="results would be mixed into other data",
            file=str(out_dir),
            found=found,
            expected="an empty or new folder, or one with results of phmri",
        )
    )


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
