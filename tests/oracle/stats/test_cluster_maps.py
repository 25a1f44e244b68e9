from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.inference._space import Volume
from phmri.inference.clusters._clusters import make_clusters

MAPS = pd.read_csv(Path(__file__).parent / "expected" / "O_volume_clusters.csv")
MAPS = MAPS.sort_values(["i", "j", "k"])
SHAPE = (8, 8, 6)
THRESHOLD, DF = 2.8214, 9


def as_they_are(t):
    return t


def to_z(t):
    return np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), DF))


@pytest.mark.parametrize(
    ("name", "connectivity", "transform", "column"),
    [
        (f"cluster_extent_t>{THRESHOLD}_conn26", 26, as_they_are, 0),
        (f"cluster_extent_t>{THRESHOLD}_conn6", 6, as_they_are, 0),
        (f"cluster_mass_t>{THRESHOLD}_conn26", 26, as_they_are, 1),
        (f"cluster_extent_z>{THRESHOLD}_conn26 (PALM convention)", 26, to_z, 0),
    ],
)
def test_maps_and_all_1024_sign_flips(data, name, connectivity, transform, column):
    volume = data("perm_volume_8x8x6").sort_values(["i", "j", "k"])
    Y = volume.filter(like="s").to_numpy().T
    space = Volume(mask=np.ones(SHAPE, dtype=bool), connectivity=connectivity)
    finder = make_clusters(space, THRESHOLD, mass="excess")
    signs = np.array(list(product([1, -1], repeat=len(Y))))
    mean = signs @ Y / len(Y)
    variance = ((Y**2).mean(axis=0) - mean**2) / DF
    maps = transform(mean / np.sqrt(variance))
    assert_allclose(mean[0] / np.sqrt(variance[0]), MAPS["t|stat"], rtol=1e-9)

    found = finder.label(maps[0])
    value = np.append(0, found.extent if column == 0 else found.mass)[found.labels]
    value *= maps[0] > 0
    assert_allclose(value, MAPS[f"{name}|stat"], rtol=1e-9)

    workspace = finder.workspace()
    largest = np.array([finder.maxima(t, workspace)[column] for t in maps])
    reached = largest[:, None] >= value - 1e-9 * np.maximum(1, value)
    assert_allclose(reached.mean(axis=0), MAPS[f"{name}|p_fwe"], rtol=1e-9)
