"""What the report is told of runs, and of the values and peaks of an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import read_table, write_table
from phmri.pipeline._answers import _read
from phmri.pipeline._manifest import CleaningManifest
from phmri.pipeline._report import _run_content
from tests.unit.pipeline.measured_trial import ARMS, N_VOXELS, make_trial, parallel


def cleaned(df: float, n_censored: int) -> CleaningManifest:
    return CleaningManifest(
        df=df, n_kept=60, n_censored=n_censored, n_steady=0, regressors=(), sentences=()
    )


def test_df_left_is_that_of_the_measures_own_denoising(tmp_path: Path) -> None:
    trial = make_trial(tmp_path)
    key, run = next(iter(trial.inputs.runs.items()))
    cleaning = {"motion": cleaned(53.0, 2), "gsr": cleaned(31.0, 7)}
    runs = {key: replace(run, manifest=replace(run.manifest, cleaning=cleaning))}
    protocol, cell = trial.inputs.protocol, trial.inputs.check.cells[0]
    assert {item.denoising for item in protocol.measures.values()} == {"motion"}
    assert {name for item in protocol.measures.values() for name in item.sensitivity} == {"gsr"}

    content = _run_content(protocol, cell, runs)

    assert (content.df, content.n_censored) == (53.0, 2)


def test_answers_know_whose_values_they_use_and_the_df_of_peaks(tmp_path: Path) -> None:
    lost = {("03", "day"): "moved"}
    trial = make_trial(tmp_path, parallel(), ARMS, excluded=lost)
    rng = np.random.default_rng(5)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))

    content = trial.answer().content

    assert content.used == {(subject, "day") for subject in ARMS if subject != "03"}
    assert content.used < set(content.values)
    assert len(content.peak_df) == len(content.claim.peaks)
    assert set(content.peak_df) == {content.claim.df} == {7.0}


def test_an_answer_of_an_earlier_version_has_no_df_of_peaks(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, parallel(), ARMS)
    rng = np.random.default_rng(5)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
    trial.answer()
    (path,) = tmp_path.glob("group/*/*_peaks.tsv")
    table = read_table(path, text_columns=("name",))
    assert table["df"].tolist() == pytest.approx([8.0] * len(table))
    write_table(path, table.drop(columns="df"), {})

    assert _read(path.parent, kept=True).content.peak_df == ()
