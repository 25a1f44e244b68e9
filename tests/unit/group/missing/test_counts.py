import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError
from phmri.group.missing import count_scans, standardised_difference


def test_scans_are_counted_by_arm_and_session():
    present = np.array([[1, 1], [1, 0], [0, 1], [1, 1]], bool)
    usable = np.array([[1, 1], [1, 1], [0, 1], [0, 1]], bool)
    found = count_scans(["KET", "PLA", "KET", "PLA"], present, usable)
    assert found.arms == ("KET", "PLA")
    assert found.allocated.tolist() == [2, 2]
    assert found.present.tolist() == [[1, 2], [2, 1]]
    assert found.usable.tolist() == [[1, 2], [1, 1]]
    assert found.complete.tolist() == [1, 0]


def test_tables_must_match():
    with pytest.raises(DesignError, match="found 1 arms, 2 and 2 rows"):
        count_scans(["KET"], np.ones((2, 1), bool), np.ones((2, 1), bool))
    with pytest.raises(DesignError, match="found 0 arms"):
        count_scans([], np.ones((0, 1), bool), np.ones((0, 1), bool))


def test_differences_in_standard_deviations():
    first = np.array([[1.0, 0.0, 5.0, 1.0], [3.0, 1.0, 5.0, 1.0]])
    second = np.array([[0.0, 0.0, 5.0, 0.0], [4.0, 0.0, 5.0, 0.0]])
    found = standardised_difference(first, second)
    assert_allclose(found, [0.0, 0.5 / np.sqrt(0.25 / 2), 0.0, np.inf])
    assert_allclose(standardised_difference(second, first), -found)


def test_baseline_values_must_be_known():
    with pytest.raises(DesignError) as caught:
        standardised_difference(np.array([[1.0, np.nan]]), np.array([[1.0, 1.0], [np.inf, 2.0]]))
    assert [str(p) for p in caught.value.problems] == [
        "first: an arm needs two participants; found 1",
        "first, column 1: baseline variables are finite numbers",
        "second, column 0: baseline variables are finite numbers",
    ]
