"""Voxels of a mask, entered by falling height."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple, cast, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Int
from numba.cpython.unsafe.numbers import trailing_zeros

from phmri.exceptions import InferenceError, Problem
from phmri.inference._space import Volume
from phmri.inference.clusters._neighbourhood import Lattice, make_neighbourhood
from phmri.inference.tfce._forest import (
    LINK,
    SHIFT,
    Forest,
    choose_weight,
    find,
    largest_integral,
    make_forest,
    raise_heights,
)
from phmri.inference.tfce._raster import BLOCK, PEAK, SADDLE, SPREAD, WANTED, mark_higher
from phmri.inference.tfce._sort import sort_heights

__all__ = ["VolumeCells", "make_volume_cells"]

MOST_CELLS = 1 << (32 - SHIFT)
MOST_IN_UINT16 = 1 << 16


class Plan(NamedTuple):
    """Where voxels and their neighbours lie in the box, as compiled functions read it.

    ``places`` of the voxels, ascending; ``blocks``: first cells of runs that cover them; ``rows``
    and ``steps``: from a cell to its neighbouring rows and to each cell of the cube around it;
    ``wanted``: which of the cube are neighbours, ``corners``: whether all are; ``largest``: bit
    pattern of all but the sign, ``wide``: that of 64 bits.
    """

    places: Any
    blocks: Any
    rows: Any
    steps: Any
    wanted: np.int32
    corners: bool
    largest: Any
    wide: bool


class Scratch(NamedTuple):
    """What one thread writes on beside the forest; what is never used costs nothing.

    Heights in the box, ``narrow`` or ``wide``; of each cell ``higher`` neighbours and ``links``;
    ``words`` to be sorted; ``component`` of each cell, for maps with very many peaks.
    """

    narrow: Any
    wide: Any
    higher: Any
    links: Any
    words: Any
    spare_words: Any
    component: Any


# Two loops in one piece each, with names of their own for the arrays: handing several arrays to a
# function, or reading them out of the tuple, inside the loop takes four times as long as the loop.


@numba.njit(nogil=True)
@no_type_check
def _grow_largest(start, stop, steps, higher, forest, weigh):
    # Enters the voxels ranked start to stop, all of one sign; returns the number of components
    # begun. A component is brought down to a height before its extent changes there.
    entries, powers, component_of = forest.entries, forest.powers, forest.component
    united, extent, best, reached = forest.united, forest.extent, forest.best, forest.reached
    n_components = 0
    for rank in range(start, stop):
        entry, power = np.int64(entries[rank]), powers[rank]
        cell, link = entry >> SHIFT, entry & LINK
        component = -1
        if link == PEAK:
            component = n_components
            n_components += 1
            united[component], extent[component] = component, 0.0
            best[component], reached[component] = 0.0, power
        elif link != SADDLE:
            component = find(united, component_of[cell + steps[link]])
            step = reached[component] - power
            best[component] += weigh(extent[component], forest.extent_power) * step
            reached[component] = power
        else:
            neighbours = higher[cell]
            while neighbours != 0:
                other = find(united, component_of[cell + steps[trailing_zeros(neighbours)]])
                neighbours &= neighbours - 1
                if other == component:
                    continue
                step = reached[other] - power
                best[other] += weigh(extent[other], forest.extent_power) * step
                reached[other] = power
                if component < 0:
                    component = other
                    continue
                if extent[other] > extent[component]:
                    component, other = other, component
                united[other] = component
                extent[component] += extent[other]
                best[component] = max(best[component], best[other])
        component_of[cell] = component
        extent[component] += 1.0
    return n_components


@numba.njit(nogil=True)
@no_type_check
def _grow_tree(start, stop, steps, higher, forest, weigh):
    # The same, keeping what every voxel needs for its own integral.
    entries, component_of = forest.entries, forest.component
    united, extent, lowest = forest.united, forest.extent, forest.lowest
    following, weight = forest.following, forest.weight
    n_components = 0
    for rank in range(start, stop):
        entry = np.int64(entries[rank])
        cell, link = entry >> SHIFT, entry & LINK
        component = -1
        if link == PEAK:
            component = n_components
            n_components += 1
            united[component], extent[component] = component, 0.0
        elif link != SADDLE:
            component = find(united, component_of[cell + steps[link]])
            following[lowest[component]] = rank
        else:
            neighbours = higher[cell]
            while neighbours != 0:
                other = find(united, component_of[cell + steps[trailing_zeros(neighbours)]])
                neighbours &= neighbours - 1
                if other == component:
                    continue
                following[lowest[other]] = rank
                if component < 0:
                    component = other
                    continue
                if extent[other] > extent[component]:
                    component, other = other, component
                united[other] = component
                extent[component] += extent[other]
        component_of[cell] = component
        extent[component] += 1.0
        weight[rank] = weigh(extent[component], forest.extent_power)
        lowest[component], following[rank] = rank, -1


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCells:
    """A box around a mask, with a margin so that every neighbour has a cell.

    Parameters
    ----------
    narrow, wide : Plan
        For float32 and float64.
    connectivity : {6, 18, 26}
    outcomes : ndarray of shape (n_cells,)
        Outcome in each cell; elsewhere without meaning.
    n : int
        Number of outcomes.
    """

    narrow: Plan
    wide: Plan
    connectivity: int
    outcomes: Int[np.ndarray, " n_cells"]
    n: int

    def make_forest(self, extent_power: float, height_power: float) -> Forest:
        """Reserve what one thread writes on while components grow.

        Parameters
        ----------
        extent_power, height_power : float
            E and H.

        Returns
        -------
        Forest
            With room for as many components as nearly all maps have: half the memory, which then
            stays in the cache.
        """
        component = np.empty(self.outcomes.size, np.uint16)
        return make_forest(self.n, component, extent_power, height_power)

    def make_scratch(self) -> Scratch:
        """Reserve what one thread writes on before components grow.

        Returns
        -------
        Scratch
        """
        n_cells = self.outcomes.size
        return Scratch(
            narrow=np.zeros(n_cells, np.int32),
            wide=np.zeros(n_cells, np.int64),
            higher=np.empty(n_cells, np.int32),
            links=np.empty(n_cells, np.uint8),
            words=np.empty(self.n, np.uint64),
            spare_words=np.empty(self.n, np.uint64),
            component=np.empty(n_cells, np.int32),
        )

    def rank(
        self, values: Float[np.ndarray, " n"], forest: Forest, scratch: Scratch
    ) -> tuple[Forest, int, int]:
        """Put voxels in the order in which they enter.

        Parameters
        ----------
        values : ndarray of shape (n,)
            Heights with their sign.
        forest : Forest
            Its entries and powers are filled: positive voxels, then negative ones.
        scratch : Scratch

        Returns
        -------
        forest : Forest
            The same, with as much room for components as there are peaks.
        n_positive, n_nonzero : int
        """
        single = values.dtype == np.float32
        box, plan = (scratch.narrow, self.narrow) if single else (scratch.wide, self.wide)
        bits, links = values.view(box.dtype), scratch.links
        mark_higher(bits, box, plan, SPREAD[self.connectivity], scratch.higher, links)
        words = (scratch.words, scratch.spare_words)
        n_positive, n, n_peaks = sort_heights(bits, box, plan, links, *words, forest)
        raise_heights(forest.powers[:n], forest.height_power)
        if n_peaks > MOST_IN_UINT16:
            forest = forest._replace(component=scratch.component)
        return forest, n_positive, n

    def grow(self, start: int, stop: int, forest: Forest, scratch: Scratch) -> None:
        """Let the voxels of one sign enter, keeping the tree of entries.

        Parameters
        ----------
        start, stop : int
            Ranks.
        forest : Forest
            Filled: what `integrate` needs.
        scratch : Scratch
            As left by `rank`.
        """
        weigh = choose_weight(forest.extent_power)
        _grow_tree(start, stop, self.narrow.steps, scratch.higher, forest, weigh)

    def largest(self, start: int, stop: int, forest: Forest, scratch: Scratch) -> float:
        """Give the largest integral of one sign.

        Parameters
        ----------
        start, stop : int
            Ranks.
        forest : Forest
        scratch : Scratch
            As left by `rank`.

        Returns
        -------
        float
            0 when there is no voxel of that sign.
        """
        weigh, steps = choose_weight(forest.extent_power), self.narrow.steps
        n_components = _grow_largest(start, stop, steps, scratch.higher, forest, weigh)
        return float(largest_integral(forest, n_components, weigh))


def make_volume_cells(volume: Volume) -> VolumeCells:
    """Lay out the box of a mask.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    VolumeCells

    Raises
    ------
    InferenceError
        When the mask is empty, or the box around it too large.
    """
    lattice = cast(Lattice, make_neighbourhood(replace(volume, connectivity=6))[0])
    # Blocks reach beyond the box on both sides.
    places, n_cells = lattice.places + BLOCK, lattice.n_places + 2 * BLOCK
    if n_cells > MOST_CELLS:
        raise InferenceError(
            Problem(
                what="the box around the mask is too large",
                field="mask",
                found=f"{n_cells} voxels",
                expected=f"{MOST_CELLS} at most",
            )
        )
    # With neighbours by faces, the offsets are one plane, one row and one voxel back.
    cube = np.array(list(product((-1, 0, 1), repeat=3))) @ -lattice.offsets.astype(np.int64)
    outcomes = np.zeros(n_cells, np.int32)
    outcomes[places] = np.arange(places.size)
    narrow = Plan(
        places=places,
        blocks=_cover(places),
        rows=cube[1::3].copy(),
        steps=cube,
        wanted=WANTED[volume.connectivity],
        corners=volume.connectivity == max(WANTED),
        largest=np.int32(np.iinfo(np.int32).max),
        wide=False,
    )
    return VolumeCells(
        narrow=narrow,
        wide=narrow._replace(largest=np.int64(np.iinfo(np.int64).max), wide=True),
        connectivity=volume.connectivity,
        outcomes=outcomes,
        n=places.size,
    )


def _cover(places: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n_blocks"]:
    """Choose blocks that cover all places, each starting at the first not yet covered."""
    starts, k = [], 0
    while k < places.size:
        starts.append(places[k])
        k = int(np.searchsorted(places, places[k] + BLOCK))
    return np.array(starts, np.int64)
