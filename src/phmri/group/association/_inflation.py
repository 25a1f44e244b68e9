"""Correlations that selection makes of nothing."""

import numpy as np
from scipy import integrate, special

from phmri.exceptions import DesignError, Problem
from phmri.group.association._records import NullInflation

__all__ = ["correlation_threshold", "null_inflation"]

FEWEST = 4


def null_inflation(n: int, n_outcomes: int, *, threshold: float = 0.001) -> NullInflation:
    r"""Say how large selected correlations are when every true correlation is 0.

    Parameters
    ----------
    n : int
        Participants, less the columns of nuisance that were taken out.
    n_outcomes : int
        Independent outcomes searched; neighbouring voxels count for fewer.
    threshold : float, default 0.001
        One-sided p, uncorrected, below which an outcome was selected; below 0.5.

    Returns
    -------
    NullInflation
        Threshold, mean of what exceeds it and expected maximum, as correlations.

    Raises
    ------
    DesignError
        Fewer than four participants, no outcome, or a threshold that is no such probability.

    Notes
    -----
    Under normality r has density :math:`(1-r^2)^{(n-4)/2}/B(1/2, (n-2)/2)`, so that above c its
    mean is :math:`(1-c^2)^{(n-2)/2} / ((n-2)\,B\,p)`. The maximum of V independent r has mean
    :math:`\int_0^1 1-F^V dr - \int_{-1}^0 F^V dr` (by quadrature). Over half
    of the authors in a survey had selected voxels and then reported their r [1]_.

    References
    ----------
    .. [1] Vul, Harris, Winkielman and Pashler (2009), doi:10.1111/j.1745-6924.2009.01125.x.
    """
    problems = []
    if n < FEWEST:
        problems.append(
            Problem(what="too few participants", field="n", found=str(n), expected="4")
        )
    if n_outcomes < 1:
        problems.append(
            Problem(what="no outcome", field="n_outcomes", found=str(n_outcomes), expected="1")
        )
    if not 0 < threshold < 0.5:  # noqa: PLR2004 - a one-sided p below chance
        problems.append(
            Problem(
                what="a threshold that is no one-sided p",
                field="threshold",
                found=str(threshold),
                expected="between 0 and 0.5, e.g. 0.001",
            )
        )
    if problems:
        raise DesignError(*problems)
    c = correlation_threshold(n, threshold)
    half = (n - 2) / 2
    mean = (1 - c**2) ** half / ((n - 2) * special.beta(0.5, half) * threshold)
    return NullInflation(
        threshold=c, mean_selected=float(mean), expected_maximum=_expected_maximum(n, n_outcomes)
    )


def correlation_threshold(n: int, threshold: float) -> float:
    """Give the correlation that has a given one-sided p.

    Parameters
    ----------
    n : int
        Participants, less the columns of nuisance that were taken out.
    threshold : float
        One-sided p, uncorrected.

    Returns
    -------
    float
        Between 0 and 1.
    """
    t = special.stdtrit(n - 2, 1 - threshold)
    return float(t / np.hypot(t, np.sqrt(n - 2)))


def _expected_maximum(n: int, n_outcomes: int) -> float:
    """Integrate the distribution of the largest of independent correlations."""

    def upper_tail(r: float) -> float:
        return float(special.betainc((n - 2) / 2, 0.5, 1 - r**2)) / 2

    def exceeded(r: float) -> float:
        return float(-np.expm1(n_outcomes * np.log1p(-upper_tail(r))))

    def below(r: float) -> float:
        return float(upper_tail(r) ** n_outcomes)

    above, _ = integrate.quad(exceeded, 0, 1, limit=500, epsabs=1e-12, epsrel=1e-10)
    under, _ = integrate.quad(below, 0, 1, limit=500, epsabs=1e-12, epsrel=1e-10)
    return float(above - under)
