"""Edges of a network as outcomes with neighbours: edges that share a region."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from scipy import sparse

from phmri.exceptions import InferenceError, Problem
from phmri.inference._space import Graph

__all__ = ["make_edge_graph", "region_pairs"]

N_ENDS = 2


def region_pairs(names: Sequence[str]) -> Int[np.ndarray, "n_edges 2"]:
    """Turn the names of edges into numbers of regions.

    Parameters
    ----------
    names : sequence of str
        Edges ``A~B``.

    Returns
    -------
    ndarray of int of shape (n_edges, 2)
        Regions are numbered by name.

    Raises
    ------
    InferenceError
        When a name is not that of an edge; all of them are listed.

    Examples
    --------
    >>> region_pairs(["ACC~PCC", "ACC~PCC2", "PCC~PCC2"]).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    ends = [name.split("~") for name in names]
    problems = [
        Problem(what="this is not the name of an edge", found=name, expected="A~B")
        for name, end in zip(names, ends, strict=True)
        if len(end) != N_ENDS or not all(end)
    ]
    if problems:
        raise InferenceError(*problems)
    number = {region: k for k, region in enumerate(sorted({r for end in ends for r in end}))}
    pairs = np.array([[number[region] for region in end] for end in ends], dtype=np.int64)
    return pairs.reshape(-1, 2)


def make_edge_graph(pairs: Int[np.ndarray, "n_edges 2"]) -> Graph:
    """Make a graph whose nodes are the edges of a network.

    Parameters
    ----------
    pairs : ndarray of int of shape (n_edges, 2)
        The numbers of the two regions of each edge; an edge has no direction.

    Returns
    -------
    Graph
        Two edges are neighbours when they share a region, so that the connected components of
        the edges beyond a threshold, measured by their number of edges, are those of the
        network-based statistic [1]_.

    Raises
    ------
    InferenceError
        When an edge joins a region to itself, an edge is listed twice, or there is none.

    Notes
    -----
    Of ``n`` regions that are all joined each edge has ``2 (n - 2)`` neighbours: about ``n**3``
    links of four bytes, 40 MB for 215 regions and 250 MB for 400.

    References
    ----------
    .. [1] Zalesky, Fornito and Bullmore (2010), Network-based statistic: identifying differences
       in brain networks, doi:10.1016/j.neuroimage.2010.06.041.
    """
    edges = [tuple(pair) for pair in np.sort(pairs, axis=1).tolist()]
    problems = [Problem(what="there is no edge")] if not edges else []
    problems += [
        Problem(what="an edge joins a region to itself", found=f"region {first}")
        for first, second in edges
        if first == second
    ]
    problems += [
        Problem(what="an edge is listed more than once", found=f"regions {edge[0]} and {edge[1]}")
        for edge, count in Counter(edges).items()
        if count > 1
    ]
    if problems:
        raise InferenceError(*problems)
    regions = np.unique(pairs, return_inverse=True)[1].ravel().astype(np.int32)
    starts = np.arange(0, regions.size + 1, N_ENDS, dtype=np.int32)
    incidence = sparse.csr_array((np.ones(regions.size, dtype=np.int8), regions, starts))
    # Distinct edges share one region at most: off the diagonal every entry is 1.
    shared = sparse.csr_array(incidence @ incidence.T)
    shared.setdiag(0)
    shared.eliminate_zeros()
    shared.sort_indices()
    return Graph(starts=shared.indptr, neighbours=shared.indices)
