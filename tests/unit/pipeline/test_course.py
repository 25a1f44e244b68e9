"""Courses of an infusion response, from bins that the test wrote."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.pipeline._course import load_course
from phmri.pipeline._loading import LoadedOutcomes
from phmri.report import CourseContent
from tests.unit.pipeline.measured_trial import (
    ARMS,
    CROSSED,
    EDGES,
    N_VOXELS,
    PARALLEL,
    SHAPE,
    TARGET,
    Trial,
    document,
    infusion,
    make_trial,
    parallel,
    question,
)

STATISTICS = ("effect", "bin01", "bin02", "bin03", "bin04")
SESSIONS = ("before", "one", "two", "three", "four", "day", "week")


def value(subject: str, session: str, denoising: str, statistic: str) -> float:
    """Give a number that tells where it comes from."""
    place = 10 * SESSIONS.index(session) + (5 if denoising == "gsr" else 0)
    return float(int(subject) + place / 100 + int(f"0{statistic[3:]}") / 1000)


def voxels(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
    number = value(subject, session, denoising, statistic) if statistic != "effect" else 0.0
    return number + 100.0 * np.arange(N_VOXELS)


def noise(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
    seed = [int(subject), *f"{session}{denoising}{statistic}".encode()]
    return np.random.default_rng(seed).normal(size=N_VOXELS)


def bins(subject: str, session: str, n: int = 3, *, index: int = 0, denoising: str = "motion"):
    return [
        100.0 * index + value(subject, session, denoising, f"bin{k:02d}") for k in range(1, n + 1)
    ]


def of_voxels(index: tuple[int, ...] = (), weights: np.ndarray | None = None) -> LoadedOutcomes:
    mask = np.ones(SHAPE, bool)
    mask.flat[list(index)] = False
    return LoadedOutcomes(
        kind="map" if weights is None else "scalar",
        images={},
        names=() if weights is None else ("target",),
        mask=mask,
        affine=np.eye(4),
        weights=weights,
        note="",
    )


def course(trial: Trial, outcomes: LoadedOutcomes | None = None, index: int = 0) -> CourseContent:
    asked = trial.inputs.protocol.questions["it"]
    found = load_course(trial.inputs, asked, outcomes or of_voxels(), index)
    assert found is not None
    return found


def make_crossover(root: Path, edges: dict | None = None, excluded: dict | None = None) -> Trial:
    content = document(questions={"it": question("bins")})
    trial = make_trial(root, content, excluded=excluded)
    trial.write("bins", voxels, statistics=STATISTICS, edges=edges)
    return trial


def test_every_bin_of_every_run_by_treatment(tmp_path: Path) -> None:
    found = course(make_crossover(tmp_path), of_voxels((0, 2)), 3)
    assert found.edges_min == EDGES
    assert found.unit == "% signal change"
    assert set(found.values) == {"placebo", "drug"}
    assert {len(people) for people in found.values.values()} == {8}
    for subject, order in CROSSED.items():
        drug, placebo = ("one", "two") if order == "ab" else ("two", "one")
        # The fourth voxel that is left is the sixth of the grid.
        assert_allclose(found.values["drug"][subject], bins(subject, drug, index=5), rtol=1e-5)
        assert_allclose(
            found.values["placebo"][subject], bins(subject, placebo, index=5), rtol=1e-5
        )


def test_mean_over_a_region(tmp_path: Path) -> None:
    weights = np.zeros(N_VOXELS)
    weights[TARGET.voxels] = TARGET.weights
    found = course(make_crossover(tmp_path), of_voxels(weights=weights))
    expected = bins("03", "one", index=0)
    assert_allclose(found.values["drug"]["03"], np.add(expected, 25 + 375), rtol=1e-5)


def test_parcels_and_the_asked_denoising(tmp_path: Path) -> None:
    asked = question("parcel_bins", denoising="gsr", where={"at": "p2"})
    trial = make_trial(tmp_path, document(questions={"it": asked}))
    trial.write("parcel_bins", voxels, statistics=STATISTICS)
    named = LoadedOutcomes(
        kind="scalar", images={}, names=("p2",), mask=None, affine=None, weights=None, note=""
    )
    found = course(trial, named)
    expected = bins("04", "two", index=2, denoising="gsr")
    assert_allclose(found.values["drug"]["04"], expected, rtol=1e-6)


def test_run_that_ends_earlier_has_fewer_bins(tmp_path: Path) -> None:
    edges = {
        ("01", "one"): (0.0, 0.2, 0.47),  # a late start: what is left joined the second bin
        ("02", "one"): (0.0, 0.2, 0.4, 0.69),  # a little longer
        ("03", "one"): (0.0, 0.2, 0.4, 0.6, 0.8),  # a bin more
        ("04", "one"): (0.0, 0.5, 1.0),  # other bins altogether
    }
    found = course(make_crossover(tmp_path, edges))
    assert found.edges_min == EDGES
    assert_allclose(found.values["drug"]["01"], bins("01", "one", 2), rtol=1e-5)
    assert_allclose(found.values["placebo"]["02"], bins("02", "one", 3), rtol=1e-5)
    assert_allclose(found.values["drug"]["03"], bins("03", "one", 3), rtol=1e-5)
    assert "04" not in found.values["placebo"]
    assert "04" in found.values["drug"]


def test_edges_of_most_runs_not_of_the_first(tmp_path: Path) -> None:
    found = course(make_crossover(tmp_path, {("01", "one"): (0.0, 0.2)}))
    assert found.edges_min == EDGES
    assert len(found.values["drug"]["01"]) == 1
    assert len(found.values["placebo"]["01"]) == 3


def test_course_ends_before_a_bin_without_data(tmp_path: Path) -> None:
    def with_holes(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
        if statistic == "effect":
            return noise(subject, session, denoising, statistic)
        values = voxels(subject, session, denoising, statistic)
        if (subject, session, statistic) in {("01", "one", "bin03"), ("03", "two", "bin01")}:
            values[0] = np.nan
        return values

    trial = make_trial(tmp_path, document(questions={"it": question("bins")}))
    trial.write("bins", with_holes, statistics=STATISTICS)
    found = course(trial)
    assert_allclose(found.values["drug"]["01"], bins("01", "one", 2), rtol=1e-5)
    assert "03" not in found.values["placebo"]
    answer = trial.answer()
    strongest = course(trial, index=answer.claim.peaks[0].index)
    assert answer.content.beside.course == strongest  # as it is read back


def test_excluded_runs_are_not_drawn(tmp_path: Path) -> None:
    found = course(make_crossover(tmp_path, excluded={("05", "one"): "moved"}))
    assert "05" not in found.values["drug"]
    assert "05" in found.values["placebo"]


def test_arms_have_the_session_of_the_question(tmp_path: Path) -> None:
    asked = PARALLEL | {"measure": "bins", "session": "day"}
    trial = make_trial(tmp_path, parallel(questions={"it": asked}), ARMS)
    trial.write("bins", voxels, statistics=STATISTICS)
    found = course(trial)
    assert {name: len(people) for name, people in found.values.items()} == {
        "drug": 5,
        "placebo": 5,
    }
    assert_allclose(found.values["drug"]["01"], bins("01", "day"), rtol=1e-5)


def test_treatment_that_comes_twice_has_the_mean_of_its_periods(tmp_path: Path) -> None:
    names = ("one", "two", "three", "four")
    content = document(
        design={
            "kind": "crossover",
            "sequences": {
                "abba": {"treatments": ["drug", "placebo", "placebo", "drug"]},
                "baab": {"treatments": ["placebo", "drug", "drug", "placebo"]},
            },
        },
        sessions={name: {"phase": "acute", "period": k} for k, name in enumerate(names, 1)},
        scans={"rest": {"task": "rest", "start_min": dict.fromkeys(names, -1)}},
        questions={"it": question("bins")},
    )
    people = {f"{i:02d}": ("abba", "baab")[i % 2] for i in range(4)}
    trial = make_trial(tmp_path, content, people)
    trial.write("bins", voxels, statistics=STATISTICS, edges={("02", "four"): (0.0, 0.2, 0.4)})
    found = course(trial)
    both = [bins("01", "two"), bins("01", "three")]
    assert_allclose(found.values["drug"]["01"], np.mean(both, axis=0), rtol=1e-5)
    both = [bins("02", "one", 2), bins("02", "four", 2)]
    assert_allclose(found.values["drug"]["02"], np.mean(both, axis=0), rtol=1e-5)


BASELINE = {"order": 1, "source": "baseline", "max_overlap": 0.99}
"""A drift told from bins, which are no part of the response and are not written."""


@pytest.mark.parametrize(
    ("measure", "asked"),
    [
        ({}, {"map": "bin02"}),
        ({"response": {"model": "step"}}, {}),
        ({"response": {"model": "step"}, "drift": BASELINE}, {}),
    ],
)
def test_no_course(tmp_path: Path, measure: dict, asked: dict) -> None:
    content = document(
        measures={"bins": infusion(**measure)}, questions={"it": question("bins", **asked)}
    )
    trial = make_trial(tmp_path, content)
    trial.write("bins", noise, statistics=("effect", asked.get("map", "bin01")))
    answer = trial.answer()
    assert answer.content.beside.course is None
    assert answer.claim.n_outcomes == N_VOXELS


def test_other_measures_have_no_course(tmp_path: Path) -> None:
    rest = {"kind": "alff", "scan": "rest", "denoising": "motion", "band_hz": [0.01, 0.1]}
    trial = make_trial(
        tmp_path, document(measures={"slow": rest}, questions={"it": question("slow")})
    )
    asked = trial.inputs.protocol.questions["it"]
    assert load_course(trial.inputs, asked, of_voxels(), 0) is None
