"""What is said and tabled of a blockade and of an effect that persists."""

import math
from dataclasses import dataclass

from phmri.inference import Claim
from phmri.report._across_records import FamilyMemberContent
from phmri.report._beside_records import (
    BlockadeContent,
    ContrastContent,
    PersistenceContent,
    RatioContent,
)
from phmri.report._correction import passes
from phmri.report._records import QuestionContent
from phmri.report._text import (
    format_df,
    format_effect,
    format_number,
    format_pvalue,
    relate_pvalue,
)

__all__ = [
    "ContrastRow",
    "blockade_badge",
    "blockade_lines",
    "blockade_rows",
    "bracketed",
    "gate_closed",
    "persistence_rows",
    "persistence_sentences",
    "place_words",
    "ratio_words",
]

_SURE = 0.5
"""Of Fieller's g: from it on the effect to divide by is barely shown."""
_LARGE, _SMALL = 1000.0, 0.01
_NOT_EVIDENCE = (
    "That an effect is found in one session and not in the other would be no evidence that it "
    "changed [doi:10.1038/nn.2886]; the difference of the two is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastRow:
    """A contrast as its table shows it.

    Parameters
    ----------
    role, name, effect, interval, df, pvalue : str
    """

    role: str
    name: str
    effect: str
    interval: str
    df: str
    pvalue: str


def bracketed(name: str) -> str:
    """Set brackets around treatments that have a plus in their name.

    Parameters
    ----------
    name : str
        Of a contrast, like ``drug − pretreatment + drug``.

    Returns
    -------
    str
    """
    sides = name.split(" − ")
    if len(sides) == 1:
        return name
    return " − ".join(f"({side})" if " + " in side else side for side in sides)


def ratio_words(ratio: RatioContent, confidence: float, factor: float = 1.0) -> str:
    """Write a percentage with its confidence set, by the form that the set has.

    Parameters
    ----------
    ratio : RatioContent
    confidence : float
        Coverage of the set.
    factor : float, default 1
        100 for a ratio that is no percentage yet.

    Returns
    -------
    str
    """
    level = f"{100 * confidence:g} %"
    estimate = _percent(factor * ratio.estimate)
    if ratio.kind == "none" or math.isnan(ratio.estimate):
        return "cannot be estimated here"
    if ratio.kind == "whole_line" or ratio.low is None or ratio.high is None:
        return (
            f"cannot be bounded: every percentage is in the {level} set of Fieller (estimate "
            f"{estimate} %)"
        )
    ends = f"{_percent(factor * ratio.low)} to {_percent(factor * ratio.high)}"
    if ratio.kind == "complement":
        return (
            f"cannot be bounded: the {level} set of Fieller is everything outside {ends} % "
            f"(estimate {estimate} %)"
        )
    doubt = "" if ratio.g is not None and ratio.g < _SURE else ", by an effect barely shown"
    return f"{estimate} % ({level} set of Fieller {ends} %{doubt})"


def _percent(value: float) -> str:
    return format_number(value, 0)


def place_words(claim: Claim) -> str:
    """Say at which outcome the numbers beside an answer are.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Empty for one number.
    """
    if claim.outcome == "scalar" or not claim.peaks:
        return ""
    peak = claim.peaks[0]
    where = peak.name
    if peak.position_mm is not None:
        millimetres = ", ".join(format_number(mm, 0) for mm in peak.position_mm)
        where = f"{where} ({millimetres}) mm".strip()
    place = f", {where}" if where else ""
    return f"† At the strongest outcome{place}: selected for its height, hence biased."


def _row(role: str, contrast: ContrastContent, *, selected: bool) -> ContrastRow:
    low, high = (format_effect(end, contrast) for end in (contrast.ci_low, contrast.ci_high))
    return ContrastRow(
        role=role,
        name=bracketed(contrast.name),
        effect=format_effect(contrast.effect, contrast) + ("†" if selected else ""),
        interval=f"{low} to {high}",
        df=format_df(contrast.df),
        pvalue=format_pvalue(contrast.pvalue),
    )


def gate_closed(members: tuple[FamilyMemberContent, ...]) -> bool:
    """Tell whether a family takes the claim of a question back.

    Parameters
    ----------
    members : tuple of FamilyMemberContent
        What its families make of it.

    Returns
    -------
    bool
    """
    return any(member.verdict != "found" for member in members)


def blockade_badge(question: QuestionContent, members: tuple[FamilyMemberContent, ...]) -> str:
    """Say a blockade's verdict in a few words, and what it does not rest on.

    Parameters
    ----------
    question : QuestionContent
    members : tuple of FamilyMemberContent
        What the question's families make of it.

    Returns
    -------
    str
        Empty where the question is about no blockade.

    Notes
    -----
    The verdict is of one outcome at the full alpha. It is withheld where the family of the
    question claims nothing, and marked where the question itself was corrected or at a peak.
    """
    claim, blockade = question.claim, question.beside.blockade
    if blockade is None:
        return ""
    if gate_closed(members):
        return "blockade: not claimed, by its family"
    if claim.outcome != "scalar":
        return f"blockade: {blockade.verdict} at the peak, uncorrected"
    shown = blockade.verdict in {"blocked", "partly blocked"}
    if shown and claim.verdict != "found":
        return f"blockade: {blockade.verdict}, uncorrected"
    return f"blockade: {blockade.verdict}"


def blockade_rows(claim: Claim, blockade: BlockadeContent) -> tuple[ContrastRow, ...]:
    """Table the three contrasts of a blockade.

    Parameters
    ----------
    claim : Claim
    blockade : BlockadeContent

    Returns
    -------
    tuple of ContrastRow
        The drug's effect, what remained of it, what was removed.
    """
    selected = claim.outcome != "scalar"
    return (
        _row("Effect of the drug", blockade.drug, selected=selected),
        _row("What remained", blockade.pretreated, selected=selected),
        _row("What was removed", blockade.difference, selected=selected),
    )


def blockade_lines(claim: Claim, blockade: BlockadeContent) -> tuple[tuple[str, str], ...]:
    """Say what the verdict on a blockade rests on.

    Parameters
    ----------
    claim : Claim
    blockade : BlockadeContent

    Returns
    -------
    tuple of (str, str)
        Term and its text.
    """
    level = f"{100 * claim.confidence:g} %"
    removed = ratio_words(blockade.attenuation, claim.confidence)
    both = f"p {relate_pvalue(blockade.conjunction_pvalue)}, both at once (intersection-union)."
    if blockade.bootstrap is not None:
        low, high = blockade.bootstrap
        removed += f"; by bootstrap (BCa, {level}) {_percent(low)} to {_percent(high)} %"
    lines = [
        ("Share removed", f"{removed}."),
        ("Effect, and less of it", both),
        ("Next to nothing left", _equivalence(claim, blockade)),
    ]
    if blockade.bayes_factors:
        names = {
            "drug": "the drug's effect",
            "remaining": "what remained",
            "removed": "what was removed",
        }
        found = ", ".join(
            f"{_bayes_factor(value)} for {names.get(name, name)}"
            for name, value in blockade.bayes_factors.items()
        )
        margin = (
            ""
            if blockade.within_margin is None
            else f" {_bayes_factor(blockade.within_margin)} for a remaining effect within the "
            "margin against one beyond it."
        )
        lines.append(
            (
                "Bayes factors",
                (
                    f"BF10 = {found}; below 1 speaks for no effect.{margin} Cauchy prior of scale "
                    f"{blockade.bayes_scale:.3g} on the standardised effect. They play no part in "
                    "the verdict."
                ),
            )
        )
    return tuple(lines)


def _equivalence(claim: Claim, blockade: BlockadeContent) -> str:
    if blockade.margin is None or blockade.equivalence is None:
        return (
            "Not tested: the protocol names no margin, so neither “blocked” nor “not blocked” "
            "can be said."
        )
    pvalue, low, high = blockade.equivalence
    ends = " to ".join(format_effect(end, blockade.pretreated) for end in (low, high))
    return (
        f"p {relate_pvalue(pvalue)} that what remained is within ±{blockade.margin:g} "
        f"{claim.unit} (two one-sided tests); its {100 * (1 - 2 * claim.alpha):g} % interval is "
        f"{ends}."
    )


def _bayes_factor(value: float) -> str:
    if _SMALL <= value < _LARGE:
        return f"{value:.3g}"
    return format_pvalue(value) if value < _SMALL else "above 1,000"


def persistence_sentences(claim: Claim, persistence: PersistenceContent) -> tuple[str, ...]:
    """Say what of an early effect is left, and whether it waned.

    Parameters
    ----------
    claim : Claim
    persistence : PersistenceContent

    Returns
    -------
    tuple of str
        Citations as ``[doi:...]``.
    """
    early, late = persistence.early_session, persistence.late_session
    waning = persistence.waning
    share = ratio_words(persistence.ratio, claim.confidence, 100.0)
    ends = " to ".join(format_effect(end, waning) for end in (waning.ci_low, waning.ci_high))
    numbers = (
        f"{early} minus {late} {format_effect(waning.effect, waning)} {claim.unit}, "
        f"{100 * claim.confidence:g} % CI {ends}; t({format_df(waning.df)}) = "
        f"{format_number(waning.t)}, p "
        f"{relate_pvalue(waning.pvalue)}"
    )
    if not passes(waning.pvalue, claim):
        change = (
            f"A change of the effect from {early} to {late} was not shown ({numbers}); this is "
            "not evidence that it stayed the same."
        )
    elif waning.effect * persistence.early > 0:
        change = f"Less of the effect was there at {late} than at {early} ({numbers})."
    else:
        change = f"More of the effect was there at {late} than at {early} ({numbers})."
    return (
        f"Share of the effect at {early} that is left at {late}: {share}.",
        change,
        _NOT_EVIDENCE,
    )


def persistence_rows(claim: Claim, persistence: PersistenceContent) -> tuple[ContrastRow, ...]:
    """Table the early effect, the late one and their difference.

    Parameters
    ----------
    claim : Claim
    persistence : PersistenceContent

    Returns
    -------
    tuple of ContrastRow
        The difference alone where the intervals of the effects are not known.
    """
    selected = claim.outcome != "scalar"
    sessions = (persistence.early_session, persistence.late_session)
    effects = zip(sessions, persistence.effects, strict=False)
    rows = [_row(session, contrast, selected=selected) for session, contrast in effects]
    return (*rows, _row("Difference", persistence.waning, selected=selected))
