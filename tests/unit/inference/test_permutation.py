from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import phmri.inference
from phmri.exceptions import InferenceError
from phmri.group import UnitDesign, exchange_repeated, exchange_within
from phmri.inference import Graph, Volume, make_source, permute
from phmri.inference._pvalues import parametric_pvalue
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


def noise(n, n_outcomes, seed=2):
    return np.random.default_rng(seed).normal(size=(n, n_outcomes))


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
def test_maxima_and_counts_equal_refits_of_the_whole_model(case):
    Y, B = np.random.default_rng(8).normal(size=(2, 15, 6))
    arms = np.eye(3)[np.arange(15) % 3]
    X = np.column_stack([arms, np.linspace(-1, 1, 15) ** 3])
    blocks = np.where(arms[:, 2] > 0, -1, np.arange(15) // 8)
    if case == "paired":
        design = make_design(np.column_stack([np.ones(15), X[:, 3]]), [1, 0], estimator="paired")
    elif case == "held":
        design = make_design(arms, [1, -1, 0], blocks=blocks)
    else:
        estimator = "ancova" if case == "ancova" else "post"
        design = make_design(X, [1, -1, 0, 0], blocks=blocks, estimator=estimator)
    baseline = B if case == "ancova" else None
    settings = Inference(n_permutations=100)
    result = permute(design, Y, baseline, settings, alternative="greater")
    source = make_source(design, settings)
    t = brute_force(design, Y, baseline, source.take(range(100)))
    assert_allclose(result.statistic, t[0], rtol=1e-9)
    assert_allclose(result.null_maximum, t.max(axis=1), rtol=1e-9)
    single = (t >= t[0] - 1e-9).mean(axis=0)
    family = (t.max(axis=1)[:, None] >= t[0] - 1e-9).mean(axis=0)
    assert_allclose(result.pvalue_uncorrected, single, rtol=1e-12)
    assert_allclose(result.pvalue_corrected, family, rtol=1e-12)
    assert (result.n_distinct, result.exhaustive) == (source.n_distinct, False)
    assert result.shufflings_key == source.key


def test_one_sided_counts_add_up():
    design = make_design(np.ones((7, 1)), [1], estimator="paired")
    Y = noise(7, 10)
    settings = Inference(n_permutations=128)
    above = permute(design, Y, None, settings, alternative="greater")
    below = permute(design, Y, None, settings, alternative="less")
    assert above.exhaustive
    assert_allclose(above.pvalue_uncorrected + below.pvalue_uncorrected, 1 + 1 / 128)


def test_states_add_up():
    design, Y = two_groups(8, 8), noise(16, 3)
    states = []
    settings = Inference(n_permutations=1200)
    result = permute(design, Y, None, settings, batch=500, on_batch=states.append)
    assert [state.n_done for state in states] == [512, 1024, 1200]
    assert_allclose(states[-1].exceeded / 1200, result.pvalue_uncorrected)
    assert_array_equal(states[-1].maxima[:, 0], result.null_maximum)
    assert_array_equal(states[0].maxima, states[-1].maxima[:512])
    assert len({state.key for state in states}) == 1
    other = permute(design, Y, None, Inference(n_permutations=1200, seed=1))
    assert (other.null_maximum != result.null_maximum).any()


def test_permutation_p_is_close_to_the_parametric_one_for_normal_errors():
    result = permute(two_groups(20, 20), noise(40, 50), None, Inference(n_permutations=2000))
    assert_allclose(result.pvalue_uncorrected, result.pvalue_parametric, atol=0.045)


def test_parametric_p_is_never_zero():
    t = np.array([0.0, 2.0, -1e6, 1e30])
    for alternative in ("two-sided", "greater", "less"):
        p = parametric_pvalue(t, np.full(4, 70.0), alternative)
        assert p.min() > 0
        assert p.max() <= 1


def test_no_p_is_below_one_shuffling_however_strong_the_effect():
    design = two_groups(10, 10)
    Y = noise(20, 4) + 1e6 * design.X[:, :1]
    result = permute(design, Y, None, Inference(n_permutations=100))
    assert_allclose(result.pvalue_corrected, 1 / 100)
    assert result.pvalue_parametric.min() > 0


@pytest.mark.parametrize(
    ("design", "alpha", "smallest"),
    [
        (two_groups(2, 2), 0.05, "0.333"),  # 6 splits; each has its mirror
        (two_groups(2, 3), 0.05, "0.1"),  # 10 splits
        (make_design(np.ones((5, 1)), [1], estimator="paired"), 0.05, "0.0625"),
        (two_groups(9, 9), 0.005, "0.01"),  # 100 of 48620 were asked for
    ],
)
def test_too_few_shufflings_are_refused_with_the_smallest_p(design, alpha, smallest):
    settings = Inference(n_permutations=100, alpha=alpha)
    with pytest.raises(InferenceError, match=f"smallest attainable p is {smallest};"):
        permute(design, noise(len(design.X), 3), None, settings)


def test_one_sided_questions_reach_half_the_p():
    design = make_design(np.ones((5, 1)), [1], estimator="paired")
    Y = noise(5, 3) + 100
    result = permute(design, Y, None, Inference(), alternative="greater")
    assert_allclose(result.pvalue_corrected, 1 / 32)
    assert result.threshold <= result.statistic.min()


VOLUME = Volume(mask=np.ones((3, 3, 3), dtype=bool))
LINE = Graph(starts=np.array([0, 1, 2]), neighbours=np.array([1, 0]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"n_threads": 0, "batch": 0}, "too few n_threads.*\n?.*too few batch"),
        ({"space": VOLUME}, r"another number of outcomes.*27 \(mask of shape \(3, 3, 3\)\).*3"),
        ({"space": LINE}, "another number of outcomes.*found 2; expected 3"),
        ({"settings": {"method": "tfce"}}, "needs outcomes with neighbours"),
        ({"settings": {"method": "cluster_mass", "cluster_z": 3}}, "outcomes with neighbours"),
        ({"settings": {"method": "fdr"}}, "this method does not shuffle"),
        ({"settings": {"method": "random_field"}}, "this method does not shuffle"),
        ({"Y": np.full((8, 3), np.nan)}, r"not finite.*24 in participants 00, 01, 02, 03, 04"),
        ({"Y": np.ones((8, 3))}, "the outcome is the same in every participant"),
        ({"Y": noise(7, 3)}, "another shape than rows x outcomes"),
        ({"baseline": noise(8, 3)}, "does not take a baseline"),
        ({"design": replace(two_groups(4, 4), voxelwise_baseline=True)}, "needs a baseline"),
        ({"design": replace(two_groups(4, 4), contrast=np.zeros(2))}, "cannot be estimated"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_one_error(changed, words):
    given = {"design": two_groups(4, 4), "Y": noise(8, 3), "baseline": None} | changed
    settings = Inference(**given.pop("settings", {}))
    with pytest.raises(InferenceError, match=f"(?s){words}"):
        permute(given.pop("design"), given.pop("Y"), given.pop("baseline"), settings, **given)


def test_participants_of_unequal_visits_cannot_change_places():
    tree = exchange_repeated(["a", "a", "b", "b", "c", "c"], [1, 2] * 3, effect="between")
    design = make_design(np.column_stack([np.ones(6), np.arange(6) // 2 == 0]), [0, 1])
    levels = tree.levels.copy()
    levels[3, 0] = levels[4, 0]  # the second visit of b becomes a third of c
    levels[3, 1] = 2
    unequal = replace(design, exchangeability=replace(tree, levels=levels))
    with pytest.raises(InferenceError, match="hold different rows; found 02, 04"):
        permute(unequal, noise(6, 3), None, Inference(alpha=0.5))


def test_public_names():
    assert phmri.inference.__all__ == [
        "UNSHUFFLED",
        "Alternative",
        "Claim",
        "Cluster",
        "CorrectedTest",
        "Graph",
        "InferenceResult",
        "MapCorrelations",
        "Outcomes",
        "Peak",
        "PermutationState",
        "Places",
        "ShufflingSource",
        "Space",
        "Volume",
        "adjust_by_graph",
        "adjust_pvalues",
        "associate_maps",
        "claim_from_dict",
        "claim_to_dict",
        "cluster_threshold",
        "correct_jointly",
        "find_clusters",
        "find_extrema",
        "find_peaks",
        "format_interval",
        "format_p",
        "infer",
        "judge_estimate",
        "make_alpha_graph",
        "make_claim",
        "make_edge_graph",
        "make_refusal",
        "make_source",
        "match_estimate",
        "permute",
        "region_pairs",
        "restrict_result",
        "sequence_note",
        "smallest_pvalue",
    ]
    assert all(hasattr(phmri.inference, name) for name in phmri.inference.__all__)
