"""Outcomes and scores of the same people: maps, motion, exclusions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from phmri.exceptions import DesignError
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import load_association
from phmri.pipeline._associations import answer_association
from phmri.pipeline._design_associations import describe_associations
from phmri.pipeline._outcome_files import unknown_outcome
from phmri.pipeline._ratings import Rating
from phmri.protocol import Protocol
from phmri.report import AssociationContent
from tests.unit.pipeline.measured_trial import N_VOXELS, PARALLEL, make_trial, parallel

ARMS = {f"{k:02d}": "treated" if k % 2 else "control" for k in range(1, 21)}
STRONG = 7
PARTS = ("within", "between")
SCALE = {
    "columns": ["one", "two"],
    "subscales": {"part": ["one"]},
    "minimum": -100,
    "maximum": 100,
}
ROOM = {"where": {"mean_of": "target"}}


def association(**more: object) -> dict[str, object]:
    return {
        "text": "Do they go together?",
        "role": "exploratory",
        "measure": "step",
        "scale": "mood",
        "session": "day",
        **more,
    }


def repeated(**more: object) -> dict[str, object]:
    sessions = ["before", "day", "week"]
    return {**association(**more), "session": None, "sessions": sessions}


ASKED = {
    "map": association(),
    "number": association(**ROOM),
    "part": association(subscale="part", **ROOM),
    "motion": association(partial=["mean_fd"], **ROOM),
    "predicted": association(prediction={"folds": 5}),
    "too_many_folds": association(prediction={"folds": 21}),
    "repeated": repeated(**ROOM),
    "ranked": repeated(method="spearman", partial=["mean_fd"], **ROOM),
    "apart": repeated(session_means=True, **ROOM),
    "everywhere": repeated(),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> GroupInputs:
    """Give maps of 20 people: the score goes with one voxel of 12, motion with the region."""
    content = parallel(
        questions={"it": PARALLEL},
        scales={"mood": SCALE},
        associations=ASKED,
        inference={"method": "voxel", "n_permutations": 200},
    )
    trial = make_trial(tmp_path_factory.mktemp("associations"), content, ARMS)
    rng = np.random.default_rng(3)
    maps = {run: rng.normal(size=N_VOXELS) for run in trial.inputs.runs}
    trial.write(
        "step", lambda subject, session, *which: maps[subject, session, "rest"].astype(np.float32)
    )
    ratings = {}
    for subject, session, _ in maps:
        score = 3 * maps[subject, session, "rest"][STRONG] + rng.normal(0, 1)
        key = (subject, session, "mood")
        ratings[key] = Rating(key=key, score=score, subscales={"part": rng.normal()})
    for key, run in trial.inputs.runs.items():
        fd = 0.2 + 0.05 * float(rng.normal())
        manifest = replace(run.manifest, mean_fd_mm=fd)
        trial.inputs.runs[key] = replace(run, manifest=manifest)
    return replace(trial.inputs, ratings=ratings)


def answer(inputs: GroupInputs, name: str) -> AssociationContent:
    return answer_association(inputs, name, lambda stage, done, total: None)


def left_of(inputs: GroupInputs, values: list[float], *columns: list[float]) -> np.ndarray:
    arms = [[float(arm == name) for arm in ARMS.values()] for name in ("treated", "control")]
    X = np.array([*arms, *columns]).T
    y = np.array(values)
    return np.asarray(y - X @ np.linalg.lstsq(X, y, rcond=None)[0])


def test_map_names_its_place_and_shows_what_selection_would_claim(inputs: GroupInputs) -> None:
    found = answer(inputs, "map")
    assert found.verdict == "found"
    assert found.corrected_over == "12 outcomes"
    assert found.pvalue_corrected is not None
    assert found.pvalue is not None
    assert found.pvalue_corrected >= found.pvalue
    assert "1 of 12 places" in found.sentence
    assert "cannot be read off" in found.sentence
    # Voxel 7 of 3 x 2 x 2, x slowest, 4 mm: (1, 1, 1).
    assert found.place.endswith("(4, 4, 4) mm")
    circular = found.circular
    assert circular is not None
    assert circular.n_selected == 1
    assert circular.max_r_in_map == pytest.approx(found.r, rel=1e-6)
    # A place that everyone's absence leaves selected is no product of selection ...
    assert circular.honest_r == pytest.approx(circular.max_r_in_map, abs=0.05)
    # ... though without any association such a selection would show as much as this.
    assert circular.null_r is not None
    assert 0.6 < circular.null_r < circular.max_r_in_map


def test_one_number_has_no_circle_and_no_correction(inputs: GroupInputs) -> None:
    found = answer(inputs, "number")
    assert found.circular is None
    assert found.pvalue_corrected is None
    assert found.place == ""


def test_subscale_takes_the_place_of_the_score(inputs: GroupInputs) -> None:
    whole, part = (load_association(inputs, name) for name in ("number", "part"))
    np.testing.assert_array_equal(whole.Y, part.Y)
    own = [inputs.ratings[s, "day", "mood"].subscales["part"] for s in part.rows.subjects]
    assert part.rows.score.tolist() == own
    assert whole.rows.score.tolist() != own


def test_motion_is_taken_out_of_both(inputs: GroupInputs) -> None:
    data = load_association(inputs, "motion")
    fd = [inputs.runs[s, "day", "rest"].manifest.mean_fd_mm for s in data.rows.subjects]
    assert data.nuisance is not None
    assert data.nuisance[:, 0].tolist() == fd
    y = left_of(inputs, data.Y[:, 0].tolist(), fd)
    score = left_of(inputs, data.rows.score.tolist(), fd)
    assert answer(inputs, "motion").r == pytest.approx(np.corrcoef(y, score)[0, 1], rel=1e-6)


def test_motion_that_is_not_known_is_refused(inputs: GroupInputs) -> None:
    runs = dict(inputs.runs)
    key = ("03", "day", "rest")
    runs[key] = replace(runs[key], manifest=replace(runs[key].manifest, mean_fd_mm=None))
    with pytest.raises(DesignError, match="without framewise displacement; found sub-03"):
        load_association(replace(inputs, runs=runs), "motion")


def test_prediction_from_a_map(inputs: GroupInputs) -> None:
    found = answer(inputs, "predicted").prediction
    assert found is not None
    assert found.folds == 5
    assert "ridge" in found.model
    assert found.r2_in_sample is not None
    assert 0 < found.r2 < found.r2_in_sample
    assert found.pvalue <= 0.05


def test_who_lacks_outcome_or_score_is_left_out(inputs: GroupInputs) -> None:
    runs, ratings = dict(inputs.runs), dict(inputs.ratings)
    key = ("01", "day", "rest")
    runs[key] = replace(runs[key], manifest=replace(runs[key].manifest, excluded="moved"))
    del ratings["02", "day", "mood"]
    gap = ("03", "day", "mood")
    ratings[gap] = replace(ratings[gap], score=float("nan"))
    fewer = replace(inputs, runs=runs, ratings=ratings)
    assert load_association(fewer, "number").rows.subjects == tuple(ARMS)[3:]


def test_too_few_are_refused_and_the_refusal_is_kept(inputs: GroupInputs, tmp_path: Path) -> None:
    few = {key: rating for key, rating in inputs.ratings.items() if key[0] < "05"}
    found = answer(replace(inputs, ratings=few, out_dir=tmp_path), "number")
    assert found.verdict == "refused"
    assert "too few participants" in found.sentence
    assert "found 4; expected at least 5" in found.sentence
    (path,) = tmp_path.rglob("association.json")
    assert json.loads(path.read_text())["content"]["verdict"] == "refused"


def test_answer_is_kept_until_a_score_changes(inputs: GroupInputs, tmp_path: Path) -> None:
    inputs = replace(inputs, out_dir=tmp_path)
    stages: list[str] = []

    def ask(of: GroupInputs) -> AssociationContent:
        return answer_association(of, "number", lambda stage, done, total: stages.append(stage))

    first = ask(inputs)
    (path,) = tmp_path.rglob("association.json")
    written = path.read_bytes()
    assert ask(inputs) == first
    assert path.read_bytes() == written
    assert len(stages) == 1
    key = ("04", "day", "mood")
    other = inputs.ratings | {key: replace(inputs.ratings[key], score=0.0)}
    assert ask(replace(inputs, ratings=other)).r != first.r
    assert len(stages) == 2


def test_folds_beyond_participants_are_refused(inputs: GroupInputs, tmp_path: Path) -> None:
    found = answer(replace(inputs, out_dir=tmp_path), "too_many_folds")
    assert found.verdict == "refused"
    assert "more folds than participants; found 21; expected at most 20" in found.sentence


def rows_of(inputs: GroupInputs, name: str) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    data = load_association(inputs, name)
    return data.Y[:, 0], data.rows.score, list(data.rows.subjects), list(data.rows.visits)


def without(values: np.ndarray, *labels: list[str]) -> np.ndarray:
    columns = [[float(x == one) for x in label] for label in labels for one in sorted(set(label))]
    X = np.array(columns).T
    return np.asarray(values - X @ np.linalg.lstsq(X, values, rcond=None)[0])


def test_within_and_between_persons_are_told_apart(inputs: GroupInputs, tmp_path: Path) -> None:
    inputs = replace(inputs, out_dir=tmp_path)
    y, score, people, _ = rows_of(inputs, "repeated")
    found = answer(inputs, "repeated")
    between = found.between
    assert between is not None
    assert (found.part, found.n, found.n_pairs) == ("within", 20, 60)
    assert (between.part, between.n, between.n_pairs) == ("between", 20, 0)
    left = np.corrcoef(without(y, people), without(score, people))[0, 1]
    assert found.r == pytest.approx(left, rel=1e-9)
    means = [
        [np.mean(values[np.array(people) == one]) for one in sorted(set(people))]
        for values in (y, score)
    ]
    arms = [ARMS[one] for one in sorted(set(people))]
    own = np.corrcoef(*(without(np.array(values), arms) for values in means))[0, 1]
    assert between.r == pytest.approx(own, rel=1e-9)
    drawn = [value for x, _, _ in found.points.values() for value in x]
    assert sum(drawn) == pytest.approx(0, abs=1e-9)
    assert len(drawn) == 60
    assert found.sentence.count("persons") == 2
    assert "n = 20 with 60 pairs" in found.sentence
    assert "within each person only" in found.shuffled
    assert "within each arm only" in between.shuffled
    assert not between.readings
    table = pd.read_csv(next(tmp_path.rglob("*_pairs.tsv")), sep="\t")
    assert list(table["visit"][:3]) == ["before", "day", "week"]
    assert table["score"].tolist() == pytest.approx(score.tolist())
    assert {path.name for path in tmp_path.rglob("*_stats.tsv")} == {
        "association-repeated_desc-between_stats.tsv",
        "association-repeated_desc-within_stats.tsv",
    }
    assert answer(inputs, "repeated") == found


def test_sessions_can_be_taken_out(inputs: GroupInputs) -> None:
    y, score, people, visits = rows_of(inputs, "apart")
    cells = [f"{ARMS[one]} {visit}" for one, visit in zip(people, visits, strict=True)]
    left = np.corrcoef(without(y, people, cells), without(score, people, cells))[0, 1]
    found = answer(inputs, "apart")
    assert found.r == pytest.approx(left, rel=1e-9)
    assert found.partial == ("session means",)
    plain = answer(inputs, "repeated")
    for content, asked in ((found, (False, True)), (plain, (True, False))):
        assert [reading.name for reading in content.readings] == [
            "Session means left in",
            "Session means taken out",
        ]
        assert tuple(reading.asked for reading in content.readings) == asked
        kept, gone = content.readings
        assert (kept.r, gone.r) == (pytest.approx(plain.r), pytest.approx(found.r))
        assert (gone.ci_low, gone.ci_high) == pytest.approx((found.ci_low, found.ci_high))
    assert f"taken out: r {left:+.2f}, 95 % CI".replace("-", "−") in plain.sentence
    assert f"left in: r {plain.r:+.2f}, 95 % CI".replace("-", "−") in found.sentence
    assert "verdict rests on r with session means taken out" in found.readings_words
    assert "verdict rests on r with session means left in" in plain.readings_words


def test_score_that_follows_sessions_alone_leaves_nothing_beside_their_means(
    inputs: GroupInputs,
) -> None:
    day = {"before": 0.0, "day": 5.0, "week": 1.0}
    same = {
        key: replace(rating, score=day[key[1]] + float(key[0]))
        for key, rating in inputs.ratings.items()
    }
    found = answer(replace(inputs, ratings=same), "repeated")
    kept, gone = found.readings
    assert kept.r is not None
    assert gone.r is None
    assert "taken out: nothing is left to go together." in found.sentence


def test_ranks_beside_motion_and_who_lacks_sessions(inputs: GroupInputs) -> None:
    ratings = dict(inputs.ratings)
    for key in (("01", "day", "mood"), ("02", "day", "mood"), ("02", "week", "mood")):
        del ratings[key]
    found = answer(replace(inputs, ratings=ratings), "ranked")
    assert (found.n, found.n_pairs) == (19, 56)  # one pair of the second tells nothing within
    assert found.between is not None
    assert any("1 of 19 participants lack" in note for note in found.between.notes)
    assert found.partial == ("mean_fd",)
    for part in (found, found.between):
        assert (
            "Outcomes, scores and mean_fd were replaced by their ranks; Spearman's rho, its "
            "interval and its p are of these ranks." in part.sentences
        )
        assert not any("outcomes themselves" in text for text in part.sentences)
    y, score, people, _ = rows_of(replace(inputs, ratings=ratings), "ranked")
    fd = load_association(replace(inputs, ratings=ratings), "ranked").nuisance
    assert fd is not None
    ranks = [without(rankdata(values), people) for values in (y, score, fd[:, 0])]
    y, score = (v - ranks[2] * (v @ ranks[2]) / (ranks[2] @ ranks[2]) for v in ranks[:2])
    assert found.r == pytest.approx(np.corrcoef(y, score)[0, 1], rel=1e-9)


def test_map_has_places_in_both_parts(inputs: GroupInputs, tmp_path: Path) -> None:
    found = answer(replace(inputs, out_dir=tmp_path), "everywhere")
    between = found.between
    assert between is not None
    # The score follows voxel 7 in every session.
    assert (found.verdict, found.place) == ("found", between.place)
    assert found.circular is not None
    assert found.circular.n_selected >= 1
    assert found.circular.max_r_in_map == pytest.approx(found.r, rel=1e-6)
    assert found.circular.honest_r == pytest.approx(found.circular.max_r_in_map, abs=0.1)
    assert between.circular is not None
    assert all(reading.r is not None for reading in found.readings)
    names = {path.name for path in tmp_path.rglob("*.nii.gz")}
    assert {f"association-everywhere_stat-r_desc-{p}_statmap.nii.gz" for p in PARTS} <= names


def test_score_that_varies_only_between_is_refused_within(inputs: GroupInputs) -> None:
    same = {key: replace(rating, score=float(key[0])) for key, rating in inputs.ratings.items()}
    found = answer(replace(inputs, ratings=same), "repeated")
    assert found.verdict == "refused"
    assert "within participants: a score of which nothing is left" in found.sentence
    assert found.between is not None
    assert found.between.verdict != "refused"
    assert found.between.r is not None


def test_design_says_what_the_verdict_of_sessions_rests_on(inputs: GroupInputs) -> None:
    notes = {check.association: check.note for check in describe_associations(inputs.protocol)}
    assert notes["number"] == ""
    said = notes["apart"]
    assert "r with those of each arm taken out says only whether who changed" in notes["apart"]
    assert said.endswith("rests on r with session means taken out, as the protocol asks.")
    assert notes["repeated"].endswith("r with session means left in, as the protocol asks.")


def test_the_seed_is_not_suggested_as_an_outcome() -> None:
    seeded = {"kind": "seed_to_parcel", "scan": "rest", "seed": "dmn", "parcels": "all",
              "denoising": "none"}  # fmt: skip
    asked = {"text": "?", "role": "primary", "measure": "seeded", "session": "day",
             "contrast": ["treated", "control"], "estimator": "post",
             "where": {"at": "pcc2"}}  # fmt: skip
    protocol = Protocol.model_validate(
        parallel(
            regions={"dmn": {"kind": "series", "columns": ["pcc"]}},
            parcellations={"all": {"seg": "S"}},
            denoising={"none": {"strategy": "none"}},
            measures={"seeded": seeded},
            questions={"it": asked},
        )
    )
    names = ("pcc", "pcc1", "dlpfc", "insula")
    problem = unknown_outcome(protocol, protocol.questions["it"], names)
    assert problem.expected == "one of 3, e.g. pcc1, dlpfc, insula (did you mean pcc1?)"


@pytest.mark.parametrize(("name", "sign"), [("number", 1.0), ("number", -1.0), ("repeated", 1.0)])
def test_exact_correlation_is_answered_by_counting(
    inputs: GroupInputs, name: str, sign: float
) -> None:
    data = load_association(inputs, name)
    keys = [(cells["outcome"].subject, cells["outcome"].session) for cells in data.rows.cells]
    ratings = dict(inputs.ratings)
    for key, value in zip(keys, data.Y[:, 0].tolist(), strict=True):
        ratings[*key, "mood"] = replace(ratings[*key, "mood"], score=3 + sign * value)
    found = answer(replace(inputs, ratings=ratings), name)
    assert found.r == pytest.approx(sign)
    assert found.pvalue == 1 / 200
    assert found.verdict == "found"


def test_answer_is_made_again_when_maps_region_or_own_files_change(
    inputs: GroupInputs, tmp_path: Path
) -> None:
    inputs = replace(inputs, out_dir=tmp_path)
    stages: list[str] = []

    def ask(of: GroupInputs) -> AssociationContent:
        return answer_association(of, "number", lambda stage, done, total: stages.append(stage))

    first = ask(inputs)
    assert ask(inputs) == first
    key = ("04", "day", "rest")
    run = inputs.runs[key]
    output = replace(run.manifest.outputs[0], sha256="of a map that was made again")
    again = replace(run, manifest=replace(run.manifest, outputs=(output,)))
    changed = replace(inputs, runs=inputs.runs | {key: again})
    ask(changed)
    assert len(stages) == 2
    moved = {name: replace(region, source={"mm": 99}) for name, region in inputs.regions.items()}
    ask(replace(inputs, regions=moved))
    assert len(stages) == 3
    for path in tmp_path.rglob("*_pairs.tsv"):
        path.unlink()
    ask(replace(inputs, regions=moved))
    assert len(stages) == 4
    assert list(tmp_path.rglob("*_pairs.tsv"))
