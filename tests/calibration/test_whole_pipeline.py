"""A few trials of `make calibrate` (`make calibrate-quick`): from simulated trees to claims."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASURES = ("coupling", "score")
NULL = {"parallel": 1, "crossover": 2}
TARGET_REACH_MM = 17.0  # two voxels of 8 mm


@pytest.fixture(scope="module")
def calibration():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("_calibration")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def calibrate(calibration, monkeypatch):
    assert calibration.METHODS
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])  # `run` adds to it
    return importlib.import_module("calibrate")


def test_drug_free_trials_are_not_found_too_often(calibration):
    found = dict.fromkeys(calibration.METHODS, 0)
    for design, n_trials in NULL.items():
        for seed in range(n_trials):
            rows = calibration.run_trial(design, seed, planted=False, measures=MEASURES)
            ways = {way.name: way for way in calibration.ways(design, MEASURES)}
            assert rows.keys() == ways.keys()
            for method in found:
                estimator = "ancova" if design == "parallel" else "crossover"
                found[method] += rows[f"coupling_map_{estimator}_{method}"][0]
    most = stats.binom.ppf(0.9995, sum(NULL.values()), calibration.ALPHA)
    assert max(found.values()) <= most


def test_a_planted_effect_is_found_where_it_is_by_every_method(calibration):
    rows = calibration.run_trial("crossover", 10, planted=True, measures=MEASURES)
    for method in calibration.METHODS:
        verdict, pvalue, *place = rows[f"coupling_map_crossover_{method}"]
        assert verdict == 1
        assert pvalue <= calibration.ALPHA
        assert np.linalg.norm(np.subtract(place, calibration.REGIONS["target"])) < TARGET_REACH_MM
    verdict, _, effect, low, high = rows["score_score_crossover_voxel"]
    assert verdict == 1
    assert low < effect < high
    assert low < calibration.POINTS < high


@pytest.mark.parametrize(("count", "n"), [(0, 20), (3, 20), (50, 1000), (20, 20)])
def test_intervals_of_rates_are_exact(calibrate, count, n):
    expected = stats.binomtest(count, n).proportion_ci(0.99, method="exact")
    np.testing.assert_allclose(calibrate.interval(count, n), expected, atol=1e-12)


def test_an_interrupted_run_keeps_whole_trials_and_counts_failed_ones(
    calibrate, monkeypatch, tmp_path
):
    monkeypatch.setattr(calibrate, "KEPT", tmp_path)
    wanted = list(calibrate.wanted(3, 2))
    assert len(set(wanted)) == 10
    rows = [[1, 5.0, 4.0, 6.0] for _ in calibrate.ways("crossover")]
    lines = [
        json.dumps(
            {
                "design": design,
                "planted": planted,
                "seed": seed,
                "rows": rows if seed % 10 < 2 else [],
                "failed": "" if seed % 10 < 2 else "a run is broken",
                "seconds": 1.0,
                "commit": "abc",
            }
        )
        for design, planted, seed in wanted
        if design == "crossover"
    ]
    calibrate.kept_path().write_text("\n".join([*lines, lines[0][:40]]))
    kept = calibrate.read_kept()
    assert set(kept) == {trial for trial in wanted if trial[0] == "crossover"}
    result = calibrate.summarise(kept, 3, 2)
    assert result["trials"]["crossover, null"] == {
        "n": 2,
        "n_wanted": 3,
        "n_failed": 1,
        "first_seed": 3_000_000,
        "cpu_seconds": 1.0,
    }
    assert {row["found"] for row in result["null"]} == {2}
    (score,) = (
        row
        for row in result["planted"]
        if row["measure"] == "score" and row["estimator"] == "crossover"
    )
    assert score["mean"] == calibrate.TRUE_SIZE["score"]
    assert score["covered"] == 2
