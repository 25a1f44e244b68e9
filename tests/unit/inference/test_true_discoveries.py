from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from phmri.exceptions import InferenceError
from phmri.inference.clusters._true_discoveries import largest_standing_set, true_discoveries


def simes_rejects(p, alpha):
    return any(len(p) * value <= k * alpha for k, value in enumerate(sorted(p), start=1))


def subsets(n):
    return [c for size in range(n + 1) for c in combinations(range(n), size)]


def standing_sets(p, alpha):
    """Give every set of hypotheses that Simes' test leaves standing."""
    sets = subsets(len(p))
    return [set(c) for c in sets if not simes_rejects([p[k] for k in c], alpha)]


def bound_by_closed_testing(members, standing):
    return len(members) - max(len(s & members) for s in standing)


def check_all_sets(p, alpha, numbers=None):
    numbers = p.tolist() if numbers is None else numbers
    standing = standing_sets(numbers, alpha)
    assert largest_standing_set(p, float(alpha)) == max(map(len, standing))
    for chosen in subsets(p.size):
        members = np.isin(np.arange(p.size), chosen)
        wanted = bound_by_closed_testing(set(chosen), standing)
        assert true_discoveries(p, members, float(alpha)) == wanted


@pytest.mark.parametrize("seed", range(12))
def test_equals_closed_testing_over_all_sets(seed):
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=rng.integers(1, 9)) ** rng.choice([1, 2, 4])
    check_all_sets(p, [0.05, 0.2, 0.5][seed % 3])


def test_equals_closed_testing_of_ten():
    rng = np.random.default_rng(5)
    p = np.concatenate([rng.uniform(0, 0.02, size=5), rng.uniform(size=5)])
    check_all_sets(p, 0.1)


@pytest.mark.parametrize("seed", range(8))
def test_p_values_of_few_shufflings_equal_their_critical_values(seed):
    # Multiples of 1/240 against alpha = 1/20: exact in fractions, ties in floating point.
    rng = np.random.default_rng(seed)
    counts = np.sort(rng.choice([2, 3, 4, 6, 12, 24, 36, 120, 240], size=6))
    exact = [Fraction(int(c), 240) for c in counts]
    check_all_sets(counts / 240, Fraction(1, 20), exact)


def test_one_outcome_is_the_test_itself():
    everything = np.array([True])
    assert true_discoveries(np.array([0.04]), everything, 0.05) == 1
    assert true_discoveries(np.array([0.05]), everything, 0.05) == 1
    assert true_discoveries(np.array([0.06]), everything, 0.05) == 0


def test_nothing_in_the_set_or_nothing_in_the_data():
    p = np.linspace(0.1, 1, 20)
    assert true_discoveries(p, np.ones(20, dtype=bool), 0.05) == 0
    p[0] = 1e-9
    assert true_discoveries(p, np.zeros(20, dtype=bool), 0.05) == 0
    assert true_discoveries(p, np.arange(20) > 0, 0.05) == 0
    assert true_discoveries(p, np.arange(20) < 3, 0.05) == 1


def test_everything_is_true():
    p = np.full(50, 1e-12)
    assert largest_standing_set(p, 0.05) == 0
    assert true_discoveries(p, np.arange(50) < 7, 0.05) == 7


def test_a_single_discovery_in_all_outcomes_is_that_of_simes():
    rng = np.random.default_rng(2)
    whole = np.ones(200, dtype=bool)
    found = 0
    for _ in range(200):
        p = rng.uniform(size=200)
        p[0] = rng.uniform(0, 0.0006)
        rejected = simes_rejects(p.tolist(), 0.05)
        found += rejected
        assert (true_discoveries(p, whole, 0.05) > 0) == rejected
    assert 20 < found < 180


def test_bound_is_too_high_no_more_often_than_alpha():
    # 40 of 100 outcomes truly differ; every one of ten sets is looked at, chosen by the data.
    rng = np.random.default_rng(8)
    n_trials, alpha = 400, 0.2
    wrong = 0
    for _ in range(n_trials):
        t = rng.normal(size=100)
        t[:40] += 3.0
        p = stats.norm.sf(t)
        order = np.argsort(p)
        sets = [np.isin(np.arange(100), order[: 10 * k]) for k in range(1, 11)]
        wrong += any(true_discoveries(p, s, alpha) > s[:40].sum() for s in sets)
    assert wrong / n_trials < alpha + 3 * np.sqrt(alpha * (1 - alpha) / n_trials)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_what_is_no_p_value_is_refused(bad):
    with pytest.raises(InferenceError, match="between 0 and 1"):
        true_discoveries(np.array([0.5, bad]), np.ones(2, dtype=bool), 0.05)
