r"""Connectivity that follows exposure to a drug within a run.

Fisher z of seed and voxel in windows i along the run, regressed on the mean exposure in each,

.. math:: z_i = \beta_0 + \beta_1 \bar c_i + e_i, \qquad
          \operatorname{Cov}(e_i, e_j) = \sigma^2 V_{ij}, \quad
          V_{ij} = \frac{o_{ij}}{\sqrt{n_i n_j}} \frac{1}{\sqrt{(n_i - 3)(n_j - 3)}},

with :math:`n_i` the kept volumes of a window and :math:`o_{ij}` those that two share: the
covariance of overlapping windows under white noise.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._unit_series import clean
from phmri.firstlevel.local._blocks import clean_blocks, only_series, refuse
from phmri.signals import Cleaning

__all__ = ["exposure_connectivity", "find_window_problems"]

_FEWEST_VOLUMES = 8  # of a window: Fisher's variance 1 / (n - 3) is poor below
_FEWEST_WINDOWS = 4
_LARGEST_R = 1.0 - 1e-7  # what float32 data can tell from 1
_NO_VARIANCE = 1e-12  # of the sum of squares


@dataclass(frozen=True, slots=True, kw_only=True)
class _Windows:
    member: Float[np.ndarray, "n_windows n_kept"]  # 1 / n_i inside a window
    exposure: Float[np.ndarray, " n_windows"]
    covariance: Float[np.ndarray, "n_windows n_windows"]
    n_left_out: int


def exposure_connectivity(
    cleaning: Cleaning,
    seed: Float[np.ndarray, " n_seed"],
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    exposure: Float[np.ndarray, " n_exposure"],
    *,
    t_r: float,
    window_s: float,
    step_s: float,
) -> RunEstimate:
    r"""Measure how the correlation of a seed with every voxel changes with exposure.

    Parameters
    ----------
    cleaning : Cleaning
        A projection; laid over the whole run.
    seed : ndarray of shape (n_volumes,)
        Uncleaned mean of unsmoothed data.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned; voxels or parcels.
    exposure : ndarray of shape (n_volumes,)
        Of the drug at each volume, with peak 1: the unit of the answer.
    t_r : float
        Repetition time in seconds.
    window_s, step_s : float
        Length of a window and distance of two, in seconds; rounded to volumes.

    Returns
    -------
    RunEstimate
        ``values`` is :math:`\beta_1`, Fisher z per unit of exposure; NaN where a voxel has no
        variance in a window. Extra ``baseline`` is :math:`\beta_0`, z without exposure. ``df``
        is the effective one of overlapping windows.

    Notes
    -----
    `FirstLevelError` tells that window, step, exposure or series do not fit the run, that the
    exposure is the same in all windows, that too few windows or degrees of freedom are left, that
    the seed does not vary in a window, or that the cleaning hands on no series.

    Windows with fewer than half their volumes kept (or fewer than 8) are left out. With
    :math:`P = X^+` and :math:`M = I - XP`, the estimate is least squares,
    :math:`\operatorname{Var}\hat\beta = \hat\sigma^2 P V P^\top`,
    :math:`\hat\sigma^2 = \hat e^\top \hat e / \operatorname{tr}(MV)`,
    :math:`df = \operatorname{tr}(MV)^2 / \operatorname{tr}(MVMV)`. Generalised least squares
    with V gives nearly the same estimate but a standard error 5 to 30 % too large in simulation,
    as V is close to singular and z of a window is not a plain mean over its volumes.

    Any other drift of connectivity along the run is confounded with exposure: compare with the
    same measure of the placebo session. Slow signals vary by chance in short windows, which
    should be longer than the longest period that the high-pass leaves.

    References
    ----------
    Leonardi & Van De Ville 2015, doi:10.1016/j.neuroimage.2014.09.007 (window and high-pass).
    """
    refuse(
        only_series(cleaning, "connectivity in windows")
        + _input_problems(cleaning, seed, exposure, (t_r, window_s, step_s))
    )
    length = round(window_s / t_r)
    step = max(1, round(step_s / t_r))
    windows = _make_windows(cleaning, exposure, length=length, step=step)
    X = np.column_stack([np.ones(windows.exposure.size), windows.exposure])
    P = np.linalg.pinv(X)
    M = np.eye(windows.exposure.size) - X @ P
    MV = M @ windows.covariance
    df = float(np.trace(MV) ** 2 / np.trace(MV @ MV))
    unit_variance = float(P[1] @ windows.covariance @ P[1]) / float(np.trace(MV))
    seed_series, seed_variance = _seed(cleaning, seed, windows)
    values, baseline, variance = np.empty((3, voxels.shape[1]))
    for block in clean_blocks(cleaning, voxels, in_time=True):
        z = _window_z(block.values, block.flat, windows, seed_series, seed_variance)
        baseline[block.columns], values[block.columns] = P @ z
        variance[block.columns] = unit_variance * np.square(M @ z).sum(axis=0)
    return RunEstimate(
        values=values,
        names=(),
        variance=variance,
        df=df,
        unit="Fisher z per unit of exposure",
        variance_assumes="white noise: windows covary by the volumes they share",
        extras={"baseline": baseline},
        facts={
            "window_s": length * t_r,
            "step_s": step * t_r,
            "n_windows": float(windows.exposure.size),
            "n_windows_left_out": float(windows.n_left_out),
            "lowest_exposure": float(windows.exposure.min()),
            "highest_exposure": float(windows.exposure.max()),
        },
        n_undefined=int(np.isnan(values).sum()),
    )


def _input_problems(
    cleaning: Cleaning,
    seed: Float[np.ndarray, " n_seed"],
    exposure: Float[np.ndarray, " n_exposure"],
    seconds: tuple[float, float, float],
) -> list[Problem]:
    n_volumes = cleaning.sample_mask.size
    problems = [
        Problem(
            what=f"the {what} does not fit the run",
            field=what,
            found=f"{values.size} values, {int((~np.isfinite(values)).sum())} not finite",
            expected=f"{n_volumes} numbers",
        )
        for what, values in (("seed", seed), ("exposure", exposure))
        if values.size != n_volumes or not np.isfinite(values).all()
    ]
    t_r, window_s, step_s = seconds
    fits = exposure.size == n_volumes
    return problems + find_window_problems(
        exposure if fits else np.arange(n_volumes, dtype=np.float64),
        t_r=t_r,
        window_s=window_s,
        step_s=step_s,
        n_steady=cleaning.n_steady,
    )


def find_window_problems(
    exposure: Float[np.ndarray, " n_exposure"],
    *,
    t_r: float,
    window_s: float,
    step_s: float,
    n_steady: int = 0,
) -> list[Problem]:
    """List what keeps windows from being laid over a run, as far as its length alone tells.

    Parameters
    ----------
    exposure : ndarray of shape (n_volumes,)
        Of the drug at each volume.
    t_r : float
        Repetition time in seconds.
    window_s, step_s : float
        Length of a window and distance of two, in seconds.
    n_steady : int, default 0
        Volumes left out at the start.

    Returns
    -------
    list of Problem
        Empty where nothing is wrong.
    """
    seconds = (t_r, window_s, step_s)
    if not (np.isfinite(seconds).all() and min(seconds) > 0):
        return [
            Problem(
                what="repetition time, window and step are lengths of time",
                found=f"{t_r}, {window_s} and {step_s} s",
                expected="seconds above 0",
            )
        ]
    problems = []
    seconds_kept = (exposure.size - n_steady) * t_r
    if not _FEWEST_VOLUMES * t_r <= window_s <= seconds_kept:
        problems.append(
            Problem(
                what="the window does not fit the run",
                field="window_s",
                found=f"{window_s:g} s",
                expected=f"{_FEWEST_VOLUMES * t_r:g} s ({_FEWEST_VOLUMES} volumes) to "
                f"{seconds_kept:g} s",
            )
        )
    if np.ptp(exposure) <= _NO_VARIANCE * np.abs(exposure).max():
        problems.append(_same_throughout(float(exposure[0])))
    return problems


def _same_throughout(value: float) -> Problem:
    return Problem(
        what="exposure is the same in all windows, so nothing can follow it",
        field="exposure",
        found=f"{value:g} throughout",
    )


def _make_windows(
    cleaning: Cleaning, exposure: Float[np.ndarray, " n_volumes"], *, length: int, step: int
) -> _Windows:
    kept = np.flatnonzero(cleaning.sample_mask)
    starts = np.arange(cleaning.n_steady, cleaning.sample_mask.size - length + 1, step)
    inside = ((kept >= starts[:, None]) & (kept < starts[:, None] + length)).astype(float)
    enough = inside.sum(axis=1) >= max(_FEWEST_VOLUMES, length / 2)
    inside = inside[enough]
    if inside.shape[0] < _FEWEST_WINDOWS:
        raise FirstLevelError(
            Problem(
                what="too few windows hold enough volumes for a regression on exposure",
                field="window_s",
                found=f"{inside.shape[0]} of {starts.size}",
                expected=f"at least {_FEWEST_WINDOWS}",
            )
        )
    size = inside.sum(axis=1)
    member = inside / size[:, None]
    mean = member @ exposure[cleaning.sample_mask]
    if np.ptp(mean) <= _NO_VARIANCE * np.abs(mean).max():
        raise FirstLevelError(_same_throughout(float(mean[0])))
    spread = np.sqrt(size * (size - 3.0))
    covariance = (inside @ inside.T) / np.outer(spread, spread)
    return _Windows(
        member=member,
        exposure=mean,
        covariance=covariance,
        n_left_out=int((~enough).sum()),
    )


def _seed(
    cleaning: Cleaning, seed: Float[np.ndarray, " n_volumes"], windows: _Windows
) -> tuple[Float[np.ndarray, " n_kept"], Float[np.ndarray, " n_windows"]]:
    series = clean(cleaning, seed[:, None])[:, 0]
    if cleaning.kind == "keep":
        series = cleaning.basis @ series
    variance = _window_variance(series[:, None], windows)[:, 0]
    # A seed that is all confound leaves rounding, which varies.
    floor = _NO_VARIANCE * float(np.square(seed[cleaning.sample_mask]).mean())
    still = variance <= floor
    if still.any():
        raise FirstLevelError(
            Problem(
                what="the seed has no variance after cleaning",
                field="seed",
                found=f"none in {int(still.sum())} of {still.size} windows",
            )
        )
    return series, variance


def _window_variance(
    series: Float[np.ndarray, "n_kept n"], windows: _Windows
) -> Float[np.ndarray, "n_windows n"]:
    square = windows.member @ np.square(series)
    variance = square - np.square(windows.member @ series)
    variance[variance <= _NO_VARIANCE * square] = 0.0
    return np.asarray(variance)


def _window_z(
    series: Float[np.ndarray, "n_kept n"],
    flat: Bool[np.ndarray, " n"],
    windows: _Windows,
    seed: Float[np.ndarray, " n_kept"],
    seed_variance: Float[np.ndarray, " n_windows"],
) -> Float[np.ndarray, "n_windows n"]:
    product = windows.member @ (seed[:, None] * series)
    product -= (windows.member @ seed)[:, None] * (windows.member @ series)
    spread = np.sqrt(seed_variance[:, None] * _window_variance(series, windows))
    still = flat | (spread <= 0.0).any(axis=0)
    r = product / np.where(still, 1.0, spread)
    z = np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R))
    z[:, still] = np.nan
    return np.asarray(z)
