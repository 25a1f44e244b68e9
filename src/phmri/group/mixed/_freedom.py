r"""Standard errors and degrees of freedom from what the covariance parameters leave uncertain.

With :math:`C = L\Phi L^\top`, its derivatives :math:`S_k` along the covariance parameters and
their sampling covariance :math:`W`, one contrast has :math:`\nu = 2c^2/\sum_{kl}W_{kl}s_ks_l` by
Satterthwaite and, with the same :math:`W`, by Kenward and Roger too; these also enlarge the
covariance. Several contrasts are tested together as in lmerTest (Satterthwaite, along the
eigenvectors of :math:`C`) or as in Kenward and Roger's equations.

References
----------
.. [1] Kenward & Roger (1997), Small sample inference for fixed effects from restricted maximum
   likelihood, doi:10.2307/2533558.
.. [2] Kuznetsova, Brockhoff & Christensen (2017), lmerTest package: tests in linear mixed effects
   models, doi:10.18637/jss.v082.i13.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.group.mixed._records import Uncertainty
from phmri.group.mixed._sweep import invert, solve

__all__ = ["DfMethod", "degrees_of_freedom", "joint_test"]

DfMethod = Literal["kenward_roger", "satterthwaite"]
ALIKE = 1e-8
"""Difference of degrees of freedom below which lmerTest takes their mean."""


def degrees_of_freedom(
    uncertainty: Uncertainty,
) -> Float[np.ndarray, "n_contrasts n_block"]:
    """Match the first two moments of each contrast's estimated variance.

    Parameters
    ----------
    uncertainty : Uncertainty
        Of the contrasts.

    Returns
    -------
    ndarray of shape (n_contrasts, n_block)
        Degrees of freedom of each contrast's t.
    """
    variance = np.einsum("ccv->cv", uncertainty.covariance)
    slope = np.einsum("kccv->kcv", uncertainty.slopes)
    spread = _spread(uncertainty.theta_covariance, slope)
    # Outcomes that did not converge may come without any.
    with np.errstate(divide="ignore", invalid="ignore"):
        df: Float[np.ndarray, "n_contrasts n_block"] = 2.0 * variance**2 / spread
    return df


def joint_test(
    effect: Float[np.ndarray, "n_contrasts n_block"],
    uncertainty: Uncertainty,
    rows: list[int],
    method: DfMethod,
) -> tuple[Float[np.ndarray, " n_block"], Float[np.ndarray, " n_block"]]:
    """Test contrasts together.

    Parameters
    ----------
    effect : ndarray of shape (n_contrasts, n_block)
        Estimates.
    uncertainty : Uncertainty
        Of them.
    rows : list of int
        Contrasts tested, none of which the others hold.
    method : {"kenward_roger", "satterthwaite"}
        Whose degrees of freedom.

    Returns
    -------
    statistic : ndarray of shape (n_block,)
        F.
    df_denominator : ndarray of shape (n_block,)
        NaN where the approximation has none.
    """
    pick = np.ix_(rows, rows)
    part = Uncertainty(
        covariance=uncertainty.covariance[pick],
        slopes=uncertainty.slopes[:, pick[0], pick[1]],
        theta_covariance=uncertainty.theta_covariance,
        correction=uncertainty.correction[pick],
    )
    if len(rows) == 1:
        variance = part.covariance[0, 0]
        if method == "kenward_roger":
            variance = variance + part.correction[0, 0]
        return effect[rows[0]] ** 2 / variance, degrees_of_freedom(part)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        tests = {"kenward_roger": _kenward_roger, "satterthwaite": _satterthwaite}
        statistic, df = tests[method](effect[rows], part)
    return statistic, np.where(np.isfinite(df) & (df > 0.0), df, np.nan)


def _spread(
    W: Float[np.ndarray, "n_theta n_theta n_block"], slope: Float[np.ndarray, "n_theta q n_block"]
) -> Float[np.ndarray, "q n_block"]:
    """Variance of an estimated variance."""
    spread: Float[np.ndarray, "q n_block"] = np.einsum(
        "kqv,kqv->qv", np.einsum("klv,lqv->kqv", W, slope), slope
    )
    return spread


def _satterthwaite(
    effect: Float[np.ndarray, "q n_block"], part: Uncertainty
) -> tuple[Float[np.ndarray, " n_block"], Float[np.ndarray, " n_block"]]:
    """Average over the eigenvectors, as the mean of F with each one's freedom would have it."""
    q = len(effect)
    values, vectors = np.linalg.eigh(np.moveaxis(part.covariance, -1, 0))
    values, vectors = values.T.copy(), np.moveaxis(vectors, 0, -1).copy()
    turned = np.einsum("cqv,cv->qv", vectors, effect)
    slope = np.einsum("kcqv,cqv->kqv", np.einsum("kcdv,dqv->kcqv", part.slopes, vectors), vectors)
    df = 2.0 * values**2 / _spread(part.theta_covariance, slope)
    expected = np.sum(df / (df - 2.0), axis=0)
    joint = np.where((df <= 2.0).any(axis=0), 2.0, 2.0 * expected / (expected - q))  # noqa: PLR2004
    alike = np.abs(np.diff(df, axis=0)).max(axis=0) < ALIKE
    return np.sum(turned**2 / values, axis=0) / q, np.where(alike, df.mean(axis=0), joint)


def _kenward_roger(
    effect: Float[np.ndarray, "q n_block"], part: Uncertainty
) -> tuple[Float[np.ndarray, " n_block"], Float[np.ndarray, " n_block"]]:
    """Scale F and its freedom to the moments of Kenward and Roger's section 3."""
    q = len(effect)
    W = part.theta_covariance
    ratio = np.einsum("abv,kbcv->kacv", invert(part.covariance)[0], part.slopes)
    trace = np.einsum("kaav->kv", ratio)
    A1 = _spread(W, trace[:, None])[0]
    A2 = np.einsum("kabv,kbav->v", np.einsum("klv,labv->kabv", W, ratio), ratio)
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1.0) * A1 - (q + 4.0) * A2) / ((q + 2.0) * A2)
    below = 3.0 * q + 2.0 * (1.0 - g)
    c1, c2, c3 = g / below, (q - g) / below, (q + 2.0 - g) / below
    mean_inverse = 1.0 - A2 / q
    ratio_of_moments = (mean_inverse / (1.0 - c2 * B)) ** 2 * (1.0 + c1 * B) / (1.0 - c3 * B) / q
    df = 4.0 + (q + 2.0) / (q * ratio_of_moments - 1.0)
    weighted = solve(invert(part.covariance + part.correction)[0], effect)
    F = np.einsum("cv,cv->v", effect, weighted) / q
    return F * df * mean_inverse / (df - 2.0), df
