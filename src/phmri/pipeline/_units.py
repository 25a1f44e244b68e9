"""Participants of a question: who takes part, in which group, with which covariates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import DatasetCheck, DatasetIndex, needed_cells
from phmri.exceptions import DesignError, Problem
from phmri.group import UnitTable
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.protocol import Crossover, Protocol

__all__ = ["QuestionUnits", "find_units"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionUnits:
    """The participants that can answer a question.

    Parameters
    ----------
    table : UnitTable
    runs : dict of str to tuple of MeasuredRun
        Per role, in the order of the table.
    left_out : dict of str to str
        Participant with all runs in the data set -> why it is left out all the same.
    """

    table: UnitTable
    runs: dict[str, tuple[MeasuredRun, ...]]
    left_out: dict[str, str]


def find_units(
    protocol: Protocol,
    question_name: str,
    *,
    index: DatasetIndex,
    check: DatasetCheck,
    runs: dict[RunKey, MeasuredRun],
) -> QuestionUnits:
    """Find who takes part in a question.

    Parameters
    ----------
    protocol : Protocol
    question_name : str
    index : DatasetIndex
    check : DatasetCheck
    runs : dict of RunKey to MeasuredRun

    Returns
    -------
    QuestionUnits

    Raises
    ------
    DesignError
        If nobody is left.
    """
    question = protocol.questions[question_name]
    cells = needed_cells(protocol, question_name, check, index.participants)
    left_out: dict[str, str] = {}
    members: dict[str, dict[str, MeasuredRun]] = {}
    groups: dict[str, str] = {}
    for subject in sorted(cells):
        found: dict[str, MeasuredRun] = {}
        for role, cell in cells[subject].items():
            run = runs.get((subject, cell.session, cell.scan))
            if run is None:
                left_out[subject] = (
                    f"ses-{cell.session} {cell.scan} is not measured (run the participant level)"
                )
            elif run.manifest.excluded:
                left_out[subject] = f"ses-{cell.session} {cell.scan}: {run.manifest.excluded}"
            else:
                found[role] = run
            groups[subject] = cell.group or "unknown"
        if subject not in left_out:
            members[subject] = found
    if not members:
        raise DesignError(
            Problem(
                what="no participant has all runs that the question needs",
                field=f"questions.{question_name}",
                found="; ".join(f"sub-{name}: {why}" for name, why in left_out.items()) or None,
            )
        )
    unknown_order = isinstance(protocol.design, Crossover) and protocol.design.order == "unknown"
    subjects = tuple(members)
    table = UnitTable(
        subjects=subjects,
        groups=tuple("unknown" if unknown_order else groups[subject] for subject in subjects),
        strata=_strata(index, protocol.design.strata, subjects),
        covariates={name: _covariate(index, name, subjects) for name in question.covariates},
    )
    roles = next(iter(members.values()))
    return QuestionUnits(
        table=table,
        runs={role: tuple(members[subject][role] for subject in subjects) for role in roles},
        left_out=left_out,
    )


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
                found=", ".join(f"sub-{subject}" for subject in missing),
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
