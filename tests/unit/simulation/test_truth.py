"""Truth files: read whole, refused with every mistake at once and before anything is written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phmri.exceptions import ProtocolError, SimulationError
from phmri.protocol import read_protocol, write_template
from phmri.simulation import _simulate as room
from phmri.simulation import read_truth, simulate, simulate_demo
from phmri.simulation._demo import _SETTINGS, demo_settings, demo_text
from phmri.simulation._people import write_people
from phmri.simulation._plan import make_plan

GOOD = """
phmri_truth: 1
voxel_mm: 6
participants:
  {ketamine_saline: 3, saline_ketamine: 3, lamotrigine_placebo: 2, placebo_lamotrigine: 2}
scans:
  infusion: {n_volumes: 80, t_r: 10}
effects:
  thalamus:
    kind: response
    scan: infusion
    treatments: {ketamine: 1, placebo_ketamine: 1, lamotrigine_ketamine: 0.5}
    region: thalamus
    curve: {model: exposure, exposure: plasma}
    percent: 1.0
    percent_sd: 0.2
scales:
  cadss: {mean: {ketamine: 30}, sd: 2, follows: {thalamus: 8}}
missing: {session: 0.2}
"""


@pytest.fixture
def protocol_path(tmp_path: Path) -> Path:
    return write_template("deakin2008", tmp_path / "protocol")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truth.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_follows_design_shares_and_exposure(protocol_path: Path, tmp_path: Path) -> None:
    protocol = read_protocol(protocol_path)
    truth = read_truth(write(tmp_path, GOOD), protocol)
    plan = make_plan(protocol, truth, 3)
    groups = [person.group for person in plan.people]
    assert {name: groups.count(name) for name in set(groups)} == truth.participants
    assert 12 < len(plan.runs) < 20  # some second visits are lost, no first one
    for run in plan.runs:
        order = protocol.design.sequences[run.person.group].treatments
        assert run.treatment == order[protocol.sessions[run.session].period - 1]
        share = {"ketamine": 1, "placebo_ketamine": 1, "lamotrigine_ketamine": 0.5}
        if run.treatment == "saline":
            assert run.effects == ()
            continue
        (effect,) = run.effects
        assert effect.size == pytest.approx(run.person.sizes["thalamus"] * share[run.treatment])
        before = -5 + (np.arange(80) + 0.5) / 6 < 0
        assert np.abs(effect.curve[before]).max() == 0
        assert effect.curve.max() == 1
    assert make_plan(protocol, truth, 3).people == plan.people
    assert make_plan(protocol, truth, 4).people != plan.people


def test_everything_that_does_not_fit_is_told_at_once(protocol_path: Path, tmp_path: Path) -> None:
    text = (
        GOOD.replace("{ketamine_saline: 3", "{ketamin_saline: 3")
        .replace("infusion: {n_volumes: 80, t_r: 10}", "rest: {n_volumes: 4, t_r: 10}")
        .replace("region: thalamus", "region: thalmus")
        .replace("exposure: plasma}", "exposure: blood}")
        .replace("percent: 1.0", "percent: 100")
        .replace("lamotrigine_ketamine: 0.5", "lamotrigin: 0.5")
        .replace("follows: {thalamus: 8}", "follows: {thalamos: 8}")
        .replace("cadss: {mean", "panss: {mean")
    )
    with pytest.raises(ProtocolError) as caught:
        read_truth(write(tmp_path, text), read_protocol(protocol_path))
    told = {problem.field for problem in caught.value.problems}
    assert told >= {
        "participants.ketamin_saline",
        "scans",
        "scans.rest",
        "scans.rest.n_volumes",
        "effects.thalamus.region.thalmus",
        "effects.thalamus.curve.exposure.blood",
        "effects.thalamus.percent",
        "effects.thalamus.treatments.lamotrigin",
        "scales.panss",
        "scales.panss.follows.thalamos",
    }
    assert all(problem.line for problem in caught.value.problems)
    assert "expected" in str(caught.value)


def test_couplings_that_cannot_be(tmp_path: Path) -> None:
    protocol = read_protocol(write_template("weigner2025", tmp_path / "protocol"))
    text = """
phmri_truth: 1
scans:
  rest: {n_volumes: 40, t_r: 2}
  nback: {n_volumes: 40, t_r: 2, conditions: {0back: 1}}
regions: {pgacc: {}}
effects:
  strong:
    {kind: coupling, scan: rest, treatments: {ketamine: 1}, seed: pgacc, target: dmpfc, gain: 9}
  self:
    {kind: coupling, scan: nback, treatments: {ketamine: 1}, seed: pgacc, target: pgacc, gain: 1,
    conditions: [3back], sessions: [infusionn]}
  response: {kind: response, scan: nback, treatments: {ketamine: 1}, region: dmpfc, percent: 1,
    curve: {model: step}}
"""
    with pytest.raises(ProtocolError) as caught:
        read_truth(write(tmp_path, text), protocol)
    message = str(caught.value)
    for words in (
        "not those of the protocol",
        "no coupling is as strong as that",
        "dmpfc not in regions",
        "cannot be coupled to itself",
        "3back",
        "infusionn",
    ):
        assert words in message


def with_response(text: str) -> str:
    return GOOD.replace("    curve: {model: exposure, exposure: plasma}\n", text)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        (
            with_response(
                "    curve: {model: gamma_variate, onset_min: 5, peak_min: 3, shape: 2}\n"
            ),
            "effects.thalamus.curve.peak_min",
            "over before it starts",
        ),
        (
            with_response("    curve: {model: ramp, onset_min: 2, end_min: 2}\n"),
            "effects.thalamus.curve.end_min",
            "over before it starts",
        ),
        (
            GOOD.replace("percent_sd: 0.2", "percent_sd: 0"),
            "scales.cadss.follows.thalamus",
            "do not differ",
        ),
        (GOOD.replace("ketamine: 30", "ketamine: 300"), "scales.cadss.mean.ketamine", "outside"),
        (
            GOOD.replace(
                "{ketamine: 1, placebo_ketamine: 1, lamotrigine_ketamine: 0.5}", "{ketamine: 0}"
            ),
            "effects.thalamus",
            "no run of the trial carries",
        ),
    ],
)
def test_what_would_plant_nothing_or_nonsense_is_refused(
    protocol_path: Path, tmp_path: Path, text: str, field: str, words: str
) -> None:
    with pytest.raises(ProtocolError, match=words) as caught:
        read_truth(write(tmp_path, text), read_protocol(protocol_path))
    assert [problem.field for problem in caught.value.problems] == [field]


CARRIED = """
phmri_truth: 1
participants: {placebo: 2, ketamine: 2}
scans:
  rest: {n_volumes: 40, t_r: 2}
  nback: {n_volumes: 40, t_r: 2, conditions: {0back: 1, 2back: 1}}
effects:
  on:
    kind: activation
    scan: nback
    sessions: [infusion]
    treatments: {ketamine: 1}
    region: dmpfc
    percent: 1
    conditions: {0back: 0, 2back: 1}
"""


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("sessions: [infusion]", "sessions: []", "sessions", "at least 1"),
        ("ketamine: 2}", "lamotrigine_ketamine: 2}", "", "no run of the trial carries"),
        ("{0back: 0, 2back: 1}", "{0back: 0, 2back: 0}", "conditions", "every height is 0"),
        (
            "[infusion]", "[baseline, infusion]", "sessions.baseline",
            r"in this session; .*expected sessions: \[infusion\]",
        ),
        (
            "{ketamine: 1}", "{ketamine: 1, lamotrigine_ketamine: 0.5}",
            "treatments.lamotrigine_ketamine", "under this treatment; found nobody",
        ),
    ],
)  # fmt: skip
def test_an_effect_that_nobody_carries_is_refused(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    protocol = read_protocol(write_template("weigner2025", tmp_path / "protocol"))
    read_truth(write(tmp_path, CARRIED), protocol)
    none = CARRIED.replace("{ketamine: 1}", "{ketamine: 1, lamotrigine_ketamine: 0}")
    read_truth(write(tmp_path, none), protocol)  # a share of 0 says that nobody has it
    text = CARRIED.replace(old, new)
    with pytest.raises(ProtocolError, match=words) as caught:
        read_truth(write(tmp_path, text), protocol)
    told = [problem.field for problem in caught.value.problems]
    assert told == [f"effects.on.{field}".rstrip(".")]
    assert all(problem.line for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("lengths", "field"),
    [
        ("block_s: 1000", "block_s"),
        ("gap_s: 13", "gap_s"),
        ("first_s: 1000, block_s: 5", "first_s"),
    ],
)
def test_blocks_that_do_not_fit_the_run_are_refused(
    tmp_path: Path, lengths: str, field: str
) -> None:
    protocol = read_protocol(write_template("weigner2025", tmp_path / "protocol"))
    whole = CARRIED.replace("2back: 1}}", "2back: 1}, first_s: 8, block_s: 24, gap_s: 12}")
    read_truth(write(tmp_path, whole), protocol)  # 80 s in 80 s
    short = CARRIED.replace("n_volumes: 40", "n_volumes: 24")
    read_truth(write(tmp_path, short), protocol)  # nobody told how long
    text = CARRIED.replace("2back: 1}}", f"2back: 1}}, {lengths}}}")
    with pytest.raises(ProtocolError, match=r"do not fit the run.*at most 80 s") as caught:
        read_truth(write(tmp_path, text), protocol)
    assert [problem.field for problem in caught.value.problems] == [f"scans.nback.{field}"]


@pytest.mark.parametrize(
    "line",
    [
        "region: [thalamus]",
        "scan: [infusion]",
        "treatments: [ketamine]",
        "sessions: 5",
        "conditions: 5",
        "curve: [1]",
    ],
)
def test_a_field_of_another_type_is_an_error_of_that_field(
    protocol_path: Path, tmp_path: Path, line: str
) -> None:
    field = line.partition(":")[0]
    kept = [row for row in GOOD.splitlines() if not row.startswith(f"    {field}:")]
    kept.insert(kept.index("    kind: response") + 1, f"    {line}")
    with pytest.raises(ProtocolError) as caught:
        read_truth(write(tmp_path, "\n".join(kept)), read_protocol(protocol_path))
    assert any((problem.field or "").startswith(f"effects.thalamus.{field}")
               for problem in caught.value.problems)  # fmt: skip


@pytest.mark.parametrize(
    "curve", ["{model: step, onset_min: 300}", "{model: exposure, exposure: plasma}"]
)
def test_a_curve_that_is_nothing_within_its_runs_is_refused(
    protocol_path: Path, tmp_path: Path, curve: str
) -> None:
    protocol_path.write_text(
        protocol_path.read_text().replace("period1: -5", "period1: -500")
        if "exposure" in curve
        else protocol_path.read_text()
    )
    protocol = read_protocol(protocol_path)
    truth = read_truth(write(tmp_path, with_response(f"    curve: {curve}\n")), protocol)
    with pytest.raises(SimulationError, match="0 all through a run") as caught:
        make_plan(protocol, truth, 1)
    assert caught.value.problems[0].field == "effects.thalamus.curve"
    assert caught.value.problems[0].session == "period1"
    with pytest.raises(SimulationError, match="0 all through a run") as told:
        simulate(protocol_path, tmp_path / "sim", truth_path=tmp_path / "truth.yaml", seed=1)
    assert told.value.problems[0].file == str(tmp_path / "truth.yaml")


def test_an_effect_needs_to_know_when_its_sessions_begin(tmp_path: Path) -> None:
    path = write_template("weigner2025", tmp_path / "protocol")
    path.write_text(
        path.read_text().replace(
            "    task: rest\n", "    task: rest\n    start_min: {infusion: -5}\n"
        )
    )
    text = """
phmri_truth: 1
scans:
  rest: {n_volumes: 400, t_r: 2}
  nback: {n_volumes: 400, t_r: 2, conditions: {0back: 1, 2back: 1}}
effects:
  response:
    {kind: response, scan: rest, treatments: {ketamine: 1}, region: dmpfc, percent: 1,
    curve: {model: step}}
"""
    protocol = read_protocol(path)
    with pytest.raises(ProtocolError, match="nobody says when rest begins") as caught:
        read_truth(write(tmp_path, text), protocol)
    assert caught.value.problems[0].found == "followup"
    told = text.replace("{model: step}", "{model: step}, sessions: [infusion]")
    read_truth(write(tmp_path, told), protocol)


def test_groups_that_are_not_named_have_nobody_and_all_are_as_planned_without_names(
    tmp_path: Path,
) -> None:
    protocol = read_protocol(write_template("weigner2025", tmp_path / "protocol"))
    text = """
phmri_truth: 1
scans:
  rest: {n_volumes: 40, t_r: 2}
  nback: {n_volumes: 40, t_r: 2, conditions: {0back: 1, 2back: 1}}
"""
    groups = {}
    for which, more in {"named": "participants: {ketamine: 3}\n", "planned": ""}.items():
        plan = make_plan(protocol, read_truth(write(tmp_path, text + more), protocol), 3)
        names = [person.group for person in plan.people]
        groups[which] = {name: names.count(name) for name in names}
    assert groups["named"] == {"ketamine": 3}
    assert groups["planned"] == {name: arm.n_planned for name, arm in protocol.design.arms.items()}


def test_data_that_were_not_simulated_are_left_alone(protocol_path: Path, tmp_path: Path) -> None:
    real = tmp_path / "sim" / "bids" / "dataset_description.json"
    real.parent.mkdir(parents=True)
    real.write_text('{"Name": "a real study"}')
    with pytest.raises(SimulationError, match="not simulated"):
        simulate(protocol_path, tmp_path / "sim", truth_path=write(tmp_path, GOOD))
    assert [path.name for path in (tmp_path / "sim").rglob("*")] == ["bids", real.name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "starting with 'phmri_truth: 1'"),
        ("- a\n", "starting with 'phmri_truth: 1'"),
        (None, "a truth file (truth.yaml)"),
        ("folder", "a truth file, e.g. truth.yaml in it"),
    ],
)
def test_what_is_no_truth_file_is_not_called_a_protocol(
    protocol_path: Path, tmp_path: Path, text: str | None, expected: str
) -> None:
    path = tmp_path / "planned.yaml"
    if text == "folder":
        path.mkdir()
    elif text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ProtocolError) as caught:
        read_truth(path, read_protocol(protocol_path))
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert problem.expected.endswith(expected)


def test_a_verdict_needs_a_question_of_a_blockade(tmp_path: Path) -> None:
    protocol = read_protocol(write_template("weigner2025", tmp_path / "protocol"))
    asked = {name: question.blockade for name, question in protocol.questions.items()}
    text = f"{CARRIED}expected:\n"
    text += "".join(f"  {name}: {{planted: [on], verdict: blocked}}\n" for name in asked)
    with pytest.raises(ProtocolError, match="nothing is asked of a blockade") as caught:
        read_truth(write(tmp_path, text), protocol)
    assert {problem.field for problem in caught.value.problems} == {
        f"expected.{name}.verdict" for name, blockade in asked.items() if blockade is None
    }


def test_a_truth_of_somebody_else_is_left_alone(protocol_path: Path, tmp_path: Path) -> None:
    """A protocol beside it is no reason to refuse: it is not written."""
    planned = write(tmp_path, GOOD.replace("n_volumes: 80", "n_volumes: 40"))
    folder = protocol_path.parent
    (folder / "truth.yaml").write_text("# by hand\nphmri_truth: 1\n", encoding="utf-8")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(SimulationError, match="would overwrite") as caught:
        simulate(protocol_path, folder, truth_path=planned)
    assert caught.value.problems[0].file == str(folder / "truth.yaml")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "truth.yaml").read_text(encoding="utf-8").startswith("# by hand")
    (folder / "truth.yaml").unlink()
    copied = simulate(protocol_path, folder, truth_path=planned).truth.read_text(encoding="utf-8")
    assert copied.endswith(planned.read_text(encoding="utf-8"))
    simulate(protocol_path, folder, truth_path=planned)  # over our own copy
    (folder / "link.yaml").symlink_to("truth.yaml")
    simulate(protocol_path, folder, truth_path=folder / "link.yaml")
    assert (folder / "truth.yaml").read_text(encoding="utf-8") == copied


def test_nothing_is_written_before_all_is_right(
    protocol_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = write(tmp_path, GOOD.replace("sgacc", "thalamus"))
    target = tmp_path / "sim"
    with pytest.raises(SimulationError) as caught:
        simulate(protocol_path, target, truth_path=truth, seed=-1, n_workers=0)
    assert len(caught.value.problems) == 2
    usage = room.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SimulationError, match="disk is too small"):
        simulate(protocol_path, target, truth_path=truth)
    assert not target.exists()


def test_folder_numbers_protocol_and_truth_are_told_together(
    protocol_path: Path, tmp_path: Path
) -> None:
    truth = write(tmp_path, GOOD.replace("region: thalamus", "region: thalmus"))
    with pytest.raises(SimulationError) as caught:
        simulate(protocol_path, truth, truth_path=truth, seed=-1)
    told = [(problem.file, problem.field) for problem in caught.value.problems]
    assert told == [
        (str(truth), "effects.thalamus.region.thalmus"),
        (None, "seed"),
        (str(truth), None),  # a file, not a folder
    ]
    text = protocol_path.read_text(encoding="utf-8")
    protocol_path.write_text(f"{text}unknown: 1\n", encoding="utf-8")
    truth = write(tmp_path, GOOD.replace("percent: 1.0", "percent: 100"))
    with pytest.raises(ProtocolError) as broken:
        simulate(protocol_path, tmp_path / "sim", truth_path=truth)
    told = [(problem.file, problem.field) for problem in broken.value.problems]
    assert told == [(str(protocol_path), "unknown"), (str(truth), "effects.thalamus.percent")]


@pytest.mark.parametrize("below", ["", "further/down", "/bids"])
def test_a_file_where_a_folder_should_be_is_found_before_any_work(
    protocol_path: Path, tmp_path: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "make_plan", None)
    folder = tmp_path / "sim"
    if below == "/bids":
        folder.mkdir()
        (folder / "bids").write_text("x", encoding="utf-8")
    else:
        folder.write_text("x", encoding="utf-8")
        folder = folder / below
    with pytest.raises(SimulationError, match=r"this is a file|not simulated by phmri"):
        simulate(protocol_path, folder, truth_path=write(tmp_path, GOOD))
    with pytest.raises(SimulationError, match=r"this is a file|not simulated by phmri"):
        simulate_demo("deakin2008", folder)


def test_scores_follow_the_effect_that_they_are_linked_to(
    protocol_path: Path, tmp_path: Path
) -> None:
    text = GOOD.replace("ketamine_saline: 3", "ketamine_saline: 40").replace(
        "session: 0.2", "session: 0"
    )
    truth_path = write(tmp_path, text)
    protocol = read_protocol(protocol_path)
    plan = make_plan(protocol, read_truth(truth_path, protocol), 1)
    write_people(tmp_path / "bids", plan)
    scores = pd.read_csv(tmp_path / "bids" / "phenotype" / "cadss.tsv", sep="\t")
    assert scores["cadss_total"].between(0, 92).all()
    drug = scores[scores["session_id"] == "ses-period1"].set_index("participant_id")["cadss_total"]
    people = [person for person in plan.people if person.group == "ketamine_saline"]
    sizes = [person.sizes["thalamus"] for person in people]
    found = [drug[f"sub-{person.label}"] for person in people]
    assert np.corrcoef(sizes, found)[0, 1] > 0.9
    assert np.mean(found) == pytest.approx(30, abs=4)
    weights = pd.read_csv(tmp_path / "bids" / "participants.tsv", sep="\t")["weight_kg"]
    assert weights.between(50, 110).all()


@pytest.mark.parametrize(("name", "full"), sorted(_SETTINGS))
def test_demos_are_protocols_with_fitting_truths(tmp_path: Path, name: str, *, full: bool) -> None:
    settings = demo_settings(name, full=full, seed=1)
    path = tmp_path / "trial.yaml"
    path.write_text(demo_text(name, settings), encoding="utf-8")
    protocol = read_protocol(path)
    truth = read_truth(write(tmp_path, demo_text(f"{name}_truth", settings)), protocol)
    assert "SIMULATED" in protocol.title
    plan = make_plan(protocol, truth, 1)
    people = {("weigner2025", True): 75, ("deakin2008", True): 33}.get((name, full))
    assert people is None or len(plan.people) == people
    planted = {effect.name for run in plan.runs for effect in run.effects}
    assert planted == set(truth.effects)
    asked = {one for item in truth.expected.values() for one in item.planted}
    assert asked >= planted
