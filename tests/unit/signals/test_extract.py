"""One pass over an image: smoothing, region means, quality, and what is refused."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img
from scipy.ndimage import gaussian_filter1d

from phmri.dataset import Confounds, Image, Run, write_volumes
from phmri.exceptions import RegionError, SignalsError
from phmri.signals import RegionOnGrid, extract_signals, run_quality
from phmri.signals._smoothing import plan_smoothing, smooth_volume, take_box

SHAPE, N = (9, 10, 8), 12
TURN = np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, -4], [0, 0, 1, 5], [0, 0, 0, 1]])
AFFINE = TURN @ np.diag([2.0, 2.5, 3.3, 1.0])


def make_data(seed=0, n=N):
    rng = np.random.default_rng(seed)
    return np.rint(200 + 30 * rng.standard_normal((*SHAPE, n)))


def make_mask():
    mask = np.zeros(SHAPE, bool)
    mask[1:8, 2:9, 1:7] = True
    mask[4, 4, 4] = False
    return mask


def write_run(path: Path, data, *, dtype=np.float32, order="<"):
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    image = nib.Nifti1Image(data.astype(dtype), AFFINE, header)
    image.header.set_zooms((2.0, 2.5, 3.3, 2.0))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    return make_record(path, data.shape[3])


def make_record(path: Path, n_volumes: int):
    return Run(
        subject="01",
        session=None,
        task="rest",
        run=None,
        space="native",
        resolution=None,
        seg=None,
        kind="volume",
        pipeline="test",
        path=path,
        mask=None,
        confounds=None,
        events=None,
        t_r=2.0,
        n_volumes=n_volumes,
        shape=SHAPE,
        affine=AFFINE,
    )


def make_region(name="r", voxels=(300, 301, 434), weights=(0.5, 0.25, 0.25)):
    return RegionOnGrid(name=name, voxels=np.array(voxels), weights=np.array(weights), source={})


def extract(run, *, mask=None, regions=(), fwhm=5.0, voxels=True, **more):
    return extract_signals(
        run,
        make_mask() if mask is None else mask,
        regions,
        smoothing_fwhm_mm=fwhm,
        voxels=voxels,
        dropout_threshold=0.25,
        **more,
    )


@pytest.mark.parametrize("fwhm", [0.0, 5.0, 14.0])
def test_smoothing_equals_nilearn_on_an_oblique_anisotropic_grid(tmp_path, fwhm):
    data = make_data()
    mask = make_mask()
    signals = extract(write_run(tmp_path / "b.nii.gz", data), fwhm=fwhm)
    smooth = smooth_img(nib.Nifti1Image(data.astype(np.float64), AFFINE), fwhm or None)
    expected = smooth.get_fdata()[mask].T
    np.testing.assert_allclose(signals.voxels, expected - expected[0], atol=2e-4)
    assert signals.voxels.dtype == np.float32


@pytest.mark.parametrize("shape", [(9, 8, 7), (4, 20, 3), (1, 6, 30)])
@pytest.mark.parametrize("fwhm", [3.0, 9.0])
def test_kernel_equals_scipy_up_to_the_edges(shape, fwhm):
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, *shape))
    mask = rng.random(shape) > 0.5
    mask[0, 0, 0] = True
    plan = plan_smoothing(mask, AFFINE, fwhm)
    out = np.empty(int(mask.sum()), np.float32)
    smooth_volume(
        plan,
        np.ascontiguousarray(second.T),
        take_box(plan, np.ascontiguousarray(first.T)),
        2.0,
        buffers=plan.make_buffers(),
        out=out,
    )
    expected = 2.0 * (second - first)
    for axis, size in enumerate((2.0, 2.5, 3.3)):
        sigma = fwhm / np.sqrt(8 * np.log(2)) / size
        expected = gaussian_filter1d(expected, sigma, axis=axis)
    np.testing.assert_allclose(out, expected[mask], atol=2e-6)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_type_and_byte_order_of_the_file_do_not_matter(tmp_path, dtype, order):
    data = np.clip(make_data(), 0, 255)
    base = extract(write_run(tmp_path / "a.nii", data, dtype="f8"), regions=[make_region()])
    run = write_run(tmp_path / "b.nii", data, dtype=dtype, order=order)
    other = extract(run, regions=[make_region()])
    np.testing.assert_allclose(other.voxels, base.voxels, atol=1e-4)
    np.testing.assert_allclose(other.regions, base.regions, rtol=1e-12)


def test_slope_and_intercept_are_applied(tmp_path):
    data = make_data()
    path = write_volumes(
        tmp_path / "b.nii.gz",
        [data[..., t].astype(np.int16) for t in range(N)],
        (*SHAPE, N),
        AFFINE,
        dtype=np.int16,
        t_r=2.0,
        slope=0.5,
        inter=-7.0,
    )
    signals = extract(make_record(path, N), regions=[make_region()], fwhm=0.0)
    scaled = data * 0.5 - 7.0
    expected = scaled[make_mask()].T
    np.testing.assert_allclose(signals.voxels, expected - expected[0], atol=1e-4)
    flat = scaled.reshape(-1, N)
    np.testing.assert_allclose(
        signals.regions[:, 0], [0.5, 0.25, 0.25] @ flat[[300, 301, 434]], rtol=1e-12
    )


def test_float32_rounding_follows_the_fluctuation_not_the_mean(tmp_path):
    data = make_data() + 1e6
    signals = extract(write_run(tmp_path / "b.nii", data, dtype=np.float64), fwhm=0.0)
    expected = data[make_mask()].T
    np.testing.assert_allclose(signals.voxels, expected - expected[0], atol=1e-5)


def test_region_uses_its_voxels_inside_the_mask(tmp_path):
    data = make_data()
    mask = make_mask()
    inside = np.flatnonzero(mask)[5]
    outside = np.flatnonzero(~mask)[3]
    first, second = sorted((int(inside), int(outside)))
    region = make_region("half", (first, second), (0.5, 0.5))
    signals = extract(write_run(tmp_path / "b.nii", data), regions=[region], voxels=False)
    np.testing.assert_allclose(signals.regions[:, 0], data.reshape(-1, N)[inside], rtol=1e-7)
    assert signals.voxels is None
    assert signals.quality.region_voxels == {"half": 2}
    assert signals.quality.region_coverage == {"half": 0.5}


def test_dropout_lowers_coverage(tmp_path):
    data = make_data()
    flat = data.reshape(-1, N)
    flat[300] *= 0.1
    signals = extract(write_run(tmp_path / "b.nii", data), regions=[make_region()])
    assert signals.quality.region_coverage["r"] == pytest.approx(2 / 3)


def test_tsnr(tmp_path):
    data = make_data() + 1e4
    quality = extract(write_run(tmp_path / "b.nii", data, dtype=np.float64)).quality
    series = data[make_mask()]
    ratio = series.mean(axis=1) / series.std(axis=1, ddof=1)
    assert quality.tsnr_median == pytest.approx(np.median(ratio), rel=1e-9)


def test_data_without_mean_have_no_tsnr_and_full_coverage(tmp_path):
    data = make_data()
    data -= data.mean(axis=3, keepdims=True)
    quality = extract(write_run(tmp_path / "b.nii", data), regions=[make_region()]).quality
    assert np.isnan(quality.tsnr_median)
    assert quality.region_coverage == {"r": 1.0}


def test_air_that_is_not_a_number_counts_as_zero(tmp_path):
    data = make_data()
    data[0] = np.nan
    signals = extract(write_run(tmp_path / "b.nii", data))
    data[0] = 0.0
    expected = smooth_img(nib.Nifti1Image(data, AFFINE), 5.0).get_fdata()[make_mask()].T
    np.testing.assert_allclose(signals.voxels, expected - expected[0], atol=2e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_in_the_brain_is_refused(tmp_path, bad):
    data = make_data()
    data[4, 5, 3:5, 7] = bad
    with pytest.raises(SignalsError, match=r"b\.nii.*2 of 293 voxels in volume 7"):
        extract(write_run(tmp_path / "b.nii", data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((*SHAPE, N)), "zero in the whole"),
        (np.full((*SHAPE, N), 5.0), "does not change"),
    ],
)
def test_empty_and_constant_runs_are_refused(tmp_path, data, message):
    with pytest.raises(SignalsError, match=message):
        extract(write_run(tmp_path / "b.nii", data))


def test_mask_of_another_grid_is_refused(tmp_path):
    run = write_run(tmp_path / "b.nii", make_data())
    with pytest.raises(SignalsError, match="another shape"):
        extract(run, mask=np.ones((3, 3, 3), bool))
    moved = AFFINE.copy()
    moved[0, 3] += 1.0
    with pytest.raises(SignalsError, match="lies elsewhere"):
        extract(run, mask=Image(data=make_mask(), affine=moved))
    with pytest.raises(SignalsError, match="mask is empty"):
        extract(run, mask=np.zeros(SHAPE, bool))
    assert extract(run, mask=Image(data=make_mask(), affine=AFFINE)).voxels is not None


def test_all_regions_outside_the_brain_are_named(tmp_path):
    run = write_run(tmp_path / "b.nii", make_data())
    regions = [make_region("a", (0,), (1.0,)), make_region(), make_region("b", (1,), (1.0,))]
    with pytest.raises(RegionError) as caught:
        extract(run, regions=regions)
    assert [p.field for p in caught.value.problems] == ["regions.a", "regions.b"]


def test_motion_summary_is_of_steady_volumes():
    values = np.array([[np.nan, np.nan, 1.0], [9.0, 3.0, 0.0], [1.0, 1.0, 0.0]])
    table = Confounds(
        names=("framewise_displacement", "std_dvars", "non_steady_state_outlier00"),
        values=values,
        metadata={},
        path="c.tsv",
    )
    quality = run_quality(table)
    assert (quality.mean_fd_mm, quality.mean_std_dvars) == (5.0, 2.0)
    assert np.isnan(run_quality(None).mean_fd_mm)


def test_motion_summary_comes_with_the_signals(tmp_path):
    table = Confounds(
        names=("FramewiseDisplacement",), values=np.full((N, 1), 0.3), metadata={}, path="c.tsv"
    )
    signals = extract(write_run(tmp_path / "b.nii", make_data()), confounds=table)
    assert signals.quality.mean_fd_mm == pytest.approx(0.3)
    assert np.isnan(signals.quality.mean_std_dvars)


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
def test_mean_of_the_smoothed_voxels(tmp_path, fwhm):
    data = make_data()
    signals = extract(write_run(tmp_path / "a.nii", data), fwhm=fwhm)
    image = nib.Nifti1Image(data.astype(np.float64), AFFINE)
    smooth = smooth_img(image, fwhm or None).get_fdata()[make_mask()]
    assert signals.voxel_mean.dtype == np.float32
    np.testing.assert_allclose(signals.voxel_mean, smooth.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        signals.voxel_mean + (signals.voxels[3] - signals.voxels.mean(axis=0)),
        smooth[:, 3],
        rtol=1e-5,
    )


def test_mean_of_voxels_is_in_scaled_units(tmp_path):
    slope, inter = 0.5, 100.0
    volumes = make_data().astype(np.int16)
    path = write_volumes(
        tmp_path / "s.nii",
        (volumes[..., t] for t in range(N)),
        (*SHAPE, N),
        AFFINE,
        dtype=np.int16,
        t_r=2.0,
        slope=slope,
        inter=inter,
    )
    signals = extract(make_record(path, N), fwhm=0.0)
    expected = (volumes * slope + inter).mean(axis=3)[make_mask()]
    np.testing.assert_allclose(signals.voxel_mean, expected, rtol=1e-6)
    assert extract(make_record(path, N), regions=[make_region()], voxels=False).voxel_mean is None


def test_volumes_not_in_steady_state_are_no_noise(tmp_path):
    data = make_data()
    bright = data.copy()
    bright[..., :2] *= 1.6
    marks = np.zeros((N, 2))
    marks[[0, 1], [0, 1]] = 1.0
    names = ("non_steady_state_outlier00", "non_steady_state_outlier01")
    table = Confounds(names=names, values=marks, metadata={}, path="c.tsv")
    found = extract(write_run(tmp_path / "a.nii", bright), fwhm=0.0, confounds=table)
    steady = extract(write_run(tmp_path / "b.nii", data[..., 2:]), fwhm=0.0)
    assert found.quality.tsnr_median == pytest.approx(steady.quality.tsnr_median, rel=1e-6)
    np.testing.assert_allclose(found.voxel_mean, steady.voxel_mean, rtol=1e-6)
    assert found.voxels.shape[0] == N  # the series keep every volume
