"""Averages over the standard deviation that a trial will estimate."""

import numpy as np
from jaxtyping import Float
from scipy import special, stats

__all__ = ["estimated_sd_nodes", "owens_q", "quadrature"]

POINTS, WEIGHTS = special.roots_legendre(96)
REACH = 9.0
"""Standard deviations beyond which a normal distribution holds less than 1e-18."""
NEVER = 1e-18


def quadrature(
    low: Float[np.ndarray, "..."], high: Float[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "... n_nodes"], Float[np.ndarray, "... n_nodes"]]:
    """Give Gauss-Legendre nodes and weights for intervals.

    Parameters
    ----------
    low, high : ndarray
        Their ends; an interval that ends before it begins is empty.

    Returns
    -------
    nodes, weights : ndarray of shape (..., n_nodes)
        Weights are 0 in empty intervals.
    """
    half = np.maximum(high - low, 0.0)[..., None] / 2
    return low[..., None] + half * (1 + POINTS), half * WEIGHTS


def estimated_sd_nodes(
    df: float, breaks: Float[np.ndarray, " n_breaks"]
) -> tuple[Float[np.ndarray, " n_nodes"], Float[np.ndarray, " n_nodes"]]:
    r"""Give nodes and weights for averages over the estimated standard deviation.

    Parameters
    ----------
    df : float
        Degrees of freedom, 1 or more.
    breaks : ndarray of shape (n_breaks,)
        Where what is averaged bends, as a ratio of estimated to true standard deviation.

    Returns
    -------
    nodes, weights : ndarray of shape (n_nodes,)
        Ratios, and their probability weights: :math:`\nu s^2` is chi-square.
    """
    low, high = np.sqrt(stats.chi2.ppf(NEVER, df) / df), np.sqrt(stats.chi2.isf(NEVER, df) / df)
    ends = np.sort(np.clip(np.concatenate([[low, high], breaks]), low, high))
    nodes, weights = (part.ravel() for part in quadrature(ends[:-1], ends[1:]))
    return nodes, weights * stats.chi.pdf(nodes * np.sqrt(df), df) * np.sqrt(df)


def owens_q(t: float, delta: float, df: float, bound: float = np.inf) -> float:
    r"""Give Owen's Q, the distribution of a noncentral t cut off at an estimated deviation.

    Parameters
    ----------
    t : float
        Quantile.
    delta : float
        Noncentrality.
    df : float
        Degrees of freedom, 1 or more.
    bound : float
        Largest ratio of estimated to true standard deviation that counts.

    Returns
    -------
    float
        :math:`\int_0^{b} \Phi(t s - \delta) f_\nu(s)\,ds` with :math:`\nu s^2` chi-square;
        without a bound, the probability of a noncentral t below ``t``. Accurate to 1e-12.

    References
    ----------
    .. [1] Owen (1965), A special case of a bivariate non-central t-distribution,
       doi:10.1093/biomet/52.3-4.437.
    """
    breaks = [bound]
    if t:
        breaks += [(delta - REACH) / t, (delta + REACH) / t]
    nodes, weights = estimated_sd_nodes(df, np.array(breaks))
    counted = nodes <= bound
    return float(weights[counted] @ special.ndtr(t * nodes[counted] - delta))
