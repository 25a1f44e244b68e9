import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.association import compare_dependent, compare_independent

FIRST, SECOND = np.array([0.6, 0.3, -0.2]), np.array([0.2, 0.3, 0.5])
BETWEEN = np.array([0.4, 0.9, 0.0])


def test_equal_correlations_do_not_differ_and_order_is_sign():
    found = compare_dependent(FIRST, SECOND, BETWEEN, 30)
    back = compare_dependent(SECOND, FIRST, BETWEEN, 30)
    assert_allclose([found.t[1], found.z[1]], 0)
    assert_allclose([found.t_pvalue[1], found.z_pvalue[1]], 1)
    assert_allclose(back.t, -found.t)
    assert_allclose(back.z_pvalue, found.z_pvalue)


def test_both_tests_of_dependent_correlations_hold_their_level():
    rng = np.random.default_rng(0)
    n, trials = 20, 4000
    score = rng.standard_normal((trials, n))
    shared = rng.standard_normal((trials, n))
    x, y = (0.5 * score + 0.5 * shared + rng.standard_normal((trials, n)) for _ in range(2))

    def r(a, b):
        a, b = (c - c.mean(axis=1, keepdims=True) for c in (a, b))
        return (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))

    found = compare_dependent(r(x, score), r(y, score), r(x, y), n)
    # 99.9 % of 4000 trials at 5 %.
    for pvalue in (found.t_pvalue, found.z_pvalue):
        assert 0.038 < np.mean(pvalue <= 0.05) < 0.062


def test_interval_of_a_difference_turns_with_its_order():
    found = compare_independent(FIRST, 20, SECOND, 35)
    back = compare_independent(SECOND, 35, FIRST, 20)
    assert_allclose(back.low, -found.high)
    assert_allclose(back.z, -found.z)
    assert np.all((found.low < found.difference) & (found.difference < found.high))
    assert found.pvalue[1] == 1


def test_what_is_wrong_is_told_at_once():
    with pytest.raises(DesignError) as caught:
        compare_dependent(np.ones(3), SECOND, np.full(3, np.nan), 3)
    assert len(caught.value.problems) == 3
    with pytest.raises(DesignError) as caught:
        compare_independent(FIRST, 3, 2 * FIRST, 3, confidence=1.0)
    assert len(caught.value.problems) == 4
