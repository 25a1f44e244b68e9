"""Intervals for effects in the measure's unit and in standard deviations."""

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from phmri.exceptions import DesignError, Problem
from phmri.group._records import Estimate

__all__ = ["confidence_interval", "effect_size_interval"]

SERIES = 5.0
"""t below which SciPy's noncentral t is used."""
NORMAL = np.linspace(-9.0, 9.0, 1801)
WEIGHT = stats.norm.pdf(NORMAL) * (NORMAL[1] - NORMAL[0])


def confidence_interval(
    estimate: Estimate, confidence: float
) -> tuple[Float[np.ndarray, " n_outcomes"], Float[np.ndarray, " n_outcomes"]]:
    r"""Give the interval :math:`\hat\tau \pm t_{(1+\gamma)/2,\nu}\,\mathrm{SE}`.

    Parameters
    ----------
    estimate : Estimate
        Of the contrast in every outcome.
    confidence : float
        Between 0 and 1, e.g. 0.95.

    Returns
    -------
    low, high : ndarray of shape (n_outcomes,)
        In the measure's unit; pointwise, not simultaneous over outcomes.

    Raises
    ------
    DesignError
        When ``confidence`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones(1)
    >>> low, high = confidence_interval(Estimate(effect=one, se=one, t=one, df=22.0, d=one), 0.95)
    >>> float(high.round(4)[0])
    3.0739
    """
    if not 0 < confidence < 1:
        raise DesignError(_bad_confidence(confidence))
    half = stats.t.ppf((1 + confidence) / 2, estimate.df) * estimate.se
    return estimate.effect - half, estimate.effect + half


def effect_size_interval(
    estimate: Estimate, confidence: float, *, index: int = 0
) -> tuple[float, float]:
    r"""Give the interval of one standardised effect by the noncentral t distribution.

    Parameters
    ----------
    estimate : Estimate
        Of the contrast in every outcome.
    confidence : float
        Coverage of the interval, between 0 and 1.
    index : int, default 0
        Which outcome.

    Returns
    -------
    low, high : float
        In standard deviations.

    Raises
    ------
    DesignError
        When ``confidence`` is not between 0 and 1, or the effect is exactly zero, which leaves
        the ratio of d to t unknown.

    Notes
    -----
    The interval holds the :math:`\delta` for which the observed t is neither in the upper nor in
    the lower tail of the noncentral t, times :math:`d/t` [1]_.

    References
    ----------
    .. [1] Steiger (2004), Beyond the F test, doi:10.1037/1082-989X.9.2.164.
    """
    if not 0 < confidence < 1:
        raise DesignError(_bad_confidence(confidence))
    t, d = float(estimate.t[index]), float(estimate.d[index])
    if t == 0 or d == 0:
        raise DesignError(
            Problem(what="an effect of exactly zero has no standardised interval", found="0")
        )
    tails = ((1 + confidence) / 2, (1 - confidence) / 2)
    df = float(np.ravel(estimate.df)[index if np.ndim(estimate.df) else 0])
    low, high = (_noncentrality(abs(t), df, tail) for tail in tails)
    bounds = sorted((low * d / abs(t), high * d / abs(t)))
    return bounds[0], bounds[1]


def _noncentrality(t: float, df: float, probability: float) -> float:
    """Solve for the noncentrality that puts the given probability below t > 0."""

    def excess(delta: float) -> float:
        return _noncentral_t_cdf(t, df, delta) - probability

    low, high = -10.0, 10.0 + 2 * t
    while excess(low) < 0:
        low *= 2
    while excess(high) > 0:
        high *= 2
    return float(optimize.brentq(excess, low, high, xtol=1e-10))


def _noncentral_t_cdf(t: float, df: float, delta: float) -> float:
    r"""Give the probability of a noncentral t below t > 0.

    Notes
    -----
    :math:`(Z + \delta)/S \le t` with :math:`\nu S^2` chi-square, so that the probability is
    :math:`\int \phi(z)\,P(S \ge (z + \delta)/t)\,dz`. The integrand is smooth for large t, where
    SciPy's series may return NaN.
    """
    if t < SERIES:
        return float(stats.nct.cdf(t, df, delta))
    least = np.maximum(NORMAL + delta, 0.0) / t
    return float(WEIGHT @ stats.chi2.sf(df * least**2, df))


def _bad_confidence(confidence: float) -> Problem:
    return Problem(
        what="confidence must be a probability",
        found=str(confidence),
        expected="a number between 0 and 1",
    )
