"""The dosing log, and events with further columns."""

import numpy as np
import pytest

from phmri.dataset import DosingRow, read_dosing, read_events, scan_dosing
from phmri.exceptions import DatasetError

NAMES = "participant_id\tsession_id\tdrug\troute\tamount\tunit\tstart\tduration\tscan"
GOOD = "sub-01\tses-a\tketamine\tintravenous\t0.11\tmg/kg\t60\t60\trest"


def write(folder, *lines, names=NAMES):
    path = folder / "dosing.tsv"
    path.write_text("\n".join([names, *lines]) + "\n")
    return path


def test_doses_are_read(tmp_path):
    rate = "02\tn/a\tketamine\tintravenous\t0.12\tmg/kg/h\t-5\t40\tn/a"
    rows = read_dosing(write(tmp_path, GOOD, rate))
    assert rows[0] == DosingRow(
        subject="01",
        session="a",
        drug="ketamine",
        route="intravenous",
        amount=0.11,
        unit="mg/kg",
        start=60.0,
        duration=60.0,
        scan="rest",
        line=2,
    )
    assert (rows[1].subject, rows[1].session, rows[1].scan) == ("02", None, None)
    assert (rows[1].start, rows[1].unit) == (-5.0, "mg/kg/h")


def test_every_problem_is_told_with_its_line(tmp_path):
    path = write(
        tmp_path,
        GOOD,
        "sub-02\tses-a\tketamine\tiv\t-1\tg\tx\t-2\trest",
        GOOD,
        "n/a\tses-a\tn/a\toral\tn/a\tmg\tn/a\t0\tn/a",
        "sub-03\tses-a\tketamine\tintravenous\t5\tmg/h\t0\t0\trest",
    )
    with pytest.raises(DatasetError) as caught:
        read_dosing(path)
    assert [(p.line, p.field) for p in caught.value.problems] == [
        (3, "route"),
        (3, "amount"),
        (3, "unit"),
        (3, "start"),
        (3, "duration"),
        (5, "participant_id"),
        (5, "drug"),
        (5, "amount"),
        (5, "start"),
        (6, "duration"),
    ]
    assert caught.value.problems[0].subject == "02"
    assert "intravenous" in caught.value.problems[0].expected
    assert "mg/kg/h" in caught.value.problems[2].expected


def test_missing_columns(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read_dosing(write(tmp_path, names="participant_id\tdrug\troute\tamount\tstart\tduration"))
    assert [p.field for p in caught.value.problems] == ["session_id", "unit", "scan"]


def test_missing_columns_and_lines_that_do_not_fit_hide_no_wrong_field(tmp_path):
    path = write(
        tmp_path,
        "sub-01\tketamine\tiv\t-1",
        "sub-02\tketamine",
        "sub-03\tketamine\toral\tmuch",
        names="participant_id\tdrug\troute\tamount",
    )
    table = scan_dosing(path)
    assert [(p.line, p.field) for p in table.problems] == [
        (3, None),
        (1, "session_id"),
        (1, "unit"),
        (1, "start"),
        (1, "duration"),
        (1, "scan"),
        (2, "route"),
        (2, "amount"),
        (4, "amount"),
    ]
    assert [row.subject for row in table.rows] == ["01", "03"]
    assert not table.tells(table.rows[1], "amount")
    assert table.tells(table.rows[1], "route")
    assert not table.tells(table.rows[1], "scan")


def test_no_problem_is_left_out_for_being_one_of_many(tmp_path):
    wrong = "sub-01\tses-a\tketamine\tiv\t1\tmg\t0\t1\tn/a"
    assert len(scan_dosing(write(tmp_path, *[wrong] * 30)).problems) == 30


def test_events_keep_columns_of_numbers(tmp_path):
    path = tmp_path / "events.tsv"
    path.write_text(
        "onset\tduration\ttrial_type\tresponse_time\tkey\tempty\tload\n"
        "0\t1\ta\tn/a\tleft\tn/a\t2\n"
        "4\t1\tb\t0.5\t1\tn/a\t0\n"
    )
    events = read_events(path)
    assert set(events.columns) == {"response_time", "load"}
    np.testing.assert_array_equal(events.columns["response_time"], [np.nan, 0.5])
    np.testing.assert_array_equal(events.columns["load"], [2.0, 0.0])
