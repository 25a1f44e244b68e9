r"""When a voxel responds, and for how long.

With the effects :math:`u_k` of bins :math:`k = 1 \dots K` of edges :math:`\tau_0 < \dots <
\tau_K`, their course is smoothed over neighbours,

.. math:: s_k = \tfrac14 u_{k-1} + \tfrac12 u_k + \tfrac14 u_{k+1}, \qquad
          u_0 = u_1,\ u_{K+1} = u_K,

its peak is :math:`k^* = \arg\max_k |s_k|`, and a bin is beyond half the peak where
:math:`s_k / s_{k^*} \ge 1/2`. Then

- time to peak is :math:`(\tau_{k^*-1} + \tau_{k^*})/2`,
- duration is :math:`\sum_k (\tau_k - \tau_{k-1}) [s_k / s_{k^*} \ge 1/2]`,
- onset is :math:`\tau_{k-1}` of the first :math:`k` where bins :math:`k` and :math:`k + 1` are
  both beyond half the peak.

All three are steps of one bin and have no sampling variance of their own: where the response is
weak the largest bin is that with the largest noise, so that they are told only where the F over
the course is significant, and even there a flat course has its peak anywhere.
"""

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["shape_maps"]

_HALF = 0.5


def shape_maps(
    course: Float[np.ndarray, "n_bins n_voxels"],
    edges_min: Float[np.ndarray, " n_edges"],
    responds: Bool[np.ndarray, " n_voxels"],
) -> dict[str, Float[np.ndarray, " n_voxels"]]:
    """Find time to peak, duration and onset of each voxel's response.

    Parameters
    ----------
    course : ndarray of shape (n_bins, n_voxels)
        Effect of each bin, in any unit.
    edges_min : ndarray of shape (n_bins + 1,)
        Minutes from time zero.
    responds : ndarray of shape (n_voxels,)
        Where the F over the course is significant.

    Returns
    -------
    dict of str to ndarray of shape (n_voxels,)
        ``timetopeak``, ``duration`` and ``onset`` in minutes, the first and last from time zero;
        NaN where a voxel does not respond, ``onset`` also where no two bins in a row are beyond
        half the peak.
    """
    padded = np.vstack([course[:1], course, course[-1:]])
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    peak = np.abs(smooth).argmax(axis=0)
    largest = np.take_along_axis(smooth, peak[None], axis=0)[0]
    told = responds & (largest != 0.0) & np.isfinite(course).all(axis=0)
    beyond = smooth / np.where(told, largest, 1.0) >= _HALF
    twice = beyond[:-1] & beyond[1:]
    middle = 0.5 * (edges_min[1:] + edges_min[:-1])
    return {
        "timetopeak": np.where(told, middle[peak], np.nan),
        "duration": np.where(told, np.diff(edges_min) @ beyond, np.nan),
        "onset": np.where(
            told & twice.any(axis=0),
            edges_min[twice.argmax(axis=0)] if len(twice) else 0.0,
            np.nan,
        ),
    }
