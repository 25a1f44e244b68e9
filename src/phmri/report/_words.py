"""Sentences that the report adds to those of the claims."""

import math

from phmri.inference import Claim
from phmri.protocol import Parallel, Protocol, Where
from phmri.report._records import ReportContent
from phmri.report._text import format_pvalue, plural, superscript
from phmri.report._trial import sizes, treatment_names

__all__ = ["correction_sentence", "estimand_lines", "limits"]

_ESTIMATORS = {
    "ancova": "analysis of covariance, baseline as covariate",
    "change": "change from baseline",
    "post": "the session alone, no baseline",
    "crossover": "within-person difference between treatments, period effect removed",
    "paired": "paired difference (order of treatments unknown)",
}
_LARGE = 1_000_000


def estimand_lines(protocol: Protocol, claim: Claim) -> tuple[tuple[str, str], ...]:
    """Say what is estimated: measure, contrast, session, adjustment, population.

    Parameters
    ----------
    protocol : Protocol
    claim : Claim

    Returns
    -------
    tuple of (str, str)
        Term and its text.
    """
    lines: list[tuple[str, str]] = []
    question = protocol.questions.get(claim.question)
    if question is not None:
        labels = treatment_names(protocol)
        first, second = question.contrast
        if not isinstance(protocol.design, Parallel):
            first, second = labels.get(first, first), labels.get(second, second)
        measure = protocol.measures.get(question.measure)
        scan = f", scan {measure.scan}, denoising {measure.denoising}" if measure else ""
        lines += [
            ("Measure", f"{question.measure}{scan}"),
            ("Contrast", f"{first} minus {second}"),
        ]
        if question.session is not None:
            lines.append(("Session", question.session))
        adjusted = ([f"baseline ({question.baseline})"] if question.baseline else []) + list(
            question.covariates
        )
        lines.append(("Adjusted for", ", ".join(adjusted) or "nothing"))
        lines.append(("Where", _where(question.where)))
    lines.append(("Estimator", _ESTIMATORS.get(claim.estimator, claim.estimator)))
    total = sum(claim.n_per_group.values())
    split = f" ({sizes(claim.n_per_group)})" if len(claim.n_per_group) > 1 else ""
    lines.append(("Population", f"n = {total}{split}" if total else "–"))
    lines.append(("Alternative", claim.alternative))
    return tuple(lines)


def _where(where: Where) -> str:
    if where.mean_of is not None:
        return f"mean over {where.mean_of}"
    if where.within is not None:
        return f"every voxel of {where.within}"
    if where.at is not None:
        return where.at
    return "everywhere the measure is defined"


def correction_sentence(claim: Claim) -> str:
    """Say how p-values were made and what they are corrected for.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Empty for a refused question.
    """
    if claim.verdict == "refused":
        return ""
    if claim.exhaustive:
        how = f"all {plural(claim.n_permutations, 'distinct shuffling')}"
    elif claim.n_distinct >= _LARGE:
        power = math.floor(math.log10(claim.n_distinct))
        how = (
            f"{plural(claim.n_permutations, 'shuffling')} out of more than 10{superscript(power)}"
        )
    else:
        how = f"{plural(claim.n_permutations, 'shuffling')} out of {claim.n_distinct:,}"
    over = f"corrected over {claim.corrected_over}, " if claim.corrected_over else ""
    sentence = f"p (FWE) is {over}by the maximum statistic over {how}, the observed one included"
    if math.isfinite(claim.threshold_fwe):
        sentence += (
            f"; p (FWE) = {claim.alpha:g} is reached at |t| = {abs(claim.threshold_fwe):.2f}"
        )
    least = format_pvalue(1 / max(claim.n_permutations, 1))
    return f"{sentence}. The least p-value possible is {least}."


def limits(content: ReportContent) -> tuple[str, ...]:
    """List what a reader must not take from the report.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of str
    """
    claims = [question.claim for question in content.questions]
    said = []
    if content.simulated:
        said.append("Nothing about a drug: the data are simulated and no participant was scanned.")
    if any(claim.verdict == "not found" for claim in claims):
        said.append(
            "That an effect is absent. “Not found” means that nothing passed the corrected "
            "threshold in this sample; the interval says which effects remain compatible with it."
        )
    if len(claims) > 1:
        families = sorted({claim.family for claim in claims if claim.family})
        named = f" (families named in the protocol: {', '.join(families)})" if families else ""
        said.append(
            "What the error rate is over all questions together. Each question has an error rate "
            f"of its own; this version does not adjust across questions of a family{named}."
        )
    if any(claim.role == "exploratory" for claim in claims):
        said.append(
            "That an exploratory result would replicate: it suggests, it does not confirm."
        )
    if any(claim.outcome != "scalar" and claim.peaks for claim in claims):
        said.append(
            "How large an effect is at a peak. Peaks are selected for their height, so their "
            "estimates (marked †) are biased away from zero; plots at a peak illustrate, they do "
            "not test again."
        )
    if len(claims) > 1:
        said.append(
            "That two questions differ because one was found and the other was not: only a "
            "question about the difference itself can say so."
        )
    said.append(
        "Whether a change is neuronal. BOLD connectivity also follows motion, vessels and "
        "breathing, all of which a drug can change."
    )
    refused = [claim.question for claim in claims if claim.verdict == "refused"]
    if refused:
        said.append(f"Anything on the refused questions: {', '.join(refused)}.")
    return tuple(said)
