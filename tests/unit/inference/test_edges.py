import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import InferenceError
from phmri.inference.clusters._clusters import make_clusters
from phmri.inference.clusters._edges import make_edge_graph, region_pairs


def neighbours_of(graph, k):
    return graph.neighbours[graph.starts[k] : graph.starts[k + 1]].tolist()


def test_edges_that_share_a_region_are_neighbours():
    pairs = region_pairs(["B~A", "B~C", "C~D", "E~F"])
    assert_array_equal(pairs, [[1, 0], [1, 2], [2, 3], [4, 5]])
    graph = make_edge_graph(pairs)
    assert [neighbours_of(graph, k) for k in range(4)] == [[1], [0, 2], [1], []]


def test_all_edges_of_n_regions_have_2_n_minus_4_neighbours():
    n = 12
    graph = make_edge_graph(np.column_stack(np.triu_indices(n, 1)))
    assert_array_equal(np.diff(graph.starts), 2 * (n - 2))
    assert graph.neighbours.dtype == np.int32


def test_numbers_and_direction_of_regions_do_not_matter():
    one = make_edge_graph(np.array([[0, 1], [1, 2], [3, 4]]))
    other = make_edge_graph(np.array([[70, -5], [70, 31], [900, 8]]))
    assert_array_equal(one.starts, other.starts)
    assert_array_equal(one.neighbours, other.neighbours)


def test_components_as_in_the_network_based_statistic():
    # A path a-b-c-d of strong edges, a strong edge e-f, and a weak one that would join them.
    names = ["a~b", "b~c", "c~d", "d~e", "e~f", "a~d"]
    values = np.array([4.0, 3.5, 5.0, 1.0, 6.0, -4.0])
    found = make_clusters(make_edge_graph(region_pairs(names)), 3.0, mass="excess").label(values)
    assert_array_equal(found.labels, [1, 1, 1, 0, 2, 3])
    assert_array_equal(found.extent, [3, 1, 1])
    assert_array_equal(found.mass, [3.5, 3, 1])


def test_a_single_edge():
    graph = make_edge_graph(np.array([[4, 7]]))
    assert graph.neighbours.size == 0
    assert_array_equal(graph.starts, [0, 0])


def test_names_that_are_no_edges_are_refused_together():
    with pytest.raises(InferenceError) as caught:
        region_pairs(["a~b", "a", "a~", "a~b~c"])
    assert [problem.found for problem in caught.value.problems] == ["a", "a~", "a~b~c"]


def test_loops_repeats_and_nothing_are_refused():
    with pytest.raises(InferenceError) as caught:
        make_edge_graph(np.array([[0, 0], [1, 2], [2, 1]]))
    assert [problem.found for problem in caught.value.problems] == ["region 0", "regions 1 and 2"]
    with pytest.raises(InferenceError, match="no edge"):
        make_edge_graph(np.empty((0, 2), dtype=np.int64))
