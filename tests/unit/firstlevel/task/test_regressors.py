import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel import canonical_response, task_regressors


def regress(onset, duration, kinds, conditions, n=40):
    return task_regressors(
        np.array(onset, float),
        np.array(duration, float),
        kinds,
        conditions=conditions,
        t_r=2.0,
        n_volumes=n,
    )


def test_response_sums_to_one_and_peaks_near_five_seconds():
    response = canonical_response(2.0)
    assert response.sum() == pytest.approx(1.0)
    assert response.argmax() * 2.0 / 16 == pytest.approx(5.0, abs=0.25)


def test_other_conditions_are_left_out():
    both, names = regress([4, 20], [5, 5], ["a", "b"], ["a"])
    alone, _ = regress([4], [5], ["a"], ["a"])
    np.testing.assert_allclose(both, alone)
    assert names == ("task_a",)


def test_events_add_up():
    one, _ = regress([4], [5], ["a"], ["a"])
    two, _ = regress([30], [5], ["a"], ["a"])
    both, _ = regress([4, 30], [5, 5], ["a", "a"], ["a"])
    np.testing.assert_allclose(both, one + two, atol=1e-12)


def test_a_long_block_reaches_its_plateau_and_ends_with_the_scan():
    X, _ = regress([0], [500], ["a"], ["a"])
    assert X[-1, 0] == pytest.approx(1.0, abs=1e-6)


def test_every_fault_is_told():
    with pytest.raises(FirstLevelError) as caught:
        regress([90, 5, np.nan, -9], [1, -1, 1, 1], ["a", "a", "a", "a"], ["a", "z"])
    told = str(caught.value)
    assert len(caught.value.problems) == 5
    for text in ("no event", "after the end", "negative", "no finite", "before the scan"):
        assert text in told
