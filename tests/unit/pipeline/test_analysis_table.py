"""The table from which a statistician answers again, and the ratings in it."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.pipeline._analysis_table import write_analysis_table
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._group import answer_question
from phmri.pipeline._ratings import Rating, load_ratings, rating_values, score_of
from tests.unit.pipeline.measured_trial import (
    ARMS,
    N_VOXELS,
    PARALLEL,
    TARGET,
    make_trial,
    parallel,
    question,
)

SCALE = {"columns": ["one", "two"], "subscales": {"part": ["one"]}, "minimum": 0, "maximum": 60}
ROOM = {"where": {"mean_of": "target"}}
REGION = PARALLEL | ROOM
EXCLUDED = ("03", "day")
UNMEASURED = ("04", "day")


def rated(name: str, **more: object) -> dict[str, object]:
    return question(
        name, contrast=["treated", "control"], session="day", estimator="post", role="secondary"
    ) | {**more}


QUESTIONS = {
    "region": REGION | {"populations": ["everyone", "upright"], "covariates": ["age"]},
    "change": REGION | {"estimator": "change", "baseline": "before", "role": "secondary"},
    "map": PARALLEL | {"role": "secondary"},
    "mood": rated("mood"),
    "part": rated("mood", map="part"),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[GroupInputs, pd.DataFrame]:
    content = parallel(
        questions=QUESTIONS,
        scales={"mood": SCALE},
        intercurrent_events={
            "fell": {"column": "fell", "value": "1", "strategy": "treatment_policy"}
        },
        populations={"everyone": {}, "upright": {"exclude_events": ["fell"]}},
    )
    trial = make_trial(
        tmp_path_factory.mktemp("analysis"), content, ARMS, excluded={EXCLUDED: "moved too much"}
    )
    rng = np.random.default_rng(8)
    maps = {key[:2]: rng.normal(size=N_VOXELS).astype(np.float32) for key in trial.inputs.runs}
    trial.write("step", lambda subject, session, *which: maps[subject, session])
    del trial.inputs.runs[*UNMEASURED, "rest"]
    cells = tuple(
        replace(cell, status="missing", reason="no such run", run=None)
        if (cell.subject, cell.session) == UNMEASURED
        else cell
        for cell in trial.inputs.check.cells
    )
    ratings = {
        (subject, session, "mood"): Rating(
            key=(subject, session, "mood"),
            score=float(rng.integers(0, 60)),
            subscales={"part": float(rng.integers(0, 30))},
        )
        for subject, session in maps
    }
    people = trial.inputs.index.participants.assign(age=np.arange(20.0, 20.0 + len(ARMS)))
    inputs = replace(
        trial.inputs,
        ratings=ratings,
        happened={"fell": frozenset({("05", "day"), ("05", "week")})},
        index=replace(trial.inputs.index, participants=people),
        check=replace(
            trial.inputs.check,
            cells=cells,
            ratings=tuple(replace(c, scan="mood", run=None) for c in trial.inputs.check.cells),
        ),
    )
    scores = inputs.index.root / "phenotype" / "mood.tsv"  # hashed, as the source of answers
    scores.parent.mkdir()
    scores.write_text("not read here\n")
    results = [answer_question(inputs, name, lambda *progress: None) for name in QUESTIONS]
    assert [r.claim.question for r in results if r.claim.verdict == "refused"] == []
    path = write_analysis_table(inputs, results)
    assert path is not None
    return inputs, pd.read_csv(path, sep="\t")


def row_of(table: pd.DataFrame, outcome: str, subject: str, session: str) -> pd.Series:
    where = (table["participant_id"] == f"sub-{subject}") & (
        table["session_id"] == f"ses-{session}"
    )
    found = table[where & (table["outcome"] == outcome)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_row_per_participant_session_and_number(
    measured: tuple[GroupInputs, pd.DataFrame],
) -> None:
    _, table = measured
    assert set(table["outcome"]) == {"step:target", "mood", "mood:part"}  # no map
    assert len(table) == 3 * len(ARMS) * 3
    keys = ["participant_id", "session_id", "outcome"]
    assert not table.duplicated(keys).any()


def test_values_are_those_of_the_region(measured: tuple[GroupInputs, pd.DataFrame]) -> None:
    inputs, table = measured
    (path,) = (inputs.out_dir / "sub-01" / "ses-day").rglob("*contrast-step_stat-effect*.nii.gz")
    values = np.asarray(nib.load(path).dataobj).ravel()[TARGET.voxels]
    found = row_of(table, "step:target", "01", "day")["value"]
    assert found == pytest.approx(values @ TARGET.weights / TARGET.weights.sum(), rel=1e-6)


def test_standing_of_every_cell(measured: tuple[GroupInputs, pd.DataFrame]) -> None:
    _, table = measured
    excluded = row_of(table, "step:target", *EXCLUDED)
    assert (excluded["status"], excluded["reason"]) == ("excluded", "moved too much")
    missing = row_of(table, "step:target", *UNMEASURED)
    assert (missing["status"], missing["reason"]) == ("missing", "no such run")
    for row in (excluded, missing):
        assert np.isnan(row["value"])
        assert np.isnan(row["change"])
        assert pd.isna(row["questions"])
    fine = row_of(table, "step:target", "01", "day")
    assert fine["status"] == "ok"
    assert fine["change"] == pytest.approx(fine["value"] - fine["baseline"])
    assert fine["mean_fd_mm"] == 0.1
    assert row_of(table, "mood", *EXCLUDED)["status"] == "ok"  # the scan moved, not the score


def test_row_names_the_questions_that_used_it(
    measured: tuple[GroupInputs, pd.DataFrame],
) -> None:
    _, table = measured
    assert row_of(table, "step:target", "01", "day")["questions"] == "region,change"
    assert row_of(table, "step:target", "01", "before")["questions"] == "change"
    assert pd.isna(row_of(table, "step:target", "01", "week")["questions"])
    assert row_of(table, "mood", "01", "day")["questions"] == "mood"
    assert row_of(table, "mood:part", "01", "day")["questions"] == "part"


def test_people_events_and_populations(measured: tuple[GroupInputs, pd.DataFrame]) -> None:
    _, table = measured
    for session, fell in (("before", False), ("day", True)):
        row = row_of(table, "mood", "05", session)
        assert row["event_fell"] == fell
        assert not row["population_upright"]
        assert row["population_everyone"]
        assert row["covariate_age"] == 24
    assert row_of(table, "mood", "06", "day")["population_upright"]


def test_scores_and_subscales(measured: tuple[GroupInputs, pd.DataFrame]) -> None:
    inputs, table = measured
    rating = inputs.ratings["02", "week", "mood"]
    assert row_of(table, "mood", "02", "week")["value"] == rating.score
    assert row_of(table, "mood:part", "02", "week")["value"] == rating.subscales["part"]
    asked = inputs.protocol.questions["part"]
    assert rating_values(asked, inputs.ratings.values())[rating.key] == score_of(rating, "part")
    loaded = load_ratings(asked, {"outcome": (rating, rating)})
    assert loaded.names == ("part",)
    assert loaded.images["outcome"].tolist() == [[rating.subscales["part"]]] * 2


def test_every_column_is_described(measured: tuple[GroupInputs, pd.DataFrame]) -> None:
    inputs, table = measured
    folder = inputs.out_dir / "group"
    dictionary = json.loads((folder / "analysis.json").read_text())
    assert set(table.columns) <= set(dictionary)
    assert all(dictionary[name]["Description"] for name in table.columns)
    pd.testing.assert_series_equal(
        pd.read_parquet(folder / "analysis.parquet")["value"], table["value"]
    )


def test_maps_alone_have_no_table(tmp_path: Path) -> None:
    trial = make_trial(tmp_path, parallel(), ARMS)
    rng = np.random.default_rng(8)
    trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
    results: list[QuestionAnswer] = [trial.answer()]
    assert write_analysis_table(trial.inputs, results) is None
    assert not (tmp_path / "group" / "analysis.tsv").exists()
