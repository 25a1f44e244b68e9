"""Correlation of a score with every outcome."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy import special, stats

from phmri.exceptions import DesignError, Problem
from phmri.group._confidence import confidence_problems
from phmri.group.association._check import (
    codes_of,
    data_problems,
    length_problems,
    nuisance_columns,
)
from phmri.group.association._records import Correlation
from phmri.group.association._slopes import slope_statistic, slope_test

__all__ = [
    "Method",
    "correlate",
    "left_of_score",
    "partial_correlation",
    "ranked",
    "within_problems",
]

Method = Literal["pearson", "spearman"]
BLOCK = 8192
"""Outcomes taken at once: bounds the memory, changes no number."""
VANISHING = 1e-24
"""Squared length, relative to that before the projection, that counts as zero."""
FEWEST_DF = 2


def correlate(
    outcomes: Float[np.ndarray, "n_rows n_outcomes"],
    score: Float[np.ndarray, " n_participants"],
    *,
    method: Method = "pearson",
    nuisance: Float[np.ndarray, "n_others n_nuisance"] | None = None,
    groups: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Correlation:
    r"""Correlate a score with every outcome, across participants.

    Parameters
    ----------
    outcomes : ndarray of shape (n_participants, n_outcomes)
        In the measure's unit, such as the change of every voxel.
    score : ndarray of shape (n_participants,)
        In points of the scale, such as its change.
    method : {"pearson", "spearman"}, default "pearson"
        Of the values, or of their ranks (mid-ranks for ties; the nuisance is ranked too).
    nuisance : ndarray of shape (n_participants, n_nuisance), optional
        Taken out of both.
    groups : sequence of str, optional
        Arm of each participant: its means are taken out of both, and whether the arms share a
        slope is tested.
    confidence : float, default 0.95
        Of the interval, between 0 and 1.

    Returns
    -------
    Correlation
        Of every outcome; p-values are for one outcome asked for beforehand.

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, nothing of the score is left beside the
        nuisance, fewer than two degrees of freedom are left, or the confidence is not a
        probability.

    Notes
    -----
    :math:`t = r\sqrt{\nu/(1-r^2)}` with :math:`\nu = n - 1 - \mathrm{rank}(Z)`; the interval is
    Fisher's, :math:`\tanh(\operatorname{artanh} r \pm z\,/\sqrt{\nu-1})`, for ranks with
    :math:`\sqrt{(1+r^2/2)/(\nu-1)}` [1]_. Both assume independent participants and, for the
    values, normal errors; ranks of scores with a floor need neither line nor normality. The test
    of slopes takes the score as response.

    References
    ----------
    .. [1] Bonett and Wright (2000), doi:10.1007/BF02294183.
    """
    n = score.size
    problems = [
        *data_problems({"outcomes": outcomes, "score": score, "nuisance": nuisance}, n),
        *length_problems({} if groups is None else {"groups": len(groups)}, n),
        *confidence_problems(confidence),
    ]
    if problems:
        raise DesignError(*problems)
    codes = codes_of(groups, n)
    if method == "spearman":
        score = ranked(score)
        nuisance = None if nuisance is None else ranked(nuisance)
    basis = nuisance_columns(codes, nuisance)
    left, problems = left_of_score(score, basis)
    if problems:
        raise DesignError(*problems)
    return partial_correlation(
        outcomes, left, basis, codes=codes, method=method, confidence=confidence
    )


def ranked(values: Float[np.ndarray, "n_rows ..."]) -> Float[np.ndarray, "n_rows ..."]:
    """Give mid-ranks of every column.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        Numbers.

    Returns
    -------
    ndarray of shape (n_rows, ...)
        From 1; ties share the mean of their ranks.
    """
    return np.asarray(stats.rankdata(values, axis=0), dtype=np.float64)


def left_of_score(
    score: Float[np.ndarray, " n_rows"], basis: Float[np.ndarray, "n_rows n_columns"]
) -> tuple[Float[np.ndarray, " n_rows"], list[Problem]]:
    """Take nuisance out of the score, and name what keeps it from being correlated.

    Parameters
    ----------
    score : ndarray of shape (n_rows,)
        Values or ranks.
    basis : ndarray of shape (n_rows, n_columns)
        Orthonormal basis of what is taken out.

    Returns
    -------
    left : ndarray of shape (n_rows,)
        The score without it, of length 1 if it varies.
    problems : list of Problem
        Empty if it can be correlated.
    """
    n, q = basis.shape
    left = score - basis @ (basis.T @ score)
    length = float(left @ left)
    problems = []
    if n - q - 1 < FEWEST_DF:
        problems.append(
            Problem(
                what="too few rows for a correlation beside groups and nuisance",
                found=f"{n} rows and {q} columns to take out",
                expected=f"{q + 1 + FEWEST_DF} rows or more",
            )
        )
    if length <= VANISHING * float(score @ score):
        problems.append(
            Problem(
                what="a score of which nothing is left beside groups and nuisance",
                field="score",
                expected="a score that varies",
            )
        )
    return (left / np.sqrt(length) if not problems else left), problems


def within_problems(problems: Sequence[Problem], where: str = "within") -> list[Problem]:
    """Say of problems that they are those within participants, or between them.

    Parameters
    ----------
    problems : sequence of Problem
        From `left_of_score`.
    where : {"within", "between"}, default "within"
        Which part of repeated measurements it is.

    Returns
    -------
    list of Problem
        The same, told apart.
    """
    return [replace(item, what=f"{where} participants: {item.what}") for item in problems]


def partial_correlation(
    outcomes: Float[np.ndarray, "n_rows n_outcomes"],
    left: Float[np.ndarray, " n_rows"],
    basis: Float[np.ndarray, "n_rows n_columns"],
    *,
    codes: Int[np.ndarray, " n_rows"] | None,
    method: Method,
    confidence: float,
) -> Correlation:
    """Correlate what is left of a score with every outcome, block by block.

    Parameters
    ----------
    outcomes : ndarray of shape (n_rows, n_outcomes)
        Values; ranked here if asked for.
    left : ndarray of shape (n_rows,)
        Score without nuisance, of length 1.
    basis : ndarray of shape (n_rows, n_columns)
        Orthonormal basis of groups and nuisance.
    codes : ndarray of shape (n_rows,) or None
        Groups whose slopes are compared; None: slopes are not compared.
    method : {"pearson", "spearman"}
        Whether outcomes are ranked.
    confidence : float
        Of the interval.

    Returns
    -------
    Correlation
        Of every outcome.
    """
    n, q = basis.shape
    df = float(n - q - 1)
    n_groups = 1 if codes is None else int(codes.max()) + 1
    slope_df = (n_groups - 1.0, float(n - q - n_groups))
    compared = n_groups > 1 and slope_df[1] >= 1
    r = np.empty(outcomes.shape[1])
    f = np.empty(outcomes.shape[1])
    for start in range(0, r.size, BLOCK):
        part = slice(start, start + BLOCK)
        block = outcomes[:, part].astype(np.float64)
        if method == "spearman":
            block = ranked(block)
        rest = block - basis @ (basis.T @ block)
        squared = np.einsum("ij,ij->j", rest, rest)
        flat = squared <= VANISHING * np.einsum("ij,ij->j", block, block)
        r[part] = np.where(flat, np.nan, left @ rest / np.sqrt(np.where(flat, 1.0, squared)))
        if compared and codes is not None:
            f[part] = slope_statistic(block, left, basis, codes)
    r = np.clip(r, -1.0, 1.0)
    with np.errstate(divide="ignore"):
        t = r * np.sqrt(df / (1 - r**2))
        spread = np.sqrt((1 + r**2 / 2 if method == "spearman" else 1.0) / (df - 1))
        half = float(stats.norm.ppf((1 + confidence) / 2)) * spread
        low, high = np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)
    return Correlation(
        r=r,
        t=t,
        df=df,
        low=low,
        high=high,
        pvalue=2 * special.stdtr(df, -np.abs(t)),
        slopes=slope_test(f, slope_df) if compared else None,
        status=np.where(np.isnan(r), 3, 0).astype(np.uint8),
    )
