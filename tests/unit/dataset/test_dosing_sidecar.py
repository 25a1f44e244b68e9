"""Doses in sidecars of runs: BIDS inheritance, what the fields mean, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from phmri.dataset import DosingRow, Run, index_dataset, read_run_dosing
from phmri.exceptions import DatasetError
from tests.unit.dataset.conftest import Trial

GOOD = {
    "PharmaceuticalName": "ketamine",
    "PharmaceuticalDoseAmount": 0.5,
    "PharmaceuticalDoseUnits": "mg/kg",
    "PharmaceuticalDoseRegimen": "intravenous infusion",
    "PharmaceuticalDoseTime": [60, 2460],
}


def write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def runs(trial: Trial) -> dict[tuple[str, str | None], Run]:
    index = index_dataset(trial.root, (trial.fmriprep,))
    return {(run.subject, run.session): run for run in index.runs}


def sidecar(trial: Trial, subject: str = "01", session: str = "infusion") -> Path:
    return trial.events(subject, session).with_name(
        f"sub-{subject}_ses-{session}_task-nback_bold.json"
    )


DRUGS = {"ketamine": None, "lamotrigine": None}


def doses(
    trial: Trial, fields: dict[str, object], drugs: dict[str, str | None] = DRUGS
) -> tuple[DosingRow, ...]:
    write(sidecar(trial), fields)
    return read_run_dosing(runs(trial)["01", "infusion"], scan="memory", drugs=drugs)


def test_only_sidecars_that_tell_of_it_are_listed_the_nearest_last(trial: Trial) -> None:
    write(sidecar(trial), {"RepetitionTime": 2.0, "PharmaceuticalDoseTime": -30})
    common = trial.root / "sub-01" / "sub-01_task-nback_bold.json"
    write(common, {k: v for k, v in GOOD.items() if k != "PharmaceuticalDoseTime"})
    found = runs(trial)
    assert found["01", "infusion"].dosing == (common, sidecar(trial))
    assert found["01", "baseline"].dosing == (common,)
    assert found["02", "infusion"].dosing == ()
    (row,) = read_run_dosing(found["01", "infusion"], scan="memory", drugs=DRUGS)
    assert (row.amount, row.start, row.duration) == (0.5, -30.0, 0.0)


def test_an_infusion_has_start_and_end(trial: Trial) -> None:
    assert doses(trial, GOOD) == (
        DosingRow(
            subject="01",
            session="infusion",
            drug="ketamine",
            route="intravenous",
            amount=0.5,
            unit="mg/kg",
            start=60.0,
            duration=2400.0,
            scan="memory",
            line=None,
        ),
    )


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ([60, 120], [(60.0, 0.0), (120.0, 0.0)]),
        ([60, 120, 120, 3600], [(60.0, 60.0), (120.0, 3480.0)]),
        ([[60, 120], 90], [(60.0, 60.0), (90.0, 0.0)]),
    ],
)
def test_several_doses(
    trial: Trial, time: list[object], expected: list[tuple[float, float]]
) -> None:
    fields = GOOD | {"PharmaceuticalDoseAmount": [0.1, 0.4], "PharmaceuticalDoseTime": time}
    found = doses(trial, fields)
    assert [row.amount for row in found] == [0.1, 0.4]
    assert [(row.start, row.duration) for row in found] == expected


def test_several_drugs_in_units_of_their_own(trial: Trial) -> None:
    found = doses(
        trial,
        {
            "PharmaceuticalName": ["lamotrigine", "ketamine"],
            "PharmaceuticalDoseAmount": [300, 0.25],
            "PharmaceuticalDoseUnits": ["mg", "mg/kg/h"],
            "PharmaceuticalDoseTime": [-7200, [0, 3600]],
            "PharmaceuticalDoseRegimen": ["one tablet, oral", "pump, i.v."],
        },
    )
    assert [(row.drug, row.route, row.unit, row.start) for row in found] == [
        ("lamotrigine", "oral", "mg", -7200.0),
        ("ketamine", "intravenous", "mg/kg/h", 0.0),
    ]


@pytest.mark.parametrize(
    ("regimen", "route"),
    [
        ("single oral bolus", "oral"),
        ("IV infusion", "intravenous"),
        ("given in private", "intranasal"),  # no word of a route: "iv" inside one is none
        ("", "intranasal"),
    ],
)
def test_the_regimen_says_the_route_else_the_protocol(
    trial: Trial, regimen: str, route: str
) -> None:
    fields = GOOD | {"PharmaceuticalDoseRegimen": regimen}
    if not regimen:
        del fields["PharmaceuticalDoseRegimen"]
    (row,) = doses(trial, fields, {"ketamine": "intranasal"})
    assert row.route == route


def test_a_name_alone_is_no_dose(trial: Trial) -> None:
    assert doses(trial, {"PharmaceuticalName": "ketamine"}) == ()


def test_what_is_missing_is_told_at_once(trial: Trial) -> None:
    with pytest.raises(DatasetError) as caught:
        doses(trial, {"PharmaceuticalDoseAmount": 1})
    problems = caught.value.problems
    assert [problem.field for problem in problems] == [
        "PharmaceuticalName",
        "PharmaceuticalDoseUnits",
        "PharmaceuticalDoseTime",
    ]
    assert {problem.file for problem in problems} == {str(sidecar(trial))}
    assert {problem.found for problem in problems} == {"no such field"}


def test_what_is_wrong_is_told_at_once_with_its_file(trial: Trial) -> None:
    common = trial.root / "sub-01" / "sub-01_task-nback_bold.json"
    write(common, {"PharmaceuticalName": 7, "PharmaceuticalDoseUnits": "ug"})
    wrong = {"PharmaceuticalDoseAmount": [0.1, "x"], "PharmaceuticalDoseTime": [0, 10, 20]}
    with pytest.raises(DatasetError) as caught:
        doses(trial, wrong)
    found = {problem.field: problem for problem in caught.value.problems}
    assert set(found) == {
        "PharmaceuticalName",
        "PharmaceuticalDoseAmount",
        "PharmaceuticalDoseUnits",
        "PharmaceuticalDoseTime",
    }
    assert found["PharmaceuticalDoseUnits"].file == str(common)
    assert found["PharmaceuticalDoseTime"].file == str(sidecar(trial))
    assert found["PharmaceuticalDoseTime"].found == "[0, 10, 20]"
    assert "2 numbers, or 2 pairs" in str(found["PharmaceuticalDoseTime"].expected)
    assert "mg/kg/h" in str(found["PharmaceuticalDoseUnits"].expected)
    assert {problem.subject for problem in found.values()} == {"01"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"PharmaceuticalDoseAmount": 0}, "PharmaceuticalDoseAmount"),
        ({"PharmaceuticalDoseAmount": True}, "PharmaceuticalDoseAmount"),
        ({"PharmaceuticalDoseAmount": []}, "PharmaceuticalDoseAmount"),
        ({"PharmaceuticalDoseTime": "60"}, "PharmaceuticalDoseTime"),
        ({"PharmaceuticalDoseTime": [60, 0]}, "PharmaceuticalDoseTime"),
        ({"PharmaceuticalDoseTime": [[60, 70, 80]]}, "PharmaceuticalDoseTime"),
        (
            {"PharmaceuticalDoseUnits": "mg/h", "PharmaceuticalDoseTime": 60},
            "PharmaceuticalDoseTime",
        ),
        ({"PharmaceuticalName": ["ketamine", "lamotrigine"]}, "PharmaceuticalName"),
        ({"PharmaceuticalName": "Ketamine"}, "PharmaceuticalName"),
        ({"PharmaceuticalDoseRegimen": "as in the manual"}, "PharmaceuticalDoseRegimen"),
        ({"PharmaceuticalDoseRegimen": "oral, then intravenous"}, "PharmaceuticalDoseRegimen"),
    ],
)
def test_each_field_is_checked(trial: Trial, change: dict[str, object], field: str) -> None:
    with pytest.raises(DatasetError) as caught:
        doses(trial, GOOD | change)
    assert field in {problem.field for problem in caught.value.problems}
    assert len(caught.value.problems) <= 2


def test_a_broken_sidecar_is_told_as_such(trial: Trial) -> None:
    path = sidecar(trial)
    path.write_text("{")
    run = runs(trial)["01", "infusion"]
    assert any("JSON" in problem.what for problem in run.problems)
    with pytest.raises(DatasetError, match="JSON"):
        read_run_dosing(replace(run, dosing=(path,)), scan="memory", drugs=DRUGS)
