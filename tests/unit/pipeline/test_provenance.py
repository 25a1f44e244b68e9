"""Which finished steps are kept."""

import json
import os
from pathlib import Path

import pytest

from phmri.pipeline._provenance import FileRecord, StepLog, hash_parameters, is_current


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_text("content")
    return path


@pytest.fixture
def output(tmp_path: Path) -> FileRecord:
    path = tmp_path / "out.txt"
    path.write_text("result")
    return FileRecord.of(path)


def _is_current(source: Path, output: FileRecord, record: FileRecord, key: str = "k") -> bool:
    return is_current(
        key,
        [source],
        finished_key="k",
        sources=[record],
        outputs=[output],
        folder=Path(output.path).parent,
    )


def test_nothing_changed(source: Path, output: FileRecord) -> None:
    assert _is_current(source, output, FileRecord.of(source))


def test_other_key(source: Path, output: FileRecord) -> None:
    assert not _is_current(source, output, FileRecord.of(source), key="other")


def test_output_is_gone(source: Path, output: FileRecord) -> None:
    record = FileRecord.of(source)
    Path(output.path).unlink()
    assert not _is_current(source, output, record)


def test_output_is_cut_short(source: Path, output: FileRecord) -> None:
    record = FileRecord.of(source)
    Path(output.path).write_text("res")
    assert not _is_current(source, output, record)


def test_source_is_gone(source: Path, output: FileRecord) -> None:
    record = FileRecord.of(source)
    source.unlink()
    assert not _is_current(source, output, record)


def test_same_size_other_content(source: Path, output: FileRecord) -> None:
    record = FileRecord.of(source)
    source.write_text("CONTENT")
    os.utime(source, ns=(1, record.mtime_ns + 1))
    assert not _is_current(source, output, record)


def test_touched_with_the_same_content(source: Path, output: FileRecord) -> None:
    record = FileRecord.of(source)
    os.utime(source, ns=(1, 1))
    assert _is_current(source, output, record)


def test_another_source(source: Path, output: FileRecord, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("content")
    assert not _is_current(other, output, FileRecord.of(source))


def test_all_was_moved(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    names = ("bold.nii", "mask.nii", "out.txt")
    for name in names:
        (old / name).write_text(name)
    sources = [FileRecord.of(old / name) for name in (*names[:2], names[0])]  # one named twice
    outputs = [FileRecord.of(old / names[2])]
    old.rename(new)

    def moved(*inputs: str) -> bool:
        paths = [new / name for name in inputs]
        return is_current(
            "k", paths, finished_key="k", sources=sources, outputs=outputs, folder=new
        )

    assert moved("mask.nii", "bold.nii")
    assert not moved("bold.nii")
    assert not moved("mask.nii", "bold.nii", "out.txt")
    (new / "out.txt").write_text("other")
    assert not moved("mask.nii", "bold.nii")


def test_files_of_one_name_are_told_by_their_folders(tmp_path: Path) -> None:
    paths = [tmp_path / place / "bold.nii" for place in ("a", "b", "c")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)

    def current(then: list[Path], now: list[Path]) -> bool:
        sources = [FileRecord.of(path) for path in then]
        return is_current("k", now, finished_key="k", sources=sources, outputs=[], folder=tmp_path)

    assert current(paths[:2], paths[:2])
    assert not current(paths[:2], paths[1:])
    assert not current(paths[:1], paths[1:2])  # of the same name, but not the same


def test_parameters_hash_by_value_and_not_by_order() -> None:
    assert hash_parameters({"a": 1, "b": [2, 3]}) == hash_parameters({"b": [2, 3], "a": 1})
    assert hash_parameters({"a": 1}) != hash_parameters({"a": 2})


def test_log_is_one_json_object_per_line(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "logs" / "steps.jsonl")
    log.write("first", "done", seconds=1.5)
    log.write("second", "failed", note='a "quoted"\nreason')
    lines = (tmp_path / "logs" / "steps.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == ["first", "second"]
    assert records[0]["seconds"] == 1.5
    assert records[1]["note"] == 'a "quoted"\nreason'
