r"""Global brain connectivity: how strongly a voxel goes along with all others.

With :math:`u_j` the cleaned series j at length 1, :math:`r_{vj} = u_v^\top u_j`, so that the mean
correlation of a voxel with all M others needs no pair,

.. math:: \bar r_v = \frac{u_v^\top g - 1}{M}, \qquad g = \sum_j u_j .
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel.local._blocks import (
    clean_blocks,
    n_coordinates,
    only_series,
    refuse,
    refuse_flat,
    refuse_names,
    refuse_single,
    unit_series,
)
from phmri.signals import Cleaning

__all__ = ["global_connectivity"]

_LARGEST_R = 1.0 - 1e-7  # what float32 data can tell from 1; artanh of it is 8.4
_PRODUCTS = 1 << 21  # correlations in memory at once
_LOST = 4.0  # degrees of freedom: what the terms with r take from the sum of squared influences


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    values: Float[np.ndarray, " n_series"]
    variance: Float[np.ndarray, " n_series"]


def global_connectivity(
    cleaning: Cleaning,
    series: Float[np.ndarray, "n_volumes n_series"],
    *,
    names: Sequence[str] = (),
    without_global_signal: Cleaning | None = None,
) -> RunEstimate:
    r"""Average the correlation of each voxel or parcel with all others.

    Parameters
    ----------
    cleaning : Cleaning
        Of this run.
    series : ndarray of shape (n_volumes, n_series)
        Uncleaned, of all voxels of the mask, or of parcels.
    names : sequence of str
        Of the parcels; empty for voxels.
    without_global_signal : Cleaning, optional
        The same cleaning with the global signal among its regressors.

    Returns
    -------
    RunEstimate
        Voxels: the mean Pearson correlation; NaN where a voxel has no variance. Parcels: the mean
        Fisher z. Extra ``withglobalsignalremoved``: the same under the second cleaning. Facts:
        ``mean_of_all`` and ``mean_of_all_withglobalsignalremoved``.

    Notes
    -----
    `FirstLevelError` tells that series do not fit the run, are not finite, are fewer than two,
    that a parcel has no variance after cleaning, that too few degrees of freedom are left, or of
    a cleaning by filter ``butterworth``.

    The mean of z needs every pair, which is for parcels; over voxels the mean of r is exact in
    two passes. The variance is that of the delta method, with the correlation of every two
    pairs: :math:`\sum_t \bar\psi_v(t)^2 \, N / (df - 4)` with the influence
    :math:`\psi_{vj}(t) = u_v(t) u_j(t) - \tfrac12 r_{vj} (u_v(t)^2 + u_j(t)^2)` averaged over j
    (times :math:`1/(1 - r_{vj}^2)` for z), over N coordinates of the cleaned series; the 4 makes
    it right in expectation for unrelated series of any length.

    The global signal is a regressor that a drug can change: report both maps.

    References
    ----------
    Cole et al. 2010, doi:10.1016/j.neuroimage.2009.11.001. Steiger 1980,
    doi:10.1037/0033-2909.87.2.245 (covariance of correlations).
    """
    refuse(only_series(cleaning, "global connectivity") + _too_few(cleaning))
    main = _means(cleaning, series, names)
    extras = {}
    facts: dict[str, float | str | list[str]] = {"mean_of_all": _mean(main.values)}
    if without_global_signal is not None:
        second = _means(without_global_signal, series, names).values
        extras["withglobalsignalremoved"] = second
        facts["mean_of_all_withglobalsignalremoved"] = _mean(second)
    return RunEstimate(
        values=main.values,
        names=tuple(names),
        variance=main.variance,
        df=cleaning.df,
        unit="mean Fisher z" if names else "mean Pearson r",
        variance_assumes="white noise; autocorrelation makes the true variance larger",
        extras=extras,
        facts=facts,
        n_undefined=int(np.isnan(main.values).sum()),
    )


def _too_few(cleaning: Cleaning) -> list[Problem]:
    if cleaning.df > _LOST:
        return []
    return [
        Problem(
            what="too few degrees of freedom for a mean of correlations",
            found=f"{cleaning.df:g}",
            expected=f"more than {_LOST:g}",
        )
    ]


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(values[np.isfinite(values)].mean())


def _means(
    cleaning: Cleaning, series: Float[np.ndarray, "n_volumes n_series"], names: Sequence[str]
) -> _Means:
    if names:
        refuse_names(series, names)
        unit, flat = unit_series(cleaning, series, np.float64)
        refuse_flat(flat, names)
        return _mean_z(unit, cleaning.df)
    return _mean_r(cleaning, series)


def _mean_r(cleaning: Cleaning, series: Float[np.ndarray, "n_volumes n_series"]) -> _Means:
    n = n_coordinates(cleaning)
    total = np.zeros(n)
    squares = np.zeros((n, n))
    others = -1
    for block in clean_blocks(cleaning, series, in_time=False):
        unit = _unit_block(block.values[:, ~block.flat])
        total += unit.sum(axis=1)
        squares += unit @ np.square(unit).T
        others += unit.shape[1]
    refuse_single(others + 1)
    values = np.full(series.shape[1], np.nan)
    variance = np.full(series.shape[1], np.nan)
    for block in clean_blocks(cleaning, series, in_time=False):
        unit = _unit_block(block.values[:, ~block.flat])
        sums = total @ unit - 1.0
        own = np.square(unit)
        influence = unit * total[:, None] - own
        influence -= 0.5 * (own * sums + squares.T @ unit - own)
        where = np.flatnonzero(~block.flat) + block.columns.start
        values[where] = sums / others
        variance[where] = np.square(influence / others).sum(axis=0)
    return _Means(values=values, variance=variance * n / (cleaning.df - _LOST))


def _mean_z(unit: Float[np.ndarray, "n_series n_coordinates"], df: float) -> _Means:
    n_series, n = unit.shape
    refuse_single(n_series)
    others = n_series - 1
    squares = np.square(unit)
    values = np.empty(n_series)
    variance = np.empty(n_series)
    rows = max(1, _PRODUCTS // n_series)
    for start in range(0, n_series, rows):
        part = np.arange(start, min(start + rows, n_series))
        r = np.clip(unit[part] @ unit.T, -_LARGEST_R, _LARGEST_R)
        r[part - start, part] = 0.0
        slope = 1.0 / (1.0 - r * r)
        slope[part - start, part] = 0.0
        values[part] = np.arctanh(r).sum(axis=1) / others
        weighted = slope * r
        influence = unit[part] * (slope @ unit)
        influence -= 0.5 * (squares[part] * weighted.sum(axis=1)[:, None] + weighted @ squares)
        variance[part] = np.square(influence / others).sum(axis=1)
    return _Means(values=values, variance=variance * n / (df - _LOST))


def _unit_block(values: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k n"]:
    return np.asarray(values / np.linalg.norm(values, axis=0))
