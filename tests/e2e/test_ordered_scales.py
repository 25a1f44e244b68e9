"""Scales by their order alone through the command, against R (reference data, simulated)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from phmri.group.ranks import brunner_munzel
from tests.e2e.rated_trial import (
    rated_document,
    record_of,
    row_of,
    run_rated,
    write_ratings,
    write_series,
)
from tests.e2e.trees import call

REFERENCE = Path(__file__).parents[1] / "oracle" / "stats_reference"
SCALES = {"cadss": 0, "bprs": 18}
ARMS = {"PLA": "placebo", "KET": "ketamine", "LTGKET": "both"}


def question(measure: str, estimator: str, **more: object) -> dict[str, object]:
    return {
        "text": f"Does {measure} differ?",
        "role": "secondary",
        "measure": measure,
        "contrast": ["KET", "PLA"],
        "session": "acute",
        "estimator": estimator,
        **more,
    }


QUESTIONS = {
    "first": question("cadss", "post", role="primary", family="all"),
    **{f"rank_{name}": question(name, "rank") for name in SCALES},
    **{f"odds_{name}": question(name, "ordinal", baseline="baseline") for name in SCALES},
    "adjusted": question("bprs", "rank", baseline="baseline", covariates=["sex"], family="all"),
    "lower": question("cadss", "rank", alternative="less", populations=["everyone", "women"]),
    "apart": question("apart", "rank"),
    "apart_odds": question("apart", "ordinal"),
    "nearly": question("nearly", "rank"),
}


def document() -> dict[str, Any]:
    found = rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": given} for arm, given in ARMS.items()}},
        {"baseline": {"phase": "baseline"}, "acute": {"phase": "acute"}},
        {given: {} for given in ARMS.values()},
        scales={
            **{n: {"columns": [n], "minimum": low, "maximum": 200} for n, low in SCALES.items()},
            **{n: {"columns": [n], "minimum": 0, "maximum": 200} for n in ("apart", "nearly")},
        },
        questions=QUESTIONS,
        families={"all": {"correction": "holm"}},
        populations={"everyone": {}, "women": {"exclude_events": ["man"]}},
        intercurrent_events={
            "man": {"column": "sex", "value": "M", "strategy": "treatment_policy"}
        },
    )
    return {**found, "inference": {"n_permutations": 100, "seed": 1, "method": "tfce"}}


def reference_rows() -> pd.DataFrame:
    rows = pd.read_csv(REFERENCE / "data" / "parallel3x3.csv")
    rows = rows[rows["session"].isin(["baseline", "acute"])]
    rows = rows.assign(participant_id=rows["subject"].str.replace("-", ""))
    # No score of one arm is one of the other.
    rows["apart"] = np.arange(len(rows)) % 7 + 50 * (rows["arm"] == "KET")
    # All but one, who scores in between.
    rows["nearly"] = rows["apart"].mask(rows["participant_id"] == "sub002", 3)
    return rows.rename(columns={"session": "session_id"})


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rows = tmp_path_factory.mktemp("ordered"), reference_rows()
    people = rows.drop_duplicates("participant_id")[["participant_id", "arm", "sex"]]
    keys = ["participant_id", "session_id"]
    write_ratings(
        root / "bids", people, {name: rows[[*keys, name]] for name in (*SCALES, "apart", "nearly")}
    )
    courses = np.random.default_rng(0).normal(size=(40, 2))
    write_series(root / "bids", people["participant_id"].iloc[0], "acute", courses)
    code, printed = run_rated(root, document())
    assert code == 0, printed
    return root


def expected(scale: str) -> dict[str, Any]:
    document = json.loads((REFERENCE / "expected" / "H_scales.json").read_text())
    name = f"scale_{scale}_acute"
    return dict(next(c["value"] for c in document["checks"] if c["id"] == name))


@pytest.mark.parametrize("scale", SCALES)
def test_probability_of_superiority(answered: Path, scale: str) -> None:
    found, record = (
        row_of(answered / "out", f"rank_{scale}"),
        record_of(answered / "out", f"rank_{scale}"),
    )
    shown = record["beside"]["effect_measure"]
    want = expected(scale)["KET_vs_PLA"]["prob_superiority"]
    assert shown["estimate"] == pytest.approx(want, rel=1e-9)
    assert found["effect"] == pytest.approx(want - 0.5, rel=1e-9)
    acute = reference_rows().query("session_id == 'acute'").set_index("arm")[scale]
    theirs = scipy.stats.brunnermunzel(acute["PLA"], acute["KET"])
    assert found["t"] == pytest.approx(theirs.statistic, rel=1e-9)
    assert found["puncorrected"] == pytest.approx(theirs.pvalue, rel=1e-6)
    assert f"Probability of superiority {want:.3g}, 95 % CI" in record["claim"]["sentence"]
    assert record["claim"]["unit"] == "probability of superiority above 0.5"
    assert "points" in record["values_label"]
    assert not any("standard deviation" in note for note in record["claim"]["notes"])


@pytest.mark.parametrize("scale", SCALES)
def test_odds_ratio(answered: Path, scale: str) -> None:
    want = expected(scale)["prop_odds"]
    found, record = (
        row_of(answered / "out", f"odds_{scale}"),
        record_of(answered / "out", f"odds_{scale}"),
    )
    assert found["effect"] == pytest.approx(want["log_or"]["armKET"], rel=1e-5)
    # polr takes its Hessian from finite differences.
    assert found["se"] == pytest.approx(want["se"]["armKET"], rel=5e-5)
    p = 2 * scipy.stats.norm.sf(abs(found["effect"] / found["se"]))
    assert found["puncorrected"] == pytest.approx(p, rel=1e-9)
    shown = record["beside"]["effect_measure"]
    assert shown["estimate"] == pytest.approx(np.exp(want["log_or"]["armKET"]), rel=1e-4)
    assert shown["low"] == pytest.approx(np.exp(found["effect"] - 1.959964 * found["se"]), 1e-6)
    assert (shown["name"], shown["no_effect"]) == ("Odds ratio of a higher score", 1.0)
    assert "; z = " in record["claim"]["sentence"]
    assert record["claim"]["df"] is None
    assert "t(∞)" not in (answered / "out" / "report" / "index.html").read_text(encoding="utf-8")
    assert any("every cut" in note for note in record["claim"]["notes"])


def test_adjustment_for_what_was_known_before(answered: Path) -> None:
    rows = reference_rows()
    index = ["participant_id", "arm", "sex"]
    wide = rows.pivot_table(index=index, columns="session_id", values="bprs")
    wide = wide.reset_index()
    wide = wide[wide["arm"].isin(["KET", "PLA"])]
    columns = np.column_stack([scipy.stats.rankdata(wide["baseline"]), wide["sex"] == "M"])
    first, second = (wide["arm"] == arm for arm in ("KET", "PLA"))
    acute = wide["acute"].to_numpy()
    want = brunner_munzel(
        acute[first], acute[second], covariates=(columns[first], columns[second])
    )
    found, plain = (row_of(answered / "out", name) for name in ("adjusted", "rank_bprs"))
    assert found["effect"] == pytest.approx(want.probability - 0.5, rel=1e-9)
    assert found["puncorrected"] == pytest.approx(want.pvalue, rel=1e-9)
    assert found["effect"] != pytest.approx(plain["effect"], rel=1e-3)
    sentences = record_of(answered / "out", "adjusted")["claim"]["sentences"]
    assert any("adjusted for the ranks of the baseline, sex" in text for text in sentences)


def test_one_sided_and_in_a_population(answered: Path) -> None:
    record, both = (record_of(answered / "out", name) for name in ("lower", "rank_cadss"))
    p = row_of(answered / "out", "rank_cadss")["puncorrected"]
    assert row_of(answered / "out", "lower")["puncorrected"] == pytest.approx(1 - p / 2)
    assert record["claim"]["verdict"] == "not found"
    assert both["claim"]["verdict"] == "found"
    everyone, women = record["beside"]["populations"]
    assert sum(women["n_per_group"].values()) < sum(everyone["n_per_group"].values())
    assert women["effect"] != everyone["effect"]


@pytest.mark.parametrize(
    ("name", "says"), [("apart", "probability of superiority"), ("apart_odds", "odds ratio")]
)
def test_arms_that_do_not_overlap_are_refused(answered: Path, name: str, says: str) -> None:
    claim = record_of(answered / "out", name)["claim"]
    assert claim["verdict"] == "refused"
    assert f"the {says} has no finite interval" in claim["sentence"]


def test_no_probability_is_told_beyond_one(answered: Path) -> None:
    record = record_of(answered / "out", "nearly")
    (peak,) = record["claim"]["peaks"]
    assert peak["ci_low"] < peak["effect"] < peak["ci_high"] == 0.5
    assert " to 0.500; t(" in record["claim"]["sentence"]
    assert record["beside"]["effect_measure"]["high"] == 1.0


def test_the_report_names_the_measure_of_effect(answered: Path) -> None:
    page = (answered / "out" / "report" / "index.html").read_text()
    assert "<dt>Probability of superiority</dt><dd>0.866, 95 % CI" in page
    assert "<dt>Odds ratio of a higher score</dt>" in page
    families = pd.read_csv(answered / "out" / "group" / "families.tsv", sep="\t")
    assert families["question"].tolist() == ["first", "adjusted"]
    assert families["adjusted_pvalue"].notna().all()


def test_design_says_what_stands_for_the_errors(answered: Path) -> None:
    code, printed = call("design", answered / "trial.yaml", answered / "bids")
    assert code == 0, printed
    words = " ".join(printed.replace("│", " ").split())
    assert "placements in the two arms (Brunner and Munzel)" in words
    assert "likelihood of the order of scores" in words
    assert "p-values come from Wald's z of the log odds ratio" in words
    assert "4 columns (arm:KET, arm:PLA, arm:LTGKET, own baseline)" in words
