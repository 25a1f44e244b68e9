"""Correlation within blocks against CONN's formula, and how far the two are apart."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.firstlevel import BlockWeights, block_weights, clean, seed_to_voxel
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

N, T_R = 200, 2.0
CLEANING = make_cleaning(Denoising(strategy="none", highpass_hz=0.01), None, n_volumes=N, t_r=T_R)


def conn_r(seed, voxels, w):
    """Correlate as CONN does, after denoising."""
    w = np.maximum(w, 0.0)
    x, y = (
        (series - (w @ series) / w.sum()) * w[:, None]
        for series in (clean(CLEANING, seed), clean(CLEANING, voxels))
    )
    return (x.T @ y)[0] / np.sqrt((x**2).sum() * (y**2).sum(axis=0))


def blocks(onsets=(20.0, 100.0, 180.0, 260.0)) -> BlockWeights:
    onset = np.array(onsets)
    return block_weights(
        onset,
        np.full(onset.size, 40.0),
        ["two"] * onset.size,
        contrast={"two": 1.0},
        t_r=T_R,
        n_volumes=N,
        min_volumes=15.0,
    )


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((N, 1))
    return shared + rng.standard_normal((N, 1)), shared * rng.uniform(
        -2, 2, 300
    ) + rng.standard_normal((N, 300))


def test_weights_of_0_and_1_are_cut_out_blocks_in_both(series):
    seed, voxels = series
    within = blocks()
    box = (within.weights > 0.5 * within.weights.max()).astype(float)
    within = BlockWeights(conditions=("two",), contrast=np.ones(1), weights=box, min_volumes=15.0)
    r = np.tanh(seed_to_voxel(CLEANING, seed, voxels, within)[0].values)
    assert_allclose(r, conn_r(seed, voxels, box[:, 0]), atol=1e-9)
    cut = np.corrcoef(
        np.column_stack([clean(CLEANING, seed), clean(CLEANING, voxels)])[box[:, 0] > 0].T
    )
    assert_allclose(r, cut[0, 1:], atol=1e-9)


def test_weighting_once_or_twice_hardly_differs_over_blocks(series):
    seed, voxels = series
    within = blocks()
    r = np.tanh(seed_to_voxel(CLEANING, seed, voxels, within)[0].values)
    theirs = conn_r(seed, voxels, within.weights[:, 0])
    assert np.corrcoef(r, theirs)[0, 1] > 0.99
    assert np.abs(r - theirs).max() < 0.15
    assert np.abs(r - theirs).max() > 1e-4
