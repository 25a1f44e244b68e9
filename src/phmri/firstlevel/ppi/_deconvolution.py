r"""From the BOLD signal of a seed to the neural signal behind it, as SPM defines it.

The neural signal is a sum of as many cosines as there are volumes :math:`N`, in 16 bins per
volume and 128 bins before the first: :math:`x = \Phi b`. Convolved with the canonical response
and sampled it is :math:`H b`, and the seed is

.. math:: y = W H b + X_0 g + e, \quad e \sim N(0, \tfrac14 I), \quad
          b \sim N(0, \tfrac{N}{\operatorname{tr} H^\top H} I), \quad g \sim N(0, 10^6 I).

The mean of b given y is a ridge regression with a penalty that does not depend on the data, so
it is linear in the seed: one factorisation serves every seed of a run. The prior gives the
convolved signal a mean variance of 1 per volume: :math:`\tfrac14` is a ratio of noise to signal.
"""

from collections.abc import Sequence

import numpy as np
import scipy.fft
import scipy.linalg
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.task import BINS, canonical_response, sampled_convolution

__all__ = ["deconvolve", "seed_problems", "unexplained"]

_LEAD_BINS = 128
_CONFOUND_VARIANCE = 1e6
_ROWS = 256  # of the convolution, transformed at a time: memory grows with them
_NO_VARIANCE = 1e-12  # of a series' sum of squares: rounding of float32 data, not signal


def seed_problems(
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    residual: Float[np.ndarray, "n_volumes n_seeds"],
    names: Sequence[str],
) -> list[Problem]:
    """List the seeds that are no signal.

    Parameters
    ----------
    seeds, residual : ndarray of shape (n_volumes, n_seeds)
        As given, and without what the confounds explain.
    names : sequence of str
        Of the seeds.

    Returns
    -------
    list of Problem
    """
    flat = (residual**2).sum(axis=0) <= _NO_VARIANCE * (seeds**2).sum(axis=0)
    return [
        Problem(
            what="a seed has no variance after confounds are taken out",
            field=names[i],
            expected="a signal that the confounds do not explain whole",
        )
        for i in np.flatnonzero(flat).tolist()
    ]


def unexplained(
    series: Float[np.ndarray, "n_volumes n_series"],
    confounds: Float[np.ndarray, "n_volumes n_confounds"],
) -> Float[np.ndarray, "n_volumes n_series"]:
    """Take out of series what confounds explain.

    Parameters
    ----------
    series : ndarray of shape (n_volumes, n_series)
    confounds : ndarray of shape (n_volumes, n_confounds)

    Returns
    -------
    ndarray of shape (n_volumes, n_series)
        In the unit of the series.
    """
    return np.asarray(series - confounds @ np.linalg.lstsq(confounds, series, rcond=None)[0])


def deconvolve(
    seeds: Float[np.ndarray, "n_volumes n_seeds"],
    confounds: Float[np.ndarray, "n_volumes n_confounds"],
    *,
    t_r: float,
    whitening: Float[np.ndarray, "n_volumes n_volumes"] | None = None,
    noise_to_signal: float = 0.25,
) -> Float[np.ndarray, "n_bins n_seeds"]:
    r"""Estimate the neural signals behind BOLD signals.

    Parameters
    ----------
    seeds : ndarray of shape (n_volumes, n_seeds)
        In any unit, which the result keeps; whitened if `whitening` is given.
    confounds : ndarray of shape (n_volumes, n_confounds)
        Constant, filter and confounds; whitened if `whitening` is given.
    t_r : float
        Repetition time in seconds.
    whitening : ndarray of shape (n_volumes, n_volumes), optional
        Of seeds and confounds, applied to the convolved cosines; none where left out.
    noise_to_signal : float, default 0.25
        Variance of the noise over that of the convolved neural signal; SPM's.

    Returns
    -------
    ndarray of shape (16 n_volumes, n_seeds)
        Bins of a sixteenth of a volume from the first volume on, mean 0. Convolved with the
        response it is in units of the seed.

    Raises
    ------
    FirstLevelError
        Values that are not finite, or a ratio that is not positive; all at once.

    Notes
    -----
    SPM takes volumes to be sampled at their beginning here, whatever its reference bin. Columns
    of :math:`H` are the discrete cosine transform of the rows of the convolution, so that the
    cosines, :math:`16 N^2` numbers, are never held. Confounds are scaled to mean square 1, which
    SPM does not do: their prior means nothing either way.

    References
    ----------
    Gitelman et al. 2003, doi:10.1016/S1053-8119(03)00058-2.
    """
    problems = [
        Problem(what=f"{label} have values that are not finite", found=f"{n} values")
        for label, n in (
            ("seeds", int((~np.isfinite(seeds)).sum())),
            ("confounds", int((~np.isfinite(confounds)).sum())),
        )
        if n
    ]
    if not 0.0 < noise_to_signal < np.inf:
        problems.append(
            Problem(
                what="a neural signal cannot be estimated",
                field="noise_to_signal",
                found=f"{noise_to_signal:g}",
                expected="a number above 0",
            )
        )
    if problems:
        raise FirstLevelError(*problems)
    n_volumes = seeds.shape[0]
    H = _convolved_cosines(n_volumes, t_r)
    precision = float((H**2).sum()) / n_volumes
    # Of one size: the prior of a confound in small units would hold it down.
    size = np.sqrt((confounds**2).mean(axis=0))
    scaled = confounds / np.where(size > 0.0, size, 1.0)
    X = np.hstack([H if whitening is None else whitening @ H, scaled])
    penalty = np.full(X.shape[1], noise_to_signal / _CONFOUND_VARIANCE)
    penalty[:n_volumes] = noise_to_signal * precision
    inner = X.T @ X
    inner[np.diag_indices_from(inner)] += penalty
    coefficients = scipy.linalg.solve(inner, X.T @ seeds, assume_a="pos")[:n_volumes]
    neural = scipy.fft.idct(coefficients, n=_LEAD_BINS + BINS * n_volumes, axis=0, norm="ortho")[
        _LEAD_BINS:
    ]
    return np.asarray(neural - neural.mean(axis=0))


def _convolved_cosines(n_volumes: int, t_r: float) -> Float[np.ndarray, "n_volumes n_volumes"]:
    convolution = sampled_convolution(
        canonical_response(t_r), n_volumes, sample_bin=0, lead_bins=_LEAD_BINS
    )
    return np.vstack(
        [
            scipy.fft.dct(convolution[i : i + _ROWS].toarray(), axis=1, norm="ortho")[
                :, :n_volumes
            ]
            for i in range(0, n_volumes, _ROWS)
        ]
    )
