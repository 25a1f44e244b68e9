r"""One map against several, with p-values that know of spatial autocorrelation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata, t

from phmri.exceptions import InferenceError, Problem
from phmri.inference.spatial._moran import (
    moran_eigenvectors,
    moran_index,
    moran_surrogates,
    spatial_weights,
)

__all__ = ["MapCorrelations", "associate_maps"]

_ROUNDING = 1e-12
"""A surrogate that differs from the map by rounding alone reaches its correlation."""
_CONSTANT = 1e-10
"""Standard deviation, as a part of the largest value, at which a map is one number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCorrelations:
    """Correlations of one map with several.

    Parameters
    ----------
    statistic : {"pearson", "spearman"}
        Of what the correlations are.
    correlation : ndarray of shape (n_maps,)
        Between -1 and 1.
    pvalue : ndarray of shape (n_maps,)
        Two-sided, against surrogates with the spatial autocorrelation of the map.
    pvalue_corrected : ndarray of shape (n_maps,)
        The same against the largest correlation of each surrogate with any of the maps.
    pvalue_naive : ndarray of shape (n_maps,)
        Two-sided, as if places were independent.
    index : float
        Moran's I of the map.
    indices : ndarray of shape (n_maps,)
        Moran's I of the others.
    n_surrogates : int
        How many were drawn.
    """

    statistic: Literal["pearson", "spearman"]
    correlation: Float[np.ndarray, " n_maps"]
    pvalue: Float[np.ndarray, " n_maps"]
    pvalue_corrected: Float[np.ndarray, " n_maps"]
    pvalue_naive: Float[np.ndarray, " n_maps"]
    index: float
    indices: Float[np.ndarray, " n_maps"]
    n_surrogates: int


def associate_maps(
    values: Float[np.ndarray, " n_places"],
    maps: Float[np.ndarray, "n_maps n_places"],
    positions_mm: Float[np.ndarray, "n_places 3"],
    *,
    statistic: Literal["pearson", "spearman"] = "spearman",
    n_surrogates: int = 5000,
    rng: np.random.Generator,
) -> MapCorrelations:
    r"""Correlate a map with others over places, against chance with the same autocorrelation.

    Parameters
    ----------
    values : ndarray of shape (n_places,)
        The map, e.g. the effect of a drug per parcel, in any unit.
    maps : ndarray of shape (n_maps, n_places)
        The others, e.g. densities of receptors, each in a unit of its own.
    positions_mm : ndarray of shape (n_places, 3)
        Centres of the places, mm.
    statistic : {"pearson", "spearman"}, default "spearman"
        ``spearman`` takes the ranks of all maps, those of surrogates included.
    n_surrogates : int, default 5000
        1 or more.
    rng : Generator
        Source of the surrogates.

    Returns
    -------
    MapCorrelations
        One entry per map.

    Raises
    ------
    InferenceError
        Values that are not finite, a map that does not vary, no surrogate, or positions that
        `spatial_weights` refuses.

    Notes
    -----
    .. math:: p_m = \frac{1 + \#\{\pi: |r_m(x^\pi)| \ge |r_m(x)|\}}{1 + N}, \qquad
        p_m^{\mathrm{FWE}} = \frac{1 + \#\{\pi: \max_l |r_l(x^\pi)| \ge |r_m(x)|\}}{1 + N}

    with surrogates :math:`x^\pi` of `moran_surrogates` [1]_ and the others left as they are, so
    that what these share among themselves is kept: the correction covers all of them, whatever
    their dependence [2]_. The null hypothesis is of places: the map has nothing to do with the
    others but that all are smooth. It says nothing of other participants.

    References
    ----------
    .. [1] Wagner and Dray (2015), doi:10.1111/2041-210X.12407.
    .. [2] Nichols and Holmes (2002), doi:10.1002/hbm.1058.
    """
    problems = _find_faults(values, maps, n_surrogates)
    if problems:
        raise InferenceError(*problems)
    weights = spatial_weights(positions_mm)
    others = _standardise(_scored(maps, statistic))
    correlation = (others @ _standardise(_scored(values[None], statistic)).T)[:, 0]
    surrogates = moran_surrogates(
        values, moran_eigenvectors(weights), n_surrogates=n_surrogates, rng=rng
    )
    drawn = np.abs(_standardise(_scored(surrogates, statistic)) @ others.T)
    reached = np.abs(correlation) - _ROUNDING
    most = np.sort(drawn.max(axis=1))
    n_above = n_surrogates - np.searchsorted(most, reached, side="left")
    return MapCorrelations(
        statistic=statistic,
        correlation=np.clip(correlation, -1.0, 1.0),
        pvalue=(1 + (drawn >= reached).sum(axis=0)) / (1 + n_surrogates),
        pvalue_corrected=(1 + n_above) / (1 + n_surrogates),
        pvalue_naive=_naive(correlation, values.size),
        index=float(moran_index(values[None], weights)[0]),
        indices=moran_index(maps, weights),
        n_surrogates=n_surrogates,
    )


def _find_faults(
    values: Float[np.ndarray, " n_places"],
    maps: Float[np.ndarray, "n_maps n_places"],
    n_surrogates: int,
) -> list[Problem]:
    problems = []
    rows = [("values", values), *((f"maps[{k}]", row) for k, row in enumerate(maps))]
    for field, row in rows:
        n_bad = int((~np.isfinite(row)).sum())
        if n_bad:
            what, found = "a map holds values that are not finite", f"{n_bad} of {row.size}"
        elif row.std() <= _CONSTANT * np.abs(row).max():
            what, found = "a map does not vary", f"{row[0]:.4g} everywhere"
        else:
            continue
        problems.append(Problem(what=what, field=field, found=found))
    if n_surrogates < 1:
        problems.append(
            Problem(
                what="no surrogate is to be drawn",
                field="n_surrogates",
                found=str(n_surrogates),
                expected="1 or more",
            )
        )
    return problems


def _scored(
    maps: Float[np.ndarray, "n_maps n_places"], statistic: str
) -> Float[np.ndarray, "n_maps n_places"]:
    return maps if statistic == "pearson" else rankdata(maps, axis=1)


def _standardise(
    maps: Float[np.ndarray, "n_maps n_places"],
) -> Float[np.ndarray, "n_maps n_places"]:
    centred = maps - maps.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))


def _naive(
    correlation: Float[np.ndarray, " n_maps"], n_places: int
) -> Float[np.ndarray, " n_maps"]:
    df = n_places - 2
    bounded = np.clip(np.abs(correlation), 0.0, 1.0)
    with np.errstate(divide="ignore"):
        statistic = bounded * np.sqrt(df / (1.0 - bounded**2))
    return np.asarray(2.0 * t.sf(statistic, df))
