"""Records of finished steps, read back from JSON."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from phmri.dataset import read_json
from phmri.exceptions import DatasetError, Problem

__all__ = ["read_as", "read_kept"]

Kind = TypeVar("Kind")


@cache  # building one takes longer than reading a record
def _adapter(kind: Any) -> Any:  # beartype knows no TypeAdapter[Kind]
    return TypeAdapter(kind)


def read_as(kind: type[Kind], path: Path) -> Kind:
    """Read a record that an earlier run wrote.

    Parameters
    ----------
    kind : type
        A dataclass.
    path : Path
        JSON.

    Returns
    -------
    kind

    Raises
    ------
    DatasetError
        There is none, or none of this version.
    """
    content = read_json(path)
    try:
        record: Kind = _adapter(kind).validate_python(content)  # type: ignore[arg-type]
    except ValidationError as error:
        raise DatasetError(
            Problem(
                what="not a record of this version; remove it to have its step done again",
                file=str(path),
                found=f"{error.error_count()} fields that do not fit",
            )
        ) from error
    return record


def read_kept(kind: type[Kind], path: Path) -> Kind | None:
    """Read a record, or give None where none is there that can be read.

    Parameters
    ----------
    kind : type
        A dataclass.
    path : Path
        JSON.

    Returns
    -------
    kind or None
    """
    try:
        return read_as(kind, path)
    except DatasetError:
        return None
