"""The one command on a tiny trial: answers, resume, workers, interrupt, and other designs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import Trial

EVERY_SUBJECT = 6
RUNS_EACH = 6


def _files(root: Path) -> dict[str, bytes]:
    """Read every result but the log and the report; leave out when a file was written."""
    return {
        str(path.relative_to(root)): re.sub(rb'"mtime_ns": \d+', b"", path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in {".jsonl", ".html"}
    }


@pytest.fixture
def finished(trial: Trial) -> Trial:
    code, printed = trial.run("all")
    assert code == 0, printed
    return trial


def test_all_leaves_maps_claims_and_a_report(finished: Trial) -> None:
    maps = list(finished.out.glob("sub-*/ses-*/func/*stat-z_statmap.nii.gz"))
    assert len(maps) == EVERY_SUBJECT * RUNS_EACH
    claims = sorted(finished.out.glob("group/*/claim.json"))
    assert len(claims) == 6
    page = (finished.out / "report" / "index.html").read_text()
    assert "SIMULATED" in page
    for path in claims:
        claim = json.loads(path.read_text())["claim"]
        assert claim["verdict"] in {"found", "not found"}
        assert 0 < min(peak["pvalue_fwe"] for peak in claim["peaks"]) <= 1
    description = json.loads((finished.out / "dataset_description.json").read_text())
    assert description["Simulated"] is True
    assert len(description["ProtocolSHA256"]) == 64


def test_sidecar_says_how_the_map_was_made(finished: Trial) -> None:
    path = next(finished.out.glob("sub-01/ses-infusion/func/*nback*statmap.json"))
    sidecar = json.loads(path.read_text())
    assert sidecar["Units"] == "Fisher z"
    np.testing.assert_allclose(sidecar["Variance"], 1 / (sidecar["DegreesOfFreedom"] - 2))
    assert "trans_x" in sidecar["Regressors"]
    assert len(sidecar["Sources"]) >= 3


def test_second_run_keeps_every_step(finished: Trial) -> None:
    before = _files(finished.out)
    code, printed = finished.run("all")
    assert code == 0
    assert f"{EVERY_SUBJECT * RUNS_EACH + 6} kept" in printed
    assert _files(finished.out) == before


def test_changed_run_alone_is_measured_again(finished: Trial) -> None:
    image = nib.load(finished.bold())
    data = np.asarray(image.dataobj, dtype=np.float32)
    data[..., 5] *= 1.01
    nib.save(nib.Nifti1Image(data, image.affine, image.header), finished.bold())
    code, printed = finished.run("participant")
    assert code == 0
    assert f"1 steps done, {EVERY_SUBJECT * RUNS_EACH - 1} kept" in printed


def test_changed_question_leaves_first_levels_alone(finished: Trial) -> None:
    finished.edit_protocol("n_permutations: 1000", "n_permutations: 500")
    code, printed = finished.run("all")
    assert code == 0
    assert f"{EVERY_SUBJECT * RUNS_EACH} kept" in printed


def test_touched_but_equal_file_is_kept(finished: Trial) -> None:
    os.utime(finished.bold(), (1, 1))
    code, printed = finished.run("participant")
    assert code == 0
    assert f"0 steps done, {EVERY_SUBJECT * RUNS_EACH} kept" in printed


def test_results_do_not_depend_on_the_number_of_workers(finished: Trial) -> None:
    one = _files(finished.out)
    other = finished.root / "out"
    finished.out.rename(finished.root / "one_worker")
    # A process of its own: workers start by importing the main module.
    subprocess.run(
        [
            str(Path(sys.executable).parent / "phmri"),
            "run",
            str(finished.bids),
            str(other),
            "all",
            "--protocol",
            str(finished.protocol),
            "--n-workers",
            "2",
        ],
        check=True,
        capture_output=True,
    )
    assert _files(other) == one


def test_interrupt_keeps_what_is_finished(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(n_subjects=9, n_volumes=200)
    command = [
        str(Path(sys.executable).parent / "phmri"),
        "run",
        str(trial.bids),
        str(trial.out),
        "participant",
        "--protocol",
        str(trial.protocol),
        "--n-workers",
        "2",
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(trial.out.glob("sub-*/ses-*/func/*run.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    printed = "".join(process.communicate(timeout=60))
    finished = len(list(trial.out.glob("sub-*/ses-*/func/*run.json")))
    assert process.returncode == 130, printed
    assert "Interrupted" in printed
    assert "Traceback" not in printed
    assert 0 < finished
    assert trial.leftovers() == []
    code, printed = trial.run("participant")
    assert code == 0
    assert f"{9 * RUNS_EACH} kept" not in printed


def test_participant_then_group_equals_all(finished: Trial) -> None:
    whole = _files(finished.out)
    finished.out.rename(finished.root / "whole")
    for level in ("participant", "group"):
        code, printed = finished.run(level)
        assert code == 0, printed
    assert _files(finished.out) == whole


def test_group_without_first_levels_is_refused(trial: Trial) -> None:
    code, printed = trial.run("group")
    assert code == 1
    assert "not measured" in printed


def test_check_prints_the_table(trial: Trial) -> None:
    code, printed = trial.check()
    assert code == 0
    assert "sub-06" in printed
    assert "nback_acute" in printed


def test_check_fails_when_a_primary_question_cannot_be_answered(trial: Trial) -> None:
    table = pd.read_csv(trial.bids / "participants.tsv", sep="\t")
    for subject in table.loc[table["arm"] == "placebo", "participant_id"]:
        trial.bold(subject=subject.removeprefix("sub-")).unlink()
    code, printed = trial.check()
    assert code == 1
    assert "missing" in printed


def test_new_writes_a_protocol_and_never_over_one(trial: Trial) -> None:
    folder = trial.root / "mine"
    assert trial.call("new", "weigner2025", str(folder))[0] == 0
    before = (folder / "trial.yaml").read_bytes()
    code, printed = trial.call("new", "deakin2008", str(folder))
    assert code == 1
    assert "trial.yaml" in printed
    assert (folder / "trial.yaml").read_bytes() == before


@pytest.mark.parametrize("words", [("run",), ("run", "a", "b", "everything"), ("nonsense",)])
def test_misuse_is_exit_code_two(trial: Trial, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        trial.call(*words)
    assert caught.value.code == 2


def test_unused_protocol_values_are_refused_by_line(trial: Trial) -> None:
    trial.edit_protocol("seed: 20250", "seed: often")
    code, printed = trial.run()
    assert code == 2
    line = trial.protocol.read_text().splitlines().index("  seed: often") + 1
    assert f"trial.yaml:{line}" in printed
