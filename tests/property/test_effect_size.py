import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group import Estimate, effect_size_interval


def interval(t, df, confidence):
    one = np.ones(1)
    estimate = Estimate(effect=t * one, se=one, t=t * one, df=float(df), d=t * one)
    return effect_size_interval(estimate, confidence)


@pytest.mark.parametrize("df", [1, 3, 17, 70])
@pytest.mark.parametrize("t", [1e-9, 0.5, 4.999, 5.001, 12.0, 20.0])
def test_the_ends_leave_the_tails_that_they_say(df, t):
    low, high = interval(t, df, 0.95)
    assert stats.nct.sf(t, df, low) == pytest.approx(0.025, abs=2e-6)
    assert stats.nct.cdf(t, df, high) == pytest.approx(0.025, abs=2e-6)
    assert_allclose(interval(-t, df, 0.95), (-high, -low), rtol=1e-12)


@pytest.mark.parametrize("df", [17, 70])
@pytest.mark.parametrize("t", [1e4, 1e6, 1e9])
def test_an_effect_without_visible_error_has_an_interval(df, t):
    # Then t S = delta + Z is t S = delta: the interval is that of the standard deviation.
    wanted = t * np.sqrt(stats.chi2.ppf([0.025, 0.975], df) / df)
    assert_allclose(interval(t, df, 0.95), wanted, rtol=1e-3)
