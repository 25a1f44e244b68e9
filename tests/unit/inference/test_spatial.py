"""Maps against maps: closed forms, complete enumeration, and what is refused."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr

from phmri.exceptions import InferenceError
from phmri.inference.spatial import (
    associate_maps,
    moran_eigenvectors,
    moran_index,
    moran_surrogates,
    spatial_weights,
)


def places(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=40.0, size=(n, 3))


def smooth(positions: np.ndarray, n_maps: int, seed: int, length_mm: float = 40.0) -> np.ndarray:
    root = np.linalg.cholesky(np.exp(-cdist(positions, positions) / length_mm))
    return np.random.default_rng(seed).standard_normal((n_maps, len(positions))) @ root.T


def test_weights_are_reciprocal_distances() -> None:
    positions = np.zeros((10, 3))
    positions[:, 0] = np.arange(10) * 2.0
    weights = spatial_weights(positions)
    assert weights[0, 1] == 0.5
    assert weights[3, 9] == weights[9, 3] == 1 / 12
    assert (np.diag(weights) == 0).all()


def test_eigenvectors_are_those_of_the_centred_weights() -> None:
    weights = spatial_weights(places(30))
    vectors = moran_eigenvectors(weights)
    centring = np.eye(30) - 1 / 30
    values = np.einsum("ik,ij,jk->k", vectors, weights, vectors)
    assert_allclose(vectors.T @ vectors, np.eye(29), atol=1e-12)
    assert_allclose(vectors.sum(axis=0), 0.0, atol=1e-12)
    assert_allclose(centring @ weights @ centring @ vectors, vectors * values, atol=1e-12)
    assert (np.diff(values) < 0).all()


def test_an_eigenvalue_of_zero_loses_no_pattern() -> None:
    weights = np.ones((12, 12)) - np.eye(12)  # all patterns are alike, by -1
    vectors = moran_eigenvectors(weights)
    assert vectors.shape == (12, 11)
    assert_allclose(vectors @ vectors.T, np.eye(12) - 1 / 12, atol=1e-12)


def test_surrogates_keep_mean_variance_and_moran() -> None:
    positions = places(40)
    weights, own = spatial_weights(positions), smooth(positions, 1, 1)[0] + 3.0
    drawn = moran_surrogates(
        own, moran_eigenvectors(weights), n_surrogates=50, rng=np.random.default_rng(2)
    )
    assert_allclose(drawn.mean(axis=1), own.mean(), rtol=1e-12)
    assert_allclose(drawn.var(axis=1), own.var(), rtol=1e-12)
    assert_allclose(moran_index(drawn, weights), moran_index(own[None], weights)[0], rtol=1e-10)
    assert np.abs(np.corrcoef(drawn)[np.triu_indices(50, 1)]).max() < 0.99


def test_null_has_the_variance_of_its_closed_form() -> None:
    positions = places(40)
    vectors = moran_eigenvectors(spatial_weights(positions))
    own, other = smooth(positions, 2, 3)
    drawn = moran_surrogates(own, vectors, n_surrogates=40_000, rng=np.random.default_rng(4))
    sizes = own.std() * other.std() * own.size
    found = (drawn - own.mean()) @ (other - other.mean()) / sizes
    a, b = (vectors.T @ row for row in (own, other))
    exact = ((a * b) ** 2).sum() / ((a**2).sum() * (b**2).sum())
    assert found.mean() == pytest.approx(0.0, abs=4 * np.sqrt(exact / 40_000))
    assert found.var() == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_pvalues_are_those_of_all_sign_patterns(statistic: Any) -> None:
    positions = places(10)
    maps = smooth(positions, 4, 6)
    test = {"pearson": pearsonr, "spearman": spearmanr}[statistic]
    found = associate_maps(
        maps[0],
        maps[1:],
        positions,
        statistic=statistic,
        n_surrogates=20_000,
        rng=np.random.default_rng(1),
    )
    vectors = moran_eigenvectors(spatial_weights(positions))
    signs = np.array(list(product((-1.0, 1.0), repeat=9)))
    drawn = (signs * (vectors.T @ maps[0])) @ vectors.T
    null = np.array([[test(row, other)[0] for other in maps[1:]] for row in drawn])
    observed = np.array([test(maps[0], other)[0] for other in maps[1:]])
    reached = np.abs(null) >= np.abs(observed) - 1e-9
    most = np.abs(null).max(axis=1)[:, None] >= np.abs(observed) - 1e-9
    assert_allclose(found.correlation, observed, atol=1e-12)
    assert_allclose(found.pvalue, reached.mean(axis=0), atol=0.015)
    assert_allclose(found.pvalue_corrected, most.mean(axis=0), atol=0.015)
    assert_allclose(found.pvalue_naive, [test(maps[0], other)[1] for other in maps[1:]], rtol=1e-9)


def test_the_map_itself_is_the_strongest() -> None:
    positions = places(30)
    own = smooth(positions, 1, 7)[0]
    found = associate_maps(
        own, np.stack([2 * own + 1, -own]), positions, rng=np.random.default_rng(0)
    )
    assert_allclose(found.correlation, [1.0, -1.0])
    assert_allclose(found.pvalue, 1 / 5001)
    assert_allclose(found.pvalue_corrected, 1 / 5001)
    assert found.statistic == "spearman"
    assert_allclose(found.indices, found.index)


def test_index_is_expected_without_order_and_above_it_with() -> None:
    positions = places(60)
    weights, rng = spatial_weights(positions), np.random.default_rng(8)
    noise = moran_index(rng.standard_normal((4000, 60)), weights)
    assert noise.mean() == pytest.approx(-1 / 59, abs=0.001)
    assert (moran_index(smooth(positions, 20, 9, 80.0), weights) > 0.02).mean() > 0.9
    assert np.isnan(moran_index(np.ones((1, 60)), weights)[0])


def test_all_faults_are_told_at_once() -> None:
    maps = np.random.default_rng(0).standard_normal((3, 12))
    maps[0, 3], maps[2] = np.nan, 4.0
    with pytest.raises(InferenceError) as caught:
        associate_maps(maps[1], maps, places(12), n_surrogates=0, rng=np.random.default_rng(0))
    assert [(problem.field, problem.what) for problem in caught.value.problems] == [
        ("maps[0]", "a map holds values that are not finite"),
        ("maps[2]", "a map does not vary"),
        ("n_surrogates", "no surrogate is to be drawn"),
    ]


def test_positions_that_are_refused() -> None:
    few = places(9)
    few[2] = few[5]
    with pytest.raises(InferenceError) as caught:
        spatial_weights(few)
    assert [problem.what for problem in caught.value.problems] == [
        "too few places for their spatial autocorrelation to be kept",
        "two places have the same position",
    ]
    assert caught.value.problems[1].found == "places 2 and 5, counted from 0"
    odd = places(12)
    odd[4, 1] = np.inf
    with pytest.raises(InferenceError, match="not finite"):
        spatial_weights(odd)
