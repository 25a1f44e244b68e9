"""Columns of a unit model: indicators of groups, centred strata and covariates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import UnitTable

__all__ = [
    "Adjustment",
    "find_aliased",
    "find_independent",
    "find_unmixed",
    "follows_from",
    "in_span",
    "indicators",
    "is_constant",
    "make_adjustment",
    "no_freedom",
]

TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Columns that a model is adjusted for.

    Parameters
    ----------
    columns : ndarray of shape (n_units, n_columns)
        Each of mean zero, linearly independent of each other and of the constant.
    names : tuple of str
        One per column.
    notes : tuple of str
        What was left out because it says nothing new.
    """

    columns: Float[np.ndarray, "n_units n_columns"]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def indicators(labels: Sequence[str], levels: Sequence[str]) -> Float[np.ndarray, "n k"]:
    """Make one 0/1 column per level.

    Parameters
    ----------
    labels : sequence of str
        One per unit.
    levels : sequence of str
        One column each.

    Returns
    -------
    ndarray of shape (len(labels), len(levels))
        0 or 1.
    """
    return np.array([[float(label == level) for level in levels] for label in labels]).reshape(
        len(labels), len(levels)
    )


def find_unmixed(
    labels: Sequence[str], strata: Sequence[str], pair: Sequence[str]
) -> tuple[tuple[str, ...], str | None]:
    """Find strata that hold only one of the two compared groups.

    Parameters
    ----------
    labels, strata : sequence of str
        Group and stratum of each unit.
    pair : sequence of str
        The two groups.

    Returns
    -------
    notes : tuple of str
        One sentence that names such strata; empty when there are none.
    problem : str or None
        Said when no stratum holds both groups.
    """
    held: dict[str, set[str]] = {}
    for label, stratum in zip(labels, strata, strict=True):
        if label in pair:
            held.setdefault(stratum, set()).add(label)
    unmixed = sorted(stratum for stratum, found in held.items() if len(found) == 1)
    if len(unmixed) == len(held):
        return (), (
            f"no stratum holds participants of both {pair[0]} and {pair[1]}, so that nothing can "
            "be shuffled"
        )
    if not unmixed:
        return (), None
    note = (
        f"Participants of {', '.join(unmixed)} could not be shuffled: only one of the two groups "
        "is present in that stratum."
    )
    return (note,), None


def in_span(column: Float[np.ndarray, " n_units"], basis: Float[np.ndarray, "n_units k"]) -> bool:
    """Tell whether a column is a linear combination of others.

    Parameters
    ----------
    column : ndarray of shape (n_units,)
        To be explained.
    basis : ndarray of shape (n_units, k)
        To explain it with.

    Returns
    -------
    bool
        True when nothing is left.
    """
    coefficients, *_ = np.linalg.lstsq(basis, column, rcond=None)
    left = float(np.linalg.norm(column - basis @ coefficients))
    return left <= TOLERANCE * float(np.linalg.norm(column))


def follows_from(
    baseline: Float[np.ndarray, " n_units"],
    X: Float[np.ndarray, "n_units k"],
    contrast: Float[np.ndarray, "..."],
) -> bool:
    """Tell whether a baseline follows from the columns of a model.

    Parameters
    ----------
    baseline : ndarray of shape (n_units,)
        In the measure's unit.
    X : ndarray of shape (n_units, k)
        Model without it.
    contrast : ndarray of shape (k,) or (n_contrasts, k)
        Of the coefficients.

    Returns
    -------
    bool
        True where it adds nothing to the model.

    Raises
    ------
    DesignError
        It does, and the contrast cannot be told apart from it.
    """
    if not in_span(baseline, X):
        return False
    share, *_ = np.linalg.lstsq(X, baseline, rcond=None)
    against = np.abs(np.atleast_2d(contrast) @ share).max()
    if against > TOLERANCE * np.abs(share).max(initial=0.0):
        raise DesignError(
            Problem(
                what="the effect cannot be told apart from the columns it is adjusted for",
                found="baseline",
                expected="a baseline that varies within a group",
            )
        )
    return True


def find_independent(X: Float[np.ndarray, "n_units k"]) -> Bool[np.ndarray, " k"]:
    """Find the columns that are no linear combination of those before them.

    Parameters
    ----------
    X : ndarray of shape (n_units, k)
        In order of preference.

    Returns
    -------
    ndarray of shape (k,)
        True for columns to keep: they span what all span.
    """
    basis = np.empty((len(X), 0))
    keep = np.zeros(X.shape[1], dtype=bool)
    for k, column in enumerate(X.T):
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)  # once more, against rounding
        length = np.linalg.norm(left)
        if length > TOLERANCE * np.linalg.norm(column):
            keep[k] = True
            basis = np.column_stack([basis, left / length])
    return keep


def is_constant(values: Float[np.ndarray, " n_values"]) -> bool:
    """Tell whether numbers are the same up to rounding.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Finite.

    Returns
    -------
    bool
        True of none and of one.
    """
    scale = float(np.abs(values).max(initial=0.0)) or 1.0
    centred = (values - values.sum() / max(1, values.size)) / scale
    return bool(np.linalg.norm(centred) <= TOLERANCE * np.sqrt(centred.size))


def make_adjustment(table: UnitTable, strata: Sequence[str], *, with_strata: bool) -> Adjustment:
    """Collect centred columns of strata and covariates, without redundant ones.

    Parameters
    ----------
    table : UnitTable
        Participants that can answer the question.
    strata : sequence of str
        Stratum of each unit.
    with_strata : bool
        Whether strata enter the model.

    Returns
    -------
    Adjustment
        Full rank beside a constant.
    """
    candidates: list[tuple[str, str, Float[np.ndarray, " n_units"]]] = []
    if with_strata:
        levels = sorted(set(strata))[1:]
        dummies = indicators(strata, levels)
        candidates += [("", f"stratum:{level}", dummies[:, k]) for k, level in enumerate(levels)]
    for name, columns in table.covariates.items():
        width = columns.shape[1]
        candidates += [
            (name, name if width == 1 else f"{name}:{k + 1}", columns[:, k].astype(np.float64))
            for k in range(width)
        ]
    basis = np.ones((len(table.subjects), 1))
    names: list[str] = []
    for _, column_name, column in candidates:
        scale = float(np.abs(column).max(initial=0.0)) or 1.0
        centred = (column - column.mean()) / scale
        if not is_constant(column) and not in_span(centred, basis):
            basis = np.column_stack([basis, centred * scale])
            names.append(column_name)
    used = {source for source, column_name, _ in candidates if column_name in names}
    notes = tuple(
        f"Covariate {name} is constant over the participants or follows from the other "
        "columns, and was left out of the model."
        for name in table.covariates
        if name not in used
    )
    return Adjustment(columns=basis[:, 1:], names=tuple(names), notes=notes)


def find_aliased(
    groups: Float[np.ndarray, "n_units n_groups"],
    group_names: Sequence[str],
    adjustment: Adjustment,
) -> tuple[Problem, ...]:
    """Name the columns that cannot be told apart from the groups.

    Parameters
    ----------
    groups : ndarray of shape (n_units, n_groups)
        Indicators of the groups; they sum to one.
    group_names : sequence of str
        For the message.
    adjustment : Adjustment
        Columns beside the groups.

    Returns
    -------
    tuple of Problem
        Empty when the model has full rank.
    """
    X = np.column_stack([groups, adjustment.columns])
    length = np.linalg.norm(X, axis=0)
    unit = X / np.where(length > 0.0, length, 1.0)  # no unit of a covariate decides on the rank
    if (
        X.shape[1] <= X.shape[0]
        and np.linalg.matrix_rank(unit, tol=TOLERANCE * _norm(unit)) == X.shape[1]
    ):
        return ()
    if X.shape[1] >= X.shape[0]:
        return (
            Problem(
                what="the model leaves no residual degrees of freedom",
                found=f"{X.shape[0]} participants, {X.shape[1]} columns "
                f"({', '.join((*group_names, *adjustment.names))})",
                expected="more participants than columns",
            ),
        )
    aliased = tuple(
        name
        for k, name in enumerate(adjustment.names)
        if in_span(
            adjustment.columns[:, k],
            np.column_stack([groups, np.delete(adjustment.columns, k, axis=1)]),
        )
    )
    return (
        Problem(
            what="the effect cannot be told apart from the columns it is adjusted for",
            found=f"{', '.join(aliased)} collinear with {', '.join(group_names)}",
            expected="covariates and strata that vary within a group",
        ),
    )


def no_freedom(n_rows: int, n_columns: int, rows: str = "participants") -> list[Problem]:
    """Say when a model leaves nothing to estimate the error from.

    Parameters
    ----------
    n_rows : int
        Rows with data.
    n_columns : int
        Independent columns, a baseline per outcome among them.
    rows : str, default "participants"
        What rows are.

    Returns
    -------
    list of Problem
        One; none when residual degrees of freedom are left.
    """
    if n_rows > n_columns:
        return []
    return [
        Problem(
            what="the model leaves no residual degrees of freedom",
            found=f"{n_rows} {rows}, {n_columns} columns",
        )
    ]


def _norm(X: Float[np.ndarray, "n k"]) -> float:
    return float(np.linalg.norm(X, 2))
