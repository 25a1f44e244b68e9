"""Missing outcomes drawn from what is known of the participant."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, Problem
from phmri.group.missing._pool import too_few_imputations

__all__ = ["draw_outcomes"]


def draw_outcomes(
    outcome: Float[np.ndarray, " n_participants"],
    design: Float[np.ndarray, "n_participants n_columns"],
    n_imputations: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "n_imputations n_participants"]:
    r"""Complete a trial several times.

    Parameters
    ----------
    outcome : ndarray of shape (n_participants,)
        In the measure's unit; NaN where missing.
    design : ndarray of shape (n_participants, n_columns)
        What the outcome is predicted from, known of everyone: all columns of the analysis (arm,
        baseline, covariates), and what tells who goes missing.
    n_imputations : int
        Completed trials to draw; 2 or more.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_imputations, n_participants)
        Outcomes as observed, and drawn where missing.

    Raises
    ------
    DesignError
        When the design holds what is not finite, the observed participants do not determine
        the model, or fewer than two imputations are asked for; all at once.

    Notes
    -----
    A normal linear model with a flat prior on :math:`\beta` and :math:`\log\sigma`, fitted to the
    observed [1]_: :math:`\sigma^2 \sim \mathrm{RSS}/\chi^2_{n-p}`,
    :math:`\beta \sim N(\hat\beta, \sigma^2 (X^\top X)^{-1})`, and each missing outcome
    :math:`\sim N(x^\top\beta, \sigma^2)`. Assumes outcomes to be missing at random given the
    design.

    References
    ----------
    .. [1] Rubin (1987), doi:10.1002/9780470316696, chapter 5.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> completed = draw_outcomes(np.array([1.0, 2.0, 3.0, np.nan]), np.ones((4, 1)), 5, rng)
    >>> completed[:, :3].tolist() == [[1.0, 2.0, 3.0]] * 5
    True
    """
    missing = np.isnan(outcome)
    problems = list(_faults(design, ~missing, n_imputations))
    if problems:
        raise DesignError(*problems)
    known, sought = design[~missing], design[missing]
    basis, triangle = np.linalg.qr(known)
    df = known.shape[0] - known.shape[1]
    projected = basis.T @ outcome[~missing]
    residual = outcome[~missing] - basis @ projected
    sigma = np.sqrt(residual @ residual / rng.chisquare(df, n_imputations))[:, None]
    wobble = rng.standard_normal((n_imputations, known.shape[1]))
    beta = np.linalg.solve(triangle, (projected + sigma * wobble).T).T
    completed = np.repeat(outcome[None], n_imputations, axis=0)
    noise = rng.standard_normal((n_imputations, len(sought)))
    completed[:, missing] = beta @ sought.T + sigma * noise
    return completed


def _faults(
    design: Float[np.ndarray, "n p"], observed: Bool[np.ndarray, " n"], n_imputations: int
) -> Iterator[Problem]:
    n_columns = design.shape[1]
    if not np.isfinite(design).all():
        yield Problem(
            what="what outcomes are drawn from must be known of everyone", field="design"
        )
    elif np.linalg.matrix_rank(design[observed]) < n_columns:
        yield Problem(
            what="participants with an outcome do not determine the model of those without",
            field="design",
            found=f"rank below {n_columns} columns",
        )
    if observed.sum() <= n_columns:
        yield Problem(
            what="too few outcomes are known",
            field="outcome",
            found=str(int(observed.sum())),
            expected=f"more than {n_columns}",
        )
    if n_imputations <= 1:
        yield too_few_imputations("n_imputations", n_imputations)
