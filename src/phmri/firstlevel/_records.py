"""What the first level hands on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["Connectivity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    r"""Fisher z of correlations in one run, with its sampling variance.

    Parameters
    ----------
    z : ndarray of shape (n_outcomes,) or (n_seeds, n_voxels)
        Fisher z; NaN where a series has no variance after cleaning.
    names : tuple of str
        Outcome names (``A~B`` for edges, ``A`` for nodes, ``mean``); empty for voxels.
    variance : float
        Sampling variance of one z under white noise, :math:`1/(df - 2)`.
    df : float
        Degrees of freedom left by the cleaning.
    n_undefined : int
        Voxels whose z is NaN.
    """

    z: Float[np.ndarray, "..."]
    names: tuple[str, ...]
    variance: float
    df: float
    n_undefined: int = 0
