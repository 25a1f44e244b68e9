"""Whether groups share the slope of a score on every outcome."""

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from phmri.group.association._records import SlopeTest

__all__ = ["slope_statistic", "slope_test"]

SINGULAR = 1e-12
"""Smallest over largest eigenvalue of the groups' cross-products that counts as zero."""


def slope_statistic(
    outcomes: Float[np.ndarray, "n_rows n_outcomes"],
    left: Float[np.ndarray, " n_rows"],
    basis: Float[np.ndarray, "n_rows n_columns"],
    codes: Int[np.ndarray, " n_rows"],
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Give F of a slope per group against one slope, the score as response.

    Parameters
    ----------
    outcomes : ndarray of shape (n_rows, n_outcomes)
        Values or ranks.
    left : ndarray of shape (n_rows,)
        Score without groups and nuisance, of length 1.
    basis : ndarray of shape (n_rows, n_columns)
        Orthonormal basis of groups and nuisance.
    codes : ndarray of shape (n_rows,)
        Group of each row, from 0.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        NaN where an outcome does not vary in one of the groups.

    Notes
    -----
    With :math:`y_g` the outcome in group g and 0 elsewhere and Q the basis, the normal equations
    of the slopes are :math:`y_g^\top y_h - (Q^\top y_g)^\top Q^\top y_h` and
    :math:`y_g^\top M s`: sums over groups, so that no design is ever made per outcome.
    """
    n, q = basis.shape
    members = [np.flatnonzero(codes == g) for g in range(int(codes.max()) + 1)]
    n_groups = len(members)
    shadows, gram = [], np.zeros((outcomes.shape[1], n_groups, n_groups))
    cross = np.empty((outcomes.shape[1], n_groups))
    for g, rows in enumerate(members):
        # The mean of a group is in the basis: without it less cancels below.
        y = outcomes[rows] - outcomes[rows].mean(axis=0)
        shadows.append(basis[rows].T @ y)
        gram[:, g, g] = np.einsum("ij,ij->j", y, y)
        cross[:, g] = left[rows] @ y
    shadow = np.stack(shadows)
    gram -= np.einsum("gqv,hqv->vgh", shadow, shadow)
    spread = np.linalg.eigvalsh(gram)
    singular = spread[:, 0] <= SINGULAR * spread[:, -1]
    gram[singular] = np.eye(n_groups)
    apart = np.einsum("vg,vg->v", cross, np.linalg.solve(gram, cross[:, :, None])[:, :, 0])
    together = cross.sum(axis=1) ** 2 / gram.sum(axis=(1, 2))
    with np.errstate(divide="ignore"):
        f = (apart - together) / (n_groups - 1) / ((1 - apart) / (n - q - n_groups))
    return np.where(singular, np.nan, f)


def slope_test(f: Float[np.ndarray, " n_outcomes"], df: tuple[float, float]) -> SlopeTest:
    """Put F with its degrees of freedom and p.

    Parameters
    ----------
    f : ndarray of shape (n_outcomes,)
        As `slope_statistic` gives it.
    df : tuple of float
        Of numerator and denominator.

    Returns
    -------
    SlopeTest
        With p.
    """
    return SlopeTest(f=f, df=df, pvalue=special.fdtrc(*df, f))
