"""What an association is told in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

__all__ = [
    "CircularSelection",
    "Correlation",
    "DependentDifference",
    "IndependentDifference",
    "NullInflation",
    "Prediction",
    "RepeatedCorrelation",
    "Ridge",
    "SlopeTest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopeTest:
    """Whether the score goes with an outcome alike in every group.

    Parameters
    ----------
    f : ndarray of shape (n_outcomes,)
        Against one slope for all groups; NaN where an outcome does not vary in a group.
    df : tuple of float
        Of numerator and denominator.
    pvalue : ndarray of shape (n_outcomes,)
        From F.
    """

    f: Float[np.ndarray, " n_outcomes"]
    df: tuple[float, float]
    pvalue: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Correlation of a score with every outcome.

    Parameters
    ----------
    r, t : ndarray of shape (n_outcomes,)
        Correlation without nuisance and groups, and its t; NaN where ``status`` is 3.
    df : float
        Of t: participants less nuisance columns and groups less 1.
    low, high : ndarray of shape (n_outcomes,)
        Interval of r, pointwise.
    pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from t, for one outcome.
    slopes : SlopeTest or None
        Whether groups share the slope; None for one group, or with too few participants.
    status : ndarray of shape (n_outcomes,)
        0 estimated; 3 nothing of the outcome is left to vary.
    """

    r: Float[np.ndarray, " n_outcomes"]
    t: Float[np.ndarray, " n_outcomes"]
    df: float
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    slopes: SlopeTest | None
    status: UInt8[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedCorrelation:
    """Correlation of repeated measurements, apart by where it comes from.

    Parameters
    ----------
    within : Correlation
        Of departures from the participants' own means: repeated measures correlation.
    between : Correlation
        Of the participants' means.
    n_participants : int
        Participants; those with one row count between only.
    """

    within: Correlation
    between: Correlation
    n_participants: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DependentDifference:
    """Whether two outcomes of the same participants go with a score alike.

    Parameters
    ----------
    difference : ndarray of shape (n_outcomes,)
        First minus second correlation.
    t : ndarray of shape (n_outcomes,)
        Williams's t.
    df : float
        Of t.
    t_pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from t.
    z : ndarray of shape (n_outcomes,)
        Meng, Rosenthal and Rubin's z.
    z_pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from z.
    """

    difference: Float[np.ndarray, " n_outcomes"]
    t: Float[np.ndarray, " n_outcomes"]
    df: float
    t_pvalue: Float[np.ndarray, " n_outcomes"]
    z: Float[np.ndarray, " n_outcomes"]
    z_pvalue: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentDifference:
    """Whether a correlation is alike in two groups of participants.

    Parameters
    ----------
    difference, low, high : ndarray of shape (n_outcomes,)
        First minus second correlation, and its interval.
    z : ndarray of shape (n_outcomes,)
        Difference of Fisher's z over its standard error.
    pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from z.
    """

    difference: Float[np.ndarray, " n_outcomes"]
    low: Float[np.ndarray, " n_outcomes"]
    high: Float[np.ndarray, " n_outcomes"]
    z: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NullInflation:
    """What selection makes of correlations that are all 0.

    Parameters
    ----------
    threshold : float
        Correlation that one outcome exceeds with the asked probability.
    mean_selected : float
        Mean correlation of the outcomes above it.
    expected_maximum : float
        Mean of the largest correlation over all outcomes, were they independent.
    """

    threshold: float
    mean_selected: float
    expected_maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CircularSelection:
    """What selecting and estimating in the same data would have claimed, and what holds.

    Parameters
    ----------
    n_selected : int
        Outcomes above the threshold.
    peak_r, mean_r : float
        Largest and mean correlation of the selected outcomes, by size; NaN if there is none.
    region_r : float
        Correlation of the score with the mean of the selected outcomes.
    left_out_r : float
        The same with every participant's outcomes selected without that participant.
    n_left_out : int
        Participants for whom the others selected anything.
    expected : NullInflation
        What the same selection gives when there is nothing to find.
    """

    n_selected: int
    peak_r: float
    mean_r: float
    region_r: float
    left_out_r: float
    n_left_out: int
    expected: NullInflation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """How a score is predicted from features; all of it is learnt in the training folds.

    Parameters
    ----------
    penalties : tuple of float
        Ratios of noise to explained variance, of which the training fold chooses by leaving one
        participant out; a single one is taken as it is, and ``(0.0,)`` is least squares.
    n_selected : int or None
        Features kept, those that correlate most with the score in the training fold; None: all.
    """

    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1000.0)
    n_selected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How well a score is predicted in participants who taught nothing.

    Parameters
    ----------
    predicted : ndarray of shape (n_participants,)
        From the folds without the participant, in the unit of the score.
    reference : ndarray of shape (n_participants,)
        Mean score of the same folds: the prediction without features.
    folds : ndarray of shape (n_participants,)
        As given.
    r2 : float
        Share of squared error that the features save over the reference; negative where they
        cost.
    correlation : float
        Of predicted and observed score; biased below 0 where there is nothing to predict, so no
        measure of success.
    mean_absolute_error : float
        In the unit of the score.
    r2_in_sample : float
        Of the same model in the data that it was fitted to: what overfitting would have claimed.
    null : ndarray of shape (n_permutations,)
        ``r2`` of shuffled scores.
    pvalue : float
        One-sided; NaN without shufflings.
    """

    predicted: Float[np.ndarray, " n_participants"]
    reference: Float[np.ndarray, " n_participants"]
    folds: Int[np.ndarray, " n_participants"]
    r2: float
    correlation: float
    mean_absolute_error: float
    r2_in_sample: float
    null: Float[np.ndarray, " n_permutations"]
    pvalue: float
