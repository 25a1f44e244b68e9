"""The three mixed models as functions of rows, columns and contrasts."""

from functools import partial

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError
from phmri.group.mixed._basis import Basis
from phmri.group.mixed._check import (
    find_baseline_problems,
    find_problems,
    find_visit_problems,
)
from phmri.group.mixed._freedom import DfMethod
from phmri.group.mixed._intercept import Information, fit_intercept_block, make_intercept_design
from phmri.group.mixed._marginal import fit_marginal_block
from phmri.group.mixed._moments import make_visit_design
from phmri.group.mixed._outcomes import Engine, Task, fit_outcomes
from phmri.group.mixed._records import MixedFit
from phmri.group.mixed._structures import Structure, StructureName, make_structure

__all__ = ["fit_random_intercept", "fit_structured", "fit_unstructured"]

CACHE = 2**20
"""Numbers that a block may hold at once, so that they stay near."""


def fit_random_intercept(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_coefficients"],
    subjects: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"],
    names: tuple[str, ...],
    *,
    df_method: DfMethod = "kenward_roger",
    information: Information | None = None,
    n_threads: int = 1,
) -> MixedFit:
    r"""Fit a model with a random intercept per participant to every outcome.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        In the measure's unit; NaN where a row is missing for an outcome. Summed in float64.
    X : ndarray of shape (n_rows, n_coefficients)
        Fixed effects, the intercept among them.
    subjects : ndarray of int of shape (n_rows,)
        Whose row it is.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts of the coefficients.
    names : tuple of str
        What each contrast is.
    df_method : {"kenward_roger", "satterthwaite"}
        Kenward and Roger enlarge the covariance too.
    information : {"observed", "expected"}, optional
        Information on the variances behind the degrees of freedom; by default the expected for
        Kenward and Roger, as in their paper and pbkrtest, the observed for Satterthwaite, as in
        lmerTest.
    n_threads : int
        Changes no number.

    Returns
    -------
    MixedFit
        ``theta`` holds ``var_subject`` and ``var_residual``. Status 1 is a variance between
        participants of exactly 0.

    Raises
    ------
    DesignError
        When shapes do not fit or a number is infinite.

    Notes
    -----
    :math:`y_{ij} = x_{ij}^\top\beta + b_i + e_{ij}`, both normal and independent, by REML. Rows
    may be missing at random given the model. At the boundary the observed information of the
    vanished variance is dropped, so that degrees of freedom are those of ordinary least squares
    (rows less rank); the expected information is kept there, as pbkrtest does. Complete balanced
    crossovers give the degrees of freedom of the analysis within participants.

    References
    ----------
    .. [1] Bates et al. (2015), Fitting linear mixed-effects models using lme4,
       doi:10.18637/jss.v067.i01.
    .. [2] Kenward & Roger (1997), Small sample inference for fixed effects from restricted
       maximum likelihood, doi:10.2307/2533558.
    """
    problems = find_problems(Y, X, subjects, contrasts, names)
    if problems:
        raise DesignError(*problems)

    known = information or ("expected" if df_method == "kenward_roger" else "observed")

    def make_engine(basis: Basis, rows: np.ndarray) -> Engine:
        design = make_intercept_design(basis, subjects[rows])
        return Engine(
            basis=basis,
            fit=partial(fit_intercept_block, design, information=known),
            n_block=_block(2 * basis.Q.shape[1] ** 2 + basis.Q.shape[0]),
        )

    task = Task(
        X=X,
        contrasts=contrasts,
        names=names,
        theta_names=("var_subject", "var_residual"),
        df_method=df_method,
        make_engine=make_engine,
    )
    return fit_outcomes(task, Y, n_threads)


def fit_unstructured(  # noqa: PLR0913 - rows, model, contrasts, and the baseline beside them
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_coefficients"],
    subjects: Int[np.ndarray, " n_rows"],
    visits: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"],
    names: tuple[str, ...],
    *,
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
    df_method: DfMethod = "kenward_roger",
    n_threads: int = 1,
) -> MixedFit:
    r"""Fit a model with any covariance between visits to every outcome.

    With arm effects at every visit and the baseline among the columns, or beside each outcome,
    this is an MMRM; with the baseline among the visits and one mean there for all arms, a
    constrained longitudinal model.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        In the measure's unit; NaN where a row is missing for an outcome. Summed in float64.
    X : ndarray of shape (n_rows, n_coefficients)
        Fixed effects, the intercept among them.
    subjects, visits : ndarray of int of shape (n_rows,)
        Whose row it is, and of which visit, from 0; one row per participant and visit.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts of the coefficients.
    names : tuple of str
        What each contrast is.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        A number beside each outcome, as the participant's own image before treatment: it is a
        column more per visit, with a slope there. Finite where the outcome is.
    df_method : {"kenward_roger", "satterthwaite"}
        Kenward and Roger enlarge the covariance too, without second derivatives of the
        covariance (which vanish in its entries), as SAS does.
    n_threads : int
        Changes no number.

    Returns
    -------
    MixedFit
        ``theta`` holds the lower triangle of the covariance by rows: ``cov_1_1``, ``cov_2_1``,
        ``cov_2_2`` and so on. ``coefficients`` are those of ``X``, at a baseline of 0.

    Raises
    ------
    DesignError
        When shapes do not fit, a number is infinite, or a participant has a visit twice.

    Notes
    -----
    :math:`y_i\sim N(X_i\beta, \Sigma_i)` by REML, rows missing at random given the model;
    information on the covariance is the observed. Status 3 also where two visits were never seen
    in one participant, and where the baseline follows from the columns of ``X``, as one that is
    the same in everyone does.

    References
    ----------
    .. [1] Kenward & Roger (1997), Small sample inference for fixed effects from restricted
       maximum likelihood, doi:10.2307/2533558.
    """
    problems = find_problems(Y, X, subjects, contrasts, names)
    problems += find_visit_problems(subjects, visits)
    problems += find_baseline_problems(Y, baseline)
    if problems:
        raise DesignError(*problems)
    task = _visit_task(X, subjects, visits, contrasts, names, "un", df_method, baseline)
    return fit_outcomes(task, Y, n_threads)


def fit_structured(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_coefficients"],
    subjects: Int[np.ndarray, " n_rows"],
    visits: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"],
    names: tuple[str, ...],
    *,
    structure: StructureName,
    df_method: DfMethod = "satterthwaite",
) -> MixedFit:
    """Fit a model with a covariance between visits of few parameters, for single outcomes.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        In the measure's unit; NaN where a row is missing for an outcome.
    X : ndarray of shape (n_rows, n_coefficients)
        Fixed effects, the intercept among them.
    subjects, visits : ndarray of int of shape (n_rows,)
        Whose row it is, and of which visit, from 0; one row per participant and visit.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts of the coefficients.
    names : tuple of str
        What each contrast is.
    structure : {"un", "cs", "csh", "ar1", "slope"}
        Unstructured; compound symmetry, with one variance or one per visit; first-order
        autoregressive; random intercept and slope along the number of the visit.
    df_method : {"kenward_roger", "satterthwaite"}
        Kenward and Roger enlarge the covariance too.

    Returns
    -------
    MixedFit
        ``theta_names`` says what the parameters are. Only the whole covariance is held positive
        definite, not that of a random effect alone.

    Raises
    ------
    DesignError
        When shapes do not fit, a number is infinite, or a participant has a visit twice.

    Notes
    -----
    Information on the covariance is the observed; for ``csh`` and ``ar1``, which are not linear
    in their parameters, the expected.
    """
    problems = find_problems(Y, X, subjects, contrasts, names)
    problems += find_visit_problems(subjects, visits)
    if problems:
        raise DesignError(*problems)
    task = _visit_task(X, subjects, visits, contrasts, names, structure, df_method)
    return fit_outcomes(task, Y, 1)


def _visit_task(
    X: Float[np.ndarray, "n_rows n_coefficients"],
    subjects: Int[np.ndarray, " n_rows"],
    visits: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_coefficients"],
    names: tuple[str, ...],
    structure: StructureName,
    df_method: DfMethod,
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
) -> Task:
    # Where time counts, a visit that nobody had still takes its place.
    counted = structure in {"slope", "ar1"}
    place = visits if counted else np.unique(visits, return_inverse=True)[1]
    n_visits = int(place.max()) + 1
    family = make_structure(structure, n_visits)

    def make_engine(basis: Basis, rows: np.ndarray) -> Engine | None:
        n_own = 0 if baseline is None else len(np.unique(place[rows]))
        return _visit_engine(basis, subjects[rows], place[rows], n_visits, family, n_own)

    return Task(
        X=X,
        contrasts=contrasts,
        names=names,
        theta_names=family.names,
        df_method=df_method,
        make_engine=make_engine,
        beside=baseline,
    )


def _visit_engine(
    basis: Basis,
    subjects: np.ndarray,
    visits: np.ndarray,
    n_visits: int,
    family: Structure,
    n_own: int,
) -> Engine | None:
    design = make_visit_design(basis, subjects, visits, n_visits)
    together = np.zeros((n_visits, n_visits))
    for seen, n in zip(design.seen, design.n_members, strict=True):
        together[np.ix_(seen, seen)] += n
    if family.name == "un" and not together.all():
        return None
    n_rows, rank = basis.Q.shape[0], basis.Q.shape[1] + n_own
    if n_rows <= rank:
        return None
    n_groups = len(design.rows)
    heavy = n_groups * n_visits**2 * rank + len(family.names) * rank**2 + n_groups * n_visits**4
    if n_own:
        heavy += n_groups * n_visits**2 * rank**2 + n_rows * rank
    return Engine(
        basis=basis,
        fit=partial(fit_marginal_block, design, structure=family),
        n_block=_block(heavy),
    )


def _block(per_outcome: int) -> int:
    """Outcomes in a block, a multiple of 32."""
    return int(np.clip(CACHE // per_outcome // 32 * 32, 32, 1024))
