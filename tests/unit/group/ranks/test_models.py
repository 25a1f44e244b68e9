import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize, special, stats

from phmri.exceptions import DesignError
from phmri.group.ranks import proportional_odds, quade_test, scale_ancova

ARMS = ("A", "A", "B", "B", "C", "C") * 4


def trial(seed):
    rng = np.random.default_rng(seed)
    baseline = rng.integers(0, 6, 24).astype(float)
    shift = np.array([{"A": 0, "B": 2, "C": 5}[arm] for arm in ARMS])
    return baseline + shift + rng.integers(0, 4, 24), baseline


def test_raw_scores_are_compared_in_points():
    scores, _ = trial(0)
    found = scale_ancova(scores, ARMS, (("C", "A"), ("A", "C")), errors="model")
    arm = np.array(ARMS)
    want = scores[arm == "C"].mean() - scores[arm == "A"].mean()
    assert_allclose(found.effect[:, 0], [want, -want])
    assert found.df[0, 0] == 21
    assert found.names == ("C - A", "A - C")


def test_ranks_do_not_change_with_the_scale():
    scores, baseline = trial(1)
    found, bent = (
        scale_ancova(s, ARMS, (("B", "A"),), baseline=b, transform="rank")
        for s, b in ((scores, baseline), (np.exp(scores), baseline**3))
    )
    assert_allclose(bent.effect, found.effect)
    assert_allclose(bent.covariance, found.covariance)
    quades = quade_test(scores, ARMS, baseline), quade_test(np.exp(scores), ARMS, baseline**3)
    assert quades[0] == quades[1]
    assert quades[0].pvalue < 0.001


def test_a_baseline_of_ranks_that_explains_nothing_leaves_the_f_of_ranks():
    scores = np.arange(8.0)[[3, 1, 4, 6, 0, 5, 7, 2]]
    baseline = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    arms = ("A", "A", "A", "A", "B", "B", "B", "B")
    # Ranks are regressed on the baseline by hand.
    ranks, x = stats.rankdata(scores), stats.rankdata(baseline)
    slope, intercept, *_ = stats.linregress(x, ranks)
    rest = ranks - slope * x - intercept
    want = stats.f_oneway(rest[:4], rest[4:])
    found = quade_test(scores, arms, baseline)
    assert_allclose([found.f, found.pvalue], [want.statistic, want.pvalue], rtol=1e-9)


def test_what_cannot_be_compared_is_told_at_once():
    scores, _ = trial(2)
    with pytest.raises(DesignError) as caught:
        scale_ancova(
            scores, ARMS, (("D", "A"),), baseline=np.zeros(24), transform="log1p", floor=3.0
        )
    text = str(caught.value)
    assert "arm without participants" in text
    assert "does not vary" in text
    assert "below the floor" in text
    with pytest.raises(DesignError, match="another number"):
        quade_test(scores, ARMS[:5], scores)
    with pytest.raises(DesignError, match="cannot be compared"):
        quade_test(scores, ("A",) * 24, scores)


def test_two_categories_are_logistic_regression():
    table = np.array([[12, 5], [4, 9]])
    scores = np.repeat([0.0, 1.0, 0.0, 1.0], table.ravel())
    X = np.repeat([0.0, 0.0, 1.0, 1.0], table.ravel())[:, None]
    found = proportional_odds(scores, X, ("arm",))
    assert found.converged
    assert found.log_odds[0] == pytest.approx(np.log(12 * 9 / (5 * 4)))
    assert found.covariance[0, 0] == pytest.approx((1 / table).sum())
    assert found.thresholds[0] == pytest.approx(np.log(12 / 5))


def naive_log_likelihood(parameters, scores, X, n_cuts):
    cuts = np.concatenate([[-np.inf], parameters[:n_cuts], [np.inf]])
    k = np.unique(scores, return_inverse=True)[1]
    line = X @ parameters[n_cuts:]
    return np.log(special.expit(cuts[k + 1] - line) - special.expit(cuts[k] - line)).sum()


def test_maximum_and_information_are_those_of_the_likelihood():
    scores, baseline = trial(3)
    X = np.column_stack([np.array(ARMS) == "B", np.array(ARMS) == "C", baseline]).astype(float)
    found = proportional_odds(scores, X, ("B", "C", "baseline"))
    at = np.concatenate([found.thresholds, found.log_odds])
    n_cuts = found.thresholds.size

    def likelihood(p):
        return naive_log_likelihood(p, scores, X, n_cuts)

    assert found.minus_2_log_likelihood == pytest.approx(-2 * likelihood(at), abs=1e-9)
    assert_allclose(optimize.approx_fprime(at, likelihood, 1e-6), 0, atol=1e-4)
    steps = 1e-4 * np.eye(at.size)
    hessian = np.array(
        [
            [
                (
                    likelihood(at + a + b)
                    - likelihood(at + a - b)
                    - likelihood(at - a + b)
                    + likelihood(at - a - b)
                )
                / 4e-8
                for b in steps
            ]
            for a in steps
        ]
    )
    covariance = np.linalg.inv(-hessian)[n_cuts:, n_cuts:]
    assert_allclose(found.covariance, covariance, rtol=1e-3, atol=1e-4)


def test_only_the_order_of_scores_counts():
    scores, baseline = trial(4)
    X = baseline[:, None]
    found, bent = (proportional_odds(s, X, ("baseline",)) for s in (scores, np.exp(scores)))
    turned = proportional_odds(-scores, X, ("baseline",))
    assert_allclose(bent.log_odds, found.log_odds)
    assert_allclose(turned.log_odds, -found.log_odds, rtol=1e-6)


def test_separation_is_not_converged():
    scores = np.array([0.0, 1.0, 1.0, 2.0, 3.0, 3.0])
    X = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])[:, None]
    assert not proportional_odds(scores, X, ("arm",)).converged


def test_columns_that_cannot_be_told_apart_are_refused():
    scores, baseline = trial(5)
    for X in (np.ones((24, 1)), np.column_stack([baseline, 2 * baseline + 1])):
        with pytest.raises(DesignError, match="repeat each other"):
            proportional_odds(scores, X, ("x",) * X.shape[1])
    with pytest.raises(DesignError, match="another shape"):
        proportional_odds(scores, np.ones((3, 1)), ("x",))
    with pytest.raises(DesignError, match="same score"):
        proportional_odds(np.ones(24), baseline[:, None], ("x",))


def test_equal_scores_have_no_test():
    with pytest.raises(DesignError, match="the same in everyone"):
        quade_test(np.full(9, 4.0), tuple("aaabbbccc"), np.arange(9.0))
