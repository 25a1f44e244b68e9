"""From the file to the `Protocol`, or to every problem that it has."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from phmri.exceptions import Problem, ProtocolError
from phmri.protocol._base import Record
from phmri.protocol._document import Document, read_document
from phmri.protocol._finding import Finding, dotted
from phmri.protocol._models import Protocol
from phmri.protocol._references import check_references
from phmri.protocol._wording import reword

__all__ = ["read_protocol", "read_record"]

AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_protocol(path: str | Path) -> Protocol:
    """Read a protocol file.

    Parameters
    ----------
    path : str or Path
        YAML, encoded in UTF-8. Without anchors, tags and repeated keys; scalars as in YAML 1.2.

    Returns
    -------
    Protocol
        Frozen, and sound in itself.

    Raises
    ------
    ProtocolError
        The file cannot be read or used. Every mistake is listed, in the order of the lines, with
        line, field, what was found and what was expected.

    Examples
    --------
    >>> import tempfile
    >>> from phmri.protocol import read_protocol, write_template
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     protocol = read_protocol(write_template("weigner2025", folder))
    >>> sorted(protocol.design.arms)
    ['ketamine', 'lamotrigine_ketamine', 'placebo']
    """  # noqa: DOC502 - raised by read_record
    return read_record(path, Protocol, check_references)


def read_record(
    path: str | Path,
    kind: type[AnyRecord],
    check: Callable[[dict[str, Any]], Iterable[Finding]],
    *,
    name: str = "protocol file",
    usual: str = "trial.yaml",
) -> AnyRecord:
    """Read a file of the protocol's format as a record.

    Parameters
    ----------
    path : str or Path
        YAML, encoded in UTF-8.
    kind : type
        Of the record.
    check : callable
        Finds what the fields alone do not show, in the file as written.
    name, usual : str
        What such a file is and how it is usually called, for messages.

    Returns
    -------
    Record
        Of that type.

    Raises
    ------
    ProtocolError
        The file cannot be read or used; every mistake is listed by its line.
    """
    version = next(iter(kind.model_fields))  # the first field of every such file
    document = read_document(Path(path), name=name, usual=usual, first=f"{version}: 1")
    record, findings = _validate(document, kind, check)
    problems = [*document.problems, *(_place(document, finding) for finding in findings)]
    if record is None or problems:
        raise ProtocolError(*sorted(dict.fromkeys(problems), key=lambda item: item.line or 0))
    return record


def _validate(
    document: Document,
    kind: type[AnyRecord],
    check: Callable[[dict[str, Any]], Iterable[Finding]],
) -> tuple[AnyRecord | None, list[Finding]]:
    references = list(check(document.value))
    try:
        # JSON mode, strict: 1 is not "1", true is not 1, and a list may become a tuple.
        record = kind.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        fields = [reword(item, kind) for item in error.errors() if item["type"] != "value_error"]
        return None, fields + references
    return record, references


def _place(document: Document, finding: Finding) -> Problem:
    return Problem(
        what=finding.what,
        file=document.file,
        line=document.line(finding.path),
        field=dotted(finding.path),
        found=finding.found,
        expected=finding.expected,
    )
