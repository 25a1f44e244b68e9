"""Adjusted p-values as R gives them (stats::p.adjust, and two functions for graphs)."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.inference._fdr import false_discovery
from phmri.inference.multiplicity import AlphaGraph, adjust_by_graph, adjust_pvalues

CHECKS = ("K_multiplicity:p_adjust", "K_multiplicity:graphical_gatekeeping")
EXPECTED = Path(__file__).parents[1] / "stats_reference" / "expected" / "K_multiplicity.json"
VALUES = {check["id"]: check["value"] for check in json.loads(EXPECTED.read_text())["checks"]}
P_ADJUST, GRAPHS = VALUES["p_adjust"], VALUES["graphical_gatekeeping"]


@pytest.mark.parametrize("method", ["bonferroni", "holm", "hochberg", "hommel"])
def test_family_wise(method):
    found = adjust_pvalues(np.array(P_ADJUST["p"]), method)
    assert_allclose(found, P_ADJUST[method], rtol=1e-10)


@pytest.mark.parametrize("method", ["BH", "BY"])
def test_false_discoveries(method):
    found = false_discovery(np.array(P_ADJUST["p"]), method.lower())
    assert_allclose(found, P_ADJUST[method], rtol=1e-10)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name):
    value = GRAPHS[name]
    graph = AlphaGraph(
        names=tuple(f"h{i}" for i in range(len(value["weights"]))),
        weights=np.array(value["weights"], float),
        transitions=np.array(value["transitions"], float),
    )
    found = adjust_by_graph(np.array(value["p"]), graph)
    assert_allclose(found, value["adjusted_p"], rtol=1e-10)
    assert (found <= 0.05).tolist() == value["reject_at_0.05"]
