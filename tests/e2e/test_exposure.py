"""What was given, and trials that cannot be computed: told before any computing where that can be.

Each hostile input gives one clear message, and nothing half-written stays.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from rich.console import Console

from tests.e2e.first_level_trial import (
    ARMS,
    BOX,
    EVENTS,
    N_VOLUMES,
    REFERENCE_KG,
    SEED_MM,
    SUBJECTS,
    WEIGHTS,
    InfusionTrial,
    base_document,
    concentration,
    inside,
    minutes,
    question,
    write_people,
    write_trial,
)
from tests.e2e.trees import MOTION, SPACE, T_R, call, write_image, write_json, write_table

TREATED = [label for label, arm in zip(SUBJECTS, ARMS, strict=True) if arm == "ketamine"]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("infusion")
    write_trial(root, base_document())
    return root


@pytest.fixture
def trial(pristine: Path, tmp_path: Path) -> InfusionTrial:
    shutil.copytree(pristine, tmp_path / "trial")
    return InfusionTrial(root=tmp_path / "trial")


def run(trial: InfusionTrial, *options: str) -> tuple[int, str]:
    words = ("run", trial.bids, trial.out, "participant", "--protocol", trial.protocol)
    return call(*words, "--n-workers", "1", *options)


def run_of(trial: InfusionTrial, *subjects: str) -> None:
    code, printed = run(trial, "--participant-label", *subjects)
    assert code == 0, printed


def given(trial: InfusionTrial, **columns: object) -> None:
    """Write a dosing log of one line: what sub-02 was given, if nothing else is said."""
    line = {
        "participant_id": "sub-02",
        "session_id": "ses-infusion",
        "drug": "ketamine",
        "route": "intravenous",
        "amount": 0.5,
        "unit": "mg/kg",
        "start": 90,
        "duration": 60,
        "scan": "rest",
    }
    table = {name: [value] for name, value in (line | columns).items()}
    write_table(trial.bids / "phenotype" / "dosing.tsv", table)


def fitted(trial: InfusionTrial, measure: str, columns: np.ndarray, weights: list[float]) -> None:
    """Hold a measure of sub-02 to least squares with these columns, a line and motion."""
    data = np.asarray(nib.load(trial.bold("02", "rest")).dataobj, np.float64)
    Y = data.reshape(-1, N_VOLUMES).T
    nuisance = trial.confounds("02", "rest")[list(MOTION)].to_numpy()
    line = np.linspace(-1.0, 1.0, N_VOLUMES)
    X = np.column_stack([columns, line, np.ones(N_VOLUMES), nuisance])
    beta = np.linalg.lstsq(X, Y, rcond=None)[0][: len(weights)]
    path = trial.results("02", measure, "stat-effect_statmap.nii.gz")
    found = np.asarray(nib.load(path).dataobj, np.float64).reshape(-1)
    assert_allclose(found, 100 * np.array(weights) @ beta / Y.mean(axis=0), atol=3e-5)


# ---------------------------------------------------------------------------------- what was given
def test_later_start_shifts_bins_and_curve(trial: InfusionTrial) -> None:
    given(trial, start=111)
    run_of(trial, "02")
    times = minutes(-111 / 60)
    k = np.floor(times / 0.5)
    # 2.15 minutes are left: the rest of 0.15 is shorter than half a bin and joins the fourth.
    bins = np.column_stack([(k == i) | ((i == 3) & (k == 4)) for i in range(4)]).astype(float)
    fitted(trial, "bins", bins, [0.5 / 2.15, 0.5 / 2.15, 0.5 / 2.15, 0.65 / 2.15])
    curve = concentration(times, WEIGHTS["02"]) / concentration(minutes(), REFERENCE_KG).max()
    fitted(trial, "follows", curve[:, None], [1.0])


def test_start_in_minutes_is_that_of_the_protocol(trial: InfusionTrial) -> None:
    given(trial, start=0.35, duration=1, scan="n/a")
    run_of(trial, "02")
    curve = concentration(minutes(-1.85), WEIGHTS["02"])
    peak = concentration(minutes(), REFERENCE_KG).max()
    fitted(trial, "follows", curve[:, None] / peak, [1.0])


def test_other_rate_changes_the_curve(trial: InfusionTrial) -> None:
    given(trial, amount=15, unit="mg/h", duration=120)
    run_of(trial, "02")
    # 0.25 mg per minute for two minutes, as two infusions of one minute.
    parts = [concentration(minutes(), 1.0, amount=0.25, start_min=i) for i in (0, 1)]
    peak = concentration(minutes(), REFERENCE_KG).max()
    fitted(trial, "follows", sum(parts)[:, None] / peak, [1.0])
    path = trial.results("02", "follows", "stat-effect_statmap.json")
    assert "doses as given" in json.loads(path.read_text())["Model"]["exposure"]


def test_doses_of_a_drug_in_a_placebo_session_leave_its_curve_alone(trial: InfusionTrial) -> None:
    given(trial, participant_id="sub-01", drug="saline", amount=100, unit="mg")
    run_of(trial, "01")
    path = trial.results("01", "follows", "stat-effect_statmap.json")
    assert "doses as planned" in json.loads(path.read_text())["Model"]["exposure"]


def test_lines_that_the_trial_does_not_have_are_all_told(trial: InfusionTrial) -> None:
    given(trial, participant_id="sub-99", drug="esketamine", session_id="n/a", scan="nback")
    code, printed = run(trial)
    assert code == 1
    for words in ("found 99; expected 01, 02", "found esketamine", "scans.nback.start_min"):
        assert words in printed
    assert printed.count("dosing.tsv:2, ") == 3
    given(trial, session_id="ses-other")
    code, printed = run(trial)
    assert code == 1
    assert "other; expected infusion" in printed
    assert not trial.out.exists()


def test_missing_weights_are_told_once_per_participant(trial: InfusionTrial) -> None:
    document = trial.document
    document["exposures"]["again"] = document["exposures"]["plasma"]
    again = {"model": "exposure", "exposure": "again"}
    document["measures"]["again"] = {**document["measures"]["follows"], "response": again}
    trial.write_protocol(document)
    write_people(trial, WEIGHTS | {"02": np.nan, "05": -70.0})
    code, printed = run(trial)
    assert code == 1
    assert printed.count("need a body weight") == 2
    assert "(2 problems)" in printed
    assert "participants.tsv, sub-02, weight_kg" in printed
    assert "found -70.0; expected kilograms" in printed
    assert not trial.out.exists()


def test_no_column_of_weights_is_one_problem(trial: InfusionTrial) -> None:
    document = trial.document
    document["exposures"]["plasma"]["weight_column"] = "mass"
    trial.write_protocol(document)
    code, printed = run(trial)
    assert code == 1
    assert "(1 problem)" in printed
    assert "participants.tsv, mass: the doses or the drug model need a body weight" in printed


def test_doses_in_mg_of_a_model_that_does_not_scale_need_no_weight(trial: InfusionTrial) -> None:
    given(trial, amount=30, unit="mg")
    write_people(trial, WEIGHTS | {"02": np.nan})
    run_of(trial, "02")
    peak = concentration(minutes(), REFERENCE_KG).max()
    curve = concentration(minutes(), 1.0, amount=30.0)
    fitted(trial, "follows", curve[:, None] / peak, [1.0])


def test_measured_concentrations_make_a_curve_of_ones_own(trial: InfusionTrial) -> None:
    document = trial.document
    document["exposures"]["plasma"] |= {"model": "fanta_otto", "samples": "levels"}
    trial.write_protocol(document)
    write_levels(trial, "06")
    run_of(trial, "02", "04")
    typical = trial.results("02", "follows", "stat-effect_statmap.nii.gz").read_bytes()
    other = trial.results("04", "follows", "stat-effect_statmap.nii.gz").read_bytes()
    write_levels(trial, "02")
    run_of(trial, "02", "04")
    path = trial.results("02", "follows", "stat-effect_statmap.nii.gz")
    assert path.read_bytes() != typical
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert "fitted to this participant's samples" in sidecar["Model"]["exposure"]
    assert trial.results("04", "follows", "stat-effect_statmap.nii.gz").read_bytes() == other


def write_levels(trial: InfusionTrial, subject: str) -> None:
    write_table(
        trial.bids / "phenotype" / "levels.tsv",
        {
            "participant_id": [f"sub-{subject}"] * 3,
            "session_id": ["ses-infusion"] * 3,
            "time_min": [2.0, 10.0, 30.0],
            "concentration_ng_ml": [400.0, 150.0, 60.0],
        },
    )


def test_changed_weight_measures_that_participant_alone_again(trial: InfusionTrial) -> None:
    assert "6 steps done, 0 kept" in run(trial)[1]
    assert "0 steps done, 6 kept" in run(trial)[1]
    write_people(trial, WEIGHTS | {"03": 72.5})
    assert "1 steps done, 5 kept" in run(trial)[1]
    given(trial, start=91)
    assert "1 steps done, 5 kept" in run(trial)[1]
    assert "0 steps done, 6 kept" in run(trial)[1]


# -------------------------------------------------------------------------------- hostile input
@dataclass(frozen=True)
class Hostile:
    """What is done to a trial, what must be said of it, and whether before any computing."""

    name: str
    damage: Callable[[InfusionTrial], object]
    says: tuple[str, ...]
    code: int = 1
    foreseen: bool = True


def protocol(change: Callable[[dict[str, dict]], object]) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        document = trial.document
        change(document)
        trial.write_protocol(document)

    return damage


def measure(name: str, **settings: object) -> Callable[[InfusionTrial], None]:
    """Add a measure, in place of those there are."""

    def change(document: dict[str, dict]) -> None:
        document["measures"] = {name: {"denoising": "motion", **settings}}
        document["questions"] = {"q": question(name, role="primary")}

    return protocol(change)


def bins(**settings: object) -> Callable[[InfusionTrial], None]:
    return protocol(lambda document: document["measures"]["bins"].update(settings))


def by_load(kind: str, **settings: object) -> Callable[[InfusionTrial], None]:
    return measure("load", kind=kind, scan="nback", contrast={"two_back": 1}, **settings)


def events(
    change: Callable[[pd.DataFrame], pd.DataFrame], subjects: tuple[str, ...] = ("04",)
) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        by_load("task")(trial)
        for subject in subjects:
            write_table(trial.events(subject), dict(change(EVENTS.copy())))

    return damage


def set_entry(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[3, column] = value
        return table

    return change


def networks(
    network: int = 3, change: Callable[[np.ndarray], np.ndarray] = lambda data: data
) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        path = trial.root / "networks.nii.gz"
        data = change(np.asarray(nib.load(path).dataobj, np.float32))
        write_image(path, data, BOX.affine)
        settings = {"networks": "networks.nii.gz", "space": SPACE, "network": network}
        measure("network", kind="dual_regression", scan="rest", **settings)(trial)

    return damage


def receptor(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        path = trial.root / "ht2a.nii.gz"
        write_image(path, change(np.asarray(nib.load(path).dataobj, np.float32)), BOX.affine)
        maps = {"ht1a": "ht1a.nii.gz", "ht2a": "ht2a.nii.gz"}
        settings = {"maps": maps, "receptor": "ht2a", "space": SPACE}
        measure("serotonin", kind="receptor_maps", scan="rest", **settings)(trial)

    return damage


def elsewhere(trial: InfusionTrial) -> None:
    networks()(trial)
    path = trial.root / "networks.nii.gz"
    affine = BOX.affine.copy()
    affine[:3, 3] += 500.0
    write_image(path, np.asarray(nib.load(path).dataobj, np.float32), affine)


def data_of(
    subject: str, change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        path = trial.bold(subject, "rest")
        data = change(np.asarray(nib.load(path).dataobj, np.float32))
        write_image(path, data, BOX.affine)
        table = trial.confounds(subject, "rest").iloc[: data.shape[-1]]
        write_table(trial.confounds_path(subject, "rest"), dict(table))

    return damage


def still_seed(trial: InfusionTrial) -> None:
    def still(data: np.ndarray) -> np.ndarray:
        data[inside(SEED_MM)] = 900.0
        return data

    measure("rest", kind="seed_to_voxel", scan="rest", seed="seed")(trial)
    data_of("05", still)(trial)


def physio(seconds: float | None) -> Callable[[InfusionTrial], None]:
    def damage(trial: InfusionTrial) -> None:
        protocol(lambda document: document["denoising"]["motion"].update(physiology="retroicor"))(
            trial
        )
        for subject in SUBJECTS:
            length = N_VOLUMES * T_R if subject != "03" else seconds
            if length is not None:
                write_physio(trial, subject, length)

    return damage


def write_physio(trial: InfusionTrial, subject: str, seconds: float) -> None:
    stem = f"sub-{subject}_ses-infusion_task-rest_physio"
    t = np.arange(0.0, seconds, 0.02)
    pulse = np.exp(3 * np.cos(2 * np.pi * 1.05 * t))
    breath = np.sin(2 * np.pi * 0.27 * t + 0.3 * np.sin(0.2 * t))
    text = "".join(f"{a:.6f}\t{b:.6f}\n" for a, b in zip(pulse, breath, strict=True))
    folder = trial.func(subject, raw=True)
    (folder / f"{stem}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    columns = ["cardiac", "respiratory"]
    content = {"SamplingFrequency": 50.0, "StartTime": 0.0, "Columns": columns}
    write_json(folder / f"{stem}.json", content)


def no_events(trial: InfusionTrial) -> None:
    by_load("task")(trial)
    trial.events("02").unlink()


HOSTILE = [
    Hostile(
        "infusion before the scan",
        protocol(lambda d: d["scans"]["rest"]["start_min"].update(infusion=1.0)),
        ("scans.rest.start_min.infusion", "no baseline", "found 1 min"),
        code=2,
    ),
    Hostile(
        "bins longer than the baseline",
        bins(response={"model": "pseudoblock", "bin_s": 120}),
        ("measures.bins.response.bin_s", "longer than the baseline", "90 s"),
        code=2,
    ),
    Hostile(
        "infusion given before the scan",
        lambda trial: given(trial, start=10),
        (
            "dosing.tsv:2, sub-02, ses-infusion, start: the run cannot be modelled with time zero",
            "min_baseline_volumes: too few volumes before time zero for a baseline; found 5",
            "found 10 s from the first volume of rest; expected 90 s from the first volume",
            "(1 problem)",
        ),
    ),
    Hostile(
        "infusion given after the scan",
        lambda trial: given(trial, start=90, duration=1, scan="n/a"),
        (
            "dosing.tsv:2, sub-02, ses-infusion, start: the run cannot be modelled with time zero",
            "the scan ends before the infusion begins",
            "exposure does not vary within the scan",
            "found 90 min from time zero; expected 0 min from time zero, as planned",
            "(1 problem)",
        ),
    ),
    Hostile(
        "rise that ends after the scan",
        bins(response={"model": "ramp", "end_min": 4}),
        ("sub-01", "measures.bins: end_min: the window does not lie within", "0 to 4 min"),
    ),
    Hostile(
        "window of connectivity that is longer than the scan",
        measure(
            "coupling",
            kind="exposure_connectivity",
            scan="rest",
            seed="seed",
            exposure="plasma",
            window_s=300,
            step_s=20,
        ),
        ("sub-01", "measures.coupling: window_s: the window does not fit", "16 s (8 volumes)"),
    ),
    Hostile(
        "condition that no scan has",
        measure("load", kind="task", scan="nback", contrast={"three_back": 1}),
        ("measures.load.contrast.three_back", "two_back"),
        code=2,
    ),
    Hostile(
        "condition that no run has",
        lambda trial: (
            by_load("task")(trial),
            protocol(lambda d: d["scans"]["nback"]["conditions"].append("three_back"))(trial),
        ),
        ("sub-01", "events.tsv", "three_back: a condition has no event", "sub-06 ses-infusion"),
    ),
    Hostile(
        "condition that two runs lack",
        events(lambda table: table[table["trial_type"] != "two_back"], ("03", "04")),
        ("sub-03", "sub-04", "two_back: a condition has no event", "(2 problems)"),
    ),
    Hostile("negative onset", events(set_entry("onset", -50.0)), ("sub-04", "onset -50 s")),
    Hostile("onset after the scan", events(set_entry("onset", 1e4)), ("sub-04", "10000")),
    Hostile(
        "negative duration", events(set_entry("duration", -1.0)), ("sub-04", "duration", "-1")
    ),
    Hostile(
        "no number to modulate with",
        by_load("task", modulators={"two_back": ["speed"]}),
        ("sub-01", "no such numeric column", "found speed", "difficulty", "5 further runs"),
    ),
    Hostile(
        "no events", no_events, ("sub-02", "no events belong to this run", "zero_back, two_back")
    ),
    Hostile(
        "too few trials for a beta series",
        lambda trial: (
            events(lambda table: table.iloc[:8], SUBJECTS)(trial),
            by_load("beta_series", seed="seed")(trial),
        ),
        ("sub-01", "too few trials", "4 trials", "5 further runs: sub-02 ses-infusion; sub-03"),
    ),
    Hostile(
        "no networks",
        lambda trial: (networks()(trial), (trial.root / "networks.nii.gz").unlink()),
        ("networks.nii.gz", "measures.network"),
    ),
    Hostile(
        "fewer networks than asked for",
        networks(7),
        ("networks.nii.gz", "measures.network", "found 3", "7 or more"),
    ),
    Hostile(
        "one network where three are asked for",
        networks(change=lambda data: data[..., 0]),
        ("networks.nii.gz", "found 1", "3 or more"),
    ),
    Hostile("networks elsewhere", elsewhere, ("networks.nii.gz", "map 1, 2, 3 of 3")),
    Hostile(
        "receptor NaN everywhere",
        receptor(lambda data: data * np.nan),
        ("ht2a.nii.gz", "no value on the grid", "(1 problem)"),
    ),
    Hostile(
        "two receptors in one file",
        receptor(lambda data: np.stack([data, data], axis=-1)),
        ("ht2a.nii.gz", "found 2", "one map"),
    ),
    Hostile(
        "scan over before the infusion",
        data_of("03", lambda data: data[..., :30]),
        ("sub-03", "measures.bins", "ends before the infusion"),
    ),
    Hostile(
        "drift takes the response",
        bins(drift={"order": 2, "max_overlap": 0.5}),
        ("sub-01", "measures.bins: max_overlap", "found overlap", "at most 0.5", "5 further"),
    ),
    Hostile(
        "a bin that the response does not have",
        protocol(lambda d: d["questions"]["response"].update(map="bin06")),
        ("sub-01", "questions.response.map", "found bin06", "bin01 to bin05", "5 further runs"),
    ),
    Hostile(
        "still seed",
        still_seed,
        ("sub-05", "measures.rest: seed", "no variance", "found 900 in all 120", "(1 problem)"),
    ),
    Hostile(
        "mean taken out",
        data_of("03", lambda data: data - data.mean(axis=-1, keepdims=True)),
        ("sub-03", "measures.bins", "no mean", "median SD"),
        foreseen=False,
    ),
    Hostile(
        "an event of an unknown condition",
        events(set_entry("trial_type", "two_bakc")),
        ("sub-04", "scans.nback.conditions", "two_bakc", "events.tsv"),
    ),
    Hostile(
        "recording shorter than the scan",
        physio(100.0),
        ("sub-03", "physio.tsv.gz", "denoising.motion.physiology", "100.0 s", "(1 problem)"),
    ),
    Hostile(
        "no recording",
        physio(None),
        ("sub-03", "denoising.motion.physiology", "no recording", "(1 problem)"),
    ),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=[item.name for item in HOSTILE])
def test_one_clear_message(trial: InfusionTrial, hostile: Hostile) -> None:
    hostile.damage(trial)
    code, printed = run(trial)
    assert code == hostile.code, printed
    for words in hostile.says:
        assert words in printed
    assert printed.count("phmri: ") == 1
    assert "Traceback" not in printed
    assert ("First levels" in printed) == (not hostile.foreseen)
    assert trial.out.exists() == (not hostile.foreseen)
    assert list(trial.root.rglob("*.part")) == []


def test_broken_run_leaves_nothing_and_the_others_are_kept(trial: InfusionTrial) -> None:
    (hostile,) = (item for item in HOSTILE if item.name == "mean taken out")
    hostile.damage(trial)
    run(trial)
    label = hostile.says[0]
    assert not list((trial.out / label).rglob("*.*"))
    assert len(list(trial.out.glob("sub-*/ses-*/func/*_run.json"))) == 5
    log = (trial.out / "logs" / "steps.jsonl").read_text()
    assert '"failed"' in log


def test_report_says_why_a_run_could_not_be_measured(trial: InfusionTrial) -> None:
    document = trial.document
    document["exclusions"]["broken_run"] = "exclude"
    trial.write_protocol(document)
    (hostile,) = (item for item in HOSTILE if item.name == "mean taken out")
    hostile.damage(trial)
    code, printed = run(trial)
    assert code == 0, printed
    assert "1 runs broken" in printed
    assert not list((trial.out / hostile.says[0]).rglob("*.nii.gz"))
    # Another call, which measures nothing, still knows.
    assert call("run", trial.bids, trial.out, "group", "--protocol", trial.protocol)[0] == 0
    assert "could not be measured: " in (trial.out / "report" / "index.html").read_text()
    assert "5 kept from before, 0 runs excluded, 1 runs broken" in run(trial)[1]  # tried again


def test_runs_that_cannot_be_computed_are_left_out_where_the_protocol_says(
    trial: InfusionTrial,
) -> None:
    document = trial.document
    document["exclusions"]["broken_run"] = "exclude"
    trial.write_protocol(document)
    given(trial, start=10)
    code, printed = run(trial)
    assert code == 0, printed
    assert "5 steps done, 0 kept from before, 0 runs excluded, 1 runs broken" in printed
    assert "dosing.tsv:2, sub-02, ses-infusion, start" in printed
    assert "bold.nii.gz" not in printed
    assert '"failed"' in (trial.out / "logs" / "steps.jsonl").read_text()


def test_check_counts_who_run_leaves_out(trial: InfusionTrial) -> None:
    document = trial.document
    document["exclusions"]["broken_run"] = "exclude"
    trial.write_protocol(document)
    assert "ketamine 3, placebo 3" in call("check", trial.protocol, trial.bids)[1]
    given(trial, start=10)
    code, printed = call("check", trial.protocol, trial.bids)
    assert code == 0, printed
    assert "ketamine 2, placebo 3" in printed
    assert "broken" in printed
    document["exclusions"]["min_participants_per_group"] = 3
    trial.write_protocol(document)
    code, printed = call("check", trial.protocol, trial.bids)
    assert code == 1
    words = "ketamine: too few participants in this arm can answer the question; found 2"
    assert f"no: {words}" in rows(printed, "Questions")
    code, printed = call("run", trial.bids, trial.out, "all", "--protocol", trial.protocol)
    assert code == 1
    assert f"{words}; expected at least 3" in printed
    assert "dosing.tsv:2, sub-02, ses-infusion, start" in printed
    assert "First levels" not in printed


def rate(trial: InfusionTrial, *subjects: str) -> None:
    """Ask how the response goes with a score that these participants have."""
    document = trial.document
    document["scales"] = {"mood": {"columns": ["joy", "calm"], "minimum": 0, "maximum": 9}}
    asked = {"role": "secondary", "measure": "bins", "scale": "mood", "session": "infusion"}
    document["associations"] = {
        "felt": {"text": "Felt?", **asked, "where": {"mean_of": "target"}},
        "heavy": {"text": "Heavy?", **asked, "partial": ["weight_kg", "age"]},
    }
    trial.write_protocol(document)
    people = [f"sub-{subject}" for subject in subjects]
    scores = {"joy": range(len(people)), "calm": range(len(people))}
    table = {"participant_id": people, "session_id": ["ses-infusion"] * len(people), **scores}
    write_table(trial.bids / "phenotype" / "mood.tsv", table)


def rows(printed: str, title: str) -> str:
    """Give the text of a table, whose cells may be folded over lines."""
    cells = printed.partition(title)[2].replace("\u2502", " ")
    return " ".join(cells.split())


def test_check_and_design_list_associations(
    trial: InfusionTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phmri.cli._commands.OUT", Console(width=200, highlight=False))
    rate(trial, "01", "02", "03", "04", "05")
    for words in (("check", trial.protocol, trial.bids), ("design", trial.protocol, trial.bids)):
        code, printed = call(*words)
        assert code == 1, printed
        assert "associations.heavy.partial: participants.tsv has no column " in printed
        told = rows(printed, "Associations")
        assert "felt secondary bins mood ketamine 2, placebo 3 yes" in told
        assert "heavy secondary bins mood ketamine 2, placebo 3 no: " in told
    rate(trial, "01", "02", "03", "04")
    told = rows(call("check", trial.protocol, trial.bids)[1], "Associations")
    assert "ketamine 2, placebo 2 no: " in told
    told = rows(call("design", trial.protocol)[1], "Associations")
    assert "felt secondary bins mood 0 no: no n_planned of placebo, ketamine" in told


def test_an_association_with_a_bin_that_the_response_does_not_have(trial: InfusionTrial) -> None:
    rate(trial, *SUBJECTS)
    document = trial.document
    document["associations"]["felt"]["map"] = "bin06"
    trial.write_protocol(document)
    code, printed = run(trial)
    assert code == 1
    assert "associations.felt.map" in printed
    assert "found bin06; expected bin01 to bin05" in printed


def test_the_participant_level_answers_no_question(trial: InfusionTrial) -> None:
    document = trial.document
    document["exclusions"]["min_participants_per_group"] = 4
    trial.write_protocol(document)
    for level in ("all", "group"):
        code, printed = call("run", trial.bids, trial.out, level, "--protocol", trial.protocol)
        assert code == 1
        assert "ketamine: too few participants in this arm" in printed
        assert not trial.out.exists()
    code, printed = run(trial)
    assert code == 0, printed
    assert "6 steps done" in printed
    assert "questions.response: ketamine: too few participants in this arm" in printed
    assert "found 3; expected at least 4" in printed


def test_nothing_to_measure_is_no_success(trial: InfusionTrial) -> None:
    document = trial.document
    document["space"] = "MNI152NLin6Asym"
    for region in document["regions"].values():
        region["space"] = "MNI152NLin6Asym"
    document["parcellations"] = {}
    trial.write_protocol(document)
    code, printed = run(trial)
    assert code == 1
    assert "there is no run to measure" in printed
    assert not trial.out.exists()


def test_all_faults_of_a_dosing_log_are_told_at_once(trial: InfusionTrial) -> None:
    given(
        trial,
        participant_id="sub-99",
        session_id="ses-other",
        drug="esketamine",
        amount=-1,
        start="soon",
        scan="nothing",
    )
    path = trial.bids / "phenotype" / "dosing.tsv"
    line = "sub-04\tses-infusion\tketamine\tintravenous\t500\tmg/kg\t90\t60\trest\n"
    path.write_text(path.read_text() + "sub-02\tses-infusion\n" + line)
    code, printed = run(trial)
    assert code == 1
    for field in ("participant_id", "session_id", "drug", "amount", "start", "scan"):
        assert f"dosing.tsv:2, sub-99, ses-other, {field}: " in printed
    assert "dosing.tsv:3: another number of fields" in printed
    assert "dosing.tsv:4, sub-04, ses-infusion, amount: the amount is more than 10" in printed
    assert "(8 problems)" in printed


def test_sidecars_name_the_tables_that_doses_and_weights_are_from(trial: InfusionTrial) -> None:
    document = trial.document
    seed = {"kind": "seed_to_voxel", "scan": "rest", "denoising": "motion", "seed": "seed"}
    document["measures"]["coupling"] = seed
    trial.write_protocol(document)
    given(trial)
    run_of(trial, "02", "04")
    doses, people = trial.bids / "phenotype" / "dosing.tsv", trial.bids / "participants.tsv"

    def tables(subject: str, measure: str, stat: str = "effect") -> set[str]:
        path = trial.results(subject, measure, f"stat-{stat}_statmap.json")
        return {str(doses), str(people)} & set(json.loads(path.read_text())["Sources"])

    assert tables("02", "follows") == {str(doses), str(people)}
    assert tables("02", "bins") == {str(doses)}
    assert tables("02", "coupling", "z") == set()
    assert tables("04", "follows") == {str(people)}
    assert tables("04", "bins") == set()
    given(trial, amount=0.4)
    words = ("--participant-label", "02", "04")
    assert "1 steps done, 1 kept" in run(trial, *words)[1]
    assert "0 steps done, 2 kept" in run(trial, *words)[1]


def test_networks_of_another_grid_are_interpolated(trial: InfusionTrial) -> None:
    networks(1)(trial)
    path = trial.root / "networks.nii.gz"
    data = np.asarray(nib.load(path).dataobj, np.float32)
    finer = data.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = np.array(BOX.origin_mm) - 2.0
    run_of(trial, "01")
    there = trial.results("01", "network", "stat-effect_statmap.nii.gz")
    before = np.asarray(nib.load(there).dataobj)
    write_image(path, finer, affine)
    run_of(trial, "01")
    assert_allclose(np.asarray(nib.load(there).dataobj), before, atol=1e-5)


def test_events_that_the_protocol_leaves_out_join_the_baseline_and_are_told(
    trial: InfusionTrial,
) -> None:
    events(set_entry("trial_type", "pause"))(trial)
    protocol(lambda document: document["scans"]["nback"].update(other_conditions=["pause"]))(trial)
    run_of(trial, "03", "04")
    for subject, told in (("03", []), ("04", ["pause: 1"])):
        path = trial.results(subject, "load", "stat-effect_statmap.json")
        assert json.loads(path.read_text())["Model"]["events_not_modelled"] == told
