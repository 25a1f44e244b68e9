r"""The generalised Pareto distribution of what exceeds a threshold, with its uncertainty.

Far out, the excess :math:`x` of almost any statistic over a threshold follows

.. math:: S(x) = (1 + \theta x)^{-1/\xi},\qquad \theta = \xi / \sigma,

of shape :math:`\xi` (negative: the tail ends at :math:`-1/\theta`; 0: exponential) and scale
:math:`\sigma`. The best pair of parameters, put into :math:`S`, makes p-values too small, and 0
beyond the end of the tail: it was fitted to few exceedances and is not known that well. Here the
probability is that of the next excess given the others, averaged over all pairs by how well they
explain them. In :math:`y = \log(1 + \theta x)` the excesses are exponential with mean :math:`\xi`,
so that the average over :math:`\xi` is exact and only the one over :math:`\theta` is a sum.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["GOODNESS_PVALUES", "ParetoFit", "fit_pareto", "pareto_survival"]

SHAPE_LIMIT, PRIOR_POWERS = 0.5, (5, 8)
"""Shapes are within ±limit; a beta distribution there, of mean 0.1 and SD 0.12."""
COARSE, FINE = 160, 97
"""Number of slopes looked at: anywhere, then where they are likely."""
NEGLIGIBLE = 30.0
"""Natural logarithm of how much less likely than the best a slope is left out."""
FARTHEST_SLOPE, NO_SLOPE = 3.0, 1e-9
"""In units of the inverse mean excess, where a shape of 0.5 has a slope of about 1."""

# Upper points of Anderson and Darling's A2 with both parameters estimated: Choulakian and
# Stephens (2001), table 2, whose shape k is minus ours.
GOODNESS_SHAPES = np.array([-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5])
GOODNESS_PVALUES = np.array([0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001])
GOODNESS_POINTS = np.array(
    [
        [0.496, 0.735, 1.061, 1.321, 1.590, 1.958, 2.243, 2.922],
        [0.468, 0.688, 0.985, 1.221, 1.465, 1.799, 2.058, 2.674],
        [0.445, 0.649, 0.924, 1.140, 1.365, 1.672, 1.909, 2.475],
        [0.426, 0.617, 0.873, 1.074, 1.283, 1.567, 1.788, 2.314],
        [0.410, 0.591, 0.831, 1.020, 1.215, 1.481, 1.687, 2.176],
        [0.397, 0.569, 0.796, 0.974, 1.158, 1.409, 1.603, 2.064],
        [0.386, 0.550, 0.766, 0.935, 1.110, 1.348, 1.532, 1.966],
        [0.376, 0.534, 0.741, 0.903, 1.069, 1.296, 1.471, 1.893],
        [0.356, 0.499, 0.685, 0.830, 0.978, 1.180, 1.336, 1.707],
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParetoFit:
    """What a set of excesses says about the distribution they come from.

    Parameters
    ----------
    shape, scale : float
        The most likely pair; the scale in units of the excess.
    goodness_pvalue : float
        Of Anderson and Darling's test of that pair, between 0.001 and 0.5 where its table ends.
    n : int
        Number of excesses.
    slopes, weights, logs : ndarray of shape (n_slopes,)
        Values of shape over scale that the excesses do not rule out, how probable each is (sum
        1), and the sum over excesses of ``log(1 + slope * excess)``.
    """

    shape: float
    scale: float
    goodness_pvalue: float
    n: int
    slopes: Float[np.ndarray, " n_slopes"]
    weights: Float[np.ndarray, " n_slopes"]
    logs: Float[np.ndarray, " n_slopes"]


def fit_pareto(excess: Float[np.ndarray, " n"]) -> ParetoFit:
    r"""Fit the generalised Pareto distribution.

    Parameters
    ----------
    excess : ndarray of shape (n,)
        Positive, two or more, in the unit of the statistic.

    Returns
    -------
    ParetoFit
        The most likely pair, and the others with their weights.

    Notes
    -----
    Flat in :math:`\xi` and in :math:`\log\sigma`, the posterior of :math:`\theta` is

    .. math:: w(\theta) \propto \Bigl(\frac{\theta}{L}\Bigr)^{n-1} e^{-L},\qquad
        L(\theta) = \sum_i \log(1 + \theta x_i),

    a quasi-Bayesian view of the profile likelihood as in [1]_. It is multiplied by
    :math:`(\tfrac12 - L/n)^5 (\tfrac12 + L/n)^8`, the prior that hydrology has for the shape
    :math:`L/n` of its floods [2]_: maxima of statistics lie well within it (exponential tails,
    bounded ones of few participants, heavier ones of cluster sizes), and it leans to heavy tails,
    which is the safe side.

    References
    ----------
    .. [1] Zhang and Stephens (2009), doi:10.1198/tech.2009.08017.
    .. [2] Martins and Stedinger (2000), doi:10.1029/1999WR900330.
    """
    unit = float(excess.mean())
    x = np.sort(excess) / unit
    # midpoints: at the left end the largest excess would be the end of the tail
    edges = np.linspace(-1.0 / x[-1], FARTHEST_SLOPE, COARSE + 1)
    coarse = (edges[:-1] + edges[1:]) / 2
    likely = np.flatnonzero(_likelihood(x, coarse)[1] > np.exp(-NEGLIGIBLE))
    first, last = max(likely[0] - 1, 0), min(likely[-1] + 1, COARSE - 1)
    slopes = np.linspace(coarse[first], coarse[last], FINE)
    slopes[np.abs(slopes) < NO_SLOPE] = NO_SLOPE
    logs, likelihood = _likelihood(x, slopes)
    best = int(likelihood.argmax())
    shape = float(logs[best] / x.size)
    weights = likelihood * _prior(logs / x.size)
    survival = np.exp(-np.log1p(slopes[best] * x) / shape)
    return ParetoFit(
        shape=shape,
        scale=float(unit * shape / slopes[best]),
        goodness_pvalue=_goodness_pvalue(_anderson_darling(survival), shape),
        n=x.size,
        slopes=slopes / unit,
        weights=weights / weights.sum(),
        logs=logs,
    )


def pareto_survival(fit: ParetoFit, excess: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    r"""Give the probability that the next excess is at least this large.

    Parameters
    ----------
    fit : ParetoFit
        As `fit_pareto` gives it.
    excess : ndarray of shape (m,)
        Not negative, in the unit of the excesses fitted.

    Returns
    -------
    ndarray of shape (m,)
        From 1 downwards; 0 only beyond the end of every tail that the fit does not rule out.

    Notes
    -----
    .. math:: S(x) = \sum_\theta w(\theta)
        \Bigl(1 + \frac{\log(1 + \theta x)}{L(\theta)}\Bigr)^{-(n-1)},

    the average of the survival function over :math:`\xi` and :math:`\theta`.
    """
    survival = np.zeros(excess.size)
    with np.errstate(divide="ignore"):  # log 0 = -inf: at or beyond the end of a tail
        for slope, weight, total in zip(fit.slopes, fit.weights, fit.logs, strict=True):
            share = np.log1p(np.maximum(slope * excess, -1.0)) / total
            survival += weight * np.exp(-(fit.n - 1) * np.log1p(share))
    return np.minimum(survival, 1.0)


def _likelihood(
    x: Float[np.ndarray, " n"], slopes: Float[np.ndarray, " n_slopes"]
) -> tuple[Float[np.ndarray, " n_slopes"], Float[np.ndarray, " n_slopes"]]:
    """Give the sum of logs of every slope, and its likelihood relative to the best."""
    logs = np.log1p(np.multiply.outer(slopes, x)).sum(axis=1)
    likelihood = -(x.size - 1) * np.log(logs / slopes) - logs
    likelihood[np.abs(logs) > SHAPE_LIMIT * x.size] = -np.inf
    return logs, np.exp(likelihood - likelihood.max())


def _prior(shape: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    bounded, heavy = PRIOR_POWERS
    inside = np.clip(shape, -SHAPE_LIMIT, SHAPE_LIMIT)
    weight: np.ndarray = (SHAPE_LIMIT - inside) ** bounded * (SHAPE_LIMIT + inside) ** heavy
    return weight


def _anderson_darling(survival: Float[np.ndarray, " n"]) -> float:
    """Give the distance A2 between a fitted survival function at sorted data and their ranks."""
    n = survival.size
    eps = np.finfo(np.float64).eps  # a smallest excess may be nothing beside the largest
    survival = np.clip(survival, eps, 1 - eps)
    odd = 2 * np.arange(1, n + 1) - 1
    return float(-n - (odd * (np.log1p(-survival) + np.log(survival[::-1]))).sum() / n)


def _goodness_pvalue(statistic: float, shape: float) -> float:
    points = [np.interp(shape, GOODNESS_SHAPES, column) for column in GOODNESS_POINTS.T]
    return float(np.exp(np.interp(statistic, points, np.log(GOODNESS_PVALUES))))
