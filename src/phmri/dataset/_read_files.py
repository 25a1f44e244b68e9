"""Whole text files, JSON and hashes."""

import hashlib
import json
from pathlib import Path

from phmri.exceptions import DatasetError, Problem

__all__ = ["file_sha256", "read_json", "read_text", "unreadable", "why_unreadable"]


def file_sha256(path: Path) -> str:
    """Hash the bytes of a file.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Raises
    ------
    DatasetError
        The file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from error


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    dict

    Raises
    ------
    DatasetError
        Missing, not JSON, or not an object.
    """
    text = read_text(Path(path))
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            Problem(what="not valid JSON", file=str(path), line=error.lineno, found=error.msg)
        ) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nesting
        what = "JSON that cannot be read"
        raise DatasetError(Problem(what=what, file=str(path), found=str(error))) from error
    if not isinstance(content, dict):
        raise DatasetError(
            Problem(
                what="not a JSON object",
                file=str(path),
                found=type(content).__name__,
                expected="keys and values in braces",
            )
        )
    return content


def read_text(path: Path) -> str:
    """Read UTF-8 text, with or without a byte order mark.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    str

    Raises
    ------
    DatasetError
        Missing, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(unreadable(path, error)) from error
    except UnicodeDecodeError as error:
        what = "not UTF-8 text"
        raise DatasetError(Problem(what=what, file=str(path), found=error.reason)) from error


def unreadable(path: Path, error: OSError) -> Problem:
    """Say why a file cannot be read.

    Parameters
    ----------
    path : Path
        File.
    error : OSError
        What the system said.

    Returns
    -------
    Problem
    """
    return Problem(
        what="the file cannot be read", file=str(path), found=why_unreadable(path, error)
    )


def why_unreadable(path: Path, error: OSError) -> str:
    """Say in words what the system said, and that a link leads nowhere where that is so.

    Parameters
    ----------
    path : Path
        File.
    error : OSError
        What the system said.

    Returns
    -------
    str
    """
    if path.is_symlink() and not path.exists():
        return "a link to a file that is not here (under git-annex or DataLad: get it first)"
    return error.strerror or str(error)
