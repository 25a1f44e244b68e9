r"""The linear model that shuffled data meet.

A model is :math:`Y = x\beta + Z\gamma + \epsilon` with the columns :math:`x` of the contrast and
the nuisance :math:`Z`. Either residuals are shuffled, and the model stays; or labels are, and
with every shuffling :math:`P` the model becomes :math:`[Px, PW, Z]`, where :math:`W` are the other
columns that were dealt with the contrast's. In both cases it is held as orthonormal columns, first
those that shuffled data are orthogonal to whatever the shuffling, last those of the contrast.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.exceptions import InferenceError, Problem
from phmri.group import UnitDesign
from phmri.inference.shuffling._row_tree import row_orbits
from phmri.inference.shuffling._source import labels_move
from phmri.protocol import Inference

__all__ = ["Layout", "TileModel", "make_layout", "meet", "orthonormal", "stay"]

TOLERANCE = 1e-9
"""Length, relative to that before projection, below which nothing is left of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A design split into what moves and what stays.

    Parameters
    ----------
    moves_labels : bool
        Rows of ``columns`` change places; otherwise rows of the data do.
    present : ndarray of shape (n_planned,)
        Rows that have data.
    nuisance : ndarray of shape (n_rows, n_nuisance)
        Orthonormal, over the rows with data; taken out of the data before shuffling.
    n_still : int
        First columns of the nuisance, to which shuffled data remain orthogonal.
    columns : ndarray of shape (n_planned, n_moved)
        Dealt columns and, last, those of the contrast: orthonormal and free of the nuisance if
        residuals move, as they are if labels move.
    n_contrasts : int
        Columns of the contrast.
    groups : ndarray of shape (n_planned,)
        Variance group of each row, from 0; moves with the labels.
    n_groups : int
        Their number.
    with_baseline : bool
        The model holds one more column, of its own in every outcome.
    """

    moves_labels: bool
    present: Bool[np.ndarray, " n_planned"]
    nuisance: Float[np.ndarray, "n_rows n_nuisance"]
    n_still: int
    columns: Float[np.ndarray, "n_planned n_moved"]
    n_contrasts: int
    groups: Int[np.ndarray, " n_planned"]
    n_groups: int
    with_baseline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TileModel:
    """The model of each shuffling of a tile, and which datum each row of it meets.

    Parameters
    ----------
    basis : ndarray of shape (n_models, n_rows, n_columns)
        Orthonormal columns, or 0 where a column follows from those before it; one model for all
        shufflings, or one each.
    groups : ndarray of shape (n_models, n_rows)
        Variance groups.
    df : ndarray of shape (n_shufflings,)
        Residual degrees of freedom.
    order : ndarray of shape (n_shufflings, n_rows)
        Row i meets datum ``order[i]`` ...
    sign : ndarray of shape (n_shufflings, n_rows)
        ... times ``sign[i]``.
    """

    basis: Float[np.ndarray, "n_models n_rows n_columns"]
    groups: Int[np.ndarray, "n_models n_rows"]
    df: Float[np.ndarray, " n_shufflings"]
    order: Int[np.ndarray, "n_shufflings n_rows"]
    sign: Float[np.ndarray, "n_shufflings n_rows"]


def make_layout(design: UnitDesign, settings: Inference) -> Layout:
    """Split a design into what moves and what stays.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    settings : Inference
        ``nuisance`` and ``statistic`` are read.

    Returns
    -------
    Layout

    Raises
    ------
    InferenceError
        When rows without data are to receive residuals, the contrast is not one of dealt columns
        or cannot be estimated, or the model leaves no residual degrees of freedom.
    """
    moves_labels = labels_move(design, settings)
    present = np.ones(len(design.X), dtype=bool) if design.present is None else design.present
    contrast = _independent_rows(design.contrast)
    problems = _misfits(design, present, contrast, moves_labels=moves_labels)
    if problems:
        raise InferenceError(*problems)
    X, dealt = design.X, design.dealt
    if dealt is None:
        x, Z = _split(X, contrast)
        columns = x
    else:
        x, others = _split(X[:, dealt], contrast[:, dealt])
        columns, Z = np.hstack([others, x]), X[:, ~dealt]
    nuisance = orthonormal(Z[present])
    n_still = nuisance.shape[1]
    if not moves_labels:
        nuisance, n_still = _still_first(design, nuisance)
        columns = _directions(nuisance, columns[None], len(contrast))[0]
    groups = np.zeros(len(X), dtype=np.int64)
    if settings.statistic == "v" and design.variance_groups is not None:
        groups = np.unique(design.variance_groups, return_inverse=True)[1].reshape(-1)
    layout = Layout(
        moves_labels=moves_labels,
        present=present,
        nuisance=nuisance,
        n_still=n_still,
        columns=columns,
        n_contrasts=len(contrast),
        groups=groups,
        n_groups=int(groups.max()) + 1,
        with_baseline=design.voxelwise_baseline,
    )
    problems = _inestimable(layout)
    if problems:
        raise InferenceError(*problems)
    return layout


def meet(
    layout: Layout,
    order: Int[np.ndarray, "n_shufflings n_planned"],
    sign: Float[np.ndarray, "n_shufflings n_planned"],
) -> TileModel:
    """Let shufflings move what the layout says moves.

    Parameters
    ----------
    layout : Layout
        What moves and what stays.
    order : ndarray of shape (n_shufflings, n_planned)
        Row i receives row ``order[i]``.
    sign : ndarray of shape (n_shufflings, n_planned)
        1 or -1.

    Returns
    -------
    TileModel
        Over the rows that have data.
    """
    nuisance, present = layout.nuisance, layout.present
    groups = layout.groups[None, present]
    if layout.moves_labels:
        moved = (layout.columns[order] * sign[:, :, None])[:, present]
        directions = _directions(nuisance, moved, layout.n_contrasts)
        groups = layout.groups[order][:, present]
        order = np.tile(np.arange(len(nuisance)), (len(order), 1))
        sign = np.ones(order.shape)
    else:
        directions = layout.columns[None]
    shape = (len(directions), *nuisance.shape)
    basis = np.concatenate([np.broadcast_to(nuisance, shape), directions], axis=2)
    rank = nuisance.shape[1] + np.count_nonzero(directions.any(axis=1), axis=1)
    df = len(nuisance) - rank - float(layout.with_baseline)
    return TileModel(
        basis=basis,
        groups=groups,
        df=np.broadcast_to(np.maximum(df, 1.0), len(order)).copy(),
        order=order,
        sign=sign,
    )


def stay(layout: Layout) -> TileModel:
    """Give the model of the data as they are.

    Parameters
    ----------
    layout : Layout
        What moves and what stays.

    Returns
    -------
    TileModel
        Of the identity alone.
    """
    n_planned = len(layout.present)
    return meet(layout, np.arange(n_planned)[None], np.ones((1, n_planned)))


def orthonormal(columns: Float[np.ndarray, "n_rows n"]) -> Float[np.ndarray, "n_rows rank"]:
    """Give an orthonormal basis of what columns span.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n)
        Of any rank.

    Returns
    -------
    ndarray of shape (n_rows, rank)
        Orthonormal columns.
    """
    basis, lengths, _ = np.linalg.svd(columns, full_matrices=False)
    held: Float[np.ndarray, "n_rows rank"] = basis[:, lengths > TOLERANCE * lengths.max(initial=0)]
    return held


def _split(
    X: Float[np.ndarray, "n_rows n_columns"], contrast: Float[np.ndarray, "q n_columns"]
) -> tuple[Float[np.ndarray, "n_rows q"], Float[np.ndarray, "n_rows n_others"]]:
    """Write X b as x (C b) + Z g."""
    _, _, rows = np.linalg.svd(contrast)
    return X @ np.linalg.pinv(contrast), X @ rows[len(contrast) :].T


def _independent_rows(contrast: Float[np.ndarray, "..."]) -> Float[np.ndarray, "q n_columns"]:
    """Leave out rows of a joint contrast that follow from the others; one row stays as it is."""
    rows = np.atleast_2d(contrast)
    if len(rows) == 1:
        return rows
    return orthonormal(rows.T).T


def _directions(
    nuisance: Float[np.ndarray, "n_rows n_nuisance"],
    columns: Float[np.ndarray, "n_models n_rows n_moved"],
    n_contrasts: int,
) -> Float[np.ndarray, "n_models n_rows n_moved"]:
    """Make the last columns orthonormal and free of the rest, and the rest of the nuisance.

    Columns that follow from others become 0; those of the contrast all do if one of them does.
    """
    length = float(np.linalg.norm(columns[0]))
    left = columns - nuisance @ (nuisance.T @ columns)
    others, x = left[..., :-n_contrasts], left[..., -n_contrasts:]
    others, lengths, _ = np.linalg.svd(others, full_matrices=False)
    others *= np.asarray(lengths > TOLERANCE * length)[:, None, :]
    for _ in range(2):  # twice is enough: x may be nearly in the span
        x = x - others @ (np.swapaxes(others, 1, 2) @ x)
    basis, lengths, _ = np.linalg.svd(x, full_matrices=False)
    basis *= np.all(lengths > TOLERANCE * length, axis=1, keepdims=True)[:, :, None]
    if n_contrasts == 1:
        basis *= np.sign(np.sum(basis * x, axis=1, keepdims=True))
    return np.concatenate([others, basis], axis=2)


def _still_first(
    design: UnitDesign, nuisance: Float[np.ndarray, "n_rows n_nuisance"]
) -> tuple[Float[np.ndarray, "n_rows n_nuisance"], int]:
    """Rotate the nuisance so that columns come first which no shuffling of residuals meets.

    Residuals are orthogonal to the nuisance; they remain so, wherever they move, to columns that
    are constant over all rows that can come to each other's places.
    """
    if design.exchangeability.kind != "permute" or not nuisance.shape[1]:
        return nuisance, 0
    orbits = row_orbits(design.exchangeability)
    within = nuisance.copy()
    for orbit in np.unique(orbits):
        rows = orbits == orbit
        within[rows] -= nuisance[rows].mean(axis=0)
    _, lengths, rotation = np.linalg.svd(within, full_matrices=False)
    moving = lengths > TOLERANCE
    still_first = np.concatenate([rotation[~moving], rotation[moving]])
    return nuisance @ still_first.T, int(np.count_nonzero(~moving))


def _misfits(
    design: UnitDesign,
    present: Bool[np.ndarray, " n_planned"],
    contrast: Float[np.ndarray, "q n_columns"],
    *,
    moves_labels: bool,
) -> list[Problem]:
    problems = []
    absent = [design.subjects[row] for row in np.flatnonzero(~present)]
    if absent and not moves_labels:
        problems.append(
            Problem(
                what="residuals would move to rows without data",
                field="nuisance",
                found=", ".join(dict.fromkeys(absent)),
                expected="draper_stoneman, which moves labels",
            )
        )
    if design.dealt is not None and contrast[:, ~design.dealt].any():
        undealt = np.flatnonzero(np.abs(contrast).sum(axis=0) * ~design.dealt)
        problems.append(
            Problem(
                what="the contrast is of columns that were not dealt",
                field="contrast",
                found=", ".join(design.columns[column] for column in undealt),
            )
        )
    return problems


def _inestimable(layout: Layout) -> list[Problem]:
    model = stay(layout)
    basis = model.basis[0]
    n_rows, n_columns = basis.shape
    problems = []
    if not basis[:, -layout.n_contrasts :].any():
        problems.append(
            Problem(what="the contrast cannot be estimated: it follows from the nuisance")
        )
    if n_rows - n_columns - layout.with_baseline < 1:
        problems.append(
            Problem(
                what="the model leaves no residual degrees of freedom",
                found=f"{n_rows} rows, {n_columns + layout.with_baseline} columns",
            )
        )
    for group in range(layout.n_groups if layout.n_groups > 1 else 0):
        rows = model.groups[0] == group
        freedom = np.count_nonzero(rows) - float(np.sum(basis[rows] ** 2))
        if freedom <= TOLERANCE:
            problems.append(
                Problem(
                    what="a variance group has no residual degrees of freedom",
                    field="variance_groups",
                    found=f"{np.count_nonzero(rows)} rows",
                    expected="at least one row more than its own columns; or statistic t",
                )
            )
    return problems
