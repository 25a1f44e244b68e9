"""Rates of scales compared by their order: false positives, and intervals that hold the truth.

Simulated: skewed whole scores, a third or more of them at the floor, with a baseline that tells
of them. `PHMRI_TRIALS` sets the number of trials; README.md holds rates in 4000.
"""

import os

import numpy as np
import pytest
from scipy import special, stats

from phmri.group.ranks import brunner_munzel, proportional_odds

N_TRIALS = int(os.environ.get("PHMRI_TRIALS", "300"))
ALPHA, EFFECT = 0.05, 0.8
ARMS = ((8, 8), (15, 15), (25, 25), (30, 15))
RATES = {"rank": (0.037, 0.07), "adjusted": (0.037, 0.07), "ordinal": (0.037, 0.075)}
"""Between which the true rate of false positives may lie: a test of ranks is not exact."""
COVERED = (0.91, 0.96)


def scored(x):
    return np.maximum(0.0, np.round(3 * (np.exp(x) - 0.5)))


def trial(rng, n, m, effect):
    trait = rng.normal(size=n + m)
    shift = effect * (np.arange(n + m) < n)
    return scored(0.7 * trait + 0.7 * rng.normal(size=n + m) + shift), scored(trait)


def answers(y, before, n):
    ranks = stats.rankdata(before)[:, None]
    arm = (np.arange(len(y)) < n).astype(float)
    odds = proportional_odds(y, np.column_stack([arm, before]), ("arm", "before"))
    z = odds.log_odds[0] / np.sqrt(odds.covariance[0, 0])
    return {
        "rank": brunner_munzel(y[:n], y[n:]),
        "adjusted": brunner_munzel(y[:n], y[n:], covariates=(ranks[:n], ranks[n:])),
        "ordinal": 2 * special.ndtr(-abs(z)) if odds.converged else np.nan,
    }


def rates(n, m, n_trials=N_TRIALS):
    """Give the rates of p at most alpha, and of intervals that hold the truth."""
    rng = np.random.default_rng(np.random.SeedSequence(17, spawn_key=(n, m)))
    truth = brunner_munzel(
        *(trial(rng, 1, 200_000, 0.0)[0][1:], trial(rng, 200_000, 1, EFFECT)[0][:-1])[::-1]
    ).probability
    null = [answers(*trial(rng, n, m, 0.0), n) for _ in range(n_trials)]
    other = [answers(*trial(rng, n, m, EFFECT), n) for _ in range(n_trials)]
    pvalues = {
        "rank": [found["rank"].pvalue for found in null],
        "adjusted": [found["adjusted"].pvalue for found in null],
        "ordinal": [found["ordinal"] for found in null if np.isfinite(found["ordinal"])],
    }
    hits = {name: np.array(values) <= ALPHA for name, values in pvalues.items()}
    covered = {
        name: np.array([f[name].low <= truth <= f[name].high for f in other])
        for name in ("rank", "adjusted")
    }
    spread = [np.mean([found[name].se for found in null]) for name in ("adjusted", "rank")]
    return hits, covered, spread[0] / spread[1]


def within(values, least, most):
    """Tell whether so many may happen in 999 of 1000 sets of trials of a rate so bounded."""
    n, k = values.size, int(values.sum())
    return stats.binom.cdf(k, n, least) > 5e-4 and stats.binom.sf(k - 1, n, most) > 5e-4


@pytest.mark.parametrize(("n", "m"), ARMS)
def test_rates(n, m):
    hits, covered, shrunk = rates(n, m)
    outside = {name: v.mean() for name, v in hits.items() if not within(v, *RATES[name])}
    outside |= {f"{n} covers": v.mean() for n, v in covered.items() if not within(v, *COVERED)}
    assert outside == {}
    assert 0.7 < shrunk < 0.9
