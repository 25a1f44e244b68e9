"""Columns and people that the tables and the protocol do not agree about, told at once."""

from collections.abc import Iterable

import pandas as pd
import pytest

from phmri.dataset import DatasetCheck, check_dataset, index_dataset, write_table, write_text
from phmri.protocol import Protocol

ARMS = ("ketamine", "ketamine", "placebo", "placebo")
MOOD = {"columns": ["total"], "minimum": 0, "maximum": 30}
STOPPED = {"column": "stopped", "value": "yes", "strategy": "exclude"}


def people(trial, **columns: Iterable[object]) -> None:
    """Write ``participants.tsv``."""
    table = pd.DataFrame({"participant_id": [f"sub-0{i}" for i in (1, 2, 3, 4)], "arm": ARMS})
    write_table(trial.root / "participants.tsv", table.assign(**columns))


def checked(trial, document, participants=None, **sections: object) -> DatasetCheck:
    protocol = Protocol.model_validate({**document, **sections})
    return check_dataset(protocol, index_dataset(trial.root), participants)


def asked(document, **changes: object) -> dict[str, object]:
    """Give questions about the map, changed, and about the scale."""
    question = {**document["questions"]["acute"], **changes}
    scale = {**document["questions"]["acute"], "role": "secondary", "measure": "mood"}
    return {"questions": {"acute": question, "felt": scale}, "scales": {"mood": MOOD}}


def ratings(trial, *rows: str) -> None:
    lines = [f"sub-0{i}\tses-{name}\t3" for i in (1, 2, 3, 4) for name in ("baseline", "infusion")]
    head = "participant_id\tsession_id\ttotal"
    write_text(trial.root / "phenotype" / "mood.tsv", "\n".join([head, *lines, *rows, ""]))


# ----------------------------------------------------------------------------------- columns
def test_missing_columns_are_told_once_with_all_who_name_them(trial, parallel) -> None:
    people(trial, age=[20, 30, 40, 50])
    ratings(trial)
    design = {**parallel["design"], "strata": ["sexx"]}
    sections = asked(parallel, covariates=["agee"], inference={"shuffle_within": ["site"]})
    goes_with = {
        "text": "Does it go with mood?",
        "role": "exploratory",
        "measure": "seedmap",
        "scale": "mood",
        "session": "infusion",
        "partial": ["agee", "mean_fd"],
    }
    found = checked(trial, parallel, design=design, associations={"a": goes_with}, **sections)
    assert [(p.field, p.expected) for p in found.problems] == [
        ("design.strata", "sexx"),
        ("questions.acute.inference.shuffle_within", "site"),
        ("questions.acute.covariates, associations.a.partial", "agee"),
    ]
    file, columns = str(trial.root / "participants.tsv"), "participant_id, arm, age"
    assert {(p.file, p.found) for p in found.problems} == {(file, columns)}
    for problem in found.problems:
        assert problem.what == f"participants.tsv has no column {problem.expected}"


def test_covariate_without_number_names_the_participant(trial, parallel) -> None:
    people(trial, age=["20", "31y", "40", "n/a"])
    ratings(trial)
    sections = asked(parallel, covariates=["age"])
    (problem,) = checked(trial, parallel, **sections).problems
    assert (problem.subject, problem.field, problem.found) == ("02", "age", "31y")
    assert problem.expected == "a number or n/a"
    # Who is excluded, or not looked at, has no covariate that could be wrong.
    excluded = {"participants": {"02": "moved"}}
    assert checked(trial, parallel, exclusions=excluded, **sections).problems == ()
    assert checked(trial, parallel, ["01"], **sections).problems == ()


@pytest.mark.parametrize("age", [["20", "inf", "40", "30"], ["20", "-inf", "40", "30"]])
def test_infinity_is_no_number(trial, parallel, age: list[str]) -> None:
    people(trial, age=age)
    ratings(trial)
    (problem,) = checked(trial, parallel, **asked(parallel, covariates=["age"])).problems
    assert (problem.subject, problem.found) == ("02", age[1])


def test_text_of_ones_own_is_no_covariate(trial, parallel) -> None:
    people(trial, site=["A", "B", "C", "A"], note=["w", "x", "y", "z"], arm2=["b", "b", "c", "c"])
    ratings(trial)
    sections = asked(parallel, covariates=["site", "note", "arm2"])
    (problem,) = checked(trial, parallel, **sections).problems
    assert (problem.field, problem.subject) == ("note", None)
    assert problem.found == "4 levels in 4 participants, such as w"


def test_stratum_may_be_of_numbers_and_texts(trial, parallel) -> None:
    people(trial, site=["1", "2", "3", "3b"])
    design = {**parallel["design"], "strata": ["site"]}
    assert checked(trial, parallel, design=design).problems == ()


# ------------------------------------------------------------------------------------ people
def test_strangers_in_tables_are_named_once_each(trial, parallel) -> None:
    people(trial)
    ratings(
        trial, "sub-999\tses-baseline\t4", "sub-999\tses-infusion\t4", "sub-1\tses-baseline\t4"
    )
    write_text(
        trial.root / "phenotype" / "diary.tsv",
        "participant_id\tstopped\nsub-77\tyes\nsub-01\tno\n",
    )
    events = {"left": {**STOPPED, "file": "diary"}}
    found = checked(trial, parallel, intercurrent_events=events, **asked(parallel))
    told = [(p.line, p.subject, p.field, p.found, p.expected) for p in found.problems]
    assert told == [
        (10, "999", "participant_id", "sub-999", "one of 4 participants"),
        (
            12,
            "1",
            "participant_id",
            "sub-1",
            "sub-01, whose leading zeros differ",
        ),
        (2, "77", "participant_id", "sub-77", "one of 4 participants"),
    ]
    # Their rows make no other rating unusable.
    assert {cell.status for cell in found.ratings} == {"ok"}


def test_table_that_nobody_asks_for_may_hold_anyone(trial, parallel) -> None:
    people(trial)
    ratings(trial, "sub-999\tses-baseline\t4")
    assert checked(trial, parallel, scales={"mood": MOOD}).problems == ()


# ------------------------------------------------------------------------------------ events
def test_value_that_nobody_has_is_a_remark(trial, parallel) -> None:
    people(trial, stopped=["no", "no", "late", "n/a"])
    found = checked(trial, parallel, intercurrent_events={"left": STOPPED})
    assert found.problems == ()
    (remark,) = found.remarks
    assert remark.what == "nobody has the value of the event"
    assert remark.field == "intercurrent_events.left.value"
    assert (remark.found, remark.expected) == ("late, no", "yes")


def test_value_that_someone_has_needs_no_remark(trial, parallel) -> None:
    people(trial, stopped=["no", "no", "yes", "no"])
    assert checked(trial, parallel, intercurrent_events={"left": STOPPED}).remarks == ()
