"""Bayes factor of an interval null hypothesis."""

import numpy as np
from jaxtyping import Float
from scipy import special

from phmri.exceptions import DesignError, Problem
from phmri.group.bayes._jzs import BLOCK, DEFAULT_SCALE, adjusted_bayes_factor, t_problems

__all__ = ["interval_bayes_factor"]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)
REACH = 25.0
"""Standard errors; a bound farther out leaves the nodes too far apart."""


def interval_bayes_factor(
    t: Float[np.ndarray, " n_outcomes"],
    n_effective: float | Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    *,
    bound: float,
    scale: float = DEFAULT_SCALE,
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the Bayes factor of an effect inside a bound against one outside.

    Parameters
    ----------
    t : ndarray of shape (n_outcomes,)
        Effect over its standard error; NaN stays NaN.
    n_effective : float or ndarray of shape (n_outcomes,)
        :math:`n_1 n_2/(n_1+n_2)` of two groups, n of one; with covariates residual variance over
        the squared standard error.
    df : float or ndarray of shape (n_outcomes,)
        Residual degrees of freedom.
    bound : float
        c of :math:`|\delta| < c`, in (residual) standard deviations; chosen before unblinding.
    scale : float, default sqrt(2)/2
        Scale r of the Cauchy prior of :math:`\delta`.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        Above 1 speaks for an effect smaller than the bound.

    Raises
    ------
    DesignError
        When t, the effective number, degrees of freedom, scale or bound cannot be used.

    Notes
    -----
    Ratio of posterior to prior odds of :math:`|\delta| < c` [1]_. The likelihood ratio of
    :math:`\pm\delta` against 0, averaged, is with :math:`\mu = \delta\sqrt N`
    :math:`e^{-\mu^2/2}\,{}_1F_1(\tfrac{\nu+1}{2}; \tfrac12; \tfrac{t^2\mu^2}{2(\nu+t^2)})`; it
    is summed over 64 Gauss-Legendre nodes inside the bound, and the outside is the whole less
    the inside. Relative error about 1e-9; where less than 1e-9 lies outside, only a lower bound.

    References
    ----------
    .. [1] Morey and Rouder (2011), Psychol Methods 16:406, doi:10.1037/a0024377.
    """
    problems = t_problems(t, n_effective, df, scale)
    widest = float(bound * np.sqrt(np.max(n_effective)))
    if not 0.0 < widest <= REACH:
        problems.append(
            Problem(
                what="a bound that cannot be used",
                field="bound",
                found=f"{bound:g}",
                expected=f"above 0, at most {REACH:g} standard errors",
            )
        )
    if problems:
        raise DesignError(*problems)
    N, nu = np.broadcast_to(n_effective, t.shape), np.broadcast_to(df, t.shape)
    inside = np.empty(t.shape)
    for start in range(0, t.size, BLOCK):
        part = slice(start, start + BLOCK)
        inside[part] = _inside(t[part, None], N[part, None], nu[part, None], bound, scale)
    whole = adjusted_bayes_factor(t, n_effective, df, scale=scale)
    outside = np.maximum(whole - inside, 1e-9 * whole)
    prior = 2.0 / np.pi * np.arctan(bound / scale)
    odds: np.ndarray = inside / outside * (1.0 - prior) / prior
    return odds


def _inside(
    t: Float[np.ndarray, "n_block 1"],
    N: Float[np.ndarray, "n_block 1"],
    nu: Float[np.ndarray, "n_block 1"],
    bound: float,
    scale: float,
) -> Float[np.ndarray, " n_block"]:
    """Integrate likelihood ratio times prior over effects inside the bound."""
    delta = 0.5 * bound * (NODES + 1.0)
    prior = 1.0 / (np.pi * scale * (1.0 + (delta / scale) ** 2))
    mu2 = delta**2 * N
    likelihood = 2.0 * special.hyp1f1(0.5 * (nu + 1.0), 0.5, 0.5 * t**2 * mu2 / (nu + t**2))
    found: np.ndarray = (np.exp(-0.5 * mu2) * likelihood) @ (0.5 * bound * WEIGHTS * prior)
    return found
