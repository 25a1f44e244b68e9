r"""Correlation of cleaned series with weighted volumes.

The run is cleaned as a whole, :math:`\hat y = R y`, and then seen through weights :math:`w`:

.. math:: \bar y = \frac{\sum_t w_t \hat y_t}{\sum_t w_t}, \qquad
          r_{ab} = \frac{\sum_t w_t (\hat a_t - \bar a)(\hat b_t - \bar b)}
          {\sqrt{\sum_t w_t (\hat a_t - \bar a)^2 \sum_t w_t (\hat b_t - \bar b)^2}},

the cosine between :math:`A a` and :math:`A b`, :math:`A = W^{1/2} (I - 1 w^\top / 1^\top w) R`.
Under white noise :math:`\operatorname{Var} r = 1/\nu` with :math:`\nu = \operatorname{tr}(M)^2 /
\operatorname{tr}(M^2)`, :math:`M = A^\top A`, and two sets of weights give
:math:`\operatorname{Cov}(r_1, r_2) = \operatorname{tr}(M_1 M_2) / (\operatorname{tr} M_1
\operatorname{tr} M_2)`. All weights 1: :math:`M = R` and :math:`\nu = df`.
"""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._blocks import BlockWeights, find_short_conditions
from phmri.signals import Cleaning

__all__ = ["cleaned_at", "kept_weights", "weigh", "weighted_variance"]

_ORTHONORMAL = 1e-6


def kept_weights(
    cleaning: Cleaning, within: BlockWeights
) -> Float[np.ndarray, "n_kept n_conditions"]:
    """Give the weights of the volumes that the cleaning keeps.

    Parameters
    ----------
    cleaning : Cleaning
    within : BlockWeights
        Of the same run.

    Returns
    -------
    ndarray of shape (n_kept, n_conditions)

    Raises
    ------
    FirstLevelError
        Weights and cleaning are of runs of different length, the cleaning is no projection,
        whose coordinates are volumes, or too little is left of a condition.
    """
    if within.weights.shape[0] != cleaning.sample_mask.size:
        raise FirstLevelError(
            Problem(
                what="weights and cleaning are of runs of different length",
                found=f"{within.weights.shape[0]} volumes",
                expected=f"{cleaning.sample_mask.size}",
            )
        )
    if not _is_projection(cleaning):
        raise FirstLevelError(
            Problem(
                what="the volumes of a run cleaned by a Butterworth filter cannot be weighted",
                expected="'filter: projection'",
            )
        )
    problems = find_short_conditions(within, cleaning.sample_mask)
    if problems:
        raise FirstLevelError(*problems)
    return np.asarray(within.weights[cleaning.sample_mask])


def _is_projection(cleaning: Cleaning) -> bool:
    gram = cleaning.basis.T @ cleaning.basis
    return bool(np.abs(gram - np.eye(gram.shape[0])).max(initial=0.0) < _ORTHONORMAL)


def cleaned_at(
    cleaning: Cleaning,
    kept: Float[np.ndarray, "n_kept n_series"],
    weights: Float[np.ndarray, "n_kept n_conditions"],
) -> Float[np.ndarray, "n_seen n_series"]:
    """Clean series by the whole run, and give them in the volumes that have a weight.

    Parameters
    ----------
    cleaning : Cleaning
        A projection.
    kept : ndarray of shape (n_kept, n_series)
        Kept volumes.
    weights : ndarray of shape (n_kept, n_conditions)

    Returns
    -------
    ndarray of shape (n_seen, n_series)
    """
    seen = weights.any(axis=1)
    inside = cleaning.basis[seen] @ (cleaning.basis.T @ kept)
    return np.asarray(kept[seen] - inside if cleaning.kind == "remove" else inside)


def weigh(
    weights: Float[np.ndarray, " n_seen"], series: Float[np.ndarray, "n_seen n_series"]
) -> Float[np.ndarray, "n_seen n_series"]:
    """Take the weighted mean out and scale by the root of the weights.

    Parameters
    ----------
    weights : ndarray of shape (n_seen,)
    series : ndarray of shape (n_seen, n_series)

    Returns
    -------
    ndarray of shape (n_seen, n_series)
        Whose inner products are weighted sums of products.
    """
    centred = series - (weights / weights.sum()) @ series
    centred *= np.sqrt(weights)[:, None]
    return np.asarray(centred)


def weighted_variance(cleaning: Cleaning, within: BlockWeights) -> tuple[float, float]:
    r"""Give the sampling variance of a contrast of Fisher z under white noise.

    Parameters
    ----------
    cleaning : Cleaning
        A projection.
    within : BlockWeights
        Of the same run.

    Returns
    -------
    variance : float
        :math:`\sum_{kl} c_k c_l \rho_{kl} / \sqrt{(\nu_k - 2)(\nu_l - 2)}` with
        :math:`\rho_{kl} = \operatorname{tr}(M_k M_l) / \sqrt{\operatorname{tr}(M_k^2)
        \operatorname{tr}(M_l^2)}`, for series that are not correlated.
    df : float
        The smallest :math:`\nu` of the conditions.

    Raises
    ------
    FirstLevelError
        A condition has no more than two degrees of freedom.
    """
    weights = kept_weights(cleaning, within)
    projection = cleaned_at(cleaning, np.eye(weights.shape[0]), weights)
    seen = weights[weights.any(axis=1)]
    operators = [weigh(column, projection) for column in seen.T]
    trace = np.array([(one**2).sum() for one in operators])
    shared = np.array([[((a @ b.T) ** 2).sum() for b in operators] for a in operators])
    df = trace**2 / np.diag(shared)
    if df.min() <= 2:  # noqa: PLR2004  1 / (df - 2)
        raise FirstLevelError(
            *(
                Problem(
                    what="too few degrees of freedom for a correlation within blocks",
                    field=name,
                    found=f"{found:.1f}",
                    expected="more than 2",
                )
                for name, found in zip(within.conditions, df.tolist(), strict=True)
                if found <= 2  # noqa: PLR2004
            )
        )
    scale = within.contrast / np.sqrt(np.diag(shared) * (df - 2.0))
    return float(scale @ shared @ scale), float(df.min())
