"""From a question to a linear model of independent units."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._crossover import make_crossover_design, make_paired_design
from phmri.group._parallel import make_parallel_design
from phmri.group._periods import make_periods_design
from phmri.group._records import UnitDesign, UnitTable
from phmri.group._table import check_table
from phmri.protocol import Crossover, Parallel, Question

__all__ = ["make_unit_design"]


def make_unit_design(
    question: Question,
    design: Parallel | Crossover,
    table: UnitTable,
    *,
    min_per_group: int = 2,
    present: Mapping[str, frozenset[int]] | None = None,
    moved: tuple[str, ...] = (),
    before: Float[np.ndarray, " n_units"] | None = None,
) -> UnitDesign:
    """Reduce a question to a linear model, as a rule with one row per participant.

    Parameters
    ----------
    question : Question
        Contrast, estimator and baseline are read from it.
    design : Parallel or Crossover
        The trial's design.
    table : UnitTable
        Participants that have every image the question needs; in a crossover of more than two
        periods, images of at least two.
    min_per_group : int, default 2
        Least number of participants in each arm or order, or under each treatment, of the
        contrast.
    present : mapping of str to frozenset of int, optional
        Participant -> periods, counted from 1, that have data; all if left out. Read for
        crossovers of more than two periods only: other designs need every image.
    moved : tuple of str, default ()
        Arms of a parallel trial whose participants change places beside those of the contrast:
        those of other questions that share an error rate with this one.
    before : ndarray of shape (n_units,), optional
        Outcome before treatment, in the measure's unit, of a parallel trial where it is one
        number that is known: left out with a note where it is the same in everyone.

    Returns
    -------
    UnitDesign
        Model, contrast and blocks of shuffling.

    Raises
    ------
    DesignError
        When design or data cannot answer the question; each reason is one problem.

    Notes
    -----
    Parallel: indicators of every arm in the table, centred strata and covariates; the contrast
    is the first arm minus the second; only these two arms are shuffled, within strata, the
    others held fixed, because shuffling all arms would test the hypothesis that all are equal.
    Crossover of two periods: the outcome is half of period 1 minus period 2, the contrast is
    "first treatment first" minus "second treatment first", which is the treatment effect free
    of the period effect; sequence labels are shuffled. Crossover of more periods: one row per
    participant and planned period, modelled by treatment, participant and period; the sequence
    that a participant was dealt moves as a whole. Crossover of unknown order: the mean of the
    paired difference, shuffled by sign.
    """
    check_table(table)
    parallel = isinstance(design, Parallel)
    if parallel == (question.estimator == "crossover"):
        raise DesignError(
            Problem(
                what=f"the estimator does not belong to a {design.kind} design",
                field="estimator",
                found=question.estimator,
                expected="ancova, change or post" if parallel else "crossover",
            )
        )
    if isinstance(design, Parallel):
        return make_parallel_design(
            question, design, table, min_per_group=min_per_group, moved=moved, before=before
        )
    if design.order == "unknown":
        return make_paired_design(question, design, table, min_per_group=min_per_group)
    if _has_more_periods(design, table):
        return make_periods_design(
            question, design, table, min_per_group=min_per_group, present=present
        )
    return make_crossover_design(question, design, table, min_per_group=min_per_group)


def _has_more_periods(design: Crossover, table: UnitTable) -> bool:
    used = (design.sequences[group] for group in table.groups if group in design.sequences)
    return any(len(sequence.treatments) > 2 for sequence in used)  # noqa: PLR2004 - two periods
