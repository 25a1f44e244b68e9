"""Baselines that nobody differs in, too few people, an arm without a session, a faulty table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import check_dataset, index_dataset
from phmri.pipeline import look_ahead
from phmri.protocol import read_protocol
from tests.e2e.rated_trial import (
    rated_document,
    record_of,
    row_of,
    run_rated,
    write_ratings,
    write_series,
)
from tests.e2e.trees import call

ARMS = ("drug", "both", "placebo")
SESSIONS = ("before", "day", "week")
NOTE = (
    "The baseline is 0 in everyone compared: it says nothing of the outcome, and was left out of "
    "the model."
)
ARMLESS = (
    "No one of drug has data in ses-week: what the model says of drug rests on its other sessions."
)
HOLM = {"inference": {"method": "holm"}}


def asked(measure: str, estimator: str, **more: object) -> dict[str, object]:
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


WITHOUT = ("ancova", "robust", "rank", "ordinal", "clda", "mmrm", "mixed", "blocked")
"""Questions whose model would take the baseline in."""
SCORED = {
    name: asked("score", name)
    for name in ("ancova", "rank", "ordinal", "clda", "mmrm", "mixed", "change", "post")
} | {
    "robust": asked("score", "ancova", errors="hc3"),
    "blocked": asked(
        "score", "ancova", blockade={"reference": "placebo"}, contrast=["drug", "both"]
    ),
}
MEASURED = {name: asked("edge", name, where={"at": "a~b"}) for name in ("clda", "mixed", "mmrm")}


def document(questions: Mapping[str, object]) -> dict[str, Any]:
    return rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": arm} for arm in ARMS}},
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}, "week": {"phase": "acute"}},
        {arm: {} for arm in ARMS},
        scales={"score": {"columns": ["score"], "minimum": 0, "maximum": 60}},
        questions=questions,
    )


def write_trial(root: Path, n_each: int, *, gone: str) -> None:
    """Write scores that are 0 before the drug, and runs that ``gone`` lacks in week."""
    rng = np.random.default_rng(5)
    labels = [f"{k:02d}" for k in range(1, n_each * len(ARMS) + 1)]
    people = pd.DataFrame({"participant_id": labels, "arm": list(ARMS) * n_each})
    table = people.merge(pd.DataFrame({"session_id": SESSIONS}), how="cross")
    given = table["arm"].map({"drug": 5.0, "both": 2.0, "placebo": 0.0})
    drawn = np.clip(given + rng.normal(4, 3, len(table)), 0, None).round()
    table["score"] = drawn.mask(table["session_id"] == "before", 0.0)
    columns = ["participant_id", "session_id", "score"]
    write_ratings(root / "bids", people, {"score": table[columns]})
    for row in table.itertuples():
        if row.session_id != "week" or gone not in {row.arm, row.participant_id}:
            courses = rng.normal(size=(40, 2))
            write_series(root / "bids", row.participant_id, row.session_id, courses)


@dataclass(frozen=True)
class Told:
    """What check, design and run said of every question."""

    root: Path
    checked: dict[str, str]
    noted: dict[str, tuple[str, ...]]
    columns: dict[str, tuple[str, ...]]
    claimed: dict[str, dict[str, Any]]


def tell(root: Path, questions: dict[str, Any]) -> Told:
    questions = {key: question | {"role": "secondary"} for key, question in questions.items()}
    questions[next(iter(questions))]["role"] = "primary"
    code, printed = run_rated(root, document(questions))
    assert code == 0, printed
    protocol, index = read_protocol(root / "trial.yaml"), index_dataset(root / "bids", ())
    plan = look_ahead(root / "trial.yaml", index, check_dataset(protocol, index))
    return Told(
        root=root,
        checked={item.question: item.reason for item in plan.foreseen.questions},
        noted={item.question: item.notes for item in plan.designs},
        columns={item.question: item.columns for item in plan.designs},
        claimed={name: record_of(root / "out", name)["claim"] for name in questions},
    )


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("degenerate")
    write_trial(root, 8, gone="drug")
    return tell(root, SCORED | {f"edge_{name}": asked for name, asked in MEASURED.items()})


@pytest.mark.parametrize("name", SCORED)
def test_scores_that_start_at_zero_are_answered(answered: Told, name: str) -> None:
    assert answered.checked[name] == ""
    assert answered.claimed[name]["verdict"] in {"found", "not found"}
    for notes in (answered.noted[name], answered.claimed[name]["notes"]):
        assert (NOTE in notes) == (name in WITHOUT)
    assert not any("baseline" in column for column in answered.columns[name])


def test_the_report_says_so_too(answered: Told) -> None:
    page = (answered.root / "out" / "report" / "index.html").read_text()
    assert page.count(NOTE) >= len(WITHOUT)
    assert page.count(ARMLESS) >= len(MEASURED)


def test_answers_are_those_without_a_baseline(answered: Told) -> None:
    found = {name: row_of(answered.root / "out", name) for name in SCORED}
    for name in ("ancova", "change"):
        for column in ("effect", "t", "p"):
            if column in found["post"]:
                assert found[name][column] == pytest.approx(found["post"][column], rel=1e-9)
    for column in ("effect", "t", "df"):
        assert found["clda"][column] == pytest.approx(found["mmrm"][column], rel=1e-6)
    assert record_of(answered.root / "out", "blocked")["beside"]["blockade"] is not None


@pytest.mark.parametrize("name", MEASURED)
def test_an_arm_without_a_session_is_told_in_the_same_words(answered: Told, name: str) -> None:
    name = f"edge_{name}"
    assert ARMLESS in answered.noted[name]
    assert ARMLESS in answered.claimed[name]["notes"]
    assert not any(ARMLESS in answered.noted[other] for other in SCORED)


def test_too_few_for_a_covariance_are_foreseen(tmp_path: Path) -> None:
    write_trial(tmp_path, 2, gone="03")
    told = tell(tmp_path, {name: MEASURED[name] | HOLM for name in ("mixed", "clda", "mmrm")})
    assert told.checked["mixed"] == ""
    for name in ("clda", "mmrm"):
        reason, claim = told.checked[name], told.claimed[name]
        assert "too few participants to estimate a covariance of" in reason
        assert "found 5 participants with data in all of these" in reason
        assert claim["verdict"] == "refused"
        assert claim["sentence"] == f"This question was not answered: {reason}."


def test_a_faulty_table_is_not_read_rather_than_missing(tmp_path: Path) -> None:
    write_trial(tmp_path, 2, gone="")
    table = tmp_path / "bids" / "phenotype" / "score.tsv"
    lines = table.read_text().splitlines()
    lines[5] = lines[5].rpartition("\t")[0] + "\t61"
    table.write_text("\n".join([*lines, ""]))
    path = tmp_path / "trial.yaml"
    path.write_text(json.dumps(document({"it": asked("score", "post", role="primary")})))
    code, printed = call("check", path, tmp_path / "bids")
    shown = " ".join(printed.replace("│", " ").split())
    assert code == 1
    assert "6 broken: phenotype/score.tsv" in shown
    assert "missing" not in shown
    assert shown.count("the value is out of range") == 1
    told = "found broken: phenotype/score.tsv was not read, see its problems"
    protocol, index = read_protocol(path), index_dataset(tmp_path / "bids", ())
    plan = look_ahead(path, index, check_dataset(protocol, index))
    (item,) = plan.foreseen.questions
    assert told in item.reason
