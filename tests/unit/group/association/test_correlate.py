from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.association import _correlate as module
from phmri.group.association import association_design, correlate
from phmri.inference import permute
from phmri.protocol import Inference

N = 18
GROUPS = ("A", "B", "C") * 6


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    score = rng.gamma(2.0, size=N)
    outcomes = 50 + rng.standard_normal((N, 7)) + 0.5 * score[:, None]
    return outcomes, score, rng.standard_normal((N, 2))


def residual(Z, y):
    return y - Z @ np.linalg.lstsq(Z, y, rcond=None)[0]


@pytest.mark.parametrize(
    ("method", "peer"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)]
)
def test_every_outcome_is_what_scipy_says(data, method, peer):
    outcomes, score, _ = data
    found = correlate(outcomes, score, method=method, confidence=0.9)
    for v in range(outcomes.shape[1]):
        want = peer(outcomes[:, v], score)
        assert_allclose([found.r[v], found.pvalue[v]], [want.statistic, want.pvalue], rtol=1e-9)
        if method == "pearson":
            low, high = want.confidence_interval(0.9)
            assert_allclose([found.low[v], found.high[v]], [low, high], rtol=1e-9)
        else:
            half = stats.norm.ppf(0.95) * np.sqrt((1 + found.r[v] ** 2 / 2) / (N - 3))
            assert_allclose(np.arctanh(found.high[v]) - np.arctanh(found.r[v]), half)
    assert found.slopes is None


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_nuisance_and_groups_are_taken_out_of_both(data, method):
    outcomes, score, nuisance = data
    found = correlate(outcomes, score, method=method, nuisance=nuisance, groups=GROUPS)
    if method == "spearman":
        outcomes, score, nuisance = (
            stats.rankdata(x, axis=0) for x in (outcomes, score, nuisance)
        )
    means = np.array(GROUPS)[:, None] == np.array(["A", "B", "C"])
    Z = np.column_stack([means, nuisance])
    want = [
        np.corrcoef(residual(Z, outcomes[:, v]), residual(Z, score))[0, 1]
        for v in range(outcomes.shape[1])
    ]
    assert_allclose(found.r, want, rtol=1e-9)
    assert found.df == N - 1 - 5


def test_a_slope_per_group_is_that_of_the_whole_model(data):
    outcomes, score, nuisance = data
    found = correlate(outcomes, score, nuisance=nuisance, groups=GROUPS).slopes
    means = (np.array(GROUPS)[:, None] == np.array(["A", "B", "C"])).astype(float)
    assert found.df == (2.0, float(N - 3 - 2 - 3))
    for v in range(outcomes.shape[1]):
        y = outcomes[:, v : v + 1]
        small = np.column_stack([means, nuisance, y])
        large = np.column_stack([means, nuisance, means * y])
        errors = [np.sum(residual(X, score) ** 2) for X in (small, large)]
        f = (errors[0] - errors[1]) / 2 / (errors[1] / found.df[1])
        assert_allclose([found.f[v], found.pvalue[v]], [f, stats.f.sf(f, *found.df)], rtol=1e-8)


def test_nuisance_that_repeats_itself_counts_once_in_any_unit(data):
    outcomes, score, nuisance = data
    repeated = np.column_stack([nuisance * [1e6, 1e-6], nuisance.sum(axis=1), np.ones(N)])
    found, want = (correlate(outcomes, score, nuisance=z) for z in (repeated, nuisance))
    assert found.df == want.df
    assert_allclose(found.r, want.r, rtol=1e-8)


def test_outcomes_that_do_not_vary_are_status_and_no_number(data):
    outcomes, score, _ = data
    outcomes[:, 2] = 0.1
    outcomes[:, 3] = 2 * score - 1
    outcomes[::3, 4] = 5.0
    found = correlate(outcomes, score, groups=GROUPS)
    assert_array_equal(found.status, [0, 0, 3, 0, 0, 0, 0])
    assert np.isnan([found.r[2], found.t[2], found.pvalue[2], found.low[2]]).all()
    assert_allclose([found.r[3], found.low[3], found.high[3]], 1)
    assert found.pvalue[3] < 1e-50
    assert_array_equal(np.isnan(found.slopes.f), [False, False, True, False, True, False, False])


def test_blocks_and_precision_change_nothing(data, monkeypatch):
    outcomes, score, nuisance = data
    whole = correlate(outcomes, score, nuisance=nuisance, groups=GROUPS)
    monkeypatch.setattr(module, "BLOCK", 2)
    parts = correlate(outcomes, score, nuisance=nuisance, groups=GROUPS)
    assert_allclose(parts.r, whole.r, rtol=1e-12)
    assert_allclose(parts.slopes.f, whole.slopes.f, rtol=1e-10)
    single = correlate(outcomes.astype(np.float32), score, nuisance=nuisance)
    assert_allclose(single.r, correlate(outcomes, score, nuisance=nuisance).r, atol=1e-5)


def test_what_is_wrong_is_told_at_once(data):
    outcomes, score, _ = data
    outcomes[0, 0] = np.nan
    with pytest.raises(DesignError) as caught:
        correlate(outcomes, score, nuisance=np.ones((3, 1)), groups=("A",), confidence=0.0)
    assert len(caught.value.problems) == 4
    with pytest.raises(DesignError, match="nothing is left"):
        correlate(outcomes[:, 1:], score, nuisance=score[:, None])
    with pytest.raises(DesignError, match="too few rows"):
        correlate(outcomes[:5, 1:], score[:5], groups=("A", "B", "C", "A", "B"))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_as_a_design_the_t_is_that_of_the_correlation(data, method):
    outcomes, score, nuisance = data
    want = correlate(outcomes, score, method=method, nuisance=nuisance, groups=GROUPS)
    design = association_design(
        score,
        subjects=tuple(f"{k:02d}" for k in range(N)),
        method=method,
        nuisance=nuisance,
        groups=GROUPS,
    )
    given = stats.rankdata(outcomes, axis=0) if method == "spearman" else outcomes
    found = permute(design, given, None, Inference(n_permutations=100))
    assert_allclose(found.statistic, want.t, rtol=1e-9)
    assert_allclose(found.df, want.df)
    assert "within their arm" in design.exchangeability.words


def test_family_wise_p_is_the_share_of_orders_with_a_larger_maximum():
    rng = np.random.default_rng(1)
    outcomes, score = rng.standard_normal((5, 3)), rng.standard_normal(5)
    design = association_design(score, subjects=tuple("abcde"))
    found = permute(design, outcomes, None, Inference(n_permutations=200, alpha=0.1))
    largest = np.array(
        [
            np.abs(correlate(outcomes, score[list(order)]).r).max()
            for order in permutations(range(5))
        ]
    )
    r = np.abs(correlate(outcomes, score).r)
    want = (largest[:, None] >= r - 1e-9).mean(axis=0)
    assert_allclose(found.pvalue_corrected, want)


def test_ranks_change_places_within_their_arm_alone():
    rng = np.random.default_rng(2)
    arms = ("A", "B") * 4
    shift = np.array([0.0, 2.0] * 4)
    outcomes = rng.exponential(size=(8, 3)).round(1) + shift[:, None]
    score = rng.integers(0, 4, 8) + shift
    design = association_design(score, subjects=tuple("abcdefgh"), method="spearman", groups=arms)
    settings = Inference(n_permutations=600, alpha=0.2, statistic="rank")
    found = permute(design, outcomes, None, settings)
    first, second = np.arange(0, 8, 2), np.arange(1, 8, 2)
    largest = []
    for one in permutations(first):
        for two in permutations(second):
            order = np.ravel(np.column_stack([one, two]))
            r = correlate(outcomes[order], score, method="spearman", groups=arms).r
            largest.append(np.abs(r).max())
    r = np.abs(correlate(outcomes, score, method="spearman", groups=arms).r)
    want = (np.array(largest)[:, None] >= r - 1e-9).mean(axis=0)
    assert_allclose(found.pvalue_corrected, want)


def test_a_design_refuses_what_cannot_be_asked(data):
    _, score, _ = data
    with pytest.raises(DesignError, match="subjects"):
        association_design(score, subjects=("a",))
    with pytest.raises(DesignError, match="nothing is left"):
        association_design(np.ones(N), subjects=GROUPS)
