"""Neighbours as the search for clusters needs them: places in a box, or lists."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int32
from scipy import sparse

from phmri.exceptions import InferenceError, Problem
from phmri.inference._space import STEPS, Graph, Space
from phmri.inference.clusters._kernel import join_graph, join_volume

__all__ = ["Lattice", "Links", "make_neighbourhood"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Voxels in a box around the mask, with a margin, so that every neighbour has a place.

    Parameters
    ----------
    places : ndarray of shape (n_outcomes,)
        Place of each voxel in the box, ascending.
    offsets : ndarray of shape (n_offsets,)
        From a voxel to its neighbours with a smaller place.
    n_places : int
        Of the box.
    """

    places: Int32[np.ndarray, " n_outcomes"]
    offsets: Int32[np.ndarray, " n_offsets"]
    n_places: int

    def join(
        self,
        values: Float[np.ndarray, " n_outcomes"],
        beyond: Int32[np.ndarray, " n_beyond"],
        tags: Int32[np.ndarray, " n_places"],
        parent: Int32[np.ndarray, " n_outcomes"],
    ) -> None:
        """Give every outcome beyond the threshold the first one of its cluster.

        Parameters
        ----------
        values : ndarray of shape (n_outcomes,)
            Only their sign matters.
        beyond : ndarray of shape (n_beyond,)
            Ascending.
        tags : ndarray of shape (n_places,)
            0 before and after.
        parent : ndarray of shape (n_outcomes,)
            Filled: places in ``beyond``.
        """
        join_volume(values, beyond, self.places, self.offsets, tags, parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Nodes with lists of neighbours.

    Parameters
    ----------
    starts : ndarray of shape (n_outcomes + 1,)
        Neighbours of node k are ``neighbours[starts[k]:starts[k + 1]]``.
    neighbours : ndarray of shape (n_links,)
        Node numbers.
    n_places : int
        Number of nodes.
    """

    starts: Int[np.ndarray, " n_starts"]
    neighbours: Int[np.ndarray, " n_links"]
    n_places: int

    def join(
        self,
        values: Float[np.ndarray, " n_outcomes"],
        beyond: Int32[np.ndarray, " n_beyond"],
        tags: Int32[np.ndarray, " n_outcomes"],
        parent: Int32[np.ndarray, " n_outcomes"],
    ) -> None:
        """Give every outcome beyond the threshold the first one of its cluster.

        Parameters
        ----------
        values : ndarray of shape (n_outcomes,)
            Only their sign matters.
        beyond : ndarray of shape (n_beyond,)
            Ascending.
        tags : ndarray of shape (n_outcomes,)
            0 before and after.
        parent : ndarray of shape (n_outcomes,)
            Filled: places in ``beyond``.
        """
        join_graph(values, beyond, self.starts, self.neighbours, tags, parent)


def make_neighbourhood(
    space: Space,
) -> tuple[Lattice | Links, Float64[np.ndarray, " n_outcomes"]]:
    """Prepare a space for the search for clusters.

    Parameters
    ----------
    space : Volume or Graph
        Where the outcomes lie.

    Returns
    -------
    neighbourhood : Lattice or Links
        Which outcomes are neighbours.
    sizes : ndarray of shape (n_outcomes,)
        What an outcome counts for in the extent.

    Raises
    ------
    InferenceError
        When the space is empty, or lists of neighbours contradict each other.
    """
    if isinstance(space, Graph):
        problems = _find_faults(space)
        if problems:
            raise InferenceError(*problems)
        n = space.starts.size - 1
        links = Links(starts=space.starts, neighbours=space.neighbours, n_places=n)
        return links, np.ones(n) if space.sizes is None else space.sizes.astype(np.float64)
    if not space.mask.any():
        raise InferenceError(Problem(what="the mask has no voxel"))
    return _make_lattice(space.mask, STEPS[space.connectivity]), np.ones(space.mask.sum())


def _make_lattice(mask: Bool[np.ndarray, "x y z"], steps: int) -> Lattice:
    """Place the voxels of a mask in the smallest box that holds them, and a margin of one."""
    voxels = np.argwhere(mask)
    first = voxels.min(axis=0) - 1
    shape = voxels.max(axis=0) + 2 - first
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    directions = [d for d in product((-1, 0, 1), repeat=3) if 0 < np.count_nonzero(d) <= steps]
    offsets = np.array(directions) @ strides
    return Lattice(
        places=((voxels - first) @ strides).astype(np.int32),
        offsets=offsets[offsets < 0].astype(np.int32),
        n_places=int(shape.prod()),
    )


def _find_faults(graph: Graph) -> list[Problem]:
    """Find lists of neighbours that point nowhere, or from one end only."""
    starts, neighbours = graph.starts, graph.neighbours
    n = starts.size - 1
    problems: list[Problem] = []
    if n < 1 or starts[0] != 0 or starts[-1] != neighbours.size or (np.diff(starts) < 0).any():
        problems.append(
            Problem(
                what="the lists of neighbours do not fill the graph",
                field="starts",
                expected=f"ascending from 0 to {neighbours.size}",
            )
        )
    if neighbours.size and not (neighbours.min() >= 0 and neighbours.max() < n):
        problems.append(
            Problem(
                what="a neighbour is no node of the graph",
                field="neighbours",
                found=f"{neighbours.min()} to {neighbours.max()}",
                expected=f"0 to {n - 1}",
            )
        )
    if graph.sizes is not None and not _positive(graph.sizes, n):
        problems.append(Problem(what="sizes are positive numbers, one per node", field="sizes"))
    if not problems and not _two_ended(graph):
        problems.append(
            Problem(what="a link is listed from one of its ends only", field="neighbours")
        )
    return problems


def _positive(sizes: Float[np.ndarray, " n_sizes"], n: int) -> bool:
    return sizes.size == n and bool((np.isfinite(sizes) & (sizes > 0)).all())


def _two_ended(graph: Graph) -> bool:
    """Tell whether the lists, read as a matrix, are symmetric."""
    n = graph.starts.size - 1
    ones = np.ones(graph.neighbours.size, dtype=np.int8)
    there = sparse.csr_array((ones, graph.neighbours, graph.starts), shape=(n, n), copy=True)
    back = there.T.tocsr()
    there.sort_indices()
    back.sort_indices()
    same = (there.indptr == back.indptr).all() and (there.indices == back.indices).all()
    return bool(same)
