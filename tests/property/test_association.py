"""What no correlation, rank test, reliability or prediction may depend on."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.group.association import Ridge, correlate, correlate_repeated, predict_across_folds
from phmri.group.ranks import brunner_munzel, wilcoxon_mann_whitney
from phmri.group.reliability import crossed_components, intraclass_correlation

seeds = st.integers(0, 2**32 - 1)
slopes = st.floats(0.01, 100.0)
shifts = st.floats(-100.0, 100.0)
few = settings(max_examples=25, deadline=None)
GROUPS = ("A", "B", "C", "B") * 5


def trial(seed):
    rng = np.random.default_rng(seed)
    score = rng.standard_normal(20)
    return rng.standard_normal((20, 4)) + 0.3 * score[:, None], score, rng


@few
@given(seeds, slopes, shifts, st.sampled_from(["pearson", "spearman"]))
def test_units_and_the_order_of_participants_do_not_count(seed, slope, shift, method):
    outcomes, score, rng = trial(seed)
    order = rng.permutation(20)
    found = correlate(outcomes, score, method=method, groups=GROUPS)
    again = correlate(
        slope * outcomes[order] + shift,
        score[order] / slope - shift,
        method=method,
        groups=tuple(np.array(GROUPS)[order]),
    )
    assert_allclose(again.r, found.r, rtol=1e-6, atol=1e-9)
    assert_allclose(again.slopes.f, found.slopes.f, rtol=1e-5, atol=1e-7)
    turned = correlate(-outcomes, score, method=method, groups=GROUPS)
    assert_allclose(turned.r, -found.r, rtol=1e-9, atol=1e-12)
    assert np.all((found.low <= found.r) & (found.r <= found.high))
    assert np.all((found.pvalue > 0) & (found.pvalue <= 1))


@few
@given(seeds, slopes, shifts, st.sampled_from(["pearson", "spearman"]))
def test_within_persons_neither_units_nor_what_persons_differ_in_count(seed, slope, shift, method):
    outcomes, score, rng = trial(seed)
    people = tuple(f"p{k // 4}" for k in range(20))
    order = rng.permutation(20)
    found = correlate_repeated(outcomes, score, people, method=method)
    again = correlate_repeated(
        slope * outcomes[order] + shift,
        score[order] / slope - shift,
        tuple(np.array(people)[order]),
        method=method,
    )
    assert_allclose(again.within.r, found.within.r, rtol=1e-6, atol=1e-9)
    assert_allclose(again.between.r, found.between.r, rtol=1e-6, atol=1e-9)
    if method == "pearson":
        moved = np.repeat(rng.normal(0, 10, 5), 4)
        apart = correlate_repeated(outcomes + moved[:, None], score - moved, people)
        assert_allclose(apart.within.r, found.within.r, rtol=1e-6, atol=1e-9)
        own = (np.arange(20)[:, None] // 4 == np.arange(5)).astype(float)
        left = [v - own @ (own.T @ v) / 4 for v in (outcomes, score[:, None])]
        assert_allclose(found.within.r[0], np.corrcoef(left[0][:, 0], left[1][:, 0])[0, 1])


@few
@given(seeds, shifts, shifts)
def test_what_whole_arms_differ_in_does_not_count(seed, first, second):
    outcomes, score, _ = trial(seed)
    moved = np.array([{"A": 0.0, "B": first, "C": second}[group] for group in GROUPS])
    found = correlate(outcomes, score, groups=GROUPS)
    again = correlate(outcomes + moved[:, None], score - 2 * moved, groups=GROUPS)
    assert_allclose(again.r, found.r, rtol=1e-6, atol=1e-9)
    assert_allclose(again.slopes.f, found.slopes.f, rtol=1e-5, atol=1e-7)


@few
@given(seeds, slopes, shifts, st.sampled_from([None, 2]))
def test_a_prediction_does_not_depend_on_units(seed, slope, shift, n_selected):
    features, score, _ = trial(seed)
    folds = np.arange(20) % 4
    model = Ridge(n_selected=n_selected)
    found = predict_across_folds(features, score, folds, model=model)
    again = predict_across_folds(
        slope * features + shift, slope * score - shift, folds, model=model
    )
    assert_allclose(again.r2, found.r2, rtol=1e-6, atol=1e-9)
    assert_allclose(again.predicted, slope * found.predicted - shift, rtol=1e-6, atol=1e-6)
    assert found.r2 <= 1


@few
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
    st.lists(st.integers(0, 6), min_size=2, max_size=12),
)
def test_ranks_see_the_order_of_scores_alone(first, second):
    if len({*first, *second}) == 1:
        return
    one, two = np.array(first, dtype=float), np.array(second, dtype=float)
    found = wilcoxon_mann_whitney(one, two)
    bent = wilcoxon_mann_whitney(np.exp(one), np.exp(two))
    assert (bent.z, bent.pvalue_exact) == (found.z, found.pvalue_exact)
    assert 0 < found.pvalue_exact <= 1
    assert found.low <= found.shift <= found.high
    assert 0 <= brunner_munzel(one, two).probability <= 1


@few
@given(seeds, slopes, shifts)
def test_reliability_has_no_unit_and_no_order(seed, slope, shift):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((9, 3, 2)) + rng.standard_normal((9, 1, 2))
    found = intraclass_correlation(values)
    order = rng.permutation(9)
    again = intraclass_correlation(slope * values[order][:, ::-1] + shift)
    assert_allclose(again.icc, found.icc, rtol=1e-6, atol=1e-8)
    assert_allclose(again.low, found.low, rtol=1e-6, atol=1e-8)
    components = crossed_components(values)
    for part in (components.participant, components.session, components.residual):
        assert np.all(part >= 0)
