"""Weights of volumes and correlations within blocks: against NumPy, by their theory, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import FirstLevelError
from phmri.firstlevel import (
    BlockWeights,
    block_weights,
    clean,
    find_short_conditions,
    roi_to_roi,
    seed_to_parcel,
    seed_to_voxel,
    task_regressors,
)
from phmri.firstlevel._blocks import effective_volumes
from phmri.protocol import Censor, Denoising
from phmri.signals import Cleaning, make_cleaning
from tests.unit.firstlevel.test_connectivity import T_R, N, make_case

ONSET = np.array([10.0, 60.0, 110.0, 160.0])
DURATION = np.full(4, 30.0)
KINDS = ["two", "zero", "two", "zero"]
HIGHPASS = {"highpass_hz": 0.01, "censor": Censor(fd_mm=0.5)}
BANDPASS = {"highpass_hz": 0.02, "lowpass_hz": 0.1}


def weights(contrast=None, **more) -> BlockWeights:
    settings = {"t_r": T_R, "n_volumes": N, "min_volumes": 15.0} | more
    return block_weights(ONSET, DURATION, KINDS, contrast=contrast or {"two": 1.0}, **settings)


def alike(n_volumes=N, contrast=(1.0,)) -> BlockWeights:
    names = tuple(f"c{i}" for i in range(len(contrast)))
    ones = np.ones((n_volumes, len(contrast)))
    return BlockWeights(
        conditions=names, contrast=np.array(contrast), weights=ones, min_volumes=15.0
    )


def in_time(cleaning: Cleaning, series):
    found = clean(cleaning, series)
    return found if cleaning.kind == "remove" else cleaning.basis @ found


def weighted_r(series, w):
    """Give weighted correlations by NumPy's own weighted covariance."""
    covariance = np.cov(series.T, aweights=w)
    size = np.sqrt(np.diag(covariance))
    return covariance / np.outer(size, size)


def test_weights_are_the_positive_part_of_the_regressor():
    blocks = weights({"two": 1.0, "zero": -1.0})
    X, _ = task_regressors(
        ONSET, DURATION, KINDS, conditions=["two", "zero"], t_r=T_R, n_volumes=N
    )
    assert_allclose(blocks.weights, np.where(X > 0, X, 0.0))
    assert (X < -0.01).any()
    assert blocks.conditions == ("two", "zero")
    seconds = (np.arange(N) + 0.5) * T_R
    centre = blocks.weights[:, 0] @ seconds / blocks.weights[:, 0].sum()
    assert 4.0 < centre - (25.0 + 125.0) / 2 < 8.0  # later than the blocks, as the signal is


def test_effective_volumes_are_those_of_equal_weight():
    assert effective_volumes(np.repeat([0.0, 3.0], [10, 7])) == pytest.approx(7.0)
    assert effective_volumes(np.array([1.0, 0.5])) == pytest.approx(1.5**2 / 1.25)
    assert effective_volumes(np.zeros(4)) == 0.0


@pytest.mark.parametrize("options", [{}, HIGHPASS, BANDPASS])
def test_equal_to_the_weighted_correlation_of_numpy(options):
    """The band-pass leaves fewer dimensions than it removes: the operator is kept as `keep`."""
    cleaning, rng = make_case(1, **options)
    assert cleaning.kind == ("keep" if options is BANDPASS else "remove")
    series = np.cumsum(rng.standard_normal((N, 5)), axis=0)
    within = weights({"two": 1.0, "zero": -0.5})
    cleaned = in_time(cleaning, series)
    kept = within.weights[cleaning.sample_mask]
    two, zero = (weighted_r(cleaned, column) for column in kept.T)
    expected = np.arctanh(two - 1e-12) - 0.5 * np.arctanh(zero - 1e-12)
    single = seed_to_voxel(cleaning, series[:, :2], series.astype(np.float32), within)
    for seed, one in enumerate(single):
        others = [i for i in range(5) if i != seed]
        assert_allclose(one.values[others], expected[seed, others], atol=1e-5)
    double = seed_to_voxel(cleaning, series[:, :1], series[:, 1:], within)
    assert_allclose(double[0].values, expected[0, 1:], atol=1e-9)
    parcels = seed_to_parcel(cleaning, series[:, 0], series[:, 1:], list("bcde"), within)
    assert_allclose(parcels.values, expected[0, 1:], atol=1e-9)
    edges = roi_to_roi(cleaning, series, list("abcde"), "edges", within)
    assert_allclose(edges.values, expected[np.triu_indices(5, 1)], atol=1e-9)
    assert edges.facts["effective_volumes"] == [
        f"{name}: {effective_volumes(column):.1f}"
        for name, column in zip(("two", "zero"), kept.T, strict=True)
    ]


@pytest.mark.parametrize("options", [{}, HIGHPASS, BANDPASS])
def test_weights_that_are_all_1_change_nothing(options):
    cleaning, rng = make_case(2, **options)
    series = rng.standard_normal((N, 4))
    plain = seed_to_voxel(cleaning, series[:, :1], series)[0]
    weighted = seed_to_voxel(cleaning, series[:, :1], series, alike())[0]
    assert_allclose(weighted.values[1:], plain.values[1:], atol=1e-10)
    assert weighted.variance == pytest.approx(plain.variance, rel=1e-9)
    assert weighted.df == pytest.approx(plain.df, rel=1e-9)
    edges = roi_to_roi(cleaning, series, list("abcd"), "global")
    again = roi_to_roi(cleaning, series, list("abcd"), "global", alike())
    assert again.values[0] == pytest.approx(edges.values[0], abs=1e-10)


@pytest.mark.parametrize("contrast", [{"two": 1.0}, {"two": 1.0, "zero": -1.0}])
def test_z_has_its_variance_in_white_noise(contrast):
    """20 000 z of unrelated series; the interval is 4 standard errors of a variance wide."""
    cleaning, rng = make_case(4, **HIGHPASS)
    within = weights(contrast)
    z, told = [], 0.0
    for _ in range(20):
        seeds, voxels = rng.standard_normal((N, 1)), rng.standard_normal((N, 1000))
        found = seed_to_voxel(cleaning, seeds, voxels, within)[0]
        z.append(found.values)
        told = float(found.variance)
    z = np.concatenate(z)
    assert abs(z.mean()) < 4 * np.sqrt(told / 20)
    per_seed = z.reshape(20, 1000).var(axis=1).mean() + z.reshape(20, 1000).mean(axis=1).var()
    assert per_seed / told == pytest.approx(1.0, abs=0.06)


def test_coupling_in_one_condition_is_found_in_it_alone():
    rng = np.random.default_rng(5)
    within = weights()
    share = within.weights[:, 0] / within.weights.max()
    seed, own = rng.standard_normal((2, N))
    voxel = share * seed + (1.0 - share) * own
    cleaning = make_cleaning(Denoising(strategy="none"), None, n_volumes=N, t_r=T_R)
    two, zero = (
        seed_to_voxel(cleaning, seed[:, None], voxel[:, None], weights({name: 1.0}))[0].values[0]
        for name in ("two", "zero")
    )
    assert two > 1.0
    assert abs(zero) < 0.4


def test_voxel_that_is_still_within_the_blocks_is_undefined():
    cleaning = make_cleaning(Denoising(strategy="none"), None, n_volumes=N, t_r=T_R)
    rng, within = np.random.default_rng(6), weights()
    voxels = rng.standard_normal((N, 3))
    voxels[within.weights[:, 0] > 0, 1] = 2.0
    found = seed_to_voxel(cleaning, voxels[:, :1], voxels, within)[0]
    assert np.isnan(found.values).tolist() == [False, True, False]
    assert found.n_undefined == 1
    with pytest.raises(FirstLevelError) as caught:
        seed_to_voxel(cleaning, voxels[:, 1:2], voxels, within)
    (problem,) = caught.value.problems
    assert (problem.field, problem.found) == ("seed 0", "within the blocks of two")


# ------------------------------------------------------------------------------ refusals
def test_blocks_that_are_too_few_too_short_or_no_blocks_are_told_at_once():
    with pytest.raises(FirstLevelError) as caught:
        block_weights(
            np.array([10.0, 40.0, 60.0]),
            np.array([4.0, 0.0, 60.0]),
            ["short", "moment", "long"],
            contrast={"short": 1.0, "moment": 1.0, "long": 1.0},
            t_r=T_R,
            n_volumes=N,
            min_volumes=15.0,
        )
    moment, short = caught.value.problems
    assert (moment.field, short.field) == ("moment", "short")
    assert "have no duration" in moment.what
    assert "worth too few volumes" in short.what
    assert str(short.expected) == "at least 15"


def test_condition_without_a_block_is_refused():
    with pytest.raises(FirstLevelError, match="a condition has no event in this run"):
        weights({"three": 1.0})
    with pytest.raises(FirstLevelError, match="no condition has a weight"):
        weights({"two": 0.0})
    assert weights({"two": 1.0, "zero": 0.0}).conditions == ("two",)


def test_censored_blocks_are_counted_as_what_is_left():
    within = weights()
    mask = np.ones(N, dtype=bool)
    assert find_short_conditions(within, mask) == ()
    mask[: N // 2] = False
    mask[N // 2 + 18 :] = False
    (problem,) = find_short_conditions(within, mask)
    assert (problem.field, problem.expected) == ("two", "at least 15")
    cleaning, rng = make_case(7)
    series = rng.standard_normal((N, 2))
    with pytest.raises(FirstLevelError, match="too few volumes"):
        seed_to_voxel(cleaning, series[:, :1], series, replace(within, min_volumes=60.0))


def test_what_cannot_be_weighted_is_refused():
    cleaning, rng = make_case(8, highpass_hz=0.01, lowpass_hz=0.1, filter="butterworth")
    series = rng.standard_normal((N, 2))
    with pytest.raises(FirstLevelError, match="Butterworth"):
        seed_to_voxel(cleaning, series[:, :1], series, weights())
    with pytest.raises(FirstLevelError, match="runs of different length"):
        seed_to_voxel(make_case(8)[0], series[:, :1], series, alike(N - 1))


def test_too_few_degrees_of_freedom_are_refused():
    cleaning = make_cleaning(
        Denoising(strategy="none", min_df=3),
        None,
        n_volumes=20,
        t_r=T_R,
        extra=np.random.default_rng(9).standard_normal((20, 15)),
        extra_names=tuple(f"x{i}" for i in range(15)),
    )
    first_two = (np.arange(20) < 2).astype(float)[:, None]
    within = replace(alike(20), weights=first_two, min_volumes=1.0)
    with pytest.raises(FirstLevelError) as caught:
        roi_to_roi(cleaning, np.eye(20)[:, :2], ["a", "b"], "edges", within)
    (problem,) = caught.value.problems
    assert "too few degrees of freedom" in problem.what
    assert (problem.field, problem.found) == ("c0", "1.0")
