"""Bayes factors and pooling against R (BayesFactor, stats::BIC, quadrature)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group.bayes import (
    bayesian_information,
    bic_bayes_factor,
    interval_bayes_factor,
    jzs_bayes_factor,
    partial_pooling,
)

HERE = Path(__file__).parents[1] / "stats_reference"
CHECKS = (
    "E_blockade_parallel:bf_change_scores",
    "E_blockade_parallel:bf_bic_ancova",
    "L_bayes:jzs_grid",
    "L_bayes:pooling_half_cauchy5",
    "L_bayes:pooling_uniform",
    "L_bayes:roi_partial_pooling",
)


def expected(check):
    file, name = check.split(":")
    checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
    found = next(c for c in checks if c["id"] == name)
    return found["value"], found["tol_rel"]


@pytest.fixture(scope="module")
def parallel():
    frame = pd.read_csv(HERE / "data" / "parallel3x3.csv")
    y = frame.pivot_table(index="subject", columns="session", values="roi_complete")
    people = frame.drop_duplicates("subject").set_index("subject").loc[y.index]
    return y, people["arm"].to_numpy(), (people["sex"] == "M").to_numpy(float)


def test_change_scores(parallel):
    y, arms, _ = parallel
    value, tolerance = expected(CHECKS[0])
    change = (y["acute"] - y["baseline"]).to_numpy()
    for name, want in value.items():
        one, two = (change[arms == arm] for arm in name.split("_vs_"))
        pooled = (one.var(ddof=1) * (one.size - 1) + two.var(ddof=1) * (two.size - 1)) / 48
        t = np.array([(one.mean() - two.mean()) / np.sqrt(pooled * 2 / 25)])
        assert_allclose(t, want["t"], rtol=1e-9)
        for scale in (2.0**-0.5, 1.0):
            assert_allclose(
                jzs_bayes_factor(t, 25, 25, scale=scale),
                want[f"jzs_bf10_r{scale:.3f}"],
                rtol=tolerance,
            )
        directed = jzs_bayes_factor(t, 25, 25, alternative="greater")
        assert_allclose(directed, want["jzs_bf_plus0_r0.707"], rtol=tolerance)
        inside = interval_bayes_factor(t, 12.5, 48.0, bound=0.3)
        assert_allclose(inside, want["bf_interval_inside_vs_outside_0.3"], rtol=tolerance)


def test_information_of_models(parallel):
    y, arms, male = parallel
    value, tolerance = expected(CHECKS[1])
    ketamine = (arms == "KET").astype(float)
    models = {"full": [ketamine, arms == "PLA"], "null": [], "ltg_equals_pla": [ketamine]}
    found = {}
    for name, columns in models.items():
        X = np.column_stack([*columns, np.ones(75), y["baseline"], male]).astype(float)
        rss = np.linalg.lstsq(X, y["acute"].to_numpy())[1]
        found[name] = bayesian_information(rss, 75, X.shape[1])
        assert_allclose(found[name], value[f"bic_{name}"], rtol=tolerance)
    assert_allclose(
        bic_bayes_factor(found["full"], found["null"]),
        value["bf_full_vs_null"],
        rtol=tolerance,
    )
    assert_allclose(
        bic_bayes_factor(found["ltg_equals_pla"], found["full"]),
        value["bf_ltg_equals_pla_vs_full"],
        rtol=tolerance,
    )


def test_jzs_grid():
    value, tolerance = expected(CHECKS[2])
    assert len(value) == 48
    for one in value:
        found = jzs_bayes_factor(
            np.array([float(one["t"])]), one["n1"], one["n2"], scale=float(one["r"])
        )
        assert_allclose(found, one["bf10"], rtol=tolerance, err_msg=str(one))


@pytest.mark.parametrize(
    ("check", "prior", "scale"),
    [
        (CHECKS[3], "half_cauchy", 5.0),
        (CHECKS[4], "uniform", 100.0),
        (CHECKS[5], "half_cauchy", 0.25),
    ],
)
def test_pooling(check, prior, scale):
    value, tolerance = expected(check)
    y, se = np.array(value["y"], float), np.array(value["s"], float)
    found = partial_pooling(y, np.diag(se**2), prior=prior, scale=scale)
    assert_allclose(found.spread, value["tau_mean"], rtol=tolerance)
    assert_allclose(found.spread_median, value["tau_median"], rtol=tolerance)
    assert_allclose([found.common, found.common_sd], [value["mu_mean"], value["mu_sd"]], rtol=1e-6)
    assert_allclose(found.effect, value["theta_mean"], rtol=tolerance)
    assert_allclose(found.sd, value["theta_sd"], rtol=tolerance)
