"""First-level models on tables of parcel time series, held to NumPy."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tests.e2e.first_level_trial import (
    ARMS,
    EVENTS,
    N_VOLUMES,
    SUBJECTS,
    WEIGHTS,
    base_document,
    bin_columns,
    block_course,
    curve,
    line,
    ols,
    question,
    spm_regressor,
    write_people,
)
from tests.e2e.first_level_trial import InfusionTrial as Trial
from tests.e2e.trees import T_R, call, describe, run_all, statistics_of, write_json, write_table

NAMES = ("one", "other", "target")


def document() -> dict[str, dict]:
    content = base_document()
    content["denoising"] = {"plain": {"strategy": "none"}}
    content["regions"] = {"seed": {"kind": "series", "columns": ["one", "other"]}}
    content["parcellations"] = {"table": {"seg": "Three"}}
    rest = {"scan": "rest", "denoising": "plain", "parcels": "table"}
    nback = {"scan": "nback", "denoising": "plain", "parcels": "table"}
    white = {"noise": {"kind": "white"}}
    by_load = {"contrast": {"two_back": 1, "zero_back": -1}}
    drift = {"order": 1, "max_overlap": 0.99}
    content["measures"] = {
        "bins": {
            "kind": "infusion",
            **rest,
            "response": {"model": "pseudoblock", "bin_s": 30},
            "drift": drift,
            **white,
        },
        "load": {"kind": "task", **nback, **by_load, **white},
        "coupling": {
            "kind": "ppi",
            **nback,
            **by_load,
            **white,
            "seed": "seed",
            "deconvolution": "none",
        },
        "trials": {"kind": "beta_series", **nback, **by_load, "seed": "seed"},
        "share": {"kind": "falff", **rest, "band_hz": [0.01, 0.1]},
        "hubs": {"kind": "degree_centrality", **rest, "threshold_r": 0.2},
        "follow": {
            "kind": "exposure_connectivity",
            **rest,
            "seed": "seed",
            "exposure": "plasma",
            "window_s": 60,
            "step_s": 20,
        },
    }
    content["questions"] = {
        "response": question("bins", role="primary"),
        "bin": question("bins", map="bin02", where={"at": "target"}),
    }
    return content


def write_tables(root: Path, *, level: float) -> Trial:
    trial = Trial(root=root)
    describe(trial.bids, "derivative")
    write_people(trial, WEIGHTS)
    for number, (subject, arm) in enumerate(zip(SUBJECTS, ARMS, strict=True)):
        rng, drug = np.random.default_rng([5, number]), arm == "ketamine"
        added = {
            "rest": 0.03 * level * curve(WEIGHTS[subject]) * drug,
            "nback": 0.02 * level * block_course("two_back"),
        }
        folder = trial.func(subject, raw=True)
        for task, course in added.items():
            series = level + rng.normal(0.0, 4.0, (N_VOLUMES, 3)) + rng.normal(0.0, 2.0, (1, 3))
            series[:, 1] += series[:, 0] - series[:, 0].mean()
            series[:, 2] += course
            stem = f"sub-{subject}_ses-infusion_task-{task}"
            columns = dict(zip(NAMES, series.T, strict=True))
            write_table(folder / f"{stem}_seg-Three_timeseries.tsv", columns)
            write_json(folder / f"{stem}_seg-Three_timeseries.json", {"RepetitionTime": T_R})
        write_table(folder / f"sub-{subject}_ses-infusion_task-nback_events.tsv", dict(EVENTS))
    trial.write_protocol(document())
    return trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = write_tables(tmp_path_factory.mktemp("tables"), level=1000.0)
    run_all(trial.bids, trial.out, trial.protocol)
    return trial


def series(trial: Trial, subject: str, task: str) -> np.ndarray:
    (path,) = trial.func(subject, raw=True).glob(f"*task-{task}_*_timeseries.tsv")
    return pd.read_csv(path, sep="\t")[list(NAMES)].to_numpy()


def table(trial: Trial, subject: str, measure: str) -> pd.DataFrame:
    path = trial.results(subject, measure, "stat-effect_values.tsv")
    return pd.read_csv(path, sep="\t").set_index("name")


def holds(trial: Trial, measure: str, X: np.ndarray, weights: list[float]) -> None:
    found = table(trial, "02", measure)
    Y = series(trial, "02", "rest" if measure == "bins" else "nback")
    effect, variance, _ = ols(Y, X, np.array(weights))
    percent = 100 / Y.mean(axis=0)
    assert_allclose(found["effect"], percent * effect, rtol=1e-6, atol=1e-9)
    assert_allclose(found["variance"], percent**2 * variance, rtol=1e-6)


def test_infusion_is_least_squares(trial: Trial) -> None:
    X = np.hstack([bin_columns(), line(), np.ones((N_VOLUMES, 1))])
    holds(trial, "bins", X, [0.2] * 5)


def test_task_is_least_squares(trial: Trial) -> None:
    task = [spm_regressor("zero_back"), spm_regressor("two_back")]
    holds(trial, "load", np.column_stack([*task, np.ones(N_VOLUMES)]), [-1.0, 1.0])


def test_interaction_is_least_squares(trial: Trial) -> None:
    task = np.column_stack([spm_regressor("zero_back"), spm_regressor("two_back")])
    seed = series(trial, "02", "nback")[:, :2].mean(axis=1)
    moving = (seed - seed.mean())[:, None]
    products = moving * (task - task.mean(axis=0))
    X = np.hstack([products, moving, task, np.ones((N_VOLUMES, 1))])
    Y = series(trial, "02", "nback")
    effect, _, _ = ols(Y, X, np.array([-1.0, 1.0]))
    found = table(trial, "02", "coupling")["effect"]
    assert_allclose(found, seed.mean() / Y.mean(axis=0) * effect, rtol=1e-6, atol=1e-9)


def test_other_measures_give_one_value_per_parcel(trial: Trial) -> None:
    for measure in ("trials", "share", "hubs", "follow"):
        found = table(trial, "01", measure)
        assert found.index.tolist() == list(NAMES)
        assert np.isfinite(found["effect"]["other"])


def test_planted_response_is_found_in_its_parcel(trial: Trial) -> None:
    answer = statistics_of(trial.out, "response")
    assert answer["effect"].idxmax() == "target"
    assert_allclose(answer["effect"]["target"], 1.9, atol=0.6)
    assert statistics_of(trial.out, "bin")["effect"]["target"] > 1.0


def test_tables_without_mean_have_no_percent(tmp_path: Path) -> None:
    trial = write_tables(tmp_path, level=0.0)
    words = ("run", trial.bids, trial.out, "participant", "--protocol", trial.protocol)
    code, printed = call(*words, "--n-workers", "1")
    assert code == 1
    for measure in ("bins", "load"):
        assert printed.count(f"measures.{measure}: the series have no mean") == 1
    assert printed.count("the like in 5 further runs: sub-02 ses-infusion; sub-03") == 2
