"""Joint tests of several contrasts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["WaldTest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaldTest:
    """One F test of several contrasts, for every outcome.

    Parameters
    ----------
    statistic : ndarray of shape (n_outcomes,)
        F.
    df_numerator : int
        Number of contrasts.
    df_denominator : ndarray of shape (n_outcomes,)
        Degrees of freedom of the error.
    pvalue : ndarray of shape (n_outcomes,)
        Never zero; NaN, like all the rest, where ``status`` is 3.
    status : ndarray of shape (n_outcomes,)
        As in `phmri.group.JointEstimate`.
    """

    statistic: Float[np.ndarray, " n_outcomes"]
    df_numerator: int
    df_denominator: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    status: UInt8[np.ndarray, " n_outcomes"]
