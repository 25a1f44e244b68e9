"""Crossovers of ratings through the command, against R (reference data, simulated)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.rated_trial import (
    rated_document,
    record_of,
    row_of,
    run_rated,
    write_ratings,
    write_series,
)

REFERENCE = Path(__file__).parents[1] / "oracle" / "stats_reference"
SATTERTHWAITE = {"degrees_of_freedom": "satterthwaite"}
SIDES = {
    "drug": "KET_minus_PLA",
    "pretreated": "LTGKET_minus_PLA",
    "difference": "KET_minus_LTGKET",
}


def expected(file: str, check: str) -> dict[str, Any]:
    document = json.loads((REFERENCE / "expected" / f"{file}.json").read_text())
    (found,) = (item["value"] for item in document["checks"] if item["id"] == check)
    return dict(found)


def question(measure: str, estimator: str, contrast: list[str], **more: object) -> dict[str, Any]:
    return {
        "text": f"Does {measure} differ?",
        "role": "secondary",
        "measure": measure,
        "contrast": contrast,
        "estimator": estimator,
        **more,
    }


def run_crossover(root: Path, name: str, questions: Mapping[str, object]) -> Path:
    """Answer questions about a table of the reference data: scales ``full`` and ``missing``."""
    rows = pd.read_csv(REFERENCE / "data" / f"{name}.csv").sort_values(["subject", "period"])
    rows["treatment"] = rows["treatment"].str.replace("_", "")
    rows = rows.rename(columns={"subject": "participant_id", "y": "full", "y_missing": "missing"})
    rows["session_id"] = [f"p{period}" for period in rows["period"]]
    orders = rows.groupby("sequence")["treatment"].agg(lambda given: list(dict.fromkeys(given)))
    scales = {scale: rows for scale in ("full", "missing") if scale in rows}
    document = rated_document(
        {
            "kind": "crossover",
            "sequences": {label: {"treatments": order} for label, order in orders.items()},
        },
        {f"p{period}": {"phase": "acute", "period": period} for period in _periods(rows)},
        {label: {} for label in sorted(set(rows["treatment"]))},
        scales={scale: {"columns": [scale], "minimum": -100, "maximum": 100} for scale in scales},
        questions=questions,
    )
    write_ratings(
        root / "bids",
        rows.drop_duplicates("participant_id")[["participant_id", "sequence"]],
        {scale: table[["participant_id", "session_id", scale]] for scale, table in scales.items()},
    )
    courses = np.random.default_rng(0).normal(size=(40, 2))
    write_series(root / "bids", rows["participant_id"].iloc[0], "p1", courses)
    code, printed = run_rated(root, document)
    assert code == 0, printed
    return root / "out"


def _periods(rows: pd.DataFrame) -> list[int]:
    return [int(period) for period in sorted(set(rows["period"]))]


def assert_row(found: pd.Series, r: Mapping[str, float], tolerance: float) -> None:
    assert found["effect"] == pytest.approx(r["estimate"], rel=tolerance)
    assert found["se"] == pytest.approx(r["se"], rel=tolerance)
    assert found["df"] == pytest.approx(r["df"], rel=tolerance)
    assert found["puncorrected"] == pytest.approx(r["p_two_sided"], rel=10 * tolerance)


def carry_over_of(record: Mapping[str, Any]) -> list[str]:
    return [note for note in record["claim"]["notes"] if "carry-over in the model" in note]


# -------------------------------------------------------------------------------- two periods
@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contrast = ["KET", "PLA"]
    return run_crossover(
        tmp_path_factory.mktemp("two"),
        "xover2x2",
        {
            "crossed": question("full", "crossover", contrast, role="primary"),
            "missing": question("missing", "mixed", contrast, **SATTERTHWAITE),
        },
    )


def test_two_periods_by_half_differences(two: Path) -> None:
    found, r = row_of(two, "crossed"), expected("F_crossover2x2", "xover_ttests")["treatment"]
    assert found["effect"] == pytest.approx(r["estimate"], rel=1e-9)
    assert found["se"] == pytest.approx(r["se"], rel=1e-9)
    assert found["pparametric"] == pytest.approx(r["p_two_sided"], rel=1e-9)
    claim = record_of(two, "crossed")["claim"]
    assert claim["df"] == r["df"]
    (peak,) = claim["peaks"]
    assert peak["ci_low"] == pytest.approx(r["ci95_lo"], rel=1e-9)
    assert peak["ci_high"] == pytest.approx(r["ci95_hi"], rel=1e-9)


def test_two_periods_show_period_and_carry_over_and_use_neither(two: Path) -> None:
    (note,) = (
        text for text in record_of(two, "crossed")["claim"]["notes"] if "Period 1 minus" in text
    )
    # R: period1_minus_period2 -.3233 (p .019), carryover_sum_difference -.3474 (p .65)
    assert "points −0.32" in note
    assert "p = 0.019" in note
    assert "points −0.35" in note
    assert "p = 0.65" in note
    assert "Neither decided" in note


def test_two_periods_with_missing_cells(two: Path) -> None:
    r = expected("F_crossover2x2", "xover_lmm_seq_y_missing")["satterthwaite"]
    found = row_of(two, "missing")
    assert_row(found, r, 1e-6)
    assert found["status"] == 0
    claim = record_of(two, "missing")["claim"]
    assert claim["n_per_group"] == {"KP": 13, "PK": 11}
    assert "5 of 48 planned cells have no data." in claim["sentences"]


# ------------------------------------------------------------------------------ three periods
@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contrast, blockade = ["KET", "LTGKET"], {"reference": "PLA", "margin": 0.35}
    return run_crossover(
        tmp_path_factory.mktemp("three"),
        "williams3",
        {
            "periods": question(
                "missing", "crossover", contrast, role="primary", blockade=blockade
            ),
            "mixed": question("full", "mixed", contrast, blockade=blockade),
            "missing": question(
                "missing", "mixed", contrast, blockade={"reference": "PLA"}, **SATTERTHWAITE
            ),
            "small": question("missing", "mixed", ["KET", "PLA"]),
        },
    )


@pytest.mark.parametrize(
    ("name", "check", "tolerance"),
    [
        ("periods", "williams3_fixed_subject_y_missing", 1e-8),
        # Nothing is missing: the random intercept gives what participants' own levels give.
        ("mixed", "williams3_fixed_subject_y", 1e-6),
    ],
)
def test_blockade_of_three_periods(three: Path, name: str, check: str, tolerance: float) -> None:
    found = record_of(three, name)["beside"]["blockade"]
    r = expected("G_williams", check)["blockade"]
    for ours, theirs in SIDES.items():
        for key, column in (
            ("effect", "estimate"),
            ("ci_low", "ci95_lo"),
            ("ci_high", "ci95_hi"),
            ("df", "df"),
            ("pvalue", "p_two_sided"),
        ):
            assert found[ours][key] == pytest.approx(r["contrasts"][theirs][column], rel=tolerance)
    removed = r["attenuation_fieller95"]
    assert found["attenuation"]["kind"] == removed["kind"]
    assert found["attenuation"]["estimate"] == pytest.approx(
        removed["percent_attenuation"], rel=tolerance
    )
    assert found["attenuation"]["low"] == pytest.approx(removed["lo"], rel=tolerance)
    assert found["attenuation"]["high"] == pytest.approx(removed["hi"], rel=tolerance)
    tost = r["tost_ltgket_vs_pla"]
    assert found["equivalence"] == pytest.approx(
        [tost["p_tost"], tost["ci90_lo"], tost["ci90_hi"]], rel=tolerance
    )
    assert found["verdict"] == "partly blocked"
    assert any("cannot separate" in sentence for sentence in found["sentences"])
    # The question's own contrast is the difference of the two.
    assert row_of(three, name)["effect"] == pytest.approx(found["difference"]["effect"], rel=1e-12)


def test_three_periods_with_missing_cells(three: Path) -> None:
    r = expected("G_williams", "williams3_lmm_seq_y_missing")["satterthwaite"]
    assert_row(row_of(three, "missing"), r["KET_minus_LTGKET"], 1e-6)
    found = record_of(three, "missing")["beside"]["blockade"]
    for ours, theirs in SIDES.items():
        assert found[ours]["effect"] == pytest.approx(r[theirs]["estimate"], rel=1e-6)
        assert found[ours]["df"] == pytest.approx(r[theirs]["df"], rel=1e-6)
        assert found[ours]["pvalue"] == pytest.approx(r[theirs]["p_two_sided"], rel=1e-5)


def test_kenward_and_roger_are_those_of_pbkrtest(three: Path) -> None:
    r = expected("G_williams", "williams3_lmm_seq_y_missing")["kenward_roger"]
    assert_row(row_of(three, "small"), r["KET_minus_PLA"], 1e-5)


def test_without_a_margin_nothing_is_called_none(three: Path) -> None:
    found = record_of(three, "missing")["beside"]["blockade"]
    assert found["margin"] is None
    assert found["equivalence"] is None
    assert found["verdict"] in {"partly blocked", "undecided"}


def test_carry_over_stands_beside_and_decides_nothing(three: Path) -> None:
    r = expected("G_williams", "williams3_carryover_y_missing")
    own = r["contrasts"]["KET_minus_LTGKET"]
    (note,) = carry_over_of(record_of(three, "periods"))
    assert f"points +{own['estimate']:.2f}, 95 % CI {own['ci95_lo']:.2f}" in note
    assert f"carry-over KET - PLA: points −{-r['carry_coef']['carry_KET']:.2f}" in note
    assert f"carry-over LTGKET - PLA: points −{-r['carry_coef']['carry_LTGKET']:.2f}" in note
    assert "did not decide" in note
    # The effect that is claimed is that of the model without carry-over.
    assert row_of(three, "periods")["effect"] != pytest.approx(own["estimate"], rel=0.1)
    for name in ("mixed", "missing"):
        assert len(carry_over_of(record_of(three, name))) == 1


# ----------------------------------------------------------- four treatments: two drugs, crossed
@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contrast = ["PLAKET", "LTGKET"]
    blockade = {"reference": "PLAPLA", "pretreated_reference": "LTGPLA", "margin": 0.2}
    return run_crossover(
        tmp_path_factory.mktemp("four"),
        "williams4_factorial",
        {
            "periods": question("full", "crossover", contrast, role="primary", blockade=blockade),
            "mixed": question("full", "mixed", contrast, blockade=blockade),
        },
    )


@pytest.mark.parametrize(("name", "tolerance"), [("periods", 1e-8), ("mixed", 1e-6)])
def test_blockade_with_the_pretreatment_alone(four: Path, name: str, tolerance: float) -> None:
    found = record_of(four, name)["beside"]["blockade"]
    r = expected("G_williams", "williams4_factorial_fixed_subject")
    for ours, theirs, sign in (
        ("drug", "ket_without_ltg", 1),
        ("pretreated", "ket_with_ltg", 1),
        ("difference", "interaction", -1),  # what was removed, not what was added
    ):
        side = r["contrasts"][theirs]
        assert found[ours]["effect"] == pytest.approx(sign * side["estimate"], rel=tolerance)
        assert found[ours]["pvalue"] == pytest.approx(side["p_two_sided"], rel=tolerance)
        assert found[ours]["df"] == pytest.approx(side["df"], rel=tolerance)
    removed = r["attenuation"]
    assert found["attenuation"]["estimate"] == pytest.approx(removed["percent"], rel=tolerance)
    assert found["attenuation"]["low"] == pytest.approx(removed["lo"], rel=tolerance)
    assert found["attenuation"]["high"] == pytest.approx(removed["hi"], rel=tolerance)
    assert found["verdict"] == "partly blocked"
    # The pretreatment has a treatment of its own, so that its own effect is taken out.
    assert not any("cannot separate" in sentence for sentence in found["sentences"])


@pytest.mark.parametrize(
    "name",
    [
        "periods",
        "mixed",
    ],
)
def test_claim_is_of_the_contrast_that_it_names(four: Path, name: str) -> None:
    r = expected("G_williams", "williams4_factorial_fixed_subject")["contrasts"]["ltg_on_ket"]
    assert "compared with LTGKET" in record_of(four, name)["claim"]["sentence"]
    assert row_of(four, name)["effect"] == pytest.approx(-r["estimate"], rel=1e-6)
