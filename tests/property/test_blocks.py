"""Correlations within blocks do not depend on units, order or the size of the weights."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.firstlevel import BlockWeights, seed_to_voxel
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

N = 60
CLEANING = make_cleaning(Denoising(strategy="none", highpass_hz=0.01), None, n_volumes=N, t_r=2.0)


def case(seed: int) -> tuple[np.ndarray, np.ndarray, BlockWeights]:
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((N, 1))
    weights = np.maximum(rng.standard_normal((N, 2)) + 1.0, 0.0)
    within = BlockWeights(
        conditions=("a", "b"), contrast=np.array([1.0, -1.0]), weights=weights, min_volumes=5.0
    )
    return shared + rng.standard_normal((N, 1)), shared + rng.standard_normal((N, 7)), within


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_units_of_voxels_and_weights_do_not_matter(seed: int, scale: float, shift: float) -> None:
    one, voxels, within = case(seed)
    (plain,) = seed_to_voxel(CLEANING, one, voxels, within)
    other = replace(within, weights=within.weights * np.array([scale, 1.0 / scale]))
    (found,) = seed_to_voxel(CLEANING, one - shift, voxels * scale + shift, other)
    assert_allclose(found.values, plain.values, atol=1e-6)
    assert_allclose(found.variance, plain.variance, rtol=1e-9)
    (flipped,) = seed_to_voxel(CLEANING, -one, voxels, within)
    assert_allclose(flipped.values, -plain.values, atol=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(7)))
def test_voxels_are_computed_each_for_itself(seed: int, order: list[int]) -> None:
    one, voxels, within = case(seed)
    (plain,) = seed_to_voxel(CLEANING, one, voxels, within)
    (found,) = seed_to_voxel(CLEANING, one, voxels[:, order], within)
    assert_allclose(found.values, plain.values[order], atol=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_volumes_without_weight_count_by_the_cleaning_alone(seed: int) -> None:
    one, voxels, within = case(seed)
    parts = [
        seed_to_voxel(
            CLEANING,
            one,
            voxels,
            BlockWeights(
                conditions=(name,),
                contrast=np.ones(1),
                weights=within.weights[:, [i]],
                min_volumes=5.0,
            ),
        )[0].values
        for i, name in enumerate(within.conditions)
    ]
    (found,) = seed_to_voxel(CLEANING, one, voxels, within)
    assert_allclose(found.values, parts[0] - parts[1], atol=1e-12)
