"""Reliability against R: psych's ICCs, lme4's components, closed forms."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group.reliability import (
    bland_altman,
    crossed_components,
    intraclass_correlation,
    reliability_of_difference,
)

CHECKS = (
    "J_reliability:icc_retest_k2",
    "J_reliability:icc_retest_k3",
    "J_reliability:icc_retest_reml",
    "J_reliability:reliability_of_difference",
)
REFERENCE = Path(__file__).parents[1] / "stats_reference"


def expected(check):
    file, name = check.split(":")
    checks = json.loads((REFERENCE / "expected" / f"{file}.json").read_text())["checks"]
    return next((c["value"], c["tol_rel"]) for c in checks if c["id"] == name)


@pytest.fixture
def retest():
    with (REFERENCE / "data" / "retest.csv").open() as file:
        rows = [[float(row[f"resp_{k}"]) for k in (1, 2, 3)] for row in csv.DictReader(file)]
    return np.array(rows)[:, :, None]


@pytest.mark.parametrize(("check", "k"), [(CHECKS[0], 2), (CHECKS[1], 3)])
def test_intraclass_correlations(retest, check, k):
    value, tolerance = expected(check)
    found = intraclass_correlation(retest[:, :k])
    squares = [found.participants[0], found.sessions[0], found.residual[0], found.within[0]]
    names = ("BMS", "JMS", "EMS", "WMS")
    assert_allclose(squares, [value["mean_squares"][n] for n in names], rtol=tolerance)
    for row, form in enumerate(found.forms):
        want = value["icc"]["ICC_" + form[4:7].replace(",", "_")]
        numbers = {
            "icc": found.icc[row, 0],
            "F": found.f[row, 0],
            "df1": found.df[row, 0],
            "df2": found.df[row, 1],
            "p": found.pvalue[row, 0],
            "ci95_lo": found.low[row, 0],
            "ci95_hi": found.high[row, 0],
        }
        assert_allclose(
            [numbers[name] for name in want], list(want.values()), rtol=tolerance, err_msg=form
        )
    assert_allclose(found.error_of_measurement, value["sem_consistency"], rtol=tolerance)
    assert_allclose(found.smallest_change, value["sdc95"], rtol=tolerance)


@pytest.mark.parametrize("check", CHECKS[:2])
def test_limits_of_agreement(retest, check):
    value, tolerance = expected(check)
    want = value["bland_altman"]
    found = bland_altman(retest[:, 0], retest[:, 1])
    assert_allclose(found.bias, want["bias"], rtol=tolerance)
    assert_allclose(found.sd, want["sd"], rtol=tolerance)
    assert_allclose(found.limits[:, 0], want["loa"], rtol=tolerance)


def test_restricted_maximum_likelihood(retest):
    value, tolerance = expected(CHECKS[2])
    found = crossed_components(retest)
    assert_allclose(found.consistency, value["icc31"], rtol=tolerance)
    assert_allclose(found.agreement, value["icc21"], rtol=tolerance)
    # The optimiser of lme4 stopped within 4e-5 of the occasions' variance, which is nearly 0.
    names = ("participant", "session", "residual")
    for name, want in zip(names, ("subject", "occasion", "residual"), strict=True):
        assert_allclose(
            getattr(found, name)[0],
            value["components"][want],
            rtol=tolerance,
            atol=tolerance * value["components"]["residual"],
            err_msg=name,
        )


def test_reliability_of_a_difference():
    value, tolerance = expected(CHECKS[3])
    for case in value:
        first, second, r, sd_first, sd_second = map(float, case["args"])
        found = reliability_of_difference(first, second, r, sd_first=sd_first, sd_second=sd_second)
        assert_allclose(found, case["value"], rtol=tolerance)
