"""The examples of the manual are valid: complete ones as a file, the others section by section."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from phmri.protocol import Protocol, read_protocol
from phmri.protocol._document import read_document

PAGE = Path(__file__).parents[3] / "docs" / "protocol.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
COMPLETE = [block for block in BLOCKS if block.startswith("# complete")]
PARTIAL = [block for block in BLOCKS if not block.startswith("# complete")]


def _path(tmp_path, block):
    path = tmp_path / "trial.yaml"
    path.write_text(block, encoding="utf-8")
    return path


def test_there_are_examples_of_both_kinds():
    assert len(COMPLETE) == 2
    assert len(PARTIAL) >= 10


@pytest.mark.parametrize("block", COMPLETE, ids=["parallel", "crossover"])
def test_complete_examples_are_protocols(tmp_path, block):
    assert read_protocol(_path(tmp_path, block)).phmri == 1


@pytest.mark.parametrize("block", PARTIAL, ids=range(len(PARTIAL)))
def test_partial_examples_are_sections(tmp_path, block):
    document = read_document(_path(tmp_path, block))

    assert document.problems == ()
    for section, value in document.value.items():
        field = Protocol.model_fields[section]
        adapter = TypeAdapter(field.rebuild_annotation())
        assert adapter.validate_json(json.dumps(value), strict=True)


def test_every_section_has_an_example(tmp_path):
    shown = {key for block in BLOCKS for key in read_document(_path(tmp_path, block)).value}
    described = {"registration", "references", "notes", "resolution"}

    assert set(Protocol.model_fields) - described <= shown


def test_every_strategy_is_named():
    schema = json.dumps(
        Protocol.model_json_schema()["$defs"]["Denoising"]["properties"]["strategy"]
    )

    assert all(f"`{name}`" in PAGE.read_text() for name in json.loads(schema)["enum"])


@pytest.mark.parametrize("record", ["Inference", "Family"])
def test_every_setting_of_inference_and_its_choices_are_named(record):
    properties = Protocol.model_json_schema()["$defs"][record]["properties"]
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    choices = {
        choice
        for item in properties.values()
        for choice in item.get("enum", ())
        if isinstance(choice, str)
    }

    assert set(properties) - {"correction"} <= named
    assert choices - {"none"} <= named


@pytest.mark.parametrize(
    "record",
    [
        "Association",
        "Blockade",
        "IntercurrentEvent",
        "MapAssociation",
        "Persistence",
        "Population",
        "Prediction",
        "Question",
        "Reliability",
        "Scale",
    ],
)
def test_every_key_of_what_is_asked_and_its_choices_stand_on_the_page(record):
    page = PAGE.read_text(encoding="utf-8")
    properties = Protocol.model_json_schema()["$defs"][record]["properties"]
    choices = {choice for item in properties.values() for choice in item.get("enum", ())}

    assert {
        word for word in {*properties, *choices} if not re.search(rf"\b{word}\b", page)
    } == set()
