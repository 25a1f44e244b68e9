"""What may be written over: what an earlier simulation left, and nothing else."""

import json
import re
from pathlib import Path

from phmri.exceptions import Problem

__all__ = ["COPY_HEAD", "folder_problems", "is_foreign_tree", "is_our_truth", "is_same_file"]

COPY_HEAD = """\
# What was planted in this SIMULATED trial. The analysis never reads this file.
"""
"""Before the copy of a truth that lies beside what was made of it."""
_HEAD = re.compile(
    r"# What (is|was) planted in th(is|e) SIMULATED .*\. The analysis never reads this file\.\n"
)


def is_our_truth(path: Path) -> bool:
    """Tell whether a truth was written by a demo or copied by a simulation.

    Parameters
    ----------
    path : Path
        ``truth.yaml``.

    Returns
    -------
    bool
        False where no text is there.
    """
    return _HEAD.match(_text(path)) is not None


def is_foreign_tree(bids_dir: Path) -> bool:
    """Tell whether a BIDS root holds anything that was not simulated.

    Parameters
    ----------
    bids_dir : Path
        There or not.

    Returns
    -------
    bool
        False where nothing is there.
    """
    if not bids_dir.is_dir():
        return bids_dir.exists()
    try:
        description = json.loads(_text(bids_dir / "dataset_description.json"))
    except ValueError:
        description = {}
    ours = isinstance(description, dict) and description.get("Simulated") is True
    return not ours and any(bids_dir.iterdir())


def folder_problems(directory: Path, truth_path: Path) -> list[Problem]:
    """Say why a simulation cannot be written into a folder.

    Parameters
    ----------
    directory : Path
        Made when absent.
    truth_path : Path
        What is planted; it may lie in that folder.

    Returns
    -------
    list of Problem
        Empty when it can.
    """
    problems = []
    for path in (directory, *directory.absolute().parents):
        if path.exists() and not path.is_dir():
            return [Problem(what="this is a file", file=str(path), expected="a folder or nothing")]
    if is_foreign_tree(directory / "bids"):
        problems.append(
            Problem(
                what="this folder holds data that were not simulated by phmri",
                file=str(directory / "bids"),
                expected="no such folder, or an earlier simulation",
            )
        )
    copy = directory / "truth.yaml"
    ours = is_same_file(copy, truth_path) or _text(copy).startswith(COPY_HEAD)
    if copy.exists() and not ours:
        problems.append(
            Problem(
                what="the copy of the truth would overwrite another file",
                file=str(copy),
                found="no copy that an earlier simulation left",
                expected=f"another folder, or --truth {copy}",
            )
        )
    return problems


def is_same_file(path: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file, whatever they are called.

    Parameters
    ----------
    path, other : Path
        There or not.

    Returns
    -------
    bool
        False where either is missing.
    """
    try:
        return path.samefile(other)
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
