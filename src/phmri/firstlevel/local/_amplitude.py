r"""Amplitude of slow fluctuations: ALFF and fALFF.

With :math:`Q_k` an orthonormal pair of cosine and sine of frequency :math:`f_k` at the kept
volumes and :math:`\hat y` the cleaned series, the amplitude of a bin is

.. math:: a_k = \lVert Q_k^\top \hat y \rVert, \qquad f_k = k / (n\,TR), \quad 0 < k < n/2,

for n volumes after the leading ones. Without censoring :math:`Q_k` is the Fourier basis and
:math:`a_k = \sqrt{2/n}\,|\mathrm{FFT}_k|`; with it :math:`a_k` is the least-squares amplitude of
Lomb and Scargle. :math:`a_k^2\,TR` is the one-sided power spectral density.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel._unit_series import clean
from phmri.firstlevel.local._blocks import (
    clean_blocks,
    only_series,
    percent_scale,
    refuse,
    zscored,
)
from phmri.signals import Cleaning

__all__ = ["alff", "falff"]

_RAYLEIGH = 1.0 - np.pi / 4.0  # variance of an amplitude over its mean square
_REMOVED = 0.1  # of white noise in a bin: less is left where a filter took the bin out
_ASSUMES = "stationary Gaussian series, whose bins are independent"
_Definition = Literal["density", "afni"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spectrum:
    frequency: Float[np.ndarray, " n_bins"]
    weight: Float[np.ndarray, " n_bins"]
    pairs: Float[np.ndarray, "two_n_bins n_kept"]
    kept_power: Float[np.ndarray, " n_bins"]

    def amplitudes(self, series: Float[np.ndarray, "n_kept n"]) -> Float[np.ndarray, "n_bins n"]:
        power = np.square(self.pairs @ series)
        return np.asarray(np.sqrt(power[0::2] + power[1::2]))


def alff(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    *,
    t_r: float,
    band_hz: tuple[float, float],
    mean: Float[np.ndarray, " n_means"] | None = None,
    definition: Literal["density", "afni"] = "density",
) -> RunEstimate:
    r"""Measure the amplitude of low-frequency fluctuations.

    Parameters
    ----------
    cleaning : Cleaning
        Without a low-pass filter; a projection.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned.
    t_r : float
        Repetition time in seconds.
    band_hz : tuple of float
        Lower and upper edge, inclusive.
    mean : ndarray of shape (n_voxels,), optional
        Of the voxels in time, before anything was taken from them: makes the unit % of it.
    definition : {"density", "afni"}
        Mean amplitude spectral density in the band, or that of AFNI's 3dRSFC.

    Returns
    -------
    RunEstimate
        ``values`` per root Hz (``density``), or AFNI's sum, which grows with the length of the
        run; NaN in voxels without variance. Extra: ``zscored`` over the voxels.

    Notes
    -----
    `FirstLevelError` tells that band, repetition time, voxels or means do not fit the run, that
    the cleaning hands on no series (Butterworth), or that it removes bins of the band.

    ``density`` is :math:`\sqrt{TR}\,\overline{a_k}` over the bins inside the band: its
    expectation does not depend on the length of the run or on censoring. ``afni`` is
    :math:`\sqrt2 \sum w_k a_k` over bins :math:`\mathrm{rint}(f\,n\,TR)` of the two edges, with
    :math:`w_k = 1/2` in these two; AFNI also pads the run to a length that its FFT likes, which
    is not done here. The variance is :math:`\sum g_k^2 (1 - \pi/4) a_k^2` with :math:`g_k` the
    weight of a bin: an amplitude follows Rayleigh's distribution whatever the spectrum.

    What the confounds take from the band is not put back; the fact ``power_kept_in_band`` is
    what they leave of white noise there.

    References
    ----------
    Zang et al. 2007, doi:10.1016/j.braindev.2006.07.002. Taylor & Saad 2013,
    doi:10.1089/brain.2013.0154 (3dRSFC). Scargle 1982, doi:10.1086/160554.
    """
    scale = percent_scale(mean, voxels.shape[1])
    spectrum = _spectrum(cleaning, "ALFF", t_r=t_r, band_hz=band_hz, definition=definition)
    weight = spectrum.weight
    gain = weight * (np.sqrt(t_r) / weight.sum() if definition == "density" else np.sqrt(2.0))
    values = np.empty(voxels.shape[1])
    variance = np.empty(voxels.shape[1])
    for block in clean_blocks(cleaning, voxels, in_time=True):
        amplitude = spectrum.amplitudes(block.values)
        unit = np.where(block.flat, np.nan, scale[block.columns])
        values[block.columns] = unit * (gain @ amplitude)
        variance[block.columns] = unit**2 * _RAYLEIGH * (gain**2 @ amplitude**2)
    unit_name = "signal units" if mean is None else "% signal change"
    return RunEstimate(
        values=values,
        names=(),
        variance=variance,
        df=_satterthwaite(gain),
        unit=f"{unit_name} / sqrt(Hz)" if definition == "density" else unit_name,
        variance_assumes=_ASSUMES,
        extras={"zscored": zscored(values)},
        facts=_facts(cleaning, spectrum, definition),
        n_undefined=int(np.isnan(values).sum()),
    )


def falff(
    cleaning: Cleaning,
    voxels: Float[np.ndarray, "n_volumes n_voxels"],
    *,
    t_r: float,
    band_hz: tuple[float, float],
    definition: Literal["density", "afni"] = "density",
) -> RunEstimate:
    r"""Measure which part of all fluctuation amplitude lies in a band.

    Parameters
    ----------
    cleaning : Cleaning
        Without a low-pass filter; a projection.
    voxels : ndarray of shape (n_volumes, n_voxels)
        Uncleaned.
    t_r : float
        Repetition time in seconds.
    band_hz : tuple of float
        Lower and upper edge, inclusive.
    definition : {"density", "afni"}
        The bins inside the band, or those of AFNI's 3dRSFC (`alff`).

    Returns
    -------
    RunEstimate
        ``values`` in 0 to 1; NaN in voxels without variance. Extra: ``zscored``.

    Notes
    -----
    `FirstLevelError` tells what it tells in `alff`, and that the cleaning has removed most bins
    above the band: then this is a fraction of the filter.

    :math:`f = \sum w_k a_k / \sum a_k`, below over all bins but 0 and Nyquist's. The variance
    is that of a ratio, :math:`(1 - \pi/4) \sum (w_k - f)^2 a_k^2 / (\sum a_k)^2`.

    References
    ----------
    Zou et al. 2008, doi:10.1016/j.jneumeth.2008.04.012. Taylor & Saad 2013,
    doi:10.1089/brain.2013.0154 (3dRSFC).
    """
    spectrum = _spectrum(cleaning, "fALFF", t_r=t_r, band_hz=band_hz, definition=definition)
    weight = spectrum.weight
    values = np.full(voxels.shape[1], np.nan)
    variance = np.full(voxels.shape[1], np.nan)
    for block in clean_blocks(cleaning, voxels, in_time=True):
        amplitude = spectrum.amplitudes(block.values)
        total = np.where(block.flat, np.nan, amplitude.sum(axis=0))
        fraction = (weight @ amplitude) / total
        share = (weight[:, None] - fraction) * amplitude / total
        values[block.columns] = fraction
        variance[block.columns] = _RAYLEIGH * np.square(share).sum(axis=0)
    return RunEstimate(
        values=values,
        names=(),
        variance=variance,
        df=_satterthwaite(weight - weight.mean()),
        unit="fraction of amplitude",
        variance_assumes=_ASSUMES,
        extras={"zscored": zscored(values)},
        facts=_facts(cleaning, spectrum, definition),
        n_undefined=int(np.isnan(values).sum()),
    )


def _satterthwaite(gain: Float[np.ndarray, " n_bins"]) -> float:
    # A squared amplitude has two degrees of freedom; the spectrum is flat where the gain is.
    return float(2.0 * np.square(gain).sum() ** 2 / np.power(gain, 4).sum())


def _facts(
    cleaning: Cleaning, spectrum: _Spectrum, definition: str
) -> dict[str, float | str | list[str]]:
    band = spectrum.weight > 0
    return {
        "definition": definition,
        "spectrum": "Lomb-Scargle" if cleaning.n_censored else "Fourier",
        "lowest_bin_hz": float(spectrum.frequency[band][0]),
        "highest_bin_hz": float(spectrum.frequency[band][-1]),
        "n_bins": float(band.sum()),
        "power_kept_in_band": float(spectrum.kept_power[band].mean()),
    }


def _spectrum(
    cleaning: Cleaning,
    measure: str,
    *,
    t_r: float,
    band_hz: tuple[float, float],
    definition: _Definition,
) -> _Spectrum:
    refuse(only_series(cleaning, measure) + _band_problems(t_r, band_hz))
    n = cleaning.sample_mask.size - cleaning.n_steady
    frequency = np.arange(1, (n + 1) // 2) / (n * t_r)
    weight = _bin_weights(frequency, n * t_r, band_hz, definition)
    if weight is None:
        raise FirstLevelError(
            Problem(
                what="the band holds fewer than two bins of this run below Nyquist's frequency",
                field="band_hz",
                found=f"{band_hz[0]:g} to {band_hz[1]:g} Hz, bins every {1 / (n * t_r):.3g} Hz",
            )
        )
    time = np.flatnonzero(cleaning.sample_mask) - cleaning.n_steady
    phase = 2.0 * np.pi * t_r * frequency[:, None] * time
    pairs, _ = np.linalg.qr(np.stack([np.cos(phase), np.sin(phase)], axis=-1))
    flat = np.moveaxis(pairs, -1, 1).reshape(2 * frequency.size, time.size)
    whole = np.zeros((cleaning.sample_mask.size, flat.shape[0]))
    whole[cleaning.sample_mask] = flat.T
    left = np.square(clean(cleaning, whole)).sum(axis=0)
    kept_power = (left[0::2] + left[1::2]) / 2.0
    refuse(_filter_problems(measure, weight, kept_power))
    return _Spectrum(frequency=frequency, weight=weight, pairs=flat, kept_power=kept_power)


def _bin_weights(
    frequency: Float[np.ndarray, " n_bins"],
    duration_s: float,
    band_hz: tuple[float, float],
    definition: _Definition,
) -> Float[np.ndarray, " n_bins"] | None:
    low, high = band_hz
    if definition == "density":
        rounding = 1e-9 / duration_s  # of an edge that is a bin
        weight = ((frequency >= low - rounding) & (frequency <= high + rounding)).astype(float)
    else:
        first, last = int(np.rint(low * duration_s)), int(np.rint(high * duration_s))
        if first < 1 or last > frequency.size:
            return None
        weight = np.zeros(frequency.size)
        weight[first - 1 : last] = 1.0
        weight[[first - 1, last - 1]] = 0.5
    return weight if np.count_nonzero(weight) > 1 else None


def _band_problems(t_r: float, band_hz: tuple[float, float]) -> list[Problem]:
    problems = []
    if not (np.isfinite(t_r) and t_r > 0):
        problems.append(
            Problem(what="no repetition time", field="t_r", found=f"{t_r}", expected="seconds")
        )
    elif not 0.0 < band_hz[0] < band_hz[1] < 0.5 / t_r:
        problems.append(
            Problem(
                what="the band does not fit the run",
                field="band_hz",
                found=f"{band_hz[0]:g} to {band_hz[1]:g} Hz",
                expected=f"0 < lower < upper < {0.5 / t_r:g} Hz (Nyquist)",
            )
        )
    return problems


def _filter_problems(
    measure: str, weight: Float[np.ndarray, " n_bins"], kept_power: Float[np.ndarray, " n_bins"]
) -> list[Problem]:
    removed = kept_power < _REMOVED
    inside = weight > 0
    above = np.arange(weight.size) > np.flatnonzero(inside)[-1]
    problems = []
    if (removed & inside).any():
        problems.append(
            Problem(
                what=f"the cleaning removes frequencies of the band of {measure}",
                field="band_hz",
                found=f"{int((removed & inside).sum())} of {int(inside.sum())} bins removed",
                expected="a wider filter, or none",
            )
        )
    if measure == "fALFF" and 2 * (removed & above).sum() > above.sum():
        problems.append(
            Problem(
                what="fALFF is a fraction of all frequencies, and the cleaning is a low-pass",
                field="lowpass_hz",
                found=f"{int((removed & above).sum())} of {int(above.sum())} bins above the band "
                "removed",
                expected="no low-pass filter",
            )
        )
    return problems
