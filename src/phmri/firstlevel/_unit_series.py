r"""Cleaned series of length 1, and what their products are worth.

A cleaned series is :math:`\hat y = (I - QQ^\top) y`, or its coordinates :math:`K y`. Its products
with others of length 1 are correlations, for a projection partial ones given the constant,
filter and confounds; under white noise :math:`\operatorname{Var} z = 1/(df - 2)`. Within blocks,
every condition of the task sees the series through weights of its own.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._blocks import BlockWeights, effective_volumes
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._weighted import cleaned_at, kept_weights, weigh, weighted_variance
from phmri.signals import Cleaning

__all__ = [
    "NO_VARIANCE",
    "Seen",
    "clean",
    "fisher",
    "give_estimates",
    "refuse_other_length",
    "sum_of_z",
    "unit_series",
    "variance_of_z",
]

_LARGEST_R = 1.0 - 1e-7  # what float32 data can tell from 1; artanh of it is 8.4
NO_VARIANCE = 1e-12
"""Of a series' sum of squares: rounding of float32 data, not signal."""


def clean(
    cleaning: Cleaning, series: Float[np.ndarray, "n_volumes n_series"]
) -> Float[np.ndarray, "n_coordinates n_series"]:
    """Apply a run's cleaning to its series.

    Parameters
    ----------
    cleaning : Cleaning
        Of the same run.
    series : ndarray of shape (n_volumes, n_series)
        All volumes of the file.

    Returns
    -------
    ndarray of shape (n_coordinates, n_series)
        ``remove``: the cleaned series, one row per kept volume. ``keep``: coordinates that have
        the same inner products as the cleaned series.

    Raises
    ------
    FirstLevelError
        The series do not fit the run, or hold values that are not finite.
    """
    refuse_other_length(cleaning, series)
    kept = series[cleaning.sample_mask].astype(np.float64)
    if not np.isfinite(kept).all():
        raise FirstLevelError(
            Problem(what="series have values that are not finite", expected="numbers")
        )
    if cleaning.kind == "keep":
        return np.asarray(cleaning.basis.T @ kept)
    once = kept - cleaning.basis @ (cleaning.basis.T @ kept)
    twice = once - cleaning.basis @ (cleaning.basis.T @ once)  # enough for rounding
    return np.asarray(twice)


def refuse_other_length(cleaning: Cleaning, series: Float[np.ndarray, "rows n"]) -> None:
    """Refuse series of another run.

    Parameters
    ----------
    cleaning : Cleaning
    series : ndarray of shape (n_volumes, n_series)

    Raises
    ------
    FirstLevelError
        They are of other length than the run that is cleaned.
    """
    if series.shape[0] != cleaning.sample_mask.size:
        raise FirstLevelError(
            Problem(
                what="series and cleaning are of runs of different length",
                found=f"{series.shape[0]} volumes",
                expected=f"{cleaning.sample_mask.size}",
            )
        )


Seen = list[Float[np.ndarray, "_ _"]]
"""Series of length 1 as each condition sees them; the run as a whole counts as one."""


def unit_series(
    cleaning: Cleaning,
    series: Float[np.ndarray, "n_volumes n"],
    names: Sequence[str],
    within: BlockWeights | None,
) -> Seen:
    """Clean series and scale them to length 1.

    Parameters
    ----------
    cleaning : Cleaning
    series : ndarray of shape (n_volumes, n_series)
        All volumes of the file.
    names : sequence of str
        Of the series.
    within : BlockWeights or None

    Returns
    -------
    list of ndarray of shape (n_coordinates, n_series)
        One per condition; one for the run as a whole.

    Notes
    -----
    `FirstLevelError` tells that the series do not fit the run, are not finite, or have no
    variance; each of these is named.
    """
    cleaned = clean(cleaning, series)
    kept = series[cleaning.sample_mask].astype(np.float64)
    power = (kept**2).sum(axis=0)
    if within is None:
        return [_scaled(cleaned, power, names, "")]
    weights = kept_weights(cleaning, within)
    seen = weights[weights.any(axis=1)]
    at = cleaned_at(cleaning, kept, weights)
    return [
        _scaled(weigh(column, at), column.max() * power, names, f"within the blocks of {name}")
        for name, column in zip(within.conditions, seen.T, strict=True)
    ]


def _scaled(
    cleaned: Float[np.ndarray, "k n"],
    power: Float[np.ndarray, " n"],
    names: Sequence[str],
    where: str,
) -> Float[np.ndarray, "k n"]:
    length = np.einsum("ij,ij->j", cleaned, cleaned)
    flat = length <= NO_VARIANCE * power
    if flat.any():
        raise FirstLevelError(
            *(
                Problem(
                    what="a series has no variance after cleaning",
                    field=names[i],
                    found=where or None,
                    expected="a signal that the confounds do not explain whole",
                )
                for i in np.flatnonzero(flat).tolist()
            )
        )
    return np.asarray(cleaned / np.sqrt(length))


def sum_of_z(ones: Seen, others: Seen, within: BlockWeights | None) -> Float[np.ndarray, "m n"]:
    """Correlate two sets of series, and add the Fisher z of the conditions up.

    Parameters
    ----------
    ones, others : list of ndarray of shape (n_coordinates, n_series)
        One per condition, of length 1.
    within : BlockWeights or None

    Returns
    -------
    ndarray of shape (n_ones, n_others)
    """
    contrast = np.ones(1) if within is None else within.contrast
    parts = [
        weight * fisher(one.T @ other)
        for weight, one, other in zip(contrast.tolist(), ones, others, strict=True)
    ]
    return np.asarray(sum(parts))


def fisher(r: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Give Fisher z, which is finite also of a series with itself.

    Parameters
    ----------
    r : ndarray
        Correlations.

    Returns
    -------
    ndarray
        Of the same shape, at most 8.4.
    """
    return np.asarray(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)))


def variance_of_z(cleaning: Cleaning, within: BlockWeights | None) -> tuple[float, float]:
    """Give the sampling variance of z under white noise.

    Parameters
    ----------
    cleaning : Cleaning
    within : BlockWeights or None

    Returns
    -------
    variance, df : float

    Raises
    ------
    FirstLevelError
        There are no more than two degrees of freedom.
    """
    if within is not None:
        return weighted_variance(cleaning, within)
    if cleaning.df <= 2:  # noqa: PLR2004  1 / (df - 2)
        raise FirstLevelError(
            Problem(
                what="too few degrees of freedom for a correlation",
                found=f"{cleaning.df:g}",
                expected="more than 2",
            )
        )
    return 1.0 / (cleaning.df - 2.0), cleaning.df


def give_estimates(
    cleaning: Cleaning,
    z: Float[np.ndarray, "n_seeds n_outcomes"],
    names: tuple[str, ...],
    within: BlockWeights | None,
) -> tuple[RunEstimate, ...]:
    """Put Fisher z and what it is worth together.

    Parameters
    ----------
    cleaning : Cleaning
    z : ndarray of shape (n_seeds, n_outcomes)
    names : tuple of str
        Of the outcomes; empty for voxels.
    within : BlockWeights or None

    Returns
    -------
    tuple of RunEstimate
        One per seed; within blocks with the effective number of volumes of every condition.
    """
    variance, df = variance_of_z(cleaning, within)
    facts: dict[str, float | str | list[str]] = {}
    if within is not None:
        columns = within.weights[cleaning.sample_mask].T
        facts["effective_volumes"] = [
            f"{name}: {effective_volumes(column):.1f}"
            for name, column in zip(within.conditions, columns, strict=True)
        ]
    return tuple(
        RunEstimate(
            values=values,
            names=names,
            variance=variance,
            df=df,
            unit="Fisher z",
            variance_assumes="white noise; autocorrelation makes the true variance larger",
            facts=facts,
            n_undefined=int(np.isnan(values).sum()),
        )
        for values in z
    )
