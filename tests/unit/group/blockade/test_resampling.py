import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group.blockade import bootstrap_interval, resample_units

STRATA = ("KET",) * 6 + ("PLA",) * 4
Y = np.random.default_rng(2).exponential(size=10)


def mean(rows):
    return np.array([Y[rows].mean()])


def test_participants_stay_in_their_stratum():
    drawn = resample_units(STRATA, n_resamples=100, seed=3)
    assert drawn.shape == (100, 10)
    assert set(drawn[:, :6].ravel()) == set(range(6))
    assert set(drawn[:, 6:].ravel()) == {6, 7, 8, 9}


def test_more_resamples_leave_the_first_as_they_were():
    few = resample_units(STRATA, n_resamples=100, seed=3)
    assert_array_equal(resample_units(STRATA, n_resamples=150, seed=3)[:100], few)
    assert (resample_units(STRATA, n_resamples=100, seed=4) != few).any()


def test_agrees_with_scipy_bca():
    drawn = resample_units(("",) * 10, n_resamples=4000, seed=1)
    found = bootstrap_interval(mean, drawn)
    theirs = stats.bootstrap((Y,), np.mean, n_resamples=4000, method="BCa", rng=1)
    assert_allclose([found.low[0], found.high[0]], theirs.confidence_interval, atol=0.03)
    assert_allclose(found.sd, theirs.standard_error, rtol=0.05)


def test_outcomes_are_treated_alike():
    drawn = resample_units(STRATA, n_resamples=200, seed=1)
    both = bootstrap_interval(lambda rows: np.array([Y[rows].mean(), -Y[rows].mean()]), drawn)
    one = bootstrap_interval(mean, drawn)
    assert_allclose(both.low[0], one.low[0])
    assert_allclose(both.percentile_low[1], -both.percentile_high[0])
    assert_allclose(both.acceleration[1], -both.acceleration[0])


def test_percentiles_are_of_type_6():
    values = np.arange(100.0)
    drawn = np.tile(np.arange(100)[:, None], (1, 3))

    def statistic(rows):
        return np.array(
            [
                values[rows[0]]
                if len(rows) == 3 and len(set(rows)) == 1
                else 40.0 + len(set(rows)) + rows[0]
            ]
        )

    found = bootstrap_interval(statistic, drawn, confidence=0.9)
    want = np.quantile(values, [0.05, 0.95], method="weibull")
    assert_allclose([found.percentile_low[0], found.percentile_high[0]], want)


@pytest.mark.parametrize(
    ("statistic", "words"),
    [
        (lambda rows: np.array([np.nan if rows[0] else 1.0]), "not finite"),
        (lambda rows: np.array([float(len(set(rows)) == 10)]), "one side of the estimate"),
        (lambda rows: np.array([float(len(set(rows)) < 9)]), "no participant changes"),
    ],
)
def test_statistics_that_give_no_interval(statistic, words):
    drawn = resample_units(STRATA, n_resamples=100, seed=1)
    with pytest.raises(DesignError, match=words):
        bootstrap_interval(statistic, drawn)


def test_resampling_refuses():
    with pytest.raises(DesignError) as error:
        resample_units((*STRATA, "LTG"), n_resamples=50, seed=1)
    assert {p.field for p in error.value.problems} == {"strata", "n_resamples"}
