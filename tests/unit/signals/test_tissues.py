"""Tissues on the grid of a run: labels of fMRIPrep, nearest neighbours, probabilities."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from phmri.exceptions import RegionError
from phmri.signals import Grid, place_tissues

GRID = Grid(shape=(6, 5, 4), affine=np.diag([2.0, 2.0, 2.0, 1.0]), space="x")


def write(path: Path, data: np.ndarray, affine: np.ndarray = GRID.affine) -> Path:
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def slabs(shape: tuple[int, ...] = GRID.shape) -> np.ndarray:
    """1, 2 and 3 along the first axis."""
    return (1 + np.indices(shape)[0] * 3 // shape[0]).astype(np.uint8)


def test_same_grid(tmp_path: Path) -> None:
    found = place_tissues([write(tmp_path / "a.nii.gz", slabs())], GRID)
    np.testing.assert_array_equal(found, slabs())


def test_of_another_grid_the_nearest_voxel_counts(tmp_path: Path) -> None:
    fine = np.repeat(np.repeat(np.repeat(slabs(), 2, 0), 2, 1), 2, 2)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -0.5
    found = place_tissues([write(tmp_path / "a.nii.gz", fine, affine)], GRID)
    np.testing.assert_array_equal(found, slabs())


def test_voxels_of_no_tissue_take_that_of_the_nearest_one(tmp_path: Path) -> None:
    labels = np.zeros(GRID.shape, np.float32)
    labels[0], labels[5] = 1, 3
    labels[2, 2, 2] = 9  # a lesion is none of the three
    found = place_tissues([write(tmp_path / "a.nii.gz", labels)], GRID)
    np.testing.assert_array_equal(found[:3], 1)
    np.testing.assert_array_equal(found[3:], 3)


def test_nearest_is_in_millimetres(tmp_path: Path) -> None:
    flat = Grid(shape=GRID.shape, affine=np.diag([10.0, 1.0, 1.0, 1.0]), space="x")
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0, 0, 0], labels[1, 4, 0] = 1, 2
    found = place_tissues([write(tmp_path / "a.nii.gz", labels, flat.affine)], flat)
    assert found[0, 4, 0] == 1  # 4 mm away; the other is 10 mm away


def test_the_largest_probability(tmp_path: Path) -> None:
    shares = [np.where(slabs() == k, 0.6, 0.2).astype(np.float32) for k in (1, 2, 3)]
    for share in shares:
        share[1, 1, 1] = 0.0
    paths = [write(tmp_path / f"{k}.nii.gz", share) for k, share in enumerate(shares)]
    np.testing.assert_array_equal(place_tissues(paths, GRID), slabs())


@pytest.mark.parametrize(
    ("data", "affine", "told"),
    [
        (np.zeros(GRID.shape, np.uint8), GRID.affine, "no voxel of the run has a tissue"),
        (slabs(), np.diag([2.0, 2, 2, 1]) + 500 * np.eye(4, k=3), "no voxel of the run"),
        (slabs()[..., None].repeat(2, -1), GRID.affine, "3-D"),
    ],
)
def test_images_without_tissues(
    tmp_path: Path, data: np.ndarray, affine: np.ndarray, told: str
) -> None:
    with pytest.raises(RegionError, match=told):
        place_tissues([write(tmp_path / "a.nii.gz", data, affine)], GRID)


def test_probabilities_of_another_grid(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.nii.gz", slabs()[1:]) for k in range(3)]
    with pytest.raises(RegionError, match="another grid"):
        place_tissues(paths, GRID)
