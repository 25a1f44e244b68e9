r"""Components that grow as the height falls, and the integral over them.

The cells of one sign (voxels, or nodes of a graph) enter by falling height. A cell without an
entered neighbour begins a component, any other joins, and thereby may unite, those of its
neighbours. Extents are constant between two entries, so that

.. math:: \int_0^{|t_v|} e_v(h)^E h^H\,dh
    = \sum_i \frac{e_v(h_i)^E\,(h_i^{H+1} - h_{i+1}^{H+1})}{H + 1}

is exact. Equal heights need no care: between them lies a step of length 0.

Components are numbered as they begin and united as a forest (union-find), which is as long as
there are peaks, not cells: few per cent, so that it stays in the cache. Two ways of entering:

- *largest*: a component carries the largest integral of its cells. Each step adds the same to
  all cells of a component, so where two unite the larger goes on. Nothing is kept by cell.
- *tree*: a cell notes the extent that its entry made and the entry at which that changes next.
  `integrate` then sums from the last entry up to the peaks, for every cell.
"""

from typing import Any, NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Integer

__all__ = [
    "LINK",
    "SHIFT",
    "Forest",
    "choose_weight",
    "find",
    "give_outcomes",
    "integrate",
    "largest_integral",
    "make_forest",
    "raise_heights",
]

SHIFT = 5
"""An entry is ``cell << SHIFT | link``; what the link says is up to the space."""
LINK = (1 << SHIFT) - 1
USUAL_E, USUAL_H = 0.5, 2.0
"""Powers of Smith and Nichols, for which a root and a product do."""


class Forest(NamedTuple):
    """What one thread writes on while components grow, and the two powers.

    By rank of entry: ``entries``, ``powers`` (height to H + 1), ``following`` (rank at which the
    extent changes next, -1: never), ``weight`` (extent to E), ``integral``. By component:
    ``united`` (with this one, itself if with none), ``extent``, ``best`` (largest integral),
    ``reached`` (power down to which that goes), ``lowest`` (rank of the last entry). By cell:
    ``component``.
    """

    entries: Any
    powers: Any
    following: Any
    weight: Any
    integral: Any
    united: Any
    extent: Any
    best: Any
    reached: Any
    lowest: Any
    component: Any
    extent_power: float
    height_power: float


def make_forest(
    n: int, component: Integer[np.ndarray, " n_cells"], extent_power: float, height_power: float
) -> Forest:
    """Reserve what one thread writes on.

    Parameters
    ----------
    n : int
        Number of outcomes.
    component : ndarray of shape (n_cells,)
        Of a type that can number all components.
    extent_power, height_power : float
        E and H.

    Returns
    -------
    Forest
        Memory is reserved, not touched: what is never used costs nothing.
    """
    return Forest(
        entries=np.empty(n, np.uint32),
        powers=np.empty(n),
        following=np.empty(n, np.int32),
        weight=np.empty(n),
        integral=np.empty(n),
        united=np.empty(n, np.int32),
        extent=np.empty(n),
        best=np.empty(n),
        reached=np.empty(n),
        lowest=np.empty(n, np.int32),
        component=component,
        extent_power=float(extent_power),
        height_power=float(height_power),
    )


@numba.njit(nogil=True)
@no_type_check
def raise_heights(heights, height_power):
    # To H + 1, in place.
    if height_power == USUAL_H:
        for i in range(heights.shape[0]):
            heights[i] = heights[i] * heights[i] * heights[i]
    else:
        for i in range(heights.shape[0]):
            heights[i] = heights[i] ** (height_power + 1.0)


@numba.njit(nogil=True)
@no_type_check
def _root(extent, _power):
    return np.sqrt(extent)


@numba.njit(nogil=True)
@no_type_check
def _power(extent, power):
    return extent**power


def choose_weight(extent_power: float) -> Any:
    """Choose the compiled function that gives the weight of an extent.

    Parameters
    ----------
    extent_power : float
        E.

    Returns
    -------
    function
        Of the extent and E. It is handed to the loops over cells, in which even a power that is
        never taken would cost time.
    """
    return _root if extent_power == USUAL_E else _power


@numba.njit(nogil=True)
@no_type_check
def find(united, component):
    # Follows to the component that all were united with, and halves the way for the next search.
    other = united[component]
    while other != component:
        beyond = united[other]
        united[component] = beyond
        component = beyond
        other = united[component]
    return np.int64(component)


@numba.njit(nogil=True)
@no_type_check
def largest_integral(forest, n_components, weigh):
    # From where each component ends down to height 0.
    largest = 0.0
    for component in range(n_components):
        if forest.united[component] == component:
            weight = weigh(forest.extent[component], forest.extent_power)
            integral = forest.best[component] + weight * forest.reached[component]
            largest = max(largest, integral)
    return largest / (forest.height_power + 1.0)


@numba.njit(nogil=True)
@no_type_check
def integrate(forest, start, stop):
    # Fills the integrals of the ranks start to stop, all of one sign, from the last up, so that
    # what follows a rank is done before it. Returns the largest.
    largest = 0.0
    for rank in range(stop - 1, start - 1, -1):
        following = forest.following[rank]
        if following < 0:
            integral = forest.weight[rank] * forest.powers[rank]
        else:
            step = forest.powers[rank] - forest.powers[following]
            integral = forest.integral[following] + forest.weight[rank] * step
        forest.integral[rank] = integral
        largest = max(largest, integral)
    return largest / (forest.height_power + 1.0)


@numba.njit(nogil=True)
@no_type_check
def give_outcomes(forest, start, stop, outcomes, sign, out):
    scale = sign / (forest.height_power + 1.0)
    for rank in range(start, stop):
        cell = np.int64(forest.entries[rank]) >> SHIFT
        out[outcomes[cell]] = scale * forest.integral[rank]
