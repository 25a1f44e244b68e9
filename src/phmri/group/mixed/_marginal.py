r"""A covariance between visits, by REML, in every outcome at once.

.. math:: y_i = X_i\beta + \varepsilon_i,\qquad \varepsilon_i\sim N(0, \Sigma_i(\theta)),

with :math:`\Sigma_i` the rows and columns of one :math:`\Sigma` for the visits participant
:math:`i` came to. The likelihood is climbed along the average information, a step being halved
where it does not rise, and then, where :math:`\Sigma` is linear in :math:`\theta`, by Newton
steps, so that what is left of the gradient is rounding.

References
----------
.. [1] Gilmour, Thompson & Cullis (1995), Average information REML, doi:10.2307/2533274.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.group._partition import VANISHING
from phmri.group.mixed._likelihood import Point, curvature, evaluate, score, unique_entries
from phmri.group.mixed._moments import Moments, VisitDesign, make_moments, starting_covariance
from phmri.group.mixed._own import add_own_columns
from phmri.group.mixed._products import SHARED, combine, weigh
from phmri.group.mixed._records import BlockFit, Uncertainty
from phmri.group.mixed._structures import Structure
from phmri.group.mixed._sweep import invert, solve

__all__ = ["fit_marginal_block"]

MOST_STEPS = 80
"""Evaluations of the likelihood before an outcome is given up."""
SLOW = 20
"""Evaluations after which Newton's steps are tried from afar too: along a ridge that is nearly
flat the average information is far from the Hessian, and its steps are short."""
CLOSE = 1e-5
"""Squared length of a step, in standard errors, from which Newton's steps are safe."""
LAST, LAST_NEWTON = 1e-18, 1e-10
"""Squared length of the last step along the average information, and of Newton's."""
SLACK = 1e-11
"""Rise of -2 log likelihood, relative to it, that rounding may make."""


@dataclass(slots=True, kw_only=True)
class _Climb:
    """Where each outcome of a block stands."""

    theta: np.ndarray
    step: np.ndarray
    value: np.ndarray
    length: np.ndarray
    done: np.ndarray


def fit_marginal_block(
    design: VisitDesign,
    Y: Float[np.ndarray, "n_rows n_block"],
    baseline: Float[np.ndarray, "n_rows n_block"] | None = None,
    *,
    structure: Structure,
) -> BlockFit:
    """Fit a block of outcomes.

    Parameters
    ----------
    design : VisitDesign
        Of their rows.
    Y : ndarray of shape (n_rows, n_block)
        Outcomes.
    baseline : ndarray of shape (n_rows, n_block), optional
        A number beside each, which has a slope in every visit.
    structure : Structure
        Of the covariance.

    Returns
    -------
    BlockFit
        Sampling covariance of ``theta`` from the observed information, or from the expected where
        the covariance is not linear in it.
    """
    own = None
    if baseline is not None:
        design, own = add_own_columns(design, baseline)
    n_rows, rank = design.Q.shape[:2]
    along, error = _least_squares(design.Q, Y)
    total = np.einsum("iv,iv->v", error, error)
    fitted = total > VANISHING * np.einsum("iv,iv->v", Y, Y)
    # Divided by its spread, an outcome is fitted the same in any unit. One that does not vary is
    # put aside by numbers that can be fitted.
    spread = np.sqrt(np.where(fitted, total, 1.0) / (n_rows - rank))
    if not fitted.all():
        filling = np.cos(np.arange(1.0, n_rows + 1.0) ** 2)[:, None]
        stand_in = _least_squares(design.Q, np.broadcast_to(filling, Y.shape))[1]
        error = np.where(fitted, error, stand_in)
    error /= spread
    moments = make_moments(design, error)
    theta, converged = _climb(design, moments, structure)
    point, settled, uncertainty = _conclude(design, moments, structure, theta)
    power = np.array(structure.powers)[:, None]
    value = point.value + (n_rows - rank) * np.log(2.0 * np.pi * spread**2)
    coefficients = along + point.shift * spread
    if own is not None:
        shared = len(own.shift)
        moved = np.einsum("rsv,sv->rv", own.shift, coefficients[shared:])
        coefficients = coefficients[:shared] - moved
        value, fitted = value + own.log_determinant, fitted & own.told
    return BlockFit(
        coefficients=coefficients,
        theta=theta * spread**power,
        reml_loglik_minus2=value,
        uncertainty=_rescale(uncertainty, spread, power),
        boundary=np.zeros(len(spread), dtype=bool),
        converged=converged & settled,
        fitted=fitted,
    )


def _least_squares(
    Q: Float[np.ndarray, "n_rows rank *n_block"], Y: Float[np.ndarray, "n_rows n_block"]
) -> tuple[Float[np.ndarray, "rank n_block"], Float[np.ndarray, "n_rows n_block"]]:
    """Part outcomes into coordinates along the basis and residuals."""
    if Q.ndim > Y.ndim:
        along = np.einsum("irv,iv->rv", Q, Y)
        return along, Y - np.einsum("irv,rv->iv", Q, along)
    along = Q.T @ Y
    return along, Y - Q @ along


def _climb(
    design: VisitDesign, moments: Moments, structure: Structure
) -> tuple[np.ndarray, Bool[np.ndarray, " n_block"]]:
    """Find the maximum: one evaluation a turn, accepted or its step halved."""
    theta = structure.start(starting_covariance(design, moments))
    n_block = theta.shape[1]
    best, converged = theta.copy(), np.zeros(n_block, dtype=bool)
    active = np.arange(n_block)
    now = _Climb(
        theta=theta,
        step=np.zeros_like(theta),
        value=np.full(n_block, np.inf),
        length=np.full(n_block, np.inf),
        done=np.zeros(n_block, dtype=bool),
    )
    for turn in range(MOST_STEPS):
        _advance(design, moments, structure, now, slow=turn >= SLOW)
        done = now.done
        best[:, active] = now.theta + np.where(done, now.step, 0.0)
        converged[active[done]] = True
        if done.all():
            break
        if 2 * done.sum() > len(done):
            active, keep = active[~done], ~done
            design, moments = _keep(design, moments, keep)
            for field in fields(now):
                setattr(now, field.name, getattr(now, field.name)[..., keep])
    return best, converged


def _keep(
    design: VisitDesign, moments: Moments, keep: Bool[np.ndarray, " n_block"]
) -> tuple[VisitDesign, Moments]:
    """Go on with some outcomes of a block."""
    if design.products.ndim > SHARED:
        own = ("Q", "contrasts", "products")
        design = replace(design, **{name: getattr(design, name)[..., keep] for name in own})
    return design, Moments(crossed=moments.crossed[..., keep], squares=moments.squares[..., keep])


def _advance(
    design: VisitDesign, moments: Moments, structure: Structure, now: _Climb, *, slow: bool
) -> None:
    """Take the step of every outcome where the likelihood rises, and choose the next."""
    trial = now.theta + now.step
    sigma, slopes = structure.entries(trial)
    point = evaluate(design, moments, sigma)
    rises = point.allowed & (point.value <= now.value + SLACK * (1.0 + np.abs(point.value)))
    # A step of rounding size need not rise.
    rises |= point.allowed & (now.length < LAST_NEWTON)
    gradient, average = _along(structure, slopes, *score(design, moments, point))
    inverse, _, regular = invert(average)
    step = np.where(regular, solve(inverse, gradient), 0.0)
    length = np.where(regular, np.einsum("kv,kv->v", step, gradient), np.inf)
    last = np.full(len(length), LAST)
    near = rises & ((length < CLOSE) | slow) & ~now.done
    # The Hessian costs as much as all else, and is not asked for the sake of a few.
    if structure.linear and (slow or 2 * near.sum() > (~now.done).sum()):
        expected = _chain(structure, slopes, curvature(design, point).expected)
        inverse, _, positive = invert(2.0 * average - expected)
        newton = solve(inverse, gradient)
        use = near & positive
        step = np.where(use, newton, step)
        length = np.where(use, np.einsum("kv,kv->v", newton, gradient), length)
        last[use] = LAST_NEWTON
    now.theta = np.where(rises, trial, now.theta)
    now.value = np.where(rises, point.value, now.value)
    now.step = np.where(rises, -step, 0.5 * now.step)
    now.length = np.where(rises, length, now.length)
    now.done |= rises & (length < last)


def _reduce(slopes: np.ndarray) -> np.ndarray:
    """Take the derivatives of the entries from those of the covariance."""
    n_theta, n_visits, _, n_block = slopes.shape
    lower = np.tril_indices(n_visits)
    return slopes[:, lower[0], lower[1]].reshape(n_theta, -1, n_block)


def _along(
    structure: Structure, slopes: np.ndarray, gradient: np.ndarray, average: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if structure.name == "un":
        return gradient, average
    J = _reduce(slopes)
    return np.einsum("kev,ev->kv", J, gradient), _chain(structure, slopes, average)


def _chain(structure: Structure, slopes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if structure.name == "un":
        return matrix
    J = _reduce(slopes)
    chained: np.ndarray = np.einsum("kev,efv,lfv->klv", J, matrix, J, optimize=True)
    return chained


def _conclude(
    design: VisitDesign, moments: Moments, structure: Structure, theta: np.ndarray
) -> tuple[Point, Bool[np.ndarray, " n_block"], Uncertainty]:
    """Evaluate everything at the maximum, and whether it is one."""
    sigma, entries = structure.entries(theta)
    point = evaluate(design, moments, sigma)
    gradient, average = _along(structure, entries, *score(design, moments, point))
    curved = curvature(design, point)
    expected = _chain(structure, entries, curved.expected)
    inverse, _, positive = invert(2.0 * average - expected if structure.linear else expected)
    W = 2.0 * inverse
    L = design.contrasts
    U = combine(L, point.phi).swapaxes(0, 1)
    J = _reduce(entries)
    F = np.einsum("kev,ercv->krcv", J, np.einsum("krsv,scv->krcv", curved.slopes, U))
    weighted = np.einsum("klv,lrcv->krcv", W, F)
    lost = np.einsum("krcv,krdv->cdv", F, np.einsum("rsv,ksdv->krdv", point.phi, weighted))
    spread = np.einsum("kev,kfv->efv", J, np.einsum("klv,lfv->kfv", W, J))
    kept = np.einsum("rsv,sdv->rdv", _quadratic(design, point, spread), U)
    uncertainty = Uncertainty(
        covariance=combine(L, U),
        slopes=np.einsum("rcv,krdv->kcdv", U, F),
        theta_covariance=W,
        correction=2.0 * (np.einsum("rcv,rdv->cdv", U, kept) - lost),
    )
    left = np.einsum("kv,kv->v", gradient, solve(inverse, gradient))
    return point, point.allowed & positive & (np.abs(left) < CLOSE), uncertainty


def _quadratic(
    design: VisitDesign, point: Point, spread: Float[np.ndarray, "n_entries n_entries n_block"]
) -> Float[np.ndarray, "rank rank n_block"]:
    r"""Sum :math:`W_{kl}X^\top V^{-1}G_kV^{-1}G_lV^{-1}X` over the pairs of entries."""
    S = point.precision
    n_visits, n_block = S.shape[1], S.shape[-1]
    D = unique_entries(n_visits)
    W = np.matmul(D, (D @ spread.reshape(len(spread), -1)).reshape(len(D), -1, n_block))
    W = W.reshape(n_visits, n_visits, n_visits, n_visits, n_block)
    inner = np.einsum("ijcdv,ojcv->oidv", W, S)
    inner = np.einsum("oaiv,oidv->oadv", S, inner)
    return weigh(design.products, np.einsum("oadv,odbv->oabv", inner, S))


def _rescale(uncertainty: Uncertainty, spread: np.ndarray, power: np.ndarray) -> Uncertainty:
    """Return to the outcome's unit."""
    unit = spread**power
    return Uncertainty(
        covariance=uncertainty.covariance * spread**2,
        slopes=uncertainty.slopes * (spread**2 / unit)[:, None, None],
        theta_covariance=uncertainty.theta_covariance * unit[:, None] * unit,
        correction=uncertainty.correction * spread**2,
    )
