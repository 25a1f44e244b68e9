import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.dataset import VolumeReader, open_volumes, write_image, write_volumes
from phmri.exceptions import DatasetError

SHAPE = (7, 5, 4, 9)


def _data(dtype: str = "int16") -> np.ndarray:
    values = np.random.default_rng(1).integers(-1000, 1000, SHAPE)
    return values.astype(dtype)


def _threads() -> int:
    return sum(thread.name.startswith("read ") for thread in threading.enumerate())


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [">i2", "<i2", ">f4", "<f8", "uint8"])
def test_raw_volumes_equal_nibabel(tmp_path: Path, ending: str, dtype: str) -> None:
    data = _data().astype(dtype)
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    image = nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0]), header=header)
    image.header.set_data_dtype(np.dtype(dtype))
    path = tmp_path / f"x{ending}"
    image.to_filename(path)
    expected = np.asarray(nib.load(path).dataobj.get_unscaled())
    with open_volumes(path) as run:
        volumes = list(run)
        assert run.shape == SHAPE[:3]
        assert run.n_volumes == SHAPE[3] == len(volumes)
    assert all(volume.dtype.isnative and volume.flags.c_contiguous for volume in volumes)
    assert_array_equal(np.stack(volumes, axis=-1).transpose(2, 1, 0, 3), expected)


def test_scaling_affine_and_repetition_time(tmp_path: Path) -> None:
    affine = np.diag([3.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = -10, 5, 2
    path = tmp_path / "x.nii.gz"
    data = _data()
    write_volumes(
        path,
        (data[..., i] for i in range(SHAPE[3])),
        SHAPE,
        affine,
        dtype=np.int16,
        t_r=1.5,
        slope=0.25,
        inter=100.0,
    )
    with open_volumes(path) as run:
        scaled = next(iter(run)) * run.slope + run.inter
        assert run.t_r == 1.5
        assert_array_equal(run.affine, affine)
    assert_array_equal(scaled.transpose(2, 1, 0), nib.load(path).get_fdata()[..., 0])


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_meaningless_slope_scales_nothing(tmp_path: Path, slope: float) -> None:
    path = write_image(tmp_path / "x.nii", _data(), np.eye(4))
    content = bytearray(path.read_bytes())
    content[112:116] = np.float32(slope).tobytes()
    content[116:120] = np.float32(7).tobytes()
    path.write_bytes(content)
    with open_volumes(path) as run:
        assert (run.slope, run.inter) == (1.0, 0.0)


def test_iterating_twice_starts_over(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii.gz", _data(), np.eye(4))
    with open_volumes(path) as run:
        first, second = list(run), list(run)
    assert len(second) == SHAPE[3]
    assert_array_equal(first, second)


def test_thread_ends_when_the_consumer_stops(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii.gz", _data(), np.eye(4))
    with open_volumes(path) as run:
        next(iter(run))
    assert _threads() == 0
    with pytest.raises(RuntimeError, match="stop"), open_volumes(path) as run:
        _fail_at_the_first(run)
    assert _threads() == 0


def _fail_at_the_first(run: VolumeReader) -> None:
    for _ in run:
        raise RuntimeError("stop")


def test_a_pass_that_was_stopped_does_not_hang(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii.gz", _data(), np.eye(4))
    with open_volumes(path) as run:
        first = iter(run)
        next(first)
        assert len(list(run)) == SHAPE[3]  # a second pass ends the first
        with pytest.raises(DatasetError, match="stopped"):
            list(first)


@pytest.mark.parametrize(("side", "in_a_portion"), [(65, 1), (40, 5)])
def test_few_volumes_are_held_ahead(tmp_path: Path, side: int, in_a_portion: int) -> None:
    path = write_image(tmp_path / "x.nii.gz", np.zeros((side, side, side, 11), "f4"), np.eye(4))
    with open_volumes(path) as run:
        volumes = iter(run)
        next(volumes)
        ahead = run._ahead
        assert ahead is not None
        assert ahead._queue.maxsize == 2
        portion = ahead._queue.get(timeout=10)
        assert isinstance(portion, list)
        assert len(portion) == in_a_portion  # 4 bytes a voxel; a megabyte, or the first beyond it


def test_truncated_gzip_names_file_and_volume(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(40, 40, 40, 10))
    path = write_image(tmp_path / "x.nii.gz", noise, np.eye(4))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    volumes = []
    with open_volumes(path) as run, pytest.raises(DatasetError, match=r"x\.nii\.gz.*volume [345]"):
        volumes.extend(run)
    assert 2 <= len(volumes) <= 5
    for i, volume in enumerate(volumes):
        assert_array_equal(volume.transpose(2, 1, 0), noise[..., i].astype("f4"))
    assert _threads() == 0


def test_truncated_plain_file(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii", _data(), np.eye(4))
    path.write_bytes(path.read_bytes()[:-10])
    with open_volumes(path) as run, pytest.raises(DatasetError, match="volume 8"):
        list(run)


def test_wrong_checksum_is_found(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii.gz", _data(), np.eye(4))
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(content)
    with open_volumes(path) as run, pytest.raises(DatasetError, match="checksum"):
        list(run)


def test_corruption_in_the_middle(tmp_path: Path) -> None:
    path = write_image(tmp_path / "x.nii.gz", _data(), np.eye(4))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)
    with open_volumes(path) as run, pytest.raises(DatasetError, match=r"damaged"):
        list(run)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.nii.gz", b"", "empty"),
        ("x.nii.gz", b"not gzip at all", "not gzip"),
        ("x.nii", b"x" * 400, "not a NIfTI"),
        ("x.nii", b"\x5c\x01", "ends within its header"),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        open_volumes(tmp_path / name)


def test_missing_file_and_three_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be opened"):
        open_volumes(tmp_path / "absent.nii.gz")
    write_image(tmp_path / "x.nii", _data()[..., 0], np.eye(4))
    with pytest.raises(DatasetError, match="4D"):
        open_volumes(tmp_path / "x.nii")
