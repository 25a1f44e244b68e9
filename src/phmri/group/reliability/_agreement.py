"""Agreement of two sessions in the unit of the measure."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.exceptions import DesignError, Problem
from phmri.group._confidence import confidence_problems
from phmri.group.reliability._records import Agreement

__all__ = ["bland_altman"]

LIMIT = 1.96
"""Standard deviations between the bias and a limit, as Bland and Altman print it."""
FEWEST = 3


def bland_altman(
    first: Float[np.ndarray, "n_participants n_outcomes"],
    second: Float[np.ndarray, "n_second n_outcomes"],
    *,
    confidence: float = 0.95,
) -> Agreement:
    r"""Estimate the bias between two sessions and the limits of agreement.

    Parameters
    ----------
    first, second : ndarray of shape (n_participants, n_outcomes)
        The same participants in both sessions, in the unit of the measure.
    confidence : float, default 0.95
        Of the intervals, between 0 and 1; the limits are always those of 95 % of differences.

    Returns
    -------
    Agreement
        Second minus first.

    Raises
    ------
    DesignError
        Fewer than three participants, shapes that differ, values that are not finite, or a
        confidence that is not a probability.

    Notes
    -----
    Limits are :math:`\bar d \pm 1.96\,s` [1]_. Their standard error is
    :math:`s\sqrt{1/n + 1.96^2/(2(n-1))}`, for differences that are normal and do not grow with
    the measure [2]_.

    References
    ----------
    .. [1] Bland and Altman (1986), doi:10.1016/S0140-6736(86)90837-8.
    .. [2] Bland and Altman (1999), doi:10.1177/096228029900800204.
    """
    problems = [*confidence_problems(confidence), *_session_problems(first, second)]
    if problems:
        raise DesignError(*problems)
    difference = second.astype(np.float64) - first
    n = len(difference)
    bias, sd = difference.mean(axis=0), difference.std(axis=0, ddof=1)
    limits = bias + LIMIT * np.array([[-1.0], [1.0]]) * sd
    t = float(stats.t.ppf((1 + confidence) / 2, n - 1))
    ends = np.array([[-t], [t]])
    spread = np.sqrt(1 / n + LIMIT**2 / (2 * (n - 1)))
    return Agreement(
        bias=bias,
        sd=sd,
        limits=limits,
        bias_interval=bias + ends * sd / np.sqrt(n),
        limits_interval=limits[:, None, :] + ends * sd * spread,
    )


def _session_problems(
    first: Float[np.ndarray, "n_first n_outcomes"],
    second: Float[np.ndarray, "n_second n_outcomes"],
) -> list[Problem]:
    """Name what keeps two sessions from being compared."""
    problems = []
    if first.shape != second.shape:
        problems.append(
            Problem(
                what="sessions of different shape",
                found=f"{first.shape} and {second.shape}",
                expected="the same participants and outcomes in both",
            )
        )
    if len(first) < FEWEST:
        problems.append(
            Problem(
                what="too few participants for limits of agreement",
                found=str(len(first)),
                expected=f"{FEWEST} or more",
            )
        )
    bad = sum(int(part.size - np.isfinite(part).sum()) for part in (first, second))
    if bad:
        problems.append(
            Problem(what="values that are not finite", found=str(bad), expected="none missing")
        )
    return problems
