from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group import JointEstimate
from phmri.group.blockade import KINDS, attenuation, fieller_interval, persistence


def ratio(a, b, v_a, v_b, v_ab, df=20.0, confidence=0.95):
    return fieller_interval(
        *(np.array([x], float) for x in (a, b, v_a, v_b, v_ab)), df, confidence
    )


def two(names, effect, covariance, df=(30.0, 30.0)):
    return JointEstimate(
        names=names,
        effect=np.array(effect, float)[:, None],
        covariance=np.array(covariance, float)[None],
        df=np.array(df)[:, None],
        status=np.zeros(1, np.uint8),
    )


@pytest.mark.parametrize("args", [(1, 2, 0.04, 0.09, 0.01), (0.5, 0.4, 0.04, 0.05, 0.02)])
def test_ends_are_where_the_t_test_just_rejects(args):
    a, b, v_a, v_b, v_ab = args
    found = ratio(*args)
    for end in (found.low[0], found.high[0]):
        t = (a - end * b) / np.sqrt(v_a - 2 * end * v_ab + end**2 * v_b)
        assert_allclose(abs(t), stats.t.ppf(0.975, 20), rtol=1e-10)


def test_bounded_exactly_where_the_denominator_differs_from_zero():
    critical = stats.t.ppf(0.975, 20)
    kinds = [KINDS[ratio(0.5, t, 1, 1, 0.5).kind[0]] for t in (critical + 1e-6, critical - 1e-6)]
    assert kinds == ["bounded", "complement"]


def test_half_line_at_the_very_edge():
    critical = stats.t.ppf(0.975, 20)
    b = np.sqrt(critical**2)
    found = ratio(5.0, b, 1.0, 1.0, 0.0)
    assert KINDS[found.kind[0]] in {"bounded", "complement"}
    exact = (25.0 - critical**2) / (2.0 * 5.0 * b)
    assert min(abs(found.low[0] - exact), abs(found.high[0] - exact)) < 1e-9


def test_whole_line_has_infinite_ends():
    found = ratio(0.1, 0.2, 0.05, 0.05, 0.0)
    assert KINDS[found.kind[0]] == "whole_line"
    assert (found.low[0], found.high[0]) == (-np.inf, np.inf)


def test_a_denominator_of_zero():
    found = ratio(1.0, 0.0, 0.04, 0.04, 0.0)
    assert np.isinf(found.estimate[0])
    assert np.isinf(found.g[0])
    assert KINDS[found.kind[0]] == "complement"
    assert_allclose(found.low, -found.high)


def test_outcomes_without_an_estimate_stay_without():
    values = np.full((5, 2), [[1.0], [2.0], [0.1], [0.1], [0.0]])
    values[:, 1] = np.nan
    found = fieller_interval(*values, np.array([20.0, np.nan]), 0.95)
    assert [KINDS[k] for k in found.kind] == ["bounded", "none"]
    assert np.isnan([found.low[1], found.high[1], found.estimate[1], found.g[1]]).all()


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ((np.nan, 1, 1, 1, 0), "ratio"),
        ((1, np.inf, 1, 1, 0), "ratio"),
        ((1, 1, -1, 1, 0), "numerator"),
        ((1, 1, 1, 0, 0), "denominator"),
        ((1, 1, 1, 1, 1.1), "covariance"),
        ((1, 1, 1, 1, 0, 0.0), "numerator"),
        ((1, 1, 1, 1, 0, 5.0, 1.0), "confidence"),
    ],
)
def test_misuse_is_refused(args, field):
    with pytest.raises(DesignError) as error:
        ratio(*args)
    assert field in {p.field for p in error.value.problems}


def test_attenuation_mirrors_the_ratio():
    joint = two(("drug", "pretreated"), (2.0, 0.5), [[0.09, 0.03], [0.03, 0.09]], (30.0, 12.0))
    found = attenuation(joint, 0.9)
    left = ratio(0.5, 2.0, 0.09, 0.09, 0.03, 30.0, 0.9)
    assert_allclose(found.estimate, 75.0)
    assert_allclose(found.low, 100.0 * (1.0 - left.high))
    assert_allclose(found.high, 100.0 * (1.0 - left.low))
    assert_allclose(found.g, left.g)


def test_persistence_takes_the_smaller_df_unless_the_difference_has_its_own():
    given = two(("early", "late"), (2.0, 0.5), [[0.09, 0.03], [0.03, 0.09]], (30.0, 12.0))
    found = persistence(given)
    assert_allclose(found.waning.df, 12.0)
    assert_allclose(found.waning.effect, 1.5)
    assert_allclose(found.waning.se, np.sqrt(0.12))
    assert_allclose(found.ratio.estimate, 0.25)
    covariance = np.zeros((1, 3, 3))
    covariance[:, :2, :2] = given.covariance
    third = replace(
        given,
        names=("early", "late", "difference"),
        effect=np.array([[2.0], [0.5], [1.5]]),
        covariance=covariance,
        df=np.array([[30.0], [12.0], [21.0]]),
    )
    assert_allclose(persistence(third).waning.df, 21.0)


def test_persistence_names_what_is_missing():
    with pytest.raises(DesignError, match="late"):
        persistence(two(("early", "later"), (2.0, 0.5), np.eye(2)))


def test_attenuation_refuses_a_confidence_in_percent():
    with pytest.raises(DesignError, match="confidence"):
        attenuation(two(("drug", "pretreated"), (2.0, 0.5), np.eye(2)), 95.0)
