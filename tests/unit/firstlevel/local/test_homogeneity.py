"""Kendall's W against its definition, ties and missing neighbours included."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.local import reho


def kendall_w(series):
    """Of series (n, K), from the definition with Kendall's correction for ties."""
    n, k = series.shape
    ranks = rankdata(series, axis=0)
    total = ranks.sum(axis=1)
    ties = 0.0
    for column in series.T:
        _, count = np.unique(column, return_counts=True)
        ties += (count.astype(float) ** 3 - count).sum()
    top = 12 * (total**2).sum() - 3 * k**2 * n * (n + 1) ** 2
    return top / (k**2 * (n**3 - n) - k * ties)


def around(mask, place, farthest):
    numbers = np.full(mask.shape, -1)
    numbers[mask] = np.arange(mask.sum())
    found = []
    for step in product((-1, 0, 1), repeat=3):
        other = np.add(place, step)
        on_grid = ((other >= 0) & (other < mask.shape)).all()
        if sum(abs(i) for i in step) <= farthest and on_grid and mask[tuple(other)]:
            found.append(numbers[tuple(other)])
    return found


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    mask = rng.random((4, 5, 3)) < 0.7
    shared = rng.standard_normal((40, 1))
    series = np.rint(2 * (shared + rng.standard_normal((40, int(mask.sum())))))  # many ties
    return mask, series


@pytest.mark.parametrize(("neighbours", "farthest"), [(7, 1), (19, 2), (27, 3)])
def test_against_the_definition(case, clean_of, neighbours, farthest):
    mask, series = case
    result = reho(clean_of(40), series, mask, neighbours=neighbours)
    for v, place in enumerate(np.argwhere(mask)):
        near = around(mask, place, farthest)
        assert result.extras["neighbours"][v] == len(near)
        if len(near) > 1:
            assert result.values[v] == pytest.approx(kendall_w(series[:, near]), abs=1e-12)
        else:
            assert np.isnan(result.values[v])


def test_mean_rank_correlation_is_that_of_all_pairs(clean_of):
    series = np.random.default_rng(2).standard_normal((60, 8))
    result = reho(clean_of(60), series, np.ones((2, 2, 2), bool))
    rho = spearmanr(series).statistic
    expected = rho[np.triu_indices(8, 1)].mean()
    np.testing.assert_allclose(result.extras["meanrankcorrelation"], expected, atol=1e-12)


def test_voxels_without_variance_or_neighbours_are_left_out(clean_of):
    mask = np.zeros((5, 2, 1), bool)
    mask[:2] = True
    mask[4, 0] = True  # alone
    series = np.random.default_rng(3).standard_normal((30, 5))
    series[:, 1] = 3.0
    result = reho(clean_of(30), series, mask)
    assert np.isnan(result.values).tolist() == [False, True, False, False, True]
    assert result.extras["neighbours"].tolist() == [3, 0, 3, 3, 1]
    assert result.values[0] == pytest.approx(kendall_w(series[:, [0, 2, 3]]), abs=1e-12)
    assert result.n_undefined == 2


def test_ranks_are_of_the_cleaned_series(clean_of):
    """As a product of its complement, a band-pass gives the same series."""
    cleaning = clean_of(80, highpass_hz=0.02, lowpass_hz=0.08, censored=(7, 30))
    assert cleaning.kind == "keep"
    series = np.random.default_rng(4).standard_normal((80, 8))
    kept = series[cleaning.sample_mask]
    cleaned = cleaning.basis @ (cleaning.basis.T @ kept)
    result = reho(cleaning, series, np.ones((2, 2, 2), bool))
    np.testing.assert_allclose(result.values, kendall_w(cleaned), atol=1e-6)


def test_misuse_is_refused(clean_of):
    series = np.random.default_rng(0).standard_normal((30, 8))
    with pytest.raises(FirstLevelError, match="different numbers of voxels"):
        reho(clean_of(30), series, np.ones((3, 2, 2), bool))
    butterworth = clean_of(30, lowpass_hz=0.1, filter="butterworth")
    with pytest.raises(FirstLevelError, match="needs cleaned series"):
        reho(butterworth, series, np.ones((2, 2, 2), bool))
    series[3, 2] = np.nan
    with pytest.raises(FirstLevelError, match="not finite"):
        reho(clean_of(30), series, np.ones((2, 2, 2), bool))
