r"""The largest of several correlated t statistics.

A multivariate t vector of rank r has a direction :math:`u`, uniform on the sphere, and a length
R with :math:`R^2/r \sim F(r, \nu)`, independent of it. Hence

.. math:: P(\max_j |T_j| \ge c) = E_u\, P(R \ge c / m(u)), \qquad m(u) = \max_j |a_j^\top u|,

with correlation :math:`A A^\top`: an average over directions of a tail known in closed form, which
stays accurate however small the probability is.
"""

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.exceptions import DesignError, Problem

__all__ = ["max_t_pvalues"]

N_ANGLES = 2048
LOG2_DIRECTIONS = 14
RANK_TOLERANCE = 1e-8
PLANE = 2


def max_t_pvalues(
    t: Float[np.ndarray, "n_contrasts n_outcomes"],
    correlation: Float[np.ndarray, "n_contrasts n_contrasts"],
    df: float,
    *,
    seed: int = 0,
) -> Float[np.ndarray, "n_contrasts n_outcomes"]:
    """Correct the p-values of several contrasts of one model for their number, in a single step.

    Parameters
    ----------
    t : ndarray of shape (n_contrasts, n_outcomes)
        Statistics of the contrasts.
    correlation : ndarray of shape (n_contrasts, n_contrasts)
        Of the contrasts' estimates; of any rank.
    df : float
        Degrees of freedom that all of them share.
    seed : int, default 0
        Of the directions, read only where the correlation has rank three or more.

    Returns
    -------
    ndarray of shape (n_contrasts, n_outcomes)
        Two-sided: the chance that the largest of them is as large, if all effects are zero.
        Contrasts are corrected within each outcome, not over outcomes.

    Notes
    -----
    Single-step maximum t [1]_; all pairs of arms give Tukey's, many to one Dunnett's test. Rank
    two (three arms) is integrated over 2048 angles, to about 1e-6 relative; higher ranks over
    16384 scrambled Sobol directions, to about 1e-3. What is no correlation matrix, a t that is NaN
    and ``df`` out of range are refused with a `DesignError`. For numbers: a map takes minutes.

    References
    ----------
    .. [1] Hothorn, Bretz & Westfall (2008), doi:10.1002/bimj.200810425.
    """
    _refuse(t, correlation, df)
    value, vector = np.linalg.eigh(correlation)
    kept = value > RANK_TOLERANCE * value[-1]
    A = vector[:, kept] * np.sqrt(value[kept])
    rank = A.shape[1]
    reach = np.abs(_directions(rank, seed) @ A.T).max(axis=1)
    flat = np.abs(t).ravel()
    tails = [stats.f.sf((c / reach) ** 2 / rank, rank, df).mean() for c in flat]
    pvalue = np.array(tails, dtype=np.float64).reshape(t.shape)
    return np.minimum(np.maximum(pvalue, np.finfo(np.float64).tiny), 1.0)


def _directions(rank: int, seed: int) -> Float[np.ndarray, "n_directions rank"]:
    if rank == 1:
        return np.ones((1, 1))
    if rank == PLANE:
        angle = (np.arange(N_ANGLES) + 0.5) * np.pi / N_ANGLES
        return np.column_stack([np.cos(angle), np.sin(angle)])
    sobol = stats.qmc.Sobol(rank, rng=np.random.default_rng(seed))
    normal = stats.norm.ppf(sobol.random_base2(LOG2_DIRECTIONS))
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def _refuse(t: Float[np.ndarray, "..."], correlation: Float[np.ndarray, "..."], df: float) -> None:
    problems = []
    symmetric = np.abs(correlation - correlation.T).max() <= RANK_TOLERANCE
    unit = np.abs(np.diag(correlation) - 1).max() <= RANK_TOLERANCE
    if not (symmetric and unit) or np.linalg.eigvalsh(correlation)[0] < -RANK_TOLERANCE:
        problems.append(
            Problem(
                what="no correlation matrix",
                field="correlation",
                expected="symmetric, ones on the diagonal, no negative eigenvalue",
            )
        )
    if not np.isfinite(t).all():
        problems.append(Problem(what="values that are not finite", field="t"))
    if not 0 < df < np.inf:
        problems.append(Problem(what="degrees of freedom out of range", field="df", found=str(df)))
    if problems:
        raise DesignError(*problems)
