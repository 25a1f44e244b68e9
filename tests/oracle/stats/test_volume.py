"""Voxels, clusters and TFCE of a volume under all 1024 sign flips, through `permute`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group import UnitDesign, exchange_within
from phmri.inference import Volume, permute
from phmri.protocol import Inference

EXPECTED = Path(__file__).parent / "expected"
SHAPE, VOXEL = (8, 8, 6), ["i", "j", "k"]


def read_maps(name):
    return pd.read_csv(EXPECTED / f"{name}.csv").sort_values(VOXEL)


@pytest.fixture
def run(data):
    Y = data("perm_volume_8x8x6").sort_values(VOXEL).filter(regex="^s").to_numpy().T
    design = UnitDesign(
        estimator="paired",
        subjects=tuple(map(str, range(10))),
        groups=("x",) * 10,
        X=np.ones((10, 1)),
        columns=("mean",),
        contrast=np.ones(1),
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(10, dtype=np.int64), kind="sign_flip"),
        notes=(),
        sentences=(),
    )

    def permute_volume(connectivity, **settings):
        space = Volume(mask=np.ones(SHAPE, dtype=bool), connectivity=connectivity)
        result = permute(
            design, Y, None, Inference(**settings), alternative="greater", space=space
        )
        assert (result.n_permutations, result.exhaustive) == (1024, True)
        return result

    return permute_volume


@pytest.mark.parametrize(
    ("name", "connectivity", "method", "forming"),
    [
        ("extent_t>2.8214_conn26", 26, "cluster_extent", {"cluster_t": 2.8214}),
        ("extent_t>2.8214_conn6", 6, "cluster_extent", {"cluster_t": 2.8214}),
        ("mass_t>2.8214_conn26", 26, "cluster_mass", {"cluster_t": 2.8214}),
        (
            "extent_z>2.8214_conn26 (PALM convention)",
            26,
            "cluster_extent",
            {"cluster_z": 2.8214, "height": "z"},
        ),
    ],
)
def test_clusters(run, name, connectivity, method, forming):
    maps = read_maps("O_volume_clusters")
    result = run(connectivity, method=method, **forming)
    assert_allclose(result.statistic, maps["t|stat"], rtol=1e-9)
    assert_allclose(result.tests["voxel"].pvalue, read_maps("O_volume_t")["p_fwe"], rtol=1e-12)
    size = np.maximum(result.tests[method].value, 0)
    assert_allclose(size, maps[f"cluster_{name}|stat"], rtol=1e-9)
    assert_allclose(result.pvalue_corrected, maps[f"cluster_{name}|p_fwe"], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "connectivity", "height", "n_more"),
    [
        ("t_dh=max/100_conn6", 6, "t", 1),
        ("t_dh=0.1_conn6", 6, "t", 0),
        ("t_dh=max/100_conn26", 26, "t", 1),
        ("z_dh=max/100_conn6 (PALM convention)", 6, "z", 0),
    ],
)
def test_tfce_is_what_steps_approach(run, name, connectivity, height, n_more):
    # The reference adds up 100 steps per map, ours is the integral: maps differ by 1.2 % of the
    # maximum, and a p near 0.05 may move by the maxima that lie within such an error.
    maps = read_maps("O_volume_tfce")
    wanted, pvalue = maps[f"tfce_on_{name}|stat"], maps[f"tfce_on_{name}|p_fwe"].to_numpy()
    result = run(connectivity, method="tfce", height=height)
    test = result.tests["tfce"]
    assert_allclose(np.maximum(test.value, 0), wanted, atol=0.012 * wanted.max())
    assert (test.pvalue <= 0.05).sum() == (pvalue <= 0.05).sum() + n_more
    assert test.pvalue.min() == pvalue.min() == 1 / 1024
    low = pvalue <= 0.1
    assert low.sum() > 25
    assert np.abs(test.pvalue - pvalue)[low].max() <= 12 / 1024
