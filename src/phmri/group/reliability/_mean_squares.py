"""Mean squares of participants by sessions, and what may be measured so."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import Problem

__all__ = ["MeanSquares", "mean_squares", "table_problems"]

FEWEST = 2
VANISHING = 1e-24
"""Sum of squares, relative to that of the values themselves, that counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquares:
    """Two-way analysis of variance without replication.

    Parameters
    ----------
    n, k : int
        Participants and sessions.
    participants, sessions, residual, within : ndarray of shape (n_outcomes,)
        Mean squares: between participants, between sessions, of what neither explains, and of
        sessions and rest together.
    constant : ndarray of shape (n_outcomes,)
        Outcomes that do not vary.
    """

    n: int
    k: int
    participants: Float[np.ndarray, " n_outcomes"]
    sessions: Float[np.ndarray, " n_outcomes"]
    residual: Float[np.ndarray, " n_outcomes"]
    within: Float[np.ndarray, " n_outcomes"]
    constant: Bool[np.ndarray, " n_outcomes"]


def mean_squares(
    values: Float[np.ndarray, "n_participants n_sessions n_outcomes"],
) -> MeanSquares:
    """Split the variance of a complete table of participants by sessions.

    Parameters
    ----------
    values : ndarray of shape (n_participants, n_sessions, n_outcomes)
        In the unit of the measure; no missing session.

    Returns
    -------
    MeanSquares
        One number per outcome and source.
    """
    n, k, _ = values.shape
    left = values.astype(np.float64)
    size = np.einsum("ijv,ijv->v", left, left)
    left -= left.mean(axis=(0, 1))
    rows, columns = left.mean(axis=1), left.mean(axis=0)
    left -= rows[:, None] + columns
    between = k * np.einsum("iv,iv->v", rows, rows)
    session = n * np.einsum("jv,jv->v", columns, columns)
    rest = np.einsum("ijv,ijv->v", left, left)
    return MeanSquares(
        n=n,
        k=k,
        participants=between / (n - 1),
        sessions=session / (k - 1),
        residual=rest / ((n - 1) * (k - 1)),
        within=(session + rest) / (n * (k - 1)),
        constant=between + session + rest <= VANISHING * size,
    )


def table_problems(
    values: Float[np.ndarray, "n_participants n_sessions n_outcomes"],
) -> list[Problem]:
    """Name what keeps a table of participants by sessions from being split.

    Parameters
    ----------
    values : ndarray of shape (n_participants, n_sessions, n_outcomes)
        In the unit of the measure.

    Returns
    -------
    list of Problem
        Too few participants or sessions; values that are not finite.
    """
    problems = [
        Problem(what=f"too few {what} for a reliability", found=str(m), expected="2 or more")
        for what, m in zip(("participants", "sessions"), values.shape, strict=False)
        if m < FEWEST
    ]
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        problems.append(
            Problem(what="values that are not finite", found=str(bad), expected="none missing")
        )
    return problems
