"""Global connectivity and degree against all pairs, and the variance of the former."""

from dataclasses import replace

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel import clean, roi_to_roi
from phmri.firstlevel.local import degree_centrality, every_nth_voxel, global_connectivity


def mixed(n, n_series, seed=0, loading=0.8):
    rng = np.random.default_rng(seed)
    strength = np.linspace(0, loading, n_series)
    shared = rng.standard_normal((n, 1))
    return strength * shared + np.sqrt(1 - strength**2) * rng.standard_normal((n, n_series))


def correlations(cleaning, series):
    r = np.corrcoef(clean(cleaning, series).T)
    np.fill_diagonal(r, np.nan)
    return r


def test_mean_of_all_correlations(clean_of):
    cleaning = clean_of(100, n_confounds=5, censored=(3, 60))
    series = mixed(100, 30)
    result = global_connectivity(cleaning, series)
    r = correlations(cleaning, series)
    np.testing.assert_allclose(result.values, np.nanmean(r, axis=1), atol=1e-12)
    assert result.facts["mean_of_all"] == pytest.approx(np.nanmean(r))
    assert result.unit == "mean Pearson r"


def test_parcels_average_fisher_z(clean_of):
    cleaning = clean_of(100, n_confounds=5)
    series = mixed(100, 12)
    names = [f"p{i}" for i in range(12)]
    result = global_connectivity(cleaning, series, names=names)
    expected = roi_to_roi(cleaning, series, names, "nodes")
    np.testing.assert_allclose(result.values, expected.values, atol=1e-12)
    assert result.names == tuple(names)
    assert (result.variance < expected.variance).all()  # which is that of one pair


@pytest.mark.parametrize("parcels", [False, True])
@pytest.mark.parametrize("n_confounds", [0, 30])
def test_variance(clean_of, parcels, n_confounds):
    """Over repeated runs of one covariance matrix, for series that share much and none."""
    n, n_series, repeats = 120, 15, 400
    names = [f"p{i}" for i in range(n_series)] if parcels else []
    cleaning = clean_of(n, n_confounds=n_confounds)
    runs = [
        global_connectivity(cleaning, mixed(n, n_series, seed=i), names=names)
        for i in range(repeats)
    ]
    true = np.var([run.values for run in runs], axis=0)
    written = np.mean([run.variance for run in runs], axis=0)
    assert 0.9 < (written / true).mean() < 1.1
    assert (written / true).min() > 0.7
    assert (written / true).max() < 1.3


def test_both_cleanings_are_given(clean_of):
    series = mixed(90, 10)
    second = clean_of(90, n_confounds=1)
    result = global_connectivity(clean_of(90), series, without_global_signal=second)
    alone = global_connectivity(second, series)
    np.testing.assert_allclose(result.extras["withglobalsignalremoved"], alone.values)
    found = result.facts["mean_of_all_withglobalsignalremoved"]
    assert found == pytest.approx(alone.values.mean())


def test_blocks_and_flat_voxels(clean_of):
    """More voxels than a block; those without variance are no one's others."""
    series = mixed(40, 4500)
    series[:, [5, 4400]] = 1.0
    some = np.arange(0, 4498, 90)
    cleaning = clean_of(40)
    result = global_connectivity(cleaning, series)
    varies = np.delete(np.arange(4500), [5, 4400])
    assert np.flatnonzero(np.isnan(result.values)).tolist() == [5, 4400]
    assert result.n_undefined == 2
    unit = clean(cleaning, series[:, varies])
    unit /= np.linalg.norm(unit, axis=0)
    expected = ((unit[:, some].T @ unit).sum(axis=1) - 1.0) / (varies.size - 1)
    np.testing.assert_allclose(result.values[varies[some]], expected, atol=1e-12)


def test_degree_against_all_pairs(clean_of):
    cleaning = clean_of(100, n_confounds=5)
    series = mixed(100, 40)
    result = degree_centrality(cleaning, series, threshold=0.25)
    r = correlations(cleaning, series)
    above = r > 0.25
    np.testing.assert_allclose(result.values, above.sum(axis=1) / 39)
    weighted = np.where(above, r, 0.0).sum(axis=1) / 39
    np.testing.assert_allclose(result.extras["weighted"], weighted, atol=1e-6)
    assert 0 < result.values.max() < 1


def test_degree_to_targets(clean_of):
    series = mixed(100, 40)
    series[:, 3] = 0.0
    targets = np.array([0, 3, 10, 39])
    result = degree_centrality(clean_of(100), series, threshold=0.1, targets=targets)
    r = correlations(clean_of(100), np.delete(series, 3, axis=1))
    expected = np.nansum(r[:, [0, 9, 38]] > 0.1, axis=1) / 3.0
    expected[[0, 9, 38]] *= 3.0 / 2.0  # not to themselves
    np.testing.assert_allclose(np.delete(result.values, 3), expected)
    assert np.isnan(result.values[3])
    assert result.facts["n_targets"] == 3


def test_coarser_grid():
    mask = np.zeros((4, 4, 4), bool)
    mask[1:] = True
    targets = every_nth_voxel(mask, 2)
    where = np.argwhere(mask)[targets]
    assert len(targets) == 4
    assert (where % 2 == 0).all()
    np.testing.assert_array_equal(every_nth_voxel(mask, 1), np.arange(48))
    with pytest.raises(FirstLevelError, match="no voxel of the coarser grid"):
        every_nth_voxel(mask, 5)


def test_misuse_is_refused(clean_of):
    series = mixed(50, 4)
    cleaning = clean_of(50)
    for threshold in (0.0, 1.0, -0.2, np.nan):
        with pytest.raises(FirstLevelError, match="a threshold on r"):
            degree_centrality(cleaning, series, threshold=threshold)
    for targets in ([], [0, 0], [4]):
        with pytest.raises(FirstLevelError, match="targets are not different series"):
            degree_centrality(cleaning, series, threshold=0.2, targets=np.array(targets, int))
    with pytest.raises(FirstLevelError, match="name of its own"):
        global_connectivity(cleaning, series, names=["a", "a", "b", "c"])
    with pytest.raises(FirstLevelError, match="at least two series"):
        global_connectivity(cleaning, series[:, :1])
    with pytest.raises(FirstLevelError, match="degrees of freedom for a mean"):
        global_connectivity(replace(clean_of(12), df=4.0), mixed(12, 4))
    series[:, 2] = 5.0
    with pytest.raises(FirstLevelError, match="c: a series has no variance"):
        global_connectivity(cleaning, series, names=["a", "b", "c", "d"])
    with pytest.raises(FirstLevelError, match="c: a series has no variance"):
        degree_centrality(cleaning, series, threshold=0.2, names=["a", "b", "c", "d"])


def test_a_filter_without_series_is_refused(clean_of):
    cleaning = clean_of(200, lowpass_hz=0.1, filter="butterworth")
    with pytest.raises(FirstLevelError, match="global connectivity needs cleaned series"):
        global_connectivity(cleaning, mixed(200, 12))
