import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.association import (
    association_design,
    correlate,
    correlate_repeated,
    split_within_between,
)

PEOPLE = tuple(f"p{k // 3}" for k in range(24))
CODES = np.arange(24) // 3


def test_parts_add_up_and_do_not_overlap():
    values = np.random.default_rng(0).standard_normal((24, 2)) + CODES[:, None]
    within, between = split_within_between(values, PEOPLE)
    assert_allclose(within + between + values.mean(axis=0), values)
    assert_allclose(within.T @ between, 0, atol=1e-12)
    assert_allclose([within[k == CODES].sum(axis=0) for k in range(8)], 0, atol=1e-12)


def test_within_is_one_slope_beside_a_mean_per_participant():
    rng = np.random.default_rng(1)
    score = rng.standard_normal(24) + CODES
    outcomes = rng.standard_normal((24, 3)) - 2 * CODES[:, None] + 0.8 * score[:, None]
    found = correlate_repeated(outcomes, score, PEOPLE)
    means = (CODES[:, None] == np.arange(8)).astype(float)
    for v in range(3):
        X = np.column_stack([means, score])
        b, (sse,), *_ = np.linalg.lstsq(X, outcomes[:, v], rcond=None)
        rest = outcomes[:, v] - means @ np.linalg.lstsq(means, outcomes[:, v], rcond=None)[0]
        r = np.sign(b[-1]) * np.sqrt(1 - sse / (rest @ rest))
        assert_allclose(found.within.r[v], r, rtol=1e-9)
    assert found.within.df == 24 - 8 - 1
    assert found.n_participants == 8
    assert np.all(found.within.r > 0)
    assert np.all(found.between.r < 0)
    assert found.within.slopes is None


def test_between_counts_every_participant_once():
    rng = np.random.default_rng(2)
    score, outcomes = rng.standard_normal(24), rng.standard_normal((24, 2))
    kept = np.arange(24) != 5
    people = tuple(np.array(PEOPLE)[kept])
    found = correlate_repeated(outcomes[kept], score[kept], people)
    means = [
        (score[kept & (k == CODES)].mean(), outcomes[kept & (k == CODES)].mean(axis=0))
        for k in range(8)
    ]
    want = correlate(np.array([y for _, y in means]), np.array([s for s, _ in means]))
    assert_allclose(found.between.r, want.r)
    assert found.between.df == 6


def test_one_row_of_a_participant_says_nothing_within():
    rng = np.random.default_rng(3)
    score, outcomes = rng.standard_normal(25), rng.standard_normal((25, 2))
    whole = correlate_repeated(outcomes, score, (*PEOPLE, "alone")).within
    without = correlate_repeated(outcomes[:24], score[:24], PEOPLE).within
    assert_allclose(whole.r, without.r)
    assert whole.df == without.df


def test_a_drug_that_changes_both_makes_a_correlation_unless_it_is_nuisance():
    rng = np.random.default_rng(4)
    drug = (np.arange(24) % 3 == 1).astype(float)
    score = 10 * drug + rng.standard_normal(24)
    outcomes = 10 * drug[:, None] + rng.standard_normal((24, 50))
    naive = correlate_repeated(outcomes, score, PEOPLE).within.r
    adjusted = correlate_repeated(outcomes, score, PEOPLE, nuisance=drug[:, None]).within.r
    assert naive.min() > 0.8
    assert abs(adjusted.mean()) < 0.1


def test_arms_have_means_of_their_own_between_and_share_a_slope_test():
    rng = np.random.default_rng(5)
    score, outcomes = rng.standard_normal(24), rng.standard_normal((24, 2))
    arms = tuple("AB"[k // 12] for k in range(24))
    found = correlate_repeated(outcomes, score, PEOPLE, groups=arms)
    moved = correlate_repeated(outcomes + 5.0 * (CODES[:, None] > 3), score, PEOPLE, groups=arms)
    assert_allclose(moved.between.r, found.between.r)
    assert_allclose(found.within.r, correlate_repeated(outcomes, score, PEOPLE).within.r)
    assert (found.between.df, found.between.slopes.df) == (5, (1, 4))
    with pytest.raises(DesignError, match="more than one group; found p0, p1"):
        correlate_repeated(outcomes, score, PEOPLE, groups=("A",) * 2 + ("B",) * 2 + arms[4:])


def test_design_of_repeated_rows_shuffles_within_participants():
    rng = np.random.default_rng(6)
    score = rng.standard_normal(24)
    design = association_design(score, subjects=PEOPLE, repeated=True)
    tree = design.exchangeability
    assert tree.exchanged == (False, True)
    assert tree.levels[:, 0].tolist() == CODES.tolist()
    assert design.X.shape == (24, 9)
    assert "within their participant" in tree.words
    with pytest.raises(DesignError, match="within participants: a score of which nothing"):
        association_design(CODES.astype(float), subjects=PEOPLE, repeated=True)
    with pytest.raises(DesignError, match="groups beside participants"):
        association_design(score, subjects=PEOPLE, groups=PEOPLE, repeated=True)


def test_what_is_wrong_is_told_at_once():
    with pytest.raises(DesignError) as caught:
        correlate_repeated(np.full((24, 1), np.nan), np.zeros(24), PEOPLE[:3], confidence=2.0)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError, match="within participants: a score of which nothing"):
        correlate_repeated(np.zeros((24, 1)), CODES.astype(float), PEOPLE)
    with pytest.raises(DesignError, match="number of rows"):
        split_within_between(np.zeros(3), PEOPLE)
