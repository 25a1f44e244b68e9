"""Arms compared by the order of their scores, with what was known before."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from phmri.exceptions import DesignError
from phmri.group import UnitTable, make_unit_design
from phmri.group.ranks import brunner_munzel, fit_ordered, proportional_odds, standardised
from phmri.protocol import Arm, Parallel, Question

N = 15


def trial(seed, n=N, effect=0.0):
    """Skewed scores at their floor, with a baseline that tells of them: first, second, both."""
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=2 * n)
    shift = np.repeat([effect, 0.0], n)

    def scored(x):
        return np.maximum(0.0, np.round(3 * (np.exp(x) - 0.5)))

    return scored(0.7 * trait + 0.5 * rng.normal(size=2 * n) + shift), scored(0.7 * trait)


def design(estimator, groups, **covariates):
    arms = ("ket", "pla", "other")
    question = Question(
        text="?",
        role="primary",
        measure="scale",
        contrast=("ket", "pla"),
        session="acute",
        baseline="before",
        estimator=estimator,
        covariates=tuple(covariates),
    )
    parallel = Parallel(kind="parallel", arms={arm: Arm(treatment=arm) for arm in arms})
    table = UnitTable(
        subjects=tuple(f"{k:03d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates=covariates,
    )
    return make_unit_design(question, parallel, table)


def split(values, n=N):
    return values[:n], values[n:]


def test_nothing_is_adjusted_for_columns_that_tell_nothing():
    y, _ = trial(0)
    flat = np.ones((N, 2))
    plain = brunner_munzel(*split(y))
    found = brunner_munzel(*split(y), covariates=(flat, flat))
    assert_allclose(found.probability, plain.probability, rtol=1e-12)
    assert_allclose([found.se, found.df, found.low], [plain.se, plain.df, plain.low], rtol=1e-9)


def test_neither_units_nor_repeated_columns_change_anything():
    y, before = trial(1)
    one = tuple(part[:, None] for part in split(before))
    both = tuple(np.column_stack([1e6 * c, c - 3.0]) for c in one)
    found, again = (
        brunner_munzel(*split(y), covariates=one),
        brunner_munzel(*split(y), covariates=both),
    )
    assert_allclose(again.probability, found.probability, rtol=1e-9)
    assert_allclose([again.se, again.df, again.pvalue], [found.se, found.df, found.pvalue], 1e-9)


def test_exchanged_groups_turn_it_round():
    y, before = trial(2, effect=1.0)
    first, second = (part[:, None] for part in split(before))
    here = brunner_munzel(*split(y), covariates=(first, second))
    there = brunner_munzel(*split(y)[::-1], covariates=(second, first))
    assert_allclose([1 - there.high, 1 - there.low], [here.low, here.high], atol=1e-12)
    assert_allclose(there.t, -here.t)


def test_the_slope_leaves_the_least_variance():
    y, before = trial(3, n=400)
    columns = split(before, 400)
    ranks = stats.rankdata(y)
    above = (ranks[:400] - stats.rankdata(y[:400])) / 400
    below = (ranks[400:] - stats.rankdata(y[400:])) / 400
    (a, c), (b, d) = np.cov(above, columns[0])[0], np.cov(below, columns[1])[0]
    spread = columns[0].var(ddof=1) + columns[1].var(ddof=1)
    slope = (c + d) / spread
    plain = brunner_munzel(*split(y, 400))
    found = brunner_munzel(*split(y, 400), covariates=tuple(x[:, None] for x in columns))
    shift = slope * (columns[0].mean() - columns[1].mean())
    assert_allclose(found.probability, plain.probability - shift, rtol=1e-9)
    want = (a + b - slope * (c + d)) / 400 * 798 / 797
    assert_allclose(found.se**2, want, rtol=1e-9)
    assert found.se < 0.8 * plain.se


def test_p_is_right_and_the_interval_holds_the_truth():
    hits, covered = 0, 0
    big = [split(trial(900_000 + k, n=20_000, effect=0.6)[0], 20_000) for k in range(3)]
    truth = np.mean([brunner_munzel(*pair).probability for pair in big])
    for seed in range(400):
        for effect in (0.0, 0.6):
            y, before = trial(seed, effect=effect)
            columns = split(stats.rankdata(before)[:, None])
            found = brunner_munzel(*split(y), covariates=columns)
            hits += effect == 0.0 and found.pvalue <= 0.05
            covered += effect == 0.6 and found.low <= truth <= found.high
    assert 0.025 < hits / 400 < 0.085
    assert 0.89 < covered / 400 < 0.985


@pytest.mark.parametrize(
    ("covariates", "says"),
    [
        ((np.zeros((3, 1)), np.zeros((N, 1))), "another number of participants"),
        ((np.full((N, 1), np.nan), np.zeros((N, 1))), "not finite"),
        ((np.zeros((N, 28)), np.zeros((N, 28))), "as many covariates as participants"),
    ],
)
def test_covariates_that_do_not_fit_are_refused(covariates, says):
    with pytest.raises(DesignError, match=says):
        brunner_munzel(*split(trial(0)[0]), covariates=covariates)


def test_superiority_of_two_arms_leaves_the_others_out():
    y, before = trial(4, effect=0.8)
    age = np.random.default_rng(4).normal(size=(2 * N, 1))
    found = fit_ordered(
        design("rank", ["ket"] * N + ["pla"] * N, age=age), y[:, None], before[:, None]
    )
    columns = np.column_stack([stats.rankdata(before), age])
    want = brunner_munzel(*split(y), covariates=split(columns))
    assert_allclose(found.effect[0, 0], want.probability - 0.5, rtol=1e-12)
    assert_allclose(found.covariance[0, 0, 0], want.se**2, rtol=1e-12)
    assert_allclose(found.df[0, 0], want.df, rtol=1e-12)
    with_others = fit_ordered(
        design("rank", ["ket"] * N + ["pla"] * N + ["other"] * 5, age=np.r_[age, age[:5]]),
        np.r_[y, [90.0] * 5][:, None],
        np.r_[before, [90.0] * 5][:, None],
    )
    assert_allclose(with_others.effect, found.effect, rtol=1e-12)


def test_odds_of_all_arms():
    y, before = trial(5, effect=0.8)
    y[-5:] += 4
    groups = ["ket"] * N + ["pla"] * 10 + ["other"] * 5
    found = fit_ordered(design("ordinal", groups), y[:, None], before[:, None])
    arms = np.array([[g == "ket", g == "other"] for g in groups], dtype=float)
    want = proportional_odds(y, np.column_stack([arms, before]), ("ket", "other", "before"))
    assert_allclose(found.effect[0, 0], want.log_odds[0], rtol=1e-9)
    assert_allclose(found.covariance[0, 0, 0], want.covariance[0, 0], rtol=1e-9)
    assert found.df[0, 0] == np.inf


@pytest.mark.parametrize("estimator", ["rank", "ordinal"])
def test_arms_that_do_not_overlap_have_no_interval(estimator):
    y = np.r_[np.arange(N) + 50.0, np.arange(N)]
    with pytest.raises(DesignError, match="no finite interval"):
        fit_ordered(design(estimator, ["ket"] * N + ["pla"] * N), y[:, None])


def test_standardised_effects_are_those_of_known_distributions():
    shift = 0.8
    p = stats.norm.cdf(shift / np.sqrt(2))
    assert standardised("rank", p - 0.5) == pytest.approx(shift)
    assert standardised("rank", 0.0) == 0.0
    sd = np.pi / np.sqrt(3)  # of the logistic distribution
    log_odds = special.logit(stats.logistic.cdf(shift)) - special.logit(0.5)
    assert standardised("ordinal", log_odds) == pytest.approx(shift / sd)
