"""Bayes factors from the Bayesian information criterion."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem

__all__ = ["bayesian_information", "bic_bayes_factor"]


def bayesian_information(
    residual_ss: Float[np.ndarray, " n_outcomes"], n_rows: int, n_columns: int
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the Bayesian information criterion of a least-squares fit.

    Parameters
    ----------
    residual_ss : ndarray of shape (n_outcomes,)
        Sum of squared residuals, in the squared unit of the measure; NaN stays NaN.
    n_rows : int
        Rows that were fitted.
    n_columns : int
        Rank of the model; the error variance is counted besides.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        Smaller is better.

    Raises
    ------
    DesignError
        When there are no more rows than columns, or a sum of squares is not positive.

    Notes
    -----
    :math:`n\{\log(2\pi\,\mathrm{RSS}/n) + 1\} + (p + 1)\log n`.
    """
    problems = []
    if not 0 <= n_columns < n_rows:
        problems.append(
            Problem(
                what="a model needs fewer columns than rows",
                field="n_columns",
                found=str(n_columns),
                expected=f"below {n_rows}",
            )
        )
    if (residual_ss <= 0.0).any() or np.isinf(residual_ss).any():
        problems.append(Problem(what="not a positive number", field="residual_ss"))
    if problems:
        raise DesignError(*problems)
    log_likelihood = n_rows * (np.log(2.0 * np.pi * residual_ss / n_rows) + 1.0)
    found: np.ndarray = log_likelihood + (n_columns + 1) * np.log(n_rows)
    return found


def bic_bayes_factor(
    information: Float[np.ndarray, " n_outcomes"], against: Float[np.ndarray, " n_outcomes"]
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give the approximate Bayes factor of one model against another.

    Parameters
    ----------
    information, against : ndarray of shape (n_outcomes,)
        Bayesian information criterion of both, fitted to the same rows.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        Above 1 speaks for the first model.

    Notes
    -----
    :math:`\exp\{(\mathrm{BIC}_2 - \mathrm{BIC}_1)/2\}`: a prior with the information of one
    observation [1]_. To ask whether pretreated drug equals reference, set the model that gives
    both one mean against the model with a mean per arm.

    References
    ----------
    .. [1] Wagenmakers (2007), Psychon Bull Rev 14:779, doi:10.3758/BF03194105.
    """
    largest = np.log(np.finfo(np.float64).max)
    found: np.ndarray = np.exp(np.minimum((against - information) / 2.0, largest))
    return found
