"""Take all outcomes to a model: by missingness pattern, in blocks, on several threads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.group._records import JointEstimate
from phmri.group.mixed._basis import Basis, independent_rows, make_basis
from phmri.group.mixed._freedom import DfMethod, degrees_of_freedom, joint_test
from phmri.group.mixed._records import BlockFit, JointTest, MixedFit
from phmri.threads import map_threads

__all__ = ["Engine", "Task", "fit_outcomes"]

JOB = 8192
"""Outcomes of one pattern whose design is made once."""
Fitter = Callable[..., BlockFit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A model for the rows of one pattern.

    Parameters
    ----------
    basis : Basis
        Of the fixed effects.
    fit : callable
        From a block of outcomes, and the numbers beside them where the task has some, to its fit.
    n_block : int
        Outcomes that fit the near caches together.
    """

    basis: Basis
    fit: Fitter
    n_block: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is asked of every outcome.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_coefficients)
        Model.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts.
    names, theta_names : tuple of str
        Of contrasts and covariance parameters.
    df_method : {"kenward_roger", "satterthwaite"}
        Whose standard errors and degrees of freedom.
    make_engine : callable
        From the basis and the rows at hand to their model; None where it cannot be fitted.
    beside : ndarray of shape (n_rows, n_outcomes) or None
        A number beside each outcome that the model takes; finite where the outcome is.
    """

    X: Float[np.ndarray, "n_rows n_coefficients"]
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"]
    names: tuple[str, ...]
    theta_names: tuple[str, ...]
    df_method: DfMethod
    make_engine: Callable[[Basis, np.ndarray], Engine | None]
    beside: Float[np.ndarray, "n_rows n_outcomes"] | None = None


def fit_outcomes(
    task: Task, Y: Float[np.ndarray, "n_rows n_outcomes"], n_threads: int
) -> MixedFit:
    """Fit every outcome.

    Parameters
    ----------
    task : Task
        What is asked.
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row is missing.
    n_threads : int
        Jobs at one time; changes no number.

    Returns
    -------
    MixedFit
        NaN with status 3 where nothing can be estimated.
    """
    k, p = task.contrasts.shape
    n_outcomes, n_theta = Y.shape[1], len(task.theta_names)
    kept = independent_rows(task.contrasts)
    answer = MixedFit(
        contrasts=JointEstimate(
            names=task.names,
            effect=np.full((k, n_outcomes), np.nan),
            covariance=np.full((n_outcomes, k, k), np.nan),
            df=np.full((k, n_outcomes), np.nan),
            status=np.full(n_outcomes, 3, dtype=np.uint8),
        ),
        omnibus=JointTest(
            statistic=np.full(n_outcomes, np.nan),
            df_numerator=len(kept),
            df_denominator=np.full(n_outcomes, np.nan),
        ),
        coefficients=np.full((p, n_outcomes), np.nan),
        theta=np.full((n_theta, n_outcomes), np.nan),
        theta_names=task.theta_names,
        reml_loglik_minus2=np.full(n_outcomes, np.nan),
    )

    def work(job: tuple[np.ndarray, np.ndarray]) -> None:
        _fit_job(task, Y, *job, kept, answer)

    map_threads(work, _jobs(Y), n_threads)
    return answer


def _jobs(Y: Float[np.ndarray, "n_rows n_outcomes"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows at hand, and outcomes that have just these."""
    packed = np.packbits(np.isfinite(Y), axis=0).T
    if (packed == packed[:1]).all():
        patterns, first, member = packed[:1], np.zeros(1, dtype=int), np.zeros(len(packed), int)
    else:
        patterns, first, member = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        member = member.ravel()
    order = np.argsort(member, kind="stable")
    ends = np.cumsum(np.bincount(member, minlength=len(patterns)))
    for number, outcomes in enumerate(np.split(order, ends[:-1])):
        rows = np.flatnonzero(np.isfinite(Y[:, first[number]]))
        for start in range(0, len(outcomes), JOB):
            yield rows, outcomes[start : start + JOB]


def _fit_job(
    task: Task,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    rows: np.ndarray,
    outcomes: np.ndarray,
    kept: list[int],
    answer: MixedFit,
) -> None:
    basis = make_basis(task.X[rows], task.contrasts)
    engine = None if basis is None else task.make_engine(basis, rows)
    if engine is None:
        return
    for start in range(0, len(outcomes), engine.n_block):
        block = outcomes[start : start + engine.n_block]
        cells = np.ix_(rows, block)
        given = [Y, *([] if task.beside is None else [task.beside])]
        values = [numbers[cells].astype(np.float64, copy=False) for numbers in given]
        _store(task, engine.basis, engine.fit(*values), block, kept, answer)


def _store(
    task: Task,
    basis: Basis,
    found: BlockFit,
    block: np.ndarray,
    kept: list[int],
    answer: MixedFit,
) -> None:
    """Write a block's numbers where they belong; jobs share no outcome."""
    effect = basis.contrasts @ found.coefficients
    covariance = found.uncertainty.covariance
    if task.df_method == "kenward_roger":
        covariance = covariance + found.uncertainty.correction
    df = degrees_of_freedom(found.uncertainty)
    # A search that failed may end where the corrected variance of a contrast is none.
    usable = (np.einsum("ccv->cv", covariance) > 0.0) & (df > 0.0)
    good: Bool[np.ndarray, " n_block"] = found.fitted & usable.all(axis=0)
    at = block[good]
    joint = answer.contrasts
    joint.effect[:, at] = effect[:, good]
    joint.covariance[at] = np.moveaxis(covariance, -1, 0)[good]
    joint.df[:, at] = df[:, good]
    joint.status[at] = np.where(found.converged, np.where(found.boundary, 1, 0), 2)[good]
    F, df_joint = joint_test(effect, found.uncertainty, kept, task.df_method)
    answer.omnibus.statistic[at], answer.omnibus.df_denominator[at] = F[good], df_joint[good]
    answer.coefficients[:, at] = (basis.back @ found.coefficients)[:, good]
    answer.theta[:, at] = found.theta[:, good]
    answer.reml_loglik_minus2[at] = found.reml_loglik_minus2[good] + basis.log_determinant
