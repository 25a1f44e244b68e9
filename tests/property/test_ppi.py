"""Laws of deconvolution, interaction and beta series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.firstlevel.glm import Noise
from phmri.firstlevel.ppi import (
    deconvolve,
    fit_beta_series,
    fit_ppi,
    ppi_design,
    trial_estimator,
)
from phmri.firstlevel.task import TaskSettings, task_design, trial_design

N, T_R = 80, 2.0
ONSET = np.arange(6.0, 146.0, 10.0)
KINDS = ["a", "b"] * 7
NUISANCE = np.column_stack([np.ones(N), np.linspace(-1, 1, N)])
CONTRASTS = {"difference": {"b": 1.0, "a": -1.0}}
EVENTS = {"conditions": ("a", "b"), "t_r": T_R, "n_volumes": N, "settings": TaskSettings()}
TASK = task_design(ONSET, np.full(14, 4.0), KINDS, {}, **EVENTS)
TRIALS = trial_design(ONSET, np.full(14, 1.0), KINDS, **EVENTS)

seeds_of_randomness = st.integers(0, 2**32 - 1)
factors = st.floats(0.01, 100.0)


def simulate(seed, n_series):
    return np.cumsum(np.random.default_rng(seed).standard_normal((N, n_series)), axis=0)


@settings(max_examples=10, deadline=None)
@given(seeds_of_randomness, factors, factors)
def test_deconvolution_is_linear_in_the_seed(seed, one, other):
    series = simulate(seed, 2)
    mixed = series @ np.array([[one], [-other]])
    neural = deconvolve(np.hstack([series, mixed]), NUISANCE, t_r=T_R)
    expected = one * neural[:, 0] - other * neural[:, 1]
    scale = np.abs(one * neural[:, 0]).max() + np.abs(other * neural[:, 1]).max()
    np.testing.assert_allclose(neural[:, 2], expected, rtol=0, atol=1e-8 * scale)


@settings(max_examples=10, deadline=None)
@given(seeds_of_randomness, st.floats(-6, 6))
def test_the_unit_of_a_confound_does_not_matter(seed, exponent):
    series = simulate(seed, 1)
    other = NUISANCE * np.array([1.0, 10.0**exponent])
    one = deconvolve(series, NUISANCE, t_r=T_R)
    two = deconvolve(series, other, t_r=T_R)
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-7 * np.abs(one).max())


@settings(max_examples=10, deadline=None)
@given(seeds_of_randomness, factors, factors)
@pytest.mark.parametrize("method", ["bayes", "none"])
def test_slopes_are_voxel_units_per_seed_unit_and_t_has_none(method, seed, of_seed, of_voxels):
    series, Y = simulate(seed, 1), simulate(seed + 1, 3)
    plain = ppi_design(series, TASK, names=["s"], nuisance=NUISANCE, method=method)
    scaled = ppi_design(of_seed * series, TASK, names=["s"], nuisance=NUISANCE, method=method)
    one = fit_ppi(Y, plain, CONTRASTS, noise=Noise(kind="white"))[0]["difference"]
    two = fit_ppi(of_voxels * Y, scaled, CONTRASTS, noise=Noise(kind="white"))[0]["difference"]
    np.testing.assert_allclose(two.values * of_seed / of_voxels, one.values, rtol=1e-6)
    np.testing.assert_allclose(two.extras["t"], one.extras["t"], rtol=1e-6, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seeds_of_randomness)
@pytest.mark.parametrize("method", ["bayes", "none"])
def test_the_nuisance_may_be_added_to_seeds_and_voxels(method, seed):
    rng = np.random.default_rng(seed)
    series, Y = simulate(seed, 1), simulate(seed + 1, 3)
    design = ppi_design(series, TASK, names=["s"], nuisance=NUISANCE, method=method)
    moved = ppi_design(
        series + NUISANCE @ rng.standard_normal((2, 1)),
        TASK,
        names=["s"],
        nuisance=NUISANCE,
        method=method,
    )
    other = Y + NUISANCE @ rng.standard_normal((2, 3))
    one = fit_ppi(Y, design, CONTRASTS, noise=Noise(kind="ar"))[0]["difference"]
    two = fit_ppi(other, moved, CONTRASTS, noise=Noise(kind="ar"))[0]["difference"]
    np.testing.assert_allclose(two.values, one.values, rtol=1e-6, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seeds_of_randomness)
def test_beta_series_of_a_voxel_that_is_the_seed_is_perfect_and_order_does_not_matter(seed):
    Y = simulate(seed, 4)
    found = fit_beta_series(
        Y, Y[:, :1], TRIALS, {"a": {"a": 1.0}}, names=["s"], nuisance=NUISANCE
    )[0]["a"]
    assert found.values[0] > 8
    order = np.random.default_rng(seed).permutation(4)
    mixed = fit_beta_series(
        Y[:, order], Y[:, :1], TRIALS, {"a": {"a": 1.0}}, names=["s"], nuisance=NUISANCE
    )[0]["a"]
    np.testing.assert_allclose(mixed.values[1:], found.values[order][1:], rtol=1e-6, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=14, max_size=14), seeds_of_randomness)
def test_the_same_response_in_every_trial_is_found_in_every_trial(betas, seed):
    """Trials of the other condition all respond alike, so that each model is true."""
    estimator, _ = trial_estimator(TRIALS, NUISANCE)
    own = np.array(KINDS) == "a"
    responses = np.where(own, betas[0], betas[1])
    rng = np.random.default_rng(seed)
    Y = TRIALS.X @ responses + NUISANCE @ rng.standard_normal(2)
    np.testing.assert_allclose(estimator @ Y, responses[TRIALS.within >= 0.5], atol=1e-8)
