"""Where outcomes lie beside each other: voxels of a volume, or nodes of a graph."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["STEPS", "Graph", "Space", "Volume"]

STEPS = {6: 1, 18: 2, 26: 3}
"""On how many axes a voxel may differ from each of its 6, 18 or 26 neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Voxels of a mask, in C order.

    Parameters
    ----------
    mask : ndarray of bool of shape (x, y, z)
        Outcome k is the k-th voxel of it.
    connectivity : {6, 18, 26}
        Neighbours by faces, edges too, corners too.
    """

    mask: Bool[np.ndarray, "x y z"]
    connectivity: Literal[6, 18, 26] = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes with listed neighbours: vertices of a surface, or edges that share a region.

    Parameters
    ----------
    starts : ndarray of shape (n_nodes + 1,)
        Neighbours of node k are ``neighbours[starts[k]:starts[k + 1]]``.
    neighbours : ndarray of shape (n_links,)
        Node numbers; every link is listed from both ends.
    sizes : ndarray of shape (n_nodes,) or None
        What a node counts for in the extent of a cluster (area of a vertex); None: 1.
    """

    starts: Int[np.ndarray, " n_starts"]
    neighbours: Int[np.ndarray, " n_links"]
    sizes: Float[np.ndarray, " n_nodes"] | None = None


Space = Volume | Graph
