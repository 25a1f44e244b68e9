"""Estimates where some participants have no data."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.group._fit import fit_contrast
from phmri.group._records import Estimate, UnitDesign

__all__ = ["fit_covered"]


def fit_covered(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    tested: Bool[np.ndarray, " n_outcomes"],
) -> Estimate:
    """Estimate the effect in every outcome from the participants that have data there.

    Parameters
    ----------
    design : UnitDesign
        Rows, model and contrast.
    Y : ndarray of shape (n_units, n_outcomes)
        NaN where a participant has no data.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one; NaN likewise.
    tested : ndarray of bool of shape (n_outcomes,)
        Outcomes that can be modelled; effect, t and d are 0 and the standard error is 1 elsewhere.

    Returns
    -------
    Estimate
        With degrees of freedom per outcome.

    Notes
    -----
    Outcomes with the same participants missing are fitted together by `fit_contrast`, with the
    rows that are left.
    """
    has = np.isfinite(Y)
    if baseline is not None:
        has &= np.isfinite(baseline)
    if has.all() and tested.all():
        return fit_contrast(design, Y, baseline)
    n_outcomes = Y.shape[1]
    effect, t, d, df = np.zeros((4, n_outcomes))
    se = np.ones(n_outcomes)
    patterns, member = np.unique(np.packbits(has, axis=0), axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero((member.ravel() == number) & tested)
        if not columns.size:
            continue
        rows = has[:, columns[0]]
        found = fit_contrast(
            _restrict(design, rows),
            Y[np.ix_(rows, columns)],
            None if baseline is None else baseline[np.ix_(rows, columns)],
        )
        effect[columns], se[columns], t[columns] = found.effect, found.se, found.t
        d[columns], df[columns] = found.d, found.df
    return Estimate(effect=effect, se=se, t=t, df=df, d=d)


def _restrict(design: UnitDesign, rows: Bool[np.ndarray, " n_units"]) -> UnitDesign:
    """Leave rows out of a model; exchangeability, which a fit does not look at, stays."""
    keep = rows.tolist()
    return replace(
        design,
        X=design.X[rows],
        subjects=tuple(s for s, kept in zip(design.subjects, keep, strict=True) if kept),
        groups=tuple(g for g, kept in zip(design.groups, keep, strict=True) if kept),
        present=None,
        variance_groups=None if design.variance_groups is None else design.variance_groups[rows],
    )
