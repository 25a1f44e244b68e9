"""Fewer shufflings, the same answer: error rates and errors of p, under restricted shuffling."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from phmri.inference.tails._gamma import gamma_pvalue
from phmri.inference.tails._pareto import fit_pareto
from phmri.inference.tails._sequential import sequential_pvalue
from phmri.inference.tails._tails import fit_tail, pvalue_in_tail

N_TRIALS, N_SHUFFLINGS, STOP_AFTER = 1500, 200, 10
N_PER_STRATUM, N_OUTCOMES = 12, 30
ERRORS = ("normal", "skewed")


def draw(rng, errors, n):
    """Give errors that are alike in neighbouring outcomes."""
    shape = (n, N_OUTCOMES + 2)
    raw = rng.standard_normal(shape) if errors == "normal" else rng.exponential(size=shape) - 1
    return raw[:, 2:] + raw[:, 1:-1] + raw[:, :-2]


def shuffled_arms(rng, n_shufflings):
    """Give arms (+1, -1) of two strata, shuffled within each, the identity first."""
    stratum = np.repeat([1.0, -1.0], N_PER_STRATUM // 2)
    arms = np.tile(stratum, (n_shufflings, 2, 1))
    arms[1:] = rng.permuted(arms[1:], axis=2)
    return arms.reshape(n_shufflings, -1)


def maxima(rng, Y, n_shufflings):
    """Give the largest |t| over outcomes of the difference between arms, strata as nuisance."""
    strata = Y.reshape(2, N_PER_STRATUM, -1)
    residual = (strata - strata.mean(axis=1, keepdims=True)).reshape(Y.shape)
    n = len(residual)
    product = shuffled_arms(rng, n_shufflings) @ residual
    rest = (residual**2).sum(axis=0) - product**2 / n
    return np.abs(product / np.sqrt(n * rest / (n - 3))).max(axis=1)


@cache
def null_pvalues(errors):
    """Give p of the maximum in drug-free trials, by every method."""
    found = {"tail": [], "gamma": [], "sequential": []}
    for trial in range(N_TRIALS):
        rng = np.random.default_rng([5, ERRORS.index(errors), trial])
        null = maxima(rng, draw(rng, errors, 2 * N_PER_STRATUM), N_SHUFFLINGS)
        found["tail"].append(pvalue_in_tail(fit_tail(null), null[:1])[0])
        found["gamma"].append(gamma_pvalue(null, null[:1])[0])
        found["sequential"].append(sequential_pvalue(null, null[:1], STOP_AFTER)[0])
    return {method: np.array(pvalues) for method, pvalues in found.items()}


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("alpha", [0.05, 0.02, 0.01])
def test_tail_p_is_uniform_with_200_shufflings(errors, alpha):
    n_found = (null_pvalues(errors)["tail"] <= alpha).sum()
    low, high = stats.binom.ppf([0.005, 0.995], N_TRIALS, alpha)
    assert low <= n_found <= high


def test_tail_p_is_not_too_small_far_beyond_the_shufflings():
    # 0.001 from 200: five times further out than a count can go. The best-fitting distribution
    # alone would be there about 3 times as often.
    pvalue = np.concatenate([null_pvalues(errors)["tail"] for errors in ERRORS])
    assert (pvalue <= 0.001).sum() <= stats.binom.ppf(0.995, pvalue.size, 0.001)
    assert pvalue.min() < 1 / N_SHUFFLINGS


@pytest.mark.parametrize("errors", ERRORS)
def test_gamma_p_is_close_to_uniform(errors):
    pvalue = null_pvalues(errors)["gamma"]
    for alpha, liberal in ((0.05, 1.0), (0.01, 1.3)):
        low = stats.binom.ppf(0.005, N_TRIALS, alpha)
        high = stats.binom.ppf(0.995, N_TRIALS, alpha * liberal)
        assert low <= (pvalue <= alpha).sum() <= high


@pytest.mark.parametrize("errors", ERRORS)
def test_sequential_p_is_super_uniform(errors):
    pvalue = null_pvalues(errors)["sequential"]
    for alpha in (0.2, 0.1, 0.05, 0.01):
        assert (pvalue <= alpha).sum() <= stats.binom.ppf(0.995, N_TRIALS, alpha)
    assert (pvalue <= 0.2).sum() >= stats.binom.ppf(0.005, N_TRIALS, 0.19)  # nor a dull test


@pytest.mark.parametrize("errors", ERRORS)
def test_500_shufflings_tell_what_50000_do(errors):
    # Nine draws of 500 in ten are within a factor of 2 at p = 0.01, 3.5 at 0.002, 6 at 0.0005,
    # where nothing can be counted; and rather too large than too small.
    rng = np.random.default_rng([6, ERRORS.index(errors)])
    null = maxima(rng, draw(rng, errors, 2 * N_PER_STRATUM), 50_000)[1:]
    pvalue = np.array([0.01, 0.002, 0.0005])
    statistic = np.quantile(null, 1 - pvalue)
    identity = 2 * statistic[-1:]  # a strong effect, which must not bend the fit
    runs = null[: 100 * 499].reshape(100, 499)
    tails = [fit_tail(np.append(identity, run)) for run in runs]
    fitted = np.array([pvalue_in_tail(tail, statistic) for tail in tails])
    ratio = fitted / pvalue
    low, middle, high = np.quantile(ratio, [0.05, 0.5, 0.95], axis=0)
    np.testing.assert_array_less(high, [2.0, 3.5, 6.0])
    np.testing.assert_array_less([1 / 2.0, 1 / 2.5, 1 / 2.5], low)
    np.testing.assert_array_less(1.0, middle)
    counted = np.array([[1 + (run >= value).sum() for value in statistic] for run in runs]) / 500
    squared = np.log(ratio) ** 2
    np.testing.assert_array_less(
        squared.mean(axis=0), (np.log(counted / pvalue) ** 2).mean(axis=0)
    )


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_anderson_darling_rejects_as_often_as_it_says(shape):
    rng = np.random.default_rng(9)
    data = stats.genpareto.rvs(shape, size=(1000, 200), random_state=rng)
    pvalue = np.array([fit_pareto(excess).goodness_pvalue for excess in data])
    for alpha in (0.25, 0.05, 0.01):
        low, high = stats.binom.ppf([0.0005, 0.9995], len(data), alpha)
        assert low * 0.8 <= (pvalue <= alpha).sum() <= high
