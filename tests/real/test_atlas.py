"""The real Julich-Brain files, where they are at hand; they may not be shipped."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import AtlasStore, read_image, read_mask, read_table
from phmri.exceptions import AtlasError
from phmri.protocol import read_protocol
from phmri.signals import Grid, place_region
from phmri.simulation import simulate_demo
from phmri.simulation._anatomy import template_anatomy

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "atlas" / "julich31"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the Julich-Brain atlas (CC BY-NC-SA) is not in ../shared/data"
)
SIX = "tpl-MNI152NLin6Asym_res-02"
PGACC = ("p24ab", "p24c", "p32")


def _centroid(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return affine[:3, :3] @ np.argwhere(data > 0).mean(axis=0) + affine[:3, 3]


def test_left_area_in_the_6asym_space_is_the_mask_beside_it() -> None:
    image, source = AtlasStore([FOLDER]).julich(("p24ab",), "left", "MNI152NLin6Asym")
    mask = read_mask(FOLDER / "masks" / f"{SIX}_hemi-L_label-p24ab_mask.nii.gz")
    assert image.data.sum() == 182
    assert_allclose(image.data, mask.data)
    assert "not an official release" in str(source["note"])


def test_pgacc_on_the_1_mm_grid() -> None:
    """Volume and centroid are those of the README's 2 mm masks, within their coarser grid."""
    image, _ = AtlasStore([FOLDER]).julich(PGACC, "left", "MNI152NLin2009cAsym")
    assert image.data.shape == (193, 229, 193)
    assert_allclose(_centroid(image.data, image.affine), [-6.8, 46.6, 9.1], atol=0.3)
    assert_allclose(image.data.sum(), 8 * 1353, rtol=0.05)


def test_probability_of_the_acc() -> None:
    image, source = AtlasStore([FOLDER]).julich(
        PGACC, "both", "MNI152NLin6Asym", kind="probability"
    )
    assert 0 < image.data.max() <= 1
    assert image.data.min() == 0
    assert_allclose(_centroid(image.data > 0.5, image.affine)[1], 47, atol=3)
    assert source["files"][0]["labels"] == [1, 8, 2, 9, 3, 10]


def test_every_area_of_the_table_is_found() -> None:
    table = read_table(FOLDER / "atlas-Julich31_dseg.tsv", text_columns=("julich_name",))
    names = tuple(dict.fromkeys(table["julich_name"]))
    assert len(names) == 207
    image, _ = AtlasStore([FOLDER]).julich(names, "both", "MNI152NLin6Asym")
    whole = read_image(FOLDER / f"{SIX}_atlas-Julich31_dseg.nii.gz")
    assert_allclose(image.data, whole.data > 0)


def test_space_that_is_not_there() -> None:
    with pytest.raises(AtlasError, match="MNI152NLin2009aSym"):
        AtlasStore([FOLDER]).julich(PGACC, "left", "MNI152NLin2009aSym")


def test_demo_takes_its_seed_from_the_atlas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ProtocolIsWrittenError(Exception):
        pass

    def no_data(*_: object, **__: object) -> None:
        raise ProtocolIsWrittenError

    monkeypatch.setattr("phmri.simulation._demo.simulate", no_data)
    with pytest.raises(ProtocolIsWrittenError):
        simulate_demo("weigner2025", tmp_path, atlas_dirs=(FOLDER,))
    protocol = read_protocol(tmp_path / "trial.yaml")
    brain = template_anatomy(2, protocol.space)
    grid = Grid(shape=brain.mask.shape, affine=brain.affine, space=brain.space)
    seed = place_region(
        "pgACC", protocol.regions["pgACC"], grid, atlas=AtlasStore([FOLDER]), protocol_dir=tmp_path
    )
    masks = (FOLDER / "masks").glob("tpl-MNI152NLin2009cAsym_res-02_*hemi-LR_label-pgACC_mask*")
    n_voxels = read_mask(next(masks)).data.sum()
    assert abs(seed.voxels.size / n_voxels - 1) < 0.05
