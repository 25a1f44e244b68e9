"""What is kept of a map under shuffling: who reached the observed statistic, and the largest."""

from typing import no_type_check

import numpy as np
from numba import njit

__all__ = ["count_exceeding"]


@njit(nogil=True)
@no_type_check
def count_exceeding(maps, least, direction, exceeded, maxima):
    """Count, per outcome, the maps that reach its observed statistic, and give each map's maximum.

    Parameters
    ----------
    maps : ndarray of shape (n_shufflings, n_outcomes)
        Statistics with their signs.
    least : ndarray of shape (n_outcomes,)
        Oriented value that counts as reached, of the dtype of ``maps``; infinite where nothing is
        tested.
    direction : int
        1, -1, or 0 for absolute values.
    exceeded : ndarray of int of shape (n_outcomes,)
        Counts, added to.
    maxima : ndarray of shape (n_shufflings,)
        Largest oriented value, written.
    """
    for k in range(maps.shape[0]):
        row = maps[k]
        highest = -np.inf
        for v in range(row.shape[0]):
            value = abs(row[v]) if direction == 0 else row[v] * direction
            if value >= least[v]:
                exceeded[v] += 1
            if value > highest and least[v] < np.inf:
                highest = value
        maxima[k] = highest
