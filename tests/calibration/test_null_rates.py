"""False-positive rates under the null, with drug-free data made to break what may be broken."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from phmri.group import UnitTable, fit_contrast, make_outcome, make_unit_design
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Parallel, Question

N_TRIALS = 250
ALPHA = 0.05
SETTINGS = Inference(n_permutations=100, alpha=ALPHA)
LOW, HIGH = stats.binom.ppf([0.005, 0.995], N_TRIALS, ALPHA) / N_TRIALS


def parallel_design(estimator):
    n = 30
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session="s",
        baseline="b",
        estimator=estimator,
    )
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple("ABC"[k % 3] for k in range(n)),
        strata=tuple("xy"[k // 3 % 2] for k in range(n)),
        covariates={"age": np.linspace(-1, 1, n)[:, None]},
    )
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in "ABC"})
    return make_unit_design(question, trial, table)


def crossover_design(order):
    n = 16
    question = Question(
        text="t", role="primary", measure="m", contrast=("A", "B"), estimator="crossover"
    )
    trial = Crossover(
        kind="crossover",
        sequences={"AB": {"treatments": ("A", "B")}, "BA": {"treatments": ("B", "A")}},
        order=order,
    )
    names = ("AB", "BA") if order == "recorded" else ("unknown", "unknown")
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple(names[k % 2] for k in range(n)),
        strata=("",) * n,
        covariates={},
    )
    return make_unit_design(question, trial, table)


def smooth(rng, *shape):
    """Skewed noise, correlated along the outcomes."""
    raw = rng.exponential(size=(*shape[:-1], shape[-1] + 2))
    return raw[..., 2:] + raw[..., 1:-1] + raw[..., :-2] - 3


def parallel_data(design, rng, *, third_sd=1.0):
    # The third arm does respond, and may vary more or less: only the two compared arms are
    # alike. The baseline counts.
    n, n_outcomes = len(design.subjects), 40
    person = smooth(rng, n, n_outcomes)
    third = (np.array(design.groups) == "C")[:, None]
    return {
        "baseline": person + smooth(rng, n, n_outcomes),
        "outcome": person
        + smooth(rng, n, n_outcomes) * np.where(third, third_sd, 1.0)
        + 1.5 * third,
    }


def crossover_data(design, rng, *, period):
    n, n_outcomes = len(design.subjects), 40
    first_is_one = np.array([group != "BA" for group in design.groups])[:, None]
    person = 3 * smooth(rng, n, n_outcomes)
    one = person + smooth(rng, n, n_outcomes) + period
    two = person + smooth(rng, n, n_outcomes)
    return {
        "first": np.where(first_is_one, one, two),
        "second": np.where(first_is_one, two, one),
    }


CASES = {
    "ancova": (partial(parallel_design, "ancova"), parallel_data),
    "change": (partial(parallel_design, "change"), parallel_data),
    "quiet third arm": (
        partial(parallel_design, "ancova"),
        partial(parallel_data, third_sd=1 / 3),
    ),
    "loud third arm": (partial(parallel_design, "ancova"), partial(parallel_data, third_sd=3.0)),
    "crossover": (partial(crossover_design, "recorded"), partial(crossover_data, period=2.0)),
    "paired": (partial(crossover_design, "unknown"), partial(crossover_data, period=0.0)),
}


@pytest.mark.parametrize("case", CASES)
def test_family_wise_and_single_rates_hold(case):
    make_design, make_data = CASES[case]
    design = make_design()
    family = single = 0
    for trial in range(N_TRIALS):
        rng = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(trial,)))
        images = make_data(design, rng)
        baseline = images["baseline"] if design.voxelwise_baseline else None
        Y = make_outcome(design, images)
        seeded = SETTINGS.model_copy(update={"seed": trial})
        result = permute(design, Y, baseline, seeded)
        family += result.pvalue_corrected.min() <= ALPHA
        single += result.pvalue_uncorrected[0] <= ALPHA
    assert LOW <= family / N_TRIALS <= HIGH
    assert LOW <= single / N_TRIALS <= HIGH


def test_the_period_effect_leaves_the_crossover_estimate():
    design = crossover_design("recorded")
    rng = np.random.default_rng(5)
    images = crossover_data(design, rng, period=0.0)
    shifted = crossover_data(design, np.random.default_rng(5), period=50.0)
    one = fit_contrast(design, make_outcome(design, images))
    other = fit_contrast(design, make_outcome(design, shifted))
    np.testing.assert_allclose(other.effect, one.effect, atol=1e-10)
    np.testing.assert_allclose(other.se, one.se, rtol=1e-9)
