"""Power as R gives it (power.t.test, noncentral t, and quadrature checked against PowerTOST)."""

import json
from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose

from phmri.simulation.power import (
    crossover_precision,
    equivalence_power,
    paired_precision,
    parallel_precision,
    sample_size,
    t_power,
)

CHECKS = ("M_power:power",)
EXPECTED = Path(__file__).parents[1] / "stats_reference" / "expected" / "M_power.json"
POWER = json.loads(EXPECTED.read_text())["checks"][0]["value"]
RTOL = 1e-7


def test_two_sample():
    for case in POWER["two_sample"]:
        n, d = case["args_n_per_arm_d"]
        assert_allclose(t_power(d, parallel_precision(n, 1.0)), case["power"], rtol=RTOL)


def test_two_sample_size():
    for case in POWER["two_sample_n_for"]:
        d, power = case["args_d_power"]
        exact = case["n_per_arm"]
        assert_allclose(t_power(d, parallel_precision(exact, 1.0)), power, rtol=RTOL)
        found = sample_size(lambda n, d=d: t_power(d, parallel_precision(n, 1.0)), power)
        assert found == np.ceil(exact)


def test_paired():
    for case in POWER["paired"]:
        n, d = case["args_n_d"]
        assert_allclose(t_power(d, paired_precision(n, 1.0)), case["power"], rtol=RTOL)


def test_ancova():
    for case in POWER["ancova"]:
        n, delta, sd, rho = case["args_n_per_arm_delta_sd_rho"]
        design = parallel_precision(n, sd, baseline_correlation=rho)
        assert_allclose([design.se, design.df], [case["se"], 2 * n - 3], rtol=RTOL)
        assert_allclose(t_power(delta, design), case["power"], rtol=RTOL)


def test_crossover():
    for case in POWER["crossover2x2"]:
        n, delta, sd_within = case["args_N_delta_sdwithin"]
        design = crossover_precision(n, sd_within)
        assert_allclose([design.se, design.df], [case["se"], case["df"]], rtol=RTOL)
        assert_allclose(t_power(delta, design), case["power"], rtol=RTOL)


def test_crossover_equivalence():
    for case in POWER["crossover_tost_additive"]:
        n, delta, sd_within, margin = map(float, case["args_N_delta_sdwithin_margin"])
        found = equivalence_power(delta, crossover_precision(n, sd_within), (-margin, margin))
        assert_allclose(found, case["power"], rtol=RTOL)
