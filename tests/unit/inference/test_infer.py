"""Every method through `infer`: handed on, or judged by a known distribution."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats
from scipy.special import gammaln

from phmri.exceptions import InferenceError
from phmri.group import UnitDesign, exchange_within, fit_contrast
from phmri.inference import Graph, Places, Volume, find_clusters, infer, permute
from phmri.protocol import Inference

SHAPE = (16, 14, 12)
MASK = np.ones(SHAPE, dtype=bool)
MASK[:2, :3] = MASK[7, 7, 7] = False
SPACE = Volume(mask=MASK, connectivity=18)
N, DF = 24, 22.0
BLOB = (slice(9, 13), slice(4, 8), slice(4, 8))


def make_design(**changed):
    design = UnitDesign(
        estimator="post",
        subjects=tuple(f"{k:02d}" for k in range(N)),
        groups=tuple("AB"[k % 2] for k in range(N)),
        X=np.column_stack([np.arange(N) % 2 == 0, np.arange(N) % 2]).astype(float),
        columns=("A", "B"),
        contrast=np.array([1.0, -1]),
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(N, dtype=np.int64)),
        notes=(),
        sentences=(),
    )
    return replace(design, **changed)


@pytest.fixture(scope="module", name="Y")
def smooth_outcome():
    """Smooth noise of FWHM 3.5 voxels, with one effect."""
    noise = np.random.default_rng(21).normal(size=(N, *SHAPE))
    smooth = ndimage.gaussian_filter(noise, 1.5, axes=(1, 2, 3))
    smooth /= smooth.std()
    smooth[::2][:, *BLOB] += 2.5
    return smooth[:, MASK]


def place(condition):
    """Give the outcomes of a part of the volume."""
    part = np.zeros(SHAPE, dtype=bool)
    part[condition] = True
    return part[MASK]


def unmask(values):
    part = np.zeros(SHAPE, dtype=bool)
    part[MASK] = values
    return part


def peak_p(t, resels, n_voxels):
    """Worsley's densities of the t field, and Bonferroni where it is smaller."""
    log_two, power = 4 * np.log(2), (1 + t**2 / DF) ** (-(DF - 1) / 2)
    gamma = np.exp(gammaln((DF + 1) / 2) - gammaln(DF / 2)) / np.sqrt(DF / 2)
    density = np.array(
        [
            stats.t.sf(t, DF),
            np.sqrt(log_two) / (2 * np.pi) * power,
            log_two / (2 * np.pi) ** 1.5 * gamma * t * power,
            log_two**1.5 / (2 * np.pi) ** 2 * ((DF - 1) / DF * t**2 - 1) * power,
        ]
    )
    return np.minimum(-np.expm1(-resels @ density), n_voxels * density[0])


def test_methods_that_shuffle_are_handed_on(Y):
    settings = Inference(n_permutations=100, method="voxel")
    states = []
    found = infer(make_design(), Y, None, settings, n_threads=2, batch=64, on_batch=states.append)
    wanted = permute(make_design(), Y, None, settings)
    assert_array_equal(found.pvalue_corrected, wanted.pvalue_corrected)
    assert_array_equal(found.null_maximum, wanted.null_maximum)
    assert found.random_field is None
    again = infer(make_design(), Y, None, settings, resume=states[0])
    assert_array_equal(again.null_maximum, wanted.null_maximum)


@pytest.mark.parametrize("rate", ["bh", "by"])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_false_discovery_rate_shuffles_nothing(Y, rate, alternative):
    settings = Inference(method="fdr", fdr=rate)
    result = infer(make_design(), Y, None, settings, alternative=alternative)
    p = stats.ttest_ind(Y[::2], Y[1::2], alternative=alternative).pvalue
    assert_allclose(result.pvalue_parametric, p, rtol=1e-8)
    q = stats.false_discovery_control(p, method=rate)
    assert_allclose(result.pvalue_corrected, q, rtol=1e-8)
    assert (result.n_permutations, result.shufflings_key, list(result.tests)) == (0, "", ["fdr"])
    oriented = {"less": -1, "greater": 1}.get(alternative, np.sign(result.statistic))
    passed = oriented * result.statistic >= result.threshold
    assert_array_equal(passed, result.pvalue_corrected <= 0.05)
    assert passed.any() == (alternative != "less")


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_random_field_p_is_that_of_the_expected_euler_characteristic(Y, alternative):
    Y = -Y if alternative == "less" else Y
    settings = Inference(method="random_field")
    result = infer(make_design(), Y, None, settings, alternative=alternative, space=SPACE)
    field = result.random_field
    assert_allclose(field.smoothness.fwhm_voxels, 3.5, atol=0.5)
    sides = 2 if alternative == "two-sided" else 1
    t = result.statistic * {"less": -1.0, "greater": 1.0}.get(alternative, 1.0)
    t = np.abs(t) if sides == 2 else t
    high = t > 3
    wanted = peak_p(t, field.smoothness.resels, MASK.sum())
    if sides == 2:
        assert (result.pvalue_corrected[high] <= 2 * wanted[high] * (1 + 1e-9)).all()
        assert_allclose(result.pvalue_corrected[t > 6], 2 * wanted[t > 6], rtol=0.01)
    else:
        assert_allclose(result.pvalue_corrected[high], wanted[high], rtol=1e-9)
    assert_array_equal(t >= result.threshold, result.pvalue_corrected <= 0.05)
    assert (result.n_permutations, result.method) == (0, "random_field")
    assert list(result.tests) == ["fdr", "random_field"]
    peaks = field.peaks
    assert peaks.outcome.size
    assert_array_equal(peaks.height, result.statistic[peaks.outcome])
    assert_array_equal(np.sign(peaks.z), np.sign(peaks.height))
    assert place(BLOB)[t >= result.threshold].mean() > 0.5
    assert (t >= result.threshold).sum() > 10
    assert any("one-sided p of 0.001" in sentence for sentence in result.sentences)


def test_a_small_volume_is_searched_with_the_smoothness_of_all(Y):
    settings = Inference(method="random_field")
    whole = infer(make_design(), Y, None, settings, space=SPACE)
    searched = place((slice(6, 14), slice(2, 10), slice(2, 10)))
    small = infer(make_design(), Y, None, settings, space=SPACE, searched=searched)
    assert_array_equal(small.tested, searched)
    assert (small.pvalue_corrected[~searched] == 1).all()
    high = searched & (np.abs(whole.statistic) > 3)
    assert high.sum() > 20
    assert (small.pvalue_corrected[high] < whole.pvalue_corrected[high]).all()
    assert small.threshold < whole.threshold
    q = stats.false_discovery_control(small.pvalue_parametric[searched])
    assert_allclose(small.qvalue_fdr[searched], q, rtol=1e-12)
    assert (small.qvalue_fdr[~searched] == 1).all()
    assert_array_equal(small.tests["fdr"].pvalue, small.qvalue_fdr)
    found = small.qvalue_fdr <= 0.05
    assert small.tests["fdr"].threshold == np.abs(small.statistic[found]).min()
    fields = small.random_field, whole.random_field
    assert_array_equal(fields[0].smoothness.fwhm_voxels, fields[1].smoothness.fwhm_voxels)
    assert fields[0].pvalue.size == searched.sum()
    with pytest.raises(InferenceError, match="no voxel in common"):
        infer(make_design(), Y, None, settings, space=SPACE, searched=np.zeros_like(searched))


def test_outcomes_that_do_not_vary_are_outside_the_field(Y):
    flat = Y.copy()
    hole = place((slice(0, 3), slice(10, 12), slice(0, 3)))
    flat[:, hole] = 1.0
    smaller = Volume(mask=MASK & ~unmask(hole), connectivity=18)
    settings = Inference(method="random_field")
    found = infer(make_design(), flat, None, settings, space=SPACE)
    wanted = infer(make_design(), Y[:, ~hole], None, settings, space=smaller)
    assert_array_equal(found.tested, ~hole)
    assert_allclose(found.pvalue_corrected[~hole], wanted.pvalue_corrected, rtol=1e-9)
    assert (found.pvalue_corrected[hole] == 1).all()


def test_a_voxel_without_any_difference_is_still_searched():
    rng = np.random.default_rng(2)
    volume = Volume(mask=np.ones((6, 6, 6), dtype=bool))
    Y = ndimage.gaussian_filter(rng.normal(size=(N, 6, 6, 6)), 1.2, axes=(1, 2, 3)).reshape(N, 216)
    even = np.repeat([1.0, -1, 2, -2, 3, -3], 4)
    Y[:, 100] = even * np.tile([1, 1, -1, -1], 6)
    result = infer(make_design(), Y, None, Inference(method="random_field"), space=volume)
    assert abs(result.statistic[100]) < 1e-12
    assert result.random_field.smoothness.n_voxels == 216


def test_clusters_of_shuffled_maps_are_judged_by_random_fields_too(Y):
    settings = Inference(method="cluster_extent", cluster_p=0.001, n_permutations=100)
    result = infer(make_design(), Y, None, settings, space=SPACE)
    alone = infer(make_design(), Y, None, Inference(method="random_field"), space=SPACE)
    assert_array_equal(result.random_field.pvalue, alone.random_field.pvalue)
    clusters = result.random_field.clusters
    assert_array_equal(clusters.pvalue, alone.random_field.clusters.pvalue)
    extent = np.abs(result.tests["cluster_extent"].value)
    assert_array_equal(np.append(0, clusters.extent)[clusters.label], extent)
    assert result.method == "cluster_extent"
    assert_allclose(result.pvalue_corrected[place(BLOB)].min(), 1 / 100)
    assert set(result.random_field.assumptions) <= set(result.sentences)


@pytest.mark.parametrize(
    "changed",
    [
        {"height": "z"},
        {"statistic": "rank"},
        {"method": "tfce", "cluster_p": None},
    ],
)
def test_no_random_field_where_it_does_not_apply(Y, changed):
    settings = {"method": "cluster_extent", "cluster_p": 0.01, "n_permutations": 100} | changed
    part = Volume(mask=np.ones((4, 4, 4), dtype=bool))
    result = infer(make_design(), Y[:, :64], None, Inference(**settings), space=part)
    assert result.random_field is None
    assert not any("andom field" in sentence for sentence in result.sentences)


def test_a_field_that_cannot_be_judged_says_why_and_keeps_the_shuffled_p(Y):
    line = Volume(mask=np.ones((64, 1, 1), dtype=bool))
    line.mask[::2] = False
    settings = Inference(method="cluster_extent", cluster_p=0.01, n_permutations=100)
    result = infer(make_design(), Y[:, :32], None, settings, space=line)
    assert result.random_field is None
    assert result.sentences[-1].startswith("Random field theory could not be applied")
    assert result.pvalue_corrected.min() >= 1 / 100


GRAPH = Graph(starts=np.array([0, 1, 2]), neighbours=np.array([1, 0]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"space": GRAPH}, "random field theory needs voxels"),
        ({"space": None}, "random field theory needs voxels"),
        ({"design": make_design(contrast=np.eye(2))}, "statistic t"),
        ({"Y": np.ones((N, 2))}, "the outcome is the same in every participant"),
        ({"Y": np.full((N, 2), np.nan)}, "not finite"),
    ],
)
def test_random_fields_refuse_what_they_cannot_judge(changed, words):
    Y = np.random.default_rng(1).normal(size=(N, 2))
    given = {
        "design": make_design(),
        "Y": Y,
        "space": Volume(mask=np.ones((2, 1, 1), dtype=bool)),
    } | changed
    settings = Inference(method="random_field")
    with pytest.raises(InferenceError, match=words):
        infer(given["design"], given["Y"], None, settings, space=given["space"])


def positions():
    return Places(positions_mm=3.0 * np.argwhere(MASK), voxel_mm3=27.0)


def test_clusters_carry_the_p_of_every_method(Y):
    settings = Inference(method="cluster_mass", cluster_p=0.001, n_permutations=200)
    result = infer(make_design(), Y, None, settings, space=SPACE)
    clusters = find_clusters(
        result, settings, space=SPACE, df=DF, alternative="two-sided", places=positions()
    )
    t = result.random_field.cluster_threshold
    assert_allclose(t, stats.t.isf(0.001, DF), rtol=1e-9)
    assert sum(c.n_outcomes for c in clusters) == (np.abs(result.statistic) > t).sum()
    assert sorted((c.mass for c in clusters), reverse=True) == [c.mass for c in clusters]
    for cluster in clusters:
        peak = cluster.peaks[0]
        assert cluster.sign == np.sign(result.statistic[peak])
        assert cluster.extent == abs(result.tests["cluster_extent"].value[peak])
        assert cluster.pvalue_extent == result.tests["cluster_extent"].pvalue[peak]
        assert cluster.pvalue_mass == result.tests["cluster_mass"].pvalue[peak]
        assert cluster.pvalue_tfce is None
        field = result.random_field.clusters
        assert cluster.pvalue_random_field == field.pvalue[field.label[peak] - 1]
        assert cluster.volume_mm3 == 27 * cluster.n_outcomes
        assert 0 <= cluster.true_discoveries <= cluster.n_outcomes
    assert clusters[0].sign == 1
    assert place(BLOB)[clusters[0].peaks[0]]


def test_clusters_of_what_passed_where_none_were_formed(Y):
    settings = Inference(method="tfce", n_permutations=200)
    result = infer(make_design(), Y, None, settings, space=SPACE)
    clusters = find_clusters(
        result, settings, space=SPACE, df=DF, alternative="two-sided", places=positions()
    )
    passed = result.pvalue_corrected <= 0.05
    labels, n = ndimage.label(
        unmask(passed & (result.statistic > 0)), ndimage.generate_binary_structure(3, 2)
    )
    up = [cluster for cluster in clusters if cluster.sign == 1]
    assert sorted(c.n_outcomes for c in up) == sorted(np.bincount(labels[labels > 0])[1:].tolist())
    assert n == len(up) > 0
    assert all(cluster.pvalue_tfce <= 0.05 for cluster in clusters)


@pytest.mark.parametrize(("alternative", "sign"), [("greater", 1), ("less", -1)])
def test_clusters_of_the_other_side_are_not_listed(Y, alternative, sign):
    settings = Inference(method="cluster_extent", cluster_z=2.3, height="z", n_permutations=100)
    result = infer(make_design(), Y, None, settings, alternative=alternative, space=SPACE)
    clusters = find_clusters(
        result, settings, space=SPACE, df=DF, alternative=alternative, places=positions()
    )
    assert {cluster.sign for cluster in clusters} == {sign}
    z = stats.norm.isf(stats.t.sf(sign * fit_contrast(make_design(), Y).t, DF))
    assert sum(cluster.n_outcomes for cluster in clusters) == (z > 2.3).sum()
