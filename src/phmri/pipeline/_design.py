r"""What a design would test, told before anything is measured.

For every question: what is shuffled, which hypothesis that tests, how many distinct shufflings
:math:`N` there are, and the smallest p-value that can come out. With all of them enumerated that
is :math:`1/N`, or :math:`2/N` where one of them turns the sign of every statistic, so that a
two-sided test always meets its own statistic twice.
"""

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Bool

from phmri.dataset import REPEATED, DatasetCheck, DatasetIndex, check_dataset, source_of
from phmri.exceptions import DesignError, InferenceError, Problem
from phmri.group import (
    SAME_BASELINE,
    Exchangeability,
    UnitDesign,
    UnitTable,
)
from phmri.inference import Alternative, cluster_threshold, make_source, permute, smallest_pvalue
from phmri.pipeline._after_events import ask_counted
from phmri.pipeline._asked import long_model, model_question
from phmri.pipeline._at_hand import (
    AtHand,
    refuse_unknown_outcome,
    suppose_measured,
    try_scores,
)
from phmri.pipeline._design_summary import UNSHUFFLED, DesignSummary
from phmri.pipeline._design_words import contrast_words, covariance_words, order_words
from phmri.pipeline._long_model import unit_design_of
from phmri.pipeline._populations import find_events
from phmri.pipeline._treatment_words import treatment_words
from phmri.protocol import Inference, Parallel, Protocol, Question, RoiToRoi, inference_of

__all__ = ["describe_at_hand", "describe_designs"]

AT_HAND = "Every run on disk is counted; motion, coverage or cleaning may still rule some out."
CHUNK = 1024
UNKNOWN = "unknown"
"""Group of everyone in a crossover whose order is lost."""
TOLERANCE = 1e-9


def describe_designs(
    protocol: Protocol,
    index: DatasetIndex | None = None,
    check: DatasetCheck | None = None,
) -> tuple[DesignSummary, ...]:
    """Say what every question of a protocol shuffles, tests and can show.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex, optional
        Counts the participants at hand; those that the protocol plans by default.
    check : DatasetCheck, optional
        Of this protocol and this index; made when left out.

    Returns
    -------
    tuple of DesignSummary
        In the order of the protocol; a question that cannot be answered says why.

    Notes
    -----
    A `DatasetError` names all tables and columns of intercurrent events that the data set lacks.
    """
    if index is None:
        return tuple(_describe(protocol, name, None) for name in protocol.questions)
    found = check or check_dataset(protocol, index)
    happened = find_events(protocol, index)
    return describe_at_hand(suppose_measured(protocol, index, found, happened, {}))


def describe_at_hand(at_hand: AtHand) -> tuple[DesignSummary, ...]:
    """Say what every question shuffles, tests and can show of the data at hand.

    Parameters
    ----------
    at_hand : AtHand

    Returns
    -------
    tuple of DesignSummary
        In the order of the protocol; a question that cannot be answered says why, as answering
        does.
    """
    protocol = at_hand.inputs.protocol
    return tuple(_describe(protocol, name, at_hand) for name in protocol.questions)


def _describe(protocol: Protocol, name: str, at_hand: AtHand | None) -> DesignSummary:
    question = protocol.questions[name]
    summary = DesignSummary(
        question=name,
        text=question.text,
        role=question.role,
        planned=at_hand is None,
        settings=inference_of(protocol, name),
    )
    try:
        if at_hand is None:
            design = _planned_design(protocol, name)
            caveats = _planned_caveats(protocol, question, summary.settings)
        else:
            asked = ask_counted(at_hand.inputs, name)
            refuse_unknown_outcome(at_hand, question)
            design, caveats = asked.design, (AT_HAND,)
        summary = _with_words(protocol, question, summary, design, caveats)
        _refuse_threshold(protocol, question, summary)
        if summary.settings.method not in UNSHUFFLED:
            summary = _with_shufflings(summary, design, alternative=question.alternative)
        if at_hand is not None and summary.reaches_alpha:
            try_scores(at_hand, asked)
        return _say_treatments(protocol, summary)
    except (DesignError, InferenceError) as error:
        return replace(summary, refusal="; ".join(str(error).splitlines()))


def _with_words(
    protocol: Protocol,
    question: Question,
    summary: DesignSummary,
    design: UnitDesign,
    caveats: tuple[str, ...],
) -> DesignSummary:
    notes = (*design.notes, *caveats, *_one_number(protocol, question, summary.settings))
    return replace(
        _with_model(summary, design, _groups(protocol)),
        notes=notes,
        period_baseline=question.period_baseline and SAME_BASELINE not in design.notes,
        covariance=covariance_words(question, design),
        contrasts=contrast_words(question),
        p_source=order_words(question),
    )


def _refuse_threshold(protocol: Protocol, question: Question, summary: DesignSummary) -> None:
    """Refuse a cluster-forming threshold that answering would refuse at these df."""
    settings, measure = summary.settings, protocol.measures.get(question.measure)
    if measure is None:
        return
    edges = isinstance(measure, RoiToRoi) and measure.summary == "edges"
    given = (settings.cluster_z, settings.cluster_t, settings.cluster_p) != (None, None, None)
    narrowed = question.where.mean_of is not None or question.where.at is not None
    if given and (measure.is_map or edges) and not narrowed:
        cluster_threshold(settings, float(summary.df))


def _one_number(protocol: Protocol, question: Question, settings: Inference) -> tuple[str, ...]:
    """Say so where the method of the protocol is for several outcomes."""
    method = protocol.inference.method
    if question.inference is not None or settings.method == method:
        return ()
    source = "the model" if settings.method in UNSHUFFLED else "shuffling"
    return (
        (
            f"One number, nothing to correct: the protocol's method '{method}' is for several "
            f"outcomes, and p comes from {source}."
        ),
    )


def _say_treatments(protocol: Protocol, summary: DesignSummary) -> DesignSummary:
    say = partial(treatment_words, protocol)
    return replace(
        summary,
        words=say(summary.words),
        null=say(summary.null),
        notes=tuple(map(say, summary.notes)),
    )


def _planned_design(protocol: Protocol, name: str) -> UnitDesign:
    """Make the design of the participants that the protocol plans.

    Parameters
    ----------
    protocol : Protocol
    name : str
        Of the question.

    Returns
    -------
    UnitDesign

    Raises
    ------
    DesignError
        If it does not say how many of an arm or sequence.
    """
    question, design = protocol.questions[name], protocol.design
    if isinstance(design, Parallel):
        n_planned = {
            (name, f"design.arms.{name}"): arm.n_planned for name, arm in design.arms.items()
        }
    else:
        unknown = design.order == UNKNOWN
        elsewhere = frozenset() if question.blockade is None else question.blockade.elsewhere
        n_planned = {
            (UNKNOWN if unknown else name, f"design.sequences.{name}"): sequence.n_planned
            for name, sequence in design.sequences.items()
            if set(question.contrast) <= set(sequence.treatments)
            or (
                question.estimator in REPEATED
                and {*question.contrast, *elsewhere} & set(sequence.treatments)
            )
        }
    unplanned = [f"{place}.n_planned" for (_, place), number in n_planned.items() if not number]
    if unplanned:
        raise DesignError(
            Problem(
                what="the protocol does not say how many participants it plans; add that, or "
                "give BIDS_DIR to count those at hand",
                field=", ".join(unplanned),
            )
        )
    groups = [group for (group, _), number in n_planned.items() for _ in range(number or 0)]
    table = UnitTable(
        subjects=tuple(f"planned{number:05d}" for number in range(1, len(groups) + 1)),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    return _model(protocol, name, table, _planned_visits(protocol, question, groups, table))


def _planned_visits(
    protocol: Protocol, question: Question, groups: list[str], table: UnitTable
) -> dict[str, frozenset[str | int]] | None:
    """List the sessions or periods of everyone, where each has a row of its own."""
    if question.estimator not in REPEATED:
        return None
    design = protocol.design
    if isinstance(design, Parallel):
        scale = protocol.scales.get(question.measure)
        of = scale or protocol.scans[source_of(protocol, question.measure)]
        everyone: frozenset[str | int] = frozenset(of.sessions or protocol.sessions)
        return dict.fromkeys(table.subjects, everyone)
    return {
        subject: frozenset(range(1, len(design.sequences[group].treatments) + 1))
        for subject, group in zip(table.subjects, groups, strict=True)
    }


def _planned_caveats(
    protocol: Protocol, question: Question, settings: Inference
) -> tuple[str, ...]:
    """Say what is not known of planned participants."""
    caveats = ["Numbers are planned ones: everyone is counted as having every run."]
    strata = tuple(dict.fromkeys((*protocol.design.strata, *settings.shuffle_within)))
    if strata:
        caveats.append(
            f"Nobody's {' and '.join(strata)} is known yet: shuffled here as if all were alike."
        )
    if question.covariates:
        caveats.append(
            f"Left out here: {' and '.join(question.covariates)}. Covariates take residual "
            "degrees of freedom and make every order of participants a shuffling of its own."
        )
    return tuple(caveats)


def _model(
    protocol: Protocol,
    name: str,
    table: UnitTable,
    present: dict[str, frozenset[str | int]] | None,
) -> UnitDesign:
    long = long_model(protocol, name, table, present)
    if long is not None:
        return unit_design_of(protocol.questions[name], long)
    return model_question(protocol, name, table, present=present)


def _groups(protocol: Protocol) -> tuple[str, ...]:
    if isinstance(protocol.design, Parallel):
        return tuple(protocol.design.arms)
    return (*protocol.design.sequences, UNKNOWN)


def _with_model(
    summary: DesignSummary, design: UnitDesign, groups: tuple[str, ...]
) -> DesignSummary:
    counts = Counter(dict(zip(design.subjects, design.groups, strict=True)).values())
    n_rows, n_columns = design.X.shape
    n_fitted = n_rows if design.present is None else int(design.present.sum())
    n_own = int(design.voxelwise_baseline)
    if n_own and design.estimator in REPEATED:
        n_own = max(Counter(design.subjects).values())  # a slope in each session after baseline
    return replace(
        summary,
        n_per_group={group: counts[group] for group in groups if counts[group]},
        columns=design.columns,
        n_own_columns=n_own,
        df=n_fitted - n_columns - n_own,
        n_rows=n_rows,
    )


def _with_shufflings(
    summary: DesignSummary, design: UnitDesign, *, alternative: Alternative
) -> DesignSummary:
    tree = design.exchangeability
    source = make_source(design, summary.settings)
    moving = _moving_rows(tree)
    movers = {subject for subject, moves in zip(design.subjects, moving, strict=True) if moves}
    staying: dict[str, tuple[str, ...]] = {}
    for subject, group in dict(zip(design.subjects, design.groups, strict=True)).items():
        if subject not in movers:
            staying[group] = (*staying.get(group, ()), subject)
    described = replace(
        summary,
        n_moving=int(moving.sum()),
        staying=staying,
        words=tree.words,
        null=tree.null,
        n_distinct=source.n_distinct,
        n_used=source.n_used,
        exhaustive=source.exhaustive,
        smallest_pvalue=smallest_pvalue(design, source, alternative),
    )
    if described.reaches_alpha:
        return described
    return replace(described, out_of_reach=_out_of_reach(summary, design, alternative))


def _out_of_reach(summary: DesignSummary, design: UnitDesign, alternative: Alternative) -> str:
    """Say that no p-value can reach alpha as the test would: it stops before it looks at data."""
    one_number = summary.settings.model_copy(update={"method": "voxel"})
    try:
        permute(design, np.zeros((summary.n_rows, 1)), None, one_number, alternative=alternative)
    except InferenceError as error:
        return "; ".join(str(error).splitlines())
    return ""


def _moving_rows(tree: Exchangeability) -> Bool[np.ndarray, " n_rows"]:
    """Mark the rows that change sign, or have a sibling to change places with at some level."""
    if tree.kind != "permute":
        return ~tree.fixed
    moving = np.zeros(tree.fixed.size, dtype=bool)
    levels = np.column_stack([np.zeros(tree.fixed.size, dtype=np.int64), tree.levels])
    for depth in np.flatnonzero(tree.exchanged) + 1:
        _, parents = np.unique(levels[:, :depth], axis=0, return_inverse=True)
        _, members = np.unique(levels[:, : depth + 1], axis=0, return_inverse=True)
        free = ~np.isin(members, members[tree.fixed])
        for parent in np.unique(parents[free]):
            siblings = free & (parents == parent)
            moving |= siblings & (np.unique(members[siblings]).size > 1)
    return moving
