"""Whose data count: intercurrent events by their strategy, populations, composite scores."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from phmri.dataset import Cell, DatasetCheck, read_event_tables
from phmri.dataset._people import read_participants
from phmri.exceptions import DatasetError, DesignError
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._event_words import describe_events
from phmri.pipeline._populations import Counted, count_in, find_events
from phmri.pipeline._units import covariate_columns
from tests.unit.pipeline.measured_trial import ARMS, make_trial, parallel

SCALE = {"columns": ["score"], "minimum": 0, "maximum": 30}
FELL = {"column": "fell", "value": "yes"}
LEFT = frozenset({("01", "day"), ("01", "week")})


def inputs_of(root: Path, **sections: object) -> GroupInputs:
    """Give a trial of three sessions whose participants are rated in all of them."""
    inputs = make_trial(root, parallel(scales={"mood": SCALE}, **sections), ARMS).inputs
    rated = tuple(replace(cell, scan="mood", run=None) for cell in inputs.check.cells)
    return replace(inputs, check=replace(inputs.check, ratings=rated))


def write_people(root: Path, **columns: Mapping[str, str]) -> None:
    """Write ``participants.tsv``; whom a column does not name has ``no``."""
    table = pd.DataFrame({"participant_id": [f"sub-{name}" for name in ARMS]})
    for name, values in columns.items():
        table[name] = [values.get(subject, "no") for subject in ARMS]
    table.to_csv(root / "participants.tsv", sep="\t", index=False)


def count(
    inputs: GroupInputs,
    measure: str,
    population: str | None = None,
    happened: Mapping[str, frozenset[tuple[str, str]]] | None = None,
) -> Counted:
    events = {"fell": LEFT} if happened is None else happened
    return count_in(inputs.protocol, measure, inputs.check, events, population)


def gone(cells: tuple[Cell, ...]) -> set[tuple[str, str]]:
    return {(cell.subject, cell.session) for cell in cells if cell.status == "excluded"}


# ------------------------------------------------------------------------------------ events
def test_event_counts_after_the_baseline_unless_said_otherwise(tmp_path: Path) -> None:
    write_people(tmp_path, fell={"01": "yes", "04": "yes"})
    events = {
        "fell": FELL | {"strategy": "treatment_policy"},
        "late": FELL | {"strategy": "exclude", "sessions": ["week"]},
    }
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    found = find_events(inputs.protocol, inputs.index)
    assert found["fell"] == {(s, v) for s in ("01", "04") for v in ("day", "week")}
    assert found["late"] == {("01", "week"), ("04", "week")}


def test_table_with_sessions_says_when(tmp_path: Path) -> None:
    write_people(tmp_path)
    (tmp_path / "phenotype").mkdir()
    pd.DataFrame(
        {
            "participant_id": ["sub-02", "sub-02", "sub-03", "sub-04"],
            "session_id": ["ses-before", "ses-week", "ses-day", "ses-day"],
            "fell": ["yes", "yes", "yes", "no"],
        }
    ).to_csv(tmp_path / "phenotype" / "diary.tsv", sep="\t", index=False)
    events = {"fell": FELL | {"file": "diary", "strategy": "hypothetical"}}
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    found = find_events(inputs.protocol, inputs.index)
    # Before treatment nothing is intercurrent; "no" is no event.
    assert found == {"fell": {("02", "week"), ("03", "day")}}


def test_numbers_are_compared_as_they_are_written(tmp_path: Path) -> None:
    write_people(tmp_path, fell=dict.fromkeys(ARMS, "0") | {"05": "1"})
    events = {"fell": {"column": "fell", "value": "1", "strategy": "exclude"}}
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    assert {s for s, _ in find_events(inputs.protocol, inputs.index)["fell"]} == {"05"}


def test_all_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    write_people(tmp_path)
    events = {
        "column": {"column": "ill", "value": "1", "strategy": "exclude"},
        "table": {"file": "diary", "column": "ill", "value": "1", "strategy": "exclude"},
    }
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    with pytest.raises(DatasetError) as caught:
        find_events(inputs.protocol, inputs.index)
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["intercurrent_events.column.column", "intercurrent_events.table.file"]


@pytest.mark.parametrize(
    ("value", "held", "what"),
    [
        ("YES", "yes", "the column holds the value of the event in another spelling"),
        ("1", "1.0", "the column holds the value of the event in another spelling"),
        ("1", "true", "the column holds the value of the event in another spelling"),
    ],
)
def test_value_in_another_spelling_is_refused(
    tmp_path: Path, value: str, held: str, what: str
) -> None:
    write_people(tmp_path, fell={"05": held})
    events = {"fell": {"column": "fell", "value": value, "strategy": "exclude"}}
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    with pytest.raises(DatasetError) as caught:
        find_events(inputs.protocol, inputs.index)
    (problem,) = caught.value.problems
    assert (problem.what, problem.field) == (what, "intercurrent_events.fell.value")
    assert problem.file == str(tmp_path / "participants.tsv")
    assert (problem.found, problem.expected) == (", ".join(sorted((held, "no"))), value)


def test_second_spelling_of_a_value_is_refused(tmp_path: Path) -> None:
    write_people(tmp_path, fell={"04": "yes", "05": "Yes"})
    inputs = inputs_of(
        tmp_path, intercurrent_events={"fell": FELL | {"strategy": "treatment_policy"}}
    )
    with pytest.raises(DatasetError, match="in another spelling as well; found Yes, no, yes"):
        find_events(inputs.protocol, inputs.index)


def test_words_of_a_scale_are_no_other_spelling(tmp_path: Path) -> None:
    write_people(tmp_path, fell={"04": "1", "05": "t"})
    events = {"fell": {"column": "fell", "value": "1", "strategy": "exclude"}}
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    assert {s for s, _ in find_events(inputs.protocol, inputs.index)["fell"]} == {"04"}


def test_report_says_what_stands_instead_of_a_value_that_nobody_has(tmp_path: Path) -> None:
    write_people(tmp_path, fell={"05": "hurt"})
    inputs = strategy(tmp_path, "treatment_policy")
    tables = read_event_tables(inputs.protocol, inputs.index)
    check = replace(inputs.check, remarks=tables.remarks)
    (told,) = describe_events(inputs.protocol, inputs.index, check, tables.happened)
    assert told.source == "fell = yes in participants.tsv; nobody has it, found hurt, no"
    assert told.n_per_group == {}


# -------------------------------------------------------------------------------- covariates
def test_covariate_of_numbers_where_only_others_have_text(tmp_path: Path) -> None:
    ages = {name: str(20 + k) for k, name in enumerate(ARMS)} | {"10": "old"}
    write_people(tmp_path, age=ages)
    index = replace(inputs_of(tmp_path).index, participants=read_participants(tmp_path)[0])
    column = covariate_columns(index, "age", ("01", "02", "03"))
    assert column.tolist() == [[-1.0], [0.0], [1.0]]
    with pytest.raises(DesignError, match="sub-10, age: the covariate is a number in most"):
        covariate_columns(index, "age", tuple(ARMS))


# -------------------------------------------------------------------------------- strategies
def strategy(root: Path, name: str, **more: object) -> GroupInputs:
    return inputs_of(root, intercurrent_events={"fell": FELL | {"strategy": name, **more}})


def test_treatment_policy_changes_nothing(tmp_path: Path) -> None:
    inputs = strategy(tmp_path, "treatment_policy")
    counted = count(inputs, "step")
    assert counted.check == inputs.check
    assert not counted.left_out
    assert not counted.missing
    assert not counted.scores


def test_hypothetical_makes_the_sessions_missing(tmp_path: Path) -> None:
    counted = count(strategy(tmp_path, "hypothetical", label="fell down"), "step")
    assert gone(counted.check.cells) == LEFT
    assert {cell.reason for cell in counted.check.cells if cell.status == "excluded"} == {
        "fell down"
    }
    assert all(cell.run is None for cell in counted.check.cells if cell.status == "excluded")
    # The question is about scans: ratings stay.
    assert not gone(counted.check.ratings)
    assert counted.left_out == {}


def test_exclude_leaves_the_person_out(tmp_path: Path) -> None:
    counted = count(strategy(tmp_path, "exclude"), "mood")
    assert counted.left_out == {"01": "fell"}
    assert gone(counted.check.ratings) == {("01", v) for v in ("before", "day", "week")}
    assert not gone(counted.check.cells)


def test_composite_is_a_score_and_leaves_data_alone(tmp_path: Path) -> None:
    inputs = strategy(tmp_path, "composite", composite_value=30, measures=["mood"])
    counted = count(inputs, "mood")
    assert counted.scores == dict.fromkeys(LEFT, 30.0)
    assert counted.check == inputs.check
    assert count(inputs, "step").scores == {}


def test_event_counts_for_its_measures_alone(tmp_path: Path) -> None:
    inputs = strategy(tmp_path, "exclude", measures=["mood"])
    assert count(inputs, "mood").left_out == {"01": "fell"}
    assert count(inputs, "step").check == inputs.check


# ------------------------------------------------------------------------------- populations
@pytest.fixture
def populated(tmp_path: Path) -> GroupInputs:
    return inputs_of(
        tmp_path,
        intercurrent_events={"fell": FELL | {"strategy": "treatment_policy"}},
        populations={
            "everyone": {},
            "upright": {"label": "per protocol", "exclude_events": ["fell"]},
            "completers": {"exclude_missing": True},
        },
    )


def test_populations_leave_out(populated: GroupInputs) -> None:
    assert count(populated, "step", "everyone").left_out == {}
    assert count(populated, "step", "upright").left_out == {"01": "fell (not of per protocol)"}


def test_completers_have_every_session_of_the_outcome(populated: GroupInputs) -> None:
    def lose(cells: tuple[Cell, ...], *lost: tuple[str, str]) -> tuple[Cell, ...]:
        return tuple(
            replace(cell, status="missing", run=None)
            if (cell.subject, cell.session) in lost
            else cell
            for cell in cells
        )

    check = DatasetCheck(
        cells=lose(populated.check.cells, ("02", "week")),
        questions=(),
        problems=(),
        ratings=lose(populated.check.ratings, ("03", "before")),
    )
    inputs = replace(populated, check=check)
    scans = count(inputs, "step", "completers")
    assert scans.left_out == {"02": "without ses-week (not of completers)"}
    assert set(count(inputs, "mood", "completers").left_out) == {"03"}
    # Of those left out nothing counts, and what was missing stays so.
    assert gone(scans.check.cells) == {("02", "before"), ("02", "day")}


def test_session_lost_to_an_event_makes_nobody_complete(tmp_path: Path) -> None:
    inputs = inputs_of(
        tmp_path,
        intercurrent_events={"fell": FELL | {"strategy": "hypothetical"}},
        populations={"completers": {"exclude_missing": True}},
    )
    assert set(count(inputs, "step", "completers").left_out) == {"01"}


def test_session_that_is_not_planned_is_not_missing(tmp_path: Path) -> None:
    inputs = inputs_of(tmp_path, populations={"completers": {"exclude_missing": True}})
    cells = tuple(
        replace(cell, status="not planned", run=None) if cell.session == "week" else cell
        for cell in inputs.check.cells
    )
    unplanned = replace(inputs, check=replace(inputs.check, cells=cells))
    assert count(unplanned, "step", "completers", {}).left_out == {}


@pytest.mark.parametrize("session", ["ses-wek", "n/a"])
def test_event_in_a_session_that_there_is_not_is_refused(tmp_path: Path, session: str) -> None:
    write_people(tmp_path)
    (tmp_path / "phenotype").mkdir(exist_ok=True)
    (tmp_path / "phenotype" / "rescue.tsv").write_text(
        f"participant_id\tsession_id\tgiven\nsub-01\t{session}\t1\nsub-02\tses-day\t1\n"
    )
    events = {"rescue": {"file": "rescue", "column": "given", "value": "1", "strategy": "exclude"}}
    inputs = inputs_of(tmp_path, intercurrent_events=events)
    with pytest.raises(DatasetError, match="session that the protocol does not have") as caught:
        find_events(inputs.protocol, inputs.index)
    (problem,) = caught.value.problems
    assert (problem.subject, problem.field, problem.found) == ("01", "session_id", session)
