"""What the reliability of a measure is told in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

__all__ = ["Agreement", "Reliability", "VarianceComponents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Six intraclass correlations of every outcome, and its errors of measurement.

    Parameters
    ----------
    forms : tuple of str
        ``"ICC(1,1)"`` to ``"ICC(3,k)"``; rows of the arrays of six.
    icc, low, high : ndarray of shape (6, n_outcomes)
        Estimate, negative where it comes out so, and its interval; NaN where ``status`` is 3.
    f : ndarray of shape (6, n_outcomes)
        F against the hypothesis that the reliability is 0; infinite without error.
    df : ndarray of shape (6, 2)
        Degrees of freedom of F.
    pvalue : ndarray of shape (6, n_outcomes)
        One-sided, from F.
    participants, sessions, residual, within : ndarray of shape (n_outcomes,)
        Mean squares, in the squared unit of the measure.
    error_of_measurement : ndarray of shape (n_outcomes,)
        Standard deviation of the error of one session, in the unit of the measure.
    smallest_change : ndarray of shape (n_outcomes,)
        Change of one participant between two sessions that error alone exceeds in 5 %, in the
        unit of the measure.
    status : ndarray of shape (n_outcomes,)
        0 estimated; 3 the outcome does not vary.
    """

    forms: tuple[str, ...]
    icc: Float[np.ndarray, "6 n_outcomes"]
    low: Float[np.ndarray, "6 n_outcomes"]
    high: Float[np.ndarray, "6 n_outcomes"]
    f: Float[np.ndarray, "6 n_outcomes"]
    df: Float[np.ndarray, "6 2"]
    pvalue: Float[np.ndarray, "6 n_outcomes"]
    participants: Float[np.ndarray, " n_outcomes"]
    sessions: Float[np.ndarray, " n_outcomes"]
    residual: Float[np.ndarray, " n_outcomes"]
    within: Float[np.ndarray, " n_outcomes"]
    error_of_measurement: Float[np.ndarray, " n_outcomes"]
    smallest_change: Float[np.ndarray, " n_outcomes"]
    status: UInt8[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """Where the variance of an outcome comes from; no component is negative.

    Parameters
    ----------
    participant, session, residual : ndarray of shape (n_outcomes,)
        Variances, in the squared unit of the measure.
    agreement : ndarray of shape (n_outcomes,)
        Share of the participants in all variance, ICC(2,1); NaN where ``status`` is 3.
    consistency : ndarray of shape (n_outcomes,)
        The same with sessions fixed, ICC(3,1).
    status : ndarray of shape (n_outcomes,)
        0 estimated; 1 a component is at its boundary 0; 3 the outcome does not vary.
    """

    participant: Float[np.ndarray, " n_outcomes"]
    session: Float[np.ndarray, " n_outcomes"]
    residual: Float[np.ndarray, " n_outcomes"]
    agreement: Float[np.ndarray, " n_outcomes"]
    consistency: Float[np.ndarray, " n_outcomes"]
    status: UInt8[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two sessions of the same participants lie apart, in the unit of the measure.

    Parameters
    ----------
    bias : ndarray of shape (n_outcomes,)
        Mean of second minus first.
    sd : ndarray of shape (n_outcomes,)
        Standard deviation of the differences.
    limits : ndarray of shape (2, n_outcomes)
        Between which 95 % of differences are expected.
    bias_interval : ndarray of shape (2, n_outcomes)
        Confidence interval of the bias.
    limits_interval : ndarray of shape (2, 2, n_outcomes)
        Confidence interval of the lower limit, then of the upper one.
    """

    bias: Float[np.ndarray, " n_outcomes"]
    sd: Float[np.ndarray, " n_outcomes"]
    limits: Float[np.ndarray, "2 n_outcomes"]
    bias_interval: Float[np.ndarray, "2 n_outcomes"]
    limits_interval: Float[np.ndarray, "2 2 n_outcomes"]
