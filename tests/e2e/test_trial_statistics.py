"""A trial of ratings through the command, against the numbers of R (reference data, simulated)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from phmri.dataset import check_dataset, index_dataset
from phmri.pipeline import describe_associations
from phmri.protocol import read_protocol
from tests.e2e.rated_trial import rated_document, run_rated, write_ratings, write_series
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
    waned = expected("C_mmrm_clda_parallel.json", "clda_un_roi_complete")
    waned = waned["contrasts_kenward_roger_linear"]["acute_minus_h24_KET_minus_PLA"]
    assert found["waning"]["effect"] == pytest.approx(waned["estimate"], rel=1e-5)
    assert found["waning"]["df"] == pytest.approx(waned["df"], rel=1e-4)
    assert found["waning"]["pvalue"] == pytest.approx(waned["p_two_sided"], rel=1e-3)


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


# ------------------------------------------------------------------------------ associations
DRUG, PLACEBO, EVENT_SCORE = "drug", "placebo", 40.0


def association(**more: object) -> dict[str, object]:
    asked = {"text": "Do they go together?", "role": "exploratory", "measure": "edge"}
    return {**asked, "scale": "mood", **more}


def rated_courses(bids: Path, people: pd.DataFrame, sessions: tuple[str, str]) -> pd.DataFrame:
    """Write courses and scores of two sessions; give both, with Fisher's z, as a table."""
    rng, rows = np.random.default_rng(4), []
    for subject in people["participant_id"]:
        for session in sessions:
            courses = rng.normal(size=(40, 2))
            write_series(bids, subject, session, courses)
            z = np.arctanh(np.corrcoef(courses.T)[0, 1])
            rows.append((subject, session, round(10 + 20 * z + rng.normal(0, 3), 1), z))
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "score", "z"])
    write_ratings(bids, people, {"mood": table.drop(columns="z")})
    return table


def adjusted_r(y: np.ndarray, score: np.ndarray, *columns: np.ndarray) -> float:
    """Correlate what ordinary least squares leaves of both."""
    X = np.column_stack(columns).astype(float)
    left = [v - X @ np.linalg.lstsq(X, v, rcond=None)[0] for v in (y, score)]
    return float(np.corrcoef(*left)[0, 1])


@dataclass(frozen=True)
class Associated:
    root: Path
    table: pd.DataFrame
    people: pd.DataFrame

    @property
    def at_day(self) -> pd.DataFrame:
        """Outcomes and scores of the treated session, with participants' columns."""
        day = self.table[self.table["session_id"] == "day"]
        return day.merge(self.people, on="participant_id")

    def content(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.file(name).read_text())["content"])

    def file(self, name: str) -> Path:
        return self.root / "out" / "group" / f"association-{name}" / "association.json"


ASSOCIATIONS = {
    "pearson": association(session="day", groups=[DRUG]),
    "spearman": association(session="day", groups=[DRUG], method="spearman"),
    "adjusted": association(session="day", partial=["age"]),
    "change": association(session="day", baseline="before", prediction={"folds": 4}),
    "composite": association(session="day", groups=[DRUG], scale="outcome"),
    "absent": association(session="day", scale="absent"),
    "motion": association(session="day", partial=["mean_fd"]),
    "folds": association(session="day", prediction={"folds": 17}),
}


def associated_document() -> dict[str, Any]:
    mood = {"file": "mood", "columns": ["score"], "minimum": -50, "maximum": 90}
    return rated_document(
        {
            "kind": "parallel",
            "arms": {name: {"treatment": name} for name in (DRUG, PLACEBO)},
        },
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}},
        {DRUG: {}, PLACEBO: {}},
        scales={"mood": mood, "outcome": mood, "absent": {**mood, "file": "absent"}},
        questions={
            "mood": {
                "text": "Does mood differ?",
                "role": "primary",
                "measure": "mood",
                "contrast": [DRUG, PLACEBO],
                "session": "day",
                "estimator": "post",
            }
        },
        intercurrent_events={
            "stopped": {
                "column": "stopped",
                "value": "yes",
                "strategy": "composite",
                "composite_value": EVENT_SCORE,
                "measures": ["outcome"],
            }
        },
        associations=ASSOCIATIONS,
    )


@pytest.fixture(scope="module")
def associated(tmp_path_factory: pytest.TempPathFactory) -> Associated:
    root, n = tmp_path_factory.mktemp("associated"), 16
    people = pd.DataFrame(
        {
            "participant_id": [f"{k:02d}" for k in range(1, n + 1)],
            "arm": [DRUG, PLACEBO] * (n // 2),
            "age": np.random.default_rng(5).integers(20, 60, n),
            "stopped": ["yes" if k in {3, 5} else "no" for k in range(1, n + 1)],
        }
    )
    table = rated_courses(root / "bids", people, ("before", "day"))
    code, printed = run_rated(root, associated_document())
    assert code == 0, printed
    return Associated(root, table, people)


def test_correlation_is_scipys(associated: Associated) -> None:
    own = associated.at_day[associated.at_day["arm"] == DRUG]
    found = associated.content("pearson")
    theirs = scipy.stats.pearsonr(own["z"], own["score"])
    interval = theirs.confidence_interval(0.95)
    assert found["r"] == pytest.approx(theirs.statistic, rel=1e-6)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert found["n"] == len(own) == 8
    # 100 shufflings: never less than 1 in 100.
    assert 0.01 <= found["pvalue"] <= 1
    assert found["pvalue"] == pytest.approx(theirs.pvalue, abs=0.15)
    ranked = scipy.stats.spearmanr(own["z"], own["score"])
    assert found["pvalue_rank"] == pytest.approx(ranked.pvalue, rel=1e-6)
    (arm,) = found["points"]
    assert arm == DRUG
    assert found["points"][DRUG][1] == own["score"].tolist()
    ranks = associated.content("spearman")
    assert ranks["r"] == pytest.approx(ranked.statistic, rel=1e-6)
    assert ranks["pvalue_rank"] == pytest.approx(theirs.pvalue, rel=1e-6)
    assert "Spearman's rho" in ranks["sentence"]


def test_correlation_over_arms_has_a_mean_per_arm_and_covariates(associated: Associated) -> None:
    own = associated.at_day
    arms = [(own["arm"] == arm).to_numpy() for arm in (DRUG, PLACEBO)]
    z, score = own["z"].to_numpy(), own["score"].to_numpy()
    found = associated.content("adjusted")
    assert found["r"] == pytest.approx(adjusted_r(z, score, *arms, own["age"]), rel=1e-6)
    assert found["r"] != pytest.approx(adjusted_r(z, score, *arms), rel=1e-3)
    assert found["partial"] == ["age"]
    assert found["n"] == 16


def test_correlation_of_changes_with_a_prediction(associated: Associated) -> None:
    wide = associated.table.pivot_table(index="participant_id", columns="session_id")
    change = {name: wide[name]["day"] - wide[name]["before"] for name in ("z", "score")}
    arm = associated.people.set_index("participant_id")["arm"]
    found = associated.content("change")
    r = adjusted_r(change["z"].to_numpy(), change["score"].to_numpy(), arm == DRUG, arm == PLACEBO)
    assert found["r"] == pytest.approx(r, rel=1e-6)
    predicted = found["prediction"]
    assert predicted["folds"] == 4
    assert 0 < predicted["pvalue"] <= 0.05  # scores follow the outcome in these data
    assert predicted["r2"] < predicted["r2_in_sample"] <= 1
    assert found["circular"] is None


def test_event_gives_the_score_of_an_association(associated: Associated) -> None:
    own = associated.at_day[associated.at_day["arm"] == DRUG]
    scores = own["score"].mask(own["stopped"] == "yes", EVENT_SCORE)
    found = associated.content("composite")
    assert sorted(found["points"][DRUG][1]) == sorted(scores)
    assert found["r"] == pytest.approx(np.corrcoef(own["z"], scores)[0, 1], rel=1e-6)


def test_association_without_data_is_refused_with_the_reason(associated: Associated) -> None:
    absent = associated.content("absent")
    assert (absent["verdict"], absent["r"], absent["n"]) == ("refused", None, 0)
    assert "no phenotype/absent.tsv" in absent["sentence"]
    motion = associated.content("motion")
    assert motion["verdict"] == "refused"
    assert "runs without framewise displacement" in motion["sentence"]


def test_refusals_of_associations_are_foreseen_in_their_words(associated: Associated) -> None:
    protocol = read_protocol(associated.root / "trial.yaml")
    index = index_dataset(associated.root / "bids", ())
    foreseen = describe_associations(protocol, check_dataset(protocol, index), index)
    reasons = {item.association: item.reason for item in foreseen}
    for name, reason in reasons.items():
        content = associated.content(name)
        assert bool(reason) == (content["verdict"] == "refused")
        assert reason.rstrip(".") in content["sentence"]
    assert {name for name, reason in reasons.items() if reason} == {"absent", "motion", "folds"}
    counts = {item.association: item.n_per_group for item in foreseen}
    assert counts["change"] == {DRUG: 8, PLACEBO: 8}


def test_associations_are_kept(associated: Associated) -> None:
    files = [associated.file(name) for name in ASSOCIATIONS]
    tables = [
        path.with_name(f"{path.parent.name}_stats.tsv")
        for path in files
        if json.loads(path.read_text())["content"]["verdict"] != "refused"
    ]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in tables]
    contents = [path.read_bytes() for path in files]
    code, printed = run_rated(associated.root, associated_document())
    assert code == 0, printed
    assert contents == [path.read_bytes() for path in files]
    assert before == [(path.read_bytes(), path.stat().st_mtime_ns) for path in tables]


def test_correlation_of_differences_in_a_crossover(tmp_path: Path) -> None:
    people = pd.DataFrame(
        {
            "participant_id": [f"{k:02d}" for k in range(1, 9)],
            "sequence": ["first", "second"] * 4,
        }
    )
    table = rated_courses(tmp_path / "bids", people, ("one", "two"))
    sequences = {"first": [DRUG, PLACEBO], "second": [PLACEBO, DRUG]}
    document = rated_document(
        {
            "kind": "crossover",
            "sequences": {name: {"treatments": given} for name, given in sequences.items()},
        },
        {name: {"phase": "acute", "period": k} for k, name in enumerate(("one", "two"), 1)},
        {DRUG: {}, PLACEBO: {}},
        scales={"mood": {"columns": ["score"], "minimum": -50, "maximum": 90}},
        questions={
            "mood": {
                "text": "Does mood differ?",
                "role": "primary",
                "measure": "mood",
                "contrast": [DRUG, PLACEBO],
                "estimator": "crossover",
            }
        },
        associations={
            "difference": association(contrast=[DRUG, PLACEBO]),
            "repeated": association(treatments=[DRUG, PLACEBO]),
        },
    )
    code, printed = run_rated(tmp_path, document)
    assert code == 0, printed
    found = Associated(tmp_path, table, people).content("difference")
    wide = table.pivot_table(index="participant_id", columns="session_id")
    first = (people["sequence"] == "first").to_numpy()
    sign = np.where(first, 1.0, -1.0)
    z, score = (((wide[v]["one"] - wide[v]["two"]) * sign).to_numpy() for v in ("z", "score"))
    # Each order has a mean of its own, so that a period effect does not go for an association.
    assert found["r"] == pytest.approx(adjusted_r(z, score, first, ~first), rel=1e-6)
    assert found["n"] == 8
    assert set(found["points"]) == {"first", "second"}
    within = Associated(tmp_path, table, people).content("repeated")
    centred = table[["z", "score"]] - table.groupby("participant_id")[["z", "score"]].transform(
        "mean"
    )
    assert within["r"] == pytest.approx(centred.corr().iloc[0, 1], rel=1e-6)
    assert (within["n"], within["n_pairs"], within["part"]) == (8, 16, "within")
    means = [table.groupby("participant_id")[name].mean().to_numpy() for name in ("z", "score")]
    between = within["between"]
    assert between["r"] == pytest.approx(adjusted_r(*means, first, ~first), rel=1e-6)
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "Within persons" in page
    assert "Between persons" in page


# -------------------------------------------------------------------------------- bad input
ARMS = ("drug", "both", "placebo")
SCALES = {
    "score": "as it should be",
    "equal": "as high after the pretreatment as without",
    "gone": "nobody of an arm in a session",
    "alone": "one person of an arm in a session",
    "constant": "the same for everyone",
}


def asked_of_arms(measure: str, estimator: str, **more: object) -> dict[str, object]:
    asked = question(measure, estimator, contrast=["drug", "placebo"], session="day", **more)
    return asked | ({} if estimator == "post" else {"baseline": "before"})


def arms_document(questions: dict[str, object], **sections: object) -> dict[str, Any]:
    scales = {name: {"columns": [name], "minimum": 0, "maximum": 60} for name in SCALES}
    return rated_document(
        {"kind": "parallel", "arms": {arm: {"treatment": arm} for arm in ARMS}},
        {"before": {"phase": "baseline"}, "day": {"phase": "acute"}, "week": {"phase": "acute"}},
        {arm: {} for arm in ARMS},
        **{"scales": scales, "questions": questions, **sections},
    )


def write_arms(root: Path) -> None:
    """Write 6 participants per arm: the drug adds 8 on the day, whoever had it alone."""
    rng = np.random.default_rng(6)
    people = pd.DataFrame(
        {"participant_id": [f"{k:02d}" for k in range(1, 19)], "arm": list(ARMS) * 6}
    )
    people["twin"] = (people["arm"] == "drug").astype(int)
    people["ill"] = ["yes" if k in {1, 2, 4} else "no" for k in range(1, 19)]
    table = people.merge(pd.DataFrame({"session_id": ["before", "day", "week"]}), how="cross")
    day, drug = table["session_id"] == "day", table["arm"] == "drug"
    table["score"] = (20 + 8 * (day & drug) + rng.normal(0, 3, len(table))).round(1)
    table["equal"] = table["score"] + 8 * (day & (table["arm"] == "both"))
    table["gone"] = table["score"].mask(day & drug)
    table["alone"] = table["score"].mask(day & drug & (table["participant_id"] != "01"))
    table["constant"] = 5.0
    scales = {name: table[["participant_id", "session_id", name]] for name in SCALES}
    write_ratings(root / "bids", people, scales)
    write_series(root / "bids", "01", "day", rng.normal(size=(40, 2)))


SAME = "the outcome is the same in every participant and session"
REFUSED = {
    "gone_post": (asked_of_arms("gone", "post"), ("drug", "too few participants", "found 0")),
    "gone_clda": (
        asked_of_arms("gone", "clda"),
        ("ses-day, drug", "too few participants", "found 0"),
    ),
    "alone_mixed": (
        asked_of_arms("alone", "mixed"),
        ("ses-day, drug", "too few participants", "found 1", "at least 2"),
    ),
    "alone_robust": (
        asked_of_arms("alone", "ancova", errors="hc3"),
        ("drug", "too few participants", "found 1", "at least 2"),
    ),
    "constant_post": (asked_of_arms("constant", "post"), (SAME,)),
    "constant_mixed": (asked_of_arms("constant", "mixed"), (SAME,)),
    "constant_robust": (asked_of_arms("constant", "ancova", errors="hc3"), (SAME,)),
    "twin_post": (
        asked_of_arms("score", "post", covariates=["twin"]),
        ("cannot be told apart", "twin"),
    ),
    "twin_mmrm": (
        asked_of_arms("score", "mmrm", covariates=["twin"]),
        ("cannot be told apart", "twin"),
    ),
    "twin_clusters": (
        asked_of_arms("score", "mixed", covariates=["twin"], errors="cr2"),
        ("cannot be told apart", "twin"),
    ),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("refused")
    write_arms(root)
    equal = asked_of_arms("equal", "ancova", role="primary", blockade={"reference": "placebo"})
    questions = {name: asked for name, (asked, _) in REFUSED.items()}
    questions["equal"] = equal | {"contrast": ["drug", "both"]}
    code, printed = run_rated(root, arms_document(questions))
    assert code == 0, printed
    return root / "out"


@pytest.mark.parametrize("name", list(REFUSED))
def test_question_that_data_cannot_answer_is_refused_with_the_reason(
    refused: Path, name: str
) -> None:
    found = claim(refused, name.replace("_", ""))["claim"]
    assert found["verdict"] == "refused"
    assert found["peaks"] == []
    for part in REFUSED[name][1]:
        assert part in found["sentence"], found["sentence"]


def test_refused_questions_do_not_stop_the_others(refused: Path) -> None:
    found = claim(refused, "equal")
    assert found["claim"]["verdict"] == "not found"
    table = pd.read_csv(refused / "group" / "analysis.tsv", sep="\t")
    assert set(table["outcome"]) == {"equal"}


def test_blockade_without_a_margin_is_undecided_and_says_why(refused: Path) -> None:
    found = claim(refused, "equal")["beside"]["blockade"]
    assert found["drug"]["pvalue"] < 0.05 < found["difference"]["pvalue"]
    assert found["verdict"] == "undecided"
    assert any("cannot be said without a margin" in text for text in found["sentences"])


@pytest.mark.parametrize(
    ("sections", "code", "parts"),
    [
        (
            {"scales": {"score": {"columns": ["score"], "minimum": 0, "maximum": 25}}},
            1,
            ("phenotype/score.tsv", "out of range", "expected 0 to 25"),
        ),
        (
            {
                "questions": {
                    "it": asked_of_arms("score", "post", role="primary", populations=["nobody"])
                }
            },
            2,
            ("questions.it.populations", "not declared", "found nobody"),
        ),
        (
            {
                "questions": {
                    "it": asked_of_arms("score", "post", role="primary", covariates=["weight"])
                }
            },
            1,
            ("questions.it.covariates", "participants.tsv has no column weight"),
        ),
        (
            {
                "intercurrent_events": {
                    "column": {"column": "fell_ill", "value": "1", "strategy": "exclude"},
                    "table": {"file": "ill", "column": "x", "value": "1", "strategy": "exclude"},
                }
            },
            1,
            ("(2 problems)", "expected fell_ill", "ill.tsv", "there is no such table"),
        ),
    ],
    ids=["score out of range", "unknown population", "no covariate", "no events"],
)
def test_bad_input_is_one_clear_error(
    tmp_path: Path, sections: dict[str, Any], code: int, parts: tuple[str, ...]
) -> None:
    write_arms(tmp_path)
    questions: dict[str, object] = {"it": asked_of_arms("score", "post", role="primary")}
    stopped, printed = run_rated(tmp_path, arms_document(**({"questions": questions} | sections)))
    assert stopped == code, printed
    for part in parts:
        assert part in printed, printed
    assert "Traceback" not in printed
    assert not (tmp_path / "out" / "report").exists()


def test_other_populations_allow_for_unequal_variances_too(tmp_path: Path) -> None:
    write_arms(tmp_path)
    asked = asked_of_arms("score", "post", role="primary", populations=["everyone", "well"])
    ill = {"column": "ill", "value": "yes", "strategy": "treatment_policy"}
    code, printed = run_rated(
        tmp_path,
        arms_document(
            {"it": asked},
            inference={"statistic": "v"},
            intercurrent_events={"ill": ill},
            populations={"everyone": {}, "well": {"exclude_events": ["ill"]}},
        ),
    )
    assert code == 0, printed
    people = pd.read_csv(tmp_path / "bids" / "participants.tsv", sep="\t")
    table = pd.read_csv(tmp_path / "bids" / "phenotype" / "score.tsv", sep="\t").merge(people)
    day = table[table["session_id"] == "ses-day"]
    rows = claim(tmp_path / "out", "it")["beside"]["populations"]
    for row, counted in zip(rows, (day, day[day["ill"] == "no"]), strict=True):
        scores = counted.groupby("arm")["score"].agg(list)
        welch = scipy.stats.ttest_ind(scores["drug"], scores["placebo"], equal_var=False)
        interval = welch.confidence_interval(0.95)
        assert row["n_per_group"]["drug"] == len(scores["drug"])
        assert row["pvalue"] == pytest.approx(welch.pvalue, rel=1e-9)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(interval, rel=1e-9)
