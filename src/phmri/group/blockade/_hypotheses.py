"""Tests of single contrasts and their union."""

import numpy as np
from jaxtyping import Float
from scipy import special

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.blockade._check import estimate_problems, joint_problems, level_problems
from phmri.group.blockade._records import Alternative, ContrastTest, Equivalence

__all__ = ["conjunction_pvalue", "contrast_test", "equivalence_test", "pick", "quantile"]

TINY = np.finfo(np.float64).tiny


def equivalence_test(
    effect: Float[np.ndarray, " n_outcomes"],
    se: Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    *,
    lower: float,
    upper: float,
    alpha: float = 0.05,
) -> Equivalence:
    r"""Test whether an effect lies within a margin, by two one-sided tests.

    Parameters
    ----------
    effect, se : ndarray of shape (n_outcomes,)
        In the measure's unit; an outcome without an estimate is NaN in both and in the answer.
    df : float or ndarray of shape (n_outcomes,)
        Degrees of freedom.
    lower, upper : float
        Ends of the margin in the measure's unit. They must be written down before the data are
        seen.
    alpha : float, default 0.05
        Level of each of the two tests and of both together.

    Returns
    -------
    Equivalence
        Both p-values, the larger one, the interval at 1 - 2 alpha.

    Raises
    ------
    DesignError
        When the margin or ``alpha`` is not usable, a number is not finite, or a standard error
        or degrees of freedom are not positive.

    Notes
    -----
    :math:`t_L = (\hat e - L)/\mathrm{SE}`, :math:`t_U = (\hat e - U)/\mathrm{SE}`,
    :math:`p = \max\{P(T_\nu \ge t_L), P(T_\nu \le t_U)\}` [1]_. Being both rejected is an
    intersection-union test: no correction is due.

    References
    ----------
    .. [1] Schuirmann (1987), J Pharmacokinet Biopharm 15:657, doi:10.1007/BF01068419.

    Examples
    --------
    >>> found = equivalence_test(np.zeros(1), np.full(1, 0.2), 40.0, lower=-0.5, upper=0.5)
    >>> found.pvalue.round(4).tolist()
    [0.0083]
    """
    problems = level_problems("alpha", alpha, 0.5) + estimate_problems(se, df, "effect")
    if not (np.isfinite(lower) and np.isfinite(upper) and lower < upper):
        problems.append(
            Problem(
                what="a margin must have a lower end below its upper end",
                field="margin",
                found=f"{lower} to {upper}",
            )
        )
    if (np.isnan(effect) != np.isnan(se)).any() or np.isinf(effect).any() or np.isinf(se).any():
        problems.append(Problem(what="values that are not finite", field="effect, se"))
    if problems:
        raise DesignError(*problems)
    above = _upper_tail((effect - lower) / se, df)
    below = _upper_tail((upper - effect) / se, df)
    half = quantile(1.0 - alpha, df) * se
    return Equivalence(
        pvalue_lower=above,
        pvalue_upper=below,
        pvalue=np.maximum(above, below),
        low=effect - half,
        high=effect + half,
    )


def conjunction_pvalue(
    joint: JointEstimate, alternative: Alternative = "two-sided"
) -> Float[np.ndarray, " n_outcomes"]:
    r"""Test that the drug has an effect and that less of it remains after the pretreatment.

    Parameters
    ----------
    joint : JointEstimate
        With contrasts ``drug`` (drug minus reference) and ``difference`` (drug minus pretreated).
    alternative : {"two-sided", "greater", "less"}
        Both above 0, both below 0, or (two-sided) both in the same direction, whichever.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        p of the intersection-union test; never 0.

    Raises
    ------
    DesignError
        When a contrast is missing or its numbers cannot be used.

    Notes
    -----
    One-sided :math:`p = \max(p_1, p_2)` [1]_: a valid level without correction, as the claim
    needs both. Two-sided :math:`p = \min\{1, 2\min(\max(p_1^+, p_2^+), \max(p_1^-, p_2^-))\}`,
    which is the larger two-sided p where the signs agree, and 1 where they do not.

    References
    ----------
    .. [1] Berger (1982), Technometrics 24:295, doi:10.1080/00401706.1982.10487790.
    """
    problems = joint_problems(joint, ("drug", "difference"))
    if problems:
        raise DesignError(*problems)
    above, below = (
        np.maximum(
            *(
                _upper_tail(sign * effect / se, df)
                for effect, se, df in (pick(joint, "drug"), pick(joint, "difference"))
            )
        )
        for sign in (1.0, -1.0)
    )
    found: np.ndarray = {
        "two-sided": np.minimum(1.0, 2.0 * np.minimum(above, below)),
        "greater": above,
        "less": below,
    }[alternative]
    return found


def pick(
    joint: JointEstimate, name: str
) -> tuple[
    Float[np.ndarray, " n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
]:
    """Give effect, standard error and degrees of freedom of one contrast.

    Parameters
    ----------
    joint : JointEstimate
        Contrasts of one model.
    name : str
        Which.

    Returns
    -------
    effect, se, df : ndarray of shape (n_outcomes,)
        In the measure's unit; degrees of freedom of t.
    """
    k = joint.names.index(name)
    return joint.effect[k], np.sqrt(joint.covariance[:, k, k]), joint.df[k]


def contrast_test(
    effect: Float[np.ndarray, " n_outcomes"],
    se: Float[np.ndarray, " n_outcomes"],
    df: Float[np.ndarray, " n_outcomes"],
    confidence: float,
    alternative: Alternative = "two-sided",
) -> ContrastTest:
    """Test an effect against none.

    Parameters
    ----------
    effect, se : ndarray of shape (n_outcomes,)
        In the measure's unit.
    df : ndarray of shape (n_outcomes,)
        Degrees of freedom.
    confidence : float
        Coverage of the two-sided interval.
    alternative : {"two-sided", "greater", "less"}
        Of the p-value.

    Returns
    -------
    ContrastTest
        With p-value and interval.
    """
    t = effect / se
    if alternative == "two-sided":
        pvalue = np.minimum(1.0, 2.0 * _upper_tail(np.abs(t), df))
    else:
        pvalue = _upper_tail(t if alternative == "greater" else -t, df)
    half = quantile((1.0 + confidence) / 2.0, df) * se
    return ContrastTest(
        effect=effect, se=se, df=df, pvalue=pvalue, low=effect - half, high=effect + half
    )


def quantile(probability: float, df: float | Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Give quantiles of Student's t, each value of df once: maps repeat few of them.

    Parameters
    ----------
    probability : float
        Below the quantile.
    df : float or ndarray
        Degrees of freedom.

    Returns
    -------
    ndarray
        Of the shape of ``df``.
    """
    each, place = np.unique(df, return_inverse=True)
    return np.asarray(special.stdtrit(each, probability)[place]).reshape(np.shape(df))


def _upper_tail(
    t: Float[np.ndarray, " n_outcomes"], df: float | Float[np.ndarray, " n_outcomes"]
) -> Float[np.ndarray, " n_outcomes"]:
    tail: np.ndarray = np.maximum(special.stdtr(df, -t), TINY)
    return tail
