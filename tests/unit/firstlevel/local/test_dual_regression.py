"""Dual regression against two plain regressions, and its t against its distribution."""

import numpy as np
import pytest
from scipy import stats

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.local import dual_regression, receptor_regression

NAMES = ("one", "two", "three")


def make_data(n=120, n_voxels=200, seed=0):
    rng = np.random.default_rng(seed)
    maps = np.abs(rng.standard_normal((3, n_voxels)))
    courses = rng.standard_normal((n, 3))
    voxels = courses @ maps + rng.standard_normal((n, n_voxels)) + rng.uniform(0, 90, n_voxels)
    return voxels, maps, courses


def regress(y, X):
    design = np.column_stack([np.ones(len(X)), X])
    return np.linalg.lstsq(design, y, rcond=None)[0][1:]


def test_against_two_regressions(clean_of):
    """First over voxels, then over volumes; population SD as REACT takes it."""
    voxels, maps, _ = make_data()
    result = dual_regression(clean_of(120), voxels, maps, names=NAMES, network="two")
    courses = regress(voxels.T, maps.T).T
    courses = (courses - courses.mean(axis=0)) / courses.std(axis=0)
    np.testing.assert_allclose(result.values, regress(voxels, courses)[1], rtol=1e-9)
    X = np.column_stack([np.ones(120), courses])
    residual = voxels - X @ np.linalg.lstsq(X, voxels, rcond=None)[0]
    inverse = np.linalg.inv(X.T @ X)[2, 2]
    np.testing.assert_allclose(result.variance, inverse * (residual**2).sum(axis=0) / 116)
    assert result.df == 116


def test_confounds_go_from_both_stages(clean_of):
    """Cleaning first and both stages after is the same as cleaning the time courses."""
    voxels, maps, _ = make_data()
    for setting in ({"n_confounds": 6, "censored": (4, 50)}, {"lowpass_hz": 0.05}):
        cleaning = clean_of(120, **setting)
        kept = voxels[cleaning.sample_mask]
        inside = cleaning.basis @ (cleaning.basis.T @ kept)
        cleaned = inside if cleaning.kind == "keep" else kept - inside
        courses = regress(cleaned.T, maps.T).T
        courses /= courses.std(axis=0)
        expected = np.linalg.lstsq(courses, cleaned, rcond=None)[0][0]
        result = dual_regression(cleaning, voxels, maps, names=NAMES, network="one")
        np.testing.assert_allclose(result.values, expected, rtol=1e-8, atol=1e-10)
        assert result.df == cleaning.df - 3


def test_finds_the_planted_maps(clean_of):
    voxels, maps, courses = make_data(n_voxels=2000)
    result = dual_regression(clean_of(120), voxels, maps, names=NAMES, network="three")
    planted = maps[2] * courses[:, 2].std()
    assert np.corrcoef(result.values, planted)[0, 1] > 0.98
    assert result.facts["variance_inflation"] == pytest.approx(1.0, abs=0.2)


def test_t_of_noise_voxels(clean_of):
    """Voxels that the first stage does not see have Student's t under white noise."""
    voxels, maps, _ = make_data(n=60, n_voxels=4000)
    rng = np.random.default_rng(9)
    seen = np.arange(4000) < 400
    voxels[:, ~seen] = rng.standard_normal((60, 3600))
    result = dual_regression(
        clean_of(60, n_confounds=10), voxels, maps, names=NAMES, network="one", first_stage=seen
    )
    t = (result.values / np.sqrt(result.variance))[~seen]
    assert stats.kstest(t, stats.t(result.df).cdf).pvalue > 0.01
    assert result.facts["n_voxels_first_stage"] == 400


def test_receptors_are_seen_in_grey_matter_where_all_have_a_density(clean_of):
    voxels, maps, _ = make_data()
    maps[0, :20] = 0.0
    grey = np.arange(200) % 3 > 0
    result = receptor_regression(
        clean_of(120), voxels, maps, names=NAMES, receptor="two", grey_matter=grey
    )
    seen = grey & (np.arange(200) >= 20)
    expected = dual_regression(
        clean_of(120), voxels, maps, names=NAMES, network="two", first_stage=seen
    )
    np.testing.assert_array_equal(result.values, expected.values)
    assert result.facts["n_voxels_first_stage"] == seen.sum()


def test_percent_and_flat_voxels(clean_of):
    voxels, maps, _ = make_data()
    voxels[:, 7] = 4.0
    mean = np.full(200, 50.0)
    plain = dual_regression(clean_of(120), voxels, maps, names=NAMES, network="one")
    percent = dual_regression(clean_of(120), voxels, maps, names=NAMES, network="one", mean=mean)
    assert np.flatnonzero(np.isnan(plain.values)).tolist() == [7]
    np.testing.assert_allclose(percent.values, 2.0 * plain.values)
    np.testing.assert_allclose(percent.variance, 4.0 * plain.variance)
    assert percent.unit == "% signal change per SD of the network"


def test_misuse_is_refused(clean_of):
    voxels, maps, _ = make_data()
    cleaning = clean_of(120)
    collinear = maps.copy()
    collinear[2] = 2 * maps[0] - maps[1] + 5.0
    with pytest.raises(FirstLevelError, match="maps of the networks are collinear"):
        dual_regression(cleaning, voxels, collinear, names=NAMES, network="one")
    with pytest.raises(FirstLevelError) as caught:
        dual_regression(cleaning, voxels, maps[:, 1:], names=("a", "a", "b"), network="c")
    assert [problem.what for problem in caught.value.problems] == [
        "maps do not fit the voxels",
        "every map needs a name of its own",
        "no map has this name",
    ]
    maps[0, 3] = np.nan
    with pytest.raises(FirstLevelError, match="not finite"):
        dual_regression(cleaning, voxels, maps, names=NAMES, network="one")
    with pytest.raises(FirstLevelError, match="maps do not fit"):
        receptor_regression(
            cleaning, voxels, maps, names=NAMES, receptor="one", grey_matter=np.ones(3, bool)
        )


def test_time_courses_that_the_cleaning_removes_are_refused(clean_of):
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((2, 50))
    cleaning = clean_of(60, n_confounds=1)
    confound = rng.standard_normal(60)
    inside = cleaning.basis @ cleaning.basis.T
    voxels = np.outer(inside @ confound, maps[0]) + np.outer(rng.standard_normal(60), maps[1])
    with pytest.raises(FirstLevelError, match="time courses of the networks"):
        dual_regression(cleaning, voxels, maps, names=("a", "b"), network="b")


def test_degrees_of_freedom(clean_of):
    voxels, maps, _ = make_data(n=12)
    with pytest.raises(FirstLevelError, match="too few degrees of freedom"):
        dual_regression(
            clean_of(12, n_confounds=6),
            voxels,
            np.random.default_rng(0).standard_normal((5, 200)),
            names=tuple("abcde"),
            network="a",
        )
    assert maps.shape == (3, 200)
