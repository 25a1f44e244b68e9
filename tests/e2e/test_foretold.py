"""What `phmri run` will refuse is told by `check` and `design`, in the same words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import check_dataset, index_dataset
from phmri.pipeline import describe_designs, look_ahead
from phmri.protocol import read_protocol
from tests.e2e.rated_trial import (
    SERIES,
    rated_document,
    record_of,
    run_rated,
    write_ratings,
    write_series,
)
from tests.e2e.trees import call

ARMS = ("drug", "both", "placebo")
SESSIONS = ("before", "day", "week")
N_EACH = 4
SCALES = ("score", "constant", "flat", "alone", "gone")
SEEDED = {
    "kind": "seed_to_parcel",
    "scan": "rest",
    "seed": "a",
    "parcels": "all",
    "denoising": "plain",
}
REFUSED = "This question was not answered: "


def asked(measure: str, estimator: str = "ancova", **more: object) -> dict[str, object]:
    return {
        "text": "Does it?",
        "role": "secondary",
        "measure": measure,
        "contrast": ["drug", "placebo"],
        "session": "day",
        "estimator": estimator,
        **({} if estimator == "post" else {"baseline": "before"}),
        **more,
    }


def long(estimator: str, measure: str, **more: object) -> dict[str, object]:
    where = {"where": {"at": "a~b"}} if measure == "edge" else {}
    return asked(measure, estimator, inference={"method": "holm"}, **where, **more)


def blocked(estimator: str = "ancova", **more: object) -> dict[str, object]:
    """Ask for a blockade whose reference has one participant."""
    sides: dict[str, object] = {"contrast": ["both", "placebo"], "blockade": {"reference": "drug"}}
    return asked("alone", estimator, **sides, **more)


FAULTS = {
    "singular": (asked("edge", covariates=["twin"]), "cannot be told apart"),
    "singular_long": (long("mmrm", "edge", covariates=["twin"]), "cannot be told apart"),
    "stratum": (
        asked("edge", inference={"shuffle_within": ["arm_again"]}),
        "no stratum holds participants of both",
    ),
    "armless": (asked("edge", "post", session="week"), "drug: too few participants in this arm"),
    "armless_long": (
        long("clda", "edge", session="week"),
        "ses-week, drug: too few participants in this arm",
    ),
    "alone": (asked("alone", "post"), "found 1; expected at least 2"),
    "alone_long": (long("mixed", "alone"), "ses-day, drug: too few participants in this arm"),
    "constant": (asked("constant"), "the same in every participant"),
    "constant_post": (asked("constant", "post"), "the same in every participant"),
    "flat": (asked("flat"), ""),
    "flat_long": (long("clda", "constant"), "the same in every participant"),
    "nowhere": (asked("seeded", where={"at": "zz"}), "no outcome of this name; found zz"),
    "thin": (blocked(), "ses-day, drug: too few participants in this arm"),
    "thin_post": (blocked("post"), "found 1; expected at least 2; left out: 3 with alone in"),
    "thin_robust": (blocked(errors="hc3"), "ses-day, drug: too few participants in this arm"),
    "thin_long": (
        blocked("mixed", inference={"method": "holm"}),
        "ses-day, drug: too few participants in this arm",
    ),
    "unreachable": (asked("edge", "post", inference={"alpha": 0.001}), "to reach alpha"),
}
"""Question -> as it is asked, and part of the reason why it is refused."""


def document(questions: Mapping[str, object], **sections: object) -> dict[str, Any]:
    scales = {name: {"columns": [name], "minimum": 0, "maximum": 60} for name in SCALES}
    return rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": arm} for arm in ARMS}},
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}, "week": {"phase": "acute"}},
        {arm: {} for arm in ARMS},
        **{
            "scales": scales,
            "measures": SERIES["measures"] | {"seeded": SEEDED},
            "parcellations": {"all": {"seg": "S"}},
            "questions": questions,
            **sections,
        },
    )


def write_trial(root: Path) -> None:
    """Write runs of two regions, which nobody on the drug has in the last session, and scales."""
    rng = np.random.default_rng(3)
    labels = [f"{k:02d}" for k in range(1, N_EACH * len(ARMS) + 1)]
    people = pd.DataFrame({"participant_id": labels, "arm": list(ARMS) * N_EACH})
    people["arm_again"] = people["arm"]
    people["twin"] = (people["arm"] == "drug").astype(int)
    table = people.merge(pd.DataFrame({"session_id": SESSIONS}), how="cross")
    day, drug = table["session_id"] == "day", table["arm"] == "drug"
    table["score"] = (20 + 8 * (day & drug) + rng.normal(0, 3, len(table))).round(1)
    table["constant"] = 5.0
    table["flat"] = table["score"].mask(day, 5.0)
    table["alone"] = table["score"].mask(day & drug & (table["participant_id"] != "01"))
    only_before = (table["participant_id"] == "03") & (table["session_id"] != "before")
    table["gone"] = table["score"].mask(only_before)
    scales = {name: table[["participant_id", "session_id", name]] for name in SCALES}
    write_ratings(root / "bids", people, scales)
    for row in table.itertuples():
        if not (row.arm == "drug" and row.session_id == "week"):
            courses = rng.normal(size=(40, 2))
            write_series(root / "bids", row.participant_id, row.session_id, courses)
    for path in list((root / "bids").rglob("*_timeseries.*")):
        path.rename(path.with_name(path.name.replace("_timeseries", "_seg-S_timeseries")))


COUNTED = {estimator: long(estimator, "gone") for estimator in ("mixed", "mmrm", "clda")}
"""Questions of a scale that one participant on placebo has before treatment only."""

ASSOCIATIONS = {
    "same_score": ({"scale": "constant"}, "nothing is left"),
    "few": ({"scale": "score", "groups": ["drug"]}, "found 4; expected at least 5"),
    "no_motion": ({"scale": "score", "partial": ["mean_fd"]}, "without framewise displacement"),
    "elsewhere": ({"scale": "score", "where": {"at": "zz"}}, "no outcome of this name; found zz"),
    "goes": ({"scale": "score", "where": {"at": "b"}}, ""),
}
"""Association -> as it is asked, and part of the reason why it is refused, if it is."""

RELIABILITIES = {
    "still": ({"measure": "constant"}, "the same in every participant"),
    "small": ({"measure": "edge", "groups": ["drug"]}, "found 4; expected at least 5"),
    "gaps": ({"measure": "alone", "groups": ["drug", "both"]}, ""),
    "repeats": ({"measure": "edge"}, ""),
}
"""Reliability -> as it is asked, and part of the reason why it is refused, if it is."""
STILL = {"still": {"text": "?", "measure": "constant", "sessions": ["before", "day"]}}


@dataclass(frozen=True)
class Told:
    """What check, design and run said of every question."""

    root: Path
    checked: dict[str, str]
    designed: dict[str, str]
    counted: dict[str, dict[str, int]]
    claimed: dict[str, dict[str, Any]]
    printed: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("foretold")
    write_trial(root)
    questions = {"sound": asked("edge", role="primary"), "scored": asked("score")}
    questions |= COUNTED | {name: question for name, (question, _) in FAULTS.items()}
    shared = {"text": "Does it?", "role": "exploratory", "measure": "seeded", "session": "day"}
    associations = {name: shared | own for name, (own, _) in ASSOCIATIONS.items()}
    repeated = {
        name: {"text": "Does it?", "sessions": ["before", "day"], **own}
        for name, (own, _) in RELIABILITIES.items()
    }
    trial = document(questions, associations=associations, reliability=repeated)
    code, printed = run_rated(root, trial)
    assert code == 0, printed
    protocol, index = read_protocol(root / "trial.yaml"), index_dataset(root / "bids", ())
    plan = look_ahead(root / "trial.yaml", index, check_dataset(protocol, index))
    assert plan.problems == ()
    return Told(
        root=root,
        checked={item.question: item.reason for item in plan.foreseen.questions}
        | {item.association: item.reason for item in plan.foreseen.associations}
        | plan.reliabilities,
        designed={item.question: item.refusal or item.out_of_reach for item in plan.designs},
        counted={item.question: item.n_per_group for item in plan.foreseen.questions},
        claimed={name: record_of(root / "out", name)["claim"] for name in questions},
        printed=printed,
    )


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_the_same_words_in_check_design_and_run(told: Told, name: str) -> None:
    reason, said = told.checked[name], FAULTS[name][1]
    assert reason
    assert said in reason
    assert told.designed[name] == reason
    assert told.claimed[name]["verdict"] == "refused"
    assert told.claimed[name]["sentence"] == f"{REFUSED}{reason}."


@pytest.mark.parametrize("name", ["sound", "scored", *COUNTED])
def test_what_can_be_answered_is_not_refused(told: Told, name: str) -> None:
    assert (told.checked[name], told.designed[name]) == ("", "")
    assert told.claimed[name]["verdict"] in {"found", "not found"}


@pytest.mark.parametrize("name", COUNTED)
def test_check_counts_who_is_in_the_model(told: Told, name: str) -> None:
    n_placebo = N_EACH - (name != "clda")  # which takes the baseline as an outcome
    assert told.counted[name] == {"drug": N_EACH, "placebo": n_placebo}
    assert told.claimed[name]["n_per_group"] == {**told.counted[name], "both": N_EACH}


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_associations_are_refused_in_the_words_of_run(told: Told, name: str) -> None:
    folder = told.root / "out" / "group" / f"association-{name.replace('_', '')}"
    found = json.loads((folder / "association.json").read_text())["content"]
    reason, said = told.checked[name], ASSOCIATIONS[name][1]
    assert said in reason
    assert bool(reason) == bool(said) == (found["verdict"] == "refused")
    assert reason in found["sentence"]


@pytest.mark.parametrize("name", RELIABILITIES)
def test_reliabilities_are_refused_in_the_words_of_run(told: Told, name: str) -> None:
    folder = told.root / "out" / "group" / f"reliability-{name}"
    found = json.loads((folder / "reliability.json").read_text())["result"]
    reason, said = told.checked.get(name, ""), RELIABILITIES[name][1]
    assert said in reason
    assert bool(reason) == bool(said) == (found["verdict"] == "refused")
    assert reason in found["sentence"]
    assert (f"reliability.{name}: {reason}" in told.printed) == bool(reason)


def test_who_is_left_out_is_told_beforehand(told: Told) -> None:
    assert told.checked["armless"].endswith(f"left out: {N_EACH} with rest in ses-week missing")


def test_run_says_first_how_many_it_will_answer(told: Told) -> None:
    n_asked = 2 + len(COUNTED) + len(FAULTS) + len(ASSOCIATIONS)
    line = f"Can be answered: {3 + len(COUNTED)} of {n_asked}"
    assert line in told.printed
    assert told.printed.index(line) < told.printed.index("First levels")
    assert f"questions.singular: {told.checked['singular']}" in told.printed


def test_a_primary_question_that_will_be_refused_is_exit_code_1(told: Told) -> None:
    path = told.root / "primary.yaml"
    (name, *others) = FAULTS
    questions = {key: question for key, (question, _) in FAULTS.items()}
    path.write_text(json.dumps(document(questions | {"sound": asked("edge", role="primary")})))
    code, printed = call("check", path, told.root / "bids")
    assert code == 0
    assert f"Will not be answered: {', '.join(FAULTS)}." in printed
    content = document({"sound": asked("edge", role="primary")}, reliability=STILL)
    path.write_text(json.dumps(content))
    for command in ("check", "design"):
        code, printed = call(command, path, told.root / "bids")
        assert code == 0
        assert "no: the outcome" in printed
    one = FAULTS[name][0] | {"role": "primary"}
    path.write_text(json.dumps(document({name: one, others[-1]: FAULTS[others[-1]][0]})))
    for command in ("check", "design"):
        assert call(command, path, told.root / "bids")[0] == 1


def test_designs_of_an_index_refuse_alike(told: Told) -> None:
    protocol, index = read_protocol(told.root / "trial.yaml"), index_dataset(told.root / "bids")
    summaries = describe_designs(protocol, index)
    for item in summaries:
        if item.question != "nowhere":  # names of outcomes are known once regions are placed
            assert (item.refusal or item.out_of_reach) == told.designed[item.question]


def test_one_list_of_problems_for_check_design_and_run(told: Told, tmp_path: Path) -> None:
    wrong = document(
        {"it": asked("score", role="primary"), "later": asked("absent")},
        intercurrent_events={"left": {"column": "nope", "value": "1", "strategy": "exclude"}},
    )
    wrong["scales"]["score"]["maximum"] = 25
    wrong["scales"]["absent"] = {"columns": ["one", "two"], "minimum": 0, "maximum": 9}
    path = tmp_path / "trial.yaml"
    path.write_text(json.dumps(wrong))
    bids = told.root / "bids"
    checked, listed = call("check", path, bids)
    designed, also = call("design", path, bids)
    ran, stopped = call("run", bids, tmp_path / "out", "group", "--protocol", path)
    assert (checked, designed, ran) == (1, 1, 1)

    def lines(text: str) -> set[str]:
        return {line for line in text.splitlines() if line.startswith("  - ")}

    assert lines(listed) == lines(also)
    assert lines(stopped) <= lines(listed)
    for words in ("expected 0 to 25", "nope"):
        assert words in "".join(lines(stopped))
    assert lines(stopped) == lines(listed.partition("phmri run will stop at these problems")[0])
    _, apart, left = listed.partition("phmri run will not stop at these:")
    assert apart
    assert "absent.tsv" in "".join(lines(left))
    assert "participant_id, session_id, one, two" in "".join(lines(listed))


def test_blockade_without_a_margin_is_answered_and_never_blocked(told: Told) -> None:
    question = asked("score", role="primary", blockade={"reference": "placebo"})
    path = told.root / "blockade.yaml"
    path.write_text(json.dumps(document({"it": question | {"contrast": ["drug", "both"]}})))
    assert call("check", path, told.root / "bids")[0] == 0
    code, printed = call("design", path, told.root / "bids")
    assert code == 0
    assert "no margin" in " ".join(printed.replace("│", " ").split())
    words = ("run", told.root / "bids", told.root / "out", "group", "--protocol", path)
    assert call(*words)[0] == 0
    assert record_of(told.root / "out", "it")["beside"]["blockade"]["verdict"] == "undecided"
