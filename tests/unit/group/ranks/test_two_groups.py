from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.ranks import brunner_munzel, stratified_rank_test, wilcoxon_mann_whitney


def tied(seed, m=6, n=7, levels=5):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, levels, m).astype(float) + 1,
        rng.integers(0, levels, n).astype(float),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("m", "n"), [(6, 7), (5, 3), (1, 6)])
def test_exact_p_counts_every_dealing(seed, m, n):
    first, second = tied(seed, m, n)
    ranks = stats.rankdata(np.concatenate([first, second]))
    sums = np.array([ranks[list(rows)].sum() for rows in combinations(range(m + n), m)])
    far = np.abs(sums - sums.mean()) >= abs(ranks[:m].sum() - sums.mean()) - 1e-9
    found = wilcoxon_mann_whitney(first, second)
    assert_allclose(found.pvalue_exact, far.mean(), rtol=1e-12)
    assert_allclose(found.z, (ranks[:m].sum() - sums.mean()) / sums.std(), rtol=1e-12)


@pytest.mark.parametrize("levels", [5, 1000])
def test_asymptotic_p_is_that_of_scipy(levels):
    first, second = tied(0, 20, 25, levels)
    want = stats.mannwhitneyu(first, second, method="asymptotic", use_continuity=False)
    found = wilcoxon_mann_whitney(first, second)
    assert_allclose([found.statistic, found.pvalue], [want.statistic, want.pvalue], rtol=1e-12)
    pairs = np.subtract.outer(first, second)
    assert found.superiority == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert found.shift == np.median(pairs)


def test_exchanged_groups_turn_everything_round():
    first, second = tied(3, 12, 9)
    found, back = wilcoxon_mann_whitney(first, second), wilcoxon_mann_whitney(second, first)
    assert_allclose(
        [back.z, back.shift, back.low, back.high],
        [-found.z, -found.shift, -found.high, -found.low],
    )
    assert back.pvalue_exact == found.pvalue_exact
    here, there = brunner_munzel(first, second), brunner_munzel(second, first)
    assert_allclose([there.low, there.high], [1 - here.high, 1 - here.low])


def test_an_interval_holds_what_the_exact_test_does_not_reject():
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal(8), rng.standard_normal(9) - 1
    found = wilcoxon_mann_whitney(first, second)
    inside = np.linspace(found.low + 1e-9, found.high - 1e-9, 50)
    kept = [wilcoxon_mann_whitney(first - s, second).pvalue_exact for s in inside]
    assert min(kept) > 0.05
    beyond = [found.low - 1e-9, found.high + 1e-9]
    assert max(wilcoxon_mann_whitney(first - s, second).pvalue_exact for s in beyond) <= 0.05


def test_groups_too_small_for_an_interval_have_an_infinite_one():
    found = wilcoxon_mann_whitney(np.array([1.0, 2.0]), np.array([0.0, 0.5, 0.7]))
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_many_participants_are_not_counted_but_have_an_interval():
    rng = np.random.default_rng(5)
    found = wilcoxon_mann_whitney(rng.standard_normal(90) + 0.5, rng.standard_normal(80))
    assert np.isnan(found.pvalue_exact)
    assert found.low < 0.5 < found.high


def test_brunner_munzel_is_that_of_scipy():
    first, second = tied(6, 14, 11)
    found = brunner_munzel(first, second)
    # SciPy's sign is that of the second group.
    want = stats.brunnermunzel(first, second)
    assert_allclose([-found.t, found.pvalue], [want.statistic, want.pvalue], rtol=1e-12)
    assert found.probability == pytest.approx(wilcoxon_mann_whitney(first, second).superiority)
    assert found.low < found.probability < found.high


def test_groups_that_do_not_overlap_have_no_error_to_test_with():
    found = brunner_munzel(np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0]))
    assert (found.probability, found.se) == (1.0, 0.0)
    assert np.isnan([found.t, found.pvalue, found.low, found.high]).all()


@pytest.mark.parametrize("ranks", ["pooled", "within"])
def test_one_stratum_is_none(ranks):
    first, second = tied(7)
    found = stratified_rank_test(
        first, second, strata=(("a",) * first.size, ("a",) * second.size), ranks=ranks
    )
    assert found.z == pytest.approx(wilcoxon_mann_whitney(first, second).z)


@pytest.mark.parametrize("ranks", ["pooled", "within"])
def test_strata_are_dealt_apart(ranks):
    first, second = tied(8, 5, 6)
    strata = (("a", "a", "b", "b", "b"), ("a", "a", "b", "b", "b", "b"))
    scores, labels = np.concatenate([first, second]), np.array([*strata[0], *strata[1]])
    scored = stats.rankdata(scores)
    if ranks == "within":
        for stratum in "ab":
            here = labels == stratum
            scored[here] = stats.rankdata(scores[here]) / (here.sum() + 1)
    sums = [
        scored[list(a)].sum() + scored[list(b)].sum()
        for a in combinations(np.flatnonzero(labels == "a"), 2)
        for b in combinations(np.flatnonzero(labels == "b"), 3)
    ]
    want = (scored[:5].sum() - np.mean(sums)) / np.std(sums)
    found = stratified_rank_test(first, second, strata=strata, ranks=ranks)
    assert found.z == pytest.approx(want)
    assert found.pvalue == pytest.approx(2 * stats.norm.sf(abs(want)))


def test_what_is_wrong_is_told_at_once():
    one = np.array([1.0])
    with pytest.raises(DesignError) as caught:
        brunner_munzel(one, np.array([np.nan, 1.0]), confidence=2.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError, match="same score"):
        wilcoxon_mann_whitney(one, one)
    with pytest.raises(DesignError, match="number of strata"):
        stratified_rank_test(one, np.zeros(2), strata=(("a",), ("a",)))
    with pytest.raises(DesignError, match="no stratum"):
        stratified_rank_test(one, np.zeros(1), strata=(("a",), ("b",)))
