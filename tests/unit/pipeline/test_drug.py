"""Doses and concentration curves, as the report gets them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.pipeline._drug import list_doses, list_exposures
from phmri.pipeline._job import ExposureCurve
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.protocol import Protocol
from phmri.report import DoseContent
from tests.unit.pipeline.measured_trial import (
    N_VOLUMES,
    T_R,
    Trial,
    document,
    make_job,
    make_run,
    make_trial,
)

MIDDLES = (np.arange(N_VOLUMES) + 0.5) * T_R / 60
PLASMA = {"treatment": "drug", "drug": "x", "model": "mine"}
MODEL = {
    "volumes_l": [50],
    "clearances_l_per_h": [60],
    "site": "venous",
    "reference_weight_kg": 70,
    "volume_exponent": 0,
    "clearance_exponent": 0,
}


def dosing(root: Path, *lines: dict[str, object]) -> None:
    usual = {
        "participant_id": "sub-01",
        "session_id": "ses-one",
        "drug": "x",
        "route": "intravenous",
        "amount": 0.5,
        "unit": "mg/kg",
        "start": 0,
        "duration": 1,
        "scan": "n/a",
    }
    (root / "phenotype").mkdir()
    table = pd.DataFrame([usual | line for line in lines])
    table.to_csv(root / "phenotype" / "dosing.tsv", sep="\t", index=False)


def doses(trial: Trial) -> tuple[DoseContent, ...]:
    inputs = trial.inputs
    return list_doses(inputs.protocol, inputs.index, inputs.check)


# ---------------------------------------------------------------------------------------- doses
def test_no_log_no_doses(tmp_path: Path) -> None:
    assert doses(make_trial(tmp_path)) == ()


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ({}, "0.5 mg/kg intravenous at 0 min over 1 min"),
        ({"start": 0.35}, "0.5 mg/kg intravenous at 0.35 min over 1 min"),
        ({"start": -0.25}, "0.5 mg/kg intravenous at −0.25 min over 1 min"),
        # Seconds from the first volume, which comes a minute before time zero.
        ({"start": 81, "duration": 90, "scan": "rest"},
         "0.5 mg/kg intravenous at 0.35 min over 1.5 min"),
        ({"start": 61, "duration": 20, "scan": "rest"},
         "0.5 mg/kg intravenous at 0.017 min over 0.333 min"),
        ({"amount": 12345.5, "unit": "mg", "duration": 0}, "12,345.5 mg intravenous at 0 min"),
        ({"route": "oral", "amount": 10, "unit": "mg", "start": -60, "duration": 0},
         "10 mg oral at −60 min"),
        ({"amount": 15, "unit": "mg/h", "duration": 2}, "15 mg/h intravenous at 0 min over 2 min"),
    ],
)  # fmt: skip
def test_given_beside_planned(tmp_path: Path, line: dict, given: str) -> None:
    dosing(tmp_path, line)
    assert doses(make_trial(tmp_path)) == (
        DoseContent(
            subject="01",
            session="one",
            drug="x",
            given=given,
            planned="0.5 mg/kg intravenous at 0 min over 1 min",
        ),
    )


def test_planned_rate(tmp_path: Path) -> None:
    dosing(tmp_path, {})
    rate = {"drug": "x", "route": "intravenous", "rate": 0.25, "unit": "mg/kg/h"}
    content = document(
        treatments={
            "placebo": {},
            "drug": {"doses": [{**rate, "start_min": 1.5, "duration_min": 60}]},
        }
    )
    (row,) = doses(make_trial(tmp_path, content))
    assert row.planned == "0.25 mg/kg/h intravenous at 1.5 min over 60 min"
    # Given at time zero: the log counts from there, whatever was planned.
    assert row.given == "0.5 mg/kg intravenous at 0 min over 1 min"


def test_several_doses_and_drugs_and_a_placebo_session(tmp_path: Path) -> None:
    dosing(
        tmp_path,
        {"participant_id": "sub-02"},
        {"participant_id": "sub-02", "start": 5, "amount": 0.1},
        {"participant_id": "sub-01", "session_id": "ses-two", "drug": "saline", "unit": "mg"},
    )
    content = document(drugs={"x": {}, "saline": {}})
    rows = doses(make_trial(tmp_path, content))
    assert [(row.subject, row.session, row.drug) for row in rows] == [
        ("01", "two", "saline"),
        ("02", "one", "x"),
    ]
    assert rows[0].planned == ""
    assert rows[1].planned == ""  # the drug was not due in this session
    assert rows[1].given == (
        "0.5 mg/kg intravenous at 0 min over 1 min; 0.1 mg/kg intravenous at 5 min over 1 min"
    )


# ------------------------------------------------------------------------------------ exposures
def curve(peak: float, *, source: str = "mine (venous), doses as planned") -> ExposureCurve:
    return ExposureCurve(
        values_ng_ml=np.linspace(0.0, peak, N_VOLUMES),
        typical_ng_ml=np.linspace(0.0, 100.0, N_VOLUMES),
        peak_ng_ml=100.0,
        at_effect_site=False,
        source=source,
    )


def run_of(
    root: Path,
    protocol: Protocol,
    subject: str,
    session: str,
    given: ExposureCurve,
    *,
    scan: str = "rest",
    start_min: float = -1.0,
) -> tuple[RunKey, MeasuredRun]:
    job = make_job(
        protocol, root, subject, session, scan=scan, start_min=start_min,
        exposures={"plasma": given},
    )  # fmt: skip
    run = make_run(job)
    return run.key, run


def exposed(**changes: object) -> dict[str, object]:
    return document(
        compartments={"mine": MODEL},
        exposures={"plasma": PLASMA, "unused": PLASMA, **changes},
    )


def test_curves_of_runs_under_the_treatment(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, exposed())
    protocol = trial.inputs.protocol
    late = curve(80.0, source="mine (venous), doses as given")
    runs = dict(
        [
            run_of(tmp_path, protocol, "01", "one", curve(120.0)),
            run_of(tmp_path, protocol, "01", "two", curve(120.0)),  # the placebo session
            run_of(tmp_path, protocol, "02", "one", curve(60.0)),  # the placebo session
            run_of(tmp_path, protocol, "02", "two", late, start_min=-1.5),
            run_of(tmp_path, protocol, "03", "one", curve(90.0)),
        ]
    )
    (found,) = list_exposures(protocol, trial.inputs.check, runs)
    assert found.name == "plasma"
    assert found.model == (
        "x in plasma; mine (venous), doses as given: 1 run; "
        "mine (venous), doses as planned: 2 runs"
    )
    assert len(found.curves) == 3
    times, values = zip(*found.curves, strict=True)
    assert_allclose(times, [MIDDLES - 1.0, MIDDLES - 1.5, MIDDLES - 1.0])
    assert_allclose([own[-1] for own in values], [120.0, 80.0, 90.0])
    assert_allclose(found.typical[0], MIDDLES - 1.0)
    assert_allclose(found.typical[1], np.linspace(0.0, 100.0, N_VOLUMES))


def test_effect_site_is_named(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, exposed(plasma={**PLASMA, "ke0_per_min": 0.3}))
    runs = dict([run_of(tmp_path, trial.inputs.protocol, "02", "one", curve(50.0))])
    (found,) = list_exposures(trial.inputs.protocol, trial.inputs.check, runs)
    assert found.model.startswith("x at the effect site; mine")
    assert found.curves == ()  # nobody had the drug yet; the typical curve is known
    assert len(found.typical[0]) == N_VOLUMES


def test_scans_of_other_times_are_not_joined(tmp_path: Path) -> None:
    content = exposed()
    starts = {"one": -1, "two": -1}
    content["scans"] = {
        "rest": {"task": "rest", "start_min": starts},
        "late": {"task": "late", "start_min": {"one": 9, "two": 9}},
    }
    trial = make_trial(tmp_path, content)
    protocol = trial.inputs.protocol
    runs = dict(
        [
            run_of(tmp_path, protocol, "01", "one", curve(50.0), scan="late", start_min=9.0),
            run_of(tmp_path, protocol, "01", "one", curve(50.0)),
            run_of(tmp_path, protocol, "03", "one", curve(50.0)),
        ]
    )
    (found,) = list_exposures(protocol, trial.inputs.check, runs)
    gap = [np.nan]
    assert_allclose(found.typical[0], np.r_[MIDDLES - 1.0, gap, MIDDLES + 9.0])
    rise = np.linspace(0.0, 100.0, N_VOLUMES)
    assert_allclose(found.typical[1], np.r_[rise, gap, rise])


def test_nothing_measured_nothing_drawn(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, exposed())
    assert list_exposures(trial.inputs.protocol, trial.inputs.check, {}) == ()
