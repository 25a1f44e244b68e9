"""Check that a table of units is sound before a design is made of it."""

from collections import Counter

import numpy as np

from phmri.exceptions import DesignError, Problem
from phmri.group._records import UnitTable

__all__ = ["check_table"]


def check_table(table: UnitTable) -> None:
    """Refuse a table whose columns differ in length, repeat a participant or hold NaN.

    Parameters
    ----------
    table : UnitTable
        Participants that can answer the question.

    Raises
    ------
    DesignError
        With every fault of the table.
    """
    n_units = len(table.subjects)
    problems = [] if n_units else [Problem(what="no participant can answer this question")]
    lengths = {"groups": len(table.groups), "strata": len(table.strata)}
    lengths |= {f"covariates.{name}": len(column) for name, column in table.covariates.items()}
    problems.extend(
        Problem(
            what="column of another length than the participants",
            field=field,
            found=str(length),
            expected=str(n_units),
        )
        for field, length in lengths.items()
        if length != n_units
    )
    problems.extend(
        Problem(what="participant stands in the table more than once", subject=subject)
        for subject, count in Counter(table.subjects).items()
        if count > 1
    )
    for name, columns in table.covariates.items():
        bad = np.flatnonzero(~np.isfinite(columns).all(axis=1))
        problems.extend(
            Problem(
                what="covariate has no finite value",
                subject=table.subjects[row] if row < n_units else None,
                field=name,
            )
            for row in bad
        )
    if problems:
        raise DesignError(*problems)
