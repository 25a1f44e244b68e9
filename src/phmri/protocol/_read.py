"""From the file to the `Protocol`, or to every problem that it has."""

import json
from pathlib import Path

from pydantic import ValidationError

from phmri.exceptions import Problem, ProtocolError
from phmri.protocol._document import Document, read_document
from phmri.protocol._finding import Finding, dotted
from phmri.protocol._models import Protocol
from phmri.protocol._references import check_references
from phmri.protocol._wording import reword

__all__ = ["read_protocol"]


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
    """
    document = read_document(Path(path))
    protocol, findings = _validate(document)
    problems = [*document.problems, *(_place(document, finding) for finding in findings)]
    if protocol is None or problems:
        raise ProtocolError(*sorted(dict.fromkeys(problems), key=lambda item: item.line or 0))
    return protocol


def _validate(document: Document) -> tuple[Protocol | None, list[Finding]]:
    references = list(check_references(document.value))
    try:
        # JSON mode, strict: 1 is not "1", true is not 1, and a list may become a tuple.
        protocol = Protocol.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        fields = [reword(item) for item in error.errors() if item["type"] != "value_error"]
        return None, fields + references
    return protocol, references


def _place(document: Document, finding: Finding) -> Problem:
    return Problem(
        what=finding.what,
        file=document.file,
        line=document.line(finding.path),
        field=dotted(finding.path),
        found=finding.found,
        expected=finding.expected,
    )
