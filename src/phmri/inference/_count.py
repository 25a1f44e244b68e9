"""What is kept of a map under shuffling: who reached the observed statistic, and the largest."""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float
from numba import njit

from phmri.inference._pvalues import Alternative

__all__ = ["count_exceeding", "largest_values"]


@njit(nogil=True)
@no_type_check
def count_exceeding(maps, least, direction, exceeded):
    """Count, per outcome, the maps that reach its observed statistic.

    Parameters
    ----------
    maps : ndarray of shape (n_shufflings, n_outcomes)
        Statistics with their signs.
    least : ndarray of shape (n_outcomes,)
        Oriented value that counts as reached, of the dtype of ``maps``.
    direction : int
        1, -1, or 0 for absolute values.
    exceeded : ndarray of int32 of shape (n_outcomes,)
        Counts, added to.
    """
    # One loop per direction, without branches inside, so that several outcomes are compared at
    # once.
    for k in range(maps.shape[0]):
        row = maps[k]
        if direction == 0:
            for v in range(row.shape[0]):
                exceeded[v] += np.int32(abs(row[v]) >= least[v])
        elif direction > 0:
            for v in range(row.shape[0]):
                exceeded[v] += np.int32(row[v] >= least[v])
        else:
            for v in range(row.shape[0]):
                exceeded[v] += np.int32(-row[v] >= least[v])


def largest_values(
    maps: Float[np.ndarray, "n_shufflings n_outcomes"],
    alternative: Alternative,
    tested: Bool[np.ndarray, " n_outcomes"] | None,
) -> Float[np.ndarray, " n_shufflings"]:
    """Give the largest oriented value of every map.

    Parameters
    ----------
    maps : ndarray of shape (n_shufflings, n_outcomes)
        Statistics with their signs.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.
    tested : ndarray of bool of shape (n_outcomes,) or None
        Outcomes that count; None: all.

    Returns
    -------
    ndarray of shape (n_shufflings,)
    """
    if tested is not None:
        maps = maps[:, tested]
    largest: Float[np.ndarray, " n_shufflings"] = {
        "greater": lambda: maps.max(axis=1),
        "less": lambda: -maps.min(axis=1),
        "two-sided": lambda: np.maximum(maps.max(axis=1), -maps.min(axis=1)),
    }[alternative]()
    return largest
