r"""Least squares of repeated measures with errors that participants may share in any way.

.. math:: V = B \sum_i X_i^\top A_i e_i e_i^\top A_i X_i\, B, \qquad B = (X^\top X)^{+},

over participants i, with :math:`A_i = I` (cr0, cr1), :math:`(I - H_{ii})^{-1/2}` (cr2) or
:math:`(I - H_{ii})^{-1}` (cr3). The model matrix is shared by all outcomes, hence so are all
adjustments and degrees of freedom; an outcome adds its residuals only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.robust._model import (
    SINGULAR,
    LinearModel,
    check_model,
    finish,
    has_no_error,
    is_rounding,
    iterate_patterns,
    make_linear_model,
    not_estimated,
)
from phmri.group.robust._own_cluster import fit_own_clusters
from phmri.threads import map_threads

__all__ = ["ClusterModel", "Correction", "fit_cluster_robust", "make_cluster_model"]

Correction = Literal["cr0", "cr1", "cr2", "cr3"]
POWERS = {"cr0": 0.0, "cr1": 0.0, "cr2": -0.5, "cr3": -1.0}
LEAST_CLUSTERS = 2
CHUNK = 256
"""Outcomes with columns of their own that are held at once, each with a weight for every row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterModel:
    """Contrasts of a linear model with their adjusted weights.

    Parameters
    ----------
    linear : LinearModel
        Least squares.
    clusters : ndarray of shape (n_rows,)
        Participant of each row, counted from 0 without gaps.
    adjusted : ndarray of shape (n_contrasts, n_rows)
        Weights of the residuals in each contrast's score.
    """

    linear: LinearModel
    clusters: Int[np.ndarray, " n_rows"]
    adjusted: Float[np.ndarray, "n_contrasts n_rows"]


def fit_cluster_robust(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    subjects: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    names: Sequence[str],
    *,
    correction: Correction = "cr2",
    own: tuple[Float[np.ndarray, "n_rows n_outcomes"], Int[np.ndarray, " n_rows"]] | None = None,
    n_threads: int = 1,
) -> JointEstimate:
    r"""Estimate contrasts by least squares, with errors free of any within-person covariance.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        In the measure's unit; NaN where a row has no data: such rows are left out of that outcome.
    X : ndarray of shape (n_rows, n_columns)
        Model matrix of all participants and sessions.
    subjects : ndarray of int of shape (n_rows,)
        Participant of each row.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Of the coefficients.
    names : sequence of str
        What each contrast is.
    correction : {"cr0", "cr1", "cr2", "cr3"}, default "cr2"
        For the leverage of participants; cr1 is cr0 times m/(m - 1) with m participants.
    own : tuple of ndarray, optional
        A number beside each outcome (n_rows, n_outcomes), as the participant's own image before
        treatment, finite where the outcome is; and the visit of each row (n_rows,). It is a
        column more per visit. With ``cr2`` alone.
    n_threads : int, default 1
        Where outcomes have columns of their own; changes no number.

    Returns
    -------
    JointEstimate
        With Satterthwaite degrees of freedom; status 3 where the rows with data cannot answer.

    Notes
    -----
    Degrees of freedom match the first two moments of a contrast's variance under independent
    errors of equal variance [1]_ [2]_: :math:`\nu = (\sum_i p_i^\top p_i)^2 / \sum_{ij} (p_i^\top
    p_j)^2` with :math:`p_i = (I - H)_{\cdot i} A_i X_i B c`. Where :math:`I - H_{ii}` is singular
    its Moore-Penrose inverse is taken. Missing sessions must be missing completely at random. A
    `DesignError` tells when no outcome can be answered.

    References
    ----------
    .. [1] Bell & McCaffrey (2002), Survey Methodology 28:169-181.
    .. [2] Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.
    """
    check_model(Y, X, contrasts, names)
    refuse_few(subjects)
    if own is not None:
        _refuse_other_corrections(correction)
        return _fit_own(Y, X, subjects, contrasts, names, own=own, n_threads=n_threads)
    found = not_estimated(names, Y.shape[1])
    failed = np.ones(Y.shape[1], dtype=bool)
    held: np.ndarray | None = None
    for rows, columns in iterate_patterns(~np.isnan(Y)):
        if held is None or (rows != held).any():
            model = make_cluster_model(X[rows], subjects[rows], contrasts, correction)
            scores, df, held = _scores(model), _satterthwaite(model), rows
        if not _answers(model):
            continue
        outcome = Y[np.ix_(rows, columns)].astype(np.float64)
        U = model.linear.basis
        residual = outcome - U @ (U.T @ outcome)
        score = (scores @ residual).reshape(len(contrasts), -1, len(columns))
        found.effect[:, columns] = model.linear.weights @ outcome
        covariance = np.einsum("amv,bmv->vab", score, score)
        found.covariance[columns] = covariance
        found.df[:, columns] = df[:, None]
        failed[columns] = has_no_error(residual, outcome) | ~np.isfinite(df).all()
        failed[columns] |= is_rounding(covariance, model.linear.weights, outcome)
    return finish(found, failed)


def _refuse_other_corrections(correction: Correction) -> None:
    if correction != "cr2":
        raise DesignError(
            Problem(
                what="only one correction is known with a baseline per outcome",
                field="correction",
                found=correction,
                expected="cr2",
            )
        )


def _fit_own(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    subjects: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    names: Sequence[str],
    *,
    own: tuple[Float[np.ndarray, "n_rows n_outcomes"], Int[np.ndarray, " n_rows"]],
    n_threads: int,
) -> JointEstimate:
    baseline, visits = own
    found = not_estimated(names, Y.shape[1])
    failed = np.ones(Y.shape[1], dtype=bool)

    def work(job: tuple[LinearModel, np.ndarray, np.ndarray]) -> None:
        linear, rows, columns = job
        cells = np.ix_(rows, columns)
        at = fit_own_clusters(
            linear,
            subjects[rows],
            visits[rows],
            Y[cells].astype(np.float64),
            baseline[cells].astype(np.float64),
        )
        found.effect[:, columns], found.covariance[columns] = at[0], at[1]
        found.df[:, columns], failed[columns] = at[2], at[3]

    def jobs() -> Iterator[tuple[LinearModel, np.ndarray, np.ndarray]]:
        held, linear = None, None
        for rows, columns in iterate_patterns(~np.isnan(Y)):
            if linear is None or held is None or (rows != held).any():
                linear, held = make_linear_model(X[rows], contrasts), rows
            n_own, n_people = len(np.unique(visits[rows])), len(np.unique(subjects[rows]))
            enough = linear.df > n_own and n_people >= LEAST_CLUSTERS
            if linear.estimable.all() and enough:
                for start in range(0, len(columns), CHUNK):
                    yield linear, rows, columns[start : start + CHUNK]

    map_threads(work, jobs(), n_threads)
    return finish(found, failed)


def refuse_few(subjects: Int[np.ndarray, " n_rows"]) -> None:
    """Refuse a single participant.

    Parameters
    ----------
    subjects : ndarray of int of shape (n_rows,)
        Participant of each row.

    Raises
    ------
    DesignError
        When there are fewer than two.
    """
    n = len(np.unique(subjects))
    if n < LEAST_CLUSTERS:
        raise DesignError(
            Problem(
                what="too few participants for errors between participants",
                found=str(n),
                expected=f"at least {LEAST_CLUSTERS}",
            )
        )


def make_cluster_model(
    X: Float[np.ndarray, "n_rows n_columns"],
    subjects: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    correction: Correction,
) -> ClusterModel:
    """Adjust the weights of contrasts for the leverage of participants.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Model matrix.
    subjects : ndarray of int of shape (n_rows,)
        Participant of each row.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Of the coefficients.
    correction : {"cr0", "cr1", "cr2", "cr3"}
        Kind of adjustment.

    Returns
    -------
    ClusterModel
        Shared by all outcomes with data in these rows.
    """
    linear = make_linear_model(X, contrasts)
    _, clusters, sizes = np.unique(subjects, return_inverse=True, return_counts=True)
    clusters = clusters.ravel()
    order = np.argsort(clusters, kind="stable")
    starts = np.cumsum(sizes) - sizes
    adjusted = linear.weights.copy()
    if POWERS[correction]:
        for size in np.unique(sizes):  # participants with as many rows are done together
            rows = order[starts[sizes == size][:, None] + np.arange(size)]
            U = linear.basis[rows]
            value, vector = np.linalg.eigh(np.eye(size) - U @ U.transpose(0, 2, 1))
            power = np.where(value > SINGULAR, np.maximum(value, SINGULAR), np.inf)
            power = power ** POWERS[correction]
            inside = np.einsum("mij,cmi->cmj", vector, linear.weights[:, rows])
            adjusted[:, rows] = np.einsum("mij,cmj->cmi", vector, inside * power)
    if correction == "cr1" and len(sizes) > 1:
        adjusted *= np.sqrt(len(sizes) / (len(sizes) - 1))
    return ClusterModel(linear=linear, clusters=clusters, adjusted=adjusted)


def score_covariance(
    model: ClusterModel,
) -> tuple[
    Float[np.ndarray, "n_contrasts n_contrasts n_clusters"],
    Float[np.ndarray, "n_contrasts n_clusters rank"],
]:
    r"""Give the covariance of participants' scores under independent errors of variance one.

    Parameters
    ----------
    model : ClusterModel
        Contrasts with adjusted weights :math:`g`.

    Returns
    -------
    own : ndarray of shape (n_contrasts, n_contrasts, n_clusters)
        :math:`d_{ab,i} = g_{ai}^\top g_{bi}`.
    shared : ndarray of shape (n_contrasts, n_clusters, rank)
        :math:`z_{ai} = U_i^\top g_{ai}`: the covariance of score a of participant i with score b
        of participant j is :math:`\delta_{ij} d_{ab,i} - z_{ai}^\top z_{bj}`.
    """
    g, clusters = model.adjusted, model.clusters
    member = sparse.csr_array(
        (np.ones(len(clusters)), (clusters, np.arange(len(clusters)))),
        shape=(int(clusters.max()) + 1, len(clusters)),
    )
    own = np.stack([(member @ (g * row).T).T for row in g])
    shared = np.stack([member @ (model.linear.basis * row[:, None]) for row in g])
    return own, shared


def _satterthwaite(model: ClusterModel) -> Float[np.ndarray, " n_contrasts"]:
    own, shared = score_covariance(model)
    df = np.full(len(own), np.nan)
    for contrast, z in enumerate(shared):
        P = np.diag(own[contrast, contrast]) - z @ z.T
        total = float((P**2).sum())
        if total > 0:
            df[contrast] = np.trace(P) ** 2 / total
    return df


def _scores(model: ClusterModel) -> sparse.csr_array:
    """Make the matrix that turns residuals into scores: contrasts x participants by rows."""
    k, n = model.adjusted.shape
    m = int(model.clusters.max()) + 1
    place = model.clusters + m * np.arange(k)[:, None]
    return sparse.csr_array(
        (model.adjusted.ravel(), (place.ravel(), np.tile(np.arange(n), k))), shape=(k * m, n)
    )


def _answers(model: ClusterModel) -> bool:
    enough = int(model.clusters.max(initial=0)) + 1 >= LEAST_CLUSTERS
    return bool(model.linear.estimable.all()) and model.linear.df > 0 and enough
