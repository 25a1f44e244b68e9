"""Columns of ``participants.tsv`` that the protocol names: whether they are there, and of use.

A covariate is a number or a set of levels. A column that is almost one or the other is neither:
one age of ``31y`` would turn all ages into levels.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from phmri.dataset._records import DatasetIndex
from phmri.exceptions import Problem
from phmri.protocol import Protocol

__all__ = ["check_columns", "covariate_problems", "without_column"]

_MOTION = "mean_fd"
"""Comes from the runs, not from the table."""
_TWO_LEVELS = 2


def without_column(table: str, *columns: str) -> str:
    """Say that a table has no such columns, in the words of every list and table of answers.

    Parameters
    ----------
    table : str
        Name of its file.
    *columns : str

    Returns
    -------
    str
    """
    return f"{table} has no column {', '.join(columns)}"


def check_columns(protocol: Protocol, index: DatasetIndex) -> list[Problem]:
    """Find columns that are not there, and covariates that are neither numbers nor levels.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.
    index : DatasetIndex
        From `index_dataset`.

    Returns
    -------
    list of Problem
        Each column once, with every place of the protocol that names it; empty where there is no
        table at all, which is told elsewhere.
    """
    table = index.participants
    if not len(table.index):
        return []
    problems = []
    levels, covariates = _named(protocol)
    for column, places in {**levels, **covariates}.items():
        if column not in table.columns:
            problems.append(
                Problem(
                    what=without_column("participants.tsv", column),
                    file=str(index.root / "participants.tsv"),
                    field=", ".join(dict.fromkeys((*levels.get(column, ()), *places))),
                    found=", ".join(("participant_id", *map(str, table.columns))),
                    expected=column,
                )
            )
        elif column in covariates:
            # Of who is excluded by the protocol nothing is used, so nothing can be wrong.
            excluded = protocol.exclusions.participants
            people = [subject for subject in map(str, table.index) if subject not in excluded]
            problems += covariate_problems(index, column, people)
    return problems


def covariate_problems(
    index: DatasetIndex, column: str, subjects: Sequence[str]
) -> Iterator[Problem]:
    """Find what keeps a column from being a number or a set of levels.

    Parameters
    ----------
    index : DatasetIndex
        From `index_dataset`.
    column : str
        Of ``participants.tsv``.
    subjects : sequence of str
        Those who stand in it and are looked at; who has no entry is passed over.

    Yields
    ------
    Problem
        Of every participant without a number where more than half have one, or of a text that
        more than half of the participants share with nobody.
    """
    entries = index.participants.loc[list(subjects), column].dropna()
    file = str(index.root / "participants.tsv")
    numeric = np.isfinite(pd.to_numeric(entries, errors="coerce").to_numpy(np.float64))
    if numeric.all():
        return
    if 2 * int(numeric.sum()) > len(entries):
        for subject, entry in entries[~numeric].items():
            yield Problem(
                what="the covariate is a number in most participants, and not in this one",
                file=file,
                subject=str(subject),
                field=column,
                found=str(entry),
                expected="a number or n/a",
            )
        return
    counts = entries.astype(str).value_counts()
    if len(counts) > _TWO_LEVELS and 2 * int((counts == 1).sum()) > len(entries):
        yield Problem(
            what="most participants share their level of the covariate with nobody",
            file=file,
            field=column,
            found=f"{len(counts)} levels in {len(entries)} participants, such as "
            f"{entries.iloc[0]}",
            expected="numbers, or a few levels that participants share",
        )


def _named(protocol: Protocol) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Give the columns that hold levels and those that may hold numbers, and who names them."""
    levels: dict[str, list[str]] = {}
    covariates: dict[str, list[str]] = {}
    for column in protocol.design.strata:
        levels.setdefault(column, []).append("design.strata")
    for column in protocol.inference.shuffle_within:
        levels.setdefault(column, []).append("inference.shuffle_within")
    for name, question in protocol.questions.items():
        own = question.inference.shuffle_within if question.inference else ()
        for column in own:
            levels.setdefault(column, []).append(f"questions.{name}.inference.shuffle_within")
        for column in question.covariates:
            covariates.setdefault(column, []).append(f"questions.{name}.covariates")
    for name, item in protocol.associations.items():
        for column in item.partial:
            if column != _MOTION:
                covariates.setdefault(column, []).append(f"associations.{name}.partial")
    return levels, covariates
