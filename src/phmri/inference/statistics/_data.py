"""Outcomes made ready for shuffling: ranks, coverage, and what is left beside the nuisance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from phmri.exceptions import Problem
from phmri.group import UnitDesign
from phmri.inference.statistics._shuffled_model import Layout
from phmri.protocol import Inference

__all__ = ["Adjusted", "adjust", "find_misfits", "has_still_group", "is_covered", "to_ranks"]

VANISHING = 1e-24
"""Squared length, relative to the squared length before projection, that counts as zero."""
LEAST_FREE = 1e-12
"""Share of the model's directions that a baseline must leave free."""
STILL = 1e-20
"""Squared length of a group's rows, relative to that of all, that counts as zero."""
NAMED = 5
"""Participants named in a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Outcomes without what the model explains.

    Parameters
    ----------
    null : ndarray of shape (n_rows, n_outcomes)
        Residuals of nuisance and baseline, of length 1; 0 where degenerate.
    full : ndarray of shape (n_rows, n_outcomes)
        Residuals of the whole model, of length 1; 0 where degenerate.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        Free of the nuisance and of length 1.
    degenerate : ndarray of shape (n_outcomes,)
        The outcome or its baseline does not vary, the baseline holds the contrast, or the model
        fits without error.
    """

    null: Float[np.ndarray, "n_rows n_outcomes"]
    full: Float[np.ndarray, "n_rows n_outcomes"]
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None
    degenerate: Bool[np.ndarray, " n_outcomes"]


def adjust(
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    baseline: Float[np.ndarray, "n_rows n_outcomes"] | None,
    nuisance: Float[np.ndarray, "n_rows n_nuisance"],
    directions: Float[np.ndarray, "n_rows n_directions"],
) -> Adjusted:
    r"""Take nuisance and baseline, and then the directions too, out of the outcomes.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        Outcomes.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        One more regressor per outcome.
    nuisance, directions : ndarray of shape (n_rows, n)
        Orthonormal together.

    Returns
    -------
    Adjusted

    Notes
    -----
    Beside the unit baseline :math:`u`, with :math:`a = D^\top u` of the directions :math:`D`, the
    coefficients of :math:`D` are :math:`b = w + a\,(a^\top w)/(1 - a^\top a)`,
    :math:`w = D^\top e`, and the residuals :math:`e - Db + u\,a^\top b`.
    """
    null, before, after = _project(nuisance, Y)
    degenerate = after <= VANISHING * before
    unit = None
    if baseline is None:
        full = null - directions @ (directions.T @ null)
    else:
        unit, start, left = _project(nuisance, baseline)
        flat = left <= VANISHING * start
        unit *= _inverse(left, flat)
        null -= unit * np.sum(unit * null, axis=0)
        a = directions.T @ unit
        free = 1 - np.sum(a**2, axis=0)
        flat |= free <= LEAST_FREE
        w = directions.T @ null
        b = w + a * (np.sum(a * w, axis=0) / np.where(flat, 1.0, free))
        full = null - directions @ b + unit * np.sum(a * b, axis=0)
        degenerate |= flat
    remaining, error = np.sum(null**2, axis=0), np.sum(full**2, axis=0)
    degenerate |= (remaining <= VANISHING * before) | (error <= VANISHING * remaining)
    null *= _inverse(remaining, degenerate)
    full *= _inverse(error, degenerate)
    return Adjusted(null=null, full=full, baseline=unit, degenerate=degenerate)


def _project(
    Q: Float[np.ndarray, "n_rows k"], Y: Float[np.ndarray, "n_rows n_outcomes"]
) -> tuple[
    Float[np.ndarray, "n_rows n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
    Float[np.ndarray, " n_outcomes"],
]:
    """Give what is left of the columns, and their squared lengths before and after."""
    left = Y - Q @ (Q.T @ Y)
    return left, np.sum(Y**2, axis=0), np.sum(left**2, axis=0)


def _inverse(
    squared: Float[np.ndarray, " n"], vanished: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Give 1 over the length, 0 where nothing is left."""
    return np.asarray(np.where(vanished, 0.0, 1 / np.sqrt(np.where(vanished, 1.0, squared))))


def has_still_group(
    full: Float[np.ndarray, "n_rows n_outcomes"], groups: Int[np.ndarray, " n_rows"]
) -> Bool[np.ndarray, " n_outcomes"]:
    """Tell where a variance group has no error, so that it would have a weight without end.

    Parameters
    ----------
    full : ndarray of shape (n_rows, n_outcomes)
        Residuals of the whole model, of length 1; 0 where a row is missing.
    groups : ndarray of int of shape (n_rows,)
        Variance group of each row.

    Returns
    -------
    ndarray of bool of shape (n_outcomes,)
        Such as an arm at the floor of a scale.
    """
    still = np.zeros(full.shape[1], dtype=bool)
    for group in np.unique(groups):
        still |= np.sum(full[groups == group] ** 2, axis=0) <= STILL
    return still


def to_ranks(
    values: Float[np.ndarray, "n_rows n_outcomes"],
) -> Float[np.ndarray, "n_rows n_outcomes"]:
    """Rank the rows of every outcome.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_outcomes)
        NaN stays NaN.

    Returns
    -------
    ndarray of shape (n_rows, n_outcomes)
        From 1; ties share the mean of their ranks.
    """
    ranks: Float[np.ndarray, "n_rows n_outcomes"] = rankdata(values, axis=0, nan_policy="omit")
    return ranks


def is_covered(
    known: Bool[np.ndarray, "n_rows n_outcomes"], groups: tuple[str, ...], min_coverage: float
) -> Bool[np.ndarray, " n_outcomes"]:
    """Tell where enough rows of every group have data.

    Parameters
    ----------
    known : ndarray of shape (n_rows, n_outcomes)
        Rows that have data.
    groups : tuple of str
        Arm or sequence of each row.
    min_coverage : float
        Least fraction.

    Returns
    -------
    ndarray of shape (n_outcomes,)
        True where an outcome can be tested.
    """
    names = np.array(groups)
    covered = np.ones(known.shape[1], dtype=bool)
    for name in np.unique(names):
        covered &= known[names == name].mean(axis=0) >= min_coverage - 1e-12
    return covered


def find_misfits(
    design: UnitDesign,
    layout: Layout,
    Y: Float[np.ndarray, "..."],
    baseline: Float[np.ndarray, "..."] | None,
    settings: Inference,
) -> list[Problem]:
    """List how outcomes do not fit the design.

    Parameters
    ----------
    design : UnitDesign
        Names the participants.
    layout : Layout
        Rows that must have data.
    Y : ndarray of shape (n_planned, n_outcomes)
        Outcomes.
    baseline : ndarray of shape (n_planned, n_outcomes) or None
        Each row's own baseline.
    settings : Inference
        ``min_coverage`` is read: below 1, NaN is a missing value.

    Returns
    -------
    list of Problem
        A baseline missing or superfluous, shapes that do not fit, values that are not finite.
    """
    problems = []
    if design.voxelwise_baseline == (baseline is None):
        problems.append(
            Problem(
                what="the design " + ("needs" if baseline is None else "does not take") + " a "
                "baseline image as covariate",
                field="baseline",
            )
        )
    wanted = (len(design.subjects), Y.shape[-1])
    for field, values in (("outcome", Y), ("baseline", baseline)):
        if values is None:
            continue
        if values.shape != wanted or not values.size:
            problems.append(
                Problem(
                    what="values of another shape than rows x outcomes",
                    field=field,
                    found=str(values.shape),
                    expected=f"({wanted[0]}, at least 1), the same for outcome and baseline",
                )
            )
            continue
        partial = settings.min_coverage < 1
        good = ~np.isinf(values) if partial else np.isfinite(values)
        rows = np.flatnonzero(layout.present & ~good.all(axis=1))
        if rows.size:
            names = list(dict.fromkeys(design.subjects[row] for row in rows))
            problems.append(
                Problem(
                    what="values that are not finite",
                    field=field,
                    found=f"{np.count_nonzero(~good[rows])} in participants "
                    f"{', '.join(names[:NAMED])}"
                    + (f" and {len(names) - NAMED} more" if len(names) > NAMED else ""),
                    expected="finite numbers"
                    + ("" if partial else "; min_coverage below 1 allows NaN"),
                )
            )
    return problems
