r"""How much worse, or better, the missing would have to be before the answer changes.

The outcomes drawn for some participants are moved by :math:`\delta`. A linear analysis of
:math:`y + \delta z` is linear in :math:`\delta` in its effect and quadratic in its residual sum
of squares, so that every :math:`\delta` is answered from one fit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize

from phmri.exceptions import DesignError, Problem
from phmri.group.missing._pool import PooledEstimate, pool_imputations, too_few_imputations

__all__ = ["TippingPoints", "adjust_by_delta", "find_tipping_points"]

STEPS = 400
"""Places between 0 and the limit at which the answer is looked at before it is narrowed down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TippingPoints:
    """Where the answer changes.

    Parameters
    ----------
    differs : bool
        Whether the contrast differs from 0 with nothing moved.
    low, high : float
        The nearest shifts below and above 0 at which that changes, in the measure's unit;
        infinite where it does not change within the limit.
    """

    differs: bool
    low: float
    high: float


def adjust_by_delta(
    completed: Float[np.ndarray, "n_imputations n_participants"],
    moved: Bool[np.ndarray, " n_participants"],
    design: Float[np.ndarray, "n_participants n_columns"],
    contrast: Float[np.ndarray, " n_columns"],
    delta: Float[np.ndarray, " n_deltas"],
) -> PooledEstimate:
    r"""Answer a contrast for every shift of what was drawn.

    Parameters
    ----------
    completed : ndarray of shape (n_imputations, n_participants)
        As `draw_outcomes` gives it, in the measure's unit.
    moved : ndarray of bool of shape (n_participants,)
        Participants whose drawn outcome is moved, e.g. those missing in the drug arm.
    design : ndarray of shape (n_participants, n_columns)
        Model matrix of the analysis.
    contrast : ndarray of shape (n_columns,)
        Weights of its coefficients.
    delta : ndarray of shape (n_deltas,)
        Shifts in the measure's unit.

    Returns
    -------
    PooledEstimate
        With one entry per shift.

    Raises
    ------
    DesignError
        When the model cannot be fitted, its contrast is zero, or an outcome to be moved was
        observed; all at once.

    Notes
    -----
    With :math:`a = X(X^\top X)^{-1}c`, R the residual-forming matrix and z the indicator of the
    moved, each completed trial has [1]_

    .. math::
        \hat\tau(\delta) = a^\top y + \delta a^\top z,\qquad
        \mathrm{RSS}(\delta) = |R y + \delta R z|^2,

    pooled by Rubin's rules.

    References
    ----------
    .. [1] Cro et al. (2020), doi:10.1002/sim.8569, on controlled multiple imputation.

    Examples
    --------
    >>> drug = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> completed = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.5], [1.0, 2.0, 3.0, 4.0, 5.0, 5.5]])
    >>> design = np.column_stack([np.ones(6), drug])
    >>> moved = np.arange(6) == 5
    >>> deltas = np.array([0.0, -3.0])
    >>> pooled = adjust_by_delta(completed, moved, design, np.array([0.0, 1.0]), deltas)
    >>> pooled.effect.round(9).tolist()
    [3.0, 2.0]
    """
    problems = list(_faults(completed, moved, design, contrast))
    if problems:
        raise DesignError(*problems)
    return _pooled(completed, moved, design, contrast)(delta)


def find_tipping_points(
    completed: Float[np.ndarray, "n_imputations n_participants"],
    moved: Bool[np.ndarray, " n_participants"],
    design: Float[np.ndarray, "n_participants n_columns"],
    contrast: Float[np.ndarray, " n_columns"],
    *,
    alpha: float,
    limit: float,
) -> TippingPoints:
    """Find the shifts of what was drawn at which the answer changes.

    Parameters
    ----------
    completed : ndarray of shape (n_imputations, n_participants)
        As `draw_outcomes` gives it, in the measure's unit.
    moved : ndarray of bool of shape (n_participants,)
        Participants whose drawn outcome is moved.
    design : ndarray of shape (n_participants, n_columns)
        Model matrix of the analysis.
    contrast : ndarray of shape (n_columns,)
        Weights of its coefficients.
    alpha : float
        Two-sided error rate, between 0 and 1.
    limit : float
        Largest shift worth asking for, in the measure's unit; above 0.

    Returns
    -------
    TippingPoints
        To the twelfth digit of ``limit``; two changes closer than a 400th of it are not told
        apart.

    Raises
    ------
    DesignError
        When ``limit`` is not above 0, ``alpha`` not between 0 and 1, or `adjust_by_delta`
        refuses the rest; all at once.

    Examples
    --------
    >>> drug = np.repeat([0.0, 1.0], 20)
    >>> outcome = drug + np.tile([-0.5, 0.5], 20)
    >>> outcome[-4:] = np.nan
    >>> design = np.column_stack([np.ones(40), drug])
    >>> from phmri.group.missing import draw_outcomes
    >>> completed = draw_outcomes(outcome, design, 20, np.random.default_rng(1))
    >>> tip = find_tipping_points(
    ...     completed, np.isnan(outcome), design, np.array([0.0, 1.0]), alpha=0.05, limit=10.0
    ... )
    >>> tip.differs, tip.low < -1, tip.high > 1
    (True, True, True)
    """
    problems = list(_faults(completed, moved, design, contrast))
    if not (limit > 0 and np.isfinite(limit)):
        problems.append(
            Problem(what="the largest shift is above 0", field="limit", found=str(limit))
        )
    if not 0 < alpha < 1:
        problems.append(
            Problem(what="an error rate lies between 0 and 1", field="alpha", found=str(alpha))
        )
    if problems:
        raise DesignError(*problems)
    pooled = _pooled(completed, moved, design, contrast)

    def excess(delta: Float[np.ndarray, " n_deltas"]) -> Float[np.ndarray, " n_deltas"]:
        return pooled(delta).pvalue - alpha

    low, high = (_first_change(excess, side * limit) for side in (-1, 1))
    return TippingPoints(differs=bool(excess(np.zeros(1))[0] <= 0), low=low, high=high)


def _pooled(
    completed: Float[np.ndarray, "m n"],
    moved: Bool[np.ndarray, " n"],
    design: Float[np.ndarray, "n p"],
    contrast: Float[np.ndarray, " p"],
) -> Callable[[Float[np.ndarray, " k"]], PooledEstimate]:
    basis, triangle = np.linalg.qr(design)
    direction = np.linalg.solve(triangle.T, contrast)
    drawn = np.vstack([completed, moved.astype(float)])
    along = drawn @ basis
    residual = drawn - along @ basis.T
    effect = along @ direction
    products = residual @ residual[-1]
    squares = (residual[:-1] ** 2).sum(1)
    df = design.shape[0] - design.shape[1]

    def answer(delta: Float[np.ndarray, " k"]) -> PooledEstimate:
        squared = squares[:, None] + 2 * np.outer(products[:-1], delta) + products[-1] * delta**2
        return pool_imputations(
            effect[:-1, None] + effect[-1] * delta,
            squared / df * (direction @ direction),
            float(df),
        )

    return answer


def _first_change(
    excess: Callable[[Float[np.ndarray, " k"]], Float[np.ndarray, " k"]], limit: float
) -> float:
    places = np.linspace(0.0, limit, STEPS + 1)
    above = excess(places) > 0
    changed = np.flatnonzero(above != above[0])
    if changed.size == 0:
        return float(np.copysign(np.inf, limit))
    before, after = places[changed[0] - 1], places[changed[0]]
    return float(
        optimize.brentq(
            lambda delta: float(excess(np.array([delta]))[0]),
            before,
            after,
            xtol=1e-12 * abs(limit),
        )
    )


def _faults(
    completed: Float[np.ndarray, "m n"],
    moved: Bool[np.ndarray, " n"],
    design: Float[np.ndarray, "n p"],
    contrast: Float[np.ndarray, " p"],
) -> Iterator[Problem]:
    if len(completed) <= 1:
        yield too_few_imputations("completed", len(completed))
    elif not np.isfinite(completed).all():
        yield Problem(what="completed trials have every outcome", field="completed")
    elif (moved & (np.ptp(completed, axis=0) == 0)).any():
        fixed = moved & (np.ptp(completed, axis=0) == 0)
        yield Problem(
            what="only outcomes that were drawn can be moved",
            field="moved",
            found=f"{int(fixed.sum())} observed among {int(moved.sum())}",
        )
    if not np.isfinite(design).all():
        yield Problem(what="the model matrix is finite", field="design")
    elif design.shape[0] <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        yield Problem(
            what="the participants do not determine the model",
            field="design",
            found=f"{design.shape[0]} rows, {design.shape[1]} columns",
        )
    if not (np.isfinite(contrast).all() and contrast.any()):
        yield Problem(what="a contrast weighs some coefficient", field="contrast")
