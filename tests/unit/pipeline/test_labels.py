"""Names for positions."""

import numpy as np
import pytest

from phmri.dataset import AtlasLabels, Image
from phmri.pipeline._labels import label_regions
from phmri.signals import Grid, RegionOnGrid

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
GRID = Grid(shape=(20, 20, 20), affine=AFFINE, space="MNI152NLin2009cAsym")


def _region(name: str, *voxels: tuple[int, int, int]) -> RegionOnGrid:
    flat = np.sort(np.ravel_multi_index(np.array(voxels).T, GRID.shape))
    weights = np.full(flat.size, 1 / flat.size)
    return RegionOnGrid(name=name, voxels=flat, weights=weights, source={})


INSULA = _region("insula", (1, 1, 1), (2, 1, 1))
THALAMUS = _region("thalamus", (9, 9, 9))
LABELS = label_regions({"insula": INSULA, "thalamus": THALAMUS}, GRID)


@pytest.mark.parametrize(
    ("position", "label"),
    [
        ((4.0, 2.0, 2.0), "insula"),
        ((18.0, 18.0, 18.0), "thalamus"),
        ((18.0, 18.0, 22.0), "4 mm from thalamus"),
        ((38.0, 38.0, 38.0), ""),
    ],
)
def test_label(position: tuple[float, float, float], label: str) -> None:
    assert LABELS.label_of(np.array(position)) == label


def test_tables_have_no_positions() -> None:
    assert label_regions({}, None).label_of(np.zeros(3)) == ""


def test_atlas_areas_come_before_regions() -> None:
    data = np.zeros((20, 20, 20), np.int16)
    data[1, 1, 1] = 7
    atlas = AtlasLabels(
        image=Image(data=data, affine=AFFINE), names={7: "left p32 (pACC)"}, source={}
    )
    labels = label_regions({"insula": INSULA}, GRID, atlas)
    assert labels.label_of(np.array([2.0, 2.0, 2.0])) == "left p32 (pACC)"
    assert labels.label_of(np.array([4.0, 2.0, 2.0])) == "insula"
    assert labels.label_of(np.array([-90.0, 2.0, 2.0])) == ""
