"""`phmri simulate`, and what an analysis of its data says of what was planted."""

import csv
import json
import subprocess
from pathlib import Path

import bids_validator_deno
import pytest
from deno import find_deno_bin

from phmri.cli import main
from phmri.pipeline import run
from phmri.protocol import write_template
from phmri.report import write_recovered_page
from phmri.simulation import compare, make_small_tree, simulate, write_recovered
from phmri.simulation._demo import demo_text

TRUTH = """
phmri_truth: 1
voxel_mm: 6
scans:
  rest: {n_volumes: 24, t_r: 2.0}
  nback: {n_volumes: 24, t_r: 2.0, conditions: {0back: 0.4, 2back: 1.0}}
regions: {pgACC: {}, left_insula: {}}
effects:
  link: {kind: coupling, scan: rest, treatments: {ketamine: 1}, seed: pgACC, target: left_insula,
    gain: 1.0, own_map: 0.5}
"""


IN_TABLES = """\
regions:
  seed: {kind: series, columns: [parcel0001]}
  target: {kind: series, columns: [parcel0002]}
  other: {kind: series, columns: [parcel0003]}
measures:
  edges: {kind: roi_to_roi, scan: rest, regions: [seed, target, other], denoising: none}
questions:
  link:
    text: Coupled
    role: primary
    measure: edges
    contrast: [drug, placebo]
    where: {at: seed~target}
    estimator: crossover
  elsewhere:
    text: Coupled
    role: secondary
    measure: edges
    contrast: [drug, placebo]
    where: {at: seed~other}
    estimator: crossover
"""
TRUTH_OF_TABLES = """
phmri_truth: 1
tables: {columns: 6}
participants: {drug_first: 6, placebo_first: 6}
scans: {rest: {n_volumes: 150, t_r: 2.0}}
regions: {seed: {}, target: {}}
effects:
  link: {kind: coupling, scan: rest, treatments: {drug: 1}, seed: seed, target: target, gain: 1.5}
"""


def bids_errors(folder: Path) -> list[dict[str, str]]:
    """Ask the BIDS validator, which may read but not reach out."""
    bundle = Path(bids_validator_deno.__file__).with_name("bids-validator.js")
    command = [find_deno_bin(), "--allow-read", "--allow-env", bundle, folder, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    told = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in told if issue["severity"] == "error"]


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "trial.yaml"
    arms = {"n_placebo": 1, "n_ketamine": 1, "n_lamotrigine_ketamine": 1, "n_per_arm": 1}
    others = {"seed": 1, "min_volumes": 20, "strategy": "6motion_wmcsf", "n_permutations": 100}
    text = demo_text("small", arms | others | {"space": "MNI152NLin2009aSym"})
    path.write_text(text.replace('resolution: "2"', 'resolution: "6"'), encoding="utf-8")
    return path


def test_simulate_writes_a_tree_that_check_reads(
    protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "planted.yaml"
    truth.write_text(TRUTH, encoding="utf-8")
    words = ["simulate", str(protocol), str(tmp_path / "sim"), "--truth", str(truth)]
    assert main([*words, "--seed", "7", "--n-workers", "2"]) == 0
    assert "SIMULATED" in capsys.readouterr().out
    drawn = json.loads((tmp_path / "sim" / "drawn.json").read_text(encoding="utf-8"))
    assert len(drawn["SizeOfEffects"]["link"]) == 1
    assert main(["check", str(protocol), str(tmp_path / "sim" / "bids")]) == 1  # one person an arm
    told = capsys.readouterr().out
    assert told.count("ok") == 18
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*_bold.nii.gz")}
    assert main([*words, "--seed", "7"]) == 0
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_two_participants_pass_the_bids_validator(protocol: Path, tmp_path: Path) -> None:
    truth = tmp_path / "planted.yaml"
    truth.write_text(f"{TRUTH}participants: {{placebo: 1, ketamine: 1}}", encoding="utf-8")
    tree = simulate(protocol, tmp_path / "sim", truth_path=truth, seed=7)
    assert len(list(tree.bids_dir.glob("sub-*"))) == 2
    assert bids_errors(tree.bids_dir) == bids_errors(tree.derivatives) == []
    (tree.bids_dir / "sub-01" / "notes.txt").write_text("not BIDS", encoding="utf-8")
    assert [error["code"] for error in bids_errors(tree.bids_dir)] == ["NOT_INCLUDED"]


def test_a_wrong_truth_is_one_clear_error_and_nothing_is_written(
    protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = tmp_path / "planted.yaml"
    text = TRUTH.replace("target: left_insula", "target: insula").replace("ketamine: 1}", "K: 1}")
    truth.write_text(text, encoding="utf-8")
    words = ["simulate", str(protocol), str(tmp_path / "sim"), "--truth", str(truth)]
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert "planted.yaml" in printed
    assert "insula" in printed
    assert "effects.link.treatments.K" in printed
    assert not (tmp_path / "sim").exists()


def test_what_was_planted_in_tables_is_found_there(tmp_path: Path) -> None:
    protocol = write_template("timeseries_crossover", tmp_path)
    text = protocol.read_text(encoding="utf-8")
    text = text[: text.index("measures:")] + IN_TABLES
    protocol.write_text(text, encoding="utf-8")
    truth = tmp_path / "planted.yaml"
    truth.write_text(TRUTH_OF_TABLES, encoding="utf-8")
    tree = simulate(protocol, tmp_path / "sim", truth_path=truth, seed=5)
    assert bids_errors(tree.bids_dir) == bids_errors(tree.derivatives) == []
    summary = run(tree.bids_dir, tmp_path / "out", "all", protocol)
    found = {claim.question: claim for claim in summary.claims}
    assert found["link"].verdict == "found"
    assert found["link"].peaks[0].effect > 0.2
    assert found["elsewhere"].verdict == "not found"


def test_what_was_planted_is_found_and_nothing_else(tmp_path: Path) -> None:
    trial = make_small_tree(tmp_path, n_subjects=24, n_volumes=60)
    summary = run(trial.bids_dir, tmp_path / "out", "all", trial.protocol)
    rows = compare(trial, summary.claims, summary.associations, summary.blockades)
    answers = {row.question: row for row in rows}
    assert answers["dmpfc_acute"].right
    assert answers["dmpfc_acute"].planted == ("wm_dmpfc",)
    assert answers["nback_acute"].verdict == "found"
    assert answers["nback_acute"].missed == ()
    assert answers["insula_rest_acute"].planted == ()
    assert answers["insula_rest_acute"].right
    path = write_recovered(rows, tmp_path / "recovered.tsv")
    with path.open(encoding="utf-8") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert [row["question"] for row in table] == [claim.question for claim in summary.claims]
    assert {row["right"] for row in table} <= {"yes", "no"}
    page = write_recovered_page(
        rows, tmp_path / "recovered.html", title="SIMULATED", notes=["a < b"], report="out"
    )
    assert "<p>a &lt; b</p>" in page.read_text(encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    n_right = sum(row.right for row in rows)
    assert f"{n_right} of 6 answers are what was planted" in text
    assert "SIMULATED DATA" in text
