"""Sentences that the report adds to those of the claims."""

from phmri.group import SAME_BASELINE, without_baseline
from phmri.inference import Claim
from phmri.protocol import (
    Crossover,
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
from phmri.report._trial import group_names, sizes, treatment_names

__all__ = [
    "across_sentence",
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
    "periods": "all periods, a mean of its own for every participant",
    "mixed": "mixed model, random intercept per participant",
    "mmrm": "mixed model for repeated measures, unstructured covariance of the sessions",
    "rank": "probability of superiority, ranks alone (Brunner and Munzel)",
    "ordinal": "odds ratio of a higher score, cumulative logit model with proportional odds",
    "clda": "constrained longitudinal data analysis, unstructured covariance of the sessions",
}
_ERRORS = {
    "hc3": "right also where variances differ (HC3)",
    "cr2": "clustered by participant (CR2, degrees of freedom of Bell and McCaffrey)",
}
_BASELINE = {"change": ", subtracted", "clda": ", one mean in all arms", "rank": ", ranks"}


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
        if isinstance(protocol.design, Parallel):
            labels = group_names(protocol)
        first, second = labels.get(first, first), labels.get(second, second)
        measure = protocol.measures.get(question.measure)
        scan = f", scan {measure.scan}, denoising {measure.denoising}" if measure else ""
        lines += [
            ("Measure", f"{question.measure}{scan}"),
            ("Contrast", f"{first} minus {second}"),
        ]
        if question.session is not None:
            lines.append(("Session", question.session))
        terms = _adjusted(protocol, question, claim.notes)
        lines.append(("Adjusted for", ", ".join(terms) or "nothing"))
        one = question.where == Where() and claim.outcome == "scalar"
        lines.append(("Where", "one number per participant" if one else _where(question.where)))
    estimator = _ESTIMATORS.get(claim.estimator, claim.estimator)
    if question is not None and question.errors == "cr2":
        estimator = f"{claim.estimator}: its means by least squares"
    lines.append(("Estimator", estimator))
    if question is not None and question.errors in _ERRORS:
        lines.append(("Standard errors", _ERRORS[question.errors]))
    total = sum(claim.n_per_group.values())
    split = f" ({sizes(protocol, claim)})" if len(claim.n_per_group) > 1 else ""
    lines.append(("Population", _population(protocol, claim, f"{total}{split}" if total else "")))
    if question is not None and (events := _events(protocol, question.measure)):
        lines.append(("Intercurrent events", events))
    lines.append(("Alternative", claim.alternative))
    return tuple(lines)


def _population(protocol: Protocol, claim: Claim, count: str) -> str:
    """Say whose data answer, by the label of the population, and how many they are."""
    question = protocol.questions.get(claim.question)
    name = next(iter(question.populations), None) if question is not None else None
    label = (protocol.populations[name].label or name) if name is not None else ""
    return "; ".join(filter(None, (label, f"n = {count}" if count else ""))) or "–"


def _events(protocol: Protocol, measure: str) -> str:
    """List the events that concern a measure, with their strategies."""
    return ", ".join(
        f"{event.label or name.replace('_', ' ')} ({event.strategy.replace('_', ' ')})"
        for name, event in protocol.intercurrent_events.items()
        if event.measures is None or measure in event.measures
    )


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


def _adjusted(protocol: Protocol, question: Question, notes: tuple[str, ...]) -> list[str]:
    """List what the model holds constant; periods, sequences and strata are in it unasked."""
    design = protocol.design
    terms = _periods(design, question) if isinstance(design, Crossover) else []
    if question.period_baseline and SAME_BASELINE not in notes:
        terms.append("baseline of each period")
    if question.baseline and not without_baseline(notes):
        how = _BASELINE.get(question.estimator, "")
        terms.append(f"baseline ({question.baseline}{how})")
    if isinstance(design, Parallel) or design.order == "recorded":
        terms += [f"{name} (stratum)" for name in design.strata]
    return [*terms, *question.covariates]


def _periods(design: Crossover, question: Question) -> list[str]:
    """Say what the order of treatments brings into the model of a crossover."""
    if design.order == "unknown":
        return []
    mixed = question.estimator == "mixed"
    compared = set(question.contrast)
    elsewhere = frozenset() if question.blockade is None else question.blockade.elsewhere
    experiments = {
        sequence.experiment
        for sequence in design.sequences.values()
        if compared <= set(sequence.treatments)
        or (mixed and (compared | elsewhere) & set(sequence.treatments))
    }
    return [
        "period of each experiment" if len(experiments) > 1 else "period",
        *(["sequence"] if mixed else []),
    ]


def _where(where: Where) -> str:
    if where.mean_of is not None:
        return f"mean over {where.mean_of}"
    if where.within is not None:
        return f"every voxel of {where.within}"
    if where.at is not None:
        return where.at
    return "everywhere the measure is defined"


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
    across = across_sentence(content)
    if across:
        said.append(f"What the error rate is over all questions together. {across}")
    found = {claim.method for claim in claims if claim.verdict == "found"}
    if found & {"cluster_mass", "cluster_extent"}:
        said.append(
            "That every part of a cluster differs. The p of a cluster says that something in it "
            "does; its table says how much of it at least."
        )
    if "fdr" in found:
        said.append(
            "That each outcome found by a false discovery rate is true: on average, up to that "
            "share of them is not."
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
    said += _limits_beside(content)
    said.append(
        "Whether a change is neuronal. BOLD connectivity also follows motion, vessels and "
        "breathing, all of which a drug can change."
    )
    refused = [claim.question for claim in claims if claim.verdict == "refused"]
    if refused:
        said.append(f"Anything on the refused questions: {', '.join(refused)}.")
    return tuple(said)


def _limits_beside(content: ReportContent) -> list[str]:
    """List limits of blockades and associations, where there are any."""
    said = []
    asked = content.protocol.questions
    alone = [
        question.claim.question
        for question in content.questions
        if question.beside.blockade is not None
        and (record := asked.get(question.claim.question)) is not None
        and record.blockade is not None
        and record.blockade.pretreated_reference is None
    ]
    if alone:
        said.append(
            f"That a pretreatment antagonised the drug ({', '.join(alone)}): without the "
            "pretreatment alone, an antagonism cannot be separated from the pretreatment's own "
            "effect."
        )
    by_strategy = {
        strategy: ", ".join(e.label for e in content.events if e.strategy == strategy)
        for strategy in ("hypothetical", "composite", "exclude")
    }
    if by_strategy["hypothetical"]:
        said.append(
            f"What would have been without {by_strategy['hypothetical']}: outcomes touched by it "
            "count as missing at random, which nobody can test."
        )
    if by_strategy["composite"]:
        said.append(
            f"How large an effect is apart from {by_strategy['composite']}: the score given for "
            "it was chosen in the protocol, and the estimate contains it."
        )
    if by_strategy["exclude"]:
        said.append(
            f"What holds for all who were randomised: {by_strategy['exclude']} took participants "
            "out after it."
        )
    if content.associations:
        said.append(
            "That an outcome causes a score or foretells it in others: an association in one "
            "sample shows neither."
        )
    return said


def across_sentence(content: ReportContent) -> str:
    """Say which questions share an error rate, and which have their own.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    str
        Empty when all answered questions share one, or there is one of them.
    """
    claims = [q.claim for q in content.questions if q.claim.verdict != "refused"]
    adjusted = {
        family.name: [member.question for member in family.rows] for family in content.families
    }
    covered = {name for members in adjusted.values() for name in members}
    joint: dict[str, list[str]] = {}
    single, named = [], set()
    for claim in claims:
        family = content.protocol.families.get(claim.family or "")
        if claim.family and family is not None and family.correction == "joint_maximum":
            joint.setdefault(claim.family, []).append(claim.question)
        elif claim.question not in covered:
            of_family = f" of family {claim.family}" if claim.family else ""
            single.append(f"{claim.question}{of_family}")
            named |= {claim.family} if claim.family else set()
    if len(joint) + len(adjusted) + len(single) < 2:  # noqa: PLR2004 - one error rate
        return ""
    said = [
        f"The questions of family {family} ({', '.join(questions)}) share one error rate: their "
        "p-values cover them together."
        for family, questions in joint.items()
    ]
    said += [
        f"The questions of family {name} ({', '.join(members)}) share one error rate by the "
        "adjusted p of its table; the p-values of the questions themselves are not adjusted."
        for name, members in adjusted.items()
    ]
    if (joint or adjusted) and single:
        said.append(f"Each other question ({', '.join(single)}) has an error rate of its own.")
    if joint or adjusted:
        said.append("Nothing is adjusted beyond that.")
    else:
        families = f" of a family (families named in the protocol: {', '.join(sorted(named))})"
        said.append(
            "Each question has an error rate of its own; nothing is adjusted across questions"
            f"{families if named else ''}."
        )
    return " ".join(said)
