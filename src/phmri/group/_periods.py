r"""Crossover trials of more than two periods, Williams designs among them.

With participant i, period p and the treatment :math:`t(i, p)` that i received in it,

.. math:: y_{ipv} = \tau_{t(i,p)v} + \alpha_{iv} + \pi_{pv} + \varepsilon_{ipv},

one row per participant and planned period, fitted to the rows that have data. Every participant
has a level of its own, so that comparisons are made within participants only; the baseline of
each period may be one more column, with a slope of its own per outcome. What the randomisation
dealt is the sequence; it moves as a whole, data and missing cells stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, Problem
from phmri.group._columns import find_independent, in_span, indicators, no_freedom
from phmri.group._crossover import make_strata, refuse_sequences, strata_names
from phmri.group._exchangeability import exchange_repeated, within_strata
from phmri.group._period_baseline import ADJUSTED, LASTING
from phmri.group._records import Exchangeability, UnitDesign, UnitTable
from phmri.protocol import Crossover, Question

__all__ = ["make_periods_design"]

LEAST_CELLS = 2
"""Cells with data that a participant needs to be compared with itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Participants by planned periods, one entry each per row."""

    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    periods: tuple[int, ...]
    experiments: tuple[str, ...]
    treatments: tuple[str, ...]
    present: Bool[np.ndarray, " n_rows"]


def make_periods_design(
    question: Question,
    design: Crossover,
    table: UnitTable,
    *,
    min_per_group: int,
    present: Mapping[str, frozenset[int]] | None,
) -> UnitDesign:
    """Compare two treatments of a crossover of more than two periods.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Crossover
        The trial's design.
    table : UnitTable
        Groups are names of sequences.
    min_per_group : int
        Least number of participants with data under either treatment.
    present : mapping of str to frozenset of int, or None
        Participant -> periods, counted from 1, that have data (and, with ``period_baseline``,
        their baseline); None: all.

    Returns
    -------
    UnitDesign
        Model, contrast and exchangeability, one row per participant and planned period.

    Raises
    ------
    DesignError
        When sequences, participants or cells at hand cannot answer the question.
    """
    refuse_sequences(question, design, table)
    cells = _list_cells(design, table, present)
    problems = [
        *_bad_cells(cells, table, present),
        *_bad_treatments(cells, question.contrast, min_per_group),
    ]
    if problems:
        raise DesignError(*problems)
    with_baseline = question.period_baseline
    X, columns, n_treatments = _make_columns(cells, question.contrast, n_beside=with_baseline)
    exchangeability, notes = _exchange_sequences(question, design, table, cells)
    contrast = np.zeros(X.shape[1])
    contrast[:2] = 1.0, -1.0
    n_missing = int((~cells.present).sum())
    lost = f" {n_missing} of {len(X)} planned cells have no data." if n_missing else ""
    return UnitDesign(
        estimator="periods",
        subjects=cells.subjects,
        groups=cells.groups,
        X=X,
        columns=columns,
        contrast=contrast,
        voxelwise_baseline=with_baseline,
        exchangeability=exchangeability,
        dealt=np.arange(X.shape[1]) < n_treatments,
        present=cells.present if n_missing else None,
        notes=(*_covariate_notes(table), *notes, *((LASTING,) if with_baseline else ())),
        sentences=(
            "The outcomes of all periods were modelled by treatment, period and participant, so "
            "that treatments are compared within participants and free of the period effect "
            "[doi:10.1002/0470854596]." + lost,
            *((ADJUSTED["periods"],) if with_baseline else ()),
        ),
    )


def _list_cells(
    design: Crossover, table: UnitTable, present: Mapping[str, frozenset[int]] | None
) -> _Cells:
    rows = [
        (subject, group, period)
        for subject, group in zip(table.subjects, table.groups, strict=True)
        for period in range(1, len(design.sequences[group].treatments) + 1)
    ]
    subjects, groups, periods = zip(*rows, strict=True)
    sequences = [design.sequences[group] for group in groups]
    return _Cells(
        subjects=subjects,
        groups=groups,
        periods=periods,
        experiments=tuple(sequence.experiment or "" for sequence in sequences),
        treatments=tuple(
            sequence.treatments[period - 1]
            for sequence, period in zip(sequences, periods, strict=True)
        ),
        present=np.array(
            [
                present is None or period in present.get(subject, frozenset())
                for subject, period in zip(subjects, periods, strict=True)
            ]
        ),
    )


def _bad_cells(
    cells: _Cells, table: UnitTable, present: Mapping[str, frozenset[int]] | None
) -> list[Problem]:
    problems = []
    subjects, periods = np.array(cells.subjects), np.array(cells.periods)
    for subject in table.subjects:
        own = subjects == subject
        unplanned = set((present or {}).get(subject, ())) - set(periods[own].tolist())
        if unplanned:
            problems.append(
                Problem(
                    what="data in a period that the participant's sequence does not have",
                    subject=subject,
                    found=", ".join(map(str, sorted(unplanned))),
                    expected=f"1 to {own.sum()}",
                )
            )
        held = cells.present & own
        if held.sum() < LEAST_CELLS:
            problems.append(
                Problem(
                    what="too few periods with data to compare a participant with itself",
                    subject=subject,
                    found=", ".join(map(str, periods[held])) or "none",
                    expected=f"at least {LEAST_CELLS}",
                )
            )
    return problems


def _bad_treatments(cells: _Cells, contrast: tuple[str, str], min_per_group: int) -> list[Problem]:
    problems = []
    for treatment in dict.fromkeys((*contrast, *cells.treatments)):
        under = cells.present & (np.array(cells.treatments) == treatment)
        found = len(set(np.array(cells.subjects)[under]))
        least = max(2, min_per_group) if treatment in contrast else 1
        if found < least:
            problems.append(
                Problem(
                    what="too few participants with data under this treatment",
                    field=treatment,
                    found=str(found),
                    expected=f"at least {least}",
                )
            )
    return problems


def _make_columns(
    cells: _Cells, contrast: tuple[str, str], *, n_beside: int
) -> tuple[Float[np.ndarray, "n_rows n_columns"], tuple[str, ...], int]:
    """Give the model of full rank, the names of its columns and how many are treatments.

    Parameters
    ----------
    cells : _Cells
        Participants by planned periods.
    contrast : tuple of str
        The two compared treatments.
    n_beside : int
        Columns that every outcome has of its own.

    Returns
    -------
    X : ndarray of shape (n_rows, n_columns)
        Treatments first; rows without data too.
    columns : tuple of str
        Names.
    n_treatments : int
        Leading columns that were dealt.

    Raises
    ------
    DesignError
        When the contrast cannot be told apart from participants and periods, or nothing is left
        as error.
    """
    treatments = tuple(dict.fromkeys((*contrast, *sorted(set(cells.treatments)))))
    subjects = tuple(dict.fromkeys(cells.subjects))
    several = len(set(cells.experiments)) > 1
    of_row = [
        f"{period} of {name}" if several else f"{period}"
        for name, period in zip(cells.experiments, cells.periods, strict=True)
    ]
    first = {name for name, period in zip(of_row, cells.periods, strict=True) if period == 1}
    later = sorted(set(of_row) - first)
    T = indicators(cells.treatments, treatments)
    rest = np.column_stack([indicators(cells.subjects, subjects[1:]), indicators(of_row, later)])
    names = (
        *(f"treatment:{name}" for name in treatments),
        *(f"participant:{name}" for name in subjects[1:]),
        *(f"period:{name}" for name in later),
    )
    here = cells.present
    others = np.column_stack([T[:, 0] + T[:, 1], T[:, 2:], rest])[here]
    if in_span((T[:, 0] - T[:, 1])[here], others):
        raise DesignError(
            Problem(
                what="the two treatments cannot be told apart from participants and periods",
                field="contrast",
                found=" and ".join(contrast),
                expected="both treatments within participants, in different order",
            )
        )
    X = np.column_stack([T, rest])
    keep = find_independent(X[here])
    X = X[:, keep]
    problems = no_freedom(int(here.sum()), X.shape[1] + n_beside, "cells with data")
    if problems:
        raise DesignError(*problems)
    return X, tuple(np.array(names)[keep].tolist()), len(treatments)


def _exchange_sequences(
    question: Question, design: Crossover, table: UnitTable, cells: _Cells
) -> tuple[Exchangeability, tuple[str, ...]]:
    """Let participants change sequences, if possible so that only the two treatments swap.

    Parameters
    ----------
    question : Question
        As the protocol declares it.
    design : Crossover
        The trial's design.
    table : UnitTable
        Groups are names of sequences.
    cells : _Cells
        Participants by planned periods.

    Returns
    -------
    exchangeability : Exchangeability
        Participants move with all their periods.
    notes : tuple of str
        What the claim must carry.

    Raises
    ------
    DesignError
        When no participant can change places with one of another sequence.
    """
    first, second = question.contrast
    strata = make_strata(design, table)
    pairs = _swapped_pairs(question, design, table)
    blocks = pairs or strata
    alone = _blocks_of_one_sequence(design, table, blocks)
    if pairs and len(alone) == len(set(pairs)):
        pairs, blocks, alone = None, strata, _blocks_of_one_sequence(design, table, strata)
    if len(alone) == len(set(blocks)):
        raise DesignError(
            Problem(
                what="no participants of different sequences can change places, so that nothing "
                "can be shuffled",
                found="; ".join(alone),
            )
        )
    notes = [f"Participants of {name} could not be shuffled: no other sequence." for name in alone]
    within = within_strata(strata, strata_names(design))
    if pairs:
        null = f"{first} and {second} give the same outcome in every participant"
        others = sorted(set(cells.treatments) - {first, second})
        null += f" ({', '.join(others)} may differ)" if others else ""
        words = (
            f"Participants change sequences with those who have {first} and {second} in each "
            f"other's place and all else alike{within}."
        )
    else:
        null = "no treatment differs from another in any participant"
        words = f"Participants change sequences{within}."
        notes.append(
            f"There are no pairs of sequences in which only {first} and {second} are swapped, so "
            "that participants of all sequences were shuffled: p-values test whether any "
            "treatment differs from another, and may be small because of a third treatment."
        )
    block_of = dict(zip(table.subjects, blocks, strict=True))
    exchangeability = exchange_repeated(
        cells.subjects,
        cells.periods,
        effect="between",
        groups=[block_of[subject] for subject in cells.subjects],
        null=null,
        words=words,
    )
    return exchangeability, tuple(notes)


def _swapped_pairs(
    question: Question, design: Crossover, table: UnitTable
) -> tuple[str, ...] | None:
    """Name each participant's pair of sequences: the own and that with the treatments swapped.

    None when the trial does not have the swapped sequence of every participant.
    """
    first, second = question.contrast
    swap = {first: second, second: first}
    planned = {(s.experiment, s.treatments) for s in design.sequences.values()}
    pairs = []
    for group, stratum in zip(table.groups, make_strata(design, table), strict=True):
        sequence = design.sequences[group]
        swapped = tuple(swap.get(treatment, treatment) for treatment in sequence.treatments)
        if (sequence.experiment, swapped) not in planned:
            return None
        either = sorted(", ".join(order) for order in (sequence.treatments, swapped))
        pairs.append(f"{' or '.join(either)}{f' ({stratum})' if stratum else ''}")
    return tuple(pairs)


def _blocks_of_one_sequence(
    design: Crossover, table: UnitTable, blocks: tuple[str, ...]
) -> list[str]:
    """List the blocks in which all participants have the same treatments in the same order."""
    orders: dict[str, set[tuple[str, ...]]] = {}
    for group, block in zip(table.groups, blocks, strict=True):
        orders.setdefault(block, set()).add(design.sequences[group].treatments)
    return sorted(block or "the trial" for block, found in orders.items() if len(found) == 1)


def _covariate_notes(table: UnitTable) -> tuple[str, ...]:
    return tuple(
        f"Covariate {name} does not vary within participants, each of whom has a level of its own "
        "in the model, and was left out."
        for name in table.covariates
    )
