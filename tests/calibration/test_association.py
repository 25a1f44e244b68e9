"""False-positive rates of correlations and predictions where nothing goes with anything.

`PHMRI_TRIALS` sets the number of trials; README.md holds the rates in 2000.
"""

import os
from functools import partial

import numpy as np
import pytest
from scipy import stats

from phmri.group.association import (
    Ridge,
    assign_folds,
    association_design,
    correlate,
    correlate_repeated,
    predict_across_folds,
)
from phmri.inference import permute
from phmri.protocol import Inference

N_TRIALS = int(os.environ.get("PHMRI_TRIALS", "200"))
ALPHA = 0.05
N = 20
GROUPS = ("A", "B") * (N // 2)
ARM = np.array(GROUPS) == "B"
# 99.9 % of trials: dozens of rates are looked at.
LOW, HIGH = stats.binom.ppf([0.0005, 0.9995], N_TRIALS, ALPHA)


def scale(rng):
    """Draw a score with a floor, ties and a mean that differs between arms."""
    return np.floor(rng.gamma(1.0, 2.0 + 3.0 * ARM, size=N))


def outcomes(rng, n_outcomes):
    """Draw skewed outcomes that go with each other and differ between arms."""
    raw = rng.exponential(size=(N, n_outcomes + 2))
    return raw[:, 2:] + raw[:, 1:-1] + raw[:, :-2] + 2.0 * ARM[:, None]


def largest_correlation(rng, *, method):
    score = scale(rng)
    design = association_design(
        score, subjects=tuple(map(str, range(N))), method=method, groups=GROUPS
    )
    settings = Inference(
        n_permutations=100,
        alpha=ALPHA,
        seed=int(rng.integers(1 << 30)),
        statistic="t" if method == "pearson" else "rank",
    )
    return permute(design, outcomes(rng, 30), None, settings).pvalue_corrected.min()


def one_correlation(rng, *, method):
    # Normal, as the distribution of t asks; ranks need not.
    values = rng.standard_normal((N, 1)) if method == "pearson" else outcomes(rng, 1)
    return correlate(values, scale(rng), method=method, groups=GROUPS).pvalue[0]


def shared_slope(rng):
    found = correlate(rng.standard_normal((N, 1)), rng.standard_normal(N) + ARM, groups=GROUPS)
    return found.slopes.pvalue[0]


def within_participants(rng):
    people = tuple(str(k // 2) for k in range(2 * N))
    means = np.repeat(rng.standard_normal(N), 2)
    # Both depend on the person: that must not pass for a correlation within.
    score, values = (3 * means + rng.standard_normal(2 * N) for _ in range(2))
    return correlate_repeated(values[:, None], score, people).within.pvalue[0]


def shuffled_within_participants(rng, *, visits_out):
    """Correlate within participants by shuffling; a person and a session may change both."""
    people = tuple(str(k // 3) for k in range(3 * N))
    session = np.tile([0.0, 2.0, 1.0], N) * visits_out
    means = np.repeat(rng.standard_normal(N), 3) + session
    score = np.floor(3 * means + rng.gamma(1.0, 2.0, size=3 * N))
    values = 3 * means[:, None] + rng.exponential(size=(3 * N, 10))
    nuisance = np.tile(np.eye(3), (N, 1)) if visits_out else None
    design = association_design(score, subjects=people, nuisance=nuisance, repeated=True)
    settings = Inference(n_permutations=100, alpha=ALPHA, seed=int(rng.integers(1 << 30)))
    return permute(design, values, None, settings).pvalue_corrected.min()


def prediction(rng, *, model):
    features, score = outcomes(rng, 40), scale(rng)
    folds = assign_folds(N, 5, seed=int(rng.integers(1 << 30)), groups=GROUPS)
    return predict_across_folds(
        features,
        score,
        folds,
        model=model,
        groups=GROUPS,
        n_permutations=19,
        seed=int(rng.integers(1 << 30)),
    ).pvalue


TESTS = {
    "largest of 30 correlations, shuffled within arms": partial(
        largest_correlation, method="pearson"
    ),
    "the same of ranks": partial(largest_correlation, method="spearman"),
    "one correlation, t": partial(one_correlation, method="pearson"),
    "one correlation of ranks, t": partial(one_correlation, method="spearman"),
    "one slope for two arms, F": shared_slope,
    "repeated measures correlation, t": within_participants,
    "largest of 10 within participants, shuffled": partial(
        shuffled_within_participants, visits_out=False
    ),
    "the same without the mean of every session": partial(
        shuffled_within_participants, visits_out=True
    ),
    "prediction by ridge, shuffled within arms": partial(prediction, model=Ridge()),
    "prediction from 3 selected of 40 features": partial(
        prediction, model=Ridge(penalties=(0.0,), n_selected=3)
    ),
}


@pytest.mark.parametrize("name", TESTS)
def test_null_rate(name):
    test = TESTS[name]
    hits = sum(test(np.random.default_rng([17, trial])) <= ALPHA for trial in range(N_TRIALS))
    assert LOW <= hits <= HIGH, f"{name}: {hits} of {N_TRIALS}"
