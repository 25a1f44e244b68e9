"""A blockade over two experiments of different people through the command (SIMULATED)."""

import json
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

HERE = Path(__file__).parents[1] / "oracle" / "two_experiments"
EXPERIMENT = {"KET": "one", "PLA": "one", "PLAKET": "two", "LTGKET": "two"}


def document(rows: pd.DataFrame) -> dict[str, Any]:
    def ask(**more: object) -> dict[str, Any]:
        return {
            "text": "Does lamotrigine block ketamine?",
            "role": "secondary",
            "measure": "felt",
            "contrast": ["PLAKET", "LTGKET"],
            "estimator": "mixed",
            "blockade": {"reference": "PLA", "reference_drug": "KET", "margin": 1.5},
            **more,
        }

    orders = rows.groupby("sequence")["treatment"].agg(list).map(lambda all_: all_[:2])
    return rated_document(
        {
            "kind": "crossover",
            "sequences": {
                label: {
                    "experiment": EXPERIMENT[order[0]],
                    "treatments": order,
                    "n_planned": 8,
                }
                for label, order in orders.items()
            },
        },
        {f"p{period}": {"phase": "acute", "period": period} for period in (1, 2)},
        {label: {"label": label.lower()} for label in EXPERIMENT},
        scales={"felt": {"columns": ["y"], "minimum": -100, "maximum": 100}},
        questions={"pooled": ask(role="primary"), "apart": ask(errors="cr2")},
    )


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two_experiments")
    rows = pd.read_csv(HERE / "two_experiments.csv")
    rows["sequence"] = rows["sequence"].str.replace("_", "")
    rows["session_id"] = [f"p{period}" for period in rows["period"]]
    rows = rows.rename(columns={"subject": "participant_id"})
    people = rows.drop_duplicates("participant_id")[["participant_id", "sequence"]]
    scale = rows[["participant_id", "session_id", "y"]]
    write_ratings(root / "bids", people, {"felt": scale})
    courses = np.random.default_rng(0).normal(size=(40, 2))
    write_series(root / "bids", "a01", "p1", courses)
    code, printed = run_rated(root, document(rows))
    assert code == 0, printed
    return root


def expected() -> dict[str, Any]:
    return dict(json.loads((HERE / "two_experiments.json").read_text()))


def test_three_effects_of_one_model(trial: Path) -> None:
    found = record_of(trial / "out", "pooled")["beside"]["blockade"]
    for name, theirs in expected()["y"]["kenward_roger"].items():
        assert found[name]["effect"] == pytest.approx(theirs["estimate"], rel=1e-6)
        assert found[name]["df"] == pytest.approx(theirs["df"], rel=1e-4)
    assert found["drug"]["name"] == "ket − pla"
    assert found["difference"]["name"] == "plaket − ltgket"
    assert found["pretreated"]["name"] == "effect − removed"


def test_each_experiment_by_itself(trial: Path) -> None:
    found = record_of(trial / "out", "apart")["beside"]["blockade"]
    for name, theirs in expected()["halves"].items():
        assert found[name]["effect"] == pytest.approx(theirs["estimate"], rel=1e-9)
    assert found["drug"]["df"] == pytest.approx(14)
    assert found["verdict"] == "blocked"


def test_assumption_is_said_in_claim_and_blockade(trial: Path) -> None:
    record = record_of(trial / "out", "apart")
    assert any("do the same in both experiments is assumed" in n for n in record["claim"]["notes"])
    said = " ".join(record["beside"]["blockade"]["sentences"])
    assert "it takes ket to do the same in both experiments" in said
    pooled = " ".join(record_of(trial / "out", "pooled")["claim"]["notes"])
    assert "of both experiments to vary alike" in pooled
    assert sum(record["claim"]["n_per_group"].values()) == 29


def test_design_says_what_is_compared_and_assumed(trial: Path) -> None:
    code, printed = call("design", trial / "trial.yaml")
    assert code == 0, printed
    words = " ".join(printed.replace("│", " ").split())
    assert "KET - PLA (in other people)" in words
    assert "do the same in both experiments is assumed" in words
