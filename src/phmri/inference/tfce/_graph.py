"""Nodes of a graph, entered by falling height."""

from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, Float64, Int

from phmri.inference._space import Graph
from phmri.inference.clusters._neighbourhood import make_neighbourhood
from phmri.inference.tfce._forest import (
    SHIFT,
    Forest,
    choose_weight,
    find,
    integrate,
    make_forest,
    raise_heights,
)

__all__ = ["GraphCells", "make_graph_cells"]


@numba.njit(nogil=True)
@no_type_check
def _grow_tree(start, stop, graph, forest, weigh):
    # Enters the nodes ranked start to stop, all of one sign. As for volumes, but every node begins
    # a component and asks all its neighbours; those that have not entered have component -1.
    starts, neighbours, sizes = graph
    entries, component_of = forest.entries, forest.component
    united, extent, lowest = forest.united, forest.extent, forest.lowest
    component_of[:] = -1
    for rank in range(start, stop):
        node = np.int64(entries[rank]) >> SHIFT
        component = rank - start
        united[component], extent[component] = component, sizes[node]
        for k in range(starts[node], starts[node + 1]):
            other = component_of[neighbours[k]]
            if other < 0:
                continue
            other = find(united, other)
            if other == component:
                continue
            forest.following[lowest[other]] = rank
            if extent[other] > extent[component]:
                component, other = other, component
            united[other] = component
            extent[component] += extent[other]
        component_of[node] = component
        forest.weight[rank] = weigh(extent[component], forest.extent_power)
        lowest[component], forest.following[rank] = rank, -1


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphCells:
    """The nodes of a graph, each of which is a cell.

    Parameters
    ----------
    starts, neighbours : ndarray
        As in `Graph`.
    sizes : ndarray of shape (n,)
    outcomes : ndarray of shape (n,)
        Every node is the outcome of its number.
    n : int
        Number of nodes.
    """

    starts: Int[np.ndarray, " n_starts"]
    neighbours: Int[np.ndarray, " n_links"]
    sizes: Float64[np.ndarray, " n"]
    outcomes: Int[np.ndarray, " n"]
    n: int

    def make_forest(self, extent_power: float, height_power: float) -> Forest:
        """Reserve what one thread writes on.

        Parameters
        ----------
        extent_power, height_power : float
            E and H.

        Returns
        -------
        Forest
        """
        return make_forest(self.n, np.empty(self.n, np.int32), extent_power, height_power)

    def make_scratch(self) -> None:
        """Reserve nothing: nodes need only what components grow on."""

    def rank(
        self, values: Float[np.ndarray, " n"], forest: Forest, _scratch: None
    ) -> tuple[Forest, int, int]:
        """Put nodes in the order in which they enter.

        Parameters
        ----------
        values : ndarray of shape (n,)
            Heights with their sign.
        forest : Forest
            Its entries and powers are filled: positive nodes, then negative ones.
        _scratch : None

        Returns
        -------
        forest : Forest
            The same.
        n_positive, n_nonzero : int
        """
        positive, negative = np.flatnonzero(values > 0), np.flatnonzero(values < 0)
        falling = positive[np.argsort(-values[positive], kind="stable")]
        rising = negative[np.argsort(values[negative], kind="stable")]
        order = np.concatenate([falling, rising])
        forest.entries[: order.size] = order << SHIFT
        forest.powers[: order.size] = np.abs(values[order])
        raise_heights(forest.powers[: order.size], forest.height_power)
        return forest, falling.size, order.size

    def grow(self, start: int, stop: int, forest: Forest, _scratch: None) -> None:
        """Let the nodes of one sign enter, keeping the tree of entries.

        Parameters
        ----------
        start, stop : int
            Ranks.
        forest : Forest
            Filled: what `integrate` needs.
        _scratch : None
        """
        graph = (self.starts, self.neighbours, self.sizes)
        _grow_tree(start, stop, graph, forest, choose_weight(forest.extent_power))

    def largest(self, start: int, stop: int, forest: Forest, _scratch: None) -> float:
        """Give the largest integral of one sign.

        Parameters
        ----------
        start, stop : int
            Ranks.
        forest : Forest
        _scratch : None

        Returns
        -------
        float
            0 when there is no node of that sign.
        """
        self.grow(start, stop, forest, None)
        return float(integrate(forest, start, stop))


def make_graph_cells(graph: Graph) -> GraphCells:
    """Prepare the lists of neighbours.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    GraphCells
    """
    _, sizes = make_neighbourhood(graph)
    n = sizes.size
    return GraphCells(
        starts=graph.starts,
        neighbours=graph.neighbours,
        sizes=sizes,
        outcomes=np.arange(n),
        n=n,
    )
