"""The one command on a tiny trial: answers, resume, workers, interrupt, and other designs."""

import html
import json
import os
import re
import shutil
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

from phmri.cli import main
from tests.e2e.conftest import Trial

EVERY_SUBJECT = 6
RUNS_EACH = 6
N_QUESTIONS = 6


def _files(out: Path) -> dict[str, bytes]:
    """Read every result but the log and the report, without when and where it was written."""
    return {
        str(path.relative_to(out)): re.sub(
            rb'"mtime_ns": \d+', b"", path.read_bytes().replace(bytes(out), b"OUT")
        )
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix not in {".jsonl", ".html"}
    }


def _phmri(*words: str) -> list[str]:
    """Word a call as a process of its own: workers start by importing the main module."""
    return [str(Path(sys.executable).parent / "phmri"), *words]


@pytest.fixture(scope="module")
def finished_root(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "trial"
    shutil.copytree(pristine, root)
    words = ["run", str(root / "bids"), str(root / "out"), "all", "--n-workers", "1"]
    assert main([*words, "--protocol", str(root / "trial.yaml")]) == 0
    return root


@pytest.fixture
def finished(finished_root: Path, capsys: pytest.CaptureFixture[str]) -> Trial:
    """Give the finished trial, to be read; tests that change a trial measure their own."""
    return Trial(root=finished_root, capture=capsys)


@pytest.fixture
def measured(trial: Trial) -> Trial:
    code, printed = trial.run("participant")
    assert code == 0, printed
    return trial


def test_all_leaves_maps_claims_and_a_report(finished: Trial) -> None:
    maps = list(finished.out.glob("sub-*/ses-*/func/*stat-z_statmap.nii.gz"))
    assert len(maps) == EVERY_SUBJECT * RUNS_EACH
    claims = sorted(finished.out.glob("group/*/claim.json"))
    assert len(claims) == N_QUESTIONS
    page = (finished.out / "report" / "index.html").read_text()
    assert "SIMULATED" in page
    for path in claims:
        claim = json.loads(path.read_text())["claim"]
        assert claim["verdict"] in {"found", "not found"}
        assert 0 < min(peak["pvalue_corrected"] for peak in claim["peaks"]) <= 1
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


def test_methods_say_what_was_measured_and_left_out(finished: Trial) -> None:
    page = (finished.out / "report" / "index.html").read_text()
    words = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert "Measure 'pgacc_nback': Fisher z [" in words
    assert "cleaned mean series of pgACC with that of every voxel" in words
    assert "mean framewise displacement above 0.5 mm" in words
    assert "of a seed; 0 were." in words
    assert "Frequency distribution of the values of the correlation coefficient" in words


def test_second_run_keeps_every_step(finished: Trial) -> None:
    before = _files(finished.out)
    code, printed = finished.run("all")
    assert code == 0
    assert f"{EVERY_SUBJECT * RUNS_EACH + N_QUESTIONS} kept" in printed
    assert _files(finished.out) == before


def test_a_moved_trial_is_kept(
    finished_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(finished_root, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert main(["run", "bids", "out", "all", "--protocol", "trial.yaml"]) == 0
    assert f"{EVERY_SUBJECT * RUNS_EACH + N_QUESTIONS} kept" in " ".join(
        capsys.readouterr().out.split()
    )


def test_neither_workers_nor_the_order_of_levels_change_a_result(finished: Trial) -> None:
    other = finished.root / "other"
    for level in ("participant", "group"):
        words = ("run", str(finished.bids), str(other), level, "--n-workers", "2")
        subprocess.run(
            _phmri(*words, "--protocol", str(finished.protocol)), check=True, capture_output=True
        )
    assert _files(other) == _files(finished.out)


def test_changed_run_alone_is_measured_again(measured: Trial) -> None:
    image = nib.load(measured.bold())
    data = np.asarray(image.dataobj, dtype=np.float32)
    data[..., 5] *= 1.01
    nib.save(nib.Nifti1Image(data, image.affine, image.header), measured.bold())
    code, printed = measured.run("participant")
    assert code == 0
    assert f"1 steps done, {EVERY_SUBJECT * RUNS_EACH - 1} kept" in printed


def test_changed_question_leaves_first_levels_alone(measured: Trial) -> None:
    measured.edit_protocol("n_permutations: 1000", "n_permutations: 500")
    code, printed = measured.run("participant")
    assert code == 0
    assert f"0 steps done, {EVERY_SUBJECT * RUNS_EACH} kept" in printed


def test_changed_denoising_measures_its_runs_again(measured: Trial) -> None:
    measured.edit_protocol("highpass_hz: 0.008\n    smoothing_fwhm_mm: 6\n    task", "task")
    code, printed = measured.run("participant")
    assert code == 0
    assert f"{EVERY_SUBJECT * 3} steps done, {EVERY_SUBJECT * 3} kept" in printed


def test_touched_but_equal_file_is_kept(measured: Trial) -> None:
    os.utime(measured.bold(), (1, 1))
    code, printed = measured.run("participant")
    assert code == 0
    assert f"0 steps done, {EVERY_SUBJECT * RUNS_EACH} kept" in printed


def test_interrupt_keeps_what_is_finished(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(n_subjects=9, n_volumes=200)
    words = ("run", str(trial.bids), str(trial.out), "participant", "--n-workers", "2")
    process = subprocess.Popen(
        _phmri(*words, "--protocol", str(trial.protocol)),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
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
    assert 0 < finished < 9 * RUNS_EACH
    assert trial.leftovers() == []
    code, printed = trial.run("participant")
    assert code == 0
    assert f"{9 * RUNS_EACH - finished} steps done, {finished} kept" in printed


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


def test_choice_of_participants_measures_these_and_no_others(trial: Trial) -> None:
    code, printed = trial.run("participant", "--participant-label", "01", "sub-02")
    assert code == 0, printed
    assert sorted(path.name for path in trial.out.glob("sub-*")) == ["sub-01", "sub-02"]


def test_group_level_refuses_a_choice_of_participants(trial: Trial) -> None:
    code, printed = trial.run("all", "--participant-label", "01")
    assert code == 2
    assert "exclusions.participants" in printed


def test_damaged_results_are_made_again(measured: Trial) -> None:
    maps = sorted(measured.out.glob("sub-01/*/func/*statmap.nii.gz"))
    before = maps[0].read_bytes()
    maps[0].write_bytes(b"")
    manifest = next(measured.out.glob("sub-02/ses-baseline/func/*nback*run.json"))
    manifest.write_text("{")
    code, printed = measured.run("participant")
    assert code == 0, printed
    assert f"2 steps done, {EVERY_SUBJECT * RUNS_EACH - 2} kept" in printed
    assert maps[0].read_bytes() == before


def test_zero_volumes_are_refused(trial: Trial) -> None:
    image = nib.load(trial.bold())
    data = np.asarray(image.dataobj, dtype=np.float32)
    data[..., -2:] = 0
    nib.save(nib.Nifti1Image(data, image.affine, image.header), trial.bold())
    code, printed = trial.run("participant")
    assert code == 1
    assert "2 of 40, the first is volume 38" in printed


def test_too_few_degrees_of_freedom_exclude_the_run_and_say_so(trial: Trial) -> None:
    trial.edit_protocol("task: remove", "task: remove\n    min_df: 39")
    code, printed = trial.run("participant")
    assert code == 0, printed
    assert f"{EVERY_SUBJECT * 3} runs excluded" in printed
    manifest = next(trial.out.glob("sub-01/ses-baseline/func/*nback*run.json"))
    assert "degrees of freedom" in json.loads(manifest.read_text())["excluded"]
