import numpy as np
from numpy.testing import assert_allclose

from phmri.inference._space import Volume
from phmri.inference.clusters._clusters import make_clusters
from phmri.inference.clusters._edges import make_edge_graph, region_pairs
from phmri.inference.clusters._peaks import find_extrema
from phmri.inference.clusters._table import ClusterPvalues, Places, describe_clusters

SHAPE = (16, 10, 10)
MASK = np.ones(SHAPE, dtype=bool)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
POSITIONS = np.argwhere(MASK) * 2.0
UNSURE = ClusterPvalues(uncorrected=np.ones(MASK.size))


def at(*voxel):
    return int(np.ravel_multi_index(voxel, SHAPE))


def make_map(places):
    volume = np.zeros(SHAPE)
    for voxel, height in places.items():
        volume[voxel] = height
    return volume.ravel()


def describe(values, *, threshold=3.0, connectivity=26, pvalues=UNSURE, n_peaks=3, distance=8.0):
    space = Volume(mask=MASK, connectivity=connectivity)
    labelling = make_clusters(space, threshold, mass="excess").label(values, POSITIONS)
    places = Places(
        positions_mm=POSITIONS,
        voxel_mm3=8.0,
        maxima=find_extrema(values, MASK, AFFINE),
        name_of=lambda k: f"voxel {k}",
    )
    return describe_clusters(
        labelling,
        values,
        pvalues,
        places,
        alpha=0.05,
        n_peaks=n_peaks,
        min_distance_mm=distance,
    )


def test_every_column_of_two_clusters_by_hand():
    values = make_map({(2, 2, 2): 6.0, (3, 2, 2): 4.0, (9, 5, 5): -4.5})
    ones = np.ones(MASK.size)
    sure = ones.copy()
    sure[at(2, 2, 2)] = 1e-9
    sure[at(3, 2, 2)] = 1e-8
    first, second = describe(
        values,
        pvalues=ClusterPvalues(
            uncorrected=sure,
            extent=np.where(values > 0, 0.02, 0.3),
            mass=np.where(values > 0, 0.01, 0.4),
            tfce=np.where(values == 6, 0.001, 0.2),
        ),
    )
    assert (first.number, first.sign, first.n_outcomes) == (1, 1, 2)
    assert (first.volume_mm3, first.extent, first.mass) == (16, 2, 4)
    assert_allclose(first.centre_mm, (2 * (6 * 2 + 4 * 3) / 10, 4, 4))
    assert first.peaks == (at(2, 2, 2),)
    assert first.label == f"voxel {at(2, 2, 2)}"
    assert (first.pvalue_extent, first.pvalue_mass, first.pvalue_tfce) == (0.02, 0.01, 0.001)
    assert first.true_discoveries == 2
    assert (second.number, second.sign, second.n_outcomes) == (2, -1, 1)
    assert (second.pvalue_extent, second.pvalue_tfce) == (0.3, 0.2)
    assert second.pvalue_random_field is None
    assert second.qvalue_topological is None
    assert second.true_discoveries == 0


def test_what_was_not_asked_is_none():
    (cluster,) = describe(make_map({(2, 2, 2): 6.0}))
    assert cluster.pvalue_extent is cluster.pvalue_mass is cluster.pvalue_tfce is None


def test_peaks_keep_their_distance_within_the_cluster():
    bar = {(x, 4, 4): 3.5 for x in range(1, 14)}
    values = make_map(bar | {(2, 4, 4): 9.0, (5, 4, 4): 8.0, (9, 4, 4): 7.0, (13, 4, 4): 6.0})
    (cluster,) = describe(values)
    assert cluster.peaks == (at(2, 4, 4), at(9, 4, 4), at(13, 4, 4))
    (cluster,) = describe(values, n_peaks=2, distance=4.0)
    assert cluster.peaks == (at(2, 4, 4), at(5, 4, 4))


def test_peaks_of_a_cluster_do_not_depend_on_the_threshold():
    bar = {(x, 4, 4): 3.5 for x in range(1, 14)}
    values = make_map(bar | {(2, 4, 4): 9.0, (8, 4, 4): 7.0, (13, 4, 4): 6.0})
    whole = describe(values)[0].peaks
    parts = tuple(c.peaks[0] for c in describe(values, threshold=5.0))
    assert whole == parts == (at(2, 4, 4), at(8, 4, 4), at(13, 4, 4))


def test_a_cluster_in_the_shadow_of_a_stronger_one_has_its_strongest_outcome_as_peak():
    # With neighbours by faces the corner voxel is a cluster of its own, but no local maximum.
    values = make_map({(4, 4, 4): 6.0, (5, 5, 5): 4.0})
    first, second = describe(values, connectivity=6)
    assert first.peaks == (at(4, 4, 4),)
    assert second.peaks == (at(5, 5, 5),)


def test_a_plateau_has_one_peak_its_first_in_mm():
    values = make_map({(x, 4, 4): 5.0 for x in (6, 5, 4)})
    (cluster,) = describe(values)
    assert cluster.peaks == (at(4, 4, 4),)


def test_no_clusters_no_rows():
    assert describe(np.zeros(MASK.size)) == ()


def test_edges_have_no_place():
    names = ["a~b", "b~c", "c~d"]
    values = np.array([4.0, 5.0, -6.0])
    labelling = make_clusters(make_edge_graph(region_pairs(names)), 3.0, mass="excess").label(
        values
    )
    by_height = np.argsort(-np.abs(values))
    first, second = describe_clusters(
        labelling,
        values,
        ClusterPvalues(uncorrected=np.ones(3)),
        Places(maxima=by_height, name_of=names.__getitem__),
        alpha=0.05,
    )
    # Of equal mass: the one with the first edge is the first.
    assert (first.sign, first.peaks, first.label) == (1, (1, 0), "b~c")
    assert (second.sign, second.peaks, second.label) == (-1, (2,), "c~d")
    assert first.centre_mm is None
    assert first.volume_mm3 is None
