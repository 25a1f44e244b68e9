"""Simulated power against closed forms, where both are of the same test; normal outcomes.

`PHMRI_TRIALS` sets the number of trials; docs/power.md holds rates in 5000.
"""

import os
from itertools import permutations

import pytest
from scipy import stats

from phmri.protocol import Blockade, Crossover, Inference, Parallel, Question
from phmri.simulation.power import (
    Case,
    Effort,
    Noise,
    blockade_power,
    correlation_power,
    equivalence_power,
    expect,
    simulate_association,
    simulate_blockade,
    simulate_equivalence,
    simulate_question,
    t_power,
)

EFFORT = Effort(
    n_trials=int(os.environ.get("PHMRI_TRIALS", "1000")), seed=12, n_workers=2, n_permutations=200
)
NOISE = Noise(sd=2.0, correlation=0.6)
ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "KLP"})
PAIR = Crossover(kind="crossover", sequences={s: {"treatments": tuple(s)} for s in ("KP", "PK")})
WILLIAMS = Crossover(
    kind="crossover", sequences={"".join(s): {"treatments": s} for s in permutations("KLP")}
)


def ask(estimator, **more):
    asked = {"contrast": ("K", "P"), "estimator": estimator}
    if estimator != "crossover":
        asked |= {"session": "acute"}
    if estimator in {"ancova", "change", "clda"}:
        asked |= {"baseline": "before"}
    return Question(text="t", role="primary", measure="m", **(asked | more))


def case(question, design, n):
    return Case(question=question, design=design, n=n, noise=NOISE)


def agrees(found, closed):
    """Hold a share against a probability, at 99.8 %."""
    low, high = stats.binom.ppf([0.001, 0.999], found.n_trials, closed)
    return low <= found.n_found <= high


@pytest.mark.parametrize(
    ("estimator", "design", "n", "effect", "alternative", "loss"),
    [
        ("post", ARMS, 20, 1.6, "two-sided", 0.04),
        ("ancova", ARMS, 20, 1.2, "two-sided", 0.04),
        ("change", ARMS, 20, 1.2, "greater", 0.04),
        ("crossover", PAIR, 20, 1.0, "two-sided", 0.04),
        ("crossover", WILLIAMS, 18, 1.0, "two-sided", 0.1),
    ],
    ids=["post", "ancova", "change", "crossover", "williams"],
)
def test_differences(estimator, design, n, effect, alternative, loss):
    asked = case(ask(estimator, alternative=alternative), design, n)
    found = simulate_question(asked, effect, Inference(), EFFORT, key=(n,))
    closed = t_power(effect, expect(asked).precision, alternative=alternative)
    assert agrees(found.by_t, closed)
    # In the same trials shuffling finds hardly less than t; whole sequences of three people each
    # are few to shuffle.
    assert abs(found.as_asked.power - found.by_t.power) < loss


def test_equivalence():
    asked = case(ask("crossover"), PAIR, 30)
    found = simulate_equivalence(asked, 0.2, 1.0, EFFORT)
    assert agrees(found, equivalence_power(0.2, expect(asked).precision, (-1.0, 1.0)))


def test_mixed_model_of_a_complete_crossover():
    asked = case(ask("mixed", session=None), WILLIAMS, 18)
    found = simulate_question(asked, 1.0, Inference(method="holm"), EFFORT)
    # A variance between people of 0 is hardly ever found here, so that the t is the same.
    assert agrees(found.by_t, t_power(1.0, expect(asked).precision))


def test_verdicts_on_half_a_blockade():
    asked = case(ask("ancova", contrast=("K", "L"), blockade=Blockade(reference="P")), ARMS, 30)
    found = simulate_blockade(asked, 2.0, 0.5, EFFORT, margin=1.2)
    closed = blockade_power(2.0, 0.5, expect(asked).precision, margin=1.2)
    assert sum(one.n_found for one in found.values()) == EFFORT.n_trials
    for verdict, one in found.items():
        assert agrees(one, getattr(closed, verdict.replace(" ", "_")))


def test_correlation():
    found = simulate_association(0.5, 26, Inference(), EFFORT, n_groups=2, alternative="greater")
    closed = correlation_power(0.5, 26, n_groups=2, alternative="greater")
    assert agrees(found, closed)


def test_nothing_is_found_at_alpha():
    asked = case(ask("ancova"), ARMS, 20)
    found = simulate_question(asked, 0.0, Inference(), EFFORT)
    assert agrees(found.by_t, 0.05)
