"""A trial of ratings through the command, against the numbers of R (reference data, simulated)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.trees import run_all, write_json, write_table

REFERENCE = Path(__file__).parents[1] / "oracle" / "stats_reference"
CONTRASTS = {"KET_minus_PLA": ["KET", "PLA"], "KET_minus_LTGKET": ["KET", "LTGKET"]}


def expected(file: str, check: str) -> dict[str, Any]:
    document = json.loads((REFERENCE / "expected" / file).read_text())
    (found,) = (item["value"] for item in document["checks"] if item["id"] == check)
    return dict(found)


def question(measure: str, estimator: str, **more: object) -> dict[str, object]:
    asked: dict[str, object] = {
        "text": f"Does {measure} differ?",
        "role": "secondary",
        "measure": measure,
        "contrast": ["KET", "PLA"],
        "session": "acute",
        "estimator": estimator,
    }
    if estimator != "post":
        asked["baseline"] = "baseline"
    return asked | more


SEX = {"covariates": ["sex"]}
BLOCKADE = {"reference": "PLA", "margin": 0.25}
QUESTIONS = {
    "ancova": question("complete", "ancova", role="primary", **SEX),
    "robust": question("complete", "ancova", errors="hc3", **SEX),
    "blocked": question(
        "complete", "ancova", contrast=["KET", "LTGKET"], blockade=BLOCKADE, **SEX
    ),
    "clda": question("missing", "clda", degrees_of_freedom="satterthwaite", **SEX),
    "mmrm": question("missing", "mmrm", degrees_of_freedom="satterthwaite", **SEX),
    "lasting": question("complete", "clda", session="h24", persistence={"early": "acute"}, **SEX),
    "stopped": question("complete", "ancova", populations=["everyone", "whole"], **SEX),
}


def document() -> dict[str, Any]:
    scale = {"minimum": -100, "maximum": 200}
    return {
        "phmri": 1,
        "name": "reference",
        "title": "The reference trial",
        "space": "MNI152NLin2009cAsym",
        "drugs": {"ketamine": {}, "lamotrigine": {}},
        "treatments": {
            "placebo": {},
            "ketamine": {},
            "both": {"label": "lamotrigine + ketamine"},
        },
        "design": {
            "kind": "parallel",
            "arms": {
                "PLA": {"treatment": "placebo"},
                "KET": {"treatment": "ketamine"},
                "LTGKET": {"treatment": "both"},
            },
        },
        "sessions": {
            "baseline": {"phase": "baseline"},
            "acute": {"phase": "acute"},
            "h24": {"phase": "sustained", "hours_after": 24},
        },
        "scans": {"rest": {"task": "rest"}},
        "scales": {
            name: {"columns": [column], **scale}
            for name, column in (("complete", "roi_complete"), ("missing", "roi_missing"))
        },
        "regions": {name: {"kind": "series", "columns": [name]} for name in "ab"},
        "denoising": {"plain": {"strategy": "none"}},
        "measures": {
            "edge": {
                "kind": "roi_to_roi",
                "scan": "rest",
                "regions": ["a", "b"],
                "summary": "edges",
                "denoising": "plain",
            }
        },
        "intercurrent_events": {
            "moved": {
                "column": "moved",
                "value": "1",
                "strategy": "treatment_policy",
            }
        },
        "populations": {
            "everyone": {"label": "intention to treat"},
            "whole": {"label": "per protocol", "exclude_events": ["moved"]},
        },
        "inference": {"n_permutations": 200, "seed": 1},
        "questions": QUESTIONS,
    }


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reference")
    bids, rows = root / "bids", pd.read_csv(REFERENCE / "data" / "parallel3x3.csv")
    label = rows["subject"].str.replace("-", "")
    people = rows.assign(label=label).drop_duplicates("label")
    moved = rows.assign(label=label).groupby("label")["motion_excluded"].max()
    write_json(
        bids / "dataset_description.json",
        {
            "Name": "reference trial, SIMULATED",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "a script"}],
        },
    )
    write_table(
        bids / "participants.tsv",
        {
            "participant_id": [f"sub-{name}" for name in people["label"]],
            "arm": people["arm"].tolist(),
            "sex": people["sex"].tolist(),
            "moved": [int(moved[name]) for name in people["label"]],
        },
    )
    for name, column in (("complete", "roi_complete"), ("missing", "roi_missing")):
        write_table(
            bids / "phenotype" / f"{name}.tsv",
            {
                "participant_id": [f"sub-{name}" for name in label],
                "session_id": [f"ses-{name}" for name in rows["session"]],
                column: rows[column].tolist(),
            },
        )
    first = people["label"].iloc[0]
    stem = f"sub-{first}_ses-acute_task-rest_timeseries"
    folder = bids / f"sub-{first}" / "ses-acute" / "func"
    courses = np.random.default_rng(0).normal(size=(40, 2))
    write_table(folder / f"{stem}.tsv", {"a": courses[:, 0], "b": courses[:, 1]})
    write_json(folder / f"{stem}.json", {"RepetitionTime": 2.0})
    protocol = root / "trial.yaml"
    protocol.write_text(json.dumps(document(), indent=1))
    run_all(bids, root / "out", protocol)
    return root / "out"


def claim(out: Path, name: str) -> dict[str, Any]:
    path = out / "group" / f"question-{name}" / "claim.json"
    return dict(json.loads(path.read_text()))


def statistics(out: Path, name: str) -> pd.Series:
    table = pd.read_csv(
        out / "group" / f"question-{name}" / f"question-{name}_stats.tsv", sep="\t"
    )
    return table.iloc[0]


@pytest.mark.parametrize(
    ("name", "file", "check", "key"),
    [
        ("ancova", "A_ols_parallel.json", "ancova_acute", "KET_minus_PLA"),
        ("robust", "A_ols_parallel.json", "ancova_acute_HC3", "KET_minus_PLA"),
    ],
)
def test_least_squares(answered: Path, name: str, file: str, check: str, key: str) -> None:
    found, r = statistics(answered, name), expected(file, check)
    r = r.get("contrasts", r)[key]
    assert found["effect"] == pytest.approx(r["estimate"], rel=1e-9)
    assert found["se"] == pytest.approx(r["se"], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "check"), [("clda", "clda_un_roi_missing"), ("mmrm", "mmrm_un_post_roi_missing")]
)
def test_missing_sessions(answered: Path, name: str, check: str) -> None:
    found = statistics(answered, name)
    r = expected("C_mmrm_clda_parallel.json", check)["contrasts_satterthwaite"]
    r = r["acute_KET_minus_PLA"]
    assert found["effect"] == pytest.approx(r["estimate"], rel=1e-5)
    assert found["se"] == pytest.approx(r["se"], rel=1e-5)
    assert found["df"] == pytest.approx(r["df"], rel=1e-4)
    assert found["puncorrected"] == pytest.approx(r["p_two_sided"], rel=1e-3)
    assert found["status"] == 0


def test_blockade(answered: Path) -> None:
    r = expected("E_blockade_parallel.json", "blockade_ancova_acute")
    found = claim(answered, "blocked")["beside"]["blockade"]
    for ours, theirs in (
        ("drug", "KET_minus_PLA"),
        ("pretreated", "LTGKET_minus_PLA"),
        ("difference", "KET_minus_LTGKET"),
    ):
        assert found[ours]["effect"] == pytest.approx(r["contrasts"][theirs]["estimate"], rel=1e-9)
        assert found[ours]["pvalue"] == pytest.approx(
            r["contrasts"][theirs]["p_two_sided"], rel=1e-8
        )
    assert found["attenuation"]["kind"] == "bounded"
    assert found["attenuation"]["estimate"] == pytest.approx(50.6754407475177, rel=1e-9)
    # The drug works, half is removed, and what is left is not equivalent to nothing.
    assert found["attenuation"]["low"] == pytest.approx(6.341443820887315, rel=1e-8)
    assert found["verdict"] == "partly blocked"
    assert any("cannot separate" in sentence for sentence in found["sentences"])


def test_persistence(answered: Path) -> None:
    found = claim(answered, "lasting")["beside"]["persistence"]
    r = expected("C_mmrm_clda_parallel.json", "clda_un_roi_complete")["contrasts_satterthwaite"]
    assert found["early"] == pytest.approx(r["acute_KET_minus_PLA"]["estimate"], rel=1e-5)
    assert found["late"] == pytest.approx(r["h24_KET_minus_PLA"]["estimate"], rel=1e-5)
    assert found["ratio"]["estimate"] == pytest.approx(found["late"] / found["early"], rel=1e-9)


def test_populations_side_by_side(answered: Path) -> None:
    rows = claim(answered, "stopped")["beside"]["populations"]
    assert [row["name"] for row in rows] == ["everyone", "whole"]
    assert sum(rows[0]["n_per_group"].values()) == 75
    assert sum(rows[1]["n_per_group"].values()) < 75
    assert rows[0]["effect"] == pytest.approx(statistics(answered, "ancova")["effect"], rel=1e-9)
    assert rows[1]["effect"] != rows[0]["effect"]


def test_analysis_table_answers_again(answered: Path) -> None:
    folder = answered / "group"
    table = pd.read_csv(folder / "analysis.tsv", sep="\t")
    dictionary = json.loads((folder / "analysis.json").read_text())
    assert set(table.columns) <= set(dictionary)
    again = pd.read_parquet(folder / "analysis.parquet")
    assert list(again.columns) == list(table.columns)
    used = table[table["questions"].fillna("").str.split(",").map(lambda names: "ancova" in names)]
    acute = used[(used["outcome"] == "complete") & (used["session_id"] == "ses-acute")]
    X = np.column_stack(
        [
            *(acute["group"] == arm for arm in ("PLA", "KET", "LTGKET")),
            acute["covariate_sex"] == "M",
            acute["baseline"],
        ]
    ).astype(float)
    b = np.linalg.lstsq(X, acute["value"].to_numpy(), rcond=None)[0]
    assert b[1] - b[0] == pytest.approx(statistics(answered, "ancova")["effect"], rel=1e-9)
