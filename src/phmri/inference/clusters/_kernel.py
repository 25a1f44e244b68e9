"""The inner loops of clusters: find the outcomes beyond the threshold, join, measure.

Only outcomes beyond the threshold are joined, both signs in one pass, as a forest of links from
each to an earlier one of its cluster (union-find). The root of a tree is therefore the first
outcome of its cluster, and one ascending pass finds every root.
"""

from typing import no_type_check

import numba
import numpy as np

__all__ = ["find_beyond", "join_graph", "join_volume", "measure_clusters"]


@numba.njit(nogil=True)
@no_type_check
def find_beyond(values, bar, flags, beyond):
    # Lists the outcomes with |value| > bar, ascending, and returns how many; -1 where one is NaN.
    # flags (bytes, a multiple of eight, 0 past the end) splits the work into a pass that the
    # compiler turns into vector instructions and one that skips eight outcomes at a time. The
    # comparison is "not at most", so that NaN is found, too. Writing every outcome and stepping
    # on only after those found (hence one more place in the list) spares a branch.
    for i in range(values.shape[0]):
        flags[i] = not (abs(values[i]) <= bar)
    eights = flags.view(np.uint64)
    count = 0
    for eight in range(eights.shape[0]):
        if eights[eight] != 0:
            for i in range(8 * eight, 8 * eight + 8):
                beyond[count] = i
                count += flags[i]
    for j in range(count):
        if np.isnan(values[beyond[j]]):
            return -1
    return count


@numba.njit(nogil=True)
@no_type_check
def _unite(parent, root, other):
    # Joins the tree of root with that of other: the earlier root is the root of both.
    while parent[other] != other:
        parent[other] = parent[parent[other]]
        other = parent[other]
    if other == root:
        return root
    first = min(root, other)
    parent[max(root, other)] = first
    return first


@numba.njit(nogil=True)
@no_type_check
def join_volume(values, beyond, places, offsets, tags, parent):
    # Joins neighbours of the same sign; parent[j] becomes the root of the j-th outcome of the
    # list. tags is a volume with a margin, all 0 before and after; in between it holds the place
    # in the list, counted from 1, with the sign of the value. Offsets lead to earlier voxels.
    for j in range(beyond.shape[0]):
        sign = 1 if values[beyond[j]] > 0 else -1
        place = places[beyond[j]]
        tags[place] = sign * (j + 1)
        parent[j] = j
        root = j
        for k in range(offsets.shape[0]):
            other = sign * tags[place + offsets[k]] - 1
            if other >= 0:
                root = _unite(parent, root, other)
    for j in range(beyond.shape[0]):
        parent[j] = parent[parent[j]]
        tags[places[beyond[j]]] = 0


@numba.njit(nogil=True)
@no_type_check
def join_graph(values, beyond, starts, neighbours, tags, parent):
    # The same for listed neighbours; those that come later in the list have no tag yet.
    for j in range(beyond.shape[0]):
        node = beyond[j]
        sign = 1 if values[node] > 0 else -1
        tags[node] = sign * (j + 1)
        parent[j] = j
        root = j
        for k in range(starts[node], starts[node + 1]):
            other = sign * tags[neighbours[k]] - 1
            if other >= 0:
                root = _unite(parent, root, other)
    for j in range(beyond.shape[0]):
        parent[j] = parent[parent[j]]
        tags[beyond[j]] = 0


@numba.njit(nogil=True)
@no_type_check
def measure_clusters(values, beyond, parent, sizes, base, extent, mass):
    # Extent (sum of sizes) and mass (sum of |value| - base) of every cluster, at the place of its
    # root, summed in float64 in the order of outcomes. Returns the largest extent and mass among
    # positive clusters, then among negative ones.
    for j in range(beyond.shape[0]):
        root, node = parent[j], beyond[j]
        if root == j:
            extent[j] = 0.0
            mass[j] = 0.0
        extent[root] += sizes[node]
        mass[root] += abs(values[node]) - base
    largest = np.zeros(4)
    for j in range(beyond.shape[0]):
        if parent[j] == j:
            side = 0 if values[beyond[j]] > 0 else 2
            largest[side] = max(largest[side], extent[j])
            largest[side + 1] = max(largest[side + 1], mass[j])
    return largest[0], largest[1], largest[2], largest[3]
