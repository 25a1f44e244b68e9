"""Folds of participants."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from phmri.exceptions import DesignError, Problem
from phmri.group.association._check import codes_of, length_problems

__all__ = ["assign_folds"]


def assign_folds(
    n: int, n_folds: int, *, seed: int, groups: Sequence[str] | None = None
) -> Int[np.ndarray, " n"]:
    """Deal participants into folds, every group evenly.

    Parameters
    ----------
    n : int
        Participants, one row each.
    n_folds : int
        From 2 to the number of participants (every one a fold).
    seed : int
        Of the order of participants within their group.
    groups : sequence of str, optional
        Arm of each participant; arms differ by at most one participant between folds.

    Returns
    -------
    ndarray of shape (n,)
        Fold of each participant, from 0.

    Raises
    ------
    DesignError
        When folds are too few or too many, or the groups have another length.

    Notes
    -----
    Participants are sorted by group and a random key, and dealt in turn. Which folds they fall
    in moves the result: fix them, or repeat with several seeds and report all.
    """
    problems = length_problems({} if groups is None else {"groups": len(groups)}, n)
    if not 2 <= n_folds <= n:  # noqa: PLR2004 - one to train, one to test
        problems.append(
            Problem(
                what="folds that cannot be dealt",
                field="n_folds",
                found=str(n_folds),
                expected=f"2 to {n}",
            )
        )
    if problems:
        raise DesignError(*problems)
    keys = np.random.Generator(np.random.PCG64(seed)).random(n)
    folds = np.empty(n, dtype=np.int64)
    folds[np.lexsort((keys, codes_of(groups, n)))] = np.arange(n) % n_folds
    return folds
