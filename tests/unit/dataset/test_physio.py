"""Recordings of pulse and breathing: their files, their sidecars, which run they belong to."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import index_dataset, physio_sidecars, read_physio
from phmri.exceptions import DatasetError

SIDECAR = {"SamplingFrequency": 4, "StartTime": -0.5, "Columns": ["cardiac", "respiratory"]}


def write_recording(folder: Path, rows, sidecar=SIDECAR, *, stem="sub-01_task-rest_physio"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.tsv.gz"
    text = "\n".join("\t".join(map(str, row)) for row in rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    if sidecar is not None:
        (folder / f"{stem}.json").write_text(json.dumps(sidecar))
    return path


def test_a_recording_is_read(tmp_path):
    physio = read_physio(write_recording(tmp_path, [(1, 5), (2.5, 6), (-3e1, 7)]))
    np.testing.assert_array_equal(physio.times_s, [-0.5, -0.25, 0.0])
    np.testing.assert_array_equal(physio.cardiac, [1.0, 2.5, -30.0])
    np.testing.assert_array_equal(physio.respiratory, [5.0, 6.0, 7.0])
    assert physio.trigger is None
    assert (physio.sampling_hz, physio.start_s) == (4.0, -0.5)


def test_other_columns_are_left_out_and_may_have_gaps(tmp_path):
    sidecar = SIDECAR | {"Columns": ["respiratory", "oxygen", "trigger"]}
    physio = read_physio(write_recording(tmp_path, [(1, "n/a", 0), (2, 97, 1)], sidecar))
    assert physio.cardiac is None
    np.testing.assert_array_equal(physio.respiratory, [1.0, 2.0])
    np.testing.assert_array_equal(physio.trigger, [0.0, 1.0])


def test_sidecars_are_inherited_and_the_nearest_wins(tmp_path):
    folder = tmp_path / "sub-01" / "ses-a" / "func"
    path = write_recording(folder, [(1, 2)], None, stem="sub-01_ses-a_task-rest_physio")
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(SIDECAR))
    (tmp_path / "task-nback_physio.json").write_text('{"SamplingFrequency": 999}')
    near = tmp_path / "sub-01" / "sub-01_task-rest_physio.json"
    near.write_text('{"SamplingFrequency": 50}')
    assert read_physio(path).sampling_hz == 50.0


def test_every_sidecar_that_applies_is_an_input_of_the_recording(tmp_path):
    path = write_recording(tmp_path / "sub-01" / "func", [(1.0, 2.0, 0.0)] * 3)
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(SIDECAR))
    (tmp_path / "task-nback_physio.json").write_text("{}")
    found = [sidecar.relative_to(tmp_path).as_posix() for sidecar in physio_sidecars(path)]
    assert found == ["task-rest_physio.json", "sub-01/func/sub-01_task-rest_physio.json"]


def test_no_sidecar(tmp_path):
    path = write_recording(tmp_path, [(1, 2)], None)
    with pytest.raises(DatasetError, match="no sidecar") as caught:
        read_physio(path)
    assert "sub-01_task-rest_physio.json" in caught.value.problems[0].expected


def test_every_wrong_key_is_told_at_once(tmp_path):
    path = write_recording(
        tmp_path, [(1, 2)], {"SamplingFrequency": 0, "Columns": ["trigger", "x"]}
    )
    with pytest.raises(DatasetError) as caught:
        read_physio(path)
    assert [p.field for p in caught.value.problems] == [
        "SamplingFrequency",
        "StartTime",
        "Columns",
    ]


@pytest.mark.parametrize("columns", ["cardiac", [], ["cardiac", 3], ["cardiac", "cardiac"]])
def test_columns_must_be_names(tmp_path, columns):
    path = write_recording(tmp_path, [(1, 2)], SIDECAR | {"Columns": columns})
    with pytest.raises(DatasetError, match="Columns"):
        read_physio(path)


def test_another_number_of_columns(tmp_path):
    with pytest.raises(DatasetError, match="another number of columns") as caught:
        read_physio(write_recording(tmp_path, [(1, 2, 3), (1, 2, 3)]))
    assert len(caught.value.problems) == 1
    with pytest.raises(DatasetError) as caught:
        read_physio(write_recording(tmp_path, [(1, 2), (1,), (1, 2)]))
    assert [p.line for p in caught.value.problems] == [2]


def test_missing_samples_are_refused_in_every_column(tmp_path):
    with pytest.raises(DatasetError, match="missing or not finite") as caught:
        read_physio(write_recording(tmp_path, [(1, 2), ("n/a", 2), ("n/a", "inf")]))
    assert [(p.field, p.line) for p in caught.value.problems] == [
        ("cardiac", 2),
        ("respiratory", 3),
    ]
    assert caught.value.problems[0].found.startswith("2 of 3")


def test_a_line_of_names_is_no_sample(tmp_path):
    with pytest.raises(DatasetError, match="not a number") as caught:
        read_physio(write_recording(tmp_path, [("cardiac", "respiratory"), (1, 2)]))
    assert caught.value.problems[0].line == 1


@pytest.mark.parametrize("keep", [0, 10, 30])
def test_damaged_files(tmp_path, keep):
    rng = np.random.default_rng(0)
    path = write_recording(tmp_path, rng.standard_normal((50, 2)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"damaged|empty"):
        read_physio(path)
    path.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        read_physio(path)


def test_the_index_finds_the_recordings_of_a_run(trial):
    folder = trial.events("01", "infusion").parent
    stem = "sub-01_ses-infusion_task-nback"
    for middle in ("_recording-cardiac", "_recording-respiratory", "_recording-eye"):
        write_recording(folder, [(1, 2)], stem=f"{stem}{middle}_physio")
    write_recording(folder, [(1, 2)], stem=f"{stem}_run-2_physio")
    write_recording(folder, [(1, 2)], stem="sub-01_ses-infusion_task-rest_physio")
    runs = {(run.subject, run.session): run for run in index_dataset(trial.root).runs}
    assert [path.name for path in runs["01", "infusion"].physio] == [
        f"{stem}_recording-cardiac_physio.tsv.gz",
        f"{stem}_recording-respiratory_physio.tsv.gz",
    ]
    assert runs["01", "baseline"].physio == ()
