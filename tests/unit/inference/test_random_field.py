import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

from phmri.exceptions import InferenceError
from phmri.group import UnitDesign, exchange_within
from phmri.inference._space import Volume
from phmri.inference.random_field._euler import (
    StatisticField,
    euler_densities,
    expected_euler,
    height_of_tail,
    tail_probability,
)
from phmri.inference.random_field._extent import (
    cluster_pvalue,
    expected_resels_per_cluster,
    extent_threshold,
    set_pvalue,
)
from phmri.inference.random_field._height import height_threshold, peak_pvalue, peak_qvalue
from phmri.inference.random_field._result import random_field_result
from phmri.inference.random_field._smoothness import (
    Smoothness,
    count_resels,
    estimate_smoothness,
    smoothness_within,
)
from phmri.inference.statistics._residuals import model_residuals

RESELS = np.array([1.0, 30.0, 280.0, 1000.0])
Z = StatisticField(kind="z")
T = StatisticField(kind="t", df=22.0)
F = StatisticField(kind="f", df=40.0, df1=3.0)
BOTH = StatisticField(kind="t", df=22.0, two_sided=True)


def test_t_of_many_degrees_of_freedom_is_z():
    u = np.linspace(-2, 6, 30)
    many = StatisticField(kind="t", df=1e9)
    assert_allclose(euler_densities(u, many), euler_densities(u, Z), rtol=1e-6)


def test_squared_t_is_f():
    u = np.linspace(0.2, 9, 40)
    squared = StatisticField(kind="f", df=22.0, df1=1.0)
    assert_allclose(euler_densities(u**2, squared), euler_densities(u, BOTH), rtol=1e-10)


def test_two_sides_have_twice_the_blobs():
    u = np.array([3.0, 5.0])
    assert_allclose(expected_euler(u, BOTH, RESELS), 2 * expected_euler(u, T, RESELS))
    assert_allclose(
        expected_resels_per_cluster(3.0, BOTH, RESELS),
        expected_resels_per_cluster(3.0, T, RESELS),
    )
    assert euler_densities(np.array([-1.0]), BOTH)[:, 0].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("field", [Z, T, F, BOTH, StatisticField(kind="z", n_maps=3)])
def test_height_of_tail_inverts_the_tail(field):
    p = np.array([0.3, 1e-3, 1e-12, 1e-60])
    assert_allclose(tail_probability(height_of_tail(p, field), field), p, rtol=1e-8)


def test_fields_that_do_not_exist():
    for kind, df in (("t", math.inf), ("t", 2.0), ("f", math.nan)):
        with pytest.raises(InferenceError, match="no random field"):
            StatisticField(kind=kind, df=df)
    with pytest.raises(InferenceError) as caught:
        StatisticField(kind="f", df=1.0, df1=0.0, two_sided=True)
    assert all(text in str(caught.value) for text in ("no random field", "fewer", "one side"))


def test_numbers_that_are_none():
    with pytest.raises(InferenceError, match="heights"):
        peak_pvalue(np.array([1.0, np.nan]), T, RESELS)
    with pytest.raises(InferenceError, match="resel"):
        peak_pvalue(np.array([1.0]), T, np.array([1.0, np.inf, 1.0, 1.0]))
    with pytest.raises(InferenceError, match="extents"):
        cluster_pvalue(np.array([np.nan]), 3.0, T, RESELS)


@pytest.mark.parametrize("field", [Z, T, F])
def test_p_is_never_0(field):
    assert (peak_pvalue(np.array([80.0, 1e15]), field, RESELS, 1000) > 0).all()
    fwe, uncorrected = cluster_pvalue(np.array([1e9]), 5.0, field, RESELS)
    assert fwe > 0
    assert uncorrected > 0
    assert set_pvalue(10_000, 0.0, 5.0, field, RESELS) > 0


def test_bonferroni_where_it_is_smaller():
    u = np.array([6.0])
    assert_allclose(peak_pvalue(u, T, RESELS, 10), 10 * stats.t.sf(6.0, 22.0))
    assert peak_pvalue(u, T, RESELS, 10**9) == peak_pvalue(u, T, RESELS)


@pytest.mark.parametrize("field", [Z, T, F, BOTH])
@pytest.mark.parametrize("n_voxels", [None, 5000, 10**7])
@pytest.mark.parametrize("alpha", [0.5, 0.05, 1e-4])
def test_height_threshold_has_p_alpha(field, n_voxels, alpha):
    u = height_threshold(alpha, field, RESELS, n_voxels)
    above = u * np.array([1.0, 1.05, 2.0])
    p = peak_pvalue(above, field, RESELS, n_voxels)
    assert_allclose(p[0], alpha, rtol=1e-8)
    assert (p[1:] < alpha).all()


def test_no_height_suffices_with_too_few_degrees_of_freedom():
    few = StatisticField(kind="t", df=2.5)
    assert height_threshold(0.05, few, RESELS) == math.inf
    assert math.isfinite(height_threshold(0.05, few, RESELS, 5000))


def test_threshold_of_a_single_point_is_uncorrected():
    u = height_threshold(0.05, T, np.array([1.0, 0.0, 0.0, 0.0]), 1)
    assert_allclose(stats.t.sf(u, 22.0), 0.05, rtol=0.03)


@pytest.mark.parametrize("field", [Z, T, F, BOTH])
def test_extent_threshold_has_p_alpha(field):
    threshold = float(height_of_tail(np.array([1e-3]), field).item())
    k = extent_threshold(0.05, threshold, field, RESELS)
    fwe, _ = cluster_pvalue(np.array([k]), threshold, field, RESELS)
    assert_allclose(fwe, 0.05, rtol=1e-10)


def test_extent_threshold_at_its_ends():
    assert extent_threshold(0.05, 8.0, Z, RESELS) == 0
    assert extent_threshold(0.05, 0.5, Z, RESELS) == math.inf


def test_every_cluster_is_likely_below_the_bulk():
    assert expected_resels_per_cluster(0.5, Z, RESELS) == math.inf
    assert cluster_pvalue(np.array([50.0]), 0.5, Z, RESELS)[1] == 1


def test_a_point_has_no_clusters():
    with pytest.raises(InferenceError, match="without extent"):
        cluster_pvalue(np.array([1.0]), 3.0, T, np.array([1.0, 0.0, 0.0, 0.0]))


def test_set_level():
    fwe, _ = cluster_pvalue(np.array([0.5]), 3.5, T, RESELS)
    assert_allclose(set_pvalue(1, 0.5, 3.5, T, RESELS), fwe)
    assert set_pvalue(0, 0.5, 3.5, T, RESELS) == 1


def test_q_of_peaks():
    height = np.array([8.0, 3.5, 3.2])
    share = expected_euler(height, T, RESELS) / expected_euler(np.array([3.1]), T, RESELS)
    expected = stats.false_discovery_control(share)
    assert_allclose(peak_qvalue(height, 3.1, T, RESELS), expected)
    assert peak_qvalue(np.array([]), 3.1, T, RESELS).size == 0
    with pytest.raises(InferenceError, match="below"):
        peak_qvalue(height, 3.3, T, RESELS)


def test_resels_of_a_box():
    mask = np.zeros((9, 10, 11), dtype=bool)
    mask[1:7, 2:9, 3:8] = True
    a, b, c = 5 / 2.0, 6 / 3.0, 4 / 4.0
    expected = [1, a + b + c, a * b + a * c + b * c, a * b * c]
    assert_allclose(count_resels(mask, np.array([2.0, 3.0, 4.0])), expected)


def test_resels_of_a_ball():
    radius = 20.0
    near = np.linalg.norm(np.indices((45, 45, 45)) - 22, axis=0) <= radius
    resels = count_resels(near, np.full(3, 2.0))
    r = radius / 2.0
    expected = [1, 1.5 * 4 * r, 1.5 * 2 * math.pi * r**2, 4 / 3 * math.pi * r**3]
    assert_allclose(resels, expected, rtol=0.12)


def test_euler_characteristic_of_parts_holes_and_hollows():
    fwhm = np.ones(3)
    block = np.ones((5, 5, 5), dtype=bool)
    hollow, ring = block.copy(), block.copy()
    hollow[2, 2, 2] = False
    ring[:, 2, 2] = False
    apart = np.concatenate([block, np.zeros((1, 5, 5), dtype=bool), block])
    found = [count_resels(mask, fwhm)[0] for mask in (block, hollow, ring, apart)]
    assert found == [1, 2, 0, 2]


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(8)
    mask = np.ones((14, 15, 16), dtype=bool)
    mask[:2, :3] = False
    white = rng.standard_normal((12, *mask.shape))
    smooth = ndimage.gaussian_filter(white, sigma=(0, 1.5, 1.5, 1.5), mode="wrap")
    return smooth[:, mask], mask


def test_smoothness_has_no_unit_and_no_order(noise):
    residuals, mask = noise
    first = estimate_smoothness(residuals, mask)
    scale = np.random.default_rng(1).uniform(0.01, 100, residuals.shape[1])
    again = estimate_smoothness(residuals[::-1] * scale, mask)
    assert_allclose(again.fwhm_voxels, first.fwhm_voxels, rtol=1e-10)
    assert_allclose(again.resels_per_voxel, first.resels_per_voxel, rtol=1e-8)
    assert_allclose(1 / first.fwhm_voxels.prod(), np.nanmean(first.resels_per_voxel))
    assert first.n_voxels == residuals.shape[1]


def test_smoothness_of_a_slice(noise):
    residuals, mask = noise
    full = np.zeros((len(residuals), *mask.shape))
    full[:, mask] = residuals
    flat = mask[5:6]
    found = estimate_smoothness(full[:, 5:6][:, flat], flat)
    assert found.fwhm_voxels[0] == 1
    assert_allclose(found.fwhm_voxels[1:], 3.5, rtol=0.25)
    assert found.resels[3] == 0
    assert_allclose(found.resels[2], 14 * 15 / found.fwhm_voxels.prod())


def test_residuals_that_have_no_smoothness(noise):
    residuals, mask = noise
    with pytest.raises(InferenceError, match="another number"):
        estimate_smoothness(residuals[:, 1:], mask)
    broken = residuals.copy()
    broken[0, 3] = np.nan
    broken[:, 5] = 0
    with pytest.raises(InferenceError, match=r"2 of .* first at index 3"):
        estimate_smoothness(broken, mask)
    with pytest.raises(InferenceError, match="do not vary"):
        estimate_smoothness(np.ones((4, mask.sum())), mask)
    line = np.zeros((5, 5, 5), dtype=bool)
    line[2, 2] = True
    with pytest.raises(InferenceError, match="forward neighbours"):
        estimate_smoothness(residuals[:, :5], line)


def test_small_volume(noise):
    residuals, mask = noise
    whole = estimate_smoothness(residuals, mask)
    region = np.zeros_like(mask)
    region[:6, 2:8, 4:9] = True
    small = smoothness_within(whole, mask, region)
    assert_allclose(small.resels, count_resels(region & mask, whole.fwhm_voxels))
    assert small.n_voxels == (region & mask).sum()
    assert_array_equal(small.fwhm_voxels, whole.fwhm_voxels)
    u = np.array([4.0])
    assert peak_pvalue(u, T, small.resels) < peak_pvalue(u, T, whole.resels)
    for wrong in (np.zeros_like(mask), region[1:]):
        with pytest.raises(InferenceError, match="region"):
            smoothness_within(whole, mask, wrong)


def make_design(X, *, estimator="post", present=None):
    return UnitDesign(
        estimator=estimator,
        subjects=tuple(map(str, range(len(X)))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.eye(X.shape[1])[0],
        voxelwise_baseline=estimator == "ancova",
        exchangeability=exchange_within(np.zeros(len(X), dtype=np.int64)),
        notes=(),
        sentences=(),
        present=present,
    )


def test_residuals_of_a_model():
    rng = np.random.default_rng(2)
    X = np.column_stack([np.ones(9), np.arange(9.0) > 4, np.arange(9.0) <= 4])
    Y, baseline = rng.standard_normal((2, 9, 5))
    present = np.arange(9) != 3
    found = model_residuals(make_design(X, present=present), Y)
    ours = Y[present] - X[present] @ np.linalg.lstsq(X[present], Y[present])[0]
    assert_allclose(found, ours, atol=1e-12)
    found = model_residuals(make_design(X, estimator="ancova"), Y, baseline)
    for v in range(5):
        full = np.column_stack([X, baseline[:, v]])
        ours = Y[:, v] - full @ np.linalg.lstsq(full, Y[:, v])[0]
        assert_allclose(found[:, v], ours, atol=1e-12)
    single = model_residuals(make_design(X, present=present), Y.astype(np.float32))
    assert single.dtype == np.float32
    with pytest.raises(InferenceError, match="needs a baseline"):
        model_residuals(make_design(X, estimator="ancova"), Y)
    with pytest.raises(InferenceError, match="does not take"):
        model_residuals(make_design(X), Y, baseline)


def even_smoothness(mask, fwhm):
    widths = np.full(3, fwhm)
    return Smoothness(
        fwhm_voxels=widths,
        resels=count_resels(mask, widths),
        n_voxels=int(mask.sum()),
        resels_per_voxel=np.full(mask.sum(), fwhm**-3.0),
    )


@pytest.fixture
def touching():
    t = np.zeros((12, 12, 12))
    t[2:5, 2:5, 2:5], t[3, 3, 3] = 5, 9
    t[5:7, 2:5, 2:5], t[6, 3, 3] = -5, -8
    t[9, 9, 9] = 4
    return t


def judge(t, field, threshold=3.5, fwhm=4.0, **settings):
    volume = Volume(mask=np.ones(t.shape, dtype=bool), connectivity=18)
    smoothness = even_smoothness(volume.mask, fwhm)
    return random_field_result(
        t.ravel(), volume, smoothness, field, cluster_threshold=threshold, **settings
    )


def test_clusters_of_two_signs_stay_apart(touching):
    found = judge(touching, BOTH)
    assert found.clusters.extent.tolist() == [27, 18, 1]
    assert found.peaks.height[found.peaks.cluster == 2].max() < 0
    assert found.peaks.height[0] == 9
    assert found.peaks.z[0] > 0 > found.peaks.z[1]
    assert_allclose(stats.norm.sf(found.peaks.z[0]), stats.t.sf(9, 22))
    label = found.clusters.label.reshape(touching.shape)
    assert [label[3, 3, 3], label[6, 3, 3], label[9, 9, 9]] == [1, 2, 3]


def test_one_side_sees_one_sign(touching):
    found = judge(touching, T)
    assert found.clusters.extent.tolist() == [27, 1]
    assert (found.peaks.height > 0).all()


def test_thresholds_out_of_the_false_discovery_rate(touching):
    found = judge(touching, BOTH)
    passed = np.abs(found.peaks.height[found.peaks.qvalue <= 0.05])
    assert found.height_threshold_fdr == passed.min() == 8
    assert judge(touching, BOTH, fwhm=6.0, alpha=1e-3).extent_threshold_fdr == math.inf


def test_nothing_above_the_threshold(touching):
    found = judge(touching, T, threshold=20.0)
    assert found.clusters.extent.size == found.peaks.height.size == 0
    assert found.set_pvalue == 1
    assert found.extent_threshold == 1
    assert found.height_threshold_fdr == found.extent_threshold_fdr == math.inf


def test_warns_of_what_is_broken(touching):
    assert judge(touching, T, threshold=4.5).doubts == ()
    few = StatisticField(kind="t", df=10.0)
    doubtful = judge(touching, few, threshold=2.0, fwhm=2.0)
    words = ("formed at p = 0.037", "less than 3 voxels", "10 residual degrees")
    assert len(doubtful.doubts) == len(words)
    assert all(word in text for word, text in zip(words, doubtful.doubts, strict=True))
    assert all("[doi:10." in said for said in (*doubtful.assumptions, *doubtful.doubts))


def test_formed_exactly_at_the_limit_is_sound(touching):
    threshold = float(stats.t.isf(1e-3, 22.0))
    for field in (T, BOTH):
        assert not any("formed" in s for s in judge(touching, field, threshold).doubts)


def test_refuses_all_at_once(touching):
    t = touching.copy()
    t[0, 0, 0] = np.nan
    thin = np.zeros((12, 12, 12), dtype=bool)
    thin[5] = True
    with pytest.raises(InferenceError) as caught:
        random_field_result(
            t.ravel(),
            Volume(mask=thin),
            even_smoothness(thin, 4.0),
            T,
            cluster_threshold=0.0,
            alpha=1.5,
        )
    words = ("different numbers", "not finite", "forming height", "thinner", "error rate")
    assert all(word in str(caught.value) for word in words)
