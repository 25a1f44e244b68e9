"""Power of one t test, and of two one-sided ones."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy import stats

from phmri.exceptions import Problem, SimulationError
from phmri.simulation.power._owen import owens_q
from phmri.simulation.power._precision import Precision

__all__ = ["Alternative", "equivalence_power", "number_problems", "t_power"]

Alternative = Literal["two-sided", "greater", "less"]
LARGEST_ALPHA = 0.5


def t_power(
    effect: float,
    precision: Precision,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    r"""Give the probability that a t test finds an effect.

    Parameters
    ----------
    effect : float
        True contrast, in the measure's unit.
    precision : Precision
        What the design promises for it.
    alpha : float, default 0.05
        Error rate of the test.
    alternative : {"two-sided", "greater", "less"}
        For "two-sided" a finding in the wrong direction counts, as it does in the error rate.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    SimulationError
        When ``effect`` is not finite or ``alpha`` not between 0 and 0.5.

    Notes
    -----
    :math:`P(T > c)` of a noncentral t with noncentrality :math:`\tau/\mathrm{SE}`.

    Examples
    --------
    >>> from phmri.simulation.power import parallel_precision
    >>> round(t_power(0.8, parallel_precision(25, 1.0)), 4)
    0.7915
    """
    problems = number_problems(alpha, {"effect": effect})
    if problems:
        raise SimulationError(*problems)
    delta = effect / precision.se
    sided = alpha / 2 if alternative == "two-sided" else alpha
    critical = float(stats.t.isf(sided, precision.df))
    above = owens_q(-critical, -delta, precision.df) if alternative != "less" else 0.0
    below = owens_q(-critical, delta, precision.df) if alternative != "greater" else 0.0
    return above + below


def equivalence_power(
    effect: float,
    precision: Precision,
    margins: tuple[float, float],
    *,
    alpha: float = 0.05,
) -> float:
    r"""Give the probability that two one-sided tests show an effect to lie within margins.

    Parameters
    ----------
    effect : float
        True contrast, in the measure's unit.
    precision : Precision
        What the design promises for it.
    margins : tuple of float
        Lower and upper margin, in the measure's unit.
    alpha : float, default 0.05
        Error rate of each one-sided test, and of both together.

    Returns
    -------
    float
        Between 0 and 1; also the error rate where the effect lies on or outside a margin.

    Raises
    ------
    SimulationError
        When a number is not finite, the margins are not in order or ``alpha`` is not between 0
        and 0.5; all at once.

    Notes
    -----
    Exact [1]_ [2]_: both tests reject where the estimate lies at least
    :math:`q_{1-\alpha}` estimated standard errors inside both margins,

    .. math:: \int_0^{R} \Phi(u - q s) - \Phi(l + q s)\, dF_\nu(s),\qquad R = (u - l)/2q,

    with :math:`l, u` the distances of the margins from the effect in true standard errors.

    References
    ----------
    .. [1] Schuirmann (1987), doi:10.1007/BF01068419.
    .. [2] Phillips (1990), doi:10.1007/BF01063556.

    Examples
    --------
    >>> from phmri.simulation.power import crossover_precision
    >>> round(equivalence_power(0.0, crossover_precision(24, 0.6), (-0.5, 0.5)), 4)
    0.7504
    """
    low, high = margins
    problems = number_problems(alpha, {"effect": effect, "low": low, "high": high})
    if not low < high:
        problems.append(
            Problem(what="margins stand in order", field="margins", found=f"{low:g}, {high:g}")
        )
    if problems:
        raise SimulationError(*problems)
    lower, upper = (low - effect) / precision.se, (high - effect) / precision.se
    critical = float(stats.t.isf(alpha, precision.df))
    bound = (upper - lower) / (2 * critical)
    inside = owens_q(-critical, -upper, precision.df, bound)
    outside = owens_q(critical, -lower, precision.df, bound)
    return max(inside - outside, 0.0)


def number_problems(alpha: float, finite: Mapping[str, float]) -> list[Problem]:
    """Say what no power can be computed for.

    Parameters
    ----------
    alpha : float
        Error rate.
    finite : mapping of str to float
        Numbers that have to be finite, by name.

    Returns
    -------
    list of Problem
        Numbers that are not finite, and an ``alpha`` that is not between 0 and 0.5.
    """
    problems = [
        Problem(what="power needs finite numbers", field=name, found=str(value))
        for name, value in finite.items()
        if not np.isfinite(value)
    ]
    if not 0 < alpha < LARGEST_ALPHA:
        problems.append(
            Problem(what="an error rate lies between 0 and 0.5", field="alpha", found=str(alpha))
        )
    return problems
