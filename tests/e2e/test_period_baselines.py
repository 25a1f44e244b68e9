"""Crossovers adjusted for the baseline of each period, through the commands (SIMULATED)."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import check_dataset, index_dataset
from phmri.pipeline._populations import Counted
from phmri.pipeline._ratings import Rating, gather_ratings
from phmri.pipeline._units import find_units
from phmri.protocol import Protocol
from tests.e2e.rated_trial import (
    rated_document,
    record_of,
    row_of,
    run_rated,
    write_ratings,
    write_series,
)
from tests.e2e.trees import call, write_json, write_table

REFERENCE = Path(__file__).parents[1] / "oracle" / "period_baselines"
EXPECTED: dict[str, Any] = json.loads((REFERENCE / "period_baselines.json").read_text())
LASTING = "The baselines of later periods were measured after an earlier treatment"
SAME = "no period was adjusted for its own"


def question(measure: str, estimator: str, **more: object) -> dict[str, object]:
    return {
        "text": f"Does {measure} differ?",
        "role": "primary",
        "measure": measure,
        "contrast": ["KET", "PLA"],
        "estimator": estimator,
        "period_baseline": True,
        **more,
    }


def write_trial(root: Path, name: str, questions: Mapping[str, object]) -> dict[str, Any]:
    """Write a trial of the scales ``whole``, ``missing`` and ``floor``; give its protocol."""
    rows = pd.read_csv(REFERENCE / f"{name}.csv").rename(columns={"subject": "participant_id"})
    after = rows.assign(session_id="p" + rows["period"].astype(str), whole=rows["y"])
    before = rows.assign(session_id="b" + rows["period"].astype(str), whole=rows["b"])
    after["missing"], before["missing"] = after["y"], before["b_missing"]
    after["floor"], before["floor"] = after["y"], 0.0
    table = pd.concat([after, before])
    orders = {sequence: sequence.split("_") for sequence in dict.fromkeys(rows["sequence"])}
    scales = ("whole", "missing", "floor")
    document = rated_document(
        {
            "kind": "crossover",
            "sequences": {
                label: {"treatments": order, "n_planned": 6} for label, order in orders.items()
            },
        },
        {
            f"{letter}{period}": {"phase": phase, "period": int(period)}
            for period in sorted(set(rows["period"]))
            for letter, phase in (("b", "baseline"), ("p", "acute"))
        },
        {label: {} for label in sorted(set(rows["treatment"]))},
        scales={scale: {"columns": [scale], "minimum": -100, "maximum": 100} for scale in scales},
        questions=questions,
    )
    write_ratings(
        root / "bids",
        rows.drop_duplicates("participant_id")[["participant_id", "sequence"]],
        {
            scale: table.loc[table[scale].notna(), ["participant_id", "session_id", scale]]
            for scale in scales
        },
    )
    courses = np.random.default_rng(0).normal(size=(40, 2))
    write_series(root / "bids", rows["participant_id"].iloc[0], "p1", courses)
    return document


def told(root: Path, document: Mapping[str, object], *words: str) -> str:
    """Give what a command prints of the trial, without the lines of tables."""
    path = root / "trial.yaml"
    path.write_text(json.dumps(document, indent=1))
    printed = call(words[0], path, *(root / word for word in words[1:]))[1]
    return re.sub(r"[│\s]+", " ", printed)


def assert_row(found: pd.Series, r: Mapping[str, float], tolerance: float = 1e-9) -> None:
    assert found["effect"] == pytest.approx(r["estimate"], rel=tolerance)
    assert found["se"] == pytest.approx(r["se"], rel=tolerance)


# -------------------------------------------------------------------------------- two periods
@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("two")
    document = write_trial(
        root,
        "two",
        {
            "halves": question("whole", "crossover"),
            "random": question("whole", "mixed"),
            "missing": question("missing", "mixed"),
            "lacking": question("missing", "crossover"),
            "floor": question("floor", "crossover"),
            "plain": question("floor", "crossover", period_baseline=False),
            "floor_mixed": question("floor", "mixed"),
        },
    )
    code, printed = run_rated(root, document)
    assert code == 0, printed
    return root, document


def test_two_periods(two: tuple[Path, dict[str, Any]]) -> None:
    out = two[0] / "out"
    assert_row(row_of(out, "halves"), EXPECTED["halves"])
    claim = record_of(out, "halves")["claim"]
    assert claim["df"] == EXPECTED["halves"]["df"]
    assert any("adjusted for the baseline of each period" in text for text in claim["sentences"])
    assert any(text.startswith(LASTING) for text in claim["notes"])
    assert any("were estimated without the baselines" in text for text in claim["notes"])
    for name, column in (("random", "b"), ("missing", "b_missing")):
        assert_row(row_of(out, name), EXPECTED["two"][column]["kenward_roger"], 1e-6)
    notes = record_of(out, "missing")["claim"]["sentences"]
    assert any("Each period was adjusted for its own baseline" in text for text in notes)


def test_who_lacks_a_baseline_is_told(two: tuple[Path, dict[str, Any]]) -> None:
    root, document = two
    claim = record_of(root / "out", "lacking")["claim"]
    assert sum(claim["n_per_group"].values()) == 14
    checked = told(root, document, "check", "bids")
    assert "KET_PLA 8, PLA_KET 6" in checked
    table = pd.read_csv(root / "out" / "group" / "analysis.tsv", sep="\t")
    rows = pd.read_csv(REFERENCE / "two.csv")
    whole = table[(table["outcome"] == "whole") & (table["phase"] == "acute")]
    merged = whole.assign(subject=whole["participant_id"].str[4:]).merge(rows)
    np.testing.assert_allclose(merged["baseline"], merged["b"])
    np.testing.assert_allclose(merged["change"], merged["y"] - merged["b"])


def test_a_floor_at_baseline_is_left_out_with_a_note(two: tuple[Path, dict[str, Any]]) -> None:
    root, document = two
    floor, plain = row_of(root / "out", "floor"), row_of(root / "out", "plain")
    pd.testing.assert_series_equal(floor, plain)
    for name in ("floor", "floor_mixed"):
        claim = record_of(root / "out", name)["claim"]
        assert any(SAME in text for text in claim["notes"])
        assert not any("own baseline" in text for text in claim["sentences"])
        assert not any("adjusted for the baseline" in text for text in claim["sentences"])
    assert SAME in told(root, document, "design", "bids")


def test_design_says_what_it_adjusts_for(two: tuple[Path, dict[str, Any]]) -> None:
    for words in (("design",), ("design", "bids")):
        printed = told(*two, *words)
        assert "adjusted for the baseline of each period, " in printed
        assert "baseline within, baseline between" in printed


# ------------------------------------------------------------------------------ three periods
def test_three_periods(tmp_path: Path) -> None:
    document = write_trial(
        tmp_path,
        "three",
        {
            "whole": question("whole", "crossover"),
            "missing": question("missing", "crossover", blockade={"reference": "LTG"}),
            "random": question("missing", "mixed"),
        },
    )
    code, printed = run_rated(tmp_path, document)
    assert code == 0, printed
    out = tmp_path / "out"
    assert_row(row_of(out, "whole"), EXPECTED["periods"]["b"])
    assert_row(row_of(out, "missing"), EXPECTED["periods"]["b_missing"])
    assert_row(row_of(out, "random"), EXPECTED["three"]["b_missing"]["kenward_roger"], 1e-6)
    record = record_of(out, "missing")
    assert record["claim"]["df"] == EXPECTED["periods"]["b_missing"]["df"]
    assert record["beside"]["blockade"]["difference"]["effect"] == pytest.approx(
        EXPECTED["periods"]["b_missing"]["estimate"], rel=1e-9
    )


def test_a_period_counts_with_run_and_baseline_alone(tmp_path: Path) -> None:
    asked = {name: question("whole", name) for name in ("crossover", "mixed")}
    document = write_trial(tmp_path, "three", asked)
    protocol = Protocol.model_validate(document)
    index = index_dataset(tmp_path / "bids")
    check = check_dataset(protocol, index)
    ratings = gather_ratings(protocol, index, check)
    for key in (("b01", "b2"), ("b02", "p3"), ("b03", "b1"), ("b03", "p2"), ("b04", "b1")):
        del ratings[(*key, "whole")]
    counted = Counted(check=check, left_out={}, missing={}, scores={})
    for name, left in (("crossover", {"b03"}), ("mixed", set[str]())):
        units = find_units(protocol, name, index=index, counted=counted, sources=ratings)
        assert set(units.left_out) == left
        assert units.present is not None
        periods = [units.present[subject] for subject in ("b01", "b02", "b04")]
        assert periods == [{1, 3}, {1, 2}, {2, 3}]
        pairs = zip(
            units.visits, units.runs["periods"], units.runs["baseline-periods"], strict=True
        )
        for (subject, period), run, before in pairs:
            assert isinstance(run, Rating)
            assert isinstance(before, Rating)
            assert run.key == (subject, f"p{period}", "whole")
            assert before.key == (subject, f"b{period}", "whole")


# -------------------------------------------------------------------- several outcomes, measured
REGIONS = ("a", "b", "c")
SESSIONS = ("b1", "p1", "b2", "p2")


def write_runs(bids: Path, groups: Mapping[str, str]) -> dict[tuple[str, str], np.ndarray]:
    """Write series of three regions, none of ``08`` at ``b2``; give Fisher's z of the edges."""
    rng = np.random.default_rng(7)
    edges = {}
    for subject in groups:
        mixing = rng.normal(size=(3, 3))
        for session in SESSIONS:
            if (subject, session) == ("08", "b2"):
                continue
            courses = rng.normal(size=(60, 3)) @ (mixing + 0.3 * rng.normal(size=(3, 3)))
            folder = bids / f"sub-{subject}" / f"ses-{session}" / "func"
            stem = f"sub-{subject}_ses-{session}_task-rest_timeseries"
            write_table(
                folder / f"{stem}.tsv", dict(zip(REGIONS, courses.T.tolist(), strict=True))
            )
            write_json(folder / f"{stem}.json", {"RepetitionTime": 2.0})
            r = np.corrcoef(courses.round(12).T)[np.triu_indices(3, 1)]
            edges[subject, session] = np.arctanh(r)
    return edges


def test_every_edge_has_baselines_of_its_own(tmp_path: Path) -> None:
    groups = {f"{k:02d}": ("KP", "PK")[k % 2] for k in range(1, 12)}
    asked = question("edge", "crossover")
    document = rated_document(
        {
            "kind": "crossover",
            "sequences": {
                "KP": {"treatments": ["KET", "PLA"]},
                "PK": {"treatments": ["PLA", "KET"]},
            },
        },
        {
            label: {"phase": {"b": "baseline", "p": "acute"}[label[0]], "period": int(label[1])}
            for label in SESSIONS
        },
        {"KET": {}, "PLA": {}},
        questions={"edges": asked},
    )
    document["regions"] = {name: {"kind": "series", "columns": [name]} for name in REGIONS}
    document["measures"]["edge"]["regions"] = list(REGIONS)
    people = pd.DataFrame({"participant_id": groups.keys(), "sequence": groups.values()})
    write_ratings(tmp_path / "bids", people, {})
    edges = write_runs(tmp_path / "bids", groups)
    code, printed = run_rated(tmp_path, document)
    assert code == 0, printed
    claim = record_of(tmp_path / "out", "edges")["claim"]
    assert claim["n_per_group"] == {"KP": 4, "PK": 6}
    assert claim["df"] == 10 - 3
    whole = [subject for subject in groups if subject != "08"]
    first = np.array([groups[subject] == "KP" for subject in whole])

    def half(letter: str) -> np.ndarray:
        return np.array([(edges[s, f"{letter}1"] - edges[s, f"{letter}2"]) / 2 for s in whole])

    y, b = half("p"), half("b")
    found = pd.read_csv(
        tmp_path / "out" / "group" / "question-edges" / "question-edges_stats.tsv", sep="\t"
    )
    for v in range(3):
        X = np.column_stack([first, ~first, b[:, v]]).astype(float)
        slopes = np.linalg.lstsq(X, y[:, v], rcond=None)[0]
        assert found["effect"][v] == pytest.approx(slopes[0] - slopes[1], rel=1e-6)
    document["questions"]["edges"] = {**asked, "estimator": "mixed"}
    assert "one baseline per period" in told(tmp_path, document, "check", "bids")
