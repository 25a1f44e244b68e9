"""Fit the model of all sessions or periods as its structure and its errors ask."""

from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.longitudinal._records import LongDesign
from phmri.group.mixed import fit_random_intercept, fit_unstructured
from phmri.group.robust import fit_cluster_robust, fit_ols

__all__ = ["check_covariance", "fit_long_design", "sessions_without_error"]

NOTHING = 1e-10
"""Residual of a combination of sessions, relative to the outcome, that counts as zero."""
PAIR = 2
"""Sessions up to which no others can tell what theirs leave open."""


def check_covariance(design: LongDesign) -> None:
    r"""Refuse fewer participants than an unstructured covariance needs.

    Parameters
    ----------
    design : LongDesign
        Of any structure; only an unstructured one is looked at.

    Raises
    ------
    DesignError
        When some combination of the sessions would be fitted without error.

    Notes
    -----
    Let n participants have data in all of s sessions, and p columns tell these apart. With
    :math:`0 < n - p < s` their residuals have fewer dimensions than sessions: the likelihood rises
    without end towards a covariance in which a combination of sessions has no variance. With
    :math:`n \le p` no residual tells the variance of one session, or the covariance of two. This
    holds of every set of sessions, not of all together alone: people with sessions missing say
    nothing of a combination that takes these in.
    """
    if design.structure != "unstructured":
        return
    rows = np.full((int(design.subjects.max()) + 1, int(design.visits.max()) + 1), -1)
    rows[design.subjects, design.visits] = np.arange(len(design.subjects))
    n_sessions = rows.shape[1]
    for n_together in range(n_sessions, 0, -1):
        for chosen in combinations(range(n_sessions), n_together):
            held = rows[:, chosen]
            held = held[(held >= 0).all(axis=1)]
            n_columns = int(np.linalg.matrix_rank(design.X[held].sum(axis=1))) if held.size else 0
            n_columns += design.voxelwise_baseline and len(held) > n_columns
            free = len(held) - n_columns
            if free < n_together and (free > 0 or n_together <= PAIR):
                raise DesignError(_too_few(len(held), n_columns, n_together))


def _too_few(n_participants: int, n_columns: int, n_sessions: int) -> Problem:
    what = f"a covariance of {n_sessions} sessions" if n_sessions > 1 else "a variance"
    return Problem(
        what=f"too few participants to estimate {what} beside {n_columns} means and slopes in a "
        "session",
        field="estimator",
        found=f"{n_participants} participants"
        f" with data in {'all of these' if n_sessions > 1 else 'it'}",
        expected=f"at least {n_columns + n_sessions}, or estimator mixed, or errors cr2",
    )


def fit_long_design(
    design: LongDesign,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    *,
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
    errors: Literal["model", "cr2"] = "model",
    df_method: Literal["kenward_roger", "satterthwaite"] = "kenward_roger",
    n_threads: int = 1,
) -> JointEstimate:
    """Estimate all contrasts of a model of all sessions or periods in every outcome.

    Parameters
    ----------
    design : LongDesign
        As `make_long_design` gives it.
    Y : ndarray of shape (n_rows, n_outcomes)
        Outcomes of ``design.rows``, in the measure's unit; NaN where a row has no data.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        The participant's own in each row, where ``design.voxelwise_baseline``, and only there.
        Finite where the outcome is.
    errors : {"model", "cr2"}
        Of the covariance that the design takes, or of least squares clustered by participant.
    df_method : {"kenward_roger", "satterthwaite"}
        Degrees of freedom of mixed models.
    n_threads : int, default 1
        Of mixed models; changes no number.

    Returns
    -------
    JointEstimate
        In the order of ``design.names``; outcomes that cannot be fitted have status 3.

    Raises
    ------
    DesignError
        When the outcomes have other rows than the design, baselines are lacking or not asked for,
        or participants are too few for the design's covariance.
    """
    if len(Y) != len(design.X):
        raise DesignError(
            Problem(
                what="outcomes of other rows than the model has",
                field="Y",
                found=str(len(Y)),
                expected=f"{len(design.X)}, those of design.rows",
            )
        )
    given = baseline is not None
    if design.voxelwise_baseline != given:
        raise DesignError(
            Problem(
                what="only an MMRM of maps takes a baseline per outcome",
                field="baseline",
                found="one per outcome" if given else "none",
                expected="a design made without baseline numbers",
            )
        )
    if errors == "cr2":
        return fit_cluster_robust(
            Y,
            design.X,
            design.subjects,
            design.contrasts,
            design.names,
            correction="cr2",
            own=None if baseline is None else (baseline, design.visits),
            n_threads=n_threads,
        )
    match design.structure:
        case "independent":
            return fit_ols(Y, design.X, design.contrasts, design.names)
        case "random_intercept":
            fit = fit_random_intercept(
                Y,
                design.X,
                design.subjects,
                design.contrasts,
                design.names,
                df_method=df_method,
                n_threads=n_threads,
            )
        case "unstructured":
            check_covariance(design)
            fit = fit_unstructured(
                Y,
                design.X,
                design.subjects,
                design.visits,
                design.contrasts,
                design.names,
                baseline=baseline,
                df_method=df_method,
                n_threads=n_threads,
            )
    return fit.contrasts


def sessions_without_error(
    design: LongDesign, Y: Float[np.ndarray, "n_rows n_outcomes"]
) -> Bool[np.ndarray, " n_sessions"]:
    r"""Tell which sessions or periods a model leaves no error in, alone or taken together.

    Parameters
    ----------
    design : LongDesign
        As `make_long_design` gives it.
    Y : ndarray of shape (n_rows, n_outcomes)
        As `fit_long_design` takes it.

    Returns
    -------
    ndarray of bool of shape (n_sessions,)
        In the order of ``design.visits``: sessions in which nobody differs from others of the
        same arm, or that differ in nobody from another session. No covariance can hold these.

    Notes
    -----
    With the residuals of least squares as a matrix R of complete participants by sessions, they
    are the sessions with weight in a combination v of length 1 with :math:`Rv = 0`, in every
    outcome.
    """
    rows = np.full((int(design.subjects.max()) + 1, int(design.visits.max()) + 1), -1)
    rows[design.subjects, design.visits] = np.arange(len(design.subjects))
    still = np.ones(rows.shape[1], dtype=bool)
    for outcome in Y.T.astype(np.float64):
        held = np.isfinite(outcome)
        left = np.full(len(outcome), np.nan)
        slope = np.linalg.lstsq(design.X[held], outcome[held], rcond=None)[0]
        left[held] = outcome[held] - design.X[held] @ slope
        R = np.where(rows >= 0, left[rows], np.nan)
        R = R[np.isfinite(R).all(axis=1)]
        if len(R) < len(still):
            return np.zeros_like(still)
        _, length, combinations = np.linalg.svd(R, full_matrices=False)
        none = combinations[length <= NOTHING * np.linalg.norm(outcome[held])]
        still &= (np.abs(none) > NOTHING).any(axis=0)
    return still
