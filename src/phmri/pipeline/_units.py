"""Participants of a question: who takes part, in which group, with which covariates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import Cell, DatasetCheck, DatasetIndex, needed_cells
from phmri.exceptions import DesignError, Problem
from phmri.group import UnitTable
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._sound import few
from phmri.protocol import Crossover, Protocol, inference_of

__all__ = ["QuestionUnits", "find_units", "make_table", "present_periods"]

MIN_PERIODS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionUnits:
    """The participants that can answer a question.

    Parameters
    ----------
    table : UnitTable
    runs : dict of str to tuple of MeasuredRun
        Per role, in the order of the table; a crossover of more than two periods has one role,
        ``periods``, with the runs at hand by participant and period.
    present : dict of str to frozenset of int or None
        Participant -> periods with a run, in a crossover of more than two periods.
    left_out : dict of str to str
        Participant with all runs in the data set -> why it is left out all the same.
    """

    table: UnitTable
    runs: dict[str, tuple[MeasuredRun, ...]]
    present: dict[str, frozenset[int]] | None
    left_out: dict[str, str]


def find_units(
    protocol: Protocol,
    question_name: str,
    *,
    index: DatasetIndex,
    check: DatasetCheck,
    runs: dict[RunKey, MeasuredRun],
    only: frozenset[str] | None = None,
) -> QuestionUnits:
    """Find who takes part in a question.

    Parameters
    ----------
    protocol : Protocol
    question_name : str
    index : DatasetIndex
    check : DatasetCheck
    runs : dict of RunKey to MeasuredRun
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
    cells = needed_cells(protocol, question_name, check, index.participants)
    left_out: dict[str, str] = {}
    members: dict[str, dict[str, MeasuredRun]] = {}
    for subject in sorted(cells):
        found, lacking = _usable(cells[subject], subject, runs)
        # Of a crossover of more than two periods, two are enough to take part.
        spared = all(role.startswith("period") for role in cells[subject])
        if lacking and not (spared and len(found) >= MIN_PERIODS):
            left_out[subject] = lacking
        elif only is not None and subject not in only:
            left_out[subject] = "another question of the family lacks its run"
        else:
            members[subject] = found
    if not members:
        raise DesignError(
            Problem(
                what="no participant has all runs that the question needs",
                field=f"questions.{question_name}",
                found=few([f"sub-{name}: {why}" for name, why in left_out.items()], joint="; ")
                or None,
            )
        )
    used = {
        subject: {role: cells[subject][role] for role in found}
        for subject, found in members.items()
    }
    present = present_periods(used)
    roles = next(iter(members.values()))
    if present is None:
        runs_of = {role: tuple(found[role] for found in members.values()) for role in roles}
    else:
        runs_of = {"periods": tuple(run for found in members.values() for run in found.values())}
    return QuestionUnits(
        table=make_table(protocol, question_name, index=index, cells=used),
        runs=runs_of,
        present=present,
        left_out=left_out,
    )


def _usable(
    cells: Mapping[str, Cell], subject: str, runs: Mapping[RunKey, MeasuredRun]
) -> tuple[dict[str, MeasuredRun], str]:
    """Part a participant's runs into usable ones and the reason why one is not."""
    found, lacking = {}, ""
    for role, cell in cells.items():
        run = runs.get((subject, cell.session, cell.scan))
        where = f"ses-{cell.session} {cell.scan}"
        if run is None:
            lacking = f"{where} is not measured (run the participant level)"
        elif run.manifest.excluded:
            lacking = f"{where}: {run.manifest.excluded}"
        else:
            found[role] = run
    return found, lacking


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
            name: _covariate(index, name, subjects)
            for name in protocol.questions[question_name].covariates
        },
    )


def present_periods(
    cells: Mapping[str, Mapping[str, Cell]],
) -> dict[str, frozenset[int]] | None:
    """Tell which periods have a run, in a crossover of more than two.

    Parameters
    ----------
    cells : mapping of str to mapping of str to Cell
        Runs per participant and role, as `needed_cells` gives them.

    Returns
    -------
    dict of str to frozenset of int or None
        Participant -> periods, counted from 1; None for all other questions.
    """
    if not any(role.startswith("period") for roles in cells.values() for role in roles):
        return None
    return {
        subject: frozenset(int(role.removeprefix("period")) for role in roles)
        for subject, roles in cells.items()
    }


def _strata(
    index: DatasetIndex, columns: Sequence[str], subjects: Sequence[str]
) -> tuple[str, ...]:
    if not columns:
        return ("",) * len(subjects)
    table = index.participants.loc[list(subjects), list(columns)].astype(str)
    return tuple("/".join(row) for row in table.itertuples(index=False))


def _covariate(
    index: DatasetIndex, name: str, subjects: Sequence[str]
) -> Float[np.ndarray, "n_units n_columns"]:
    # Numbers are centred; texts become indicators of all levels but the first.
    column = index.participants.loc[list(subjects), name]
    missing = [subject for subject, absent in zip(subjects, column.isna(), strict=True) if absent]
    if missing:
        raise DesignError(
            Problem(
                what=f"participants lack the covariate '{name}'",
                file=str(index.root / "participants.tsv"),
                field=name,
                found=few([f"sub-{subject}" for subject in missing]),
            )
        )
    if pd.api.types.is_numeric_dtype(column):
        values: Float[np.ndarray, "n_units 1"] = column.to_numpy(np.float64)[:, None]
        return np.asarray(values - values.mean(axis=0))
    texts = column.astype(str)
    levels = sorted(texts.unique())
    return np.column_stack(
        [np.zeros((len(subjects), 0)), *((texts == level).to_numpy(float) for level in levels[1:])]
    )
