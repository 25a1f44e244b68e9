"""Records of finished steps, read back from JSON."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from phmri.dataset import read_json

__all__ = ["read_as"]

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

    Notes
    -----
    A pydantic ``ValidationError`` says that the file holds something else.
    """
    record: Kind = _adapter(kind).validate_python(read_json(path))  # type: ignore[arg-type]
    return record
