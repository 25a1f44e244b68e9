import numpy as np
import pytest

from phmri.simulation._anatomy import box_anatomy
from phmri.simulation._confounds import ConfoundTable, make_confounds
from phmri.simulation._scene import make_scene
from phmri.simulation._truth import ScanTruth, Truth

BASE = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
EXPANDED = (*BASE, "csf", "white_matter", "global_signal")
TRUTH = Truth(phmri_truth=1, scans={"rest": ScanTruth(n_volumes=70, t_r=2.0)})
SCENE = make_scene(box_anatomy((8, 9, 8)), TRUTH, {})


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray, ConfoundTable]:
    rng = np.random.default_rng(5)
    sources = rng.standard_normal((70, len(SCENE.maps))).astype(np.float32)
    data = sources @ np.stack(list(SCENE.maps.values())) + SCENE.mean
    data += rng.standard_normal(data.shape).astype(np.float32)
    motion = np.cumsum(0.01 * rng.standard_normal((70, 6)), axis=0)
    return data, motion, make_confounds(SCENE, data, motion, 2.0)


def test_has_the_36_parameters(made: tuple[np.ndarray, np.ndarray, ConfoundTable]) -> None:
    columns = made[2].columns
    for name in EXPANDED:
        series = columns[name]
        change = columns[f"{name}_derivative1"]
        assert np.isnan(change[0])
        np.testing.assert_array_equal(change[1:], np.diff(series))
        np.testing.assert_array_equal(columns[f"{name}_power2"], series**2)
        np.testing.assert_array_equal(columns[f"{name}_derivative1_power2"][1:], change[1:] ** 2)


def test_tissue_means_are_means_of_the_data(
    made: tuple[np.ndarray, np.ndarray, ConfoundTable],
) -> None:
    data, _, table = made
    anatomy = SCENE.anatomy
    for name, weight in (("csf", anatomy.csf), ("white_matter", anatomy.white)):
        expected = data[:, weight >= 0.95].mean(axis=1)
        np.testing.assert_allclose(table.columns[name], expected, rtol=1e-5)
    np.testing.assert_allclose(table.columns["global_signal"], data.mean(axis=1), rtol=1e-5)


def test_displacement_and_dvars_follow_their_definitions(
    made: tuple[np.ndarray, np.ndarray, ConfoundTable],
) -> None:
    data, motion, table = made
    step = np.abs(motion[7] - motion[6])
    expected = step[:3].sum() + 50 * step[3:].sum()
    assert table.columns["framewise_displacement"][7] == pytest.approx(expected)
    dvars = np.sqrt(((data[7] - data[6]).astype(np.float64) ** 2).mean())
    assert table.columns["dvars"][7] == pytest.approx(dvars, rel=1e-5)
    assert np.nanmedian(table.columns["std_dvars"]) == pytest.approx(1.0)


def test_components_are_orthonormal_and_free_of_drift(
    made: tuple[np.ndarray, np.ndarray, ConfoundTable],
) -> None:
    table = made[2]
    for prefix, count, mask in (("a", 6, "combined"), ("c", 5, "CSF"), ("w", 5, "WM")):
        names = [f"{prefix}_comp_cor_{k:02d}" for k in range(count)]
        block = np.stack([table.columns[name] for name in names], axis=1)
        np.testing.assert_allclose(block.T @ block, np.eye(count), atol=1e-9)
        cosines = np.stack([table.columns["cosine00"], table.columns["cosine01"]], axis=1)
        np.testing.assert_allclose(cosines.T @ block, 0.0, atol=1e-9)
        assert {table.metadata[name]["Mask"] for name in names} == {mask}
        shares = [table.metadata[name]["VarianceExplained"] for name in names]
        assert shares == sorted(shares, reverse=True)
    assert "cosine02" not in table.columns  # 140 s hold two half-cycles slower than 128 s


def test_marks_the_first_volume(made: tuple[np.ndarray, np.ndarray, ConfoundTable]) -> None:
    mark = made[2].columns["non_steady_state_outlier00"]
    assert mark[0] == 1
    assert mark.sum() == 1
