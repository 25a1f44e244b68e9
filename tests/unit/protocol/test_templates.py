"""The templates: they read back, they hold the trials' facts, they are never overwritten."""

import json
import re
import runpy
from pathlib import Path

import jsonschema
import pytest

import phmri
from phmri.exceptions import OutputError, ProtocolError
from phmri.protocol import (
    list_templates,
    protocol_schema,
    read_protocol,
    treatment_of,
    write_template,
)
from phmri.protocol._document import read_document

RESOURCES = Path(phmri.__file__).parent / "resources"
MARK = "# OURS: not found in the paper"


def test_names():
    assert list_templates() == (
        "deakin2008", "minimal_parallel", "timeseries_crossover", "weigner2025",
    )  # fmt: skip


@pytest.mark.parametrize("name", list_templates())
def test_written_templates_read_back(tmp_path, name):
    path = write_template(name, tmp_path / "new" / "folder")

    assert path == tmp_path / "new" / "folder" / "trial.yaml"
    assert read_protocol(path).phmri == 1
    assert path.read_text().startswith("# yaml-language-server: $schema=trial.schema.json\n")
    assert json.loads((path.parent / "trial.schema.json").read_text()) == protocol_schema()
    assert sorted(item.name for item in path.parent.iterdir()) == [
        "trial.schema.json",
        "trial.yaml",
    ]


@pytest.mark.parametrize("name", list_templates())
def test_templates_follow_the_schema(name):
    value = read_document(RESOURCES / "templates" / f"{name}.yaml").value

    jsonschema.Draft202012Validator(protocol_schema()).validate(value)
    assert not any(" # HERE" in str(item) for item in value)


def test_a_protocol_is_never_overwritten(tmp_path):
    (tmp_path / "trial.yaml").write_text("mine")

    with pytest.raises(OutputError, match="is not overwritten"):
        write_template("weigner2025", tmp_path)

    assert (tmp_path / "trial.yaml").read_text() == "mine"
    assert [item.name for item in tmp_path.iterdir()] == ["trial.yaml"]


def test_unknown_template(tmp_path):
    with pytest.raises(ProtocolError, match=r"no such template.*did you mean weigner2025"):
        write_template("weigner2052", tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="the template cannot be written"):
        write_template("weigner2025", tmp_path / "file" / "folder")


def test_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def no_space(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)

    with pytest.raises(OutputError, match="No space left on device"):
        write_template("weigner2025", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_schema_has_not_drifted():
    stored = json.loads((RESOURCES / "trial.schema.json").read_text())

    assert stored == protocol_schema(), "run: python -m phmri.protocol"
    jsonschema.Draft202012Validator.check_schema(stored)


def test_schema_describes_every_key():
    assert "Minutes from time zero" in json.dumps(protocol_schema())
    definitions = protocol_schema()["$defs"]
    assert all(item["additionalProperties"] is False for item in definitions.values())


def test_schema_is_written_by_the_module(tmp_path, monkeypatch):
    monkeypatch.setattr("phmri.protocol._templates.RESOURCES", tmp_path)

    runpy.run_module("phmri.protocol", run_name="__main__")

    written = (tmp_path / "trial.schema.json").read_text()
    assert written == (RESOURCES / "trial.schema.json").read_text()


@pytest.fixture
def weigner():
    return read_protocol(RESOURCES / "templates" / "weigner2025.yaml")


@pytest.fixture
def deakin():
    return read_protocol(RESOURCES / "templates" / "deakin2008.yaml")


def test_weigner_holds_the_design_facts(weigner):
    bolus, infusion = weigner.treatments["ketamine"].doses
    lamotrigine, *ketamine = weigner.treatments["lamotrigine_ketamine"].doses

    assert weigner.registration == "NCT04156035"
    assert weigner.references[0] == "10.1177/02698811251346705"
    assert (bolus.amount, bolus.unit, bolus.start_min, bolus.duration_min) == (0.12, "mg/kg", 0, 1)
    assert (infusion.rate, infusion.unit, infusion.start_min) == (0.31, "mg/kg/h", 1)
    assert infusion.start_min + infusion.duration_min == 40
    total = bolus.amount + infusion.rate * infusion.duration_min / 60
    assert total == pytest.approx(0.32, abs=0.002)
    assert (lamotrigine.amount, lamotrigine.unit, lamotrigine.route) == (300, "mg", "oral")
    assert tuple(ketamine) == (bolus, infusion)
    assert weigner.treatments["placebo"].doses == ()
    assert set(weigner.design.arms) == {"placebo", "ketamine", "lamotrigine_ketamine"}
    assert sum(arm.n_planned for arm in weigner.design.arms.values()) == 75
    assert [item.phase for item in weigner.sessions.values()] == ["baseline", "acute", "sustained"]
    assert weigner.sessions["followup"].hours_after == 24
    assert {scan.task for scan in weigner.scans.values()} == {"rest", "nback"}
    assert weigner.regions["pgacc"].areas == ("p24ab", "p24c", "p32")
    assert weigner.regions["pgacc"].hemisphere == "both"
    assert weigner.space == "MNI152NLin2009cAsym"
    roles = [question.role for question in weigner.questions.values()]
    assert roles.count("primary") == 2


def test_deakin_holds_the_design_facts(deakin):
    bolus, infusion = deakin.treatments["ketamine"].doses
    orders = [sequence.treatments for sequence in deakin.design.sequences.values()]

    assert (bolus.amount, bolus.unit, bolus.duration_min) == (0.26, "mg/kg", 1)
    assert (infusion.rate, infusion.unit) == (0.25, "mg/kg/h")
    assert deakin.treatments["placebo_ketamine"].doses == (bolus, infusion)
    assert deakin.treatments["lamotrigine_ketamine"].doses[0].amount == 300
    assert all(tuple(reversed(order)) in orders for order in orders)
    assert {item.experiment for item in deakin.design.sequences.values()} == {
        "ketamine", "lamotrigine",
    }  # fmt: skip
    assert set(deakin.scales) == {"bprs", "cadss"}
    assert "33 men" in deakin.notes


@pytest.mark.parametrize("name", ["weigner2025", "deakin2008"])
def test_every_mark_says_what_is_ours(name):
    text = (RESOURCES / "templates" / f"{name}.yaml").read_text()
    ours = [line for line in text.splitlines() if "OURS" in line]

    assert len(ours) > 20
    assert all(MARK in line for line in ours)
    assert not re.search(r"\bTODO\b|\bFIXME\b", text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weigner2025", "start_min: -120"), ("weigner2025", "n_planned: 25"),
        ("weigner2025", "areas: [p24ab, p24c, p32]"), ("weigner2025", "hemisphere: both"),
        ("weigner2025", "task: nback"), ("weigner2025", "center_mm: [-4, 50, 38]"),
        ("weigner2025", "strategy: 24motion_wmcsf"), ("weigner2025", "estimator: ancova"),
        ("deakin2008", "duration_min: 59"), ("deakin2008", "start_min: -120"),
        ("deakin2008", "period1: -5"), ("deakin2008", "washout_days: 7"),
    ],
)  # fmt: skip
def test_values_that_are_not_the_papers_are_marked(name, value):
    text = (RESOURCES / "templates" / f"{name}.yaml").read_text()
    lines = [line for line in text.splitlines() if value in line]

    assert lines
    assert all(MARK in line for line in lines)


@pytest.mark.parametrize(
    ("group", "session", "treatment"),
    [
        ("ketamine", "baseline", None),
        ("ketamine", "infusion", "ketamine"),
        ("lamotrigine_ketamine", "followup", "lamotrigine_ketamine"),
        (None, "infusion", None),
    ],
)
def test_treatment_of_a_parallel_trial(weigner, group, session, treatment):
    assert treatment_of(weigner, group, session) == treatment


@pytest.mark.parametrize(
    ("group", "session", "treatment"),
    [
        ("ketamine_saline", "period1", "ketamine"),
        ("ketamine_saline", "period2", "saline"),
        ("placebo_lamotrigine", "period2", "lamotrigine_ketamine"),
        (None, "period1", None),
    ],
)
def test_treatment_of_a_crossover(deakin, group, session, treatment):
    assert treatment_of(deakin, group, session) == treatment


def test_treatment_where_the_order_is_unknown():
    protocol = read_protocol(RESOURCES / "templates" / "timeseries_crossover.yaml")

    assert treatment_of(protocol, None, "PLCB") == "placebo"
    assert treatment_of(protocol, "unknown", "DRUG") == "drug"


def test_treatment_of_what_the_protocol_does_not_know(weigner):
    with pytest.raises(ProtocolError, match=r"no such session.*did you mean infusion"):
        treatment_of(weigner, "ketamine", "infuson")
    with pytest.raises(ProtocolError, match=r"arm: the protocol has no such arm.*placebo"):
        treatment_of(weigner, "saline", "infusion")
