"""Intercurrent events through the command: answers, analysis table, counts, page (SIMULATED)."""

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.rated_trial import (
    rated_document,
    record_of,
    run_rated,
    write_ratings,
    write_series,
)
from tests.e2e.trees import call

ARMS = ("control", "drug", "both")
N = 36
STOPPED, RESCUED, GIVEN = {4, 9, 14}, {4, 8, 20, 25}, 40.0
LACKING, TOO_FEW = {1, 7}, {11}


def question(measure: str, estimator: str, **more: object) -> dict[str, object]:
    return {
        "text": f"Does {measure} differ?",
        "role": "secondary",
        "measure": measure,
        "contrast": ["drug", "control"],
        "session": "day",
        "estimator": estimator,
        **more,
    }


def document() -> dict[str, Any]:
    items = {"columns": ["one", "two"], "minimum": -100, "maximum": 200}
    items |= {"item_minimum": -50, "item_maximum": 100}
    scale = {**items, "missing_items": "prorate", "min_items_answered": 0.5}
    part = {"columns": ["one", "two"], "file": "mood", "minimum": -100, "maximum": 200}
    part |= {"item_minimum": -50, "item_maximum": 100}
    part |= {"missing_items": "prorate", "min_items_answered": 1.0}
    event = {"value": "yes"}
    return rated_document(
        {"kind": "parallel", "arms": {name: {"treatment": name} for name in ARMS}},
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}},
        {name: {} for name in ARMS},
        scales={"mood": {**scale, "file": "mood"}, "strict": part},
        questions={
            "given": question("mood", "post", populations=["everyone", "calm"], role="primary"),
            "missing": question("strict", "mmrm", baseline="before", populations=["everyone"]),
            "first": question("mood", "post", alternative="less", family="plan"),
            "later": question(
                "mood",
                "post",
                contrast=["drug", "both"],
                blockade={"reference": "control", "margin": 1.0},
                family="plan",
            ),
        },
        families={"plan": {"correction": "fixed_sequence", "sequence": ["first", "later"]}},
        intercurrent_events={
            "stopped": {
                "label": "infusion stopped",
                "column": "stopped",
                "strategy": "composite",
                "composite_value": GIVEN,
                "measures": ["mood"],
                **event,
            },
            "rescued": {
                "column": "rescued",
                "strategy": "hypothetical",
                "measures": ["strict"],
                **event,
            },
        },
        populations={
            "everyone": {"label": "all randomised"},
            "calm": {"label": "infusion not stopped", "exclude_events": ["stopped"]},
        },
        associations={
            "together": {
                "text": "Do they go together?",
                "role": "exploratory",
                "measure": "edge",
                "scale": "mood",
                "session": "day",
                "method": "spearman",
            }
        },
    )


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("events"), np.random.default_rng(9)
    names = [f"{k:02d}" for k in range(N)]
    people = pd.DataFrame(
        {
            "participant_id": names,
            "arm": [ARMS[k % 3] for k in range(N)],
            "stopped": ["yes" if k in STOPPED else "no" for k in range(N)],
            "rescued": ["yes" if k in RESCUED else "no" for k in range(N)],
        }
    )
    rows: list[tuple[object, ...]] = []
    for k, name in enumerate(names):
        level = rng.normal(0, 3)
        for session in ("before", "day"):
            write_series(root / "bids", name, session, rng.normal(size=(40, 2)))
            shift = {"drug": 30.0, "both": 2.0}.get(ARMS[k % 3], 0.0) * (session == "day")
            one, two = (np.round(level + shift / 2 + rng.normal(0, 2, 2), 1)).tolist()
            lacks = session == "day" and k in LACKING | TOO_FEW
            rows.append((name, session, one, np.nan if lacks else two))
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "one", "two"])
    write_ratings(root / "bids", people, {"mood": table})
    code, printed = run_rated(root, document())
    assert code == 0, printed
    return root


def analysed(trial: Path, name: str) -> pd.DataFrame:
    """Filter the rows of a question as docs/trial.md says."""
    table = pd.read_csv(trial / "out" / "group" / "analysis.tsv", sep="\t", na_values="n/a")
    asked = table["questions"].fillna("").str.split(",").map(lambda names: name in names)
    after = table["phase"] != "baseline"
    return table[asked & after & table["value_analysed"].notna()]


def refit(rows: pd.DataFrame, *columns: str) -> float:
    """Estimate drug minus control by least squares, a mean per arm."""
    arms = [(rows["group"] == arm).to_numpy(float) for arm in ARMS]
    X = np.column_stack([*arms, *(rows[name] for name in columns)])
    b = np.linalg.lstsq(X, rows["value_analysed"].to_numpy(float), rcond=None)[0]
    return float(b[1] - b[0])


def test_the_table_gives_the_answer_with_a_composite(trial: Path) -> None:
    rows = analysed(trial, "given")
    (peak,) = record_of(trial / "out", "given")["claim"]["peaks"]
    assert refit(rows) == pytest.approx(peak["effect"], rel=1e-9)
    touched = rows[rows["event_stopped"] == True]  # noqa: E712 - a column
    assert touched["value_analysed"].tolist() == [GIVEN] * len(STOPPED)
    assert (touched["value"] != GIVEN).all()
    raw = rows.assign(value_analysed=rows["value"])
    assert refit(raw) != pytest.approx(peak["effect"], rel=1e-3)


def test_the_table_gives_the_answer_with_a_hypothetical(trial: Path) -> None:
    rows = analysed(trial, "missing")
    (peak,) = record_of(trial / "out", "missing")["claim"]["peaks"]
    assert refit(rows, "baseline") == pytest.approx(peak["effect"], rel=1e-7)
    counts = record_of(trial / "out", "missing")["claim"]["n_per_group"]
    assert counts == rows.groupby("group")["participant_id"].nunique().to_dict()


def test_events_stand_at_the_outcomes_that_they_concern(trial: Path) -> None:
    table = pd.read_csv(trial / "out" / "group" / "analysis.tsv", sep="\t", na_values="n/a")
    mood, strict = (table[table["outcome"] == name] for name in ("mood", "strict"))
    assert mood["event_rescued"].isna().all()
    assert strict["event_stopped"].isna().all()
    assert mood["event_stopped"].sum() == len(STOPPED)
    gone = strict[strict["event_rescued"] == True]  # noqa: E712 - a column
    assert len(gone) == len(RESCUED)
    assert gone["value"].notna().all()
    assert gone["value_analysed"].isna().all()
    words = json.loads((trial / "out" / "group" / "analysis.json").read_text())
    assert words["event_stopped"]["Strategy"] == "composite"
    assert words["event_stopped"]["CompositeValue"] == GIVEN
    assert words["event_rescued"]["Outcomes"] == ["strict"]


def test_populations_count_as_the_claim_does(trial: Path) -> None:
    for name in ("given",):
        record = record_of(trial / "out", name)
        assert record["beside"]["populations"][0]["n_per_group"] == record["claim"]["n_per_group"]


def test_answers_say_what_events_did(trial: Path) -> None:
    notes = " ".join(record_of(trial / "out", "given")["claim"]["notes"])
    assert (
        "Intercurrent event 'infusion stopped' (composite): 3 sessions of 3 participants given "
        "the score 40."
    ) in notes
    assert "rescued" not in notes
    assert "2 lacked items" not in notes  # 3 did: all have enough for this scale
    assert "3 lacked items and were prorated, and 0 had too few" in notes
    others = " ".join(record_of(trial / "out", "missing")["claim"]["notes"])
    assert "(hypothetical): 4 sessions of 4 participants counted as missing." in others


def test_a_family_is_in_the_claim_of_its_members(trial: Path) -> None:
    first, later = (record_of(trial / "out", name) for name in ("first", "later"))
    assert first["claim"]["verdict"] == "not found"
    assert later["claim"]["verdict"] == "not tested"
    assert later["alone"]["verdict"] == "found"
    for record in (first, later):
        said = " ".join(record["claim"]["sentences"])
        assert "share one error rate" in said
        assert "Each question has" not in said
    assert record_of(trial / "out", "given")["alone"] is None
    # Read back, the answer is settled from what it was alone.
    code, printed = run_rated(trial, document())
    assert code == 0, printed
    assert record_of(trial / "out", "later") == later


def test_the_page_tells_of_events_families_and_sides(trial: Path) -> None:
    page = (trial / "out" / "report" / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<svg.*?</svg>|<.*?>", " ", page)))
    shuffled = (
        "How p was made Shuffled Whose scores go with whose outcomes, within each arm only, after "
        "a mean per arm was taken out."
    )
    for words in (
        shuffled,
        "infusion stopped stopped = yes in participants.tsv",
        "mood: 3 sessions of 3 participants given the score 40",
        "strict: 4 sessions of 4 participants counted as missing",
        "Intercurrent events infusion stopped (composite)",
        "Population all randomised; n = ",
        "infusion not stopped",
        "What would have been without rescued",
        "Of 72 ratings of mood, 3 lacked items and were prorated",
        "blockade: not claimed, by its family",
        "95 % two-sided",
        "one-sided, one number",
        "; one-sided p ",
        "together. The outcome was regressed on the score, ranked,",
        "rho, 95 %",
    ):
        assert words in text, words
    assert "1 outcomes" not in text


def test_check_and_design_count_after_events(trial: Path) -> None:
    counts = record_of(trial / "out", "missing")["claim"]["n_per_group"]
    _, printed = call("design", trial / "trial.yaml", trial / "bids")
    in_order = ", ".join(f"{arm} {counts[arm]}" for arm in ("control", "drug", "both"))
    assert counts["drug"] < 10
    assert in_order in printed
    excluding = document()
    excluding["intercurrent_events"]["rescued"]["strategy"] = "exclude"
    path = trial / "excluded.yaml"
    path.write_text(json.dumps(excluding))
    _, checked = call("check", path, trial / "bids")
    _, designed = call("design", path, trial / "bids")
    assert "drug 8, control 12 (and both 9)" in checked
    assert "control 12, drug 8, both 9" in designed
