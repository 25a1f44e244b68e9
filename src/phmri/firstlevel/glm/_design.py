r"""A design reduced to an orthonormal basis of what it spans, and its contrasts in that basis.

With :math:`X = Q T`, :math:`Q^\top Q = I`, a contrast :math:`C b` that can be estimated is
:math:`D\theta`, :math:`\theta = T b`, so that a design of deficient rank needs no further care.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem
from phmri.firstlevel.glm._records import Contrast

__all__ = ["Design", "reduce_design"]

_RANK_TOLERANCE = 1e-10
_SPAN_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A design that can be fitted.

    Parameters
    ----------
    basis : ndarray of shape (n_volumes, rank)
        Orthonormal.
    rows : ndarray of shape (n_rows, rank)
        Rows of all contrasts, as weights of the basis.
    contrasts : dict of str to slice
        Which of the rows are whose.
    """

    basis: Float[np.ndarray, "n_volumes rank"]
    rows: Float[np.ndarray, "n_rows rank"]
    contrasts: dict[str, slice]

    @property
    def rank(self) -> int:
        """Give the dimension of the span.

        Returns
        -------
        int
            Columns of the basis.
        """
        return int(self.basis.shape[1])

    @property
    def df(self) -> int:
        """Give the degrees of freedom of the residuals.

        Returns
        -------
        int
            Volumes minus rank.
        """
        return int(self.basis.shape[0]) - self.rank


def reduce_design(
    X: Float[np.ndarray, "n_volumes n_columns"],
    contrasts: Sequence[Contrast],
    column_names: Sequence[str] | None = None,
) -> tuple[Design | None, list[Problem]]:
    """Find the basis of a design and translate its contrasts.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, n_columns)
        The constant is in its span.
    contrasts : sequence of Contrast
        To be estimated.
    column_names : sequence of str, optional
        For messages; numbers counted from 0 otherwise.

    Returns
    -------
    design : Design or None
        None where X itself cannot be used.
    problems : list of Problem
        All that is wrong with X and the contrasts.
    """
    names = list(column_names or [str(j) for j in range(X.shape[1])])
    problems = _problems_of_columns(X, names)
    if problems:
        return None, problems
    norms = np.sqrt((X * X).sum(axis=0))
    norms[norms == 0] = 1.0
    left, size, right = np.linalg.svd(X / norms, full_matrices=False)
    rank = int((size > _RANK_TOLERANCE * size[0]).sum())
    basis, rows = left[:, :rank], right[:rank]
    problems = _problems_of_span(basis)
    translated = [np.empty((0, rank))]
    parts: dict[str, slice] = {}
    n_rows = 0
    for contrast in contrasts:
        found = _problems_of_contrast(contrast, norms, rows, names)
        if contrast.name in parts:
            found.append(Problem(what="two contrasts have one name", field=contrast.name))
        problems += found
        if not found:
            translated.append((contrast.weights / norms) @ (rows.T / size[:rank]))
            parts[contrast.name] = slice(n_rows, n_rows + len(contrast.weights))
            n_rows += len(contrast.weights)
    design = Design(
        basis=np.ascontiguousarray(basis), rows=np.concatenate(translated), contrasts=parts
    )
    return design, problems


def _problems_of_columns(
    X: Float[np.ndarray, "n_volumes n_columns"], names: list[str]
) -> list[Problem]:
    problems = []
    if not X.size:
        problems.append(Problem(what="the design is empty", found=f"shape {X.shape}"))
    if len(names) != X.shape[1]:
        problems.append(
            Problem(
                what="columns and their names differ in number",
                found=f"{len(names)} names",
                expected=f"{X.shape[1]}",
            )
        )
    bad = np.flatnonzero(~np.isfinite(X).all(axis=0)).tolist()
    if bad:
        problems.append(
            Problem(
                what="columns of the design are not finite",
                found=", ".join(names[j] if len(names) > j else str(j) for j in bad),
                expected="numbers",
            )
        )
    return problems


def _problems_of_span(basis: Float[np.ndarray, "n_volumes rank"]) -> list[Problem]:
    n, rank = basis.shape
    problems = []
    ones = np.full(n, n**-0.5)
    left_over = float(np.linalg.norm(ones - basis @ (basis.T @ ones)))
    if left_over > _SPAN_TOLERANCE:
        problems.append(
            Problem(
                what="the design has no constant, and the data have a mean",
                expected="a column of ones, or columns that sum to one",
            )
        )
    if rank >= n:
        problems.append(
            Problem(
                what="the design leaves no degree of freedom",
                found=f"rank {rank}, {n} volumes",
                expected="fewer columns, or more volumes",
            )
        )
    return problems


def _problems_of_contrast(
    contrast: Contrast,
    norms: Float[np.ndarray, " n_columns"],
    rows: Float[np.ndarray, "rank n_columns"],
    names: list[str],
) -> list[Problem]:
    weights = contrast.weights
    if weights.shape[1] != norms.size or not weights.shape[0] or not np.isfinite(weights).all():
        return [
            Problem(
                what="a contrast does not fit the design",
                field=contrast.name,
                found=f"shape {weights.shape}"
                + ("" if np.isfinite(weights).all() else " with values that are not finite"),
                expected=f"one or more rows of {norms.size} numbers",
            )
        ]
    scaled = weights / norms
    spread = np.linalg.norm(scaled, axis=1, keepdims=True)
    scaled = scaled / np.where(spread > 0, spread, 1.0)
    left_over = np.abs(scaled - scaled @ rows.T @ rows).max(axis=0)
    if left_over.max() > _SPAN_TOLERANCE:
        loose = np.flatnonzero(left_over > _SPAN_TOLERANCE).tolist()
        return [
            Problem(
                what="a contrast cannot be estimated: columns it rests on are zero or are "
                "combinations of each other",
                field=contrast.name,
                found="columns " + ", ".join(names[j] for j in loose),
                expected="a contrast that is the same for every solution",
            )
        ]
    if np.linalg.matrix_rank(scaled, tol=_SPAN_TOLERANCE) < len(scaled):
        return [
            Problem(
                what="rows of a contrast are zero or combinations of each other",
                field=contrast.name,
                found=f"{len(scaled)} rows of rank "
                f"{np.linalg.matrix_rank(scaled, tol=_SPAN_TOLERANCE)}",
            )
        ]
    return []
