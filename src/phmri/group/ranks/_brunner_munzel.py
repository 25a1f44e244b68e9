"""Probability that one of the first group scores higher, whatever the distributions."""

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group.ranks._check import group_problems, score_problems
from phmri.group.ranks._records import Superiority

__all__ = ["brunner_munzel"]


def brunner_munzel(
    first: Float[np.ndarray, " n_first"],
    second: Float[np.ndarray, " n_second"],
    *,
    covariates: tuple[
        Float[np.ndarray, "n_others n_columns"], Float[np.ndarray, "n_rest n_columns"]
    ]
    | None = None,
    confidence: float = 0.95,
) -> Superiority:
    r"""Estimate how probably one of the first group scores above one of the second.

    Parameters
    ----------
    first : ndarray of shape (n_first,)
        Scores of one group, in points.
    second : ndarray of shape (n_second,)
        Scores of the other, in points.
    covariates : tuple of two ndarrays, optional
        Of shapes (n_first, n_columns) and (n_second, n_columns): what was known before groups
        were drawn, such as the baseline or its ranks.
    confidence : float, default 0.95
        Of the interval, between 0 and 1.

    Returns
    -------
    Superiority
        Estimate, test and interval.

    Raises
    ------
    DesignError
        When a group has fewer than two participants, or no more than the covariates leave, a
        number is not finite, shapes do not fit, all scores are equal, or the confidence is not a
        probability.

    Notes
    -----
    :math:`\hat p = (\bar R_1 - \bar R_2)/(m+n) + 1/2`. Placements, ranks among all less ranks
    within the group, give its variance without assuming that the groups have one distribution
    under the null hypothesis; t has Satterthwaite's degrees of freedom [1]_. The interval is cut
    at 0 and 1. In 2000 simulated trials of tied, skewed scores without a difference p was at most
    0.05 in 6 % with 8 or 10 per group, in 5 % with 15 or 25.

    Covariates of groups drawn at random differ by chance alone. :math:`\hat p` less what
    goes with their mean difference, :math:`\hat p - g^\top(\bar x_1 - \bar x_2)`, estimates the
    same probability, with the :math:`g` that makes its variance least [2]_. For these q numbers
    variance and degrees of freedom are those of :math:`m+n-2-q` in place of :math:`m+n-2`.

    References
    ----------
    .. [1] Brunner and Munzel (2000),
       doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U.
    .. [2] Koch, Tangen, Jung and Amara (1998), Issues for covariance analysis of dichotomous and
       ordered categorical data from randomized clinical trials, Statistics in Medicine 17,
       1863-1892.
    """
    problems = group_problems(first, second, fewest=2, confidence=confidence)
    problems += _covariate_problems(first, second, covariates)
    if problems:
        raise DesignError(*problems)
    m, n = first.size, second.size
    ranks = stats.rankdata(np.concatenate([first, second]))
    probability = float(ranks[:m].mean() - ranks[m:].mean()) / (m + n) + 0.5
    # The share of the other group that each participant scores above.
    above = (ranks[:m] - stats.rankdata(first)) / n
    below = (ranks[m:] - stats.rankdata(second)) / m
    n_fitted = 0
    if covariates is not None:
        slope, n_fitted = _slope(above, below, *covariates)
        above, below = above - covariates[0] @ slope, below - covariates[1] @ slope
        probability -= float((covariates[0].mean(axis=0) - covariates[1].mean(axis=0)) @ slope)
    left = (m + n - 2 - n_fitted) / (m + n - 2)
    parts = float(above.var(ddof=1)) / m / left, float(below.var(ddof=1)) / n / left
    variance = sum(parts)
    se = float(np.sqrt(variance))
    if se == 0:
        nan = float("nan")
        return Superiority(
            probability=probability, se=0.0, t=nan, df=nan, pvalue=nan, low=nan, high=nan
        )
    df = left * variance**2 / (parts[0] ** 2 / (m - 1) + parts[1] ** 2 / (n - 1))
    t = (probability - 0.5) / se
    half = float(special.stdtrit(df, (1 + confidence) / 2)) * se
    return Superiority(
        probability=probability,
        se=se,
        t=t,
        df=df,
        pvalue=float(2 * special.stdtr(df, -abs(t))),
        low=max(0.0, probability - half),
        high=min(1.0, probability + half),
    )


def _slope(
    above: Float[np.ndarray, " n_first"],
    below: Float[np.ndarray, " n_second"],
    first: Float[np.ndarray, "n_first n_columns"],
    second: Float[np.ndarray, "n_second n_columns"],
) -> tuple[Float[np.ndarray, " n_columns"], int]:
    """Give the slope that leaves the least variance, and of how many numbers it is made."""
    y, X = [], []
    for placements, columns in ((above, first), (below, second)):
        weight = (len(placements) * (len(placements) - 1)) ** -0.5
        y.append(weight * (placements - placements.mean()))
        X.append(weight * (columns - columns.mean(axis=0)))
    rows = np.concatenate(X)
    # Each of length 1: no unit may decide on the rank.
    length = np.linalg.norm(rows, axis=0)
    length[length == 0] = 1.0
    slope, _, rank, _ = np.linalg.lstsq(rows / length, np.concatenate(y), rcond=1e-10)
    return slope / length, int(rank)


def _covariate_problems(
    first: Float[np.ndarray, " n_first"],
    second: Float[np.ndarray, " n_second"],
    covariates: tuple[
        Float[np.ndarray, "n_others n_columns"], Float[np.ndarray, "n_rest n_columns"]
    ]
    | None,
) -> list[Problem]:
    """Name covariates that do not fit, or leave no degrees of freedom."""
    if covariates is None:
        return []
    problems = score_problems({"covariates": np.concatenate([c.ravel() for c in covariates])})
    problems += [
        Problem(
            what="another number of participants than scores",
            field="covariates",
            found=str(len(columns)),
            expected=str(scores.size),
        )
        for scores, columns in zip((first, second), covariates, strict=True)
        if len(columns) != scores.size
    ]
    n_columns = covariates[0].shape[1]
    if first.size + second.size - 2 - n_columns < 1:
        problems.append(
            Problem(
                what="as many covariates as participants",
                field="covariates",
                found=str(n_columns),
                expected=f"fewer than {max(0, first.size + second.size - 2)}",
            )
        )
    return problems
