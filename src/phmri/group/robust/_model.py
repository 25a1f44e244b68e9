"""The linear model that all estimates of this folder share, and what it cannot answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import SAME_OUTCOME, DesignError, Problem
from phmri.group._columns import no_freedom
from phmri.group._partition import VANISHING
from phmri.group._records import JointEstimate

__all__ = [
    "BLOCK",
    "NOT_ESTIMABLE",
    "SINGULAR",
    "LinearModel",
    "check_model",
    "finish",
    "has_no_error",
    "is_rounding",
    "iterate_patterns",
    "make_linear_model",
    "not_estimated",
]

BLOCK = 4096
"""Outcomes fitted at once: bounds the memory, changes no number."""
NOT_ESTIMABLE = 3
"""Status of an outcome that the rows at hand cannot answer for."""
TOLERANCE = 1e-8
SINGULAR = 1e-10
"""Eigenvalue of I - H that counts as zero: participants with a column of their own have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearModel:
    """Least squares of a model matrix, as far as contrasts need it.

    Parameters
    ----------
    basis : ndarray of shape (n_rows, rank)
        Orthonormal, of the columns of the model matrix.
    weights : ndarray of shape (n_contrasts, n_rows)
        What an outcome is multiplied by to give each contrast.
    estimable : ndarray of shape (n_contrasts,)
        Contrasts that every solution of the normal equations agrees on.
    df : int
        Rows minus rank.
    """

    basis: Float[np.ndarray, "n_rows rank"]
    weights: Float[np.ndarray, "n_contrasts n_rows"]
    estimable: Bool[np.ndarray, " n_contrasts"]
    df: int


def make_linear_model(
    X: Float[np.ndarray, "n_rows n_columns"], contrasts: Float[np.ndarray, "n_contrasts n_columns"]
) -> LinearModel:
    r"""Prepare least squares of contrasts.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Model matrix, of any rank.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Of the coefficients.

    Returns
    -------
    LinearModel
        Basis, weights and what is estimable.

    Notes
    -----
    With :math:`X = U S V^\top` the weights of contrast c are :math:`c^\top V S^{+} U^\top`; c is
    estimable where :math:`c^\top V V^\top = c^\top`. Columns are scaled to length one first, so
    that rank does not depend on units.
    """
    length = np.linalg.norm(X, axis=0)
    length[length == 0] = 1.0
    U, s, Vt = np.linalg.svd(X / length, full_matrices=False)
    rank = int((s > TOLERANCE * s.max(initial=0.0)).sum())
    U, s, V = U[:, :rank], s[:rank], Vt[:rank].T
    scaled = contrasts / length
    inside = scaled @ V
    left = np.linalg.norm(scaled - inside @ V.T, axis=1)
    return LinearModel(
        basis=U,
        weights=(inside / s) @ U.T,
        estimable=left <= TOLERANCE * np.linalg.norm(scaled, axis=1),
        df=len(X) - rank,
    )


def check_model(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    names: Sequence[str],
    *,
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
) -> LinearModel:
    """Refuse what no outcome could be answered with.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row has no data.
    X : ndarray of shape (n_rows, n_columns)
        Model matrix.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Of the coefficients.
    names : sequence of str
        One per contrast.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        A further column of the model that differs between outcomes.

    Returns
    -------
    LinearModel
        Of all rows.

    Raises
    ------
    DesignError
        With every reason.
    """
    problems = []
    if len(names) != len(contrasts) or len(set(names)) != len(names) or not names:
        problems.append(
            Problem(
                what="contrasts need one name each, all different",
                field="names",
                found=", ".join(names) or "none",
                expected=f"{len(contrasts)} names",
            )
        )
    if not np.isfinite(X).all() or not np.isfinite(contrasts).all():
        problems.append(Problem(what="model or contrasts with values that are not finite"))
    problems.extend(
        Problem(
            what="values that are not finite",
            field=field,
            found=f"{int(np.isinf(values).sum())} infinite",
            expected="finite numbers, or NaN where a row has no data",
        )
        for field, values in (("outcome", Y), ("baseline", baseline))
        if values is not None and np.isinf(values).any()
    )
    if problems:
        raise DesignError(*problems)
    model = make_linear_model(X, contrasts)
    problems = no_freedom(len(X), model.basis.shape[1] + (baseline is not None), "rows with data")
    problems.extend(
        Problem(
            what="the model cannot tell this contrast apart from its other columns",
            field=name,
            expected="rows with data in every cell that the contrast compares",
        )
        for name, estimable in zip(names, model.estimable, strict=True)
        if not estimable
    )
    if problems:
        raise DesignError(*problems)
    return model


def iterate_patterns(
    has: Bool[np.ndarray, "n_rows n_outcomes"],
) -> Iterator[tuple[Bool[np.ndarray, " n_rows"], Int[np.ndarray, " n_block"]]]:
    """Give outcomes with data in the same rows, a block at a time.

    Parameters
    ----------
    has : ndarray of bool of shape (n_rows, n_outcomes)
        Rows with data.

    Yields
    ------
    rows : ndarray of bool of shape (n_rows,)
        The pattern.
    columns : ndarray of int of shape (n_block,)
        Outcomes that have it, at most `BLOCK`.
    """
    if has.all():
        patterns, member = has[:, :1], np.zeros(has.shape[1], dtype=np.intp)
    else:
        _, first, member = np.unique(
            np.packbits(has, axis=0), axis=1, return_index=True, return_inverse=True
        )
        patterns, member = has[:, first], member.ravel()
    order = np.argsort(member, kind="stable")
    stops = np.cumsum(np.bincount(member, minlength=patterns.shape[1]))
    for number, (start, stop) in enumerate(zip((0, *stops[:-1]), stops, strict=True)):
        for begin in range(start, stop, BLOCK):
            yield patterns[:, number], order[begin : min(begin + BLOCK, stop)]


def has_no_error(
    E: Float[np.ndarray, "n_rows n_block"], Y: Float[np.ndarray, "n_rows n_block"]
) -> Bool[np.ndarray, " n_block"]:
    """Tell where nothing is left of an outcome: it does not vary, or is fitted without error.

    Parameters
    ----------
    E, Y : ndarray of shape (n_rows, n_block)
        Residuals and outcomes.

    Returns
    -------
    ndarray of bool of shape (n_block,)
        True for such outcomes.
    """
    left = np.einsum("ij,ij->j", E, E)
    return np.asarray(left <= VANISHING * np.einsum("ij,ij->j", Y, Y))


def is_rounding(
    covariance: Float[np.ndarray, "n_block n_contrasts n_contrasts"],
    weights: Float[np.ndarray, "n_contrasts n_rows"],
    Y: Float[np.ndarray, "n_rows n_block"],
) -> Bool[np.ndarray, " n_block"]:
    r"""Tell where the error of a contrast is what rounding leaves of rows fitted without error.

    Parameters
    ----------
    covariance : ndarray of shape (n_block, n_contrasts, n_contrasts)
        Of the effects.
    weights : ndarray of shape (n_contrasts, n_rows)
        What an outcome is multiplied by to give each contrast.
    Y : ndarray of shape (n_rows, n_block)
        Outcomes.

    Returns
    -------
    ndarray of bool of shape (n_block,)
        True for such outcomes: other rows may vary, but those that a contrast looks at do not.

    Notes
    -----
    A contrast :math:`w^\top y` has the variance :math:`\lVert w\rVert^2\sigma^2`; one beside which
    :math:`\lVert w\rVert^2 \max_i y_i^2` is as large as the inverse of `VANISHING` is none.
    """
    variance = np.einsum("vcc->cv", covariance)
    size = np.einsum("ci,ci->c", weights, weights)[:, None] * (Y**2).max(axis=0)
    return np.asarray((variance <= VANISHING * size).any(axis=0))


def not_estimated(names: Sequence[str], n_outcomes: int) -> JointEstimate:
    """Make the estimate that is filled pattern by pattern.

    Parameters
    ----------
    names : sequence of str
        One per contrast.
    n_outcomes : int
        Outcomes.

    Returns
    -------
    JointEstimate
        All NaN, all with status 3.
    """
    k = len(names)
    return JointEstimate(
        names=tuple(names),
        effect=np.full((k, n_outcomes), np.nan),
        covariance=np.full((n_outcomes, k, k), np.nan),
        df=np.full((k, n_outcomes), np.nan),
        status=np.full(n_outcomes, NOT_ESTIMABLE, dtype=np.uint8),
    )


def finish(estimate: JointEstimate, failed: Bool[np.ndarray, " n_outcomes"]) -> JointEstimate:
    """Put NaN where outcomes cannot be modelled, and refuse when that is all of them.

    Parameters
    ----------
    estimate : JointEstimate
        Filled; changed in place.
    failed : ndarray of bool of shape (n_outcomes,)
        Outcomes whose numbers mean nothing.

    Returns
    -------
    JointEstimate
        The same.

    Raises
    ------
    DesignError
        When no outcome could be modelled.
    """
    estimate.status[~failed] = 0
    estimate.status[failed] = NOT_ESTIMABLE
    for numbers in (estimate.effect.T, estimate.covariance, estimate.df.T):
        numbers[failed] = np.nan
    if failed.all():
        raise DesignError(
            Problem(
                what=f"{SAME_OUTCOME}, or its baseline is, or nothing is left of it as error",
                found=f"{failed.size} of {failed.size}",
                expected="an outcome that varies between participants",
            )
        )
    return estimate
