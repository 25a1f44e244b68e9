"""What data for an association may be, and the columns to take out of it."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem

__all__ = [
    "codes_of",
    "data_problems",
    "length_problems",
    "nuisance_columns",
]

DEPENDENT = 1e-10
"""Length of a column beside others, relative to its own, that counts as zero."""


def data_problems(
    arrays: Mapping[str, Float[np.ndarray, "..."] | None], n_rows: int
) -> list[Problem]:
    """Name numbers of another length than the score, or not finite.

    Parameters
    ----------
    arrays : mapping of str to ndarray or None
        By the name of the argument; None: not given.
    n_rows : int
        Rows of the score.

    Returns
    -------
    list of Problem
        Empty if all fit.
    """
    given = {name: values for name, values in arrays.items() if values is not None}
    problems = length_problems({name: len(values) for name, values in given.items()}, n_rows)
    for name, values in given.items():
        bad = int(values.size - np.isfinite(values).sum())
        if bad:
            problems.append(
                Problem(
                    what="values that are not finite",
                    field=name,
                    found=str(bad),
                    expected="none missing",
                )
            )
    return problems


def length_problems(lengths: Mapping[str, int], n_rows: int) -> list[Problem]:
    """Name what has another number of rows than the score.

    Parameters
    ----------
    lengths : mapping of str to int
        Rows by the name of the argument.
    n_rows : int
        Rows of the score.

    Returns
    -------
    list of Problem
        Empty if all fit.
    """
    return [
        Problem(
            what="another number of rows than the score",
            field=name,
            found=str(length),
            expected=str(n_rows),
        )
        for name, length in lengths.items()
        if length != n_rows
    ]


def codes_of(groups: Sequence[str] | None, n_rows: int) -> Int[np.ndarray, " n_rows"]:
    """Give every row the number of its group, in the order of names.

    Parameters
    ----------
    groups : sequence of str or None
        Group of each row; None: all in one.
    n_rows : int
        Rows of the score.

    Returns
    -------
    ndarray of shape (n_rows,)
        From 0.
    """
    if groups is None:
        return np.zeros(n_rows, dtype=np.int64)
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def nuisance_columns(
    codes: Int[np.ndarray, " n_rows"], nuisance: Float[np.ndarray, "n_rows n_nuisance"] | None
) -> Float[np.ndarray, "n_rows n_columns"]:
    """Give an orthonormal basis of a mean per group and the nuisance.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Group of each row, from 0.
    nuisance : ndarray of shape (n_rows, n_nuisance) or None
        Further columns; what they repeat is counted once.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
        As many columns as the space has dimensions.
    """
    means = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)
    basis: Float[np.ndarray, "n_rows n_groups"] = means / np.sqrt(means.sum(axis=0))
    if nuisance is None:
        return basis
    # Without the means first, and each of length 1: no unit may decide on the rank.
    left = nuisance - basis @ (basis.T @ nuisance)
    length = np.linalg.norm(left, axis=0)
    varies = length > DEPENDENT * np.linalg.norm(nuisance, axis=0)
    U, S, _ = np.linalg.svd(left[:, varies] / length[varies], full_matrices=False)
    return np.concatenate([basis, U[:, S > DEPENDENT]], axis=1)
