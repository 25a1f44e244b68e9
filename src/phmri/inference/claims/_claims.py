"""From estimates and p-values to a claim."""

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np

from phmri.exceptions import InferenceError, Problem
from phmri.group import Estimate, UnitDesign, confidence_interval
from phmri.inference._pvalues import orient
from phmri.inference._records import Claim, Cluster, InferenceResult, Outcomes, Peak
from phmri.inference.claims._notes import counted, notes_beside
from phmri.inference.claims._wording import (
    NOUNS,
    Words,
    found_sentence,
    missing_sentence,
)
from phmri.inference.tails._enough import monte_carlo_interval
from phmri.protocol import Inference, Question

__all__ = ["make_claim", "make_refusal"]

N_LISTED = 10
OWN_RATE = (
    "Each question has an error rate of its own; p-values are not adjusted across questions."
)


def make_claim(  # noqa: PLR0913 - everything that a claim is made of
    question_name: str,
    question: Question,
    design: UnitDesign,
    estimate: Estimate,
    result: InferenceResult,
    *,
    outcomes: Outcomes,
    settings: Inference,
    clusters: tuple[Cluster, ...] = (),
    alone: bool = True,
    notes: tuple[str, ...] = (),
) -> Claim:
    """Say what was found, or what was not.

    Parameters
    ----------
    question_name : str
        Key of the question in the protocol.
    question : Question
        As the protocol declares it.
    design : UnitDesign
        Units, model, contrast and blocks.
    estimate : Estimate
        Of the contrast in every outcome.
    result : InferenceResult
        p-values of the same outcomes.
    outcomes : Outcomes
        Names, positions and words.
    settings : Inference
        ``alpha``, ``confidence`` and the method.
    clusters : tuple of Cluster, default ()
        As `find_clusters` gives them.
    alone : bool, default True
        The question has an error rate of its own: it was not corrected together with others.
    notes : tuple of str, default ()
        What must be said beside the answer and follows from earlier steps.

    Returns
    -------
    Claim
        With sentence, numbers and notes.

    Raises
    ------
    InferenceError
        When estimate, p-values, names and positions do not cover the same outcomes, or a number
        is not finite.

    Notes
    -----
    The verdict is "found" when the least corrected p is at most alpha. Estimates of listed
    outcomes of a map were chosen for their height and are biased away from zero [1]_; "not
    found" is not "absent" [2]_.

    References
    ----------
    .. [1] Kriegeskorte et al. (2009), doi:10.1038/nn.2303.
    .. [2] Altman and Bland (1995), doi:10.1136/bmj.311.7003.485.
    """
    problems = _mismatches(estimate, result, outcomes)
    if problems:
        raise InferenceError(*problems)
    n_outcomes = estimate.t.size
    groups_of = dict(zip(design.subjects, design.groups, strict=True))
    # The strongest is the surest, and among equals the highest: a peak outside the clusters that
    # passed may be higher than all in them.
    height = orient(result.statistic, question.alternative)
    ranking = np.lexsort((-height, result.pvalue_corrected)).tolist()
    df = float(result.df[ranking[0]])
    describe = partial(
        _describe,
        estimate=estimate,
        result=result,
        outcomes=outcomes,
        confidence=settings.confidence,
    )
    listed = outcomes.peaks or ranking[:N_LISTED]
    peaks = describe(tuple(dict.fromkeys((ranking[0], *listed))))
    strongest = peaks[0]
    at_clusters = describe(tuple(cluster.peaks[0] for cluster in clusters))
    passed = result.pvalue_corrected <= settings.alpha
    up = int((passed & (estimate.effect > 0)).sum())
    n_significant = int(passed.sum())
    words = _words(question, design, result, outcomes, settings, df)
    if n_significant:
        sentence = found_sentence(
            words, strongest, n_outcomes=n_outcomes, up=up, down=n_significant - up
        )
    else:
        sentence = missing_sentence(words, strongest, n_outcomes=n_outcomes)
    return Claim(
        question=question_name,
        text=question.text,
        role=question.role,
        family=question.family,
        verdict="found" if n_significant else "not found",
        sentence=f"Exploratory: {sentence}" if question.role == "exploratory" else sentence,
        outcome=outcomes.kind,
        unit=outcomes.unit,
        n_per_group=dict(sorted(Counter(groups_of.values()).items())),
        n_outcomes=n_outcomes,
        n_significant=n_significant,
        least_pvalue=float(result.pvalue_corrected.min()),
        peaks=tuple(sorted(peaks, key=lambda peak: (peak.pvalue_corrected, -abs(peak.t)))),
        clusters=tuple(
            replace(cluster, strongest=peak)
            for cluster, peak in zip(clusters, at_clusters, strict=True)
        ),
        statistic=settings.statistic,
        df=df,
        method=result.method,
        alpha=settings.alpha,
        confidence=settings.confidence,
        corrected_over=outcomes.corrected_over or _covered(outcomes, n_outcomes),
        threshold=result.threshold,
        pvalue_interval=_interval(result, settings),
        shuffled=design.exchangeability.words if result.n_permutations else "",
        null=design.exchangeability.null if result.n_permutations else "",
        n_permutations=result.n_permutations,
        n_distinct=result.n_distinct,
        exhaustive=result.exhaustive,
        estimator=design.estimator,
        alternative=question.alternative,
        notes=(
            *design.notes,
            *notes,
            *notes_beside(design, estimate, result, outcomes, settings, errors=question.errors),
        ),
        sentences=(*design.sentences, *result.sentences, *((OWN_RATE,) if alone else ())),
    )


def make_refusal(
    question_name: str,
    question: Question,
    reason: str,
    *,
    outcomes: Outcomes,
    settings: Inference,
    n_per_group: dict[str, int] | None = None,
) -> Claim:
    """Say that a question was not answered, and why.

    Parameters
    ----------
    question_name : str
        Key of the question in the protocol.
    question : Question
        As the protocol declares it.
    reason : str
        As the error that refused it says.
    outcomes : Outcomes
        Names, positions and words.
    settings : Inference
        ``alpha`` and ``confidence`` are used.
    n_per_group : dict of str to int, optional
        Participants at hand, per arm or sequence.

    Returns
    -------
    Claim
        Verdict "refused"; it holds no estimate.
    """
    return Claim(
        question=question_name,
        text=question.text,
        role=question.role,
        family=question.family,
        verdict="refused",
        sentence=f"This question was not answered: {'; '.join(reason.splitlines()).rstrip('.')}.",
        outcome=outcomes.kind,
        unit=outcomes.unit,
        n_per_group=n_per_group or {},
        n_outcomes=0,
        n_significant=0,
        peaks=(),
        clusters=(),
        statistic=settings.statistic,
        df=0.0,
        method=settings.method,
        alpha=settings.alpha,
        confidence=settings.confidence,
        corrected_over="",
        threshold=float("inf"),
        pvalue_interval=(0.0, 1.0),
        shuffled="",
        null="",
        n_permutations=0,
        n_distinct=0,
        exhaustive=False,
        estimator=question.estimator,
        alternative=question.alternative,
        notes=(),
        sentences=(),
    )


def _words(
    question: Question,
    design: UnitDesign,
    result: InferenceResult,
    outcomes: Outcomes,
    settings: Inference,
    df: float,
) -> Words:
    return Words(
        outcomes=outcomes,
        df=df,
        statistic=result.statistic_name,
        method=result.method,
        confidence=settings.confidence,
        alpha=settings.alpha,
        randomised=design.estimator != "paired",
        alternative=question.alternative,
        smallest=1 / result.n_permutations if counted(result, settings) else 0.0,
    )


def _mismatches(
    estimate: Estimate, result: InferenceResult, outcomes: Outcomes
) -> tuple[Problem, ...]:
    n_outcomes = estimate.t.size
    sizes = {"p-values": result.pvalue_corrected.size}
    if outcomes.names:
        sizes["names"] = len(outcomes.names)
    if outcomes.positions_mm is not None:
        sizes["positions_mm"] = len(outcomes.positions_mm)
    if outcomes.kind == "scalar":
        sizes["scalar"] = 1
    problems = [
        Problem(
            what="another number than estimates",
            field=field,
            found=str(size),
            expected=str(n_outcomes),
        )
        for field, size in sizes.items()
        if size != n_outcomes
    ]
    problems.extend(
        Problem(
            what="no such outcome", field="peaks", found=str(k), expected=f"0 to {n_outcomes - 1}"
        )
        for k in outcomes.peaks
        if not 0 <= k < n_outcomes
    )
    numbers = (estimate.effect, estimate.se, estimate.t, estimate.d, result.pvalue_corrected)
    if not all(np.isfinite(values).all() for values in numbers):
        problems.append(Problem(what="estimates or p-values that are not finite"))
    return tuple(problems)


def _describe(
    indices: tuple[int, ...],
    estimate: Estimate,
    result: InferenceResult,
    outcomes: Outcomes,
    confidence: float,
) -> list[Peak]:
    low, high = (
        np.clip(ends, *outcomes.limits) for ends in confidence_interval(estimate, confidence)
    )
    return [
        Peak(
            name=outcomes.names[k] if outcomes.names else "",
            position_mm=_position(outcomes, k),
            index=int(k),
            t=float(result.statistic[k]),
            effect=float(estimate.effect[k]),
            ci_low=float(low[k]),
            ci_high=float(high[k]),
            d=float(estimate.d[k]),
            pvalue_uncorrected=float(result.pvalue_uncorrected[k]),
            pvalue_corrected=float(result.pvalue_corrected[k]),
            qvalue_fdr=float(result.qvalue_fdr[k]),
        )
        for k in indices
    ]


def _interval(result: InferenceResult, settings: Inference) -> tuple[float, float]:
    """Give the Monte-Carlo interval of the least corrected p."""
    least = float(result.pvalue_corrected.min())
    if not counted(result, settings):
        return least, least
    return monte_carlo_interval(
        least,
        result.n_permutations,
        settings.confidence,
        exhaustive=result.exhaustive,
        stop_after=settings.stop_after,
    )


def _position(outcomes: Outcomes, index: int) -> tuple[float, float, float] | None:
    if outcomes.positions_mm is None:
        return None
    x, y, z = outcomes.positions_mm[index].tolist()
    return float(x), float(y), float(z)


def _covered(outcomes: Outcomes, n_outcomes: int) -> str:
    if outcomes.kind == "scalar":
        return ""
    return f"{n_outcomes:,} {NOUNS[outcomes.kind]}s" if n_outcomes > 1 else ""
