"""F tests of several contrasts at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.robust._cluster import (
    ClusterModel,
    Correction,
    fit_cluster_robust,
    make_cluster_model,
    score_covariance,
)
from phmri.group.robust._model import NOT_ESTIMABLE, iterate_patterns, make_linear_model
from phmri.group.robust._records import WaldTest

__all__ = ["wald_htz", "wald_test"]

DEPENDENT = (
    "contrasts that follow from each other have no joint test: none may be a sum or difference of "
    "others"
)


def wald_test(joint: JointEstimate, names: Sequence[str] | None = None) -> WaldTest:
    r"""Test that several contrasts are all zero.

    Parameters
    ----------
    joint : JointEstimate
        Of `fit_ols`: the contrasts share their degrees of freedom.
    names : sequence of str, optional
        Contrasts to test; all if left out. None may follow from the others.

    Returns
    -------
    WaldTest
        One F per outcome.

    Raises
    ------
    DesignError
        When a name is unknown, or degrees of freedom differ between the contrasts.

    Notes
    -----
    :math:`F = c^\top C^{-1} c / q` with q contrasts c of covariance C. With errors of the model
    this is the partial F test of least squares, and exact; with hc errors approximate.
    """
    names = joint.names if names is None else tuple(names)
    unknown = [name for name in names if name not in joint.names]
    if unknown:
        raise DesignError(
            Problem(
                what="no such contrast", found=", ".join(unknown), expected=", ".join(joint.names)
            )
        )
    pick = [joint.names.index(name) for name in names]
    df = joint.df[pick]
    ok = joint.status != NOT_ESTIMABLE
    if (df[:, ok] != df[0, ok]).any():
        raise DesignError(
            Problem(
                what="degrees of freedom differ between contrasts, so that their F has none",
                field="joint",
                expected="an estimate of fit_ols; see wald_htz for repeated measures",
            )
        )
    statistic = _quadratic(joint, pick, ok)
    return _give(joint, statistic, df[0], len(pick))


def wald_htz(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    subjects: Int[np.ndarray, " n_rows"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    *,
    correction: Correction = "cr2",
) -> WaldTest:
    r"""Test several contrasts of repeated measures with cluster-robust errors.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row has no data.
    X : ndarray of shape (n_rows, n_columns)
        Model matrix of all participants and sessions.
    subjects : ndarray of int of shape (n_rows,)
        Participant of each row.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        All of them zero under the null hypothesis; none may follow from the others.
    correction : {"cr0", "cr1", "cr2", "cr3"}, default "cr2"
        As in `fit_cluster_robust`.

    Returns
    -------
    WaldTest
        One F per outcome; status 3 where participants are too few for a denominator.

    Raises
    ------
    DesignError
        When a contrast follows from the others.

    Notes
    -----
    Hotelling-type approximation (HTZ, AHT) [1]_: the robust covariance D of the contrasts,
    standardised by its expectation under independent errors of equal variance, is taken as Wishart
    with :math:`\eta = q(q+1) / \sum_{st} \mathrm{Var}(D_{st})` degrees of freedom; then
    :math:`\frac{\eta - q + 1}{\eta q} Q \sim F(q, \eta - q + 1)`.

    References
    ----------
    .. [1] Tipton & Pustejovsky (2015), doi:10.3102/1076998615606099.
    """
    q = len(contrasts)
    names = tuple(f"contrast {number + 1}" for number in range(q))
    joint = fit_cluster_robust(Y, X, subjects, contrasts, names, correction=correction)
    if np.linalg.matrix_rank(make_linear_model(X, contrasts).weights) < q:
        raise DesignError(Problem(what=DEPENDENT, field="contrasts"))
    eta = np.full(Y.shape[1], np.nan)
    for rows, columns in iterate_patterns(~np.isnan(Y)):
        if (joint.status[columns] != NOT_ESTIMABLE).any():
            model = make_cluster_model(X[rows], subjects[rows], contrasts, correction)
            eta[columns] = _wishart_df(model)
    denominator = eta - q + 1
    ok = (joint.status != NOT_ESTIMABLE) & (denominator > 0)
    statistic = _quadratic(joint, list(range(q)), ok) * denominator / eta
    return _give(joint, statistic, np.where(ok, denominator, np.nan), q)


def _wishart_df(model: ClusterModel) -> float:
    """Give the degrees of freedom of a Wishart matrix that varies as much in all."""
    own, shared = score_covariance(model)
    q = len(own)
    covariances = {
        (a, b): np.diag(own[a, b]) - shared[a] @ shared[b].T for a in range(q) for b in range(q)
    }
    expected = np.array([[np.trace(covariances[a, b]) for b in range(q)] for a in range(q)])
    value, vector = np.linalg.eigh(expected)
    if value[0] <= np.finfo(np.float64).eps * q * value[-1]:
        return float("nan")
    R = (vector / np.sqrt(value)) @ vector.T
    stacked = np.array([[covariances[a, b] for b in range(q)] for a in range(q)])
    P = np.einsum("sa,tb,abij->stij", R, R, stacked, optimize=True)
    same = np.einsum("ssij,ttij->", P, P)
    crossed = np.einsum("stij,stji->", P, P)
    return float(q * (q + 1) / (same + crossed))


def _quadratic(
    joint: JointEstimate, pick: list[int], ok: Bool[np.ndarray, " n_outcomes"]
) -> Float[np.ndarray, " n_outcomes"]:
    """Give the quadratic form of the effects over their number.

    Parameters
    ----------
    joint : JointEstimate
        Effects and covariance.
    pick : list of int
        Contrasts.
    ok : ndarray of bool of shape (n_outcomes,)
        Outcomes that can be tested.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        NaN elsewhere.

    Raises
    ------
    DesignError
        When a contrast follows from the others.
    """
    statistic = np.full(len(ok), np.nan)
    effect = joint.effect[pick][:, ok].T[..., None]
    covariance = joint.covariance[ok][:, pick][:, :, pick]
    if (np.linalg.matrix_rank(covariance, hermitian=True) < len(pick)).any():
        raise DesignError(Problem(what=DEPENDENT, found=", ".join(joint.names[k] for k in pick)))
    solved = np.linalg.solve(covariance, effect)
    statistic[ok] = (effect * solved).sum(axis=(1, 2)) / len(pick)
    return statistic


def _give(
    joint: JointEstimate,
    statistic: Float[np.ndarray, " n_outcomes"],
    df: Float[np.ndarray, " n_outcomes"],
    q: int,
) -> WaldTest:
    pvalue = np.maximum(stats.f.sf(statistic, q, df), np.finfo(np.float64).tiny)
    failed = np.isnan(statistic)
    return WaldTest(
        statistic=statistic,
        df_numerator=q,
        df_denominator=np.where(failed, np.nan, df),
        pvalue=np.where(failed, np.nan, pvalue),
        status=np.where(failed, NOT_ESTIMABLE, joint.status).astype(np.uint8),
    )
