"""Moran spectral randomisation against BrainSpace 0.3.0 (single precision, its own surrogates)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.inference.spatial import associate_maps, moran_eigenvectors, spatial_weights

N_SURROGATES = 20000


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return dict(json.loads(Path(__file__).with_name("reference.json").read_text()))


def test_patterns_are_the_same(reference: dict[str, Any]) -> None:
    weights = spatial_weights(np.array(reference["positions_mm"]))
    vectors = moran_eigenvectors(weights)
    assert_allclose(
        np.einsum("ik,ij,jk->k", vectors, weights, vectors), reference["eigenvalues"], atol=2e-6
    )
    amounts = np.abs(vectors.T @ np.array(reference["maps"][0]))
    assert_allclose(amounts, reference["amounts"], atol=2e-4)


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_pvalues_are_the_same(reference: dict[str, Any], statistic: Any) -> None:
    maps, want = np.array(reference["maps"]), reference[statistic]
    found = associate_maps(
        maps[0],
        maps[1:],
        np.array(reference["positions_mm"]),
        statistic=statistic,
        n_surrogates=N_SURROGATES,
        rng=np.random.default_rng(3),
    )
    assert_allclose(found.correlation, want["correlation"], rtol=1e-12)
    assert_allclose(found.pvalue_naive, want["p_naive"], rtol=1e-9)
    for key, ours in (("p", found.pvalue), ("p_corrected", found.pvalue_corrected)):
        p = np.array(want[key])
        # Both are counts of independent draws: four standard errors of their difference.
        margin = 4 * np.sqrt(2 * p * (1 - p) / N_SURROGATES) + 1e-4
        assert (np.abs(ours - p) <= margin).all(), (key, ours, p)
