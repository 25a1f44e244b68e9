"""From a question to a linear model of independent units."""

from phmri.exceptions import DesignError, Problem
from phmri.group._crossover import make_crossover_design, make_paired_design
from phmri.group._parallel import make_parallel_design
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
) -> UnitDesign:
    """Reduce a question to a linear model with one row per participant.

    Parameters
    ----------
    question : Question
        Contrast, estimator and baseline are read from it.
    design : Parallel or Crossover
        The trial's design.
    table : UnitTable
        Participants that have every image the question needs.
    min_per_group : int, default 2
        Least number of participants in each arm or sequence of the contrast.

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
    of the period effect; sequence labels are shuffled. Crossover of unknown order: the mean of
    the paired difference, shuffled by sign.
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
        return make_parallel_design(question, design, table, min_per_group=min_per_group)
    if design.order == "unknown":
        return make_paired_design(question, design, table, min_per_group=min_per_group)
    return make_crossover_design(question, design, table, min_per_group=min_per_group)
