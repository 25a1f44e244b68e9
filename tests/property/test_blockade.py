"""What holds of every blockade, whatever the numbers."""

from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import JointEstimate
from phmri.group.blockade import KINDS, VERDICTS, fieller_interval, judge_blockade

L = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
effects = st.floats(-3.0, 3.0).map(lambda x: round(x, 3))
errors = st.floats(0.02, 1.0).map(lambda x: round(x, 3))
correlations = st.floats(-0.9, 0.9).map(lambda x: round(x, 2))
dfs = st.floats(2.0, 200.0)
margins = st.floats(0.01, 2.0)


trials = st.lists(
    st.tuples(effects, effects, errors, errors, correlations, dfs), min_size=1, max_size=4
)


def joint_of(outcomes):
    e1, e3, s1, s3, rho, df = np.array(outcomes).T
    parts = np.empty((df.size, 2, 2))
    parts[:, 0, 0], parts[:, 1, 1] = s1**2, s3**2
    parts[:, 0, 1] = parts[:, 1, 0] = rho * s1 * s3
    return JointEstimate(
        names=("drug", "pretreated", "difference"),
        effect=L @ np.stack([e1, e3]),
        covariance=L @ parts @ L.T,
        df=np.tile(df, (3, 1)),
        status=np.zeros(df.size, np.uint8),
    )


def scaled(joint, factor, order=None):
    order = np.arange(joint.status.size) if order is None else order
    return JointEstimate(
        names=joint.names,
        effect=factor * joint.effect[:, order],
        covariance=factor**2 * joint.covariance[order],
        df=joint.df[:, order],
        status=joint.status[order],
    )


@given(trials, margins, st.sampled_from([-4.0, 0.25, 32.0]))
def test_unit_and_sign_of_the_measure_do_not_matter(outcomes, margin, factor):
    joint = joint_of(outcomes)
    one = judge_blockade(joint, margin=margin)
    other = judge_blockade(scaled(joint, factor), margin=abs(factor) * margin)
    assert_array_equal(other.verdict, one.verdict)
    assert_allclose(other.conjunction_pvalue, one.conjunction_pvalue, rtol=1e-9)
    assert_allclose(other.attenuation.low, one.attenuation.low, rtol=1e-6, atol=1e-6)
    assert_array_equal(other.attenuation.kind, one.attenuation.kind)


@given(trials, margins)
def test_outcomes_do_not_know_of_each_other(outcomes, margin):
    joint = joint_of(outcomes)
    back = np.arange(joint.status.size)[::-1]
    one = judge_blockade(joint, margin=margin)
    other = judge_blockade(scaled(joint, 1.0, back), margin=margin)
    assert_array_equal(other.verdict, one.verdict[back])
    assert_array_equal(other.attenuation.high, one.attenuation.high[back])


@given(trials, margins)
def test_directions_mirror(outcomes, margin):
    joint = joint_of(outcomes)
    one = judge_blockade(joint, margin=margin, alternative="greater")
    other = judge_blockade(scaled(joint, -1.0), margin=margin, alternative="less")
    assert_array_equal(other.verdict, one.verdict)
    assert_allclose(other.conjunction_pvalue, one.conjunction_pvalue, rtol=1e-12)


@given(trials, margins, st.sampled_from(["two-sided", "greater", "less"]))
def test_verdicts_keep_their_evidence(outcomes, margin, alternative):
    joint = joint_of(outcomes)
    found = judge_blockade(joint, margin=margin, alternative=alternative)
    said = np.array(VERDICTS)[found.verdict]
    decided = said != "undecided"
    assert (found.drug.pvalue[decided] <= 0.05).all()
    less = np.isin(said, ["blocked", "partly blocked"])
    assert (found.conjunction_pvalue[less] <= 0.05).all()
    assert (found.remaining.pvalue[said == "blocked"] <= 0.05).all()
    assert (found.removed.pvalue[said == "not blocked"] <= 0.05).all()
    both = (found.remaining.pvalue <= 0.05) & (found.removed.pvalue <= 0.05)
    assert not decided[both].any()
    assert (found.conjunction_pvalue >= found.drug.pvalue * (1 - 1e-12)).all()
    assert (found.conjunction_pvalue >= found.difference.pvalue * (1 - 1e-12)).all()
    without = judge_blockade(joint, margin=None, alternative=alternative)
    assert not np.isin(np.array(VERDICTS)[without.verdict], ["blocked", "not blocked"]).any()


@settings(max_examples=200)
@given(effects, effects, errors, errors, correlations, dfs)
def test_fieller_sets_hold_their_estimate_and_are_nested(a, b, s_a, s_b, rho, df):
    assume(b != 0.0)
    values = [np.array([x]) for x in (a, b, s_a**2, s_b**2, rho * s_a * s_b)]
    levels = [fieller_interval(*values, df, level) for level in (0.5, 0.9, 0.99)]
    for found in levels:
        assert contains(found, found.estimate[0], slack=1e-9)
    order = [found.kind[0] for found in levels]
    assert order == sorted(order)
    for inner, outer in pairwise(levels):
        for end in (inner.low[0], inner.high[0]):
            assert not np.isfinite(end) or contains(outer, end, slack=1e-9)


def contains(found, value, slack):
    slack *= 1.0 + abs(value)
    inside = found.low[0] - slack <= value <= found.high[0] + slack
    if KINDS[found.kind[0]] != "complement":
        return inside
    return not found.low[0] + slack < value < found.high[0] - slack
