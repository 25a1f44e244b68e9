from dataclasses import replace
from functools import partial
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.group import UnitDesign, exchange_within, fit_contrast
from phmri.inference import Volume, match_estimate, permute, restrict_result
from phmri.inference._pvalues import pvalue_of_maximum, threshold_of
from phmri.protocol import Inference

SPACE = Volume(mask=np.ones((5, 4, 3), dtype=bool), connectivity=6)


def make_design(n=20, *, covariate=False, kind="permute"):
    X = np.repeat(np.eye(2), n // 2, axis=0) if kind == "permute" else np.ones((n, 1))
    if covariate:
        X = np.column_stack([X, np.linspace(-1, 1, n) ** 2])
    contrast = np.zeros(X.shape[1])
    contrast[:2] = [1.0, -1.0] if kind == "permute" else [1.0]
    return UnitDesign(
        estimator="post",
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=("x",) * n,
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=contrast,
        voxelwise_baseline=False,
        exchangeability=exchange_within(
            np.zeros(n, dtype=np.int64), kind=kind, words="Rows move."
        ),
        notes=(),
        sentences=(),
        variance_groups=np.arange(n) * 2 // n if kind == "permute" else None,
    )


def make_data(n=20, n_outcomes=60, effect=1.5):
    rng = np.random.default_rng(12)
    Y = rng.normal(size=(n, n_outcomes))
    Y[: n // 2, :20] += np.linspace(0, effect, 20)
    return Y


def ask(design=None, Y=None, **settings):
    settings = {"n_permutations": 500, "seed": 2} | settings
    return permute(
        design or make_design(),
        make_data() if Y is None else Y,
        None,
        Inference(**settings),
        space=SPACE,
    )


@pytest.mark.parametrize("tail", ["counts", "generalised_pareto", "gamma"])
@pytest.mark.parametrize("method", ["voxel", "tfce", "cluster_extent", "cluster_mass"])
def test_threshold_is_where_p_reaches_alpha(method, tail):
    result = ask(method=method, tail=tail, cluster_t=1.5, alpha=0.2)
    for test in result.tests.values():
        passed = np.abs(test.value) >= test.threshold
        assert_array_equal(passed, test.pvalue <= 0.2)
    test = result.tests[method]
    assert result.threshold == test.threshold < np.inf
    assert_array_equal(result.pvalue_corrected, test.pvalue)
    assert_array_equal(result.null_maximum, test.null_maximum)
    assert len(test.sentences) == 1 + (tail != "counts")


def test_corrections_compare_with_their_own_maxima():
    result = ask(method="tfce", cluster_t=1.5)
    for method, test in result.tests.items():
        assert test.method == method
        assert_allclose(test.null_maximum[0], np.abs(test.value).max(), rtol=1e-12)
        counted = (test.null_maximum[:, None] >= np.abs(test.value) * (1 - 1e-9)).mean(axis=0)
        assert_allclose(test.pvalue, counted, rtol=1e-12)
    extent = result.tests["cluster_extent"].value
    beyond = np.abs(result.statistic) > 1.5
    assert_array_equal(extent != 0, beyond)
    assert_array_equal(np.sign(extent), np.sign(result.statistic) * beyond)


def test_clusters_of_a_joint_test_are_formed_at_its_own_p():
    X = np.repeat(np.eye(4), 5, axis=0)
    joint = np.column_stack([np.ones(3), -np.eye(3)])
    design = replace(make_design(), X=X, columns=tuple("abcd"), contrast=joint)
    result = ask(design, method="cluster_extent", cluster_p=0.1)
    groups = np.split(make_data(), 4)
    F = stats.f_oneway(*groups)
    assert (result.statistic_name, result.df1) == ("F", 3)
    assert_allclose(result.statistic, F.statistic, rtol=1e-9)
    beyond = F.pvalue < 0.1
    assert 3 < beyond.sum() < 40
    assert_array_equal(result.tests["cluster_extent"].value > 0, beyond)


NULL = np.array([3.0, 5.0, 5.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(("alpha", "short"), [(0.2, 4.0), (0.3, 3.0), (0.35, 3.0), (0.4, 1.0)])
def test_threshold_is_just_above_the_last_maximum_that_does_not_pass(alpha, short):
    pvalue_of = partial(pvalue_of_maximum, null_maximum=NULL)
    threshold = threshold_of(pvalue_of, NULL, alpha)
    assert_allclose(threshold, short, rtol=1e-8)
    at, below = pvalue_of(np.array([threshold, short]))
    assert at <= alpha < below


def test_threshold_is_out_of_reach_with_too_few_shufflings():
    pvalue_of = partial(pvalue_of_maximum, null_maximum=NULL)
    assert threshold_of(pvalue_of, NULL, 0.05) == np.inf
    assert_allclose(pvalue_of(np.array([5.0, 4.5, 0.0])), [0.2, 0.2, 1.0])


def test_float32_maxima_count_within_their_margin():
    null = np.array([4.0, 4.0 - 1e-6, 3.0, 2.0])
    assert_allclose(pvalue_of_maximum(np.array([4.0]), null), 0.25)
    assert_allclose(pvalue_of_maximum(np.array([4.0]), null, margin=4e-6), 0.5)


def test_sequential_p_is_h_over_l():
    whole = ask(n_permutations=3000)
    result = ask(n_permutations=3000, stop_after=10)
    n = result.n_permutations
    assert 20 < n < 3000
    assert_array_equal(result.null_maximum, whole.null_maximum[:n])
    for t, p in zip(np.abs(result.statistic), result.pvalue_corrected, strict=True):
        reached = np.flatnonzero(whole.null_maximum[1:] >= t * (1 - 1e-9))
        assert p == 10 / (1 + reached[9])
    assert "10th shuffling" in result.tests["voxel"].sentences[-1]


def test_an_enumeration_is_counted_to_its_end():
    design, Y = make_design(12), make_data(12)
    whole = ask(design, Y, n_permutations=5000)
    early = ask(design, Y, n_permutations=5000, stop_after=10)
    assert early.n_permutations == whole.n_permutations == early.n_distinct == comb(12, 6)
    assert early.exhaustive
    assert_array_equal(early.pvalue_corrected, whole.pvalue_corrected)
    assert early.threshold == whole.threshold
    assert early.sentences == whole.sentences
    said = " ".join(early.sentences)
    assert "all 924 distinct permutations" in said
    assert "A test ends" not in said


def test_what_stops_early_is_not_called_exhaustive():
    result = ask(n_permutations=3000, stop_after=10)
    assert not result.exhaustive
    assert "distinct permutations" not in " ".join(result.sentences)


def test_a_test_that_is_never_reached_so_often_keeps_its_count():
    Y = make_data(effect=6.0)
    result = ask(Y=Y, stop_after=10)
    assert result.n_permutations == 500
    strongest = np.abs(result.statistic).argmax()
    assert result.pvalue_corrected[strongest] == ask(Y=Y).pvalue_corrected[strongest]


@pytest.mark.parametrize("tail", ["generalised_pareto", "gamma"])
def test_tails_are_near_counts_of_twenty_times_as_many(tail):
    design, Y = make_design(26), make_data(26, effect=2.2)
    counted = ask(design, Y, n_permutations=10_000).pvalue_corrected
    fitted = ask(design, Y, n_permutations=500, tail=tail).pvalue_corrected
    # A count of 500 expects 0.8 beyond the least p here, 0.0016; the fit is within a factor of 3.
    low = (counted < 0.1) & (counted > 1e-3)
    assert low.sum() >= 4
    assert np.abs(np.log(fitted[low] / counted[low])).max() < np.log(3)
    assert (np.diff(fitted[np.argsort(np.abs(counted))]) >= -0.05).all()


@pytest.mark.parametrize("tail", ["generalised_pareto", "gamma"])
def test_no_tail_goes_below_what_all_shufflings_could_give(tail):
    design, Y = make_design(14), make_data(14, effect=5.0)
    result = ask(design, Y, tail=tail)
    assert result.n_distinct == comb(14, 7)
    assert 1 / comb(14, 7) <= result.pvalue_corrected.min() < 1 / 500


@pytest.mark.parametrize("tail", ["generalised_pareto", "gamma"])
def test_nothing_is_fitted_where_all_shufflings_were_made(tail):
    design, Y = make_design(9, kind="sign_flip"), make_data(9)
    all_of_them = ask(design, Y, n_permutations=600)
    assert (all_of_them.n_permutations, all_of_them.exhaustive) == (512, True)
    tailed = ask(design, Y, n_permutations=600, tail=tail)
    assert_array_equal(tailed.pvalue_corrected, all_of_them.pvalue_corrected)
    assert tailed.sentences == all_of_them.sentences


@pytest.mark.parametrize("method", ["bh", "by"])
def test_false_discovery_rate_is_over_tested_outcomes(method):
    Y = make_data()
    Y[:, 7] = 1.0
    result = ask(Y=Y, fdr=method)
    rest = np.arange(60) != 7
    wanted = stats.false_discovery_control(result.pvalue_parametric[rest], method=method)
    assert_allclose(result.qvalue_fdr[rest], wanted, rtol=1e-12)
    assert result.qvalue_fdr[7] == 1


@pytest.mark.parametrize(
    ("settings", "covariate", "words"),
    [
        ({}, False, ("500 random permutations, the unshuffled data among them (seed 2)",)),
        ({}, True, ("permutations of residuals of the model without the contrast", "Freedman")),
        ({"nuisance": "draper_stoneman"}, True, ("permutations of labels", "Draper")),
        ({"nuisance": "ter_braak"}, True, ("residuals of the whole model", "ter Braak")),
        ({"n_permutations": 200_000}, False, ("all 184756 distinct permutations",)),
    ],
)
def test_methods_text_says_what_was_shuffled(settings, covariate, words):
    Y = make_data(n_outcomes=60)
    if "n_permutations" in settings:
        settings, design = {"n_permutations": 1000}, make_design(12)
        Y, words = make_data(12), ("all 924 distinct permutations",)
    else:
        design = make_design(covariate=covariate)
    text = " ".join(ask(design, Y, **settings).sentences)
    assert "Rows move." in text
    assert text.startswith("One residual variance was taken")
    assert all(word in text for word in words)
    assert ("of residuals" in text or "of labels" in text) == covariate
    assert "the maximum over all 60 outcomes" in text


def test_one_outcome_needs_no_correction_and_says_none():
    result = permute(make_design(), make_data()[:, 19:20], None, Inference(n_permutations=500))
    assert result.pvalue_corrected[0] == result.pvalue_uncorrected[0]
    assert not any("Family-wise" in sentence for sentence in result.sentences)


@pytest.mark.parametrize("statistic", ["t", "v"])
def test_outcomes_that_were_not_tested_are_left_out_together(statistic):
    design, Y = make_design(), make_data()
    noisy = Y.copy()
    noisy[:, 7] = np.where(np.arange(20) == 0, 1.0, 0.5)
    result = ask(design, noisy, statistic=statistic)
    tested = result.tested.copy()
    flat = noisy.copy()
    flat[:, 3] = 2.0
    result = ask(design, flat, statistic=statistic)
    assert_array_equal(np.flatnonzero(tested & ~result.tested), [3])
    estimate = fit_contrast(design, noisy)
    smaller, restricted = restrict_result(estimate, result)
    kept = np.flatnonzero(result.tested)
    assert_array_equal(smaller.effect, estimate.effect[kept])
    assert_array_equal(restricted.statistic, result.statistic[kept])
    assert_array_equal(restricted.pvalue_corrected, result.pvalue_corrected[kept])
    assert restricted.tested.all()
    assert restricted.df.size == restricted.qvalue_fdr.size == kept.size


def test_intervals_of_v_rest_on_welch():
    design = make_design()
    Y = make_data() * np.where(np.arange(20) < 10, 1.0, 3.0)[:, None]
    result = ask(design, Y, statistic="v")
    estimate = match_estimate(fit_contrast(design, Y), result)
    welch = stats.ttest_ind(Y[:10], Y[10:], equal_var=False)
    assert result.statistic_name == "v"
    assert_allclose(result.statistic, welch.statistic, rtol=1e-10)
    assert_allclose(estimate.df, welch.df, rtol=1e-10)
    interval = welch.confidence_interval()
    half = stats.t.ppf(0.975, estimate.df) * estimate.se
    assert_allclose(estimate.effect - half, interval.low, rtol=1e-9)
    plain = ask(design, Y)
    student = fit_contrast(design, Y)
    assert match_estimate(student, plain) is student
