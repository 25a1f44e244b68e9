"""A smooth curve through simulated power."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, stats

from phmri.simulation.power._trials import SimulatedPower

__all__ = ["ProbitCurve", "fit_curve"]


FEWEST = 3
"""Points that a curve needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbitCurve:
    r"""Power as :math:`\Phi(a + b\delta)`.

    Parameters
    ----------
    intercept, slope : float
        Of the probit; the slope above 0.
    """

    intercept: float
    slope: float

    def power(self, strength: float) -> float:
        """Give the power of a trial.

        Parameters
        ----------
        strength : float
            True effect over its standard error.

        Returns
        -------
        float
        """
        return float(stats.norm.cdf(self.intercept + self.slope * strength))


def fit_curve(
    strengths: Float[np.ndarray, " n_points"], found: Sequence[SimulatedPower]
) -> ProbitCurve | None:
    r"""Fit a curve to simulated power by maximum likelihood.

    Parameters
    ----------
    strengths : ndarray of shape (n_points,)
        True effect over its standard error.
    found : sequence of SimulatedPower
        One per point.

    Returns
    -------
    ProbitCurve or None
        None where power does not rise, or fewer than three points were simulated.

    Notes
    -----
    The power of a z test is :math:`\Phi(\delta - z)`; a family-wise threshold and few degrees of
    freedom change both numbers, hardly the form. Half a finding and half a miss are added to each
    point, so that no point without either sends the curve to infinity.
    """
    if len(found) < FEWEST:
        return None
    hits = np.array([one.n_found for one in found]) + 0.5
    misses = np.array([one.n_trials - one.n_found for one in found]) + 0.5

    def misfit(at: Float[np.ndarray, " 2"]) -> float:
        probit = at[0] + at[1] * strengths
        both = hits * stats.norm.logcdf(probit) + misses * stats.norm.logsf(probit)
        return -float(both.sum())

    start = np.polyfit(strengths, stats.norm.ppf(hits / (hits + misses)), 1)[::-1]
    intercept, slope = optimize.minimize(misfit, start, method="Nelder-Mead").x.tolist()
    return ProbitCurve(intercept=intercept, slope=slope) if slope > 0 else None
