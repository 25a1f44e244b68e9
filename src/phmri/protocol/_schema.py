"""A protocol as JSON: its identity and its schema."""

import hashlib
import json

from phmri.protocol._models import Protocol

__all__ = ["protocol_schema", "protocol_sha256", "schema_text"]


def protocol_sha256(protocol: Protocol) -> str:
    """Identify what a protocol declares, however its file was typed.

    Parameters
    ----------
    protocol : Protocol
        As read or made.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits, of the JSON of all fields, defaults included, keys sorted,
        no spaces. Comments, quotes, the order of keys and a default written out leave it as it
        is; the order of a list does not.
    """
    text = json.dumps(
        protocol.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def protocol_schema() -> dict[str, object]:
    """Describe the protocol file as JSON Schema (2020-12), for editors and other programs.

    Returns
    -------
    dict
        Equal to ``resources/trial.schema.json``. What one section says of another cannot be
        expressed there; `read_protocol` checks it.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Protocol.model_json_schema(),
        "title": "phmri protocol (trial.yaml)",
    }


def schema_text() -> str:
    """Write the schema as the file in ``resources`` holds it.

    Returns
    -------
    str
        JSON, one blank per level.
    """
    return json.dumps(protocol_schema(), indent=1, ensure_ascii=False) + "\n"
