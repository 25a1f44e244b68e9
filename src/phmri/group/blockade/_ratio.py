"""Ratios of two effects of one model: Fieller's confidence set."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.blockade._check import estimate_problems, joint_problems, level_problems
from phmri.group.blockade._hypotheses import contrast_test, pick, quantile
from phmri.group.blockade._records import KINDS, Persistence, RatioInterval

__all__ = ["attenuation", "fieller_interval", "persistence"]

BOUNDED, COMPLEMENT, WHOLE_LINE, NONE = range(len(KINDS))


def fieller_interval(
    numerator: Float[np.ndarray, " n_outcomes"],
    denominator: Float[np.ndarray, " n_outcomes"],
    variance_numerator: Float[np.ndarray, " n_outcomes"],
    variance_denominator: Float[np.ndarray, " n_outcomes"],
    covariance: Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    confidence: float = 0.95,
) -> RatioInterval:
    r"""Give Fieller's confidence set of the ratio of two effects.

    Parameters
    ----------
    numerator, denominator : ndarray of shape (n_outcomes,)
        Effects in the measure's unit; NaN for an outcome without an estimate.
    variance_numerator, variance_denominator, covariance : ndarray of shape (n_outcomes,)
        Their sampling covariance, in the squared unit.
    df : float or ndarray of shape (n_outcomes,)
        Degrees of freedom of the covariance.
    confidence : float, default 0.95
        Coverage of the set.

    Returns
    -------
    RatioInterval
        Estimate, ends and form of the set, and g.

    Raises
    ------
    DesignError
        When ``confidence`` is no probability, a number is infinite or NaN in some arguments only,
        a variance or degrees of freedom are not positive, or the covariance is larger than the
        variances allow.

    Notes
    -----
    The set holds every :math:`r` for which :math:`(a - r b)^2 \le t^2 (v_a - 2 r v_{ab} + r^2
    v_b)` [1]_, that is :math:`A r^2 - 2 B r + C \le 0` with :math:`A = b^2 - t^2 v_b`,
    :math:`B = ab - t^2 v_{ab}`, :math:`C = a^2 - t^2 v_a`. It is bounded exactly where the
    denominator differs from 0 (:math:`g = t^2 v_b/b^2 < 1`); else it is what lies outside an
    interval, or everything. Coverage is exact for normal effects whose covariance is known up to
    one variance (least squares), approximate with estimated variance components. The formula
    that is usual instead, the delta method, excludes full or no blockade too often on one side.

    References
    ----------
    .. [1] Fieller (1954), J R Stat Soc B 16:175, doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = fieller_interval(one, 2 * one, 0.04 * one, 0.09 * one, 0.01 * one, 30.0)
    >>> found.low.round(4).tolist(), found.high.round(4).tolist(), KINDS[found.kind[0]]
    ([0.2912], [0.7893], 'bounded')
    """
    values = (numerator, denominator, variance_numerator, variance_denominator, covariance)
    problems = level_problems("confidence", confidence)
    problems += estimate_problems(variance_numerator, df, "numerator")
    problems += estimate_problems(variance_denominator, df, "denominator")
    problems += _covariance_problems(*values)
    if problems:
        raise DesignError(*problems)
    a, b, v_a, v_b, v_ab = values
    absent = np.isnan(a)
    t2 = quantile((1.0 + confidence) / 2.0, df) ** 2
    A, B, C = b**2 - t2 * v_b, a * b - t2 * v_ab, a**2 - t2 * v_a
    # B^2 - AC without the cancellation of its leading terms.
    root2 = t2 * (b**2 * v_a - 2.0 * a * b * v_ab + a**2 * v_b) - t2**2 * (v_a * v_b - v_ab**2)
    kind = np.where(A > 0.0, BOUNDED, np.where(root2 >= 0.0, COMPLEMENT, WHOLE_LINE))
    # -0: of a half line, the limit of the complements, the far end is then the right infinity.
    A = np.where(A == 0.0, -0.0, A)
    far = B + np.copysign(np.sqrt(np.maximum(root2, 0.0)), B)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort([far / A, C / far], axis=0)
        estimate, g = a / b, t2 * v_b / b**2
    whole = kind == WHOLE_LINE
    low, high = np.where(whole, -np.inf, ends[0]), np.where(whole, np.inf, ends[1])
    return RatioInterval(
        estimate=estimate,
        low=np.where(absent, np.nan, low),
        high=np.where(absent, np.nan, high),
        kind=np.where(absent, NONE, kind).astype(np.uint8),
        g=g,
    )


def attenuation(joint: JointEstimate, confidence: float = 0.95) -> RatioInterval:
    r"""Give the percentage of the drug's effect that the pretreatment removed.

    Parameters
    ----------
    joint : JointEstimate
        With contrasts ``drug`` (drug minus reference) and ``pretreated`` (what remains).
    confidence : float, default 0.95
        Coverage of the set.

    Returns
    -------
    RatioInterval
        In percent: 100 nothing remains, 0 nothing is removed, above 100 the effect is reversed.

    Raises
    ------
    DesignError
        When a contrast is missing or its numbers, or ``confidence``, cannot be used.

    Notes
    -----
    :math:`100\,(1 - e_3/e_1)` with `fieller_interval` and the degrees of freedom of
    :math:`e_1`. It has a meaning only where 0 means no effect, and belongs in a headline only
    where ``g`` is below 0.5. Of regions, take the ratio of means, never the mean of voxels'
    ratios; and say so where it is read only in places chosen for their drug effect, which is
    overestimated there.
    """
    problems = joint_problems(joint, ("drug", "pretreated")) + level_problems(
        "confidence", confidence
    )
    if problems:
        raise DesignError(*problems)
    left = _ratio(joint, "pretreated", "drug", confidence)
    return RatioInterval(
        estimate=100.0 * (1.0 - left.estimate),
        low=100.0 * (1.0 - left.high),
        high=100.0 * (1.0 - left.low),
        kind=left.kind,
        g=left.g,
    )


def persistence(joint: JointEstimate, confidence: float = 0.95) -> Persistence:
    r"""Give what of an early effect is left later, as ratio and as difference.

    Parameters
    ----------
    joint : JointEstimate
        With contrasts ``early`` and ``late`` of the same treatments; a contrast ``difference``
        (early minus late), where given, lends its degrees of freedom.
    confidence : float, default 0.95
        Coverage of both intervals.

    Returns
    -------
    Persistence
        Late over early, and the test of early minus late.

    Raises
    ------
    DesignError
        When a contrast is missing or its numbers, or ``confidence``, cannot be used.

    Notes
    -----
    "Significant early, not significant late" is no test of waning: the difference is. Without
    degrees of freedom of its own it takes the smaller of the two.
    """
    problems = joint_problems(joint, ("early", "late")) + level_problems("confidence", confidence)
    if problems:
        raise DesignError(*problems)
    early, late = joint.names.index("early"), joint.names.index("late")
    parts = joint.covariance[:, [early, late]][:, :, [early, late]]
    variance = parts[:, 0, 0] + parts[:, 1, 1] - 2.0 * parts[:, 0, 1]
    df = np.minimum(joint.df[early], joint.df[late])
    if "difference" in joint.names:
        df = joint.df[joint.names.index("difference")]
    return Persistence(
        ratio=_ratio(joint, "late", "early", confidence),
        waning=contrast_test(
            joint.effect[early] - joint.effect[late], np.sqrt(variance), df, confidence
        ),
    )


def _ratio(joint: JointEstimate, over: str, under: str, confidence: float) -> RatioInterval:
    (a, _, _), (b, _, df) = pick(joint, over), pick(joint, under)
    i, j = joint.names.index(over), joint.names.index(under)
    covariance = joint.covariance
    return fieller_interval(
        a, b, covariance[:, i, i], covariance[:, j, j], covariance[:, i, j], df, confidence
    )


def _covariance_problems(*values: Float[np.ndarray, " n_outcomes"]) -> list[Problem]:
    absent = np.isnan(values)
    _, _, v_a, v_b, v_ab = values
    found = []
    if np.isinf(values).any() or (absent.any(axis=0) != absent.all(axis=0)).any():
        found.append(Problem(what="values that are not finite", field="ratio"))
    # Rounding may leave a correlation of 1 a little above.
    if (v_ab**2 > v_a * v_b * (1.0 + 1e-9)).any():
        found.append(
            Problem(what="a covariance larger than its variances allow", field="covariance")
        )
    return found
