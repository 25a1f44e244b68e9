import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import InferenceError
from phmri.inference.multiplicity import adjust_pvalues

METHODS = ("bonferroni", "holm", "hochberg", "hommel", "fixed_sequence")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bonferroni", [0.02, 0.16, 0.08, 0.044]),
        ("holm", [0.02, 0.04, 0.04, 0.033]),
        ("hochberg", [0.02, 0.04, 0.04, 0.033]),
        ("hommel", [0.02, 0.04, 0.04, 0.03]),
        ("fixed_sequence", [0.005, 0.04, 0.04, 0.04]),
    ],
)
def test_by_hand(method, expected):
    assert_allclose(adjust_pvalues(np.array([0.005, 0.04, 0.02, 0.011]), method), expected)


@pytest.mark.parametrize("method", METHODS)
def test_none_one_and_the_extremes(method):
    assert adjust_pvalues(np.array([]), method).size == 0
    assert adjust_pvalues(np.array([0.3]), method).tolist() == [0.3]
    assert adjust_pvalues(np.zeros(4), method).tolist() == [0.0] * 4
    assert adjust_pvalues(np.ones(4), method).tolist() == [1.0] * 4


@pytest.mark.parametrize("method", METHODS)
def test_a_map_of_a_whole_brain(method):
    p = np.random.default_rng(8).random(235_000) ** 2
    adjusted = adjust_pvalues(p, method)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert_array_equal(p, np.random.default_rng(8).random(235_000) ** 2)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
@pytest.mark.parametrize("method", METHODS)
def test_refuses_what_is_no_probability(method, bad):
    with pytest.raises(InferenceError, match=r"p-values that are not prob.*1 of 2, the first is"):
        adjust_pvalues(np.array([0.5, bad]), method)
