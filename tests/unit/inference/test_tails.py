from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from phmri.exceptions import InferenceError
from phmri.inference.tails._enough import enough, monte_carlo_interval
from phmri.inference.tails._gamma import gamma_pvalue, gamma_pvalue_from_moments
from phmri.inference.tails._pareto import fit_pareto, pareto_survival
from phmri.inference.tails._sequential import sequential_pvalue, stop_index
from phmri.inference.tails._tails import fit_tail, pvalue_in_tail


@pytest.fixture
def rng():
    return np.random.default_rng(11)


# ---- generalised Pareto ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.25])
def test_most_likely_pair_is_that_of_scipy(rng, shape):
    excess = stats.genpareto.rvs(shape, scale=3.0, size=1000, random_state=rng)
    fit = fit_pareto(excess)
    expected_shape, _, expected_scale = stats.genpareto.fit(excess, floc=0)
    assert fit.shape == pytest.approx(expected_shape, abs=0.005)
    assert fit.scale == pytest.approx(expected_scale, rel=0.01)
    assert fit.goodness_pvalue > 0.01


@pytest.mark.parametrize("shape", [-0.2, 0.2])
def test_probability_of_the_next_excess_is_an_average_over_shape_and_scale(rng, shape):
    """The sum over slopes against the plain integral over a grid of shapes and scales."""
    excess = stats.genpareto.rvs(shape, size=400, random_state=rng)
    shapes = np.linspace(-0.499, 0.499, 200)[:, None]  # none of them 0
    scales = np.exp(np.linspace(-0.7, 0.7, 200))
    likelihood = -excess.size * np.log(scales)
    with np.errstate(divide="ignore"):
        for x in excess:
            inside = np.maximum(1 + shapes * x / scales, 0.0)
            likelihood = likelihood - (1 / shapes + 1) * np.log(inside)
    # prior: flat in log scale, and the beta distribution in shape
    prior = 5 * np.log(0.5 - shapes) + 8 * np.log(0.5 + shapes)
    weight = np.exp(likelihood + prior - (likelihood + prior).max())
    fit = fit_pareto(excess)
    for x in (0.5, 2.0, 5.0, 10.0):
        expected = (weight * stats.genpareto.sf(x, shapes, scale=scales)).sum() / weight.sum()
        # the prior stands on the shape that a slope implies, not on the shape itself
        assert pareto_survival(fit, np.array([x]))[0] == pytest.approx(expected, rel=0.06)


def test_misfit_is_seen(rng):
    bimodal = np.append(rng.uniform(0, 1, 300), rng.uniform(8, 9, 200))
    assert fit_pareto(bimodal).goodness_pvalue == pytest.approx(0.001)


# ---- p beyond the shufflings -----------------------------------------------------------------


def test_counts_stand_where_they_are_good(rng):
    null = rng.gumbel(size=1000)
    statistic = np.sort(null)[:850]
    tail = fit_tail(null)
    assert tail.excess is not None
    np.testing.assert_array_equal(pvalue_in_tail(tail, statistic), (1000 - np.arange(850)) / 1000)


def test_p_in_the_tail_is_that_of_the_distribution(rng):
    null = rng.gumbel(size=20_000)
    statistic = np.array([4.0, 6.0, 8.0])
    tail = fit_tail(null)
    pvalue = pvalue_in_tail(tail, statistic)
    np.testing.assert_allclose(pvalue, stats.gumbel_r.sf(statistic), rtol=0.5)
    assert tail.excess.n <= 2500
    assert tail.excess.goodness_pvalue > 0.05
    assert tail.excess.shape == pytest.approx(0.0, abs=0.1)
    assert tail.threshold == pytest.approx(np.sort(null[1:])[-tail.excess.n - 1])


def test_the_identity_does_not_bend_the_fit(rng):
    null = rng.gumbel(size=500)
    strong = null.copy()
    strong[0] = 100.0
    tail = fit_tail(strong)
    assert fit_tail(null).excess.shape == tail.excess.shape
    assert pvalue_in_tail(tail, strong[:1])[0] < 1e-6


def test_no_p_is_zero_or_below_what_all_shufflings_could_give():
    # a tail that ends at 1: the best fit knows that, and has p = 0 beyond
    null = np.append(3.0, 1 - (np.arange(1, 1000) / 1000) ** (1 / 3))
    far = np.array([1.5, 3.0, 100.0])
    tail = fit_tail(null)
    free = pvalue_in_tail(tail, far)
    assert tail.excess.shape < -0.2
    assert (free > 0).all()
    assert "ends at" in tail.sentence
    held = pvalue_in_tail(fit_tail(null, n_possible=2_704_156), far)
    np.testing.assert_array_equal(held, np.maximum(free, 1 / 2_704_156))
    assert held[-1] == 1 / 2_704_156


@pytest.mark.parametrize(
    ("null", "n_possible", "reason"),
    [
        (np.random.default_rng(1).gumbel(size=80), None, "too few"),
        (np.random.default_rng(1).gumbel(size=924), 924, "all 924"),
        (np.random.default_rng(1).integers(0, 3, 1000).astype(float), None, "did not fit"),
        (np.zeros(1000), None, "did not fit"),
    ],
)
def test_counts_and_a_reason_where_nothing_can_be_fitted(null, n_possible, reason):
    statistic = np.array([0.5, 2.0, 50.0])
    tail = fit_tail(null, n_possible=n_possible)
    assert tail.excess is tail.threshold is None
    assert reason in tail.sentence
    expected = [max((null >= value).mean(), 1 / null.size) for value in statistic]
    np.testing.assert_allclose(pvalue_in_tail(tail, statistic), expected)


def test_threshold_rises_past_what_does_not_fit(rng):
    # the upper quartile holds a gap that no such distribution has; the top tenth does not
    null = np.concatenate([rng.uniform(0, 1, 850), 5 + rng.exponential(size=150)])
    fit = fit_tail(rng.permutation(null))
    assert fit.excess is not None
    assert 20 <= fit.excess.n <= 150
    assert fit.threshold > 0.9


def test_ties_count_as_reached_however_rounded(rng):
    null = np.round(rng.gumbel(size=1000), 1)
    statistic = np.array([1.5])
    for result in (
        pvalue_in_tail(fit_tail(null), statistic * (1 + 1e-13)),
        sequential_pvalue(null, statistic * (1 + 1e-13), 2000),
    ):
        assert result[0] == (null >= 1.5).mean()


def test_a_margin_widens_what_counts_as_reached():
    null = np.array([2.0, 1.0, 1.99, 0.5])
    two = np.array([2.0])
    assert sequential_pvalue(null, two, 5)[0] == 0.25
    assert sequential_pvalue(null, two, 5, margin=0.01)[0] == 0.5
    assert stop_index(null, 2.0, 1) is None
    assert stop_index(null, 2.0, 1, margin=0.01) == 2
    assert pvalue_in_tail(fit_tail(null), two, margin=0.01)[0] == 0.5


def test_what_is_not_a_number_is_refused(rng):
    null, bad = rng.gumbel(size=500), np.array([1.0, np.nan])
    broken = null.copy()
    broken[3] = np.inf
    for call in (
        lambda: pvalue_in_tail(fit_tail(null), bad),
        lambda: fit_tail(broken),
        lambda: fit_tail(null[:0]),
        lambda: gamma_pvalue(null, bad),
        lambda: gamma_pvalue(null[:3], bad[:1]),
        lambda: gamma_pvalue_from_moments(bad, np.ones(2), np.ones(2), np.ones(2)),
        lambda: gamma_pvalue_from_moments(bad[:1], np.zeros(1), bad[:1], bad[:1]),
        lambda: sequential_pvalue(null, bad, 10),
        lambda: stop_index(broken, 1.0, 10),
    ):
        with pytest.raises(InferenceError):
            call()
    with pytest.raises(InferenceError, match=r"null_maximum.*\n.*statistic.*\n.*stop_after"):
        sequential_pvalue(broken, bad, 0)


# ---- gamma -----------------------------------------------------------------------------------


def test_gamma_p_is_that_of_scipy(rng):
    null = np.append(50.0, rng.gamma(4.0, size=2000))
    statistic = np.array([-1.0, 2.0, 8.0, 15.0, 30.0])
    shuffled = null[1:]
    expected = stats.pearson3.sf(
        (statistic - shuffled.mean()) / shuffled.std(), stats.skew(shuffled)
    )
    np.testing.assert_allclose(gamma_pvalue(null, statistic), expected, rtol=1e-9)


def test_gamma_p_from_known_moments_is_exact():
    # gamma of shape 3 and scale 2: mean 6, variance 12, skewness 2 / sqrt 3
    statistic = np.array([0.0, 6.0, 20.0, 60.0])
    mean, variance, skewness = np.array([6.0]), np.array([12.0]), np.array([2 / np.sqrt(3)])
    found = gamma_pvalue_from_moments(mean, variance, skewness, statistic)
    np.testing.assert_allclose(found, stats.gamma.sf(statistic, 3, scale=2), rtol=1e-12)
    # reflected: the same distribution from the other side
    mirrored = gamma_pvalue_from_moments(-mean, variance, -skewness, -statistic[:2])
    np.testing.assert_allclose(
        mirrored,
        stats.gamma.cdf(statistic[:2], 3, scale=2).clip(stats.norm.sf(np.sqrt(3))),
        rtol=1e-12,
    )


@pytest.mark.parametrize("skewness", [0.0, 1e-5, -1e-5, 1e-3, -1e-3, 2e-3, -2e-3])
def test_gamma_without_skewness_is_normal(skewness):
    z = np.array([-3.0, 0.0, 3.0, 5.0])
    one = np.ones(4)
    found = gamma_pvalue_from_moments(0 * one, one, skewness * one, z)
    np.testing.assert_allclose(found, stats.norm.sf(z), rtol=0.05)


def test_gamma_p_beyond_the_end_of_a_reflected_tail_is_not_zero():
    one = np.ones(3)
    found = gamma_pvalue_from_moments(0 * one, one, -0.5 * one, np.array([3.9, 4.1, 40.0]))
    np.testing.assert_allclose(found, stats.norm.sf(4.0), rtol=1e-12)


def test_gamma_of_a_constant_null_counts():
    np.testing.assert_array_equal(
        gamma_pvalue(np.array([2.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.0, 2.0])), [1.0, 0.2]
    )


# ---- sequential ------------------------------------------------------------------------------


def one_by_one(null, statistic, stop_after):
    """Besag and Clifford's rule, as it reads: p, and whether the test ended early."""
    reached = 0
    for n_random, value in enumerate(null[1:], start=1):
        reached += value >= statistic
        if reached == stop_after:
            return stop_after / n_random, True
    return (reached + 1) / null.size, False


@pytest.mark.parametrize("stop_after", [1, 3, 20, 400])
def test_sequential_p_is_that_of_one_test_at_a_time(rng, stop_after):
    null = np.round(rng.gumbel(size=300), 1)  # with ties
    statistic = np.append(np.round(rng.gumbel(size=60), 1), null[0])
    statistic = statistic[statistic <= null[0]]
    expected = [one_by_one(null, value, stop_after)[0] for value in statistic]
    np.testing.assert_array_equal(sequential_pvalue(null, statistic, stop_after), expected)


@pytest.mark.parametrize("stop_after", [1, 2, 3, 9])
def test_sequential_p_is_exact_over_all_orders(stop_after):
    """All 6! orders of the ranks are equally likely: P(p <= x) is x at every p that stops."""
    orders = np.array(list(permutations(range(6))), dtype=float)
    pvalue = np.array([sequential_pvalue(order, order[:1], stop_after)[0] for order in orders])
    stopped = np.array([one_by_one(order, order[0], stop_after)[1] for order in orders])
    for value in np.unique(pvalue):
        assert (pvalue <= value).mean() <= value + 1e-12
    for value in np.unique(pvalue[stopped]):
        assert (pvalue <= value).mean() == pytest.approx(value)


def test_the_run_may_stop_when_its_strongest_test_does(rng):
    null = rng.gumbel(size=2000)
    null[0] = 2.5
    statistic = np.append(rng.gumbel(size=30).clip(max=2.5), 2.5)
    index = stop_index(null, 2.5, 20)
    assert index is not None
    assert (null[1 : index + 1] >= 2.5).sum() == 20
    whole = sequential_pvalue(null, statistic, 20)
    short = sequential_pvalue(null[: index + 1], statistic, 20)
    np.testing.assert_array_equal(short, whole)
    assert stop_index(null[:index], 2.5, 20) is None


# ---- enough ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "n"), [(1, 100), (5, 100), (50, 1000), (100, 100)])
def test_interval_is_that_of_clopper_and_pearson(count, n):
    expected = stats.binomtest(count - 1, n - 1).proportion_ci(0.9, method="exact")
    found = monte_carlo_interval(count / n, n, 0.9)
    np.testing.assert_allclose(found, (expected.low, expected.high), rtol=1e-9)
    assert found[0] <= count / n <= found[1]
    assert monte_carlo_interval(count / n, n, exhaustive=True) == (count / n, count / n)


@pytest.mark.parametrize("truth", [0.004, 0.03, 0.2])
def test_interval_of_a_sequential_p_covers(truth):
    n, stop_after = 1000, 10
    draws = np.arange(stop_after, n)
    chance = stats.nbinom.pmf(draws - stop_after, stop_after, truth)
    short = np.arange(stop_after)
    intervals = [monte_carlo_interval(stop_after / k, n, stop_after=stop_after) for k in draws]
    intervals += [monte_carlo_interval((k + 1) / n, n, stop_after=stop_after) for k in short]
    chance = np.append(chance, stats.binom.pmf(short, n - 1, truth))
    covers = np.array([low <= truth <= high for low, high in intervals])
    assert chance.sum() == pytest.approx(1.0)
    assert (chance * covers).sum() >= 0.95


def test_enough_says_how_many_would_decide():
    close = enough(0.043, 1000, 0.05)
    assert not close.decided
    assert close.interval[0] < 0.05 < close.interval[1]
    assert f"1,000 do not settle the verdict at 0.05; about {close.n_needed:,} would" in (
        close.sentence
    )
    assert enough(0.043, close.n_needed + 100, 0.05).decided
    assert not enough(0.043, close.n_needed - 100, 0.05).decided
    far = enough(0.2, 1000, 0.05)
    assert far.decided
    assert far.n_needed < 200
    assert "would not change the verdict" in far.sentence


def test_enough_knows_what_cannot_be_decided_and_what_is_exact():
    level = enough(0.05, 5000, 0.05)
    assert not level.decided
    assert level.n_needed is None
    exact = enough(0.05, 5000, 0.05, exhaustive=True)
    assert exact.decided
    assert exact.interval == (0.05, 0.05)
    assert "exact" in exact.sentence


def test_impossible_probabilities_are_refused():
    for call in (
        lambda: monte_carlo_interval(0.0, 100),
        lambda: monte_carlo_interval(1.1, 100),
        lambda: monte_carlo_interval(0.5, 0, 1.0),
        lambda: enough(0.5, 100, 1.5),
    ):
        with pytest.raises(InferenceError):
            call()


def test_a_tail_is_fitted_once_and_asked_often(rng):
    null = rng.gumbel(size=500)
    statistic = np.linspace(-1, 12, 50)
    tail = fit_tail(null)
    one_at_a_time = [pvalue_in_tail(tail, statistic[k : k + 1])[0] for k in range(50)]
    np.testing.assert_array_equal(one_at_a_time, pvalue_in_tail(tail, statistic))
