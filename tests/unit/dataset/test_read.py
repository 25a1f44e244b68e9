from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.dataset import (
    file_sha256,
    read_confounds,
    read_events,
    read_image,
    read_json,
    read_mask,
    read_series,
    read_table,
    scan_series,
    series_names,
    write_image,
    write_json,
)
from phmri.exceptions import DatasetError

TWICE = "the event stands in the table twice"


def _file(folder: Path, text: str, name: str = "x.tsv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_confounds_with_metadata(tmp_path: Path) -> None:
    path = _file(tmp_path, "csf\tfd\n1.5\tn/a\n2\t0.25\n")
    write_json(tmp_path / "x.json", {"csf": {"Method": "Mean"}, "Other": 3})
    confounds = read_confounds(path)
    assert confounds.names == ("csf", "fd")
    assert_array_equal(confounds.values, [[1.5, np.nan], [2.0, 0.25]])
    assert confounds.metadata == {"csf": {"Method": "Mean"}}


def test_every_fault_of_a_table_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        read_confounds(_file(tmp_path, "a\tb\nx\t1\n2\ty\n"))
    assert [(p.line, p.field, p.found) for p in caught.value.problems] == [
        (2, "a", "'x'"),
        (3, "b", "'y'"),
    ]
    with pytest.raises(DatasetError) as caught:
        read_table(_file(tmp_path, "a\ta\n1\n1\t2\t3\n"))
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "\n\n", "a\tb\n"])
def test_tables_without_content(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"empty|no rows"):
        read_confounds(_file(tmp_path, text))


def test_table_types(tmp_path: Path) -> None:
    text = "\ufeffid\tarm\tage\tscore\r\n01\tk\t30\t1.5\r\n02\tn/a\t31\tn/a\r\n"
    table = read_table(_file(tmp_path, text), text_columns=("id",))
    assert list(table["id"]) == ["01", "02"]
    assert table["arm"].isna().tolist() == [False, True]
    assert table["age"].dtype == np.int64
    assert_array_equal(table["score"].to_numpy(), [1.5, np.nan])


def test_unreadable_text(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(b"a\n\xff\xfe\n")
    with pytest.raises(DatasetError, match="UTF-8"):
        read_table(tmp_path / "x.tsv")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_table(tmp_path / "absent.tsv")


def test_events(tmp_path: Path) -> None:
    events = read_events(_file(tmp_path, "trial_type\tonset\tduration\ntwo\t1.5\tn/a\n\t3\t2\n"))
    assert_array_equal(events.onset, [1.5, 3.0])
    assert_array_equal(events.duration, [np.nan, 2.0])
    assert events.trial_type == ("two", "n/a")
    plain = read_events(_file(tmp_path, "onset\tduration\n0\t1\n"))
    assert plain.trial_type == ("event",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("begin\tend\n0\t1\n", "no such column"),
        ("onset\tduration\nn/a\t1\n", "onset is missing"),
        ("onset\tduration\n0\t-1\n", "negative"),
        ("onset\tduration\nsoon\t1\n", "not a number"),
    ],
)
def test_wrong_events(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_events(_file(tmp_path, text))


def test_events_that_stand_there_twice_are_told_with_both_lines(tmp_path: Path) -> None:
    rows = "0\t4\ttwo\n8\t4\ttwo\n0.0\t5\ttwo\n8\t4\tone\n9\t1\tn/a\n9\t1\tn/a\n8\t4\ttwo\n"
    with pytest.raises(DatasetError) as caught:
        read_events(_file(tmp_path, "onset\tduration\ttrial_type\n" + rows))
    assert [(p.what, p.line, p.field, p.found) for p in caught.value.problems] == [
        (TWICE, 4, "onset, trial_type", "'two' at 0 s, as in line 2"),
        (TWICE, 8, "onset, trial_type", "'two' at 8 s, as in line 3"),
    ]
    with pytest.raises(DatasetError, match=r":3, onset: .*an event at 0 s, as in line 2"):
        read_events(_file(tmp_path, "onset\tduration\n0\t1\n0\t1\n"))


def test_events_of_one_onset_may_be_different_ones(tmp_path: Path) -> None:
    typed = "onset\tduration\ttrial_type\n0\t1\tsound\n0\t1\tpicture\n"
    assert read_events(_file(tmp_path, typed)).trial_type == ("sound", "picture")
    untyped = "onset\tduration\tstimulus\n0\t1\tsound\n0\t1\tpicture\n"
    assert read_events(_file(tmp_path, untyped)).trial_type == ("event", "event")


def test_series_with_and_without_names(tmp_path: Path) -> None:
    named = read_series(_file(tmp_path, "1\t2\n0.5\t1\n0.25\t2\n"))
    assert named.names == ("1", "2")
    assert_array_equal(named.values, [[0.5, 1.0], [0.25, 2.0]])
    nameless = read_series(_file(tmp_path, "0.5\t1\n0.25\t2\n"))
    assert nameless.names == ("1", "2")
    assert_array_equal(nameless.values, named.values)


@pytest.mark.parametrize("field", ["n/a", "nan", "inf", "x"])
def test_series_refuses_what_is_not_finite(tmp_path: Path, field: str) -> None:
    with pytest.raises(DatasetError, match=r":3, b"):
        read_series(_file(tmp_path, f"a\tb\n1\t2\n3\t{field}\n"))


def test_all_faults_of_a_series_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    series, problems = scan_series(_file(tmp_path, "a\tb\n1\t2\n3\n\nx\tinf\n5\t\n7\t8\n"))
    assert [(p.line, p.field, p.what, p.found) for p in problems] == [
        (3, None, "another number of fields than names", "1"),
        (4, None, "another number of fields than names", "1"),
        (5, "a", "not a number", "'x'"),
        (5, "b", "the time series is not finite", "'inf'"),
        (6, "b", "the time series is not finite", "nothing"),
    ]
    nan = np.nan
    assert_array_equal(series.values, [[1.0, 2.0], [nan, nan], [5.0, nan], [7.0, 8.0]])


@pytest.mark.parametrize("text", ["a\tb\n1\t2\n", '"a"\tb\r\n1\t2\r\n', "0.5\t1\n0.2\t3\n"])
def test_names_of_a_series_need_its_first_line_alone(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)
    assert series_names(path) == read_series(path).names


def test_json(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"x\.json:2"):
        read_json(_file(tmp_path, '{\n"a" 1}', "x.json"))
    with pytest.raises(DatasetError, match="not a JSON object"):
        read_json(_file(tmp_path, "[1]", "x.json"))


def test_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc"
    assert file_sha256(_file(tmp_path, "abc")) == digest


def test_mask(tmp_path: Path) -> None:
    data = np.zeros((3, 3, 3, 1))
    data[1, 1, 1] = 2
    mask = read_mask(write_image(tmp_path / "m.nii.gz", data, np.eye(4)))
    assert mask.data.dtype == bool
    assert mask.data.sum() == 1
    with pytest.raises(DatasetError, match="empty"):
        read_mask(write_image(tmp_path / "e.nii.gz", np.zeros((3, 3, 3)), np.eye(4)))
    with pytest.raises(DatasetError, match="three axes"):
        read_mask(write_image(tmp_path / "f.nii.gz", np.ones((3, 3, 3, 2)), np.eye(4)))


def test_nan_is_refused_unless_asked_for(tmp_path: Path) -> None:
    data = np.full((2, 2, 2), np.nan)
    path = write_image(tmp_path / "x.nii.gz", data, np.eye(4))
    with pytest.raises(DatasetError, match="8 of 8"):
        read_image(path)
    assert np.isnan(read_image(path, allow_nan=True).data).all()


def test_damaged_images(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(9, 9, 9))
    path = write_image(tmp_path / "x.nii.gz", data, np.eye(4))
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    with pytest.raises(DatasetError, match="truncated or damaged"):
        read_image(path)
    flat = write_image(tmp_path / "y.nii", data, np.eye(4))
    content = bytearray(flat.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code
    flat.write_bytes(content)
    with pytest.raises(DatasetError, match="does not say where"):
        read_image(flat)


def test_decimal_commas_are_told_with_their_column(tmp_path: Path) -> None:
    path = _file(tmp_path, "csf\tnote\n0,5\ta\n0,25\tb\n")
    with pytest.raises(DatasetError) as caught:
        read_confounds(path)
    (problem, *_) = caught.value.problems
    assert (problem.field, problem.found) == ("csf", "'0,5'")
