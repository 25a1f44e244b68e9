"""Curves of runs: whose doses, planned or given, by which model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import Cell, DatasetIndex, Run
from phmri.pharmacokinetics import find_model
from phmri.pipeline._exposure import Exposures, drug_model
from phmri.protocol import Protocol
from tests.e2e.first_level_trial import (
    ARMS,
    REFERENCE_KG,
    SUBJECTS,
    WEIGHTS,
    base_document,
    concentration,
    minutes,
)
from tests.e2e.trees import write_table

COLUMNS = ("participant_id", "session_id", "drug", "route", "amount", "unit", "start", "duration")


def protocol(change: Callable[[dict[str, dict]], object] = lambda document: None) -> Protocol:
    document = base_document()
    change(document)
    return Protocol.model_validate(document)


@pytest.fixture
def index(tmp_path: Path) -> DatasetIndex:
    people = {"arm": ARMS, "weight_kg": [WEIGHTS[label] for label in SUBJECTS]}
    return DatasetIndex(
        root=tmp_path,
        derivatives=(),
        runs=(),
        participants=pd.DataFrame(people, index=list(SUBJECTS)),
        sessions=pd.DataFrame(),
        phenotype={},
    )


def cell(subject: str = "02", *, scan: str = "rest", n_volumes: int | None = 120) -> Cell:
    arm = ARMS[SUBJECTS.index(subject)]
    run = Run(
        subject=subject,
        session="infusion",
        task=scan,
        run=None,
        space=None,
        resolution=None,
        seg=None,
        kind="series",
        pipeline="tests",
        path=Path("run.tsv"),
        mask=None,
        confounds=None,
        events=None,
        t_r=2.0,
        n_volumes=n_volumes,
        shape=None,
        affine=None,
    )
    return Cell(
        subject=subject,
        session="infusion",
        scan=scan,
        group=arm,
        treatment=arm,
        status="ok",
        reason="",
        run=run,
    )


def log(index: DatasetIndex, *lines: tuple[object, ...]) -> None:
    columns = dict(zip((*COLUMNS, "scan"), zip(*lines, strict=True), strict=True))
    write_table(index.root / "phenotype" / "dosing.tsv", columns)


def given(amount: float, start: float, scan: str = "rest") -> tuple[object, ...]:
    return ("sub-02", "n/a", "ketamine", "intravenous", amount, "mg/kg", start, 60, scan)


def with_samples(index: DatasetIndex, **columns: object) -> DatasetIndex:
    table = {"subject": ["02"] * 3, "time_min": [2.0, 10.0, 30.0]} | columns
    return replace(index, phenotype={"levels": pd.DataFrame(table)})


def fitted(document: dict[str, dict]) -> None:
    document["exposures"]["plasma"] |= {"model": "fanta_otto", "samples": "levels"}


@pytest.mark.parametrize("subject", ["01", "02"])
def test_planned_doses_also_under_placebo(index: DatasetIndex, subject: str) -> None:
    curve = Exposures(protocol(), index).curves(cell(subject), ["plasma"])["plasma"]
    assert_allclose(
        curve.values_ng_ml, concentration(minutes(), WEIGHTS[subject]), rtol=1e-9, atol=1e-9
    )
    assert_allclose(curve.peak_ng_ml, concentration(minutes(), REFERENCE_KG).max(), rtol=1e-9)
    assert curve.source == "mine (venous), doses as planned"
    assert not curve.at_effect_site


def test_given_doses_count_from_their_own_start(index: DatasetIndex) -> None:
    log(index, given(0.5, 120), given(1.0, 150))
    exposures = Exposures(protocol(), index)
    assert exposures.start_min(cell()) == pytest.approx(-2.0)
    assert exposures.start_min(cell("04")) == pytest.approx(-1.5)
    curve = exposures.curves(cell(), ["plasma"])["plasma"]
    times = minutes(-2.0)
    expected = concentration(times, 65.0) + concentration(times, 65.0, amount=1.0, start_min=0.5)
    assert_allclose(curve.values_ng_ml, expected, rtol=1e-9, atol=1e-9)
    assert "doses as given" in curve.source


def test_unit_of_exposure_is_one_for_all(index: DatasetIndex) -> None:
    log(index, given(0.7, 130))
    exposures = Exposures(protocol(), index)
    peaks = {exposures.curves(cell(name), ["plasma"])["plasma"].peak_ng_ml for name in SUBJECTS}
    assert len(peaks) == 1


def test_missing_weight_is_one_problem_however_often_it_is_needed(index: DatasetIndex) -> None:
    index.participants.loc["02", "weight_kg"] = np.nan
    exposures = Exposures(protocol(), index)
    for _ in range(3):
        assert exposures.curves(cell(), ["plasma", "plasma"]) == {}
    (problem,) = set(exposures.problems)
    assert (problem.subject, problem.session, problem.field) == ("02", None, "weight_kg")
    assert problem.found == "n/a"
    assert str(problem.file).endswith("participants.tsv")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["scans"]["rest"]["start_min"].update(infusion=-10), "no drug during the run"),
        (lambda d: d["scans"]["rest"].update(start_min={}), "nobody says when this run begins"),
    ],
)
def test_runs_that_no_curve_can_be_made_for(
    index: DatasetIndex, change: Callable[[dict[str, dict]], object], told: str
) -> None:
    def free(document: dict[str, dict]) -> None:
        change(document)
        document["measures"] = {
            "z": {"kind": "seed_to_voxel", "scan": "rest", "denoising": "motion", "seed": "seed"}
        }
        document["questions"]["response"] |= {"measure": "z"}

    exposures = Exposures(protocol(free), index)
    assert exposures.curves(cell(), ["plasma"]) == {}
    (problem,) = exposures.problems
    assert told in problem.what
    assert (problem.subject, problem.field) == ("02", "exposures.plasma")


def test_length_of_the_run_must_be_known(index: DatasetIndex) -> None:
    exposures = Exposures(protocol(), index)
    assert exposures.curves(cell(n_volumes=None), ["plasma"]) == {}
    assert "unknown length" in exposures.problems[0].what


def test_log_that_cannot_be_used_makes_no_curve(index: DatasetIndex) -> None:
    log(index, given(0.5, 90), given(0.5, 90, scan="nback"))
    exposures = Exposures(protocol(), index)
    (problem,) = exposures.problems
    assert (problem.line, problem.field) == (3, "scan")
    assert exposures.curves(cell(), ["plasma"]) == {}
    assert exposures.problems == [problem]


def test_session_must_be_named_where_there_are_several(index: DatasetIndex) -> None:
    def more(document: dict[str, dict]) -> None:
        document["sessions"]["baseline"] = {"phase": "baseline"}

    log(index, given(0.5, 90))
    (problem,) = Exposures(protocol(more), index).problems
    assert (problem.field, problem.found, problem.expected) == (
        "session_id",
        "n/a",
        "infusion, baseline",
    )


def test_samples_draw_the_curve_towards_them(index: DatasetIndex) -> None:
    levels = np.array([400.0, 150.0, 60.0])
    own = with_samples(index, concentration_ng_ml=levels)
    typical = Exposures(protocol(fitted), with_samples(index, concentration_ng_ml=levels))
    without = typical.curves(cell("04"), ["plasma"])["plasma"]
    assert without.source == "fanta_otto (venous), doses as planned"
    drawn = Exposures(protocol(fitted), own).curves(cell(), ["plasma"])["plasma"]
    assert drawn.source.endswith("fitted to this participant's samples")
    double = with_samples(index, concentration_ng_ml=2 * levels)
    higher = Exposures(protocol(fitted), double).curves(cell(), ["plasma"])["plasma"]
    late = minutes() > 1.5
    assert (higher.values_ng_ml[late] > 1.3 * drawn.values_ng_ml[late]).all()


def test_samples_are_those_after_the_doses_as_given(index: DatasetIndex) -> None:
    levels = {"concentration_ng_ml": [400.0, 150.0, 60.0], "session": ["infusion"] * 3}
    planned = Exposures(protocol(fitted), with_samples(index, **levels))
    before = planned.curves(cell(), ["plasma"])["plasma"].values_ng_ml
    log(index, given(1.0, 90))
    doubled = Exposures(protocol(fitted), with_samples(index, **levels))
    after = doubled.curves(cell(), ["plasma"])["plasma"].values_ng_ml
    # Twice the dose gave the samples: that is this person's clearance, not a double curve.
    later = minutes() > 2.0
    assert (after[later] < 1.5 * before[later]).all()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"concentration_ng_ml": [4.0, 1.0, 1.0], "session": ["other"] * 3}, "found other"),
        ({"level": [4.0, 1.0, 1.0]}, "found subject, time_min, level"),
        ({"concentration_ng_ml": [4.0, -1.0, 1.0]}, "-1.0"),
    ],
)
def test_samples_that_cannot_be_used(
    index: DatasetIndex, columns: dict[str, object], told: str
) -> None:
    exposures = Exposures(protocol(fitted), with_samples(index, **columns))
    assert exposures.curves(cell(), ["plasma"]) == {}
    assert told in str(exposures.problems[0])


def test_no_table_of_samples(index: DatasetIndex) -> None:
    exposures = Exposures(protocol(fitted), index)
    assert exposures.curves(cell(), ["plasma"]) == {}
    assert "found no such file" in str(exposures.problems[0])


def test_effect_site_is_told(index: DatasetIndex) -> None:
    def delayed(document: dict[str, dict]) -> None:
        document["exposures"]["plasma"]["ke0_per_min"] = 0.5

    curve = Exposures(protocol(delayed), index).curves(cell(), ["plasma"])["plasma"]
    assert curve.at_effect_site
    plasma = concentration(minutes(), WEIGHTS["02"])
    assert curve.values_ng_ml.argmax() > plasma.argmax()


def test_model_of_ones_own_or_built_in() -> None:
    exposure = protocol().exposures["plasma"]
    own = drug_model(protocol(), exposure)
    assert (own.name, own.site, own.reference_weight_kg) == ("mine", "venous", 70.0)
    built_in = drug_model(protocol(), exposure.model_copy(update={"model": "domino"}))
    assert built_in == find_model("domino")


def test_unit_of_exposure_is_one_for_runs_of_any_length(index: DatasetIndex) -> None:
    cells = (cell("02"), cell("04", n_volumes=60))
    exposures = Exposures(protocol(), index, cells)
    curves = [exposures.curves(one, ["plasma"])["plasma"] for one in cells]
    assert curves[0].peak_ng_ml == curves[1].peak_ng_ml
    assert curves[0].peak_ng_ml == pytest.approx(curves[0].typical_ng_ml.max())


def test_samples_after_a_pretreatment_are_fitted_too(index: DatasetIndex) -> None:
    """The samples tell of the drug, whatever else was given before it."""

    def pretreated(document: dict[str, dict]) -> None:
        fitted(document)
        own = document["treatments"]["ketamine"]
        document["treatments"]["both"] = own
        document["design"]["arms"]["both"] = {"treatment": "both"}

    levels = {"concentration_ng_ml": [400.0, 150.0, 60.0], "session": ["infusion"] * 3}
    exposures = Exposures(protocol(pretreated), with_samples(index, **levels))
    curve = exposures.curves(replace(cell(), group="both", treatment="both"), ["plasma"])["plasma"]
    assert curve.source.endswith("fitted to this participant's samples")
    assert exposures.problems == []


def test_a_sample_that_is_no_number_is_told_with_its_place(index: DatasetIndex) -> None:
    table = with_samples(index, concentration_ng_ml=["400", "<5", "n/a"])
    exposures = Exposures(protocol(fitted), table)
    assert exposures.curves(cell(), ["plasma"]) == {}
    told = {(p.subject, p.field, p.found) for p in exposures.problems}
    assert told == {
        ("02", "concentration_ng_ml", "<5"),
        ("02", "concentration_ng_ml", "n/a"),
    }
    assert all(str(p.file).endswith("levels.tsv") for p in exposures.problems)
