"""Family-wise error of drug-free trials: from question and data to the verdict, per design.

A trial is drawn whole: allocation, missing images, and a smooth volume per participant. What the
question does not ask about does differ (other arms and treatments, periods, baselines, the spread
of an arm), so that errors of the design show, not only those of the shuffling. 100 shufflings give
p-values k/100, and p <= 0.05 in exactly 5 % of null trials where rows are exchangeable.
`PHMRI_TRIALS` sets the number of trials; README.md holds the rates in 2000.
"""

import os
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from scipy import ndimage, stats

from phmri.group import (
    UnitDesign,
    UnitTable,
    exchange_repeated,
    make_outcome,
    make_unit_design,
    override_kind,
)
from phmri.inference import Volume, permute
from phmri.protocol import Crossover, Inference, Parallel, Question

N_TRIALS = int(os.environ.get("PHMRI_TRIALS", "120"))
ALPHA = 0.05
SETTINGS = Inference(method="tfce", cluster_p=0.02, n_permutations=100, alpha=ALPHA)
METHODS = ("voxel", "cluster_mass", "tfce")
SHAPE = (7, 7, 6)
SPACE = Volume(mask=np.ones(SHAPE, dtype=bool))


class NullTrial(NamedTuple):
    """A trial in which the two compared sides are alike."""

    design: UnitDesign
    Y: np.ndarray
    baseline: np.ndarray | None = None


def smooth(rng, n):
    """Give n volumes of smooth normal noise of variance 1."""
    raw = rng.standard_normal((n, *SHAPE))
    noise = ndimage.gaussian_filter(raw, sigma=(0, 1, 1, 1), mode="wrap").reshape(n, -1)
    return noise / SMOOTH_SD


def skewed(rng, n):
    """Give n volumes of smooth noise of mean 0, variance 1 and skewness 1.75."""
    sigma = 0.5
    mean, variance = np.exp(sigma**2 / 2), np.expm1(sigma**2) * np.exp(sigma**2)
    return (np.exp(sigma * smooth(rng, n)) - mean) / np.sqrt(variance)


def _smooth_sd():
    point = np.zeros(SHAPE)
    point[3, 3, 3] = 1
    return np.sqrt((ndimage.gaussian_filter(point, sigma=1, mode="wrap") ** 2).sum())


SMOOTH_SD = _smooth_sd()


def make_table(groups, strata=None, covariates=None):
    return UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(map(str, groups)),
        strata=tuple(map(str, strata)) if strata is not None else ("",) * len(groups),
        covariates=covariates or {},
    )


def ask(estimator, **places):
    return Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        estimator=estimator,
        **places,
    )


ANCOVA = ask("ancova", session="s", baseline="b", covariates=("age",))
POST = ask("post", session="s")
CROSSOVER = ask("crossover")
ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "ABC"})
TWO_ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "AB"})
TWO_PERIODS = Crossover(
    kind="crossover", sequences={order: {"treatments": tuple(order)} for order in ("AB", "BA")}
)
WILLIAMS = Crossover(
    kind="crossover",
    sequences={
        order: {"treatments": tuple(order)} for order in ("ABC", "BCA", "CAB", "CBA", "ACB", "BAC")
    },
)


def parallel_ancova(rng, n_per_arm=16, *, noise=skewed):
    """Arms A and B alike, C responds; drawn within strata that differ, as age and baseline do."""
    n, in_stratum = 3 * n_per_arm, np.repeat([*"ABC"], n_per_arm // 2)
    strata = np.repeat(["x", "y"], n // 2)
    arms = np.concatenate([rng.permutation(in_stratum) for _ in "xy"])
    age = rng.standard_normal((n, 1))
    table = make_table(arms, strata, {"age": age - age.mean()})
    baseline, error = noise(rng, n), noise(rng, n)
    outcome = 0.7 * baseline + error + 0.5 * age + (strata == "y")[:, None]
    outcome += 2.0 * (arms == "C")[:, None]
    design = make_unit_design(ANCOVA, ARMS, table)
    images = {"outcome": outcome, "baseline": baseline}
    return NullTrial(design, make_outcome(design, images), baseline)


def crossover(rng):
    """Period 2 is higher by two standard deviations of the error."""
    sequences = rng.permutation(["AB", "BA"] * 8)
    table = make_table(sequences)
    person = 2 * skewed(rng, 16)
    period_1, period_2 = person + skewed(rng, 16), person + skewed(rng, 16) + 2.0
    a_first = (sequences == "AB")[:, None]
    images = {
        "first": np.where(a_first, period_1, period_2),
        "second": np.where(a_first, period_2, period_1),
    }
    design = make_unit_design(CROSSOVER, TWO_PERIODS, table)
    return NullTrial(design, make_outcome(design, images))


def williams(rng):
    """A and B alike, C not; periods differ; a third of the participants lacks one period."""
    sequences = rng.permutation([*WILLIAMS.sequences] * 3)
    table = make_table(sequences)
    lost = np.where(rng.random(18) < 1 / 3, rng.integers(1, 4, 18), 0)
    present = {
        subject: frozenset({1, 2, 3} - {period})
        for subject, period in zip(table.subjects, lost.tolist(), strict=True)
    }
    design = make_unit_design(CROSSOVER, WILLIAMS, table, present=present)
    period = np.tile([1, 2, 3], 18)
    under_c = np.array([treatment == "C" for order in sequences for treatment in order])
    images = np.repeat(2 * skewed(rng, 18), 3, axis=0) + skewed(rng, 54)
    images += (period + 2.0 * under_c)[:, None]
    images[period == np.repeat(lost, 3)] = np.nan
    return NullTrial(design, make_outcome(design, {"periods": images}))


def make_repeated(X, contrast, tree, subjects):
    return UnitDesign(
        estimator="post",
        subjects=subjects,
        groups=("",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.array(contrast, dtype=float),
        voxelwise_baseline=False,
        exchangeability=tree,
        notes=(),
        sentences=(),
    )


def between_participants(rng):
    """Two groups, two visits that differ in mean and spread, correlated by 0.8 in a person."""
    n = 16
    subjects = tuple(f"{k:02d}" for k in range(n) for _ in range(2))
    second = np.tile([0.0, 1.0], n)
    in_a = np.repeat(rng.permutation(n) < n // 2, 2)
    person = np.repeat(2 * skewed(rng, n), 2, axis=0)
    Y = person + skewed(rng, 2 * n) * (1 + second)[:, None] + 3 * second[:, None]
    tree = exchange_repeated(subjects, second.astype(int).tolist(), effect="between")
    X = np.column_stack([in_a, ~in_a, second])
    return NullTrial(make_repeated(X, (1, -1, 0), tree, subjects), Y)


def within_participants(rng):
    """Slope over three doses in random order, visits equally correlated in a person."""
    n = 12
    subjects = tuple(f"{k:02d}" for k in range(n) for _ in range(3))
    dose = rng.permuted(np.tile([-1.0, 0.0, 1.0], (n, 1)), axis=1).ravel()
    Y = np.repeat(2 * skewed(rng, n), 3, axis=0) + skewed(rng, 3 * n)
    tree = exchange_repeated(subjects, [0, 1, 2] * n, effect="within")
    X = np.column_stack([dose, np.repeat(np.eye(n), 3, axis=0)])
    return NullTrial(make_repeated(X, [1] + [0] * n, tree, subjects), Y)


def unequal_variances(rng, sizes=(30, 15), *, kind="sign_flip", noise=smooth):
    """The smaller arm varies twice as much."""
    arms = rng.permutation(np.repeat(["A", "B"], sizes))
    spread = np.where(arms == "B", 2.0, 1.0)[:, None]
    design = make_unit_design(POST, TWO_ARMS, make_table(arms))
    return NullTrial(override_kind(design, kind), spread * noise(rng, len(arms)))


def find_rates(draw, statistic="t", n_trials=N_TRIALS):
    """Give the share of trials in which a method finds something, per method."""
    found = np.zeros(len(METHODS))
    for number in range(n_trials):
        trial = draw(np.random.default_rng([11, number]))
        settings = SETTINGS.model_copy(update={"seed": number, "statistic": statistic})
        result = permute(trial.design, trial.Y, trial.baseline, settings, space=SPACE)
        found += [result.tests[method].pvalue.min() <= ALPHA for method in METHODS]
    return found / n_trials


DESIGNS = {
    "parallel ANCOVA": (parallel_ancova, "t"),
    "crossover 2x2": (crossover, "t"),
    "Williams, cells missing": (williams, "t"),
    "repeated, between participants": (between_participants, "t"),
    "repeated, within participants": (within_participants, "t"),
    # v allows for unequal variances in large trials: with signs from about 45 participants if
    # errors are symmetric, with places from some hundreds.
    "unequal variances, signs": (unequal_variances, "v"),
    "unequal variances, places": (
        partial(unequal_variances, sizes=(240, 120), kind="permute"),
        "v",
    ),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_family_wise_error_is_alpha(name):
    draw, statistic = DESIGNS[name]
    rates = find_rates(draw, statistic)
    low, high = stats.binom.ppf([0.005, 0.995], N_TRIALS, ALPHA) / N_TRIALS
    assert low <= rates.min()
    assert rates.max() <= high
