"""An MMRM of several outcomes, each with its own baseline, through the commands (SIMULATED)."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.rated_trial import (
    SERIES,
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
EDGES = ("a~b", "a~c", "b~c")
LOST = {("s03", "day"), ("s10", "week"), ("s17", "week"), ("s05", "before")}
N_EACH = 8


def asked(**more: object) -> dict[str, object]:
    return {
        "text": "Does it?",
        "role": "secondary",
        "measure": "edge",
        "contrast": ["drug", "both"],
        "session": "day",
        "baseline": "before",
        "estimator": "mmrm",
        "inference": {"method": "holm"},
        "blockade": {"reference": "placebo", "margin": 0.2},
        **more,
    }


LASTING = {"contrast": ["drug", "placebo"], "session": "week", "persistence": {"early": "day"}}
QUESTIONS = {
    "map": asked(role="primary"),
    **{f"alone{k}": asked(where={"at": edge}) for k, edge in enumerate(EDGES)},
    "lasting": asked(**LASTING, blockade=None),
    "lastingalone0": asked(**LASTING, blockade=None, where={"at": EDGES[0]}),
    "clustered": asked(errors="cr2"),
    "clusteredalone0": asked(errors="cr2", where={"at": EDGES[0]}),
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("mmrm")
    rng = np.random.default_rng(8)
    people = [f"s{k:02d}" for k in range(len(ARMS) * N_EACH)]
    arm_of = {subject: ARMS[k % len(ARMS)] for k, subject in enumerate(people)}
    for subject in people:
        own = 0.4 * rng.normal()
        for session in SESSIONS:
            if (subject, session) in LOST:
                continue
            shared = 0.8 + own + (1.5 if (arm_of[subject], session) == ("drug", "day") else 0.0)
            common = rng.normal(size=(60, 1))
            write_series(
                root / "bids", subject, session, shared * common + rng.normal(size=(60, 3))
            )
    table = pd.DataFrame({"participant_id": people, "arm": list(arm_of.values())})
    write_ratings(root / "bids", table, {})
    document = rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": arm} for arm in ARMS}},
        {
            "before": {"phase": "baseline"},
            "day": {"phase": "acute"},
            "week": {"phase": "sustained", "hours_after": 168},
        },
        {arm: {} for arm in ARMS},
        questions={
            name: {key: value for key, value in question.items() if value is not None}
            for name, question in QUESTIONS.items()
        },
    )
    document["regions"] = {name: {"kind": "series", "columns": [name]} for name in "abc"}
    document["measures"] = {"edge": SERIES["measures"]["edge"] | {"regions": ["a", "b", "c"]}}
    code, printed = run_rated(root, document)
    assert code == 0, printed
    return root, document


def edges_of(out: Path, name: str) -> pd.DataFrame:
    folder = out / "group" / f"question-{name}"
    return pd.read_csv(folder / f"{folder.name}_stats.tsv", sep="\t")


@pytest.mark.parametrize(
    ("several", "one", "n"),
    [("map", "alone", 3), ("lasting", "lastingalone", 1), ("clustered", "clusteredalone", 1)],
)
def test_every_edge_is_as_if_asked_alone(
    trial: tuple[Path, dict[str, Any]], several: str, one: str, n: int
) -> None:
    out = trial[0] / "out"
    table = edges_of(out, several)
    assert len(table) == len(EDGES)
    for k in range(n):
        alone = row_of(out, f"{one}{k}")
        for column in ("effect", "se", "df", "d", "puncorrected"):
            assert table[column][k] == pytest.approx(alone[column], rel=1e-7), column
        assert table["status"][k] == alone["status"] == 0


def test_blockade_of_the_strongest_edge_is_that_of_it_alone(
    trial: tuple[Path, dict[str, Any]],
) -> None:
    out = trial[0] / "out"
    found = record_of(out, "map")
    strongest = int(edges_of(out, "map")["puncorrected"].argmin())
    alone = record_of(out, f"alone{strongest}")["beside"]["blockade"]
    blockade = found["beside"]["blockade"]
    for part in ("drug", "pretreated", "difference"):
        assert blockade[part]["effect"] == pytest.approx(alone[part]["effect"], rel=1e-7)
        assert blockade[part]["pvalue"] == pytest.approx(alone[part]["pvalue"], rel=1e-6)
    sentences = " ".join(found["claim"]["sentences"])
    assert "was a covariate with a slope per session, fitted anew in every outcome" in sentences
    assert "3 of 46 outcomes were missing" in sentences


def test_who_has_no_baseline_is_left_out(trial: tuple[Path, dict[str, Any]]) -> None:
    claim = record_of(trial[0] / "out", "map")["claim"]
    assert sum(claim["n_per_group"].values()) == len(ARMS) * N_EACH - 1


def test_design_tells_of_the_baseline(trial: tuple[Path, dict[str, Any]]) -> None:
    root = trial[0]
    printed = call("design", root / "trial.yaml", root / "bids")[1]
    shown = re.sub(r"[│\s]+", " ", printed).split("alone0 ")[0]
    assert "model 8 columns (arm:drug:day," in shown
    assert "own baseline in each of 2 sessions), 35 residual degrees of freedom" in shown
