"""What ``claim.json`` holds: the answer, before and after its family, and what it rests on."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from phmri.dataset import write_json
from phmri.inference import Claim, claim_to_dict
from phmri.pipeline._provenance import FileRecord
from phmri.pipeline._read_as import read_as, read_kept
from phmri.report import BesideContent

__all__ = ["AnswerRecord", "kept_record", "read_record", "store_settled", "write_record"]

FILE = "claim.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """The content of ``claim.json``.

    Parameters
    ----------
    step_key : str
        What the answer depends on besides files; empty where it was refused.
    protocol_sha256 : str
    sources, outputs : tuple of FileRecord
    values_label : str
    claim : dict
        What is claimed: after the family that the question shares an error rate with.
    alone : dict or None
        The same before its family; None where this changes nothing.
    beside : BesideContent
    """

    step_key: str
    protocol_sha256: str
    sources: tuple[FileRecord, ...]
    outputs: tuple[FileRecord, ...]
    values_label: str
    claim: dict[str, Any]
    alone: dict[str, Any] | None = None
    beside: BesideContent = field(default_factory=BesideContent)


def read_record(folder: Path) -> AnswerRecord:
    """Read the record of an answer.

    Parameters
    ----------
    folder : Path
        Of the question.

    Returns
    -------
    AnswerRecord

    Raises
    ------
    DatasetError
        There is none, or none of this version.
    """  # noqa: DOC502 - raised by read_as
    return read_as(AnswerRecord, folder / FILE)


def kept_record(folder: Path) -> AnswerRecord | None:
    """Read the record of an answer, or give None where none is there that can be read.

    Parameters
    ----------
    folder : Path
        Of the question.

    Returns
    -------
    AnswerRecord or None
    """
    return read_kept(AnswerRecord, folder / FILE)


def write_record(folder: Path, record: AnswerRecord) -> None:
    """Write the record of an answer.

    Parameters
    ----------
    folder : Path
        Of the question.
    record : AnswerRecord
    """
    write_json(folder / FILE, asdict(record))


def store_settled(folder: Path, claim: Claim) -> None:
    """Put what a family makes of an answer in its record, and keep the answer alone beside it.

    Parameters
    ----------
    folder : Path
        Of the question.
    claim : Claim
        After its family.
    """
    record = read_record(folder)
    settled, alone = claim_to_dict(claim), record.alone or record.claim
    if settled != record.claim:
        kept = None if settled == alone else alone
        write_record(folder, replace(record, claim=settled, alone=kept))
