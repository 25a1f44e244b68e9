"""How far two arms differ before treatment."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem

__all__ = ["standardised_difference"]


def standardised_difference(
    first: Float[np.ndarray, "n_first n_columns"],
    second: Float[np.ndarray, "n_second n_columns"],
) -> Float[np.ndarray, " n_columns"]:
    r"""Give the difference of two arms in standard deviations, column by column.

    Parameters
    ----------
    first, second : ndarray of shape (n_participants_of_arm, n_columns)
        Baseline variables; a column that holds only 0 and 1 is a share.

    Returns
    -------
    ndarray of shape (n_columns,)
        First minus second; infinite where the arms differ and neither varies.

    Raises
    ------
    DesignError
        When a value is not finite, or an arm has fewer than two participants; all at once.

    Notes
    -----
    .. math:: \frac{\bar x_1 - \bar x_2}{\sqrt{(s_1^2 + s_2^2)/2}}

    with :math:`s^2 = p(1 - p)` for a share [1]_. It describes the sample at hand. A p-value would
    test whether the arms were randomised, which is known.

    References
    ----------
    .. [1] Austin (2009), doi:10.1002/sim.3697.

    Examples
    --------
    >>> import numpy as np
    >>> age = standardised_difference(np.array([[30.0], [34.0]]), np.array([[28.0], [32.0]]))
    >>> float(age.round(3)[0])
    0.707
    """
    arms = {"first": first, "second": second}
    problems = [
        Problem(what="an arm needs two participants", field=name, found=str(len(arm)))
        for name, arm in arms.items()
        if len(arm) <= 1
    ] + [
        Problem(what="baseline variables are finite numbers", field=f"{name}, column {column}")
        for name, arm in arms.items()
        for column in np.flatnonzero(~np.isfinite(arm).all(0))
    ]
    if problems:
        raise DesignError(*problems)
    both = np.concatenate([first, second])
    share = ((both == 0) | (both == 1)).all(0)
    difference = first.mean(0) - second.mean(0)
    spread = np.sqrt(
        sum(np.where(share, arm.var(0), arm.var(0, ddof=1)) for arm in arms.values()) / 2
    )
    standardised = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    np.divide(difference, spread, out=standardised, where=spread > 0)
    return standardised
