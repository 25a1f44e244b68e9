import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats

from phmri.exceptions import DesignError
from phmri.group.association import _circular as module
from phmri.group.association import circular_selection, null_inflation


def slow(outcomes, score, least_t, alternative):
    """Give region values of the last row, from everyone before it."""
    train, s = outcomes[:-1], score[:-1]
    r = np.array([np.corrcoef(y, s)[0, 1] for y in train.T])
    sign = {"greater": 1.0, "less": -1.0, "two-sided": np.sign(r)}[alternative]
    t = sign * r * np.sqrt((len(s) - 2) / (1 - r**2))
    chosen = t > least_t
    z = (outcomes[-1] - train.mean(axis=0)) / train.std(axis=0, ddof=1)
    return (np.broadcast_to(sign, r.shape) * z)[chosen].mean() if chosen.any() else np.nan


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_left_out_participants_choose_nothing(alternative, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 70)
    rng = np.random.default_rng(0)
    n, threshold = 14, 0.05
    score = rng.standard_normal(n)
    outcomes = 10 + rng.standard_normal((n, 200))
    found = circular_selection(outcomes, score, threshold=threshold, alternative=alternative)
    tail = threshold / 2 if alternative == "two-sided" else threshold
    r = np.array([stats.pearsonr(y, score).statistic for y in outcomes.T])
    r = np.abs(r) if alternative == "two-sided" else r * (1 if alternative == "greater" else -1)
    chosen = r > null_inflation(n, 1, threshold=tail).threshold
    assert found.n_selected == chosen.sum()
    assert_allclose([found.peak_r, found.mean_r], [r[chosen].max(), r[chosen].mean()])
    least = stats.t.isf(tail, n - 3)
    values = []
    for i in range(n):
        order = [*(k for k in range(n) if k != i), i]
        values.append(slow(outcomes[order], score[order], least, alternative))
    assert_allclose(found.left_out_r, np.corrcoef(values, score)[0, 1], rtol=1e-8)
    assert found.n_left_out == n
    assert found.region_r > found.mean_r > 0


def test_all_rows_of_a_participant_are_left_out_together():
    rng = np.random.default_rng(4)
    people = np.repeat([f"p{i}" for i in range(9)], [3, 3, 2, 3, 3, 2, 3, 3, 3])
    own = (people[:, None] == np.unique(people)).astype(float)
    means = own @ np.linalg.pinv(own)
    score = rng.standard_normal(len(people)) + 5 * own @ rng.standard_normal(9)
    outcomes = rng.standard_normal((len(people), 150)) + 0.6 * score[:, None]
    score, outcomes = score - means @ score, outcomes - means @ outcomes
    found = circular_selection(
        outcomes, score, people.tolist(), threshold=0.02, alternative="greater"
    )
    r = np.array([np.corrcoef(y, score)[0, 1] for y in outcomes.T])
    df = len(people) - 9 - 1
    chosen = r * np.sqrt(df / (1 - r**2)) > stats.t.isf(0.02, df)
    assert found.n_selected == chosen.sum() > 5
    values = np.full(len(people), np.nan)
    for person in np.unique(people):
        out = people == person
        train = outcomes[~out]
        r = np.array([np.corrcoef(y, score[~out])[0, 1] for y in train.T])
        df = (~out).sum() - 8 - 1
        selected = r * np.sqrt(df / (1 - r**2)) > stats.t.isf(0.02, df)
        z = (outcomes[out] - train.mean(axis=0)) / np.linalg.norm(
            train - train.mean(axis=0), axis=0
        )
        values[out] = z[:, selected].mean(axis=1)
    assert_allclose(found.left_out_r, np.corrcoef(values, score)[0, 1], rtol=1e-8)
    assert found.n_left_out == 9


def test_columns_taken_out_raise_what_must_be_exceeded():
    rng = np.random.default_rng(5)
    score, outcomes = rng.standard_normal(20), rng.standard_normal((20, 50))
    plain = circular_selection(outcomes, score, threshold=0.1)
    fewer = circular_selection(outcomes, score, n_taken_out=8, threshold=0.1)
    assert fewer.expected.threshold == null_inflation(12, 1, threshold=0.05).threshold
    assert fewer.n_selected < plain.n_selected
    with pytest.raises(DesignError, match="too few rows beside what was taken out"):
        circular_selection(outcomes, score, n_taken_out=16)


def test_a_claim_from_nothing_does_not_hold_and_a_true_one_does():
    rng = np.random.default_rng(1)
    score = rng.standard_normal(20)
    noise = rng.standard_normal((20, 3000))
    nothing = circular_selection(noise, score)
    assert nothing.region_r > 0.8
    assert nothing.left_out_r < 0.4
    assert abs(nothing.mean_r - nothing.expected.mean_selected) < 0.05
    signal = noise.copy()
    signal[:, :30] += 1.5 * score[:, None]
    found = circular_selection(signal, score)
    assert found.left_out_r > 0.6


def test_nothing_selected_claims_nothing():
    rng = np.random.default_rng(2)
    found = circular_selection(
        rng.standard_normal((12, 3)), rng.standard_normal(12), threshold=1e-6
    )
    assert (found.n_selected, found.n_left_out) == (0, 0)
    assert np.isnan([found.peak_r, found.mean_r, found.region_r, found.left_out_r]).all()


def test_outcomes_that_do_not_vary_are_not_selected():
    rng = np.random.default_rng(3)
    score = np.arange(10.0)
    outcomes = rng.standard_normal((10, 3))
    outcomes[:, 1] = 0.1
    outcomes[:, 2] = score == 9
    found = circular_selection(outcomes, score, threshold=0.49)
    assert found.n_selected <= 2
    assert np.isfinite(found.left_out_r)


@pytest.mark.parametrize("n", [5, 12, 40])
def test_inflation_is_that_of_the_distribution_of_r(n):
    found = null_inflation(n, 1, threshold=0.01)
    t = found.threshold * np.sqrt((n - 2) / (1 - found.threshold**2))
    assert stats.t.sf(t, n - 2) == pytest.approx(0.01)

    def density(r):
        return (
            stats.t.pdf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)
            * np.sqrt(n - 2)
            / (1 - r**2) ** 1.5
        )

    mean = integrate.quad(lambda r: r * density(r), found.threshold, 1)[0] / 0.01
    assert found.mean_selected == pytest.approx(mean, rel=1e-6)
    assert found.expected_maximum == pytest.approx(0, abs=1e-9)
    two = null_inflation(n, 2).expected_maximum
    # The larger of two alike: half the mean absolute difference.
    spread = integrate.quad(
        lambda r: (
            stats.t.cdf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)
            * (1 - stats.t.cdf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2))
        ),
        -1,
        1,
    )[0]
    assert two == pytest.approx(spread, rel=1e-6)


def test_what_is_wrong_is_told_at_once():
    with pytest.raises(DesignError) as caught:
        null_inflation(3, 0, threshold=0.5)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError) as caught:
        circular_selection(np.full((3, 2), np.nan), np.ones(4))
    assert len(caught.value.problems) == 4
