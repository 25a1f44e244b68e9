"""Bins of time after time zero."""

import numpy as np
from jaxtyping import Float, Int

__all__ = ["bin_edges", "bin_index", "boxcars", "scan_end"]

_ROUNDING_MIN = 1e-9


def scan_end(times_min: Float[np.ndarray, " n_volumes"]) -> float:
    """Give the end of the last volume, half a repetition after its middle.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Middles of volumes, minutes.

    Returns
    -------
    float
        Minutes.
    """
    return float(times_min[-1] + 0.5 * np.median(np.diff(times_min)))


def bin_edges(end_min: float, bin_min: float) -> tuple[Float[np.ndarray, " n_edges"], bool]:
    """Cut the time after time zero into bins.

    Parameters
    ----------
    end_min, bin_min : float
        End of the scan and length of a bin, minutes.

    Returns
    -------
    edges : ndarray of shape (n_bins + 1,)
        Minutes from time zero; a rest shorter than half a bin joins the last bin.
    merged : bool
        Whether there was such a rest.
    """
    n = int(np.floor(end_min / bin_min + _ROUNDING_MIN))
    rest = end_min - n * bin_min
    merged = n > 0 and _ROUNDING_MIN < rest < 0.5 * bin_min
    if rest >= 0.5 * bin_min or n == 0:
        n += 1
    edges = np.arange(n + 1) * bin_min
    edges[-1] = end_min
    return edges, merged


def bin_index(
    times_min: Float[np.ndarray, " n_volumes"], edges_min: Float[np.ndarray, " n_edges"]
) -> Int[np.ndarray, " n_volumes"]:
    """Say in which bin each volume lies, by its middle.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes from time zero.
    edges_min : ndarray of shape (n_bins + 1,)
        A bin holds its beginning, not its end.

    Returns
    -------
    ndarray of shape (n_volumes,)
        From 0; -1 before time zero.
    """
    return np.asarray(
        np.searchsorted(edges_min[:-1] - _ROUNDING_MIN, times_min, side="right") - 1, np.int64
    )


def boxcars(
    times_min: Float[np.ndarray, " n_volumes"], edges_min: Float[np.ndarray, " n_edges"]
) -> Float[np.ndarray, "n_volumes n_bins"]:
    """Give each bin a column that is 1 inside it.

    Parameters
    ----------
    times_min : ndarray of shape (n_volumes,)
        Minutes from time zero.
    edges_min : ndarray of shape (n_bins + 1,)
        Minutes from time zero.

    Returns
    -------
    ndarray of shape (n_volumes, n_bins)
        0 and 1.
    """
    index = bin_index(times_min, edges_min)
    return np.asarray(index[:, None] == np.arange(edges_min.size - 1), np.float64)
