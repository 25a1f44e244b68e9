"""What is known of a recording: its peaks, their quality, and what is made of them."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

__all__ = [
    "BREATHING",
    "PULSE",
    "Beats",
    "Breaths",
    "PhysiologyRegressors",
    "PhysiologySettings",
    "PhysiologySummary",
    "RecordingLimits",
    "RecordingQuality",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingLimits:
    """When a recording is too poor to be used.

    Parameters
    ----------
    slowest_per_min, fastest_per_min : float
        A rate outside is implausible.
    max_implausible : float
        Fraction of intervals outside these rates.
    max_corrected : float
        Fraction of peaks put in or taken out by the rule of intervals.
    min_explained : float
        Fraction of the signal's variance that its mean cycle explains.
    max_gap_s : float
        Longest stretch without a peak, in seconds.
    max_clipped : float
        Fraction of samples at the end of the device's range.
    """

    slowest_per_min: float
    fastest_per_min: float
    max_implausible: float = 0.05
    max_corrected: float = 0.1
    min_explained: float = 0.5
    max_gap_s: float = 5.0
    max_clipped: float = 0.05


PULSE = RecordingLimits(slowest_per_min=35.0, fastest_per_min=180.0)
BREATHING = RecordingLimits(
    slowest_per_min=4.0, fastest_per_min=40.0, min_explained=0.4, max_gap_s=20.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingQuality:
    """How far a recording is to be trusted.

    Parameters
    ----------
    implausible : float
        Fraction of the intervals found whose rate is implausible.
    corrected : float
        Fraction of peaks put in or taken out.
    explained : float
        Fraction of the signal's variance explained by its mean cycle.
    longest_gap_s : float
        Longest stretch without a peak found, in seconds.
    clipped : float
        Fraction of samples in stretches at the lowest or highest value.
    flags : tuple of str
        Which limits are broken, in words; empty for a usable recording.
    """

    implausible: float
    corrected: float
    explained: float
    longest_gap_s: float
    clipped: float
    flags: tuple[str, ...]

    @property
    def signal_to_noise_db(self) -> float:
        """Give the ratio of explained to unexplained variance in decibels.

        Returns
        -------
        float
            Minus infinity where the mean cycle explains nothing.
        """
        explained = min(max(self.explained, 0.0), 1.0)
        with np.errstate(divide="ignore"):
            return float(10.0 * (np.log10(explained) - np.log10(1.0 - explained)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Heart beats.

    Parameters
    ----------
    times_s : ndarray of shape (n_beats,)
        Seconds from the first volume, ascending.
    inserted : ndarray of shape (n_beats,)
        True for a beat that was not seen but placed by the rule of intervals.
    n_removed : int
        Peaks taken out by that rule.
    quality : RecordingQuality
        Of the recording.
    """

    times_s: Float[np.ndarray, " n_beats"]
    inserted: Bool[np.ndarray, " n_beats"]
    n_removed: int
    quality: RecordingQuality


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaths:
    """Breaths, each by its highest point, with the lowest points between them.

    Parameters
    ----------
    times_s, heights : ndarray of shape (n_breaths,)
        Seconds from the first volume, ascending; filtered signal there, in the device's units.
    trough_times_s, trough_heights : ndarray of shape (n_breaths - 1,)
        The same of the lowest points.
    quality : RecordingQuality
        Of the recording.
    """

    times_s: Float[np.ndarray, " n_breaths"]
    heights: Float[np.ndarray, " n_breaths"]
    trough_times_s: Float[np.ndarray, " n_troughs"]
    trough_heights: Float[np.ndarray, " n_troughs"]
    quality: RecordingQuality


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysiologySettings:
    """What is made of a recording.

    Parameters
    ----------
    cardiac_order, respiratory_order, interaction_order : int
        RETROICOR: harmonics of the pulse, of breathing, and of their sums and differences.
    rates : bool
        Whether heart rate and breathing volume per time, convolved with their responses, go in.
    slice_time_s : float or None
        Seconds after a volume's start for which phases are computed; its middle when None.
    surplus_s : float
        A recording may end this many seconds after the scan.
    pulse, breathing : RecordingLimits
        Beyond which a recording is refused.
    """

    cardiac_order: int = 3
    respiratory_order: int = 4
    interaction_order: int = 1
    rates: bool = True
    slice_time_s: float | None = None
    surplus_s: float = 60.0
    pulse: RecordingLimits = field(default=PULSE)
    breathing: RecordingLimits = field(default=BREATHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysiologyRegressors:
    """Regressors of no interest from pulse and breathing.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, k)
        Each of mean 0; independent of each other and of a constant.
    names : tuple of str
        Of the columns.
    sentences : tuple of str
        For the methods text, with citations as ``[doi:...]``.
    """

    X: Float[np.ndarray, "n_volumes k"]
    names: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysiologySummary:
    """Pulse and breathing of one run as outcomes; NaN where nothing was recorded.

    Parameters
    ----------
    heart_rate_per_min, heart_rate_sd_per_min : float
        60 over the mean interval during the scan; SD of 60 over each interval between beats seen.
    breathing_rate_per_min : float
        60 over the median period: the typical breath, whatever pauses there were.
    breathing_volume_per_s : float
        Mean depth over period, in the device's units per second: comparable only where belt and
        gain were the same.
    pulse, breathing : RecordingQuality or None
        None where nothing was recorded or no peak was found.
    flags : tuple of str
        All that speaks against using these numbers; empty when all is well.
    """

    heart_rate_per_min: float
    heart_rate_sd_per_min: float
    breathing_rate_per_min: float
    breathing_volume_per_s: float
    pulse: RecordingQuality | None
    breathing: RecordingQuality | None
    flags: tuple[str, ...]
