"""Whole maps of p through `permute`: clusters, TFCE, v, F, blocks, each as PALM gives them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import UnitDesign, exchange_repeated, exchange_within
from phmri.inference import Volume, permute
from phmri.protocol import Inference

HERE = Path(__file__).parent
# PALM turns t into z, joins 26 neighbours into clusters and sums z over them; its TFCE, of z with
# 6 neighbours, takes 100 steps up to the maximum of each map.
CLUSTERS = Inference(
    method="cluster_mass", cluster_z=2.3, height="z", cluster_mass="height", seed=11
)
TFCE = Inference(method="tfce", height="z", seed=11)


@pytest.fixture(scope="module")
def palm():
    with np.load(HERE / "engine.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def twosample():
    with np.load(HERE / "perm_twosample.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def ancova():
    with np.load(HERE / "perm_ancova.npz") as file:
        return dict(file)


def make_design(X, contrast, *, exchangeability=None, variance_groups=None):
    free = exchange_within(np.zeros(len(X), dtype=np.int64))
    return UnitDesign(
        estimator="post",
        subjects=tuple(map(str, range(len(X)))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=contrast,
        voxelwise_baseline=False,
        exchangeability=exchangeability or free,
        notes=(),
        sentences=(),
        variance_groups=variance_groups,
    )


def repeated(subjects, effect):
    visits = [1, 2] * (len(subjects) // 2)
    return exchange_repeated(subjects.astype(str).tolist(), visits, effect=effect)


def run(design, Y, settings, mask, *, alternative="greater"):
    connectivity = 6 if settings.method == "tfce" else 26
    space = Volume(mask=mask, connectivity=connectivity)
    return permute(design, Y, None, settings, alternative=alternative, space=space)


def check_counts(pvalue, counts, n):
    assert_allclose(pvalue, counts / n, rtol=1e-9)


def check_steps(result, palm, name):
    """The integral against a sum of 100 steps: what they differ by moves few counts."""
    test, n = result.tests["tfce"], result.n_permutations
    null, wanted = palm[f"{name}_tfce_null"], palm[f"{name}_tfce_fwe"] / n
    assert_allclose(np.sort(test.null_maximum), np.sort(null), rtol=0.012)
    apart = np.abs(test.pvalue - wanted)
    assert apart.max() <= 0.045
    assert n * apart[wanted <= 0.05].max() <= 2.001


def check_random(pvalue, counts, n, n_ours=5000):
    """The largest of 3385 dependent normal errors, of both programs, stays below 4.5."""
    wanted = counts / n
    error = np.sqrt(wanted * (1 - wanted) * (1 / n + 1 / n_ours)) + 1 / n
    apart = np.abs(pvalue - wanted) / error
    assert apart.max() < 4.5
    assert (apart > 3).mean() < 0.01


def test_clusters_of_two_samples_all_252(palm, twosample):
    design = make_design(twosample["in_X"], twosample["in_C"][0])
    result = run(design, twosample["in_Y"], CLUSTERS, palm["mask"])
    assert (result.n_permutations, result.exhaustive) == (252, True)
    for method, name in (("cluster_extent", "extent"), ("cluster_mass", "mass")):
        check_counts(result.tests[method].pvalue, palm[f"twosample_{name}_fwe"], 252)
    assert_array_equal(result.pvalue_corrected, result.tests["cluster_mass"].pvalue)
    with np.load(HERE / "perm_twosample_clusters.npz") as file:
        wanted = {name: file[name] for name in file.files}
    # Extents are counts; masses are sums of z, which is read from a table good to 1e-6.
    for method, name, error in (
        ("cluster_extent", "extent_clustere", 0.0),
        ("cluster_mass", "mass_clusterm", 1e-7),
    ):
        test = result.tests[method]
        size = np.maximum(test.value, 0)
        assert_allclose(size, wanted[f"out_{name}_tstat"], rtol=error)
        null = np.sort(wanted[f"null_{name}_tstat_max"])
        assert_allclose(np.sort(test.null_maximum), null, rtol=error)


def test_tfce_of_two_samples_all_252(palm, twosample):
    design = make_design(twosample["in_X"], twosample["in_C"][0])
    result = run(design, twosample["in_Y"], TFCE, palm["mask"])
    wanted = palm["twosample_tfce"]
    value = np.maximum(result.tests["tfce"].value, 0)
    assert_allclose(value, wanted, atol=0.01 * wanted.max())
    check_steps(result, palm, "twosample")


def test_variances_of_their_own(palm, twosample):
    groups = np.arange(10) // 5
    assert_array_equal(twosample["in_X"][:, 0], groups == 0)
    even = make_design(twosample["in_X"], twosample["in_C"][0], variance_groups=groups)
    odd = make_design(
        palm["twosample_X6v4"], twosample["in_C"][0], variance_groups=palm["twosample_VG6v4"]
    )
    settings = Inference(statistic="v")
    for design, name, n in ((even, "twosample_v", 252), (odd, "twosample_v6v4", 210)):
        result = permute(design, twosample["in_Y"], None, settings, alternative="greater")
        assert (result.statistic_name, result.n_permutations) == ("v", n)
        assert_allclose(result.statistic[::10], palm[name], atol=1e-10)


@pytest.mark.parametrize("shuffled", ["visits", "signs"])
def test_pairs_all_256(palm, shuffled):
    if shuffled == "visits":
        within = repeated(palm["paired_EB"], "within")
        design = make_design(palm["paired_X"], palm["paired_C"][0], exchangeability=within)
        Y = palm["paired_Y"]
    else:
        with np.load(HERE / "perm_paired.npz") as file:
            Y = file["in_Y_difference"]
        flips = exchange_within(np.zeros(8, dtype=np.int64), kind="sign_flip")
        design = make_design(np.ones((8, 1)), np.ones(1), exchangeability=flips)
    result = run(design, Y, CLUSTERS, palm["mask"])
    assert result.n_permutations == 256
    check_counts(result.tests["voxel"].pvalue, palm["paired_fwe"], 256)
    check_counts(result.tests["cluster_mass"].pvalue, palm["paired_mass_fwe"], 256)
    check_counts(result.tests["cluster_extent"].pvalue, palm["paired_extent_fwe"], 256)
    check_steps(run(design, Y, TFCE, palm["mask"]), palm, "paired")


def test_pairs_beside_a_period_effect(palm):
    design = make_design(
        palm["paired_X_period"],
        palm["paired_C_period"][0],
        exchangeability=repeated(palm["paired_EB"], "within"),
    )
    result = permute(design, palm["paired_Y"], None, Inference(), alternative="greater")
    assert result.n_permutations == 256
    check_counts(result.pvalue_uncorrected, palm["paired_period_uncorrected"], 256)
    check_counts(result.pvalue_corrected, palm["paired_period_fwe"], 256)


def test_participants_as_whole_blocks_all_70(palm):
    between = repeated(palm["whole_EB"], "between")
    design = make_design(
        palm["whole_X"],
        palm["whole_C"][0],
        exchangeability=between,
        variance_groups=palm["whole_VG"],
    )
    result = run(design, palm["whole_Y"], CLUSTERS, palm["mask"])
    assert (result.n_permutations, result.exhaustive) == (70, True)
    check_counts(result.pvalue_uncorrected, palm["whole_uncorrected"], 70)
    check_counts(result.tests["voxel"].pvalue, palm["whole_fwe"], 70)
    check_counts(result.tests["cluster_mass"].pvalue, palm["whole_mass_fwe"], 70)
    check_steps(run(design, palm["whole_Y"], TFCE, palm["mask"]), palm, "whole")
    own = permute(design, palm["whole_Y"], None, Inference(statistic="v"), alternative="greater")
    assert own.n_permutations == 70
    assert_allclose(own.statistic[::10], palm["whole_v"], atol=1e-10)


def test_three_arms_and_a_covariate(palm, ancova):
    design = make_design(ancova["in_X"], ancova["in_C"][0])
    clusters = run(design, ancova["in_Y"], CLUSTERS, palm["mask"])
    assert (clusters.n_permutations, clusters.exhaustive) == (5000, False)
    check_random(clusters.tests["cluster_extent"].pvalue, palm["ancova_extent_fwe"], 5000)
    check_random(clusters.tests["cluster_mass"].pvalue, palm["ancova_mass_fwe"], 5000)
    tfce = run(design, ancova["in_Y"], TFCE, palm["mask"]).tests["tfce"]
    check_random(tfce.pvalue, palm["ancova_tfce_fwe"], 5000)


def test_two_contrasts_jointly(palm, ancova):
    design = make_design(ancova["in_X"], palm["ancova_F_rows"])
    clusters = run(design, ancova["in_Y"], CLUSTERS, palm["mask"], alternative="two-sided")
    assert (clusters.statistic_name, clusters.df1) == ("F", 2)
    assert_allclose(clusters.statistic[::10], palm["ancova_F"], atol=1e-10)
    check_random(clusters.pvalue_uncorrected, palm["ancova_F_uncorrected"], 2000)
    check_random(clusters.tests["voxel"].pvalue, palm["ancova_F_fwe"], 2000)
    check_random(clusters.tests["cluster_mass"].pvalue, palm["ancova_F_mass_fwe"], 2000)
    tfce = run(design, ancova["in_Y"], TFCE, palm["mask"]).tests["tfce"]
    check_random(tfce.pvalue, palm["ancova_F_tfce_fwe"], 2000)
