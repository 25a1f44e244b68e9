"""From estimates and p-values to a claim."""

from collections import Counter

import numpy as np

from phmri.exceptions import DesignError, InferenceError, Problem
from phmri.group import Estimate, UnitDesign, confidence_interval, effect_size_interval
from phmri.inference._enough import enough, monte_carlo_interval
from phmri.inference._pvalues import orient
from phmri.inference._records import Claim, Cluster, InferenceResult, Outcomes, Peak
from phmri.inference._wording import (
    NOUNS,
    Words,
    format_interval,
    found_sentence,
    missing_sentence,
)
from phmri.protocol import Inference, Question

__all__ = ["make_claim", "make_refusal"]

N_LISTED = 10
UNEVEN = 1.5
"""Ratio of the compared arms' sizes from which the claim says what that may do to p."""
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
        As `describe_clusters` gives them.
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
    # The strongest is the surest, and among equals the highest: a peak outside the clusters that
    # passed may be higher than all in them.
    height = orient(estimate.t, question.alternative)
    ranking = np.lexsort((-height, result.pvalue_corrected)).tolist()
    strongest, *peaks = _describe(
        (ranking[0], *(outcomes.peaks or ranking[:N_LISTED])),
        estimate,
        result,
        outcomes,
        settings.confidence,
    )
    passed = result.pvalue_corrected <= settings.alpha
    up = int((passed & (estimate.effect > 0)).sum())
    n_significant = int(passed.sum())
    words = Words(
        outcomes=outcomes,
        df=float(result.df[ranking[0]]),
        statistic=result.statistic_name,
        method=result.method,
        confidence=settings.confidence,
        alpha=settings.alpha,
        randomised=design.estimator != "paired",
        alternative=question.alternative,
        smallest=1 / result.n_permutations if _counted(result, settings) else 0.0,
    )
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
        n_per_group=dict(sorted(Counter(design.groups).items())),
        n_outcomes=n_outcomes,
        n_significant=n_significant,
        peaks=tuple(sorted(peaks, key=lambda peak: -abs(peak.t))),
        clusters=clusters,
        statistic=settings.statistic,
        df=float(result.df[ranking[0]]),
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
        notes=(*design.notes, *notes, *_own_notes(design, estimate, result, outcomes, settings)),
        sentences=(*design.sentences, *result.sentences, OWN_RATE),
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
    low, high = confidence_interval(estimate, confidence)
    return [
        Peak(
            name=outcomes.names[k] if outcomes.names else "",
            position_mm=_position(outcomes, k),
            index=int(k),
            t=float(estimate.t[k]),
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


def _counted(result: InferenceResult, settings: Inference) -> bool:
    """Tell whether p-values are counts of shufflings, which can be no smaller than one of them."""
    return result.n_permutations > 0 and (settings.tail == "counts" or result.exhaustive)


def _interval(result: InferenceResult, settings: Inference) -> tuple[float, float]:
    """Give the Monte-Carlo interval of the least corrected p."""
    least = float(result.pvalue_corrected.min())
    if not _counted(result, settings):
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
        return "one outcome"
    return f"{n_outcomes} {NOUNS[outcomes.kind]}s"


def _own_notes(
    design: UnitDesign,
    estimate: Estimate,
    result: InferenceResult,
    outcomes: Outcomes,
    settings: Inference,
) -> tuple[str, ...]:
    notes = [*_held_notes(design, settings), *_uneven_notes(design, settings)]
    if not np.isfinite(result.threshold):
        notes.append(
            f"With {result.n_permutations} shufflings no statistic, however large, can reach "
            f"p = {settings.alpha:g}: read the interval, not the verdict."
        )
    if _counted(result, settings) and settings.stop_after is None:
        least = float(result.pvalue_corrected.min())
        settled = enough(
            least,
            result.n_permutations,
            settings.alpha,
            settings.confidence,
            exhaustive=result.exhaustive,
        )
        if not settled.decided:
            notes.append(settled.sentence)
    if outcomes.kind == "scalar":
        notes.extend(_scalar_notes(design, estimate, result, settings))
    else:
        notes.append(
            "Estimates at listed outcomes were chosen for their height and are biased away from "
            "zero; their intervals are pointwise."
        )
    return tuple(notes)


def _uneven_notes(design: UnitDesign, settings: Inference) -> list[str]:
    """Say what shuffling cannot repair when the compared arms differ in size."""
    moved = zip(design.groups, design.exchangeability.fixed, strict=True)
    counts = sorted(Counter(group for group, fixed in moved if not fixed).items())
    parallel = design.estimator in {"ancova", "change", "post"}
    if not parallel or len(counts) != 2 or settings.statistic == "v":  # noqa: PLR2004 - two arms
        return []
    (_, fewer), (_, more) = sorted(counts, key=lambda item: item[1])
    if more < UNEVEN * fewer:
        return []
    numbers = " and ".join(f"{n} participants of {arm}" for arm, n in counts)
    return [
        (
            f"{numbers} were compared: if the smaller arm varies more than the larger one, "
            "p-values are too small, and if it varies less, too large; `statistic: v` allows for "
            "that."
        )
    ]


def _held_notes(design: UnitDesign, settings: Inference) -> list[str]:
    """Say what one residual variance means when arms beside the compared ones lend to it."""
    compared = np.any(np.atleast_2d(design.contrast) != 0, axis=0)
    held = [
        name.removeprefix("arm:")
        for name, in_contrast in zip(design.columns, compared, strict=True)
        if name.startswith("arm:") and not in_contrast
    ]
    if not held or settings.statistic == "v":
        return []
    names = ", ".join(held)
    return [
        (
            "Interval, d and q-value rest on one residual variance of all arms: they are too "
            f"sure where {names} varies less than the compared arms, not sure enough where it "
            "varies more. p-values by shuffling hold either way."
        )
    ]


def _scalar_notes(
    design: UnitDesign, estimate: Estimate, result: InferenceResult, settings: Inference
) -> list[str]:
    notes = []
    deviation = (
        "the standard deviation of a within-person difference"
        if design.estimator in {"crossover", "paired", "periods"}
        else "the residual standard deviation of the model"
    )
    try:
        low, high = effect_size_interval(estimate, settings.confidence)
    except DesignError:
        notes.append(f"Standardised effect d = 0, in units of {deviation}.")
    else:
        text = format_interval(float(estimate.d[0]), low, high, settings.confidence)
        notes.append(f"Standardised effect d = {text}, in units of {deviation}.")
    if (result.pvalue_uncorrected[0] <= settings.alpha) != (
        result.pvalue_parametric[0] <= settings.alpha
    ):
        notes.append(
            "The p-value rests on shuffling and the interval on the t distribution; here they "
            "fall on different sides of alpha."
        )
    return notes
