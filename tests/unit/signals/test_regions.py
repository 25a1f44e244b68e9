"""Spheres, masks, labels, atlas areas and parcellations on a grid."""

import nibabel as nib
import numpy as np
import pytest

from phmri.dataset import AtlasStore, Image
from phmri.exceptions import RegionError
from phmri.protocol import (
    JulichRegion,
    LabelRegion,
    MaskRegion,
    Parcellation,
    SeriesRegion,
    SphereRegion,
)
from phmri.signals import Grid, place_parcels, place_region

SPACE = "MNI152NLin2009cAsym"
AFFINE = np.array([[-2.0, 0, 0, 20], [0, 2, 0, -20], [0, 0, 2, -10], [0, 0, 0, 1]])
GRID = Grid(shape=(20, 22, 18), affine=AFFINE, space=SPACE)


class FakeAtlas(AtlasStore):
    def __init__(self, image):
        self.image = image

    def julich(self, areas, hemisphere, space, version="3.1", kind="mask"):
        return self.image, {"areas": list(areas), "space": space, "kind": kind}


def place(region, *, grid=GRID, atlas=None, folder=None):
    return place_region("r", region, grid, atlas=atlas, protocol_dir=folder)


def centres(region, grid=GRID):
    voxels = np.array(np.unravel_index(region.voxels, grid.shape)).T
    return voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]


def sphere(center, radius, space=SPACE):
    return SphereRegion(kind="sphere", center_mm=center, radius_mm=radius, space=space)


@pytest.mark.parametrize("radius", [2.0, 5.0, 8.5])
def test_sphere_is_every_centre_within_the_radius(tmp_path, radius):
    center = np.array([1.0, 2.0, 7.0])
    region = place(sphere(tuple(center), radius), folder=tmp_path)
    axes = [np.arange(n) for n in GRID.shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    mm = voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    expected = np.flatnonzero(np.linalg.norm(mm - center, axis=1) <= radius + 1e-6)
    np.testing.assert_array_equal(region.voxels, expected)
    assert region.weights.sum() == pytest.approx(1.0)
    assert region.source["radius_mm"] == radius


def test_sphere_between_centres_and_outside_are_refused(tmp_path):
    with pytest.raises(RegionError, match="too small"):
        place(sphere((1.0, 1.0, 1.0), 0.5), folder=tmp_path)
    with pytest.raises(RegionError, match="outside the image"):
        place(sphere((60.0, 0.0, 0.0), 5.0), folder=tmp_path)


def test_another_space_is_refused_naming_both(tmp_path):
    with pytest.raises(RegionError, match=r"MNI152NLin6Asym.*MNI152NLin2009cAsym"):
        place(sphere((0.0, 0.0, 0.0), 5.0, space="MNI152NLin6Asym"), folder=tmp_path)


def test_tabular_region_is_refused(tmp_path):
    with pytest.raises(RegionError, match="tabular"):
        place(SeriesRegion(kind="series", columns=("a",)), folder=tmp_path)


def fine_image(data):
    """A 1 mm image whose voxels lie two by two within those of GRID."""
    affine = np.array([[-1.0, 0, 0, 20.5], [0, 1, 0, -20.5], [0, 0, 1, -10.5], [0, 0, 0, 1]])
    return Image(data=data, affine=affine)


def fine_shape():
    return tuple(2 * n for n in GRID.shape)


def save(path, image):
    nib.save(nib.Nifti1Image(image.data, image.affine), path)
    return path.name


def test_mask_of_half_the_voxel_size_is_averaged_exactly(tmp_path):
    data = (np.random.default_rng(0).random(fine_shape()) > 0.6).astype(np.uint8)
    file = save(tmp_path / "m.nii.gz", fine_image(data))
    region = place(MaskRegion(kind="mask", file=file, space=SPACE), folder=tmp_path)
    x, y, z = GRID.shape
    fraction = data.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(region.voxels, np.flatnonzero(fraction.reshape(-1) >= 0.5))
    assert len(str(region.source["sha256"])) == 64


def test_mask_on_shared_centres_counts_borders_by_half(tmp_path):
    affine = np.array([[-1.0, 0, 0, 20], [0, 1, 0, -20], [0, 0, 1, -10], [0, 0, 0, 1]])
    data = np.zeros((40, 44, 36), np.uint8)
    data[20:25, 20:25, 20:25] = 1  # target voxels 10 to 12: covered 3/4, whole, 3/4 per axis
    file = save(tmp_path / "m.nii.gz", Image(data=data, affine=affine))
    region = place(MaskRegion(kind="mask", file=file, space=SPACE), folder=tmp_path)
    assert region.voxels.size == 27 - 8  # only a corner, 27/64, is covered by less than half


def test_label_image_on_the_same_grid_is_taken_as_it_is(tmp_path):
    data = np.random.default_rng(1).integers(0, 4, GRID.shape).astype(np.int16)
    file = save(tmp_path / "l.nii.gz", Image(data=data, affine=AFFINE))
    label = LabelRegion(kind="label", file=file, labels=(1, 3), space=SPACE)
    region = place(label, folder=tmp_path)
    np.testing.assert_array_equal(region.voxels, np.flatnonzero(np.isin(data, (1, 3))))
    with pytest.raises(RegionError, match="no such label"):
        place(label.model_copy(update={"labels": (1, 9)}), folder=tmp_path)


def test_image_elsewhere_is_refused(tmp_path):
    far = AFFINE.copy()
    far[:3, 3] += 500
    image = Image(data=np.ones((3, 3, 3), np.uint8), affine=far)
    file = save(tmp_path / "m.nii.gz", image)
    with pytest.raises(RegionError, match="wholly outside"):
        place(MaskRegion(kind="mask", file=file, space=SPACE), folder=tmp_path)


def test_atlas_probability_becomes_weights(tmp_path):
    data = np.zeros(fine_shape())
    data[10:14, 10:12, 10:12] = 0.4
    data[10:12, 10:12, 10:12] = 0.8
    atlas = FakeAtlas(fine_image(data))
    declared = JulichRegion(kind="julich", areas=("p32",), weighting="probability")
    region = place(declared, atlas=atlas, folder=tmp_path)
    np.testing.assert_allclose(region.weights, [2 / 3, 1 / 3])
    assert region.source["kind"] == "probability"
    merged = place(JulichRegion(kind="julich", areas=("p32",)), atlas=atlas, folder=tmp_path)
    np.testing.assert_allclose(merged.weights, [0.5, 0.5])
    with pytest.raises(RegionError, match="needs an atlas store"):
        place(declared, folder=tmp_path)


def test_parcels_go_to_the_label_that_fills_most(tmp_path):
    data = np.zeros(fine_shape(), np.int16)
    data[4:8, 4:8, 4:8] = 1
    data[8:12, 4:8, 4:8] = 2
    data[8, 4:8, 4:8] = 1  # half of voxel 4 along x: a tie, the smaller label
    file = save(tmp_path / "p.nii.gz", fine_image(data))
    (tmp_path / "names.tsv").write_text("index\tname\n1\tleft\n2\tright\n")
    parcellation = Parcellation(file=file, names="names.tsv", space=SPACE)
    first, second = place_parcels(parcellation, GRID, protocol_dir=tmp_path)
    assert (first.name, second.name) == ("left", "right")
    assert set(np.unravel_index(first.voxels, GRID.shape)[0]) == {2, 3, 4}
    assert set(np.unravel_index(second.voxels, GRID.shape)[0]) == {5}


def test_parcels_without_name_voxel_or_file_are_refused(tmp_path):
    data = np.zeros(fine_shape(), np.int16)
    data[4:8, 4:8, 4:8] = 1
    data[9, 9, 9] = 7
    file = save(tmp_path / "p.nii.gz", fine_image(data))
    with pytest.raises(RegionError, match="no voxel on the run's grid") as caught:
        place_parcels(Parcellation(file=file, space=SPACE), GRID, protocol_dir=tmp_path)
    assert [p.field for p in caught.value.problems] == ["7"]
    (tmp_path / "names.tsv").write_text("index\tname\n1\tleft\n")
    with pytest.raises(RegionError, match="no name in the table"):
        place_parcels(
            Parcellation(file=file, names="names.tsv", space=SPACE), GRID, protocol_dir=tmp_path
        )
    with pytest.raises(RegionError, match="tabular"):
        place_parcels(Parcellation(), GRID, protocol_dir=tmp_path)
