"""Participants of a question: who takes part, in which group, with which covariates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import (
    REPEATED,
    Cell,
    DatasetIndex,
    covariate_problems,
    needed_cells,
)
from phmri.exceptions import DesignError, Problem
from phmri.group import UnitTable
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._populations import Counted
from phmri.pipeline._ratings import Rating, score_of
from phmri.pipeline._sound import few
from phmri.protocol import Crossover, Protocol, Question, RoiToRoi, inference_of

__all__ = [
    "QuestionUnits",
    "Source",
    "Visit",
    "covariate_columns",
    "find_units",
    "is_number",
    "make_table",
    "periods_of",
    "present_visits",
]

MIN_PERIODS = 2
Source = MeasuredRun | Rating
"""Where an outcome comes from: a run whose first level is finished, or a rating."""
Visit = str | int
"""A session of a parallel trial, or a period of a crossover, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionUnits:
    """The participants that can answer a question.

    Parameters
    ----------
    table : UnitTable
    runs : dict of str to tuple of MeasuredRun or Rating
        Per role, in the order of the table; where every session or period has a row of its own
        there is one role, ``periods``, with what is at hand by participant and visit, and beside
        it ``baseline-periods`` where each period has a baseline.
    visits : tuple of (participant, visit)
        Of the rows of the role ``periods``; empty where there is none.
    present : dict of str to frozenset of (str or int), or None
        Participant -> sessions, or periods counted from 1, that are at hand, where each has a row
        of its own.
    left_out : dict of str to str
        Participant with all runs in the data set -> why it is left out all the same.
    """

    table: UnitTable
    runs: dict[str, tuple[Source, ...]]
    visits: tuple[tuple[str, Visit], ...]
    present: dict[str, frozenset[Visit]] | None
    left_out: dict[str, str]


def find_units(
    protocol: Protocol,
    question_name: str,
    *,
    index: DatasetIndex,
    counted: Counted,
    sources: Mapping[RunKey, Source],
    only: frozenset[str] | None = None,
) -> QuestionUnits:
    """Find who takes part in a question.

    Parameters
    ----------
    protocol : Protocol
    question_name : str
    index : DatasetIndex
    counted : Counted
        Whose data count.
    sources : mapping of RunKey to MeasuredRun or Rating
        Of the question's measure or scale.
    only : frozenset of str, optional
        Participants that may take part: those who answer every question of a family.

    Returns
    -------
    QuestionUnits

    Raises
    ------
    DesignError
        If nobody is left.
    """
    cells = needed_cells(protocol, question_name, counted.check, index.participants)
    question = protocol.questions[question_name]
    left_out = dict(counted.left_out)
    members: dict[str, dict[str, Source]] = {}
    for subject in sorted(cells):
        found, lacking = _usable(cells[subject], subject, sources, counted.scores, question.map)
        # Where every visit has a row of its own, those at hand take part.
        least = 1 if question.estimator in REPEATED else MIN_PERIODS
        spared = present_visits({subject: cells[subject]}) is not None
        if spared and question.period_baseline:
            found = _with_baselines(found)
        spared &= sum(_visit(role) is not None for role in found) >= least
        if question.estimator == "mmrm":
            spared &= f"visit-{question.baseline}" in found and len(found) > 1
        if lacking and not spared:
            left_out[subject] = lacking
        elif only is not None and subject not in only:
            left_out[subject] = "another question of the family lacks its run"
        else:
            members[subject] = found
    if not members:
        reasons = _why_nobody(protocol, question, counted, left_out)
        raise DesignError(
            Problem(
                what="no participant has all that the question needs",
                found=few(reasons, joint="; ") or None,
            )
        )
    used = {
        subject: {role: cells[subject][role] for role in found}
        for subject, found in members.items()
    }
    present = present_visits(used)
    roles = next(iter(members.values()))
    visits: tuple[tuple[str, Visit], ...] = ()
    if present is None:
        runs_of = {role: tuple(found[role] for found in members.values()) for role in roles}
    else:
        rows = [
            (subject, role, visit)
            for subject, found in members.items()
            for role in found
            if (visit := _visit(role)) is not None
        ]
        visits = tuple((subject, visit) for subject, _, visit in rows)
        runs_of = {"periods": tuple(members[subject][role] for subject, role, _ in rows)}
        if question.period_baseline:
            before = tuple(members[subject][f"baseline-{role}"] for subject, role, _ in rows)
            runs_of["baseline-periods"] = before
    return QuestionUnits(
        table=make_table(protocol, question_name, index=index, cells=used),
        runs=runs_of,
        visits=visits,
        present=present,
        left_out=left_out,
    )


def _usable(
    cells: Mapping[str, Cell],
    subject: str,
    sources: Mapping[RunKey, Source],
    scores: Mapping[tuple[str, str], float],
    part: str | None,
) -> tuple[dict[str, Source], str]:
    """Part what a participant has into usable and the reason why something is not."""
    found: dict[str, Source] = {}
    lacking = ""
    for role, cell in cells.items():
        source = sources.get((subject, cell.session, cell.scan))
        where = f"ses-{cell.session} {cell.scan}"
        if source is None:
            lacking = f"{where} is not measured (run the participant level)"
        elif source.excluded:
            lacking = f"{where}: {source.excluded}"
        elif isinstance(source, Rating) and not _is_scored(source, part):
            lacking = f"{where}: too few items of '{part}' are answered"
        elif isinstance(source, Rating) and (subject, cell.session) in scores:
            found[role] = replace(source, score=scores[subject, cell.session])
        else:
            found[role] = source
    return found, lacking


def _is_scored(rating: Rating, part: str | None) -> bool:
    """Tell whether a subscale has a score; the whole scale's was looked at by the check."""
    return part is None or math.isfinite(score_of(rating, part))


def _why_nobody(
    protocol: Protocol, question: Question, counted: Counted, left_out: Mapping[str, str]
) -> list[str]:
    reasons = [f"sub-{name}: {why}" for name, why in left_out.items()]
    if question.measure in protocol.scales:
        ratings = (c for c in counted.check.ratings if c.scan == question.measure and c.reason)
        reasons += sorted({f"{c.status}: {c.reason}" for c in ratings})
    return list(filter(None, reasons))


def _with_baselines(found: Mapping[str, Source]) -> dict[str, Source]:
    """Keep the periods that have run and baseline."""
    whole = [role for role in found if f"baseline-{role}" in found]
    return {name: found[name] for role in whole for name in (role, f"baseline-{role}")}


def make_table(
    protocol: Protocol,
    question_name: str,
    *,
    index: DatasetIndex,
    cells: Mapping[str, Mapping[str, Cell]],
) -> UnitTable:
    """Look up group, stratum and covariates of those who take part in a question.

    Parameters
    ----------
    protocol : Protocol
    question_name : str
    index : DatasetIndex
    cells : mapping of str to mapping of str to Cell
        Their runs per participant and role, as `needed_cells` gives them.

    Returns
    -------
    UnitTable
        In the order of ``cells``.

    Notes
    -----
    A `DesignError` names who lacks a covariate.
    """
    design = protocol.design
    unknown_order = isinstance(design, Crossover) and design.order == "unknown"
    groups = (next(iter(roles.values())).group for roles in cells.values())
    subjects = tuple(cells)
    within = inference_of(protocol, question_name).shuffle_within
    return UnitTable(
        subjects=subjects,
        groups=tuple("unknown" if unknown_order or not group else group for group in groups),
        strata=_strata(index, (*design.strata, *within), subjects),
        covariates={
            name: covariate_columns(index, name, subjects)
            for name in protocol.questions[question_name].covariates
        },
    )


def is_number(protocol: Protocol, question: Question) -> bool:
    """Tell whether a question is about one number per participant and visit.

    Parameters
    ----------
    protocol : Protocol
    question : Question

    Returns
    -------
    bool
    """
    where, measure = question.where, protocol.measures.get(question.measure)
    return (
        question.measure in protocol.scales
        or where.mean_of is not None
        or where.at is not None
        or (isinstance(measure, RoiToRoi) and measure.summary == "global")
    )


def present_visits(
    cells: Mapping[str, Mapping[str, Cell]],
) -> dict[str, frozenset[Visit]] | None:
    """Tell which sessions or periods are at hand, where each has a row of its own.

    Parameters
    ----------
    cells : mapping of str to mapping of str to Cell
        Runs per participant and role, as `needed_cells` gives them.

    Returns
    -------
    dict of str to frozenset of (str or int), or None
        Participant -> sessions, or periods counted from 1; None for all other questions.
    """
    if not any(_visit(role) is not None for roles in cells.values() for role in roles):
        return None
    return {
        subject: frozenset(visit for visit in map(_visit, roles) if visit is not None)
        for subject, roles in cells.items()
    }


def periods_of(
    present: Mapping[str, frozenset[Visit]] | None,
) -> dict[str, frozenset[int]] | None:
    """Give the periods at hand of a crossover.

    Parameters
    ----------
    present : mapping of str to frozenset of (str or int), or None
        From `present_visits`.

    Returns
    -------
    dict of str to frozenset of int, or None
    """
    if present is None:
        return None
    return {
        subject: frozenset(visit for visit in visits if isinstance(visit, int))
        for subject, visits in present.items()
    }


def _visit(role: str) -> Visit | None:
    if role.startswith("visit-"):
        return role.removeprefix("visit-")
    return int(role.removeprefix("period")) if role.startswith("period") else None


def _strata(
    index: DatasetIndex, columns: Sequence[str], subjects: Sequence[str]
) -> tuple[str, ...]:
    if not columns:
        return ("",) * len(subjects)
    table = index.participants.loc[list(subjects), list(columns)].astype(str)
    return tuple("/".join(row) for row in table.itertuples(index=False))


def covariate_columns(
    index: DatasetIndex, name: str, subjects: Sequence[str]
) -> Float[np.ndarray, "n_units n_columns"]:
    """Give a column of ``participants.tsv`` as columns of a model.

    Parameters
    ----------
    index : DatasetIndex
    name : str
    subjects : sequence of str

    Returns
    -------
    ndarray of shape (n_units, n_columns)
        Centred numbers; of texts, indicators of all levels but the first.

    Raises
    ------
    DesignError
        Someone has no entry, or no number where most have one, or most share their text with
        nobody.
    """
    column = index.participants.loc[list(subjects), name]
    problems = list(covariate_problems(index, name, subjects))
    missing = [subject for subject, absent in zip(subjects, column.isna(), strict=True) if absent]
    if missing:
        problems.append(
            Problem(
                what=f"participants lack the covariate '{name}'",
                file=str(index.root / "participants.tsv"),
                field=name,
                found=few([f"sub-{subject}" for subject in missing]),
            )
        )
    if problems:
        raise DesignError(*problems)
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        values: Float[np.ndarray, "n_units 1"] = numbers.to_numpy(np.float64)[:, None]
        return np.asarray(values - values.mean(axis=0))
    texts = column.astype(str)
    levels = sorted(texts.unique())
    return np.column_stack(
        [np.zeros((len(subjects), 0)), *((texts == level).to_numpy(float) for level in levels[1:])]
    )
