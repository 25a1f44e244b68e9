"""The verdict on a blockade, from rules."""

import numpy as np
from jaxtyping import Float, UInt8

from phmri.exceptions import DesignError, Problem
from phmri.group._records import JointEstimate
from phmri.group.blockade._check import joint_problems, level_problems
from phmri.group.blockade._hypotheses import (
    conjunction_pvalue,
    contrast_test,
    equivalence_test,
    pick,
)
from phmri.group.blockade._ratio import attenuation
from phmri.group.blockade._records import VERDICTS, Alternative, Blockade

__all__ = ["judge_blockade"]

NAMES = ("drug", "pretreated", "difference")
NOT_CONVERGED = 2
ROUNDING = 1e-6
"""Of a standard error: how far the difference may be from drug minus pretreated."""


def judge_blockade(
    joint: JointEstimate,
    *,
    margin: float | None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
    pretreatment_alone: bool = False,
    two_experiments: bool = False,
) -> Blockade:
    r"""Judge whether a pretreatment blocked a drug's effect, in every outcome.

    Parameters
    ----------
    joint : JointEstimate
        With contrasts ``drug`` (:math:`e_1`, drug minus reference), ``pretreated`` (:math:`e_3`,
        pretreated drug minus reference or minus the pretreatment alone) and ``difference``
        (:math:`e_1 - e_3`) of one model.
    margin : float or None
        Largest effect M that counts as none, in the measure's unit, chosen before the data are
        unblinded. Without one neither "blocked" nor "not blocked" is ever said.
    alpha : float, default 0.05
        Level of every test, below 0.5.
    alternative : {"two-sided", "greater", "less"}
        Direction of the drug's effect and of the difference.
    confidence : float, default 0.95
        Coverage of the intervals of contrasts and of the attenuation.
    pretreatment_alone : bool, default False
        The reference of the pretreated drug was the pretreatment alone. Without that arm a
        blockade cannot be told from an effect of the pretreatment itself.
    two_experiments : bool, default False
        ``drug`` and ``difference`` were measured in different people, and ``pretreated`` is the
        first less the second.

    Returns
    -------
    Blockade
        Every number that was used, and the verdict.

    Raises
    ------
    DesignError
        When a contrast is missing or its numbers cannot be used, the difference is not drug minus
        pretreated, or margin, ``alpha`` or ``confidence`` are out of range.

    Notes
    -----
    The rules, with "differs" by the test of ``alternative`` at alpha and "within M" by two
    one-sided tests at alpha (`equivalence_test`):

    - blocked: :math:`e_1` differs from 0, :math:`e_1 - e_3` differs from 0 in the same direction
      (`conjunction_pvalue`), and :math:`e_3` is within M;
    - not blocked: :math:`e_1` differs from 0, and :math:`e_1 - e_3` is within M;
    - partly blocked: :math:`e_1` and :math:`e_1 - e_3` differ from 0 in the same direction, and
      neither :math:`e_3` nor :math:`e_1 - e_3` is within M;
    - undecided: all else. Where both :math:`e_3` and :math:`e_1 - e_3` are within M, the margin
      is too wide for the effect, and nothing is said; nor where the fit did not converge.

    Each is an intersection-union test [1]_: with a true :math:`|e_3| \ge M`, "blocked" is said
    with probability at most alpha, whatever the true :math:`e_1`. That :math:`e_1` is significant
    and :math:`e_3` is not enters no rule [2]_.

    With ``two_experiments`` the same rules judge :math:`e_3 = e_1 - d` of :math:`e_1` in some
    people and d in others, whose covariance is near 0. It is what remained if the drug alone does
    the same in both; nothing in the data can show that.

    References
    ----------
    .. [1] Berger (1982), Technometrics 24:295, doi:10.1080/00401706.1982.10487790.
    .. [2] Nieuwenhuis, Forstmann and Wagenmakers (2011), Nat Neurosci 14:1105,
       doi:10.1038/nn.2886.
    """
    problems = joint_problems(joint, NAMES) or _incoherent(joint)
    problems += level_problems("confidence", confidence) + level_problems("alpha", alpha, 0.5)
    if margin is not None and not 0.0 < margin < np.inf:
        problems.append(
            Problem(
                what="a margin must be positive",
                field="margin",
                found=str(margin),
                expected="a number in the measure's unit",
            )
        )
    if problems:
        raise DesignError(*problems)
    drug, pretreated, difference = (
        contrast_test(*pick(joint, name), confidence, alternative) for name in NAMES
    )
    remaining, removed = (
        None
        if margin is None
        else equivalence_test(one.effect, one.se, one.df, lower=-margin, upper=margin, alpha=alpha)
        for one in (pretreated, difference)
    )
    conjunction = conjunction_pvalue(joint, alternative)
    verdict = _decide(
        drug.pvalue,
        conjunction,
        None if remaining is None else remaining.pvalue,
        None if removed is None else removed.pvalue,
        alpha,
    )
    return Blockade(
        drug=drug,
        pretreated=pretreated,
        difference=difference,
        conjunction_pvalue=conjunction,
        attenuation=attenuation(joint, confidence),
        remaining=remaining,
        removed=removed,
        verdict=np.where(joint.status < NOT_CONVERGED, verdict, 0).astype(np.uint8),
        status=joint.status,
        margin=margin,
        alpha=alpha,
        confidence=confidence,
        alternative=alternative,
        identifiable=pretreatment_alone,
        two_experiments=two_experiments,
    )


def _decide(
    drug: Float[np.ndarray, " n_outcomes"],
    conjunction: Float[np.ndarray, " n_outcomes"],
    remaining: Float[np.ndarray, " n_outcomes"] | None,
    removed: Float[np.ndarray, " n_outcomes"] | None,
    alpha: float,
) -> UInt8[np.ndarray, " n_outcomes"]:
    """Turn p-values into codes; NaN meets no condition."""
    never = np.zeros(drug.shape, bool)
    present, less = drug <= alpha, conjunction <= alpha
    nothing_left = never if remaining is None else remaining <= alpha
    nothing_gone = never if removed is None else removed <= alpha
    verdict = np.select(
        [nothing_left & nothing_gone, nothing_gone & present, nothing_left & less, less],
        [VERDICTS.index(v) for v in ("undecided", "not blocked", "blocked", "partly blocked")],
        default=VERDICTS.index("undecided"),
    )
    return verdict.astype(np.uint8)


def _incoherent(joint: JointEstimate) -> list[Problem]:
    (first, _, _), (second, _, _), (third, se, _) = (pick(joint, name) for name in NAMES)
    far = np.abs(first - second - third) > ROUNDING * se
    if not far.any():
        return []
    return [
        Problem(
            what="the difference is not the drug's effect minus the pretreated effect",
            field="difference",
            found=f"{int(far.sum())} of {far.size} outcomes",
            expected="three contrasts of one model",
        )
    ]
