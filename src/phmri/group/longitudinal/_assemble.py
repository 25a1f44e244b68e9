"""From columns and contrasts to a model of full rank."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group._columns import (
    Adjustment,
    find_independent,
    in_span,
    make_adjustment,
    no_freedom,
)
from phmri.group._records import UnitTable
from phmri.group.longitudinal._contrasts import Cell
from phmri.group.longitudinal._records import LongTable
from phmri.group.robust._model import make_linear_model

__all__ = ["Columns", "Contrasts", "adjust_rows", "assemble", "make_contrasts", "pick", "split"]

_NEGLIGIBLE = 1e-6
"""Of the largest coefficient: rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns of a model, in order of preference.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Of any rank.
    names : tuple of str
        One per column.
    """

    X: Float[np.ndarray, "n_rows n_columns"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrasts:
    """Contrasts of the coefficients, and those that cannot be had.

    Parameters
    ----------
    matrix : ndarray of shape (n_contrasts, n_columns)
        In the measure's unit.
    names : tuple of str
        One per row.
    refused : dict of str to str
        Name -> reason.
    """

    matrix: Float[np.ndarray, "n_contrasts n_columns"]
    names: tuple[str, ...]
    refused: dict[str, str]


def pick(labels: Sequence[str], rows: Int[np.ndarray, " n_rows"]) -> tuple[str, ...]:
    """Give the labels of some rows.

    Parameters
    ----------
    labels : sequence of str
        One per row of the table.
    rows : ndarray of int of shape (n_rows,)
        Rows to take.

    Returns
    -------
    tuple of str
        In the order of ``rows``.
    """
    return tuple(labels[row] for row in rows)


def adjust_rows(
    table: LongTable, rows: Int[np.ndarray, " n_rows"], *, with_strata: bool = True
) -> Adjustment:
    """Collect centred columns of strata and covariates of some rows.

    Parameters
    ----------
    table : LongTable
        All planned rows.
    rows : ndarray of int of shape (n_rows,)
        Rows to take.
    with_strata : bool, default True
        Whether strata enter the model.

    Returns
    -------
    Adjustment
        Full rank beside a constant.
    """
    strata = pick(table.strata, rows)
    own = UnitTable(
        subjects=pick(table.subjects, rows),
        groups=pick(table.groups, rows),
        strata=strata,
        covariates={name: columns[rows] for name, columns in table.covariates.items()},
    )
    return make_adjustment(own, strata, with_strata=with_strata)


def split(
    values: Float[np.ndarray, " n_rows"], subjects: Sequence[str]
) -> tuple[Float[np.ndarray, " n_rows"], Float[np.ndarray, " n_rows"]]:
    """Split numbers into a participant's mean and the deviation from it.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Finite.
    subjects : sequence of str
        Participant of each row.

    Returns
    -------
    within, between : ndarray of shape (n_rows,)
        Deviation, and mean minus the mean of all rows.
    """
    _, code = np.unique(np.asarray(subjects), return_inverse=True)
    mean = (np.bincount(code, values) / np.bincount(code))[code]
    return values - mean, mean - values.mean()


def make_contrasts(
    asked: Mapping[str, Mapping[Cell, float]],
    means: Mapping[Cell, Float[np.ndarray, " n_columns"]],
) -> Contrasts:
    """Turn weights of cells into contrasts of coefficients.

    Parameters
    ----------
    asked : mapping of str to mapping
        Name -> weight of each cell.
    means : mapping of cell to ndarray of shape (n_columns,)
        What of the coefficients a cell's mean is, up to what all cells share.

    Returns
    -------
    Contrasts
        Those whose cells all have data, and the reason for the others.
    """
    matrix, names, refused = [], [], {}
    for name, weights in asked.items():
        lost = [cell for cell in weights if cell not in means]
        if lost:
            refused[name] = "no participant has data of " + ", ".join(
                label if session is None else f"{label} at {session}" for label, session in lost
            )
            continue
        names.append(name)
        matrix.append(sum(weight * means[cell] for cell, weight in weights.items()))
    width = len(next(iter(means.values()), ()))
    return Contrasts(
        matrix=np.array(matrix, dtype=np.float64).reshape(len(names), width),
        names=tuple(names),
        refused=refused,
    )


def assemble(
    columns: Columns,
    contrasts: Contrasts,
    *,
    own: str,
    confounded: Callable[[tuple[str, ...]], Problem],
    telling: Bool[np.ndarray, " n_rows"] | None = None,
) -> tuple[Columns, Contrasts]:
    """Leave out columns that follow from others and contrasts that are not estimable.

    Parameters
    ----------
    columns : Columns
        Of all rows with data; the contrasts' own stand first.
    contrasts : Contrasts
        Of these columns.
    own : str
        The question's contrast, without which there is no answer.
    confounded : callable
        Makes the problem that is told when it cannot be told apart from the rest of the model,
        from the names of the columns that are to blame.
    telling : ndarray of bool of shape (n_rows,), optional
        Rows that alone must tell the contrasts apart; all if left out.

    Returns
    -------
    columns : Columns
        Of full rank.
    contrasts : Contrasts
        Of these columns.

    Raises
    ------
    DesignError
        When the question's own contrast is not estimable, or nothing is left as error.
    """
    if own in contrasts.refused:
        raise DesignError(
            Problem(what=f"{own} cannot be estimated: {contrasts.refused[own]}", field="contrast")
        )
    rows = columns.X if telling is None else columns.X[telling]
    estimable = make_linear_model(rows, contrasts.matrix).estimable
    lost = {
        name: confounded(()).what
        for name, ok in zip(contrasts.names, estimable, strict=True)
        if not ok
    }
    if own in lost:
        weights = contrasts.matrix[contrasts.names.index(own)]
        raise DesignError(confounded(_to_blame(Columns(X=rows, names=columns.names), weights)))
    keep = find_independent(columns.X)
    problems = no_freedom(len(columns.X), int(keep.sum()), "cells with data")
    if problems:
        raise DesignError(*problems)
    return (
        Columns(
            X=columns.X[:, keep],
            names=tuple(name for name, kept in zip(columns.names, keep, strict=True) if kept),
        ),
        Contrasts(
            matrix=contrasts.matrix[np.ix_(estimable, keep)],
            names=tuple(name for name in contrasts.names if name not in lost),
            refused=contrasts.refused | lost,
        ),
    )


def _to_blame(columns: Columns, weights: Float[np.ndarray, " n_columns"]) -> tuple[str, ...]:
    r"""Name the columns that follow from others in a way that changes a contrast.

    With :math:`x_k = \sum_j a_j x_j` over columns before it, :math:`c^\top b` is not estimable
    where :math:`\sum_j c_j a_j \ne c_k`; then k and every j with :math:`a_j \ne 0` take part.
    """
    X = columns.X
    kept: list[int] = []
    blamed: set[int] = set()
    for k, column in enumerate(X.T):
        if not in_span(column, X[:, kept]):
            kept.append(k)
            continue
        share = np.linalg.lstsq(X[:, kept], column, rcond=None)[0]
        least = _NEGLIGIBLE * np.abs(share).max(initial=0.0)
        if abs(share @ weights[kept] - weights[k]) > least:
            part = [j for j, a in zip(kept, share, strict=True) if abs(a) > least]
            blamed |= {k, *part}
    return tuple(name for k, name in enumerate(columns.names) if k in blamed)
