"""Scores from phenotype tables, and everything that can be wrong with one, told at once."""

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import DatasetIndex, index_dataset, read_scale
from phmri.dataset._people import read_phenotype
from phmri.exceptions import DatasetError
from phmri.protocol import Protocol, read_protocol, write_template

HEAD = "participant_id\tsession_id\ta\tb\tc\td"
ITEMS = {
    "columns": ("a", "b", "c", "d"),
    "subscales": {"early": ("a", "b"), "late": ("c", "d")},
    "minimum": 0,
    "maximum": 16,
    "item_minimum": 0,
    "item_maximum": 4,
}
PRORATED = {**ITEMS, "missing_items": "prorate", "min_items_answered": 0.75}


@pytest.fixture
def protocol(tmp_path) -> Protocol:
    return read_protocol(write_template("minimal_parallel", tmp_path / "protocol"))


def _with(protocol: Protocol, **scale) -> Protocol:
    value = protocol.model_dump()
    return Protocol.model_validate({**value, "scales": {"cadss": scale}})


def _index(tmp_path, *rows, head=HEAD, stem="cadss") -> DatasetIndex:
    folder = tmp_path / "phenotype"
    folder.mkdir(exist_ok=True)
    (folder / f"{stem}.tsv").write_text("\n".join([head, *rows, ""]))
    tables, problems = read_phenotype(tmp_path)
    return DatasetIndex(
        root=tmp_path,
        derivatives=(),
        runs=(),
        participants=pd.DataFrame(),
        sessions=pd.DataFrame(),
        phenotype=tables,
        problems=tuple(problems),
    )


def _told(index, protocol):
    with pytest.raises(DatasetError) as caught:
        read_scale(index, protocol, "cadss")
    return [
        (item.line, item.subject, item.session, item.field, item.what, item.found, item.expected)
        for item in caught.value.problems
    ]


def test_items_are_summed_into_score_and_subscales(tmp_path, protocol):
    index = _index(tmp_path, "sub-01\tses-baseline\t0\t1\t0\t2", "sub-02\tses-drug\t4\t3\t2\t4")

    table = read_scale(index, _with(protocol, **ITEMS), "cadss")

    assert list(table.columns) == ["participant", "session", "score", "early", "late"]
    assert table.participant.tolist() == ["01", "02"]
    assert table.session.tolist() == ["baseline", "drug"]
    np.testing.assert_array_equal(table[["score", "early", "late"]], [[3, 1, 2], [13, 7, 6]])


def test_one_column_is_the_score(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\t1.5\t9\t9\t9", stem="other")

    table = read_scale(
        index, _with(protocol, file="other", columns=("a",), minimum=0, maximum=92), "cadss"
    )

    np.testing.assert_array_equal(table.score, [1.5])


def test_a_rating_without_any_item_is_missing(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\tn/a\tn/a\tn/a\tn/a")

    for scale in (ITEMS, PRORATED):
        table = read_scale(index, _with(protocol, **scale), "cadss")
        assert table[["score", "early", "late"]].isna().all(axis=None)


def test_missing_items_count_as_the_mean_of_those_answered(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\t4\t2\t3\tn/a", "02\tdrug\t4\tn/a\tn/a\t1")

    table = read_scale(index, _with(protocol, **PRORATED), "cadss")

    # Three of four answered: 9 * 4 / 3. Of the subscale `late` only half is.
    np.testing.assert_array_equal(table.score, [12.0, np.nan])
    np.testing.assert_array_equal(table.early, [6.0, np.nan])
    np.testing.assert_array_equal(table.late, [np.nan, np.nan])


def test_fractions_written_as_decimals_are_met(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\t3\t3\tn/a", head="participant_id\tsession_id\ta\tb\tc")
    scale = {
        "columns": ("a", "b", "c"), "minimum": 0, "maximum": 12,
        "missing_items": "prorate", "min_items_answered": 2 / 3,
    }  # fmt: skip

    assert read_scale(index, _with(protocol, **scale), "cadss").score.tolist() == [9.0]


def test_a_table_without_sessions_is_that_of_the_only_one(tmp_path, protocol):
    index = _index(tmp_path, "01\t3\t3\t0\t0", head="participant_id\ta\tb\tc\td")

    table = read_scale(index, _with(protocol, **ITEMS, sessions=("drug",)), "cadss")

    assert table.session.tolist() == ["drug"]
    lacking = _told(index, _with(protocol, **ITEMS))
    assert [item[3:5] for item in lacking] == [("session_id", "the table lacks a column")]


def test_everything_wrong_is_told_at_once(tmp_path, protocol):
    index = _index(
        tmp_path,
        "01\tdrug\t0\tmany\t5",
        "01\tdrug\t0\t0\t0",
        "02\tdurg\t0\t0\t0",
        "n/a\tdrug\t0\t0\t0",
        "03\tn/a\t0\t0\tn/a",
        "04\tbaseline\t-1\tinf\t0",
        head=HEAD.removesuffix("\td"),
    )

    visit = "baseline, drug"
    assert _told(index, _with(protocol, **ITEMS)) == [
        (1, None, None, "d", "the table lacks a column",
         "participant_id, session_id, a, b, c", "d"),
        (3, "01", "drug", None, "the participant is rated twice in this session",
         "line 2 as well", "one row"),
        (4, "02", None, "session_id", "the protocol has no such session", "durg", visit),
        (5, None, None, None, "a row without participant", None, None),
        (6, "03", None, "session_id", "the protocol has no such session", "n/a", visit),
        (2, "01", "drug", "b", "not a number", "many", "a number or n/a"),
        (2, "01", "drug", "c", "the value is out of range", "5", "0 to 4"),
        (6, "03", None, "c", "an item is missing", "n/a",
         "a number, or n/a in all items of the rating"),
        (7, "04", "baseline", "a", "the value is out of range", "-1", "0 to 4"),
        (7, "04", "baseline", "b", "not a number", "inf", "a number or n/a"),
    ]  # fmt: skip


def test_a_sum_out_of_range_is_told(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\t9\t9\t0\t0")
    scale = {"columns": ("a", "b", "c", "d"), "minimum": 0, "maximum": 16}

    assert _told(index, _with(protocol, **scale)) == [
        (2, "01", "drug", None, "the sum of the items is out of range", "18", "0 to 16")
    ]


def test_a_score_out_of_range_is_told_by_its_column(tmp_path, protocol):
    index = _index(tmp_path, "01\tdrug\t93\t0\t0\t0")
    scale = {"columns": ("a",), "minimum": 0, "maximum": 92}

    assert _told(index, _with(protocol, **scale)) == [
        (2, "01", "drug", "a", "the value is out of range", "93", "0 to 92")
    ]


def test_a_session_in_which_the_scale_is_not_rated(tmp_path, protocol):
    index = _index(tmp_path, "01\tbaseline\t0\t0\t0\t0", "01\tdrug\t0\t0\t0\t0")

    assert _told(index, _with(protocol, **ITEMS, sessions=("drug",))) == [
        (2, "01", None, "session_id", "the scale is not rated in this session", "baseline", "drug")
    ]


def test_many_faults_are_cut_and_counted_by_kind(tmp_path, protocol):
    rows = [f"{i:02}\tdrug\t5\t1\t1\t1" for i in range(30)]
    index = _index(tmp_path, *rows, "30\tdrug\t1\tx\t1\t1")

    told = _told(index, _with(protocol, **ITEMS))

    assert [item[3:5] for item in told[:20]] == [("a", "the value is out of range")] * 20
    assert told[20][3:6] == ("b", "not a number", "x")  # not hidden behind the others
    assert told[21][4:6] == ("more of the same is wrong with this table", "10 more faults")


def test_a_table_that_is_missing_or_damaged(tmp_path, protocol):
    trial = _with(protocol, **ITEMS)

    with pytest.raises(DatasetError, match="the protocol has no such scale; expected cadss"):
        read_scale(_index(tmp_path, stem="other"), trial, "cads")
    with pytest.raises(DatasetError, match=r"cadss\.tsv: the table of the scale 'cadss' is miss"):
        read_scale(_index(tmp_path, stem="other"), trial, "cadss")
    with pytest.raises(DatasetError, match="another number of fields than names"):
        read_scale(_index(tmp_path, "01\tdrug"), trial, "cadss")


def test_the_index_hands_the_table_on(tmp_path, protocol):
    _index(tmp_path, "sub-01\tses-drug\t1\t1\t1\t1")
    (tmp_path / "participants.tsv").write_text("participant_id\tarm\nsub-01\tdrug\n")

    index = index_dataset(tmp_path, ())

    assert read_scale(index, _with(protocol, **ITEMS), "cadss").score.tolist() == [4.0]
