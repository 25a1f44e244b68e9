from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group import JointEstimate
from phmri.group.blockade import conjunction_pvalue, contrast_test, equivalence_test

GIVEN = JointEstimate(
    names=("drug", "difference"),
    effect=np.array([[1.0, -1.0, 1.0, 0.0], [0.5, -0.5, -0.5, 0.5]]),
    covariance=np.repeat(np.diag([0.04, 0.09])[None], 4, axis=0),
    df=np.repeat(np.array([[20.0], [15.0]]), 4, axis=1),
    status=np.zeros(4, np.uint8),
)
STRONG = stats.t.cdf(5.0, 20)
WEAK = stats.t.sf(0.5 / 0.3, 15)


def test_conjunction_needs_both_in_one_direction():
    assert_allclose(conjunction_pvalue(GIVEN, "greater"), [WEAK, STRONG, 1 - WEAK, 0.5])
    assert_allclose(conjunction_pvalue(GIVEN, "less"), [STRONG, WEAK, STRONG, 1 - WEAK])
    assert_allclose(conjunction_pvalue(GIVEN), [2 * WEAK, 2 * WEAK, 1.0, 1.0])


def test_conjunction_without_its_contrasts():
    with pytest.raises(DesignError, match="difference"):
        conjunction_pvalue(replace(GIVEN, names=("drug", "pretreated")))


def test_equivalence_is_the_interval_inside_the_margin():
    rng = np.random.default_rng(3)
    effect, se = rng.normal(0, 0.3, 400), rng.uniform(0.05, 0.3, 400)
    df = rng.choice([8.0, 30.0, 100.5], 400)
    found = equivalence_test(effect, se, df, lower=-0.4, upper=0.6, alpha=0.05)
    inside = (found.low >= -0.4) & (found.high <= 0.6)
    assert 50 < inside.sum() < 350
    assert_array_equal(found.pvalue <= 0.05, inside)
    assert_allclose(found.pvalue, np.maximum(found.pvalue_lower, found.pvalue_upper))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lower": 0.5, "upper": -0.5}, "margin"),
        ({"upper": np.inf}, "margin"),
        ({"alpha": 0.5}, "alpha"),
        ({"se": np.array([0.0])}, "effect"),
        ({"se": np.array([np.nan])}, "effect, se"),
        ({"df": 0.0}, "effect"),
    ],
)
def test_equivalence_refuses(change, field):
    given = {"se": np.array([0.1]), "df": 10.0, "lower": -0.5, "upper": 0.5, "alpha": 0.05}
    given |= change
    with pytest.raises(DesignError) as error:
        equivalence_test(np.array([0.1]), given.pop("se"), given.pop("df"), **given)
    assert field in {p.field for p in error.value.problems}


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_contrast_agrees_with_scipy(alternative):
    rng = np.random.default_rng(5)
    y = rng.normal(0.4, 1.0, 14)
    theirs = stats.ttest_1samp(y, 0.0, alternative=alternative)
    se = np.array([y.std(ddof=1) / np.sqrt(14)])
    ours = contrast_test(np.array([y.mean()]), se, np.array([13.0]), 0.9, alternative)
    assert_allclose(ours.pvalue, theirs.pvalue, rtol=1e-12)
    both = stats.ttest_1samp(y, 0.0).confidence_interval(0.9)
    assert_allclose([ours.low[0], ours.high[0]], both, rtol=1e-12)
