"""Parallel trials: arms compared at one session, adjusted for or changed from the baseline."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group._columns import (
    find_aliased,
    find_unmixed,
    follows_from,
    indicators,
    is_constant,
    make_adjustment,
    no_freedom,
)
from phmri.group._exchangeability import exchange_within, within_strata
from phmri.group._records import UnitDesign, UnitTable
from phmri.group.ranks import ORDERED
from phmri.protocol import Parallel, Question

__all__ = [
    "BASELINE_UNUSED",
    "join_words",
    "make_parallel_design",
    "same_baseline_words",
    "without_baseline",
]

_LEFT_OUT = "and was left out of the model."
BASELINE_UNUSED = (
    "The baseline is one more session of least squares, which compares the arms as they are and "
    "does not adjust for it."
)

SENTENCES: dict[str, str] = {
    "ancova": "The arms were compared by analysis of covariance with each participant's own "
    "baseline as a covariate, fitted anew in every outcome "
    "[doi:10.1136/bmj.323.7321.1123, doi:10.1002/sim.2682].",
    "change": "The arms were compared in their change from baseline (outcome minus baseline).",
    "post": "The arms were compared at the asked session without use of the baseline.",
    "rank": "The two arms were compared by the probability that a participant of one scores above "
    "one of the other, ties counting half, without assuming distributions (Brunner and Munzel) "
    "[doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO%3B2-U].",
    "ordinal": "The arms were compared by a cumulative logit model of the score with proportional "
    "odds, which takes one odds ratio for every cut through the scale "
    "[doi:10.1111/j.2517-6161.1980.tb01109.x].",
}


def make_parallel_design(
    question: Question,
    design: Parallel,
    table: UnitTable,
    *,
    min_per_group: int,
    moved: tuple[str, ...] = (),
    before: Float[np.ndarray, " n_units"] | None = None,
) -> UnitDesign:
    """Compare two arms of a parallel trial.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Parallel
        The trial's design.
    table : UnitTable
        Participants that can answer the question.
    min_per_group : int
        Least number of participants in each arm of the contrast.
    moved : tuple of str, default ()
        Arms whose participants change places beside those of the contrast.
    before : ndarray of shape (n_units,), optional
        Outcome before treatment, in the measure's unit, where it is one number that is known.

    Returns
    -------
    UnitDesign
        Model, contrast and blocks of shuffling. A baseline that is the same in everyone whom the
        estimator compares says nothing, and is left out with a note.

    Raises
    ------
    DesignError
        When the arms, the baseline or the participants at hand cannot answer the question.
    """
    _refuse_parallel(question, design, table, min_per_group)
    first, second = question.contrast
    arms = (first, second, *(a for a in design.arms if a not in question.contrast))
    arms = tuple(arm for arm in arms if arm in table.groups)
    groups = indicators(table.groups, arms)
    adjustment = make_adjustment(table, table.strata, with_strata=True)
    X = np.column_stack([groups, adjustment.columns])
    estimator = _estimator(question)
    free = [arm for arm in arms if arm in (first, second, *moved)]
    alike, held = join_words(free), ", ".join(arm for arm in arms if arm not in free)
    told = _same_baseline(question, table, before)
    if before is not None and not told and question.estimator in {"ancova", "ordinal"}:
        told = _idle_baseline(question, before, X)
    voxelwise = _has_baseline_column(question) and not told
    problems = list(find_aliased(groups, arms, adjustment))
    problems = problems or no_freedom(len(X), X.shape[1] + voxelwise)
    unmixed, unshuffled = find_unmixed(table.groups, table.strata, question.contrast)
    if unshuffled:
        found = ", ".join(sorted(set(table.strata)))
        problems.append(Problem(what=unshuffled, field="contrast", found=found))
    if problems:
        raise DesignError(*problems)
    return UnitDesign(
        estimator=estimator,
        subjects=table.subjects,
        groups=table.groups,
        X=X,
        columns=(*(f"arm:{arm}" for arm in arms), *adjustment.names),
        contrast=np.array([1.0, -1.0] + [0.0] * (X.shape[1] - 2)),
        voxelwise_baseline=voxelwise,
        exchangeability=exchange_within(
            _blocks(free, table),
            null=f"{alike} give the same outcome in every participant"
            + (f" ({held} may differ)" if held else ""),
            words=f"Participants of {alike} change places"
            + within_strata(table.strata, design.strata)
            + (f"; those of {held} stay." if held else "."),
        ),
        notes=(*adjustment.notes, *told, *unmixed, *_together(free), *_aside(question, arms)),
        sentences=_sentences(
            question,
            {arm: arm in arms for arm in design.arms},
            adjustment.names,
            with_baseline=voxelwise,
        ),
        variance_groups=groups.argmax(axis=1),
    )


def _refuse_parallel(
    question: Question, design: Parallel, table: UnitTable, min_per_group: int
) -> None:
    problems = [
        Problem(
            what="the contrast names an arm that the design does not have",
            field="contrast",
            found=arm,
            expected=", ".join(design.arms),
        )
        for arm in question.contrast
        if arm not in design.arms
    ]
    problems.extend(
        Problem(
            what="participant belongs to no arm of the design",
            subject=subject,
            found=group,
            expected=", ".join(design.arms),
        )
        for subject, group in zip(table.subjects, table.groups, strict=True)
        if group not in design.arms
    )
    if question.contrast[0] == question.contrast[1]:
        problems.append(Problem(what="an arm cannot be compared with itself", field="contrast"))
    if question.estimator in {"ancova", "change"} and question.baseline is None:
        problems.append(
            Problem(
                what=f"estimator {question.estimator} needs a baseline session",
                field="baseline",
                found="none",
            )
        )
    if not problems:
        counts = Counter(table.groups)
        problems.extend(
            Problem(
                what="too few participants in this arm can answer the question",
                field=arm,
                found=str(counts[arm]),
                expected=f"at least {max(2, min_per_group)}",
            )
            for arm in question.contrast
            if counts[arm] < max(2, min_per_group)
        )
    if problems:
        raise DesignError(*problems)


def _estimator(question: Question) -> Literal["ancova", "change", "post", "rank", "ordinal"]:
    match question.estimator:
        case "ancova" | "change" | "rank" | "ordinal":
            return question.estimator
        case _:
            return "post"


def _has_baseline_column(question: Question) -> bool:
    if question.estimator in ORDERED:
        return question.baseline is not None
    return question.estimator == "ancova"


def _same_baseline(
    question: Question, table: UnitTable, before: Float[np.ndarray, " n_units"] | None
) -> tuple[str, ...]:
    """Say that a baseline is left out, where everyone whom the estimator compares has the same."""
    if before is None or not _has_baseline_column(question):
        return ()
    held = np.isfinite(before)
    if question.estimator == "rank":  # which looks at nobody else
        held &= np.isin(table.groups, question.contrast)
    if not held.any() or not is_constant(before[held]):
        return ()
    return (same_baseline_words(float(before[held][0])),)


def _idle_baseline(
    question: Question, before: Float[np.ndarray, " n_units"], X: Float[np.ndarray, "n_units k"]
) -> tuple[str, ...]:
    """Say that a baseline is left out, where the arms and other columns tell it."""
    contrast = np.array([1.0, -1.0] + [0.0] * (X.shape[1] - 2))
    usable = _has_baseline_column(question) and bool(np.isfinite(before).all())
    if not usable or not follows_from(before, X, contrast):
        return ()
    return (f"The baseline follows from the other columns, {_LEFT_OUT}",)


def same_baseline_words(value: float) -> str:
    """Say that a baseline which is the same in everyone is not in the model.

    Parameters
    ----------
    value : float
        The baseline, in the measure's unit.

    Returns
    -------
    str
        A sentence.
    """
    return (
        f"The baseline is {value:g} in everyone compared: it says nothing of the outcome, "
        f"{_LEFT_OUT}"
    )


def without_baseline(notes: Sequence[str]) -> bool:
    """Tell whether notes on a model say that it does not adjust for the baseline asked for.

    Parameters
    ----------
    notes : sequence of str
        Of a design or a claim.

    Returns
    -------
    bool
        Of a parallel trial.
    """
    return BASELINE_UNUSED in notes or any(
        note.startswith("The baseline ") and note.endswith(_LEFT_OUT) for note in notes
    )


def _blocks(free: Sequence[str], table: UnitTable) -> Int[np.ndarray, " n_units"]:
    """Give the block of each unit: its stratum, or -1 outside the arms that change places."""
    levels = sorted(set(table.strata))
    return np.array(
        [
            levels.index(stratum) if group in free else -1
            for group, stratum in zip(table.groups, table.strata, strict=True)
        ],
        dtype=np.int64,
    )


def _together(free: Sequence[str]) -> tuple[str, ...]:
    """Say what it means that the arms of other questions change places too."""
    if len(free) <= 2:  # noqa: PLR2004 - the two arms of the contrast
        return ()
    return (
        (
            f"Participants of {join_words(free)} change places, because questions about them "
            "share one error rate: the p-value tests that none of these arms differs."
        ),
    )


def join_words(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    Parameters
    ----------
    names : sequence of str
        At least one.

    Returns
    -------
    str
        ``a, b and c``.
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _sentences(
    question: Question, arms: dict[str, bool], names: tuple[str, ...], *, with_baseline: bool
) -> tuple[str, ...]:
    estimator = _estimator(question)
    held = ", ".join(arm for arm, here in arms.items() if here)
    model = f"The model held {'all arms' if all(arms.values()) else 'the arms with data'} ({held})"
    if estimator == "rank":
        model = f"Participants of {join_words(question.contrast)} were compared"
    if estimator in ORDERED and with_baseline:
        names = ("the ranks of the baseline" if estimator == "rank" else "the baseline", *names)
    adjusted = f" adjusted for {', '.join(names)}." if names else "."
    if names:
        adjusted = f", {adjusted.strip()}" if estimator == "rank" else f" and was{adjusted}"
    used = "post" if estimator == "ancova" and not with_baseline else estimator
    return (SENTENCES[used], f"{model}{adjusted}")


def _aside(question: Question, arms: Sequence[str]) -> tuple[str, ...]:
    """Say whose scores do not enter, or what a model takes for granted."""
    if question.estimator == "ordinal":
        return (
            (
                "One odds ratio stands for every cut through the scale; where the arms differ "
                "more at some cuts than at others it is an average of them."
            ),
        )
    others = [arm for arm in arms if arm not in question.contrast]
    if question.estimator != "rank" or not others:
        return ()
    return ((f"Participants of {join_words(others)} take no part in this comparison."),)
