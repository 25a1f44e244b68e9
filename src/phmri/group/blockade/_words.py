"""What may be said of a blockade: fixed sentences, each tied to its evidence."""

from scipy import stats

from phmri.exceptions import DesignError, Problem
from phmri.group.blockade._records import (
    KINDS,
    VERDICTS,
    Blockade,
    ContrastTest,
    Equivalence,
    RatioInterval,
)

__all__ = ["explain"]

HEADLINE_G = 0.5
WIDEST = 0.5
NOT_CONVERGED, NOT_ESTIMABLE = 2, 3

WORDS = {
    "blocked": (
        "Blocked: {drug} had an effect, less of it remained after {pretreatment}, and what "
        "remained lies within the margin of ±{margin}."
    ),
    "partly blocked": (
        "Blocked at least in part: {drug} had an effect, and less of it remained after "
        "{pretreatment}. That next to nothing remained was not shown."
    ),
    "not blocked": (
        "Not blocked: {drug} had an effect, and what {pretreatment} changed of it lies within "
        "the margin of ±{margin}."
    ),
    "not converged": "Undecided: the model did not converge; its numbers are not to be used.",
    "not estimable": "Undecided: the data give no estimate here.",
    "no effect": (
        "Undecided: an effect of {drug} was not shown, so that there is nothing whose blockade "
        "could be judged."
    ),
    "wide margin": (
        "Undecided: both what remained and what was removed lie within the margin of ±{margin}, "
        "which is too wide for this effect."
    ),
    "larger": "Undecided: the effect of {drug} was larger, not smaller, after {pretreatment}.",
    "no margin": (
        "Undecided: a change of the effect by {pretreatment} was not shown. That there is none "
        "cannot be said without a margin."
    ),
    "open": (
        "Undecided: neither a change of the effect by {pretreatment} was shown, nor that any "
        "change lies within the margin of ±{margin}."
    ),
}
"""The verdict, or why there is none."""

NEGLIGIBLE = "A reduction was shown, but it is smaller than the margin."
REMAINDER = "Something remained, but it is smaller than the margin."
REVERSED = "What remained points the other way: the effect was more than removed."
WIDE = "The margin is {share} % of the effect that was found: wide for a blockade."
PATTERN = (
    "The effect was significant without {pretreatment} and not with it; that is no evidence of a "
    "difference, and plays no part in the verdict [doi:10.1038/nn.2886]."
)
CONFOUNDED = (
    "This design has no arm with {pretreatment} alone: it cannot separate an antagonism from an "
    "effect that {pretreatment} has by itself. What was removed is the sum of both."
)
ELSEWHERE = (
    "The effect of {drug} was measured in one experiment, what {pretreatment} removed of it in "
    "another with other people. What remained is the first less the second: it takes {drug} to do "
    "the same in both experiments, which was assumed and cannot be tested."
)
UNBOUNDED = (
    "The percentage removed cannot be given: the effect of {drug} is too uncertain to divide by. "
    "Its {confidence:g} % set is {set}."
)


def explain(
    blockade: Blockade,
    *,
    index: int = 0,
    drug: str = "the drug",
    pretreatment: str = "the pretreatment",
) -> tuple[str, ...]:
    """Say what was found of one outcome, and what was not.

    Parameters
    ----------
    blockade : Blockade
        As `judge_blockade` gives it.
    index : int, default 0
        Which outcome.
    drug, pretreatment : str
        Their names in the sentences.

    Returns
    -------
    tuple of str
        First the verdict or why there is none; then the three effects with their intervals, the
        percentage removed, and what the design cannot tell.

    Raises
    ------
    DesignError
        When there is no such outcome.
    """
    if not 0 <= index < blockade.verdict.size:
        raise DesignError(
            Problem(
                what="no such outcome",
                field="index",
                found=str(index),
                expected=f"0 to {blockade.verdict.size - 1}",
            )
        )
    reason = _reason(blockade, index)
    patterns = [WORDS[reason]]
    if reason not in {"not converged", "not estimable"}:
        patterns += _asides(blockade, index, reason)
    if not blockade.identifiable:
        patterns.append(CONFOUNDED)
    if blockade.two_experiments:
        patterns.append(ELSEWHERE)
    names = {
        "drug": drug,
        "pretreatment": pretreatment,
        "margin": "" if blockade.margin is None else f"{blockade.margin:g}",
        "share": _share(blockade, index),
        "confidence": 100.0 * blockade.confidence,
        "set": _set(blockade.attenuation, index),
    }
    return tuple(pattern.format(**names) for pattern in patterns)


def _reason(blockade: Blockade, index: int) -> str:
    verdict = VERDICTS[int(blockade.verdict[index])]
    if verdict != "undecided":
        return verdict
    status = int(blockade.status[index])
    if status >= NOT_CONVERGED:
        return "not estimable" if status == NOT_ESTIMABLE else "not converged"
    alpha, difference = blockade.alpha, blockade.difference
    if blockade.drug.pvalue[index] > alpha:
        return "no effect"
    if _within(blockade.remaining, index, alpha) and _within(blockade.removed, index, alpha):
        return "wide margin"
    if (
        _is_apart(difference, index, alpha)
        and blockade.drug.effect[index] * difference.effect[index] < 0.0
    ):
        return "larger"
    return "no margin" if blockade.margin is None else "open"


def _is_apart(contrast: ContrastTest, index: int, alpha: float) -> bool:
    """Tell whether a contrast differs from 0 on either side, at the error rate of the verdict."""
    t = abs(contrast.effect[index]) / contrast.se[index]
    return bool(2.0 * stats.t.sf(t, contrast.df[index]) <= alpha)


def _asides(blockade: Blockade, index: int, reason: str) -> list[str]:
    """Give the sentences after the verdict."""
    alpha = blockade.alpha
    level = 100.0 * blockade.confidence
    left, drug = blockade.pretreated, blockade.drug
    apart = _is_apart(left, index, alpha)
    said = []
    if reason == "not blocked" and blockade.conjunction_pvalue[index] <= alpha:
        said.append(NEGLIGIBLE)
    if apart and drug.pvalue[index] <= alpha:
        if left.effect[index] * drug.effect[index] < 0.0:
            said.append(REVERSED)
        elif reason == "blocked":
            said.append(REMAINDER)
    margin = blockade.margin or 0.0
    if reason in {"blocked", "not blocked"} and margin > WIDEST * abs(drug.effect[index]):
        said.append(WIDE)
    said.append(
        f"Effect of {{drug}} {_interval(drug, index)}, of it after {{pretreatment}} "
        f"{_interval(left, index)}, removed {_interval(blockade.difference, index)} (estimate, "
        f"{level:g} % interval)."
    )
    if drug.pvalue[index] <= alpha < left.pvalue[index] and reason != "blocked":
        said.append(PATTERN)
    share = blockade.attenuation
    if KINDS[share.kind[index]] == "bounded" and share.g[index] < HEADLINE_G:
        said.append(
            f"Removed were {share.estimate[index]:.0f} % of the effect ({level:g} % set: "
            f"{_set(share, index)})."
        )
    else:
        said.append(UNBOUNDED)
    return said


def _share(blockade: Blockade, index: int) -> str:
    effect = abs(float(blockade.drug.effect[index]))
    if blockade.margin is None or not effect > 0.0:
        return ""
    return f"{100.0 * blockade.margin / effect:.0f}"


def _within(test: Equivalence | None, index: int, alpha: float) -> bool:
    return test is not None and bool(test.pvalue[index] <= alpha)


def _interval(test: ContrastTest, index: int) -> str:
    numbers = f"{test.effect[index]:.3g} ({test.low[index]:.3g} to {test.high[index]:.3g})"
    return numbers.replace("-", "−")


def _set(share: RatioInterval, index: int) -> str:
    kind = KINDS[share.kind[index]]
    ends = f"{share.low[index]:.0f} to {share.high[index]:.0f} %".replace("-", "−")
    return {
        "bounded": ends,
        "complement": f"everything outside {ends}",
        "whole_line": "every percentage",
    }.get(kind, "empty")
