"""One answer from several completed trials."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.exceptions import DesignError, Problem

__all__ = ["PooledEstimate", "pool_imputations", "too_few_imputations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledEstimate:
    """A contrast over all imputations, for every outcome.

    Parameters
    ----------
    effect : ndarray of shape (n_outcomes,)
        In the measure's unit.
    se : ndarray of shape (n_outcomes,)
        Standard error, that of not knowing the missing values included.
    df : ndarray of shape (n_outcomes,)
        Degrees of freedom of t; infinite where nothing limits them.
    pvalue : ndarray of shape (n_outcomes,)
        Two-sided.
    within, between : ndarray of shape (n_outcomes,)
        Variance within completed trials, and of the effect between them.
    share_missing : ndarray of shape (n_outcomes,)
        Share of the total variance that is due to what is missing, 0 to 1.
    """

    effect: Float[np.ndarray, " n_outcomes"]
    se: Float[np.ndarray, " n_outcomes"]
    df: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    within: Float[np.ndarray, " n_outcomes"]
    between: Float[np.ndarray, " n_outcomes"]
    share_missing: Float[np.ndarray, " n_outcomes"]


def pool_imputations(
    effect: Float[np.ndarray, "n_imputations n_outcomes"],
    variance: Float[np.ndarray, "n_imputations n_outcomes"],
    df_complete: float,
) -> PooledEstimate:
    r"""Pool the analyses of completed trials by Rubin's rules.

    Parameters
    ----------
    effect : ndarray of shape (n_imputations, n_outcomes)
        Of the contrast in each completed trial, in the measure's unit.
    variance : ndarray of shape (n_imputations, n_outcomes)
        Squared standard errors; above 0.
    df_complete : float
        Degrees of freedom that the analysis of one completed trial has; may be infinite.

    Returns
    -------
    PooledEstimate
        For every outcome.

    Raises
    ------
    DesignError
        When there are fewer than two imputations, an effect is no finite number, a variance or
        ``df_complete`` is not above 0; all at once.

    Notes
    -----
    With :math:`\bar u` the mean variance, b the variance of the m effects,
    :math:`T = \bar u + (1 + 1/m) b` and :math:`\lambda = (1 + 1/m) b / T` [1]_, the degrees of
    freedom are [2]_

    .. math::
        \frac{1}{\nu} = \frac{\lambda^2}{m - 1} + \frac{1}{\nu_{obs}},\qquad
        \nu_{obs} = \frac{\nu_c + 1}{\nu_c + 3}\,\nu_c\,(1 - \lambda).

    References
    ----------
    .. [1] Rubin (1987), doi:10.1002/9780470316696.
    .. [2] Barnard and Rubin (1999), doi:10.1093/biomet/86.4.948.

    Examples
    --------
    >>> import numpy as np
    >>> pooled = pool_imputations(np.array([[0.4], [0.6]]), np.full((2, 1), 0.01), 20.0)
    >>> float(pooled.se.round(4)[0])
    0.2
    """
    problems = list(_faults(effect, variance, df_complete))
    if problems:
        raise DesignError(*problems)
    n = len(effect)
    within = variance.mean(0)
    between = effect.var(0, ddof=1)
    total = within + (1 + 1 / n) * between
    share = (1 + 1 / n) * between / total
    shrunk = 1.0 if np.isinf(df_complete) else (df_complete + 1) / (df_complete + 3)
    rate = share**2 / (n - 1) + total / (shrunk * df_complete * within)
    df = np.full(share.size, np.inf)
    np.divide(1.0, rate, out=df, where=rate > 0)
    se = np.sqrt(total)
    mean = effect.mean(0)
    return PooledEstimate(
        effect=mean,
        se=se,
        df=df,
        pvalue=2 * stats.t.sf(np.abs(mean / se), df),
        within=within,
        between=between,
        share_missing=share,
    )


def _faults(
    effect: Float[np.ndarray, "n_imputations n_outcomes"],
    variance: Float[np.ndarray, "n_imputations n_outcomes"],
    df_complete: float,
) -> Iterator[Problem]:
    if len(effect) <= 1:
        yield too_few_imputations("effect", len(effect))
    if not np.isfinite(effect).all():
        yield Problem(what="effects of completed trials are finite", field="effect")
    if not ((variance > 0) & np.isfinite(variance)).all():
        yield Problem(what="variances are finite and above 0", field="variance")
    if not df_complete > 0:
        yield Problem(
            what="degrees of freedom are above 0", field="df_complete", found=str(df_complete)
        )


def too_few_imputations(field: str, n_imputations: int) -> Problem:
    """Say why one completed trial is not enough.

    Parameters
    ----------
    field : str
        What holds them, or their number.
    n_imputations : int
        Completed trials.

    Returns
    -------
    Problem
        For a `DesignError`.
    """
    return Problem(
        what="what is missing shows only between imputations",
        field=field,
        found=str(n_imputations),
        expected="2 or more",
    )
