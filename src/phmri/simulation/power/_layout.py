r"""A question of a trial that does not exist yet: who would be measured when, and what is planted.

Every outcome of a participant at a session or period is a cell. Cells of one person share a
random part,

.. math:: y_{is} = \tau\,g_{is} + \sigma(\sqrt\rho\,u_i + \sqrt{1-\rho}\,e_{is}),

with :math:`u, e` standard normal, so that any two sessions correlate by :math:`\rho`, and
:math:`g` the planted pattern: 1 under the first treatment of the contrast after baseline. From
here on a trial is analysed by the functions that a run uses.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem, SimulationError
from phmri.group import (
    LongDesign,
    LongSettings,
    UnitDesign,
    UnitTable,
    make_long_design,
    make_long_table,
    make_unit_design,
)
from phmri.protocol import Crossover, Parallel, Question

__all__ = ["PAIRED", "REPEATED", "Layout", "make_layout", "sequences_of"]

REPEATED = frozenset({"mixed", "mmrm", "clda"})
PAIRED = frozenset({"crossover", "paired"})
UNKNOWN = "unknown"
TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The cells of a trial to be simulated, and the model that will analyse them.

    Parameters
    ----------
    subject : ndarray of int of shape (n_cells,)
        Participant of each cell, from 0.
    drug, pretreated : ndarray of shape (n_cells,)
        1 where the effect of the contrast's first treatment, or of its second where the question
        is about a blockade, is planted; else 0.
    roles : dict of str to ndarray of int
        What `make_outcome` calls each image -> the cells of it, one per row of the model.
    unit : UnitDesign or None
        Model with one row per participant or period.
    long : LongDesign or None
        Model of all sessions or periods; its ``rows`` are cells.
    settings : LongSettings
        What is asked, for several contrasts of one model.
    n_participants : int
        All who take part, in every arm or sequence.
    """

    subject: Int[np.ndarray, " n_cells"]
    drug: Float[np.ndarray, " n_cells"]
    pretreated: Float[np.ndarray, " n_cells"]
    roles: dict[str, Int[np.ndarray, " n_rows"]]
    unit: UnitDesign | None
    long: LongDesign | None
    settings: LongSettings
    n_participants: int


def sequences_of(question: Question, design: Crossover) -> tuple[str, ...]:
    """Name the sequences whose participants answer a question.

    Parameters
    ----------
    question : Question
        Its contrast, and with a blockade its references.
    design : Crossover
        The trial.

    Returns
    -------
    tuple of str
        Those with every treatment that the question names; for a model of all sequences, with at
        least two of them.

    Raises
    ------
    SimulationError
        When there is none.
    """
    needed = set(question.contrast)
    if question.blockade is not None:
        own = question.blockade.pretreated_reference
        needed |= {question.blockade.reference} | ({own} if own is not None else set())
        needed |= question.blockade.elsewhere
    least = TWO if question.estimator in REPEATED else len(needed)
    found = tuple(
        name
        for name, sequence in design.sequences.items()
        if len(needed & set(sequence.treatments)) >= least
    )
    if not found:
        raise SimulationError(
            Problem(
                what="no sequence holds every treatment that is compared, so that nobody could be "
                "simulated to have had them all",
                field="contrast",
                found=", ".join(sorted(needed)),
            )
        )
    return found


def make_layout(question: Question, design: Parallel | Crossover, n: int) -> Layout:
    """Lay out a trial of a chosen size.

    Parameters
    ----------
    question : Question
        Asked by its estimator; covariates, strata, populations and baselines of periods play no
        part.
    design : Parallel or Crossover
        The trial.
    n : int
        Participants per arm, or in the whole crossover, where sequences are filled in turn.

    Returns
    -------
    Layout
        Everyone has every session or period.

    Notes
    -----
    A baseline of `mixed` is taken as an outcome with one mean of all arms, and `mmrm` as `clda`:
    as covariates they would differ from trial to trial. With complete data the estimates agree
    but for terms of order 1/n. `DesignError` says that the design cannot answer the question.
    """
    left_out = {"covariates": (), "populations": (), "period_baseline": False}
    question = question.model_copy(update=left_out)
    if isinstance(design, Parallel):
        groups = [arm for arm in design.arms for _ in range(n)]
        design = design.model_copy(update={"strata": ()})
    else:
        names = sequences_of(question, design)
        groups = [names[k % len(names)] for k in range(n)]
        if design.order == UNKNOWN:
            groups = [UNKNOWN] * n
        design = design.model_copy(update={"strata": ()})
    table = UnitTable(
        subjects=tuple(f"{k:06d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    if question.estimator in REPEATED:
        return _long_layout(question, design, table)
    return _unit_layout(question, design, table)


def _settings(question: Question, *, parallel: bool) -> LongSettings:
    blocked = question.blockade
    references = None
    if blocked is not None:
        references = (blocked.reference, blocked.pretreated_reference or blocked.reference)
    common = parallel and question.baseline is not None
    return LongSettings(
        model="mixed" if question.estimator == "mixed" else "clda",
        contrast=question.contrast,
        references=references,
        reference_drug=None if blocked is None else blocked.reference_drug,
        session=question.session,
        baseline=question.baseline,
        early=None if question.persistence is None else question.persistence.early,
        baseline_as="common" if common and question.estimator == "mixed" else None,
    )


def _planted(
    question: Question, treatments: tuple[str, ...]
) -> tuple[Float[np.ndarray, " n_cells"], Float[np.ndarray, " n_cells"]]:
    """Mark cells under the first treatment, and under the second where it has an effect too."""
    given = np.array(treatments)
    alone = [question.contrast[0]]
    if question.blockade is not None and question.blockade.reference_drug is not None:
        alone.append(question.blockade.reference_drug)
    drug = np.isin(given, alone).astype(np.float64)
    pretreated = (given == question.contrast[1]) & (question.blockade is not None)
    return drug, pretreated.astype(np.float64)


def _long_layout(question: Question, design: Parallel | Crossover, table: UnitTable) -> Layout:
    parallel = isinstance(design, Parallel)
    settings = _settings(question, parallel=parallel)
    sessions: tuple[str, ...] = ()
    cells: dict[str, frozenset[str]] | dict[str, frozenset[int]]
    if isinstance(design, Parallel):
        asked = (question.baseline, settings.early, question.session)
        sessions = tuple(dict.fromkeys(one for one in asked if one is not None))
        cells = dict.fromkeys(table.subjects, frozenset(sessions))
    else:
        cells = {
            subject: frozenset(range(1, len(design.sequences[group].treatments) + 1))
            for subject, group in zip(table.subjects, table.groups, strict=True)
        }
    long = make_long_table(question, design, table, cells, sessions=sessions)
    drug, pretreated = _planted(question, long.treatments)
    return Layout(
        subject=np.array([int(subject) for subject in long.subjects]),
        drug=drug,
        pretreated=pretreated,
        roles={},
        unit=None,
        long=make_long_design(settings, long),
        settings=settings,
        n_participants=len(table.subjects),
    )


def _unit_layout(question: Question, design: Parallel | Crossover, table: UnitTable) -> Layout:
    unit = make_unit_design(question, design, table)
    n = len(table.subjects)
    people = np.arange(n)
    if isinstance(design, Parallel):
        # The session of the outcome, and before it that of the baseline where one is used.
        early = question.baseline is not None and unit.estimator != "post"
        treatments = ("",) * (n * early) + table.groups
        subject = np.tile(people, 1 + early)
        roles = {"outcome": people + n * early} | ({"baseline": people} if early else {})
    elif unit.estimator in PAIRED:
        treatments = (question.contrast[0],) * n + (question.contrast[1],) * n
        subject = np.tile(people, 2)
        roles = {"first": people, "second": people + n}
    else:
        treatments = tuple(
            treatment for group in table.groups for treatment in design.sequences[group].treatments
        )
        subject = np.array([int(one) for one in unit.subjects])
        roles = {"periods": np.arange(len(treatments))}
    drug, pretreated = _planted(question, treatments)
    return Layout(
        subject=subject,
        drug=drug,
        pretreated=pretreated,
        roles=roles,
        unit=unit,
        long=None,
        settings=_settings(question, parallel=isinstance(design, Parallel)),
        n_participants=n,
    )
