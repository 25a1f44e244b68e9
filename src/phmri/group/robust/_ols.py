"""Least squares of several contrasts with one variance, or with one per participant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, Problem
from phmri.group._partition import VANISHING
from phmri.group._records import JointEstimate
from phmri.group.robust._model import (
    LinearModel,
    check_model,
    finish,
    has_no_error,
    is_rounding,
    iterate_patterns,
    make_linear_model,
    not_estimated,
)

__all__ = ["Errors", "fit_ols"]

Errors = Literal["model", "hc0", "hc1", "hc2", "hc3"]
POWERS = {"hc0": 0, "hc1": 0, "hc2": 1, "hc3": 2}
"""Of one minus the leverage, that a squared residual is divided by."""
ALONE = 1e-10
"""One minus the leverage of a row that fits itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fitted:
    """A block of outcomes: residuals, and what a voxelwise baseline adds to the model."""

    effect: Float[np.ndarray, "n_contrasts n_block"]
    residual: Float[np.ndarray, "n_rows n_block"]
    unit: Float[np.ndarray, "n_rows n_block"] | None
    slope: Float[np.ndarray, "n_contrasts n_block"] | None
    df: int
    failed: Bool[np.ndarray, " n_block"]


def fit_ols(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    X: Float[np.ndarray, "n_rows n_columns"],
    contrasts: Float[np.ndarray, "n_contrasts n_columns"],
    names: Sequence[str],
    *,
    errors: Errors = "model",
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None = None,
) -> JointEstimate:
    r"""Estimate contrasts by least squares in every outcome.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        In the measure's unit; NaN where a row has no data: such rows are left out of that outcome.
    X : ndarray of shape (n_rows, n_columns)
        Model matrix, one independent row per participant (or participants among its columns).
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Of the coefficients of ``X``.
    names : sequence of str
        What each contrast is.
    errors : {"model", "hc0", "hc1", "hc2", "hc3"}, default "model"
        ``model``: one variance for all rows; else each row has its own [1]_ [2]_ [3]_.
    baseline : ndarray of shape (n_rows, n_outcomes), optional
        A further column that differs between outcomes, as a participant's own baseline image.

    Returns
    -------
    JointEstimate
        With residual degrees of freedom; status 3 where the rows with data cannot answer, the
        outcome or its baseline does not vary (hc: in the rows that a contrast looks at), or a row
        decides a contrast alone (hc2, hc3).

    Notes
    -----
    With weights :math:`w_c = c^\top (X^\top X)^{+} X^\top` the effect is :math:`w_c y`. Its
    covariance is :math:`s^2 w_c w_d^\top` or :math:`\sum_i w_{ci} w_{di} e_i^2 f(h_i)` with
    leverage :math:`h_i` and :math:`f = 1` (hc0), :math:`n/(n-p)` (hc1), :math:`1/(1-h_i)` (hc2),
    :math:`1/(1-h_i)^2` (hc3). With a baseline, :math:`u` its residual on ``X`` of length one,
    everything depends on the outcome: :math:`w_c - a_c u^\top` with :math:`a_c = w_c b / \lVert
    b - Xg\rVert`, and :math:`h_i + u_i^2`. Rows are taken as independent; residual degrees of
    freedom are kept under hc, an approximation that is best for hc3. A `DesignError` tells when no
    outcome can be answered: infinite values, contrasts that are not estimable, a participant who
    decides a contrast alone.

    References
    ----------
    .. [1] White (1980), doi:10.2307/1912934.
    .. [2] MacKinnon & White (1985), doi:10.1016/0304-4076(85)90158-7.
    .. [3] Long & Ervin (2000), doi:10.1080/00031305.2000.10474549.
    """
    whole = check_model(Y, X, contrasts, names, baseline=baseline)
    if baseline is None and errors in {"hc2", "hc3"}:
        _refuse_alone(whole, errors)
    has = ~np.isnan(Y)
    if baseline is not None:
        has &= ~np.isnan(baseline)
    found = not_estimated(names, Y.shape[1])
    failed = np.ones(Y.shape[1], dtype=bool)
    model, held = whole, np.ones(len(X), dtype=bool)
    for rows, columns in iterate_patterns(has):
        if (rows != held).any():
            model, held = make_linear_model(X[rows], contrasts), rows
        if not model.estimable.all() or model.df <= (baseline is not None):
            continue
        cells = np.ix_(rows, columns)
        outcome = Y[cells].astype(np.float64)
        fitted = _fit_block(model, outcome, None if baseline is None else baseline[cells])
        found.effect[:, columns] = fitted.effect
        found.df[:, columns] = fitted.df
        covariance, alone = _covariance(model, fitted, errors)
        found.covariance[columns] = covariance
        failed[columns] = fitted.failed | alone | is_rounding(covariance, model.weights, outcome)
    return finish(found, failed)


def _fit_block(
    model: LinearModel,
    Y: Float[np.ndarray, "n_rows n_block"],
    baseline: Float[np.ndarray, "n_rows n_block"] | None,
) -> _Fitted:
    U, W = model.basis, model.weights
    residual = Y - U @ (U.T @ Y)
    effect = W @ Y
    if baseline is None:
        return _Fitted(
            effect=effect,
            residual=residual,
            unit=None,
            slope=None,
            df=model.df,
            failed=has_no_error(residual, Y),
        )
    given = baseline.astype(np.float64)
    unit = given - U @ (U.T @ given)
    square = np.einsum("ij,ij->j", unit, unit)
    flat = square <= VANISHING * np.einsum("ij,ij->j", given, given)
    length = np.sqrt(np.where(flat, 1.0, square))
    unit /= length
    slope = (W @ given) / length
    along = np.einsum("ij,ij->j", unit, residual)
    residual -= unit * along
    return _Fitted(
        effect=effect - slope * along,
        residual=residual,
        unit=unit,
        slope=slope,
        df=model.df - 1,
        failed=flat | has_no_error(residual, Y),
    )


def _covariance(
    model: LinearModel, fitted: _Fitted, errors: Errors
) -> tuple[Float[np.ndarray, "n_block n_contrasts n_contrasts"], Bool[np.ndarray, " n_block"]]:
    """Give the covariance of the effects, and outcomes in which a row fits itself."""
    W, unit, slope = model.weights, fitted.unit, fitted.slope
    square = fitted.residual**2
    if errors == "model":
        variance = square.sum(axis=0) / fitted.df
        covariance = np.broadcast_to(W @ W.T, (square.shape[1], len(W), len(W)))
        if slope is not None:
            covariance = covariance + np.einsum("av,bv->vab", slope, slope)
        return covariance * variance[:, None, None], np.zeros(square.shape[1], dtype=bool)
    alone = _divide_by_leverage(square, model, unit, POWERS[errors])
    if errors == "hc1":
        square *= len(square) / fitted.df
    pairs = np.einsum("ai,bi->abi", W, W)
    covariance = np.einsum("abi,iv->vab", pairs, square, optimize=True)
    if unit is not None and slope is not None:
        square *= unit
        crossed = np.einsum("av,bv->vab", slope, W @ square)
        square *= unit
        covariance += np.einsum("av,bv,v->vab", slope, slope, square.sum(axis=0))
        covariance -= crossed + crossed.transpose(0, 2, 1)
    return covariance, alone


def _divide_by_leverage(
    square: Float[np.ndarray, "n_rows n_block"],
    model: LinearModel,
    unit: Float[np.ndarray, "n_rows n_block"] | None,
    power: int,
) -> Bool[np.ndarray, " n_block"]:
    """Divide squared residuals in place; tell outcomes in which a row fits itself."""
    if not power:
        return np.zeros(square.shape[1], dtype=bool)
    own = 1.0 - np.einsum("ij,ij->i", model.basis, model.basis)[:, None]
    free = own if unit is None else own - unit**2
    alone = (free <= ALONE) & ~((own <= ALONE) & _idle(model)[:, None])
    square /= np.where(free <= ALONE, np.inf, free) ** power
    return np.broadcast_to(alone.any(axis=0), square.shape[1]).copy()


def _idle(model: LinearModel) -> Bool[np.ndarray, " n_rows"]:
    """Tell rows that no contrast looks at."""
    weights = np.abs(model.weights).max(axis=0)
    return np.asarray(weights <= ALONE * weights.max())


def _refuse_alone(model: LinearModel, errors: Errors) -> None:
    leverage = np.einsum("ij,ij->i", model.basis, model.basis)
    alone = (1.0 - leverage <= ALONE) & ~_idle(model)
    if alone.any():
        raise DesignError(
            Problem(
                what=f"a participant decides a contrast alone, which {errors} has no error for",
                found=f"row {', '.join(map(str, np.flatnonzero(alone) + 1))}",
                expected="at least two participants per arm and stratum",
            )
        )
