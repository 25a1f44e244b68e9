"""Sentences that the report adds to those of the claims."""

import math

from phmri.inference import Claim
from phmri.protocol import (
    JulichRegion,
    LabelRegion,
    MaskRegion,
    Parallel,
    Protocol,
    Question,
    Region,
    SphereRegion,
    Where,
)
from phmri.report._records import ReportContent
from phmri.report._text import format_pvalue, plural, superscript
from phmri.report._trial import sizes, treatment_names

__all__ = [
    "correction_sentence",
    "describe_region",
    "estimand_lines",
    "limits",
    "region_sentences",
]

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
        lines.append(("Adjusted for", ", ".join(_adjusted(protocol, question)) or "nothing"))
        one = question.where == Where() and claim.outcome == "scalar"
        lines.append(("Where", "one number per participant" if one else _where(question.where)))
    lines.append(("Estimator", _ESTIMATORS.get(claim.estimator, claim.estimator)))
    total = sum(claim.n_per_group.values())
    split = f" ({sizes(claim.n_per_group)})" if len(claim.n_per_group) > 1 else ""
    lines.append(("Population", f"n = {total}{split}" if total else "–"))
    lines.append(("Alternative", claim.alternative))
    return tuple(lines)


def describe_region(region: Region) -> str:
    """Say where a region comes from.

    Parameters
    ----------
    region : Region
        As the protocol declares it.

    Returns
    -------
    str
    """
    if isinstance(region, JulichRegion):
        side = "both hemispheres" if region.hemisphere == "both" else f"{region.hemisphere} side"
        kind = "mask" if region.weighting == "mask" else "weighted by probability"
        return f"Julich-Brain {region.version}: {', '.join(region.areas)}; {side}, {kind}"
    if isinstance(region, SphereRegion):
        center = ", ".join(f"{mm:g}".replace("-", "−") for mm in region.center_mm)
        return f"sphere of {region.radius_mm:g} mm at ({center}) mm"
    if isinstance(region, LabelRegion):
        return f"{region.file}: labels {', '.join(map(str, region.labels))}"
    return region.file if isinstance(region, MaskRegion) else ", ".join(region.columns)


def region_sentences(content: ReportContent) -> tuple[str, ...]:
    """Name the atlas that regions were taken from, as its licence asks.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of str
        Empty when no region is an atlas's.
    """
    taken = {
        name: region
        for name, region in content.protocol.regions.items()
        if isinstance(region, JulichRegion) and name in {item.name for item in content.regions}
    }
    if not taken:
        return ()
    versions = ", ".join(sorted({region.version for region in taken.values()}))
    sentence = (
        f"Regions of the Julich-Brain atlas {versions} (licensed CC BY-NC-SA 4.0) were used "
        f"[doi:10.1126/science.abb4588]: {', '.join(taken)}."
    )
    return (sentence,)


def _adjusted(protocol: Protocol, question: Question) -> list[str]:
    """List what the model holds constant; strata of randomisation are in it unasked."""
    design = protocol.design
    terms = []
    if question.baseline:
        how = ", subtracted" if question.estimator == "change" else ""
        terms.append(f"baseline ({question.baseline}{how})")
    if isinstance(design, Parallel) or design.order == "recorded":
        terms += [f"{name} (stratum)" for name in design.strata]
    return [*terms, *question.covariates]


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
