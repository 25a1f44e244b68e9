"""What stands beside an answer: held to NumPy; it never stops, nor changes, the answer."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from tests.unit.pipeline.measured_trial import (
    ARMS,
    CROSSED,
    N_VOXELS,
    PARALLEL,
    Trial,
    crossover_fit,
    document,
    make_trial,
    orders_of,
    parallel,
    question,
    step,
)

DRUG_IN = {"ab": "one", "ba": "two"}
ORDERS = np.array([group == "ab" for group in CROSSED.values()])


class Noise:
    """Values of every run, the same whenever they are asked for, and what is planted in them."""

    def __init__(self, n: int = N_VOXELS, seed: int = 0) -> None:
        self.n, self.seed = n, seed
        self.planted: dict[tuple[str, str], dict[int, float]] = {}
        self.absent: dict[tuple[str, str], list[int]] = {}
        self.drug = {(label, DRUG_IN[order]) for label, order in CROSSED.items()}

    def __call__(self, subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
        number = [self.seed, int(subject), *f"{session} {denoising} {statistic}".encode()]
        values = np.random.default_rng(number).normal(0.0, 0.3, self.n)
        if (subject, session) in self.drug:
            for index, effect in self.planted.get((denoising, statistic), {}).items():
                values[index] += effect
        values[self.absent.get((denoising, subject), [])] = np.nan
        return values.astype(np.float32)

    def periods(self, denoising: str) -> tuple[np.ndarray, np.ndarray]:
        """Stack period 1 and period 2 of everyone."""
        one, two = (
            np.array([self(label, session, denoising, "effect") for label in CROSSED], float)
            for session in ("one", "two")
        )
        return one, two

    def shuffled(self, denoising: str) -> np.ndarray:
        """Give |t| of every voxel under every order, the true one first."""
        one, two = self.periods(denoising)
        fits = [crossover_fit(one, two, order) for order in orders_of(ORDERS)]
        return np.array([np.abs(effect / se) for effect, se, _ in fits])


@pytest.fixture
def noise() -> Noise:
    made = Noise()
    made.planted = {("motion", "effect"): {4: 2.0}, ("gsr", "effect"): {4: 0.6, 7: 3.0}}
    return made


def interval(effect: float, se: float, df: int) -> tuple[float, float]:
    reach = scipy.stats.t.ppf(0.975, df) * se
    return effect - reach, effect + reach


# ---------------------------------------------------------------------------------- denoisings
def test_other_denoising_is_judged_at_the_place_of_the_answer(
    tmp_path: Path, noise: Noise
) -> None:
    trial = make_trial(tmp_path)
    trial.write("step", noise)
    answer = trial.answer()
    assert answer.claim.peaks[0].index == 4
    assert [row.denoising for row in answer.content.beside.variants] == ["motion", "gsr"]
    for row in answer.content.beside.variants:
        effect, se, df = crossover_fit(*noise.periods(row.denoising), ORDERS)
        assert_allclose(row.effect, effect[4], rtol=1e-5)
        assert_allclose((row.ci_low, row.ci_high), interval(effect[4], se[4], df), rtol=1e-5)
        t = noise.shuffled(row.denoising)
        assert_allclose(row.pvalue, (t[:, 4] >= t[0, 4] * (1 - 1e-9)).mean())
        corrected = (t.max(axis=1)[:, None] >= t[0] * (1 - 1e-9)).mean(axis=0)
        assert_allclose(row.least_pvalue, corrected.min())
        assert row.n_found == (corrected <= 0.05).sum()
        assert row.n_outcomes == N_VOXELS
    own, other = answer.content.beside.variants
    assert own.n_found == answer.claim.n_significant
    # The place was not chosen anew: voxel 7 would have given more.
    assert crossover_fit(*noise.periods("gsr"), ORDERS)[0].argmax() == 7
    assert other.effect < 1.5


def test_no_data_at_the_place_under_another_denoising(tmp_path: Path, noise: Noise) -> None:
    noise.absent = {("gsr", "03"): [4]}
    trial = make_trial(tmp_path)
    trial.write("step", noise)
    own, other = trial.answer().content.beside.variants
    assert own.effect is not None
    assert (other.effect, other.ci_low, other.ci_high, other.pvalue) == (None,) * 4
    assert (own.n_outcomes, other.n_outcomes) == (N_VOXELS, N_VOXELS - 1)
    assert other.least_pvalue == pytest.approx(2 / 70)


def test_place_is_kept_where_voxels_before_it_are_lost(tmp_path: Path, noise: Noise) -> None:
    noise.absent = {("gsr", "03"): [0, 2], ("motion", "05"): [1]}
    trial = make_trial(tmp_path)
    trial.write("step", noise)
    own, other = trial.answer().content.beside.variants
    for row in (own, other):
        effect = crossover_fit(*noise.periods(row.denoising), ORDERS)[0]
        assert_allclose(row.effect, effect[4], rtol=1e-5)
    assert (own.n_outcomes, other.n_outcomes) == (11, 10)


def test_denoising_that_leaves_nothing_does_not_stop_the_answer(
    tmp_path: Path, noise: Noise
) -> None:
    noise.absent = {("gsr", "03"): list(range(N_VOXELS))}
    trial = make_trial(tmp_path)
    trial.write("step", noise)
    answer = trial.answer()
    assert answer.claim.verdict == "found"
    other = answer.content.beside.variants[1]
    assert (other.denoising, other.effect, other.pvalue) == ("gsr", None, None)
    assert (other.least_pvalue, other.n_found, other.n_outcomes) == (1.0, 0, 0)


def test_parcels_are_matched_by_name(tmp_path: Path) -> None:
    noise = Noise(n=5)
    noise.planted = {("motion", "effect"): {3: 2.0}, ("gsr", "effect"): {3: 1.0}}

    def make(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
        values = noise(subject, session, denoising, statistic)
        if denoising == "gsr":
            values[1] = 0.5  # the same in everyone: left out of this denoising's answer
        return values

    trial = make_trial(tmp_path, document(questions={"it": question("parcels")}))
    trial.write("parcels", make)
    answer = trial.answer()
    assert answer.claim.peaks[0].name == "p3"
    own, other = answer.content.beside.variants
    for row in (own, other):
        effect = crossover_fit(*noise.periods(row.denoising), ORDERS)[0]
        assert_allclose(row.effect, effect[3], rtol=1e-5)
    assert (own.n_outcomes, other.n_outcomes) == (5, 4)


def test_one_number_has_one_p(tmp_path: Path, noise: Noise) -> None:
    noise.planted = {("motion", "effect"): {1: 2.0, 5: 2.0}}
    asked = question(where={"mean_of": "target"})
    trial = make_trial(tmp_path, document(questions={"it": asked}))
    trial.write("step", noise)
    for row in trial.answer().content.beside.variants:
        one, two = (0.25 * maps[:, 1] + 0.75 * maps[:, 5] for maps in noise.periods(row.denoising))
        effect, se, df = crossover_fit(one, two, ORDERS)
        assert_allclose(row.effect, effect, rtol=1e-5)
        assert_allclose((row.ci_low, row.ci_high), interval(effect, se, df), rtol=1e-4)
        assert row.pvalue == row.least_pvalue
        assert row.n_outcomes == 1


@pytest.mark.parametrize(
    ("measure", "asked"), [({}, {"denoising": "gsr"}), ({"sensitivity": []}, {})]
)
def test_nothing_to_compare_with(tmp_path: Path, noise: Noise, measure: dict, asked: dict) -> None:
    content = document(measures={"step": step(**measure)}, questions={"it": question(**asked)})
    trial = make_trial(tmp_path, content)
    trial.write("step", noise)
    assert trial.answer().content.beside.variants == ()


def test_family_is_corrected_jointly_under_every_denoising(tmp_path: Path) -> None:
    here, there = Noise(), Noise(seed=5)
    here.planted = {("motion", "effect"): {4: 0.3}, ("gsr", "effect"): {4: 0.3}}
    there.planted = {("motion", "effect"): {2: 0.7}}
    content = document(
        measures={"step": step(), "other": step(sensitivity=[])},
        questions={
            "it": question(family="both"),
            "second": question("other", family="both"),
        },
        families={"both": {"correction": "joint_maximum"}},
    )
    trial = make_trial(tmp_path, content)
    trial.write("step", here)
    trial.write("other", there)
    answer = trial.answer("it")
    other_maximum = there.shuffled("motion").max(axis=1)
    alone, joint = [], []
    for row in answer.content.beside.variants:
        t = here.shuffled(row.denoising)
        maximum = np.maximum(t.max(axis=1), other_maximum)
        alone.append((t.max(axis=1) >= t[0].max() * (1 - 1e-9)).mean())
        joint.append((maximum >= t[0].max() * (1 - 1e-9)).mean())
        assert_allclose(row.least_pvalue, joint[-1])
    assert_allclose(answer.claim.peaks[0].pvalue_corrected, joint[0])
    assert min(np.subtract(joint, alone)) > 0  # else this would not tell them apart
    assert trial.answer("second").content.beside.variants == ()
    assert not list(tmp_path.rglob("*.npz"))


def test_answer_is_read_back_with_all_that_stands_beside_it(tmp_path: Path, noise: Noise) -> None:
    noise.absent = {("gsr", "03"): [4]}
    values = {(label, session): {"motion (mm)": 0.1 * int(label) ** (session == "two")}
              for label in CROSSED for session in ("one", "two")}  # fmt: skip
    trial = make_trial(tmp_path, nuisance=values)
    trial.write("step", noise)
    first, again = trial.answer(), trial.answer()
    assert (first.kept, again.kept) == (False, True)
    assert again.content.beside == first.content.beside
    folder = tmp_path / "group" / "question-it"
    lines = (folder / "question-it_denoisings.tsv").read_text().splitlines()
    assert lines[2].split("\t")[:5] == ["gsr", "n/a", "n/a", "n/a", "n/a"]
    assert "motion (mm)" in (folder / "question-it_nuisance.tsv").read_text()


# ------------------------------------------------------------------------------------- nuisance
def nuisance_of(trial: Trial) -> dict[str, object]:
    return {row.name: row for row in trial.answer().content.beside.nuisance}


def ols(X: np.ndarray, y: np.ndarray) -> tuple[float, float, int]:
    """Give the first coefficient, its standard error and the degrees of freedom."""
    beta, *_ = np.linalg.lstsq(X, y, rcond=None)
    df = len(y) - X.shape[1]
    variance = ((y - X @ beta) ** 2).sum() / df * np.linalg.inv(X.T @ X)[0, 0]
    return float(beta[0]), float(np.sqrt(variance)), df


def matches(row: object, effect: float, se: float, df: int, n: int) -> None:
    low, high = interval(effect, se, df)
    pvalue = 2 * scipy.stats.t.sf(abs(effect) / se, df)
    assert_allclose(
        (row.effect, row.ci_low, row.ci_high, row.pvalue), (effect, low, high, pvalue), rtol=1e-6
    )
    assert row.n == n


def numbers(people: dict[str, str], sessions: tuple[str, ...], seed: int = 3) -> dict:
    rng = np.random.default_rng(seed)
    return {(label, session): {"motion (mm)": rng.uniform(0.1, 0.3)}
            for label in people for session in sessions}  # fmt: skip


def test_crossover_nuisance_by_hand(tmp_path: Path, noise: Noise) -> None:
    values = numbers(CROSSED, ("one", "two"))
    trial = make_trial(tmp_path, nuisance=values)
    trial.write("step", noise)
    one, two = (
        np.array([values[label, session]["motion (mm)"] for label in CROSSED])
        for session in ("one", "two")
    )
    matches(nuisance_of(trial)["motion (mm)"], *crossover_fit(one, two, ORDERS), 8)


@pytest.mark.parametrize("estimator", ["post", "ancova", "change"])
def test_parallel_nuisance_by_hand(tmp_path: Path, estimator: str) -> None:
    asked = PARALLEL | {"estimator": estimator}
    if estimator != "post":
        asked["baseline"] = "before"
    values = numbers(ARMS, ("before", "day", "week"))
    values["04", "day"] = {}
    trial = make_trial(tmp_path, parallel(questions={"it": asked}), ARMS, nuisance=values)
    trial.write("step", Noise())
    people = [label for label in ARMS if label != "04"]
    before, after = (
        np.array([values[label, session]["motion (mm)"] for label in people])
        for session in ("before", "day")
    )
    treated = np.array([ARMS[label] == "treated" for label in people], float)
    columns = [treated, np.ones(len(people))] + [before] * (estimator == "ancova")
    y = after - before if estimator == "change" else after
    matches(nuisance_of(trial)["motion (mm)"], *ols(np.column_stack(columns), y), 9)


def test_people_are_counted_not_periods(tmp_path: Path) -> None:
    sessions = {name: {"phase": "acute", "period": k} for k, name in enumerate("xyz", start=1)}
    content = document(
        treatments={"placebo": {}, "drug": {}, "more": {}},
        design={
            "kind": "crossover",
            "sequences": {
                "abc": {"treatments": ["drug", "placebo", "more"]},
                "bca": {"treatments": ["placebo", "more", "drug"]},
                "cab": {"treatments": ["more", "drug", "placebo"]},
            },
        },
        sessions=sessions,
        scans={"rest": {"task": "rest", "start_min": dict.fromkeys("xyz", -1)}},
        inference={"method": "fdr"},
    )
    people = {f"{i:02d}": ("abc", "bca", "cab")[i % 3] for i in range(9)}
    values = numbers(people, ("x", "y", "z"))
    values["05", "z"] = {}
    trial = make_trial(tmp_path, content, people, nuisance=values)
    trial.write("step", Noise())
    assert nuisance_of(trial)["motion (mm)"].n == 9
    for session in "xyz":
        values["05", session] = {}
    trial = make_trial(tmp_path / "again", content, people, nuisance=values)
    trial.write("step", Noise())
    assert nuisance_of(trial)["motion (mm)"].n == 8


def test_what_cannot_be_told_is_left_out_and_stops_nothing(tmp_path: Path, noise: Noise) -> None:
    rng = np.random.default_rng(4)
    values = {
        (label, session): {
            "varies": rng.normal(),
            "constant": 7.3,
            "by arm": 0.1 + 0.2 * (ARMS[label] == "treated"),
            "few": rng.normal(),
            "one arm": rng.normal(),
            "by chance, response to the infusion (SD)": rng.normal(),
        }
        for label in ARMS
        for session in ("before", "day", "week")
    }
    for label, arm in ARMS.items():
        if arm == "treated":
            del values[label, "day"]["one arm"]
        if label > "04":
            del values[label, "day"]["few"]
    trial = make_trial(tmp_path, parallel(), ARMS, nuisance=values)
    trial.write("step", Noise())
    names = list(nuisance_of(trial))
    assert names == ["varies", "by chance, response to the infusion (SD)"]


def test_no_nuisance_no_rows(tmp_path: Path, noise: Noise) -> None:
    trial = make_trial(tmp_path)
    trial.write("step", noise)
    assert nuisance_of(trial) == {}
    assert not list(tmp_path.rglob("*nuisance*"))
