import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.robust import max_t_pvalues

TUKEY = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, -0.5], [0.5, -0.5, 1.0]])


@pytest.mark.parametrize("df", [4.0, 22.0, 500.0])
def test_all_pairs_of_three_arms_are_tukeys_test(df):
    t = np.array([[0.3, 2.0, 9.0], [1.1, 2.5, 20.0], [0.8, 4.0, 3.0]])
    theirs = stats.studentized_range.sf(np.abs(t) * np.sqrt(2), 3, df)
    assert_allclose(max_t_pvalues(t, TUKEY, df), theirs, rtol=1e-4, atol=1e-9)


def test_independent_directions_multiply():
    c = np.array([[1.0], [2.5], [4.0]])
    normal = stats.norm.cdf(c) - stats.norm.cdf(-c)
    found = max_t_pvalues(c, np.eye(3), 1e6)
    assert_allclose(found, 1 - normal**3, rtol=2e-3)


def test_one_contrast_needs_no_correction_nor_do_copies_of_it():
    t = np.array([[2.0, -3.0], [-2.0, 0.1]])
    found = max_t_pvalues(t, np.ones((2, 2)), 11.0)
    assert_allclose(found, 2 * stats.t.sf(np.abs(t), 11), rtol=1e-10)


def test_the_smallest_tail_is_not_lost():
    t = np.array([[40.0], [1.0], [0.0]])
    found = max_t_pvalues(t, TUKEY, 60.0)[:, 0]
    alone = 2 * stats.t.sf(40.0, 60)
    assert alone < found[0] < 3 * alone
    assert_allclose(found[2], 1.0)


def test_higher_ranks_are_seeded():
    t = np.array([[2.0], [2.2], [2.4], [2.6]])
    one, other = (max_t_pvalues(t, np.eye(4), 20.0, seed=seed) for seed in (3, 4))
    assert_allclose(one, max_t_pvalues(t, np.eye(4), 20.0, seed=3), rtol=0)
    assert (one != other).any()
    assert_allclose(one, other, rtol=2e-3)


@pytest.mark.parametrize(
    ("t", "correlation", "df", "words"),
    [
        (1.0, [[1, 2], [2, 1]], 5.0, "no correlation matrix"),
        (1.0, [[2, 0], [0, 2]], 5.0, "no correlation matrix"),
        (np.nan, np.eye(2), 5.0, "not finite"),
        (1.0, np.eye(2), 0.0, "degrees of freedom out of range; found 0"),
    ],
)
def test_nonsense_is_refused(t, correlation, df, words):
    with pytest.raises(DesignError, match=words):
        max_t_pvalues(np.full((2, 1), t), np.array(correlation, dtype=float), df)
