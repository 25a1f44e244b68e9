"""False-positive rates of crossovers adjusted for the baselines of their periods.

Simulated. Every outcome is a trial of its own; `PHMRI_TRIALS` sets their number.
"""

import os
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from phmri.group import UnitTable, fit_contrast, make_baseline, make_outcome, make_unit_design
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Question

N_TRIALS = int(os.environ.get("PHMRI_TRIALS", "2000"))
ALPHA = 0.05
CASES = {
    "two periods, 8 per order": (["KP", "PK"], 8, frozenset()),
    "two periods, 25 per order": (["KP", "PK"], 25, frozenset()),
    "Williams, 18 participants, 4 cells missing": (
        ["".join(order) for order in permutations("KLP")],
        3,
        frozenset({(0, 1), (4, 2), (7, 3), (11, 1)}),
    ),
}


def simulate(name, seed):
    """Draw periods that differ, a third treatment that acts, days that both runs share."""
    orders, n_each, lost = CASES[name]
    n, n_periods = n_each * len(orders), len(orders[0])
    groups = orders * n_each
    subjects = tuple(f"{k:03d}" for k in range(n))
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("K", "P"),
        estimator="crossover",
        period_baseline=True,
    )
    design = make_unit_design(
        question,
        Crossover(kind="crossover", sequences={o: {"treatments": tuple(o)} for o in orders}),
        UnitTable(subjects=subjects, groups=tuple(groups), strata=("",) * n, covariates={}),
        present={
            subject: frozenset(p for p in range(1, n_periods + 1) if (k, p) not in lost)
            for k, subject in enumerate(subjects)
        },
    )
    rng = np.random.default_rng(np.random.SeedSequence(16, spawn_key=(seed,)))
    shape = (n, n_periods, N_TRIALS)
    day = rng.normal(size=(n, 1, N_TRIALS)) + rng.normal(size=shape)
    b = day + 0.5 * rng.normal(size=shape)
    y = day + 0.5 * rng.normal(size=shape) + np.arange(n_periods)[:, None]
    given = np.array([list(order) for order in groups])
    y += 2 * (given == "L")[:, :, None]
    if n_periods > 2:
        images = {"periods": y.reshape(-1, N_TRIALS), "baseline-periods": b.reshape(-1, N_TRIALS)}
    else:
        at = {"first": (given == "K").argmax(axis=1), "second": (given == "P").argmax(axis=1)}
        people = np.arange(n)
        images = {role: y[people, place] for role, place in at.items()}
        images |= {f"baseline-{role}": b[people, place] for role, place in at.items()}
    return design, make_outcome(design, images), make_baseline(design, images)


def assert_rate(pvalues, least=ALPHA):
    low = stats.binom.ppf(0.005, N_TRIALS, least)
    high = stats.binom.ppf(0.995, N_TRIALS, ALPHA)
    assert low <= (pvalues <= ALPHA).sum() <= high


@pytest.mark.parametrize("name", CASES)
def test_parametric_t(name):
    design, Y, baseline = simulate(name, list(CASES).index(name))
    found = fit_contrast(design, Y, baseline)
    assert_rate(2 * stats.t.sf(np.abs(found.t), found.df))


@pytest.mark.parametrize("name", list(CASES)[1:])
def test_shuffled_p(name):
    design, Y, baseline = simulate(name, 10 + list(CASES).index(name))
    settings = Inference(n_permutations=499, seed=3)
    found = permute(design, Y, baseline, settings, alternative="two-sided")
    # All trials share the shufflings that were drawn, of which few are distinct here.
    assert_rate(found.pvalue_uncorrected, least=0.8 * ALPHA)
