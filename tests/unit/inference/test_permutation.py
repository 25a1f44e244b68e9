from dataclasses import replace
from math import comb, factorial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import phmri.inference
from phmri.exceptions import DesignError, InferenceError
from phmri.group import UnitDesign, exchange_within, fit_contrast
from phmri.inference import count_shufflings, permute
from phmri.inference._kernel import shuffled_products
from phmri.inference._permutation import permute_with
from phmri.inference._pvalues import (
    benjamini_hochberg,
    parametric_pvalue,
    pvalue_of_maximum,
    threshold_of_maximum,
)
from phmri.inference._shuffling import make_shufflings
from phmri.protocol import Inference


def make_design(X, contrast, *, blocks=None, estimator="post"):
    X = np.asarray(X, dtype=float)
    return UnitDesign(
        estimator=estimator,
        subjects=tuple(f"{k:02d}" for k in range(len(X))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.asarray(contrast, dtype=float),
        voxelwise_baseline=estimator == "ancova",
        exchangeability=exchange_within(
            np.zeros(len(X), dtype=np.int64) if blocks is None else np.asarray(blocks),
            kind="sign_flip" if estimator == "paired" else "permute",
        ),
        notes=(),
        sentences=(),
    )


def two_groups(*sizes, **options):
    return make_design(np.repeat(np.eye(len(sizes)), sizes, axis=0), [1, -1], **options)


def brute_force(design, Y, B, shufflings):
    """Freedman-Lane, written as the paper does: residuals of the null model, full refits."""
    t = np.empty((len(shufflings.order), Y.shape[1]))
    for v in range(Y.shape[1]):
        full = design.X if B is None else np.column_stack([design.X, B[:, v]])
        c = design.contrast if B is None else np.append(design.contrast, 0)
        null = full - np.outer(full @ c, c) / (c @ c)
        fitted = null @ np.linalg.lstsq(null, Y[:, v], rcond=None)[0]
        inverse = np.linalg.inv(full.T @ full)
        for k, (order, sign) in enumerate(zip(shufflings.order, shufflings.sign, strict=True)):
            y = fitted + sign * (Y[:, v] - fitted)[order]
            b = inverse @ full.T @ y
            s2 = ((y - full @ b) ** 2).sum() / (len(y) - full.shape[1])
            t[k, v] = c @ b / np.sqrt(s2 * c @ inverse @ c)
    return t


@pytest.mark.parametrize("case", ["ancova", "covariate", "held", "paired"])
def test_statistics_equal_refits_of_the_whole_model(case):
    rng = np.random.default_rng(8)
    Y, B = rng.normal(size=(2, 15, 6))
    arms = np.eye(3)[np.arange(15) % 3]
    X = np.column_stack([arms, rng.normal(size=15)])
    blocks = np.where(arms[:, 2] > 0, -1, np.arange(15) // 8)
    if case == "paired":
        design = make_design(np.column_stack([np.ones(15), X[:, 3]]), [1, 0], estimator="paired")
    elif case == "held":
        design = make_design(arms, [1, -1, 0], blocks=blocks)
    else:
        estimator = "ancova" if case == "ancova" else "post"
        design = make_design(X, [1, -1, 0, 0], blocks=blocks, estimator=estimator)
    baseline = B if case == "ancova" else None
    (shufflings,) = make_shufflings(design, 40, seed=1, exhaustive=False)
    wanted = brute_force(design, Y, baseline, shufflings)
    counted = permute_with(
        design,
        Y,
        baseline,
        iter([shufflings]),
        alternative="greater",
        n_threads=1,
        on_batch=None,
    )
    assert_allclose(counted.statistic, wanted[0], rtol=1e-9)
    assert_allclose(counted.statistic, fit_contrast(design, Y, baseline).t, rtol=1e-9)
    assert_allclose(counted.maximum, wanted.max(axis=1), rtol=1e-9)
    assert_array_equal(counted.count, (wanted >= wanted[0] - 1e-9).sum(axis=0))


def test_kernel_sums_products_of_shuffled_rows():
    rng = np.random.default_rng(0)
    for n_units in (3, 4, 11):
        left, right = rng.normal(size=(2, n_units, 9))
        order = np.array([rng.permutation(n_units) for _ in range(5)])
        out = np.full((5, 9), np.nan)
        shuffled_products(left, right, order, out)
        assert_allclose(out, np.einsum("iv,kiv->kv", left, right[order]), rtol=1e-12)


def test_counts_of_distinct_shufflings():
    assert count_shufflings(two_groups(5, 7)) == comb(12, 5)
    assert count_shufflings(two_groups(3, 3, blocks=[0, 0, 1, 0, 1, 1])) == 9
    held = make_design(
        np.repeat(np.eye(3), [3, 3, 4], axis=0), [1, -1, 0], blocks=[0] * 6 + [-1] * 4
    )
    assert count_shufflings(held) == comb(6, 3)
    assert count_shufflings(make_design(np.ones((9, 1)), [1], estimator="paired")) == 512
    with_covariate = make_design(np.column_stack([two_groups(3, 3).X, np.arange(6)]), [1, -1, 0])
    assert count_shufflings(with_covariate) == factorial(6)
    assert count_shufflings(two_groups(3, 3, estimator="ancova")) == factorial(6)


@pytest.mark.parametrize("blocks", [[0] * 6, [0, 0, 1, 0, 1, 1], [0, 0, 0, 0, -1, -1]])
def test_enumeration_is_complete_distinct_and_starts_with_the_identity(blocks):
    design = two_groups(3, 3, blocks=blocks)
    n_distinct = count_shufflings(design)
    found = np.vstack(
        [s.order for s in make_shufflings(design, n_distinct, seed=0, exhaustive=True, chunk=4)]
    )
    assert_array_equal(found[0], np.arange(6))
    labels = {tuple(np.argsort(order) < 3) for order in found}
    assert len(labels) == len(found) == n_distinct
    held = np.asarray(blocks) < 0
    assert (found[:, held] == np.flatnonzero(held)).all()


def test_drawn_shufflings_depend_on_seed_and_number_only():
    design = two_groups(6, 6, blocks=[0, 1] * 6)
    whole = next(make_shufflings(design, 20, seed=3, exhaustive=False))
    cut = np.vstack(
        [s.order for s in make_shufflings(design, 20, seed=3, exhaustive=False, chunk=6)]
    )
    other = next(make_shufflings(design, 20, seed=4, exhaustive=False))
    assert_array_equal(whole.order, cut)
    assert (whole.order[1:] != other.order[1:]).any()
    assert_array_equal(whole.order % 2, np.tile(np.arange(12) % 2, (20, 1)))


def test_one_sided_counts_add_up():
    design = make_design(np.ones((7, 1)), [1], estimator="paired")
    Y = np.random.default_rng(2).normal(size=(7, 10))
    settings = Inference(n_permutations=128)
    above = permute(design, Y, None, settings, alternative="greater")
    below = permute(design, Y, None, settings, alternative="less")
    assert above.exhaustive
    assert_allclose(above.pvalue_uncorrected + below.pvalue_uncorrected, 1 + 1 / 128)


def test_progress_adds_up_and_settings_are_used():
    design = two_groups(8, 8)
    Y = np.random.default_rng(2).normal(size=(16, 3))
    done = []
    result = permute(design, Y, None, Inference(n_permutations=1200), on_batch=done.append)
    assert sum(done) == result.n_permutations == 1200
    assert len(done) == 3
    assert (result.n_distinct, result.exhaustive) == (comb(16, 8), False)
    assert "1200 random permutations" in result.sentences[0]
    other = permute(design, Y, None, Inference(n_permutations=1200, seed=1))
    assert (other.null_maximum != result.null_maximum).any()


def test_permutation_p_is_close_to_the_parametric_one_for_normal_errors():
    design = two_groups(20, 20)
    Y = np.random.default_rng(2).normal(size=(40, 50))
    result = permute(design, Y, None, Inference(n_permutations=2000))
    assert_allclose(result.pvalue_uncorrected, result.pvalue_parametric, atol=0.045)


def test_too_few_shufflings_leave_no_threshold():
    design = two_groups(2, 2)
    Y = np.random.default_rng(2).normal(size=(4, 3))
    result = permute(design, Y, None, Inference(n_permutations=100))
    assert result.threshold == np.inf
    assert result.pvalue_corrected.min() >= 2 / 6 - 1e-12


def test_refusals():
    design = two_groups(4, 4)
    Y = np.random.default_rng(2).normal(size=(8, 3))
    with pytest.raises(InferenceError, match="n_threads"):
        permute(design, Y, None, Inference(), n_threads=0)
    with pytest.raises(DesignError, match="not finite"):
        permute(design, np.where(Y > 1, np.nan, Y) + np.nan, None, Inference())
    with pytest.raises(DesignError, match="needs a baseline"):
        permute(replace(design, voxelwise_baseline=True), Y, None, Inference())


def test_benjamini_hochberg_equals_scipy():
    p = np.random.default_rng(0).uniform(size=200) ** 2
    assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-12)


def test_parametric_p_is_never_zero():
    t = np.array([0.0, 2.0, -1e6, 1e30])
    for alternative in ("two-sided", "greater", "less"):
        p = parametric_pvalue(t, 70.0, alternative)
        assert p.min() > 0
        assert p.max() <= 1


@pytest.mark.parametrize(("alpha", "short"), [(0.2, 4.0), (0.3, 3.0), (0.35, 3.0), (0.4, 1.0)])
def test_threshold_is_where_p_reaches_alpha(alpha, short):
    null = np.array([3.0, 5.0, 5.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    threshold = threshold_of_maximum(null, alpha, 20.0)
    assert_allclose(threshold, short, rtol=1e-8)
    at, below = pvalue_of_maximum(np.array([threshold, short]), null, 20.0)
    assert at <= alpha < below


def test_threshold_is_out_of_reach_with_too_few_shufflings():
    null = np.array([3.0, 5.0, 5.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert threshold_of_maximum(null, 0.1, 20.0) == np.inf
    assert_allclose(pvalue_of_maximum(np.array([5.0, 4.5, 0.0]), null, 20.0), [0.2, 0.2, 1.0])


def test_public_names():
    assert phmri.inference.__all__ == [
        "Claim",
        "Outcomes",
        "Peak",
        "PermutationResult",
        "claim_from_dict",
        "claim_to_dict",
        "count_shufflings",
        "find_peaks",
        "make_claim",
        "make_refusal",
        "permute",
        "sequence_note",
    ]
    assert all(hasattr(phmri.inference, name) for name in phmri.inference.__all__)
