"""What correlations of maps do not depend on, and what their p-values never are."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.inference.spatial import associate_maps, moran_index, spatial_weights

N_SURROGATES = 99


def trial(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(n), rng.standard_normal((3, n)), rng.normal(scale=30.0, size=(n, 3))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(10, 40),
    scale=st.floats(0.01, 100.0),
    shift=st.floats(-50.0, 50.0),
    statistic=st.sampled_from(["pearson", "spearman"]),
)
def test_units_do_not_matter(
    seed: int, n: int, scale: float, shift: float, statistic: Any
) -> None:
    own, maps, positions = trial(seed, n)

    def answer(x: np.ndarray, y: np.ndarray, r: np.ndarray) -> Any:
        rng = np.random.default_rng(1)
        return associate_maps(x, y, r, statistic=statistic, n_surrogates=N_SURROGATES, rng=rng)

    plain = answer(own, maps, positions)
    other = answer(own * scale + shift, maps * scale - shift, positions)
    assert_allclose(other.correlation, plain.correlation, atol=1e-9)
    assert_allclose(other.pvalue, plain.pvalue, atol=1e-12)
    assert_allclose(other.pvalue_corrected, plain.pvalue_corrected, atol=1e-12)
    assert_allclose(answer(-own, maps, positions).correlation, -plain.correlation, atol=1e-12)
    assert (plain.pvalue >= 1 / (N_SURROGATES + 1)).all()
    assert (plain.pvalue_corrected >= plain.pvalue).all()
    assert (plain.pvalue_corrected <= 1).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-100.0, 100.0))
def test_autocorrelation_does_not_depend_on_where_the_brain_is(seed: int, shift: float) -> None:
    _, maps, positions = trial(seed, 20)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((3, 3))).Q
    order = rng.permutation(20)
    plain = moran_index(maps, spatial_weights(positions))
    moved = moran_index(maps, spatial_weights(positions @ rotation + shift))
    assert_allclose(moved, plain, atol=1e-9)
    mixed = moran_index(maps[:, order], spatial_weights(positions[order]))
    assert_allclose(mixed, plain, atol=1e-9)
