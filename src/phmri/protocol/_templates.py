"""Protocols to start from, written for people to read."""

import os
import tempfile
from pathlib import Path

from phmri.exceptions import OutputError, Problem, ProtocolError
from phmri.protocol._finding import one_of
from phmri.protocol._schema import schema_text

__all__ = ["RESOURCES", "list_templates", "write_template"]

RESOURCES = Path(__file__).resolve().parent.parent / "resources"


def list_templates() -> tuple[str, ...]:
    """Name the protocol templates.

    Returns
    -------
    tuple of str
        Sorted.

    Examples
    --------
    >>> from phmri.protocol import list_templates
    >>> "weigner2025" in list_templates()
    True
    """
    return tuple(sorted(path.stem for path in (RESOURCES / "templates").glob("*.yaml")))


def write_template(name: str, directory: str | Path) -> Path:
    """Write a template as ``trial.yaml``, with the schema that editors complete it from.

    Parameters
    ----------
    name : str
        One of `list_templates`.
    directory : str or Path
        Made when it is not there.

    Returns
    -------
    Path
        ``directory/trial.yaml``.

    Raises
    ------
    ProtocolError
        There is no such template.
    OutputError
        ``trial.yaml`` is there already, or the folder cannot be written to.
    """
    if name not in list_templates():
        raise ProtocolError(
            Problem(
                what="there is no such template",
                found=name,
                expected=one_of(list_templates(), name),
            )
        )
    source = RESOURCES / "templates" / f"{name}.yaml"
    folder = Path(directory)
    target = folder / "trial.yaml"
    if target.exists():
        raise OutputError(
            Problem(
                what="the file is there already and is not overwritten",
                file=str(target),
                expected="another folder, or remove the file first",
            )
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_atomically(folder / "trial.schema.json", schema_text())
        _write_atomically(target, source.read_text(encoding="utf-8"))
    except OSError as error:
        raise OutputError(
            Problem(
                what=f"the template cannot be written ({error.strerror or error})",
                file=str(target),
            )
        ) from error
    return target


def _write_atomically(path: Path, text: str) -> None:
    """Write to a temporary name beside the file, then rename: no half-written file is left."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
