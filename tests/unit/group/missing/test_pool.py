import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.missing import draw_outcomes, pool_imputations


def test_nothing_missing_is_the_complete_analysis():
    pooled = pool_imputations(np.full((5, 2), 0.4), np.full((5, 2), 0.04), 20.0)
    assert_allclose(pooled.se, 0.2)
    assert pooled.share_missing.tolist() == pooled.between.tolist() == [0.0, 0.0]
    assert_allclose(pooled.df, 21 / 23 * 20)


def test_many_participants_and_nothing_missing_is_a_z_test():
    pooled = pool_imputations(np.full((5, 1), 0.4), np.full((5, 1), 0.04), np.inf)
    assert pooled.df.tolist() == [np.inf]
    assert_allclose(pooled.pvalue, 2 * stats.norm.sf(2.0))


def test_maps_are_pooled_like_numbers():
    rng = np.random.default_rng(2)
    effect, variance = rng.normal(size=(4, 50)), rng.random((4, 50)) + 0.1
    pooled = pool_imputations(effect, variance, 30.0)
    for v in (0, 49):
        one = pool_imputations(effect[:, [v]], variance[:, [v]], 30.0)
        assert_allclose(
            [pooled.se[v], pooled.df[v], pooled.pvalue[v]], [one.se[0], one.df[0], one.pvalue[0]]
        )
    assert (pooled.df < 30).all()


def test_all_that_is_wrong_is_told():
    with pytest.raises(DesignError) as caught:
        pool_imputations(np.array([[np.nan]]), np.array([[0.0]]), 0.0)
    assert [p.field for p in caught.value.problems] == [
        "effect",
        "effect",
        "variance",
        "df_complete",
    ]


def trial(rng, n=60):
    baseline = rng.standard_normal(n)
    design = np.column_stack([np.ones(n), np.arange(n) % 2, baseline])
    return design, design @ [1.0, 0.5, 0.8] + 0.5 * rng.standard_normal(n)


def test_draws_keep_what_was_observed_and_follow_the_model():
    rng = np.random.default_rng(7)
    design, outcome = trial(rng, 2000)
    truth = outcome.copy()
    outcome[::4] = np.nan
    completed = draw_outcomes(outcome, design, 200, rng)
    observed = ~np.isnan(outcome)
    assert (completed[:, observed] == outcome[observed]).all()
    drawn = completed[:, ~observed] - design[~observed] @ [1.0, 0.5, 0.8]
    assert_allclose(drawn.mean(), 0, atol=0.05)
    assert_allclose(drawn.std(), 0.5, rtol=0.05)
    assert np.corrcoef(completed[:, ~observed].mean(0), truth[~observed])[0, 1] > 0.7


def test_draws_are_as_uncertain_as_the_model_predicts():
    # The predictive distribution is t with n - p degrees of freedom around the fit.
    rng = np.random.default_rng(3)
    outcome = np.append(rng.standard_normal(8), np.nan)
    completed = draw_outcomes(outcome, np.ones((9, 1)), 40_000, rng)[:, -1]
    known = outcome[:8]
    scaled = (completed - known.mean()) / (known.std(ddof=1) * np.sqrt(1 + 1 / 8))
    assert stats.kstest(scaled, stats.t(7).cdf).pvalue > 0.01


def test_the_same_seed_gives_the_same_draws():
    design, outcome = trial(np.random.default_rng(1))
    outcome[:5] = np.nan
    first, second = (draw_outcomes(outcome, design, 3, np.random.default_rng(9)) for _ in "ab")
    assert (first == second).all()


def test_what_cannot_be_drawn_is_refused():
    rng = np.random.default_rng(1)
    design, outcome = trial(rng)
    outcome[design[:, 1] == 1] = np.nan
    with pytest.raises(DesignError, match="do not determine the model of those without"):
        draw_outcomes(outcome, design, 5, rng)
    with pytest.raises(DesignError) as caught:
        draw_outcomes(np.full(60, np.nan), np.full((60, 2), np.nan), 1, rng)
    assert [p.field for p in caught.value.problems] == ["design", "outcome", "n_imputations"]


def test_pooling_is_calibrated_when_scans_go_missing_with_the_baseline():
    rng = np.random.default_rng(12)
    n_trials, rejected = 400, 0
    for _ in range(n_trials):
        design, outcome = trial(rng, 40)
        outcome -= 0.5 * design[:, 1]
        outcome[(design[:, 2] > 0) & (rng.random(40) < 0.5)] = np.nan
        completed = draw_outcomes(outcome, design, 10, rng)
        gram = np.linalg.inv(design.T @ design)
        beta = completed @ design @ gram
        residual = completed - beta @ design.T
        variance = (residual**2).sum(1) / 37 * gram[1, 1]
        pooled = pool_imputations(beta[:, [1]], variance[:, None], 37.0)
        rejected += int(pooled.pvalue[0] <= 0.05)
    # 99 % binomial bounds around 5 % of 400.
    low, high = stats.binom.ppf([0.005, 0.995], n_trials, 0.05)
    assert low <= rejected <= high
