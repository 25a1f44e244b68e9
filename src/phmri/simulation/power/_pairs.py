"""Two correlated normal numbers, and averages over the standard deviation that both share."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.simulation.power._owen import NEVER

__all__ = ["average_over_sd", "both_below"]

POINTS, WEIGHTS = special.roots_legendre(20)
CLOSE = 1e-12
"""Difference between an interval and its halves; that of the halves to the truth is far less."""
MOST_HALVINGS = 60
HALF = 0.5
FAR = 38.0
"""Standard deviations beyond which the normal distribution underflows."""
LEAST = 1e-300


def both_below(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"], correlation: float
) -> Float[np.ndarray, " n"]:
    r"""Give the probability that two standard normal numbers both lie below their bounds.

    Parameters
    ----------
    a, b : ndarray of shape (n,)
        Bounds.
    correlation : float
        Of the two numbers, between -1 and 1.

    Returns
    -------
    ndarray of shape (n,)
        Within 1e-15, but for bounds that are lost to rounding as the correlation nears 1 or -1.

    Notes
    -----
    :math:`\Phi_2(a, b) = \frac12\{\Phi(a) + \Phi(b)\} - T(a, \tfrac{b - \rho a}{a\sqrt{1 -
    \rho^2}}) - T(b, \tfrac{a - \rho b}{b\sqrt{1 - \rho^2}}) - \frac12[ab < 0]` with Owen's T [1]_.

    References
    ----------
    .. [1] Owen (1956), Tables for computing bivariate normal probabilities,
       doi:10.1214/aoms/1177728074.
    """
    a, b = (np.clip(np.where(x == 0.0, LEAST, x), -FAR, FAR) for x in (a, b))
    spread = np.sqrt((1.0 - correlation) * (1.0 + correlation))
    with np.errstate(over="ignore"):
        slopes = (b / a - correlation) / spread, (a / b - correlation) / spread
    both: Float[np.ndarray, " n"] = (
        0.5 * (special.ndtr(a) + special.ndtr(b))
        - special.owens_t(a, slopes[0])
        - special.owens_t(b, slopes[1])
        - 0.5 * ((a < 0.0) != (b < 0.0))
    )
    return both


def average_over_sd(
    shares: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, "n_shares n"]],
    df: float,
    breaks: Float[np.ndarray, " n_breaks"],
) -> Float[np.ndarray, " n_shares"]:
    r"""Average probabilities over the estimated standard deviation.

    Parameters
    ----------
    shares : callable
        From ratios of estimated to true standard deviation to probabilities.
    df : float
        Degrees of freedom, 1 or more.
    breaks : ndarray of shape (n_breaks,)
        Ratios between which the probabilities are smooth.

    Returns
    -------
    ndarray of shape (n_shares,)
        :math:`E\,p(s)` with :math:`\nu s^2` chi-square, by halving intervals until nothing
        changes; within 1e-12.
    """
    low, high = np.sqrt(stats.chi2.ppf(NEVER, df) / df), np.sqrt(stats.chi2.isf(NEVER, df) / df)
    inside = breaks[(breaks > low) & (breaks < high)]
    ends = np.unique(np.concatenate([[low, high], inside]))

    def panels(
        start: Float[np.ndarray, " n_panels"], stop: Float[np.ndarray, " n_panels"]
    ) -> Float[np.ndarray, "n_rows n_panels"]:
        half = (stop - start)[:, None] / 2
        nodes = start[:, None] + half * (1 + POINTS)
        found = shares(nodes.ravel()).reshape(-1, *nodes.shape)
        found = np.concatenate([found, np.ones((1, *nodes.shape))])
        return np.asarray((found * _density(nodes, df) * half * WEIGHTS).sum(axis=-1))

    start, stop = ends[:-1], ends[1:]
    whole = panels(start, stop)
    total = np.zeros(len(whole))
    for _ in range(MOST_HALVINGS):
        middle = (start + stop) / 2
        halves = panels(np.concatenate([start, middle]), np.concatenate([middle, stop]))
        left, right = halves[:, : len(start)], halves[:, len(start) :]
        open_ = (np.abs(whole - left - right) > CLOSE).any(axis=0)
        total += (left + right)[:, ~open_].sum(axis=1)
        if not open_.any():
            break
        start, stop = (
            np.concatenate([start[open_], middle[open_]]),
            np.concatenate([middle[open_], stop[open_]]),
        )
        whole = np.concatenate([left[:, open_], right[:, open_]], axis=1)
    else:
        total += whole.sum(axis=1)
    return np.asarray(total[:-1] / total[-1])


def _density(ratio: Float[np.ndarray, "..."], df: float) -> Float[np.ndarray, "..."]:
    """Give the density of the ratio but for a factor near 1, which has too many digits to lose."""
    apart = ratio - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        around = -df / 2 * (apart * (2.0 + apart) - 2.0 * np.log1p(apart)) - np.log1p(apart)
    below = (df - 1.0) * np.log(ratio) - df / 2 * apart * (2.0 + apart)
    exponent = np.where(ratio < HALF, below, around)
    density: Float[np.ndarray, ...] = np.sqrt(df / np.pi) * np.exp(exponent)
    return density
