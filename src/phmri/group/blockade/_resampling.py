"""Bootstrap intervals, resampling whole participants."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from phmri.exceptions import DesignError, Problem
from phmri.group.blockade._check import level_problems
from phmri.group.blockade._records import BootstrapInterval

__all__ = ["bootstrap_interval", "resample_units"]

FEWEST = 100


def resample_units(
    strata: tuple[str, ...], *, n_resamples: int, seed: int
) -> Int[np.ndarray, "n_resamples n_units"]:
    """Draw participants with replacement, each stratum keeping its size.

    Parameters
    ----------
    strata : tuple of str
        Per participant: arm (parallel) or sequence (crossover), with the randomisation stratum
        if there is one. A participant is drawn with all visits.
    n_resamples : int
        At least 100; thousands for the ends of an interval.
    seed : int
        Resample r has a stream of its own, so that more resamples leave the first ones as
        they were.

    Returns
    -------
    ndarray of shape (n_resamples, n_units)
        Positions of the drawn participants; each column stays within one stratum.

    Raises
    ------
    DesignError
        When there are too few resamples, or a stratum has a single participant, who would never
        vary.

    Examples
    --------
    >>> drawn = resample_units(("a", "a", "b", "b"), n_resamples=100, seed=1)
    >>> sorted(set(drawn[:, :2].ravel().tolist())), sorted(set(drawn[:, 2:].ravel().tolist()))
    ([0, 1], [2, 3])
    """
    labels = np.array(strata)
    members = [np.flatnonzero(labels == label) for label in sorted(set(strata))]
    problems = []
    if n_resamples < FEWEST:
        problems.append(
            Problem(
                what="too few resamples for an interval",
                field="n_resamples",
                found=str(n_resamples),
                expected=f"at least {FEWEST}",
            )
        )
    problems.extend(
        Problem(
            what="a stratum of one participant cannot be resampled",
            field="strata",
            found=str(labels[where[0]]),
        )
        for where in members
        if where.size == 1
    )
    if problems:
        raise DesignError(*problems)
    drawn = np.empty((n_resamples, labels.size), np.int64)
    for r in range(n_resamples):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(r,)))
        for where in members:
            drawn[r, where] = rng.choice(where, where.size)
    return drawn


def bootstrap_interval(
    statistic: Callable[[Int[np.ndarray, " n_drawn"]], Float[np.ndarray, " n_outcomes"]],
    resamples: Int[np.ndarray, "n_resamples n_units"],
    *,
    confidence: float = 0.95,
) -> BootstrapInterval:
    r"""Give percentile and BCa intervals of a statistic of participants.

    Parameters
    ----------
    statistic : callable
        Takes positions of participants, as often as they are drawn, and gives the refitted
        statistic of every outcome.
    resamples : ndarray of shape (n_resamples, n_units)
        Positions, as `resample_units` draws them.
    confidence : float, default 0.95
        Coverage of both intervals.

    Returns
    -------
    BootstrapInterval
        Of every outcome. The statistics of all resamples are held at once: for regions, not maps.

    Raises
    ------
    DesignError
        When ``confidence`` is no probability, a statistic is not finite, all resamples lie on one
        side of the estimate, or the statistic does not vary.

    Notes
    -----
    With :math:`z_0 = \Phi^{-1}(\#\{\theta^* < \hat\theta\}/R)` and the acceleration
    :math:`a = \sum d_i^3 / 6(\sum d_i^2)^{3/2}`, :math:`d_i = \bar\theta_{(\cdot)} -
    \theta_{(i)}` of the delete-one jackknife, BCa takes the quantiles at
    :math:`\Phi(z_0 + (z_0 + z)/(1 - a(z_0 + z)))` [1]_. Quantiles are of type 6: the k-th of R
    ordered values stands at :math:`k/(R + 1)`. Of an attenuation both hold once t of the drug's
    effect is about 3; below, only Fieller's set does.

    References
    ----------
    .. [1] Efron (1987), J Am Stat Assoc 82:171, doi:10.1080/01621459.1987.10478410.
    """
    n_units = resamples.shape[1]
    all_units = np.arange(n_units)
    estimate = statistic(all_units)
    values = np.stack([statistic(drawn) for drawn in resamples])
    left_out = np.stack([statistic(np.delete(all_units, unit)) for unit in all_units])
    below = (values < estimate).mean(axis=0)
    d = left_out.mean(axis=0) - left_out
    spread = (d**2).sum(axis=0)
    problems = level_problems("confidence", confidence)
    problems += _unusable(np.vstack([estimate, values, left_out]), below, spread)
    if problems:
        raise DesignError(*problems)
    acceleration = (d**3).sum(axis=0) / (6.0 * spread**1.5)
    bias = special.ndtri(below)
    tails = np.array([(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])[:, None]
    z = bias + special.ndtri(tails)
    levels = special.ndtr(bias + z / (1.0 - acceleration * z))
    values.sort(axis=0)
    percentile = _quantiles(values, np.broadcast_to(tails, levels.shape))
    corrected = _quantiles(values, levels)
    return BootstrapInterval(
        estimate=estimate,
        sd=values.std(axis=0, ddof=1),
        percentile_low=percentile[0],
        percentile_high=percentile[1],
        low=corrected[0],
        high=corrected[1],
        bias=bias,
        acceleration=acceleration,
    )


def _quantiles(
    ordered: Float[np.ndarray, "n_resamples n_outcomes"],
    levels: Float[np.ndarray, "2 n_outcomes"],
) -> Float[np.ndarray, "2 n_outcomes"]:
    """Interpolate ordered values at levels of each outcome's own."""
    place = np.clip((len(ordered) + 1) * levels, 1.0, len(ordered)) - 1.0
    lower = np.minimum(place.astype(np.int64), len(ordered) - 2)
    first = np.take_along_axis(ordered, lower, axis=0)
    second = np.take_along_axis(ordered, lower + 1, axis=0)
    found: np.ndarray = first + (place - lower) * (second - first)
    return found


def _unusable(
    values: Float[np.ndarray, "n_values n_outcomes"],
    below: Float[np.ndarray, " n_outcomes"],
    spread: Float[np.ndarray, " n_outcomes"],
) -> list[Problem]:
    cases = (
        ("statistics that are not finite", ~np.isfinite(values).all(axis=0)),
        ("all resamples on one side of the estimate", (below == 0.0) | (below == 1.0)),
        ("a statistic that no participant changes", spread == 0.0),
    )
    return [
        Problem(what=what, field="statistic", found=f"{int(bad.sum())} of {bad.size} outcomes")
        for what, bad in cases
        if bad.any()
    ]
