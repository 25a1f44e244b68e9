"""Differences between correlations."""

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group._confidence import confidence_problems
from phmri.group.association._records import DependentDifference, IndependentDifference

__all__ = ["compare_dependent", "compare_independent"]

FEWEST = 4


def compare_dependent(
    first: Float[np.ndarray, " n_outcomes"],
    second: Float[np.ndarray, " n_outcomes"],
    between: Float[np.ndarray, " n_outcomes"],
    n: int,
) -> DependentDifference:
    r"""Compare how two outcomes of the same participants go with one score.

    Parameters
    ----------
    first, second : ndarray of shape (n_outcomes,)
        Correlations of the score with each of the two.
    between : ndarray of shape (n_outcomes,)
        Correlation of the two with each other.
    n : int
        Participants, less the columns of nuisance that were taken out.

    Returns
    -------
    DependentDifference
        Two tests of the same hypothesis, that both correlations are equal.

    Raises
    ------
    DesignError
        Fewer than four participants, or numbers that are no correlations.

    Notes
    -----
    With the determinant :math:`|R| = 1 - a^2 - b^2 - c^2 + 2abc` of the three correlations,

    .. math:: t = (a-b)\sqrt{\frac{(n-1)(1+c)}{2\frac{n-1}{n-3}|R| + \frac{(a+b)^2}{4}(1-c)^3}}

    with n - 3 degrees of freedom [1]_, and

    .. math:: z = (\operatorname{artanh} a - \operatorname{artanh} b)
        \sqrt{\frac{n-3}{2(1-c)h}},\quad h = \frac{1 - f m}{1-m},\quad
        m = \frac{a^2+b^2}{2},\quad f = \min\left(1, \frac{1-c}{2(1-m)}\right)

    [2]_. "This one correlates significantly, that one does not" is no such test.

    References
    ----------
    .. [1] Steiger (1980), doi:10.1037/0033-2909.87.2.245.
    .. [2] Meng, Rosenthal and Rubin (1992), doi:10.1037/0033-2909.111.1.172.
    """
    problems = [
        *_correlation_problems({"first": first, "second": second, "between": between}),
        *_count_problems({"n": n}),
    ]
    if problems:
        raise DesignError(*problems)
    a, b, c = first, second, between
    determinant = 1 - a**2 - b**2 - c**2 + 2 * a * b * c
    mean_square = (a**2 + b**2) / 2
    f = np.minimum(1.0, (1 - c) / (2 * (1 - mean_square)))
    h = (1 - f * mean_square) / (1 - mean_square)
    error = 2 * (n - 1) / (n - 3) * determinant + (a + b) ** 2 / 4 * (1 - c) ** 3
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (a - b) * np.sqrt((n - 1) * (1 + c) / error)
        z = (np.arctanh(a) - np.arctanh(b)) * np.sqrt((n - 3) / (2 * (1 - c) * h))
    return DependentDifference(
        difference=a - b,
        t=t,
        df=float(n - 3),
        t_pvalue=2 * special.stdtr(n - 3, -np.abs(t)),
        z=z,
        z_pvalue=2 * special.ndtr(-np.abs(z)),
    )


def compare_independent(
    first: Float[np.ndarray, " n_outcomes"],
    n_first: int,
    second: Float[np.ndarray, " n_outcomes"],
    n_second: int,
    *,
    confidence: float = 0.95,
) -> IndependentDifference:
    r"""Compare the correlations of two groups of participants, such as two arms.

    Parameters
    ----------
    first : ndarray of shape (n_outcomes,)
        Correlation in one group.
    n_first : int
        Its participants, less the columns of nuisance that were taken out.
    second : ndarray of shape (n_outcomes,)
        Correlation in the other group.
    n_second : int
        Its participants, likewise.
    confidence : float, default 0.95
        Of the interval, between 0 and 1.

    Returns
    -------
    IndependentDifference
        Test and interval.

    Raises
    ------
    DesignError
        Fewer than four participants in a group, numbers that are no correlations, or a
        confidence that is not a probability.

    Notes
    -----
    :math:`z = (\operatorname{artanh} r_1 - \operatorname{artanh} r_2) /
    \sqrt{1/(n_1-3) + 1/(n_2-3)}`. The interval joins those of both correlations:
    :math:`d - \sqrt{(r_1-l_1)^2 + (u_2-r_2)^2}` to :math:`d + \sqrt{(u_1-r_1)^2 +
    (r_2-l_2)^2}` [1]_.

    References
    ----------
    .. [1] Zou (2007), doi:10.1037/1082-989X.12.4.399.
    """
    problems = [
        *_correlation_problems({"first": first, "second": second}),
        *_count_problems({"n_first": n_first, "n_second": n_second}),
        *confidence_problems(confidence),
    ]
    if problems:
        raise DesignError(*problems)
    spreads = 1 / (n_first - 3), 1 / (n_second - 3)
    z = (np.arctanh(first) - np.arctanh(second)) / np.sqrt(sum(spreads))
    half = float(stats.norm.ppf((1 + confidence) / 2)) * np.sqrt(spreads)
    (low, high), (low_second, high_second) = (
        (np.tanh(np.arctanh(r) - width), np.tanh(np.arctanh(r) + width))
        for r, width in zip((first, second), half, strict=True)
    )
    difference = first - second
    return IndependentDifference(
        difference=difference,
        low=difference - np.hypot(first - low, high_second - second),
        high=difference + np.hypot(high - first, second - low_second),
        z=z,
        pvalue=2 * special.ndtr(-np.abs(z)),
    )


def _correlation_problems(given: dict[str, Float[np.ndarray, " n_outcomes"]]) -> list[Problem]:
    """Name numbers that no correlation can be; 1 and -1 have no Fisher's z."""
    return [
        Problem(
            what="numbers that are no correlations",
            field=name,
            found=str(int(np.sum(~(np.abs(r) < 1)))),
            expected="all between -1 and 1, ends excluded",
        )
        for name, r in given.items()
        if not np.all(np.abs(r) < 1)
    ]


def _count_problems(given: dict[str, int]) -> list[Problem]:
    """Name groups that are too small."""
    return [
        Problem(
            what="too few participants to compare correlations",
            field=name,
            found=str(n),
            expected=f"{FEWEST} or more",
        )
        for name, n in given.items()
        if n < FEWEST
    ]
