from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

import phmri.group.blockade
from phmri.exceptions import DesignError
from phmri.group import JointEstimate
from phmri.group.blockade import VERDICTS, explain, judge_blockade

L = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])


def joint(drug, pretreated, se=0.1, df=70.0):
    """Two contrasts with a shared reference: equal variances, correlation one half."""
    effect = L @ np.array([drug, pretreated], float)
    one = se**2 * L @ np.array([[1.0, 0.5], [0.5, 1.0]]) @ L.T
    n = effect.shape[1]
    return JointEstimate(
        names=("drug", "pretreated", "difference"),
        effect=effect,
        covariance=np.repeat(one[None], n, axis=0),
        df=np.full((3, n), df),
        status=np.zeros(n, np.uint8),
    )


def verdicts(found):
    return [VERDICTS[code] for code in found.verdict]


CASES = {
    "blocked": (1.0, 0.0, "blocked"),
    "blocked, of a negative effect": (-1.0, 0.05, "blocked"),
    "half": (1.0, 0.5, "partly blocked"),
    "reversed": (1.0, -1.0, "partly blocked"),
    "not blocked": (1.0, 1.0, "not blocked"),
    "a little larger": (1.0, 1.05, "not blocked"),
    "larger": (1.0, 2.0, "undecided"),
    "no drug effect": (0.0, 0.0, "undecided"),
    "nothing shown": (0.3, 0.15, "undecided"),
}


@pytest.mark.parametrize("case", CASES)
def test_rules(case):
    drug, pretreated, verdict = CASES[case]
    assert verdicts(judge_blockade(joint([drug], [pretreated]), margin=0.3)) == [verdict]


def test_significance_pattern_alone_is_never_blocked():
    # Of e1 at p .04 and e3 at p .06, and of every other such pair, nothing follows.
    drug, pretreated = np.meshgrid(np.linspace(0.2, 1.0, 33), np.linspace(-0.19, 0.19, 39))
    given = joint(drug.ravel(), pretreated.ravel(), se=0.1)
    found = judge_blockade(given, margin=None)
    pattern = (found.drug.pvalue < 0.05) & (found.pretreated.pvalue > 0.05)
    assert pattern.all()
    assert set(verdicts(found)) == {"undecided", "partly blocked"}
    # With a margin that is below what remains even at its best, too.
    narrow = judge_blockade(given, margin=0.1)
    assert "blocked" not in verdicts(narrow)
    close = judge_blockade(joint([0.205], [0.195]), margin=0.4)
    assert close.drug.pvalue[0] < 0.05 < close.pretreated.pvalue[0]
    assert verdicts(close) == ["undecided"]
    assert "too wide" in explain(close)[0]


def test_without_a_margin_neither_end_is_said():
    found = judge_blockade(joint([1.0, 1.0, 1.0], [0.0, 0.5, 1.0]), margin=None)
    assert verdicts(found) == ["partly blocked", "partly blocked", "undecided"]
    assert found.remaining is None
    assert found.removed is None


def test_a_margin_too_wide_for_the_effect_decides_nothing():
    given = joint([0.5], [0.25], se=0.05)
    assert verdicts(judge_blockade(given, margin=0.2)) == ["partly blocked"]
    found = judge_blockade(given, margin=0.6)
    assert verdicts(found) == ["undecided"]
    assert "too wide" in explain(found)[0]


def test_a_small_but_certain_reduction_is_not_blocked():
    found = judge_blockade(joint([1.0], [0.9], se=0.02), margin=0.3)
    assert verdicts(found) == ["not blocked"]
    assert "A reduction was shown, but it is smaller than the margin." in explain(found)


def test_one_sided_question_knows_its_direction():
    given = joint([1.0, -1.0], [0.0, 0.0])
    assert verdicts(judge_blockade(given, margin=0.3, alternative="greater")) == [
        "blocked",
        "undecided",
    ]
    assert verdicts(judge_blockade(given, margin=0.3, alternative="less")) == [
        "undecided",
        "blocked",
    ]


def test_what_was_not_fitted_is_undecided():
    given = joint([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    effect, covariance = given.effect.copy(), given.covariance.copy()
    effect[:, 2], covariance[2] = np.nan, np.nan
    given = replace(
        given, effect=effect, covariance=covariance, status=np.array([1, 2, 3], np.uint8)
    )
    found = judge_blockade(given, margin=0.3)
    assert verdicts(found) == ["blocked", "undecided", "undecided"]
    assert np.isnan(found.drug.pvalue[2])
    assert np.isnan(found.attenuation.low[2])
    assert np.isnan(found.remaining.pvalue[2])
    assert np.isfinite(found.attenuation.low[1])
    assert "did not converge" in explain(found, index=1)[0]
    assert explain(found, index=2)[0] == "Undecided: the data give no estimate here."


def test_pvalues_are_never_zero():
    found = judge_blockade(joint([1e6], [0.0], se=1e-6, df=5e6), margin=1.0)
    assert found.drug.pvalue[0] > 0.0
    assert found.conjunction_pvalue[0] > 0.0
    assert found.remaining.pvalue[0] > 0.0


def test_all_mistakes_are_told_at_once():
    with pytest.raises(DesignError) as error:
        judge_blockade(joint([1.0], [0.0]), margin=-1.0, alpha=0.7, confidence=95.0)
    assert {p.field for p in error.value.problems} == {"margin", "alpha", "confidence"}


def test_a_difference_that_is_none_is_refused():
    given = joint([1.0], [0.2])
    effect = given.effect.copy()
    effect[2] = 0.5
    with pytest.raises(DesignError, match="not the drug's effect minus"):
        judge_blockade(replace(given, effect=effect), margin=0.3)


@pytest.mark.parametrize("part", ["effect", "covariance", "df"])
def test_nan_of_a_fitted_outcome_is_refused(part):
    given = joint([1.0, 1.0], [0.2, 0.2])
    values = getattr(given, part).copy()
    values[0] = np.nan
    with pytest.raises(DesignError, match="not finite"):
        judge_blockade(replace(given, **{part: values}), margin=0.3)


def test_missing_contrasts_are_named():
    given = replace(joint([1.0], [0.2]), names=("drug", "pretreated", "other"))
    with pytest.raises(DesignError, match="difference"):
        judge_blockade(given, margin=0.3)


def test_zero_variance_is_refused():
    given = joint([1.0], [0.2])
    with pytest.raises(DesignError, match="variance of an effect must be positive"):
        judge_blockade(replace(given, covariance=0.0 * given.covariance), margin=0.3)


def test_the_code_of_an_empty_map_claims_nothing():
    assert VERDICTS[0] == "undecided"
    assert sorted(VERDICTS) == ["blocked", "not blocked", "partly blocked", "undecided"]


def test_sentences_of_a_blockade():
    found = judge_blockade(joint([1.0], [0.0]), margin=0.3)
    said = explain(found, drug="ketamine", pretreatment="lamotrigine")
    assert said[0] == (
        "Blocked: ketamine had an effect, less of it remained after lamotrigine, and what "
        "remained lies within the margin of ±0.3."
    )
    assert said[1].startswith("Effect of ketamine 1 (0.801 to 1.2), of it after lamotrigine 0 ")
    assert said[2].startswith("Removed were 100 % of the effect (95 % set: ")
    assert said[3].startswith("This design has no arm with lamotrigine alone")
    with_arm = judge_blockade(joint([1.0], [0.0]), margin=0.3, pretreatment_alone=True)
    assert len(explain(with_arm)) == 3


SENTENCES = {
    "no effect": (0.1, 0.0, 0.3, 0, "nothing whose blockade could be judged"),
    "larger": (1.0, 2.0, 0.3, 0, "larger, not smaller"),
    "no margin": (1.0, 1.0, None, 0, "cannot be said without a margin"),
    "open": (0.4, 0.3, 0.15, 0, "nor that any change lies within"),
    "reversed": (1.0, -1.0, 0.3, 1, "points the other way"),
    "remainder": (3.0, 0.25, 0.6, 1, "Something remained"),
    "wide": (0.5, 0.0, 0.3, 1, "The margin is 60 % of the effect that was found"),
    "pattern": (0.3, 0.15, 0.15, 2, "no part in the verdict [doi:10.1038/nn.2886]"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_reasons(case):
    drug, pretreated, margin, place, words = SENTENCES[case]
    said = explain(judge_blockade(joint([drug], [pretreated]), margin=margin))
    assert words in said[place]


def test_a_percentage_is_a_headline_only_where_the_effect_is_certain():
    sure = explain(judge_blockade(joint([0.5], [0.25]), margin=None))
    assert any(s.startswith("Removed were 50 %") for s in sure)
    unsure = explain(judge_blockade(joint([0.25], [0.1]), margin=None))
    assert not any("Removed were" in s for s in unsure)
    assert any(s.startswith("The percentage removed cannot be given") for s in unsure)
    hopeless = explain(judge_blockade(joint([0.01], [0.1]), margin=None))
    assert any("set is every percentage" in s or "everything outside" in s for s in hopeless)


def test_no_such_outcome():
    with pytest.raises(DesignError, match="no such outcome"):
        explain(judge_blockade(joint([1.0], [0.0]), margin=0.3), index=1)


def test_public_names():
    names = phmri.group.blockade.__all__
    assert_array_equal(names, sorted(names, key=lambda n: (not n.isupper(), n[0].islower(), n)))
    assert all(hasattr(phmri.group.blockade, name) for name in names)


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_sentences_hang_on_the_error_rate_and_not_on_the_width_of_intervals(confidence):
    """The pretreated effect is larger; p of the difference is 0.077, and 0.02 twice as far."""
    for left, is_larger in ((0.68, False), (0.74, True)):
        found = joint([0.5], [left])
        difference = judge_blockade(found, margin=None).difference
        p = 2 * stats.t.sf(abs(difference.effect / difference.se), difference.df)[0]
        assert (p <= 0.05) == is_larger
        said = explain(judge_blockade(found, margin=None, alpha=0.05, confidence=confidence))
        assert ("larger, not smaller" in said[0]) == is_larger
