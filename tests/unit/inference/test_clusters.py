import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import InferenceError
from phmri.inference._space import Graph, Volume
from phmri.inference.clusters._clusters import cluster_threshold, make_clusters
from phmri.protocol import Inference

LINE = Volume(mask=np.ones((1, 1, 9), dtype=bool), connectivity=6)
CHAIN = Graph(starts=np.array([0, 1, 3, 5, 6]), neighbours=np.array([1, 0, 2, 1, 3, 2]))


def threshold_settings(**chosen):  # cluster thresholds that Inference itself would refuse
    return Inference.model_construct(**(Inference().model_dump() | chosen))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extent_and_mass_by_hand(dtype):
    values = np.array([3, 4, 0, -5, -3, 3, 2.5, 3, 0], dtype=dtype)
    finder = make_clusters(LINE, 2.5, mass="excess")
    assert finder.maxima(values, finder.workspace()) == (2, 2, 2, 3)
    found = finder.label(values)
    assert_array_equal(found.labels, [2, 2, 0, 1, 1, 3, 0, 4, 0])
    assert_array_equal(found.sign, [-1, 1, 1, 1])
    assert_array_equal(found.extent, [2, 2, 1, 1])
    assert_array_equal(found.mass, [3, 2, 0.5, 0.5])
    whole = make_clusters(LINE, 2.5, mass="height")
    assert_array_equal(whole.label(values).mass, [8, 7, 3, 3])


def test_largest_mass_and_largest_extent_may_be_of_different_clusters():
    values = np.array([9.0, 0, 3, 3, 3, 0, 0, 0, 0])
    finder = make_clusters(LINE, 2.0, mass="excess")
    assert finder.maxima(values, finder.workspace()) == (3, 7, 0, 0)


def test_opposite_signs_that_touch_are_two_clusters():
    values = np.array([0, 0, 3.0, 3, -3, 3, 0, 0, 0])
    assert_array_equal(
        make_clusters(LINE, 2.0, mass="excess").label(values).labels, [0, 0, 1, 1, 2, 3, 0, 0, 0]
    )


@pytest.mark.parametrize(("connectivity", "n_clusters"), [(6, 3), (18, 2), (26, 1)])
def test_faces_edges_and_corners(connectivity, n_clusters):
    volume = np.zeros((4, 3, 3))
    volume[0, 0, 0] = volume[1, 1, 0] = volume[2, 2, 1] = 3  # an edge, then a corner
    space = Volume(mask=np.ones(volume.shape, dtype=bool), connectivity=connectivity)
    found = make_clusters(space, 2.0, mass="excess").label(volume.ravel())
    assert found.mass.size == n_clusters


def test_voxels_at_the_border_do_not_meet_those_of_the_next_row():
    volume = np.zeros((3, 3, 3))
    volume[1, 1, 2] = volume[1, 2, 0] = 3  # neighbours in memory
    space = Volume(mask=np.ones(volume.shape, dtype=bool), connectivity=26)
    assert make_clusters(space, 2.0, mass="excess").label(volume.ravel()).mass.size == 2


def test_voxels_outside_the_mask_join_nothing():
    mask = np.array([True, True, False, True]).reshape(4, 1, 1)
    finder = make_clusters(Volume(mask=mask), 2.0, mass="excess")
    assert_array_equal(finder.label(np.array([3.0, 3, 3])).labels, [1, 1, 2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threshold_is_strict_for_either_precision(dtype):
    # 2.3 lies between two float32; the smaller is not beyond it, the larger is.
    below = np.float32(2.3)
    assert float(below) < 2.3
    above = np.nextafter(below, np.float32(9))
    values = np.array([below, above, 0, 0, 0, 0, 0, 0, 0], dtype=dtype)
    found = make_clusters(LINE, 2.3, mass="excess").label(values)
    assert_array_equal(found.labels, [0, 1, 0, 0, 0, 0, 0, 0, 0])
    exact = np.array([2.5, -2.5, 0, 0, 0, 0, 0, 0, 0], dtype=dtype)
    assert make_clusters(LINE, 2.5, mass="excess").label(exact).mass.size == 0
    # and where the nearest float32 is the larger one
    assert float(np.float32(2.7)) > 2.7
    tie = np.full(9, np.float32(2.7), dtype=dtype)
    assert make_clusters(LINE, 2.7, mass="excess").label(tie).extent[0] == 9


def test_threshold_zero_takes_all_that_is_not_zero():
    values = np.array([0.1, 0, -0.1, -1e-3, 0, 0, 1, 2, 3])
    found = make_clusters(LINE, 0.0, mass="excess").label(values)
    assert_array_equal(found.labels, [3, 0, 2, 2, 0, 0, 1, 1, 1])


def test_equal_masses_are_ordered_by_position():
    values = np.array([3.0, 0, 3, 0, 3, 0, 0, 0, 0])
    finder = make_clusters(LINE, 2.0, mass="excess")
    assert_array_equal(finder.label(values).labels, [1, 0, 2, 0, 3, 0, 0, 0, 0])
    positions = np.zeros((9, 3))
    positions[:, 0] = -np.arange(9.0)
    found = finder.label(values, positions)
    assert_array_equal(found.labels, [3, 0, 2, 0, 1, 0, 0, 0, 0])


def test_sizes_of_nodes_are_summed():
    sizes = np.array([0.5, 2.0, 3.0, 0.25])
    graph = replace(CHAIN, sizes=sizes)
    values = np.array([3.0, 3, 0, -4])
    finder = make_clusters(graph, 2.0, mass="excess")
    assert finder.maxima(values, finder.workspace()) == (2.5, 2, 0.25, 2)
    assert_array_equal(finder.label(values).extent, [2.5, 0.25])


def test_nothing_beyond_and_everything_beyond():
    space = Volume(mask=np.ones((7, 6, 5), dtype=bool))
    finder = make_clusters(space, 2.0, mass="excess")
    workspace = finder.workspace()
    assert finder.maxima(np.zeros(210), workspace) == (0, 0, 0, 0)
    assert finder.label(np.zeros(210)).mass.size == 0
    assert finder.maxima(np.full(210, -3.0), workspace) == (0, 0, 210, 210)
    assert finder.maxima(np.full(210, 3.0, dtype=np.float32), workspace) == (210, 210, 0, 0)


def test_a_spiral_is_one_cluster():
    # The arms meet last: every label given before must be found again.
    plane = np.zeros((9, 9))
    plane[::2] = 3
    plane[1::4, -1] = plane[3::4, 0] = 3
    space = Volume(mask=np.ones((1, 9, 9), dtype=bool), connectivity=6)
    found = make_clusters(space, 2.0, mass="excess").label(plane.ravel())
    assert_array_equal(found.extent, [49])


def test_threads_with_workspaces_of_their_own_agree_bit_by_bit():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(40, 1000)).astype(np.float32)
    finder = make_clusters(Volume(mask=np.ones((10, 10, 10), dtype=bool)), 1.2, mass="excess")
    found = {}

    def run(start):
        workspace = finder.workspace()
        for k in range(start, 40, 2):
            found[k] = finder.maxima(maps[k], workspace)

    threads = [threading.Thread(target=run, args=(start,)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    workspace = finder.workspace()
    assert [found[k] for k in range(40)] == [finder.maxima(t, workspace) for t in maps]


def test_nan_and_other_lengths_are_refused():
    finder = make_clusters(LINE, 2.0, mass="excess")
    values = np.zeros(9)
    values[8] = np.nan
    with pytest.raises(InferenceError, match="not numbers"):
        finder.maxima(values, finder.workspace())
    with pytest.raises(InferenceError, match="not numbers"):
        finder.label(values.astype(np.float32))
    with pytest.raises(InferenceError, match="another number of outcomes"):
        finder.label(np.zeros(8))


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf])
def test_thresholds_that_form_no_clusters_are_refused(threshold):
    with pytest.raises(InferenceError, match="finite number"):
        make_clusters(LINE, threshold, mass="excess")


def test_empty_mask_is_refused():
    with pytest.raises(InferenceError, match="no voxel"):
        make_clusters(Volume(mask=np.zeros((2, 2, 2), dtype=bool)), 2.0, mass="excess")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"starts": np.array([0, 1, 3, 5])}, "do not fill"),
        ({"starts": np.array([0, 3, 1, 5, 6])}, "do not fill"),
        ({"neighbours": np.array([1, 0, 2, 1, 4, 2])}, "no node"),
        ({"neighbours": np.array([1, 0, 2, 1, 3, 1])}, "one of its ends"),
        ({"sizes": np.array([1.0, 1, 0, 1])}, "sizes are positive"),
        ({"sizes": np.array([1.0, 1, 1])}, "sizes are positive"),
    ],
)
def test_graphs_that_contradict_themselves_are_refused(changed, words):
    with pytest.raises(InferenceError, match=words):
        make_clusters(replace(CHAIN, **changed), 2.0, mass="excess")


def test_all_faults_of_a_graph_at_once():
    broken = Graph(
        starts=np.array([0, 1, 3, 5]), neighbours=np.array([1, 0, 2, 1, 4, -1]), sizes=np.ones(9)
    )
    with pytest.raises(InferenceError) as caught:
        make_clusters(broken, 2.0, mass="excess")
    assert len(caught.value.problems) == 3


def test_thresholds_are_exchanged_at_equal_tail_probability():
    z, df = 2.3, 14.0
    p = float(stats.norm.sf(z))
    by_z = cluster_threshold(threshold_settings(cluster_z=z), df)
    assert_allclose(stats.t.sf(by_z, df), p, rtol=1e-12)
    assert_allclose(cluster_threshold(threshold_settings(cluster_p=p), df), by_z, rtol=1e-12)
    assert cluster_threshold(threshold_settings(cluster_t=3.1), df) == 3.1
    assert_allclose(cluster_threshold(threshold_settings(cluster_z=z), np.inf), z, rtol=1e-12)
    assert cluster_threshold(threshold_settings(cluster_z=z, height="z"), df) == z
    as_z = cluster_threshold(threshold_settings(cluster_p=p, height="z"), df)
    assert_allclose(as_z, z, rtol=1e-12)


def test_p_of_one_in_a_thousand_at_22_degrees_of_freedom():
    # Any table of Student's t.
    assert_allclose(cluster_threshold(threshold_settings(cluster_p=0.001), 22.0), 3.505, atol=5e-4)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "exactly one.*none"),
        ({"cluster_z": 3.1, "cluster_p": 0.001}, "exactly one.*cluster_z, cluster_p"),
        ({"cluster_t": 3.1, "height": "z"}, "in units of t does not apply"),
        ({"cluster_t": 60.0}, "no map has clusters.*60, a one-sided p of 2.3e-24 at 20 degrees"),
        ({"cluster_z": 39.0}, "no map has clusters.*expected a one-sided p of 1e-12 or more"),
    ],
)
def test_thresholds_that_contradict_each_other_are_refused(chosen, words):
    with pytest.raises(InferenceError, match=f"(?s){words}"):
        cluster_threshold(threshold_settings(**chosen), 20.0)
