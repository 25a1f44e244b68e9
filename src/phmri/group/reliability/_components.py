"""Components of variance of participants, sessions and error."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError
from phmri.group.reliability._mean_squares import mean_squares, table_problems
from phmri.group.reliability._records import VarianceComponents

__all__ = ["crossed_components"]


def crossed_components(
    values: Float[np.ndarray, "n_participants n_sessions n_outcomes"],
) -> VarianceComponents:
    r"""Estimate the variances of participants, sessions and error by REML in every outcome.

    Parameters
    ----------
    values : ndarray of shape (n_participants, n_sessions, n_outcomes)
        One measurement per participant and session, none missing, in the unit of the measure.

    Returns
    -------
    VarianceComponents
        Restricted maximum likelihood estimates of both crossed random effects.

    Raises
    ------
    DesignError
        When the table is too small or has values that are not finite.

    Notes
    -----
    In a complete table the mean squares are independent with expectations
    :math:`\sigma_e^2 + k\sigma_p^2`, :math:`\sigma_e^2 + n\sigma_s^2` and :math:`\sigma_e^2`, and
    hold all that the restricted likelihood knows. Where one of the first two falls below the
    last, its component is 0 and both are pooled, the smaller first: the maximum under the
    constraint that no variance is negative (Thompson 1962, The problem of negative estimates of
    variance components). With sessions missing, fit a random intercept to the incomplete table
    instead; it gives ``consistency``.
    """
    problems = table_problems(values)
    if problems:
        raise DesignError(*problems)
    squares = mean_squares(values)
    n, k = squares.n, squares.k
    B, J, E = squares.participants, squares.sessions, squares.residual
    degrees, rest_df = np.array([n - 1.0, k - 1.0]), (n - 1.0) * (k - 1.0)
    between = np.stack([B, J])
    order = np.argsort(between, axis=0)
    error, pooled = E.copy(), np.full(E.shape, rest_df)
    for place in order:
        mean = np.take_along_axis(between, place[None], axis=0)[0]
        added = np.where(mean < error, degrees[place], 0.0)
        error = (error * pooled + mean * added) / (pooled + added)
        pooled += added
    participant = np.maximum(B - error, 0.0) / k
    session = np.maximum(J - error, 0.0) / n
    # Sessions fixed: their mean square is not the error's to borrow.
    fixed_error = np.where(B < E, (E * rest_df + B * (n - 1)) / (rest_df + n - 1), E)
    fixed = np.maximum(B - E, 0.0) / k
    with np.errstate(invalid="ignore"):
        agreement = participant / (participant + session + error)
        consistency = fixed / (fixed + fixed_error)
    boundary = (participant == 0) | (session == 0)
    for share in (agreement, consistency):
        share[squares.constant] = np.nan
    return VarianceComponents(
        participant=participant,
        session=session,
        residual=error,
        agreement=agreement,
        consistency=consistency,
        status=np.select([squares.constant, boundary], [3, 1], 0).astype(np.uint8),
    )
