"""Crossover trials of two periods, with the order of treatments recorded or lost."""

from collections import Counter

import numpy as np

from phmri.exceptions import DesignError, Problem
from phmri.group._columns import (
    find_aliased,
    find_unmixed,
    indicators,
    make_adjustment,
    no_freedom,
)
from phmri.group._exchangeability import exchange_within, within_strata
from phmri.group._period_baseline import ADJUSTED, LASTING
from phmri.group._records import UnitDesign, UnitTable
from phmri.protocol import Crossover, Question

__all__ = [
    "make_crossover_design",
    "make_paired_design",
    "make_strata",
    "refuse_sequences",
    "strata_names",
]


def make_crossover_design(
    question: Question, design: Crossover, table: UnitTable, *, min_per_group: int
) -> UnitDesign:
    """Compare two treatments of a two-period crossover whose order is recorded.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Crossover
        The trial's design.
    table : UnitTable
        Groups are names of sequences.
    min_per_group : int
        Least number of participants with either order.

    Returns
    -------
    UnitDesign
        Model, contrast and blocks of shuffling.

    Raises
    ------
    DesignError
        When sequences or participants at hand cannot answer the question.
    """
    refuse_sequences(question, design, table)
    first, second = question.contrast
    orders = (f"{first} first", f"{second} first")
    order = tuple(
        orders[0] if design.sequences[group].treatments[0] == first else orders[1]
        for group in table.groups
    )
    strata = make_strata(design, table)
    groups = indicators(order, orders)
    adjustment = make_adjustment(table, strata, with_strata=True)
    problems = _too_few(order, orders, min_per_group)
    problems = problems or list(find_aliased(groups, orders, adjustment))
    X = np.column_stack([groups, adjustment.columns])
    with_baseline = question.period_baseline
    problems = problems or no_freedom(len(X), X.shape[1] + with_baseline)
    unmixed, unshuffled = find_unmixed(order, strata, orders)
    if not problems and unshuffled:
        problems.append(Problem(what=unshuffled, found=", ".join(sorted(set(strata)))))
    if problems:
        raise DesignError(*problems)
    levels = sorted(set(strata))
    return UnitDesign(
        estimator="crossover",
        subjects=table.subjects,
        groups=table.groups,
        X=X,
        columns=(*orders, *adjustment.names),
        contrast=np.array([1.0, -1.0] + [0.0] * (X.shape[1] - 2)),
        voxelwise_baseline=with_baseline,
        exchangeability=exchange_within(
            np.array([levels.index(stratum) for stratum in strata], dtype=np.int64),
            null=f"{first} and {second} give the same outcome in every participant",
            words="Participants change places between the two orders of treatment"
            + within_strata(strata, strata_names(design))
            + ".",
        ),
        notes=(*adjustment.notes, *unmixed, *((LASTING,) if with_baseline else ())),
        sentences=_sentences(adjustment.names, with_baseline=with_baseline),
        variance_groups=groups.argmax(axis=1),
    )


def _sentences(names: tuple[str, ...], *, with_baseline: bool) -> tuple[str, ...]:
    adjusted = f" The model was adjusted for {', '.join(names)}." if names else ""
    effect = (
        "The treatment effect is the difference between the two orders of treatment in "
        "half of period 1 minus period 2, so that the period effect drops out "
        f"[doi:10.1002/0470854596].{adjusted}"
    )
    return (effect, *((ADJUSTED["crossover"],) if with_baseline else ()))


def make_paired_design(
    question: Question, design: Crossover, table: UnitTable, *, min_per_group: int
) -> UnitDesign:
    """Compare two treatments within participants when nobody knows the order any more.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Crossover
        The trial's design.
    table : UnitTable
        Participants that can answer the question.
    min_per_group : int
        Least number of participants.

    Returns
    -------
    UnitDesign
        Model, contrast and blocks of shuffling.

    Raises
    ------
    DesignError
        When treatments or participants at hand cannot answer the question.
    """
    n_units = len(table.subjects)
    adjustment = make_adjustment(table, table.strata, with_strata=False)
    X = np.column_stack([np.ones(n_units), adjustment.columns])
    needed = max(2, min_per_group, X.shape[1] + 1)
    problems = _bad_pairs(question, design, n_units, needed)
    if problems:
        raise DesignError(*problems)
    adjusted = f" It was adjusted for {', '.join(adjustment.names)}."
    first, second = question.contrast
    return UnitDesign(
        estimator="paired",
        subjects=table.subjects,
        groups=table.groups,
        X=X,
        columns=(f"{first} - {second}", *adjustment.names),
        contrast=np.array([1.0] + [0.0] * (X.shape[1] - 1)),
        voxelwise_baseline=False,
        exchangeability=exchange_within(
            np.zeros(n_units, dtype=np.int64),
            kind="sign_flip",
            null=f"the difference between {first} and {second} is symmetric about zero",
            words="The sign of each participant's difference flips.",
        ),
        notes=(
            (
                "The order of treatments is not recorded: a difference between first and second "
                "visit stays in the estimate unless the orders were balanced, and in its error "
                "even then."
            ),
            (
                "Sign flipping assumes that the within-participant differences are symmetric "
                "about their mean."
            ),
            *adjustment.notes,
        ),
        sentences=(
            "The treatments were compared by the mean within-participant difference, since the "
            "order of treatments is not recorded." + (adjusted if adjustment.names else ""),
        ),
    )


def _bad_pairs(question: Question, design: Crossover, n_units: int, needed: int) -> list[Problem]:
    known = {treatment for s in design.sequences.values() for treatment in s.treatments}
    problems = [
        Problem(
            what="the contrast names a treatment that no sequence holds",
            field="contrast",
            found=treatment,
            expected=", ".join(sorted(known)),
        )
        for treatment in question.contrast
        if treatment not in known
    ]
    problems.extend(_same_treatment(question))
    if n_units < needed:
        problems.append(
            Problem(
                what="too few participants with both treatments",
                found=str(n_units),
                expected=f"at least {needed}",
            )
        )
    return problems


def _same_treatment(question: Question) -> list[Problem]:
    first, second = question.contrast
    if first != second:
        return []
    return [Problem(what="a treatment cannot be compared with itself", field="contrast")]


def refuse_sequences(question: Question, design: Crossover, table: UnitTable) -> None:
    """Refuse questions and participants whose sequences do not hold both treatments.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Crossover
        The trial's design.
    table : UnitTable
        Participants that can answer the question.

    Raises
    ------
    DesignError
        With every participant and sequence that does not fit.
    """
    pair = set(question.contrast)
    problems = _same_treatment(question)
    for subject, group in zip(table.subjects, table.groups, strict=True):
        if group not in design.sequences:
            problems.append(
                Problem(
                    what="participant belongs to no sequence of the design",
                    subject=subject,
                    found=group,
                    expected=", ".join(design.sequences),
                )
            )
        elif not pair <= set(design.sequences[group].treatments):
            problems.append(
                Problem(
                    what="participant's sequence does not hold both treatments",
                    subject=subject,
                    found=group,
                    expected=" and ".join(question.contrast),
                )
            )
    if problems:
        raise DesignError(*problems)


def make_strata(design: Crossover, table: UnitTable) -> tuple[str, ...]:
    """Join a participant's experiment and stratum.

    Parameters
    ----------
    design : Crossover
        The trial's design.
    table : UnitTable
        Groups are names of sequences of the design.

    Returns
    -------
    tuple of str
        One per participant.
    """
    return tuple(
        " / ".join(part for part in (design.sequences[group].experiment, stratum) if part)
        for group, stratum in zip(table.groups, table.strata, strict=True)
    )


def strata_names(design: Crossover) -> tuple[str, ...]:
    """Name what strata are made of.

    Parameters
    ----------
    design : Crossover
        The trial's design.

    Returns
    -------
    tuple of str
        Experiment, if there is more than one, and the columns of stratification.
    """
    experiments = {sequence.experiment for sequence in design.sequences.values()}
    return (*(("experiment",) if len(experiments) > 1 else ()), *design.strata)


def _too_few(order: tuple[str, ...], orders: tuple[str, str], min_per_group: int) -> list[Problem]:
    counts = Counter(order)
    if min(counts[name] for name in orders) == 0:
        return [
            Problem(
                what="only one order of treatment is present, so that treatment and period "
                "cannot be told apart",
                found=next(iter(counts)),
                expected=" and ".join(orders),
            )
        ]
    return [
        Problem(
            what="too few participants with this order of treatment",
            field=name,
            found=str(counts[name]),
            expected=f"at least {max(2, min_per_group)}",
        )
        for name in orders
        if counts[name] < max(2, min_per_group)
    ]
