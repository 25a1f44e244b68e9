r"""The z value that is as improbable as a statistic.

:math:`z = -\Phi^{-1}(p)` with the upper tail :math:`p` of Student's t or of F. Both tails are
incomplete beta functions, :math:`p = \tfrac12 I_x(\nu/2, 1/2)` with :math:`x = \nu/(\nu + t^2)`
for t and :math:`p = I_x(\nu/2, q/2)` with :math:`x = \nu/(\nu + qF)` for F. Where p is too small
for a number, its logarithm is taken from the continued fraction of :math:`I_x`.
"""

from dataclasses import dataclass
from typing import Literal, no_type_check

import numba
import numpy as np
from jaxtyping import Float
from scipy import special, stats

__all__ = ["ZTable", "exact_z", "make_z_table"]

StatisticName = Literal["t", "F", "v", "G"]

SMALLEST = 1e-290
"""Tail below which its logarithm comes from the continued fraction."""
N_FRACTIONS = 1000
"""Terms of that fraction; as many as the square root of a million degrees of freedom."""
LARGEST = 50.0
"""|t|, or the square root of F, up to which the table is accurate."""
N_NEAR = 2**15
"""Steps of the table up to there: linear interpolation is then within 1e-6 of z."""
N_FAR = 2**12
"""Steps from there on, in the logarithm."""
FARTHEST = 1e12
LEAST = -40.0
"""z of F = 0 before negative ones are made 0."""


def exact_z(
    size: Float[np.ndarray, " n"], df: float, name: StatisticName, df1: int = 1
) -> Float[np.ndarray, " n"]:
    """Give the z value of the upper tail.

    Parameters
    ----------
    size : ndarray of shape (n,)
        ``|t|``, ``|v|``, F or G.
    df : float
        Residual degrees of freedom.
    name : {"t", "F", "v", "G"}
        v is referred to Student's t, G to F.
    df1 : int, default 1
        Rows of the contrast, for F and G.

    Returns
    -------
    ndarray of shape (n,)
        Negative below the median of F, and then no less than -40.
    """
    if name in {"t", "v"}:
        tail, halves, squared, share = stats.t.sf(size, df), 1.0, size**2, 0.5
    else:
        tail, halves, squared, share = stats.f.sf(size, df1, df), float(df1), df1 * size, 1.0
    log_tail = np.log(np.maximum(tail, SMALLEST))
    small = tail < SMALLEST
    log_tail[small] = np.log(share) + _log_beta_tail(df, halves, squared[small])
    return np.asarray(np.maximum(-special.ndtri_exp(log_tail), LEAST))


def _log_beta_tail(
    nu: float, halves: float, squared: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give the logarithm of the incomplete beta function by its continued fraction."""
    a, b = nu / 2, halves / 2
    x = nu / (nu + squared)
    fraction = np.ones_like(x)
    for term in range(N_FRACTIONS, 0, -1):
        m = term // 2
        if term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        fraction = 1 + numerator / fraction
    log_power = -a * np.log1p(squared / nu) - b * np.log1p(nu / squared)
    return np.asarray(log_power - np.log(a) - special.betaln(a, b) - np.log(fraction))


@dataclass(frozen=True, slots=True, kw_only=True)
class ZTable:
    """z as a function of one statistic with given degrees of freedom, tabulated.

    Parameters
    ----------
    near : ndarray of shape (n_near,)
        z where |t|, or the square root of F, is 0, ..., 50 in equal steps; negative below the
        median of F.
    far : ndarray of shape (n_far,)
        From there on, in equal steps of its logarithm.
    squared : bool
        The statistic is F or G.
    """

    near: Float[np.ndarray, " n_near"]
    far: Float[np.ndarray, " n_far"]
    squared: bool

    def fill(
        self, statistic: Float[np.ndarray, " n_outcomes"], out: Float[np.ndarray, " n_outcomes"]
    ) -> Float[np.ndarray, " n_outcomes"]:
        """Turn a map into z values.

        Parameters
        ----------
        statistic : ndarray of shape (n_outcomes,)
            float32 or float64.
        out : ndarray of shape (n_outcomes,)
            Receives the z values; may be the statistic itself.

        Returns
        -------
        ndarray of shape (n_outcomes,)
            ``out``.

        Notes
        -----
        Never decreasing in the statistic, as the exact function; within 1e-6 of it up to
        t = 50 or F = 2500.
        """
        _interpolate(statistic, self.near, self.far, self.squared, out)
        return out


def make_z_table(df: float, df1: int = 1, name: StatisticName = "t") -> ZTable:
    """Tabulate z for maps that all have the same degrees of freedom.

    Parameters
    ----------
    df : float
        Residual degrees of freedom.
    df1 : int, default 1
        Rows of the contrast, for F and G.
    name : {"t", "F", "v", "G"}, default "t"
        v is referred to Student's t, G to F.

    Returns
    -------
    ZTable
        To be filled from several threads at once.
    """
    squared = name in {"F", "G"}
    near = np.linspace(0.0, LARGEST, N_NEAR + 1)
    far = np.exp(np.linspace(np.log(LARGEST), np.log(FARTHEST), N_FAR + 1))
    far[0] = LARGEST
    power = 2 if squared else 1
    return ZTable(
        near=np.maximum.accumulate(exact_z(near**power, df, name, df1)),
        far=np.maximum.accumulate(exact_z(far**power, df, name, df1)),
        squared=squared,
    )


@numba.njit(nogil=True)
@no_type_check
def _interpolate(statistic, near, far, squared, out):
    near_steps = (near.size - 1) / LARGEST
    far_steps = (far.size - 1) / np.log(FARTHEST / LARGEST)
    for v in range(statistic.size):
        size = abs(float(statistic[v]))
        if squared:
            size = np.sqrt(size)
        if size < LARGEST:
            place = size * near_steps
            k = min(int(place), near.size - 2)
            z = near[k] + (place - k) * (near[k + 1] - near[k])
        else:
            place = np.log(min(size, FARTHEST) / LARGEST) * far_steps
            k = min(int(place), far.size - 2)
            z = far[k] + (place - k) * (far[k + 1] - far[k])
        z = max(z, 0.0)
        out[v] = -z if statistic[v] < 0 else z
