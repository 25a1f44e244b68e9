"""Symptom and brain against R: correlations, their differences, prediction, inflation."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group.association import (
    Ridge,
    compare_dependent,
    compare_independent,
    correlate,
    null_inflation,
    predict_across_folds,
)

CHECKS = ("I_symptom_brain:symptom_brain_KET", "I_symptom_brain:null_inflation")
REFERENCE = Path(__file__).parents[1] / "stats_reference"
LEAST_SQUARES = Ridge(penalties=(0.0,))


def expected(check):
    file, name = check.split(":")
    checks = json.loads((REFERENCE / "expected" / f"{file}.json").read_text())["checks"]
    return next((c["value"], c["tol_rel"]) for c in checks if c["id"] == name)


@pytest.fixture
def change():
    """Give arm, sex and the change from baseline to acute of every column, by participant."""
    with (REFERENCE / "data" / "parallel3x3.csv").open() as file:
        rows = list(csv.DictReader(file))
    by = {(row["subject"], row["session"]): row for row in rows}
    subjects = sorted({row["subject"] for row in rows})
    columns = {
        name: np.array(
            [float(by[s, "acute"][name]) - float(by[s, "baseline"][name]) for s in subjects]
        )
        for name in ("roi3", "roi4", "roi5", "roi6", "cadss", "bprs")
    }
    columns["male"] = np.array([float(by[s, "baseline"]["sex"] == "M") for s in subjects])
    return columns, np.array([by[s, "baseline"]["arm"] for s in subjects])


@pytest.fixture
def ketamine(change):
    columns, arm = change
    return {name: values[arm == "KET"] for name, values in columns.items()}


@pytest.fixture
def answer():
    return expected(CHECKS[0])


def test_correlation_partial_and_ranks(ketamine, answer):
    value, tolerance = answer
    roi, score = ketamine["roi3"][:, None], ketamine["cadss"]
    assert score.size == value["n"]
    found, want = correlate(roi, score), value["pearson"]
    assert_allclose(
        [found.r[0], found.t[0], found.df, found.pvalue[0], found.low[0], found.high[0]],
        [want["r"], want["t"], want["df"], want["p"], *want["ci95"]],
        rtol=tolerance,
    )
    ranks = correlate(roi, score, method="spearman")
    assert_allclose(ranks.r[0], value["spearman"]["rho"], rtol=tolerance)
    assert_allclose(ranks.pvalue[0], value["spearman"]["p_t_approx"], rtol=tolerance)
    nuisance = np.column_stack([ketamine["bprs"], ketamine["male"]])
    part, want = correlate(roi, score, nuisance=nuisance), value["partial"]
    assert_allclose(
        [part.r[0], part.t[0], part.df, part.pvalue[0]],
        [want["r"], want["t"], want["df"], want["p"]],
        rtol=tolerance,
    )


def test_differences_of_correlations(change, ketamine, answer):
    value, tolerance = answer
    score = ketamine["cadss"]
    r = correlate(np.column_stack([ketamine["roi3"], ketamine["roi4"]]), score).r
    between = correlate(ketamine["roi4"][:, None], ketamine["roi3"]).r
    want = value["dependent"]
    assert_allclose([*r, *between], [want["r_roi3"], want["r_roi4"], want["r_between"]])
    found = compare_dependent(r[:1], r[1:], between, score.size)
    assert_allclose(
        [found.t[0], found.df, found.t_pvalue[0], found.z[0]],
        [want["williams_t"], want["williams_df"], want["williams_p"], want["meng_z"]],
        rtol=tolerance,
    )
    columns, arm = change
    other = arm == "LTGKET"
    r_other = correlate(columns["roi3"][other][:, None], columns["cadss"][other]).r
    apart, want = (
        compare_independent(r[:1], score.size, r_other, int(other.sum())),
        value["independent_arms"],
    )
    assert_allclose(
        [r_other[0], apart.z[0], apart.pvalue[0]],
        [want["r_ltgket"], want["z"], want["p"]],
        rtol=tolerance,
    )


def test_slopes_of_three_arms(change, answer):
    value, tolerance = answer
    columns, arm = change
    found = correlate(columns["roi3"][:, None], columns["cadss"], groups=tuple(arm)).slopes
    want = value["slope_homogeneity_3arms"]
    assert_allclose(
        [found.f[0], *found.df, found.pvalue[0]],
        [want["F"], want["df1"], want["df2"], want["p"]],
        rtol=tolerance,
    )


def test_prediction_out_of_sample(ketamine, answer):
    value, tolerance = answer
    features = np.column_stack([ketamine[f"roi{k}"] for k in (3, 4, 5, 6)])
    score = ketamine["cadss"]
    rows = np.arange(score.size)
    total = np.sum((score - score.mean()) ** 2)
    for folds, want in ((rows, value["loo"]), (rows % 5, value["kfold5"])):
        found = predict_across_folds(features, score, folds, model=LEAST_SQUARES)
        over_all = 1 - np.sum((score - found.predicted) ** 2) / total
        assert_allclose(
            [over_all, found.correlation, found.mean_absolute_error],
            [want["q2_vs_full_mean"], want["r_pred"], want["mae"]],
            rtol=tolerance,
        )
        assert_allclose(found.r2_in_sample, value["in_sample_r2"], rtol=tolerance)
        if "first3" in want:
            assert_allclose(found.predicted[:3], want["first3"], rtol=tolerance)
            assert_allclose(found.r2, want["q2_vs_loo_mean"], rtol=tolerance)


def test_inflation_without_any_correlation():
    value, tolerance = expected(CHECKS[1])
    for row in value:
        for n_outcomes in (100, 1000, 10000, 50000):
            found = null_inflation(row["N"], n_outcomes)
            assert_allclose(
                [found.threshold, found.mean_selected, found.expected_maximum],
                [
                    row["r_threshold_p001_one_sided"],
                    row["mean_r_of_survivors"],
                    row[f"E_max_V{n_outcomes}"],
                ],
                rtol=tolerance,
            )
