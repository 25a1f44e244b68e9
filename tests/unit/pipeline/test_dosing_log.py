"""What was given: the log wins over sidecars, and a run goes by its own clock."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import Cell, DatasetIndex
from phmri.pipeline._dosing_log import DosingLog
from phmri.pipeline._exposure import Exposures
from phmri.protocol import Protocol
from tests.e2e.first_level_trial import START_MIN, WEIGHTS, base_document, concentration, minutes
from tests.unit.pipeline.test_exposure import cell, given, log


@pytest.fixture
def index(tmp_path: Path) -> DatasetIndex:
    people = pd.DataFrame({"weight_kg": list(WEIGHTS.values())}, index=list(WEIGHTS))
    return DatasetIndex(
        root=tmp_path,
        derivatives=(),
        runs=(),
        participants=people,
        sessions=pd.DataFrame(),
        phenotype={},
    )


def protocol(change: Callable[[dict[str, dict]], object] = lambda document: None) -> Protocol:
    document = base_document()
    document["scans"]["nback"]["start_min"] = {"infusion": 10.0}
    change(document)
    return Protocol.model_validate(document)


def telling(index: DatasetIndex, scan: str = "rest", subject: str = "02", **told: object) -> Cell:
    fields = {"Name": "ketamine", "DoseAmount": 0.7, "DoseUnits": "mg/kg", **told}
    path = index.root / f"sub-{subject}_task-{scan}_bold.json"
    path.write_text(json.dumps({f"Pharmaceutical{key}": value for key, value in fields.items()}))
    found = cell(subject, scan=scan)
    assert found.run is not None
    return replace(found, run=replace(found.run, dosing=(path,)))


def test_a_sidecar_takes_the_place_of_planned_doses(index: DatasetIndex) -> None:
    told = telling(index, DoseTime=[120, 180])
    exposures = Exposures(protocol(), index, (told, cell("04")))
    assert exposures.problems == []
    assert exposures.start_min(told) == pytest.approx(-2.0)
    assert exposures.start_min(cell("04")) == START_MIN
    curve = exposures.curves(told, ["plasma"])["plasma"]
    expected = concentration(minutes(-2.0), WEIGHTS["02"], amount=0.7)
    assert_allclose(curve.values_ng_ml, expected, rtol=1e-9, atol=1e-9)
    assert curve.source == "mine (venous), doses as given (sidecar of the run)"
    assert exposures.curves(cell("04"), ["plasma"])["plasma"].source.endswith("as planned")


def test_the_log_wins_where_it_names_the_session(index: DatasetIndex) -> None:
    log(index, given(0.5, 90))
    broken = telling(index, DoseTime="never")
    exposures = Exposures(protocol(), index, (broken,))
    assert exposures.problems == []
    curve = exposures.curves(broken, ["plasma"])["plasma"]
    assert curve.source == "mine (venous), doses as given (phenotype/dosing.tsv)"
    assert_allclose(curve.values_ng_ml, concentration(minutes(), WEIGHTS["02"]), atol=1e-9)


def test_each_run_goes_by_its_own_sidecar_and_others_by_the_first(index: DatasetIndex) -> None:
    rest = telling(index, DoseTime=[120, 180])
    nback = telling(index, "nback", DoseTime=[-630, -570])
    third = replace(cell(), scan="nback")
    found = DosingLog(protocol(), index, (rest, nback))
    assert found.problems == []
    assert found.start_min(rest) == pytest.approx(-2.0)
    assert found.start_min(nback) == pytest.approx(10.5)
    alone = DosingLog(protocol(), index, (rest, third))
    assert alone.start_min(third) == pytest.approx(9.5)  # 30 s late, by the clock of rest
    (dose,) = alone.doses(third, "ketamine")
    assert (dose.start_min, dose.duration_min, dose.route) == (0.0, 1.0, "intravenous")


@pytest.mark.parametrize(
    "other", [{"DoseAmount": 0.5, "DoseTime": [-630, -570]}, {"DoseTime": [-1800, -1740]}]
)
def test_runs_of_one_session_may_not_contradict_each_other(
    index: DatasetIndex, other: dict[str, object]
) -> None:
    rest = telling(index, DoseTime=[120, 180])
    nback = telling(index, "nback", **other)
    (problem,) = DosingLog(protocol(), index, (rest, nback)).problems
    assert (problem.subject, problem.session) == ("02", "infusion")
    assert str(problem.file).endswith("nback_bold.json")
    assert "0.7 mg/kg of ketamine at 0.5 min" in str(problem.expected)
    assert "phenotype/dosing.tsv" in str(problem.expected)


def test_faults_of_all_runs_are_told_and_other_participants_keep_their_curves(
    index: DatasetIndex,
) -> None:
    cells = (
        telling(index, DoseTime=None),
        telling(index, subject="04", Name="esketamine", DoseTime=0),
        cell("06"),
    )
    exposures = Exposures(protocol(), index, cells)
    assert [(p.subject, p.session, p.field) for p in exposures.problems] == [
        ("02", "infusion", "PharmaceuticalDoseTime"),
        ("04", "infusion", "PharmaceuticalName"),
    ]
    assert exposures.curves(cells[0], ["plasma"]) == {}
    assert list(exposures.curves(cells[2], ["plasma"])) == ["plasma"]


def test_sidecars_are_not_looked_at_where_nothing_depends_on_them(index: DatasetIndex) -> None:
    def free(document: dict[str, dict]) -> None:
        seed = {"kind": "seed_to_voxel", "scan": "rest", "denoising": "motion", "seed": "seed"}
        document["measures"] = {"z": seed}
        document["questions"]["response"] |= {"measure": "z"}

    wrong = telling(index, DoseTime="soon")
    assert DosingLog(protocol(free), index, (wrong,)).problems == []
    unplaced = telling(index, "nback", DoseTime="soon")
    later = protocol(lambda document: document["scans"]["nback"].update(start_min={}))
    assert DosingLog(later, index, (unplaced,)).problems == []


def test_a_route_that_the_protocol_does_not_tell(index: DatasetIndex) -> None:
    def two_ways(document: dict[str, dict]) -> None:
        doses = document["treatments"]["ketamine"]["doses"]
        doses.append({**doses[0], "route": "oral", "start_min": -60, "duration_min": 0})
        del document["measures"]["follows"]
        del document["exposures"], document["compartments"]

    (problem,) = DosingLog(
        protocol(two_ways), index, (telling(index, DoseTime=[90, 150]),)
    ).problems
    assert problem.field == "PharmaceuticalDoseRegimen"
    said = telling(index, DoseTime=[90, 150], DoseRegimen="intravenous infusion")
    found = DosingLog(protocol(two_ways), index, (said,))
    assert found.problems == []
    assert np.isclose(found.start_min(said) or np.nan, START_MIN)


def test_one_wrong_line_leaves_the_others_to_be_told(index: DatasetIndex) -> None:
    other = ("sub-99", "n/a", "ketamin", "intravenous", 0.5, "mg/kg", 90, 60, "rest")
    log(index, ("sub-04", "n/a", "ketamine", "iv", 0.5, "mg/kg", 90, 60, "rest"), other)
    found = DosingLog(protocol(), index, (cell("02"), cell("04")))
    assert [(p.line, p.subject, p.field) for p in found.problems] == [
        (2, "04", "route"),
        (3, "99", "participant_id"),
        (3, "99", "drug"),
    ]
    assert found.doses(cell("04"), "ketamine") == ()
    assert found.start_min(cell("04")) == START_MIN


def test_whose_word_time_zero_is(index: DatasetIndex) -> None:
    told = telling(index, subject="04", DoseTime=[120, 180])
    log(index, given(0.5, 95), given(0.1, 200))
    found = DosingLog(protocol(), index, (cell("02"), told))
    assert found.files(cell("02")) == (index.root / "phenotype" / "dosing.tsv",)
    assert told.run is not None
    assert found.files(told) == told.run.dosing
    assert found.told_start(cell("06")) is None
    start = found.told_start(cell("02"))
    assert start is not None
    assert (start.problem.line, start.problem.field) == (2, "start")
    assert start.problem.found == "95 s from the first volume of rest"
    start = found.told_start(told)
    assert start is not None
    assert (start.problem.line, start.problem.field) == (None, "PharmaceuticalDoseTime")
    assert str(start.problem.expected).startswith("90 s from the first volume of rest")


def test_time_zero_is_told_by_drugs_that_were_written_down(index: DatasetIndex) -> None:
    """Another infusion that the log leaves out was given as planned, half an hour earlier."""

    def with_sedative(document: dict[str, dict]) -> None:
        document["drugs"]["midazolam"] = {}
        dose = {"drug": "midazolam", "route": "intravenous", "amount": 1, "unit": "mg",
                "start_min": -30, "duration_min": 1}  # fmt: skip
        document["treatments"]["ketamine"]["doses"].append(dose)

    log(index, given(0.5, 90))
    exposures = Exposures(protocol(with_sedative), index)
    assert exposures.start_min(cell()) == pytest.approx(START_MIN)
