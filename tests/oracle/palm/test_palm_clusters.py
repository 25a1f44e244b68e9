from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.inference._space import Volume
from phmri.inference.clusters._clusters import make_clusters

HERE = Path(__file__).parent
DF = 8


@pytest.fixture(scope="module")
def palm():
    with np.load(HERE / "perm_twosample_clusters.npz") as clusters:
        found = dict(clusters)
    with np.load(HERE / "perm_twosample.npz") as data:
        return found | {"Y": data["in_Y"].astype(float)}


def to_z(t):
    return np.sign(t) * stats.norm.isf(stats.t.sf(np.abs(t), DF))


def two_sample_t(Y, first):
    a = np.isin(np.arange(len(Y)), first)
    variance = (a.sum() * Y[a].var(axis=0) + (~a).sum() * Y[~a].var(axis=0)) / DF
    difference = Y[a].mean(axis=0) - Y[~a].mean(axis=0)
    return difference / np.sqrt(variance * (1 / a.sum() + 1 / (~a).sum()))


def make_finder(palm, mass="height"):
    # PALM forms clusters of z with 26 neighbours; its mass is the sum of z, not of the excess.
    return make_clusters(Volume(mask=palm["mask"], connectivity=26), 2.3, mass=mass)


def test_maps_of_extent_and_mass(palm):
    z = to_z(palm["out_extent_vox_tstat"])
    found = make_finder(palm).label(z)
    extent, mass = np.append(0, found.extent), np.append(0, found.mass)
    up = (z > 0) & (found.labels > 0)
    assert_array_equal(extent[found.labels] * up, palm["out_extent_clustere_tstat"])
    assert_allclose(mass[found.labels] * up, palm["out_mass_clusterm_tstat"], atol=1e-10)
    assert up.sum() > 100


def test_largest_cluster_of_all_252_splits(palm):
    finder = make_finder(palm)
    workspace = finder.workspace()
    largest = np.array(
        [
            finder.maxima(to_z(two_sample_t(palm["Y"], split)), workspace)[:2]
            for split in combinations(range(10), 5)
        ]
    )
    for column, name in enumerate(("extent_clustere", "mass_clusterm")):
        wanted = np.sort(palm[f"null_{name}_tstat_max"])
        assert_allclose(np.sort(largest[:, column]), wanted, rtol=1e-9, atol=1e-9)
