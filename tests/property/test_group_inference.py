from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import UnitTable, fit_contrast, make_outcome, make_unit_design
from phmri.inference import permute
from phmri.inference.statistics import _statistics as statistics
from phmri.protocol import Crossover, Inference, Parallel, Question

QUICK = settings(max_examples=15, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)
SETTINGS = Inference(n_permutations=200)
ESTIMATORS = st.sampled_from(["ancova", "change", "post", "crossover", "paired"])


def make_trial(estimator, seed, order=None):
    """Give design, outcome and baseline of a small random trial, participants in any order."""
    rng = np.random.default_rng(seed)
    n = 8 if estimator in {"change", "post", "crossover", "paired"} else 6
    crossover = estimator in {"crossover", "paired"}
    names = ("AB", "BA") if estimator == "crossover" else ("A", "B")
    groups = [names[k % 2] for k in range(n)]
    if estimator == "paired":
        groups = ["unknown"] * n
    images = rng.normal(size=(2, n, 5))
    order = np.arange(n) if order is None else np.argsort(order)[:n]
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in order),
        groups=tuple(groups[k] for k in order),
        strata=("",) * n,
        covariates={},
    )
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session=None if crossover else "s",
        baseline="b" if estimator in {"ancova", "change"} else None,
        estimator="crossover" if crossover else estimator,
    )
    if crossover:
        trial = Crossover(
            kind="crossover",
            sequences={"AB": {"treatments": ("A", "B")}, "BA": {"treatments": ("B", "A")}},
            order="unknown" if estimator == "paired" else "recorded",
        )
        roles = ("first", "second")
    else:
        trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("A", "B")})
        roles = ("outcome", "baseline")
    design = make_unit_design(question, trial, table)
    given_images = dict(zip(roles, images[:, order], strict=True))
    baseline = given_images["baseline"] if estimator == "ancova" else None
    return design, make_outcome(design, given_images), baseline


@QUICK
@given(estimator=ESTIMATORS, seed=SEEDS, order=st.permutations(range(8)))
def test_order_of_participants_does_not_matter(estimator, seed, order):
    n = 6 if estimator == "ancova" else 8
    results = []
    for turn in (None, [k for k in order if k < n]):
        design, Y, baseline = make_trial(estimator, seed, turn)
        shuffled = permute(design, Y, baseline, Inference(n_permutations=1000))
        assert shuffled.exhaustive
        results.append((fit_contrast(design, Y, baseline), shuffled))
    (one, p_one), (two, p_two) = results
    assert_allclose(one.t, two.t, rtol=1e-9, atol=1e-12)
    assert_array_equal(p_one.pvalue_uncorrected, p_two.pvalue_uncorrected)
    assert_array_equal(p_one.pvalue_corrected, p_two.pvalue_corrected)


@QUICK
@given(estimator=ESTIMATORS, seed=SEEDS, scale=st.floats(1e-3, 1e3))
def test_sign_and_scale(estimator, seed, scale):
    design, Y, baseline = make_trial(estimator, seed)
    one, other = fit_contrast(design, Y, baseline), fit_contrast(design, -scale * Y, baseline)
    assert_allclose(other.t, -one.t, rtol=1e-8, atol=1e-10)
    assert_allclose(other.d, -one.d, rtol=1e-8, atol=1e-10)
    assert_allclose(other.effect, -scale * one.effect, rtol=1e-8, atol=1e-10 * scale)
    p_one = permute(design, Y, baseline, SETTINGS, alternative="greater")
    p_other = permute(design, -scale * Y, baseline, SETTINGS, alternative="less")
    assert_array_equal(p_one.pvalue_uncorrected, p_other.pvalue_uncorrected)
    assert_array_equal(p_one.pvalue_corrected, p_other.pvalue_corrected)


@QUICK
@given(
    estimator=st.sampled_from(["ancova", "change", "post", "crossover"]),
    seed=SEEDS,
    shift=st.floats(-100, 100),
)
def test_a_constant_added_to_all_does_not_matter(estimator, seed, shift):
    design, Y, baseline = make_trial(estimator, seed)
    one, other = fit_contrast(design, Y, baseline), fit_contrast(design, Y + shift, baseline)
    assert_allclose(other.t, one.t, rtol=1e-7, atol=1e-9)


@QUICK
@given(estimator=ESTIMATORS, seed=SEEDS)
def test_p_values_keep_their_bounds(estimator, seed):
    design, Y, baseline = make_trial(estimator, seed)
    Y[:, 0] += 1e6 * (design.X @ design.contrast)  # an effect beyond doubt
    result = permute(design, Y, baseline, SETTINGS)
    least = 1 / result.n_permutations
    for pvalue in (result.pvalue_uncorrected, result.pvalue_corrected):
        assert pvalue.min() >= least * (1 - 1e-12)
        assert pvalue.max() <= 1
    assert (result.pvalue_corrected >= result.pvalue_uncorrected).all()
    assert result.pvalue_parametric.min() > 0
    assert (result.qvalue_fdr >= result.pvalue_parametric * (1 - 1e-12)).all()
    assert len(result.null_maximum) == result.n_permutations
    if np.isfinite(result.threshold):
        assert (result.null_maximum >= result.threshold).mean() <= SETTINGS.alpha


@pytest.mark.parametrize("estimator", ["ancova", "crossover", "paired"])
def test_cuts_between_blocks_of_outcomes_change_no_p_value(estimator, monkeypatch):
    design, Y, baseline = make_trial(estimator, 3)
    rng = np.random.default_rng(1)
    Y = np.tile(Y, (1, 20)) + rng.normal(size=(len(Y), 100))
    baseline = None if baseline is None else np.tile(baseline, (1, 20))
    whole = permute(design, Y, baseline, SETTINGS)
    monkeypatch.setattr(statistics, "OUTCOMES", 7)
    cut = permute(design, Y, baseline, SETTINGS)
    assert_array_equal(whole.pvalue_uncorrected, cut.pvalue_uncorrected)
    assert_array_equal(whole.pvalue_corrected, cut.pvalue_corrected)
    assert_allclose(whole.null_maximum, cut.null_maximum, rtol=1e-11)


@QUICK
@given(seed=SEEDS)
def test_baseline_scale_and_shift_do_not_matter(seed):
    design, Y, baseline = make_trial("ancova", seed)
    one = fit_contrast(design, Y, baseline)
    other = fit_contrast(design, Y, 7.0 - 3.0 * baseline)
    assert_allclose(other.t, one.t, rtol=1e-8, atol=1e-10)


@QUICK
@given(seed=SEEDS)
def test_swapping_the_contrast_swaps_the_sign(seed):
    design, Y, baseline = make_trial("ancova", seed)
    swapped = replace(design, contrast=-design.contrast)
    one, other = fit_contrast(design, Y, baseline), fit_contrast(swapped, Y, baseline)
    assert_allclose(other.effect, -one.effect, rtol=1e-10)
    assert_allclose(other.se, one.se, rtol=1e-10)
