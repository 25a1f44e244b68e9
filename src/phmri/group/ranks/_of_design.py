"""Two arms of a trial compared by the order of their scores alone."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate, UnitDesign
from phmri.group.ranks._brunner_munzel import brunner_munzel
from phmri.group.ranks._proportional_odds import proportional_odds
from phmri.group.ranks._records import Superiority

__all__ = ["ORDERED", "fit_ordered", "standardised"]

ORDERED = frozenset({"rank", "ordinal"})
"""Estimators that look at nothing but the order of scores."""


def fit_ordered(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units 1"],
    baseline: Float[np.ndarray, "n_units 1"] | None = None,
) -> JointEstimate:
    r"""Compare the arms of a contrast by the order of their scores.

    Parameters
    ----------
    design : UnitDesign
        Of estimator ``rank`` or ``ordinal``; first the arms, the two of the contrast before the
        others.
    Y : ndarray of shape (n_units, 1)
        Scores, in points.
    baseline : ndarray of shape (n_units, 1), optional
        Scores before treatment, in points.

    Returns
    -------
    JointEstimate
        One contrast of one outcome. ``rank``: probability of superiority less one half, on
        Student's t. ``ordinal``: logarithm of the odds ratio of a higher score, on the normal
        distribution (infinite degrees of freedom).

    Raises
    ------
    DesignError
        When a score is missing or cannot be compared, the arms do not overlap, or the model has
        no finite maximum.

    Notes
    -----
    ``rank``: `brunner_munzel` of the two arms, adjusted for the ranked baseline and the design's
    other columns. ``ordinal``: `proportional_odds` of all arms, baseline and other columns.
    """
    if design.estimator == "rank":
        found = _superiority(design, Y[:, 0], baseline)
        if found.se == 0 or not 0 < found.probability < 1:
            raise DesignError(_separated("probability of superiority", "post"))
        effect, variance, df = found.probability - 0.5, found.se**2, found.df
    else:
        effect, variance = _log_odds(design, Y[:, 0], baseline)
        df = np.inf
    return JointEstimate(
        names=("difference",),
        effect=np.array([[effect]]),
        covariance=np.array([[[variance]]]),
        df=np.array([[df]]),
        status=np.zeros(1, np.uint8),
    )


def standardised(estimator: Literal["rank", "ordinal"], effect: float) -> float:
    r"""Give the d of two distributions that would have such an effect.

    Parameters
    ----------
    estimator : {"rank", "ordinal"}
        Of the effect.
    effect : float
        As `fit_ordered` gives it.

    Returns
    -------
    float
        In standard deviations within arms.

    Notes
    -----
    ``rank``: normal distributions of one variance, :math:`\sqrt 2\,\Phi^{-1}(p)`. ``ordinal``:
    logistic ones, :math:`\ln(\mathrm{OR})\,\sqrt 3/\pi`.
    """
    if estimator == "rank":
        return float(np.sqrt(2.0) * special.ndtri(effect + 0.5))
    return float(effect * np.sqrt(3.0) / np.pi)


def _superiority(
    design: UnitDesign,
    scores: Float[np.ndarray, " n_units"],
    baseline: Float[np.ndarray, "n_units 1"] | None,
) -> Superiority:
    others = design.X[:, _n_arms(design) :]
    first, second = (design.X[:, k] == 1 for k in (0, 1))
    compared = first | second
    if baseline is not None:
        ranks = np.zeros(len(scores))
        ranks[compared] = stats.rankdata(baseline[compared, 0])
        others = np.column_stack([ranks, others])
    covariates = (others[first], others[second]) if others.shape[1] else None
    return brunner_munzel(scores[first], scores[second], covariates=covariates)


def _log_odds(
    design: UnitDesign,
    scores: Float[np.ndarray, " n_units"],
    baseline: Float[np.ndarray, "n_units 1"] | None,
) -> tuple[float, float]:
    """Give effect and variance of the first arm against the second.

    Raises
    ------
    DesignError
        The likelihood has no finite maximum.
    """
    keep = np.arange(design.X.shape[1]) != 1
    X, columns = design.X[:, keep], tuple(np.array(design.columns)[keep].tolist())
    if baseline is not None:
        X, columns = np.column_stack([X, baseline[:, 0]]), (*columns, "baseline")
    found = proportional_odds(scores, X, columns)
    if not found.converged:
        raise DesignError(_separated("odds ratio", "post"))
    return float(found.log_odds[0]), float(found.covariance[0, 0])


def _n_arms(design: UnitDesign) -> int:
    return sum(name.startswith("arm:") for name in design.columns)


def _separated(what: str, instead: str) -> Problem:
    return Problem(
        what=f"the arms or a covariate part the scores, so that the {what} has no finite interval",
        field="estimator",
        expected=instead,
    )
