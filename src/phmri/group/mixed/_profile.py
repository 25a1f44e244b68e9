r"""The restricted likelihood of a random intercept as a function of one number.

.. math:: d(\lambda) = \nu\log q(\lambda) + \sum_k m_k\log(1+\lambda\xi_k),\qquad
   q(\lambda) = R_0+\sum_k\frac{E_k}{1+\lambda\xi_k}.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["SpectralSums", "maximise_profile", "profile_terms"]

SHARES = np.append(np.linspace(0.0, 0.95, 20), 1.0 - np.geomspace(1e-2, 1e-9, 8))
"""Shares of variance between participants at which the profile is looked at first."""
MOST_STEPS = 200
"""Bisection alone needs about 60."""
PRECISION = 1e-13
"""Relative change of the ratio below which it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSums:
    """Sums of squares of a block of outcomes along the eigenvectors of a design.

    Parameters
    ----------
    nu : float
        Rows less rank.
    eigenvalue, multiplicity : ndarray of shape (n_distinct,)
        Of the design.
    E : ndarray of shape (n_distinct, n_block)
        Sums of squares.
    rest : ndarray of shape (n_block,)
        Sum of squares in no such direction.
    """

    nu: float
    eigenvalue: Float[np.ndarray, " n_distinct"]
    multiplicity: Float[np.ndarray, " n_distinct"]
    E: Float[np.ndarray, "n_distinct n_block"]
    rest: Float[np.ndarray, " n_block"]


def profile_terms(
    sums: SpectralSums, ratio: Float[np.ndarray, " n_block"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give q, and the first and second derivative of the profile.

    Parameters
    ----------
    sums : SpectralSums
        Of a block.
    ratio : ndarray of shape (n_block,)
        Variance between over variance within participants.

    Returns
    -------
    q, slope, curvature : ndarray of shape (n_block,)
        At these ratios.
    """
    share = 1.0 / (1.0 + ratio * sums.eigenvalue[:, None])
    E = sums.E * share
    x = sums.eigenvalue[:, None] * share
    q = sums.rest + E.sum(axis=0)
    E *= x
    q1, q2 = E.sum(axis=0) / q, 2.0 * np.einsum("kv,kv->v", E, x) / q
    m1, m2 = sums.multiplicity @ x, sums.multiplicity @ x**2
    return q, m1 - sums.nu * q1, sums.nu * (q2 - q1**2) - m2


def maximise_profile(
    sums: SpectralSums,
) -> tuple[Float[np.ndarray, " n_block"], Bool[np.ndarray, " n_block"]]:
    """Find the ratio of the variances of every outcome.

    Parameters
    ----------
    sums : SpectralSums
        Of a block.

    Returns
    -------
    ratio : ndarray of shape (n_block,)
        Exactly 0 at the boundary.
    converged : ndarray of shape (n_block,)
        False where the variance within participants would vanish.
    """
    n_block = len(sums.rest)
    if not sums.eigenvalue.size:
        return np.zeros(n_block), np.ones(n_block, dtype=bool)
    grid = SHARES / (1.0 - SHARES) / sums.eigenvalue.mean()
    spread = 1.0 + np.outer(grid, sums.eigenvalue)
    levels = np.log(spread) @ sums.multiplicity
    with np.errstate(divide="ignore"):
        profile = sums.nu * np.log((1.0 / spread) @ sums.E + sums.rest) + levels[:, None]
    best = np.argmin(profile, axis=0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    interior = (best > 0) | (profile_terms(sums, np.zeros(n_block))[1] < 0.0)
    ratio = np.zeros(n_block)
    ratio[interior] = _find_root(
        _pick(sums, interior), low[interior], high[interior], grid[best[interior]]
    )
    return ratio, best < len(grid) - 1


def _find_root(
    sums: SpectralSums,
    low: Float[np.ndarray, " n_block"],
    high: Float[np.ndarray, " n_block"],
    ratio: Float[np.ndarray, " n_block"],
) -> Float[np.ndarray, " n_block"]:
    """Find where the slope turns positive: Newton steps, halving where they leave the bracket."""
    ratio = np.where(ratio > low, ratio, 0.5 * (low + high))
    found = ratio.copy()
    active = np.arange(len(ratio))
    for _ in range(MOST_STEPS):
        _, slope, curvature = profile_terms(sums, ratio)
        high, low = np.where(slope > 0.0, ratio, high), np.where(slope > 0.0, low, ratio)
        step = -slope / np.where(curvature > 0.0, curvature, 1.0)
        fits = (curvature > 0.0) & (ratio + step >= low) & (ratio + step <= high)
        following = np.where(fits, ratio + step, 0.5 * (low + high))
        found[active] = following
        going = np.abs(following - ratio) > PRECISION * following
        if not going.any():
            break
        if 2 * going.sum() < len(going):
            active, sums = active[going], _pick(sums, going)
            following, low, high = following[going], low[going], high[going]
        ratio = following
    return found


def _pick(sums: SpectralSums, keep: Bool[np.ndarray, " n_block"]) -> SpectralSums:
    return SpectralSums(
        nu=sums.nu,
        eigenvalue=sums.eigenvalue,
        multiplicity=sums.multiplicity,
        E=sums.E[:, keep],
        rest=sums.rest[keep],
    )
