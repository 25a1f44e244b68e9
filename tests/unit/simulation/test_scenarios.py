"""Scenarios of the demos: each plants what it says, fits the protocol, and is in the help."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from phmri.cli import main
from phmri.cli._guard import refuse_foreign_demo
from phmri.cli._parser import make_parser
from phmri.exceptions import SimulationError
from phmri.protocol import JulichRegion, Protocol, SphereRegion, read_protocol
from phmri.simulation import DEMOS, Truth, list_scenarios, read_truth, simulate_demo
from phmri.simulation._demo import demo_settings, demo_text, truth_text
from phmri.simulation._plan import TrialPlan, make_plan

SETTINGS = {name: demo_settings(name, full=False, seed=1) for name in DEMOS}
SCENARIOS = [(name, scenario) for name in DEMOS for scenario in list_scenarios(name)]


@cache
def protocol_of(name: str) -> Protocol:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trial.yaml"
        path.write_text(demo_text(name, SETTINGS[name]), encoding="utf-8")
        return read_protocol(path)


def read(folder: Path, name: str, scenario: str) -> tuple[Protocol, Truth]:
    path = folder / "truth.yaml"
    path.write_text(truth_text(name, SETTINGS[name], scenario), encoding="utf-8")
    return protocol_of(name), read_truth(path, protocol_of(name))


def plan_of(folder: Path, name: str, scenario: str) -> TrialPlan:
    return make_plan(*read(folder, name, scenario), 1)


def net_size(plan: TrialPlan, treatment: str, session: str, *effects: str) -> float:
    """Sum of the effects in the runs of a treatment, per person."""
    runs = [r for r in plan.runs if r.treatment == treatment and r.session == session]
    people = {run.person.label for run in runs}
    return sum(e.size for r in runs for e in r.effects if e.name in effects) / len(people)


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS)
def test_every_scenario_fits_its_protocol(tmp_path: Path, name: str, scenario: str) -> None:
    protocol, truth = read(tmp_path, name, scenario)
    assert truth.scenario == scenario
    assert truth.notes
    carried = {effect.name for run in make_plan(protocol, truth, 1).runs for effect in run.effects}
    assert carried == set(truth.effects)
    for question, expected in truth.expected.items():
        item = protocol.questions.get(question)
        assert expected.verdict is None or (item is not None and item.blockade is not None)


@pytest.mark.parametrize("full", [False, True])
def test_seed_is_of_the_atlas_where_it_is_at_hand_and_the_notes_say_which(
    tmp_path: Path, full: bool
) -> None:
    for with_atlas, kind in ((True, JulichRegion), (False, SphereRegion)):
        settings = demo_settings("weigner2025", full=full, seed=1, with_atlas=with_atlas)
        path = tmp_path / "trial.yaml"
        path.write_text(demo_text("weigner2025", settings), encoding="utf-8")
        protocol = read_protocol(path)
        assert isinstance(protocol.regions["pgACC"], kind)
        assert {region.space for region in protocol.regions.values()} == {protocol.space}
        assert ("was not at hand" in (protocol.notes or "")) == (not with_atlas)


def test_folder_without_the_atlas_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no Julich-Brain") as raised:
        simulate_demo("weigner2025", tmp_path / "demo", atlas_dirs=(tmp_path,))
    assert str(tmp_path) in str(raised.value)
    assert not (tmp_path / "demo").exists()


def write_demo(folder: Path, name: str, scenario: str) -> None:
    folder.mkdir()
    for file, text in (
        ("trial.yaml", demo_text(name, SETTINGS[name])),
        ("truth.yaml", truth_text(name, SETTINGS[name], scenario)),
    ):
        (folder / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS)
def test_an_earlier_demo_is_known_by_what_it_wrote(
    tmp_path: Path, name: str, scenario: str
) -> None:
    folder = tmp_path / "demo"
    refuse_foreign_demo(folder)
    write_demo(folder, name, scenario)
    refuse_foreign_demo(folder)  # stopped before the first run
    (folder / "drawn.json").write_text("{}")
    (folder / "bids").mkdir()
    (folder / "bids" / "dataset_description.json").write_text('{"Simulated": true}')
    refuse_foreign_demo(folder)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("trial.yaml", "phmri: 1\ntitle: A trial of our own\n"),
        ("truth.yaml", "# Ours, SIMULATED for planning\nphmri_truth: 1\n"),
        ("bids/dataset_description.json", '{"Name": "a real study"}'),
    ],
)
def test_a_demo_overwrites_nothing_of_a_lab(
    tmp_path: Path, file: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lab"
    write_demo(folder, "weigner2025", "published")
    (folder / "drawn.json").write_text("{}")
    (folder / "bids").mkdir()
    (folder / "bids" / "dataset_description.json").write_text('{"Simulated": true}')
    (folder / file).write_text(text, encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["demo", "weigner2025", str(folder)]) == 1
    assert "found trial.yaml, truth.yaml, bids" in " ".join(capsys.readouterr().err.split())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", DEMOS)
def test_null_plants_nothing(tmp_path: Path, name: str) -> None:
    _, truth = read(tmp_path, name, "null")
    assert not truth.effects
    assert not truth.motion.by_treatment
    assert not any(item.planted or item.verdict for item in truth.expected.values())
    for scale in truth.scales.values():
        assert len(set(scale.mean.values())) == 1
        assert not scale.follows


def test_shares_after_lamotrigine(tmp_path: Path) -> None:
    shares = {"published": 0.0, "half_blocked": 0.3, "not_blocked": 1.0}
    words = {
        "published": "blocked",
        "half_blocked": "partly blocked",
        "not_blocked": "not blocked",
    }
    for scenario, share in shares.items():
        _, truth = read(tmp_path, "weigner2025", scenario)
        for effect in truth.effects.values():
            assert effect.treatments.get("lamotrigine_ketamine", 0.0) == share
        assert truth.expected["wm_dmpfc_blockade"].verdict == words[scenario]
        assert bool(truth.expected["wm_dmpfc_blockade"].planted) is (share < 1)


def test_half_an_effect_is_larger_than_its_margin() -> None:
    for full in (False, True):
        half = demo_settings("weigner2025", full=full, seed=1, scenario="half_blocked")
        whole = demo_settings("weigner2025", full=full, seed=1)
        assert half["margin"] < 0.5 * whole["margin"]
        assert {key for key in half if half[key] != whole[key]} == {"margin"}


def test_lamotrigines_own_effect_looks_like_a_blockade(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "weigner2025", "lamotrigine_alone")
    own = ("lamotrigine_dmpfc", "lamotrigine_dmpfc_load")
    ketamine = ("wm_dmpfc", "wm_dmpfc_load")
    for name in ketamine:
        assert plan.truth.effects[name].treatments["lamotrigine_ketamine"] == 1
    assert net_size(plan, "ketamine", "infusion", *ketamine, *own) == pytest.approx(2.4, abs=0.3)
    both = net_size(plan, "lamotrigine_ketamine", "infusion", *ketamine, *own)
    assert both == pytest.approx(0.0, abs=0.3)
    assert plan.truth.expected["wm_dmpfc_blockade"].verdict == "blocked"
    assert "no arm of lamotrigine without ketamine" in str(plan.truth.notes)


def test_lamotrigine_still_acts_the_day_after(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "weigner2025", "present_after_24h")
    late = ("late_dmpfc", "lamotrigine_late_dmpfc")
    assert net_size(plan, "ketamine", "followup", *late) == pytest.approx(1.2, abs=0.2)
    left = net_size(plan, "lamotrigine_ketamine", "followup", *late)
    assert left == pytest.approx(0.4 * 1.2, abs=0.2)
    assert net_size(plan, "ketamine", "infusion", *late) == 0
    assert plan.truth.expected["wm_day_after"].planted == ("late_dmpfc",)


def test_switches_of_the_infusion_study(tmp_path: Path) -> None:
    _, published = read(tmp_path, "deakin2008", "published")
    _, rising = read(tmp_path, "deakin2008", "subgenual_rises")
    assert published.effects["sgacc"].percent == -rising.effects["sgacc"].percent < 0
    assert set(rising.effects) == set(published.effects)
    _, confounded = read(tmp_path, "deakin2008", "confounded")
    kinds = {effect.kind for effect in confounded.effects.values()}
    assert kinds == {"physiology", "movement"}
    assert not any(item.planted for item in confounded.expected.values())
    assert set(confounded.motion.by_treatment) == {
        "ketamine", "placebo_ketamine", "lamotrigine_ketamine"
    }  # fmt: skip


def test_an_unknown_scenario_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="confounded") as caught:
        simulate_demo("deakin2008", tmp_path / "demo", scenario="half_blocked", seed=-1)
    assert {problem.found for problem in caught.value.problems} == {"half_blocked", "-1"}
    assert not (tmp_path / "demo").exists()


def test_help_describes_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_parser().parse_args(["demo", "weigner2025", "d"]).scenario == "published"
    with pytest.raises(SystemExit):
        make_parser().parse_args(["demo", "--help"])
    text = capsys.readouterr().out
    for name in DEMOS:
        listed = text.split(f"scenarios of {name}:\n")[1].split("\n\n")[0].splitlines()
        words = [line.split()[0] for line in listed if not line.startswith(" " * 10)]
        assert tuple(words) == list_scenarios(name)
