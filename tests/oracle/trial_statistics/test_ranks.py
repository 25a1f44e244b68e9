"""Scales against R: coin's and stats's rank tests, ANCOVA of ranks and logarithms, polr."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.ranks import (
    proportional_odds,
    quade_test,
    scale_ancova,
    stratified_rank_test,
    wilcoxon_mann_whitney,
)

CHECKS = ("H_scales:scale_cadss_acute", "H_scales:scale_bprs_acute")
SHIFT = "F_crossover2x2:xover_ttests"
FLOORS = {"cadss": 0.0, "bprs": 18.0}
PAIRS = (("KET", "PLA"), ("LTGKET", "PLA"), ("KET", "LTGKET"))
REFERENCE = Path(__file__).parents[1] / "stats_reference"


def expected(check):
    file, name = check.split(":")
    checks = json.loads((REFERENCE / "expected" / f"{file}.json").read_text())["checks"]
    return next((c["value"], c["tol_rel"]) for c in checks if c["id"] == name)


@pytest.fixture(params=CHECKS)
def scale(request):
    name = request.param.split("_")[2]
    with (REFERENCE / "data" / "parallel3x3.csv").open() as file:
        rows = list(csv.DictReader(file))
    by = {
        session: [r for r in rows if r["session"] == session] for session in ("baseline", "acute")
    }
    assert [r["subject"] for r in by["baseline"]] == [r["subject"] for r in by["acute"]]
    return {
        "name": name,
        "acute": np.array([float(r[name]) for r in by["acute"]]),
        "baseline": np.array([float(r[name]) for r in by["baseline"]]),
        "arm": np.array([r["arm"] for r in by["acute"]]),
        "sex": np.array([r["sex"] for r in by["acute"]]),
        "expected": expected(request.param),
    }


def test_shift_between_the_sequences_of_a_crossover():
    value, tolerance = expected(SHIFT)
    want = value["wilcoxon_on_period_differences"]
    with (REFERENCE / "data" / "xover2x2.csv").open() as file:
        rows = list(csv.DictReader(file))
    y = {(r["subject"], r["period"]): float(r["y"]) for r in rows}
    sequence = {r["subject"]: r["sequence"] for r in rows}
    first, second = (
        np.array([y[s, "1"] - y[s, "2"] for s in sequence if sequence[s] == name])
        for name in ("KP", "PK")
    )
    found = wilcoxon_mann_whitney(first, second)
    assert_allclose(
        [found.statistic, found.pvalue_exact, found.shift / 2, found.low / 2, found.high / 2],
        [want["W"], want["p_exact"], want["hodges_lehmann_half"], *want["ci95_half"]],
        rtol=tolerance,
    )


@pytest.mark.parametrize("other", ["PLA", "LTGKET"])
def test_two_arms(scale, other):
    value, tolerance = scale["expected"]
    want = value[f"KET_vs_{other}"]
    is_first, is_second = scale["arm"] == "KET", scale["arm"] == other
    first, second = scale["acute"][is_first], scale["acute"][is_second]
    found = wilcoxon_mann_whitney(first, second)
    assert_allclose(
        [
            found.statistic,
            found.superiority,
            found.z,
            found.pvalue,
            found.pvalue_exact,
            found.shift,
        ],
        [
            want["W_KET"],
            want["prob_superiority"],
            want["Z_uncorrected"],
            want["p_asymptotic_uncorrected"],
            want["p_exact_conditional"],
            want["hodges_lehmann"],
        ],
        rtol=1e-9,
    )
    stratified = stratified_rank_test(
        first, second, strata=(tuple(scale["sex"][is_first]), tuple(scale["sex"][is_second]))
    )
    want = want["van_elteren_like_sex_stratified"]
    assert_allclose(
        [abs(stratified.z), stratified.pvalue], [want["Z_abs"], want["p"]], rtol=tolerance
    )


@pytest.mark.parametrize(
    ("transform", "errors", "key"),
    [("rank", "model", "rank_ancova"), ("log1p", "hc3", "log1p_ancova_hc3")],
)
def test_analysis_of_covariance(scale, transform, errors, key):
    value, tolerance = scale["expected"]
    found = scale_ancova(
        scale["acute"],
        tuple(scale["arm"]),
        PAIRS,
        baseline=scale["baseline"],
        transform=transform,
        errors=errors,
        floor=FLOORS[scale["name"]],
    )
    for k, (first, second) in enumerate(PAIRS):
        want = value[key][f"{first}_minus_{second}"]
        effect, df = found.effect[k, 0], found.df[k, 0]
        se = np.sqrt(found.covariance[0, k, k])
        assert_allclose(
            [effect, se, df, 2 * stats.t.sf(abs(effect / se), df)],
            [want["estimate"], want["se"], want["df"], want["p_two_sided"]],
            rtol=tolerance,
        )


def test_any_arm(scale):
    value, tolerance = scale["expected"]
    found = quade_test(scale["acute"], tuple(scale["arm"]), scale["baseline"])
    want = value["quade"]
    assert_allclose(
        [found.f, *found.df, found.pvalue],
        [want["F"], want["df1"], want["df2"], want["p"]],
        rtol=tolerance,
    )


def test_proportional_odds(scale):
    value, tolerance = scale["expected"]
    want = value["prop_odds"]
    arm = scale["arm"]
    X = np.column_stack([arm == "KET", arm == "LTGKET", scale["baseline"]]).astype(float)
    found = proportional_odds(scale["acute"], X, ("armKET", "armLTGKET", "baseline"))
    assert found.converged
    assert_allclose(
        found.log_odds, [want["log_or"][name] for name in found.columns], rtol=tolerance
    )
    assert_allclose(found.minus_2_log_likelihood, want["minus2loglik"], rtol=1e-9)
    # polr takes its Hessian from finite differences: 4e-5 from the exact one.
    assert_allclose(
        np.sqrt(np.diag(found.covariance)),
        [want["se"][name] for name in found.columns],
        rtol=5e-5,
    )
