"""How outcomes go with the score of a scale: asked, answered, kept."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from phmri.dataset import read_json, write_json
from phmri.exceptions import DesignError, InferenceError
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_answer import answer_parts
from phmri.pipeline._association_data import AssociationData, load_association
from phmri.pipeline._association_words import refuse_association
from phmri.pipeline._provenance import (
    FileRecord,
    are_there,
    hash_parameters,
    left_in,
    remove_outputs,
)
from phmri.pipeline._read_as import read_kept
from phmri.protocol import Association, Inference, inference_of, protocol_sha256
from phmri.report import AssociationContent

__all__ = ["answer_association", "store_association"]

RECORD = 5
"""Raised when the record holds more: an earlier one is made again."""
FILE = "association.json"
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """``association.json``."""

    step_key: str
    protocol_sha256: str
    content: AssociationContent
    alone: AssociationContent | None = None
    outputs: tuple[FileRecord, ...] = ()


def answer_association(
    inputs: GroupInputs, name: str, on_progress: OnProgress
) -> AssociationContent:
    """Answer one association, or say why the data cannot.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.associations``.
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    AssociationContent
    """
    item, settings = inputs.protocol.associations[name], inference_of(inputs.protocol, name)
    folder = _folder(inputs, name)
    kept = read_kept(_Record, folder / FILE)
    earlier = kept.outputs if kept is not None else ()
    try:
        data = load_association(inputs, name)
        key = _key(inputs, item, settings, data)
        if kept is not None and kept.step_key == key and are_there(kept.outputs, folder):
            return kept.alone or kept.content
        remove_outputs(earlier, folder)
        on_progress(f"Association {name}", 0, 1)
        content = answer_parts(inputs, name, data, folder)
    except (DesignError, InferenceError) as error:
        remove_outputs(earlier, folder)
        key, content = "", refuse_association(name, item, str(error))
    record = _Record(
        step_key=key,
        protocol_sha256=protocol_sha256(inputs.protocol),
        content=content,
        outputs=left_in(folder, record=FILE),
    )
    write_json(folder / FILE, asdict(record))
    return content


def _folder(inputs: GroupInputs, name: str) -> Path:
    return inputs.out_dir / "group" / f"association-{name.replace('_', '')}"


def store_association(inputs: GroupInputs, content: AssociationContent) -> None:
    """Put what a family makes of an association in its record, and keep it alone beside that.

    Parameters
    ----------
    inputs : GroupInputs
    content : AssociationContent
        After its family.
    """
    path = _folder(inputs, content.name) / FILE
    record = read_json(path)
    alone = cast("dict[str, object]", record.get("alone") or record["content"])
    settled = {**alone, "verdict": content.verdict, "sentence": content.sentence}
    if settled != record["content"]:
        kept = None if settled == alone else alone
        write_json(path, {**record, "content": settled, "alone": kept})


def _key(
    inputs: GroupInputs, item: Association, settings: Inference, data: AssociationData
) -> str:
    scale, rows = inputs.protocol.scales[item.scale], data.rows
    return hash_parameters(
        {
            "record": RECORD,
            "association": item.model_dump(mode="json"),
            "inference": settings.model_dump(mode="json"),
            "scale": scale.model_dump(mode="json"),
            "subjects": rows.subjects,
            "groups": rows.groups,
            "visits": rows.visits,
            "regions": [region.source for region in inputs.regions.values()],
            "exclusions": inputs.protocol.exclusions.model_dump(mode="json"),
            "nuisance": None if data.nuisance is None else data.nuisance.tolist(),
            "sources": data.sources,
        }
    )
