r"""From recordings to regressors of no interest, and to outcomes.

Pulse and breathing change the BOLD signal through the phase at which a volume is taken
(RETROICOR) and through slow changes of their rates. Under a drug both are also outcomes: what
they take from a map may be the drug's own effect.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from phmri.dataset import Physio
from phmri.exceptions import Problem, SignalsError
from phmri.signals._nuisance import orthonormal
from phmri.signals.physiology._peaks import find_beats, find_breaths
from phmri.signals.physiology._rates import (
    cardiac_response,
    convolve_response,
    heart_rate,
    respiration_response,
    respiratory_volume_per_time,
)
from phmri.signals.physiology._records import (
    Beats,
    Breaths,
    PhysiologyRegressors,
    PhysiologySettings,
    PhysiologySummary,
    RecordingQuality,
)
from phmri.signals.physiology._retroicor import cardiac_phase, respiratory_phase, retroicor

__all__ = ["physiology_regressors", "physiology_summary", "pick_recordings"]

_DEFAULT = PhysiologySettings()
_GLOVER = "10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO%3B2-E"  # %3B: see report
_HARVEY = "10.1002/jmri.21623"
_BIRN_2006, _BIRN_2008 = "10.1016/j.neuroimage.2006.02.048", "10.1016/j.neuroimage.2007.11.059"
_CHANG = "10.1016/j.neuroimage.2008.09.029"


def physiology_regressors(
    physio: Sequence[Physio],
    *,
    t_r: float,
    n_volumes: int,
    settings: PhysiologySettings = _DEFAULT,
) -> PhysiologyRegressors:
    """Make regressors of no interest from the recordings of a run.

    Parameters
    ----------
    physio : sequence of Physio
        One recording, or one of the pulse and one of breathing.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file, before any is removed.
    settings : PhysiologySettings
        Orders, time within a volume, limits of quality.

    Returns
    -------
    PhysiologyRegressors
        For ``extra`` of `phmri.signals.make_nuisance` and `phmri.signals.make_cleaning`.

    Raises
    ------
    SignalsError
        No recording of pulse or breathing, or two of one; a recording that does not cover the
        scan; one whose quality is beyond the limits; regressors that depend on each other.

    Notes
    -----
    Phases are those of one time per volume. They fit data whose slices were brought to that time;
    interpolating slices in time cannot bring back a pulse that the repetition time has aliased,
    so the cardiac columns fit best the slices taken near that time.

    References
    ----------
    Glover et al. 2000, doi:10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E.
    Harvey et al. 2008, doi:10.1002/jmri.21623.
    Birn et al. 2006, doi:10.1016/j.neuroimage.2006.02.048.
    Birn et al. 2008, doi:10.1016/j.neuroimage.2007.11.059.
    Chang et al. 2009, doi:10.1016/j.neuroimage.2008.09.029.
    """
    pulse, breathing = pick_recordings(physio, t_r=t_r, n_volumes=n_volumes, settings=settings)
    beats, breaths = _beats_of(pulse, settings), _breaths_of(breathing, settings)
    problems = _poor(pulse, beats, "pulse") + _poor(breathing, breaths, "breathing")
    if problems:
        raise SignalsError(*problems)
    within_s = t_r / 2.0 if settings.slice_time_s is None else settings.slice_time_s
    times_s = np.arange(n_volumes) * t_r + within_s
    X, names = retroicor(
        None if beats is None else cardiac_phase(times_s, beats.times_s),
        None
        if breathing is None or breathing.respiratory is None
        else respiratory_phase(
            times_s,
            breathing.respiratory,
            breathing.sampling_hz,
            start_s=breathing.start_s,
        ),
        cardiac_order=settings.cardiac_order,
        respiratory_order=settings.respiratory_order,
        interaction_order=settings.interaction_order,
    )
    if settings.rates:
        slow = _slow_columns(times_s, pulse, beats, breathing, breaths)
        X = np.column_stack([X, *slow.values()])
        names = (*names, *slow)
    X = X - X.mean(axis=0)
    _refuse_dependent(X, [p.path for p in physio])
    return PhysiologyRegressors(
        X=X, names=names, sentences=_sentences(beats, breaths, settings, X.shape[1])
    )


def physiology_summary(
    physio: Sequence[Physio],
    *,
    t_r: float,
    n_volumes: int,
    settings: PhysiologySettings = _DEFAULT,
) -> PhysiologySummary:
    """Summarise pulse and breathing during a scan.

    Parameters
    ----------
    physio : sequence of Physio
        One recording, or one of the pulse and one of breathing.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.
    settings : PhysiologySettings
        Limits of quality.

    Returns
    -------
    PhysiologySummary
        A poor recording is flagged, not refused; one without any peak gives NaN and a flag.

    Notes
    -----
    `SignalsError` tells that a recording does not cover the scan, or that two hold the same
    signal.
    """
    pulse, breathing = pick_recordings(physio, t_r=t_r, n_volumes=n_volumes, settings=settings)
    flags: list[str] = []
    beats = breaths = None
    try:
        beats = _beats_of(pulse, settings)
    except SignalsError as error:
        flags += [f"pulse: {problem.what}" for problem in error.problems]
    try:
        breaths = _breaths_of(breathing, settings)
    except SignalsError as error:
        flags += [f"breathing: {problem.what}" for problem in error.problems]
    scan_s = n_volumes * t_r
    rate, rate_sd = _heart_numbers(beats, scan_s)
    breathing_rate, volume = _breathing_numbers(breaths, scan_s)
    for name, peaks in (("pulse", beats), ("breathing", breaths)):
        flags += [f"{name}: {flag}" for flag in (peaks.quality.flags if peaks else ())]
    return PhysiologySummary(
        heart_rate_per_min=rate,
        heart_rate_sd_per_min=rate_sd,
        breathing_rate_per_min=breathing_rate,
        breathing_volume_per_s=volume,
        pulse=_quality(beats),
        breathing=_quality(breaths),
        flags=tuple(flags),
    )


def pick_recordings(
    physio: Sequence[Physio],
    *,
    t_r: float,
    n_volumes: int,
    settings: PhysiologySettings = _DEFAULT,
) -> tuple[Physio | None, Physio | None]:
    """Give the recording of the pulse and that of breathing; each must cover the scan.

    Parameters
    ----------
    physio : sequence of Physio
        One recording, or one of the pulse and one of breathing.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.
    settings : PhysiologySettings
        How long a recording may go on.

    Returns
    -------
    pulse, breathing : Physio or None
        The same one where it holds both.

    Raises
    ------
    SignalsError
        Neither, two of one, or one that does not cover the scan.
    """
    pulse = [recording for recording in physio if recording.cardiac is not None]
    breathing = [recording for recording in physio if recording.respiratory is not None]
    problems = [
        Problem(
            what=f"two recordings hold {name}",
            file=found[0].path,
            found=", ".join(recording.path for recording in found),
            expected="one",
        )
        for name, found in (("the pulse", pulse), ("breathing", breathing))
        if len(found) > 1
    ]
    if not pulse and not breathing:
        problems.append(Problem(what="the run has no recording of pulse or breathing"))
    for recording in physio:
        problems += _coverage(recording, t_r, n_volumes, settings.surplus_s)
    if problems:
        raise SignalsError(*problems)
    return next(iter(pulse), None), next(iter(breathing), None)


def _coverage(recording: Physio, t_r: float, n_volumes: int, surplus_s: float) -> list[Problem]:
    """Compare with the scan; less than half a volume may lack at either end."""
    end_s = recording.start_s + recording.times_s.size / recording.sampling_hz
    scan_s = n_volumes * t_r
    covers = recording.start_s < t_r / 2.0 and end_s > scan_s - t_r / 2.0
    if covers and end_s <= scan_s + surplus_s:
        return []
    return [
        Problem(
            what="the recording goes on too long after the scan to be of this run"
            if covers
            else "the recording does not cover the scan",
            file=recording.path,
            found=f"{end_s - recording.start_s:.1f} s, from {recording.start_s:.1f} to "
            f"{end_s:.1f} s",
            expected=f"{scan_s:.1f} s, from 0 to {scan_s:.1f} s ({n_volumes} volumes of "
            f"{t_r:g} s)" + (f" and at most {surplus_s:g} s more" if covers else ""),
        )
    ]


def _beats_of(pulse: Physio | None, settings: PhysiologySettings) -> Beats | None:
    if pulse is None or pulse.cardiac is None:
        return None
    return find_beats(
        pulse.cardiac, pulse.sampling_hz, start_s=pulse.start_s, limits=settings.pulse
    )


def _breaths_of(breathing: Physio | None, settings: PhysiologySettings) -> Breaths | None:
    if breathing is None or breathing.respiratory is None:
        return None
    return find_breaths(
        breathing.respiratory,
        breathing.sampling_hz,
        start_s=breathing.start_s,
        limits=settings.breathing,
    )


def _quality(peaks: Beats | Breaths | None) -> RecordingQuality | None:
    return None if peaks is None else peaks.quality


def _poor(recording: Physio | None, peaks: Beats | Breaths | None, name: str) -> list[Problem]:
    if recording is None or peaks is None or not peaks.quality.flags:
        return []
    return [
        Problem(
            what=f"the recording of {name} is too poor to make regressors of",
            file=recording.path,
            found="; ".join(peaks.quality.flags),
            expected="a recording within its limits, or an analysis without it",
        )
    ]


def _slow_columns(
    times_s: Float[np.ndarray, " n_volumes"],
    pulse: Physio | None,
    beats: Beats | None,
    breathing: Physio | None,
    breaths: Breaths | None,
) -> dict[str, Float[np.ndarray, " n_volumes"]]:
    columns = {}
    if pulse is not None and beats is not None:
        columns["heart_rate_crf"] = convolve_response(
            times_s,
            lambda grid: heart_rate(grid, beats.times_s),
            cardiac_response,
            start_s=pulse.start_s,
        )
    if breathing is not None and breaths is not None:
        columns["rvt_rrf"] = convolve_response(
            times_s,
            lambda grid: respiratory_volume_per_time(grid, breaths),
            respiration_response,
            start_s=breathing.start_s,
        )
    return columns


def _refuse_dependent(X: Float[np.ndarray, "n_volumes k"], files: list[str]) -> None:
    rank = orthonormal(X).shape[1]
    if rank < X.shape[1]:
        raise SignalsError(
            Problem(
                what="the regressors of pulse and breathing depend on each other",
                file=", ".join(files),
                found=f"rank {rank} of {X.shape[1]} columns in {X.shape[0]} volumes",
                expected="lower orders, or more volumes",
            )
        )


def _sentences(
    beats: Beats | None, breaths: Breaths | None, settings: PhysiologySettings, n_columns: int
) -> tuple[str, ...]:
    orders = []
    if beats is not None:
        orders.append(f"cardiac order {settings.cardiac_order}")
    if breaths is not None:
        orders.append(f"respiratory order {settings.respiratory_order}")
    if beats is not None and breaths is not None:
        orders.append(f"interaction order {settings.interaction_order}")
    made = f"Regressors of pulse and breathing ({n_columns} columns) were added: RETROICOR"
    sentences = [f"{made} ({', '.join(orders)}) [doi:{_GLOVER}] [doi:{_HARVEY}]"]
    if settings.rates and beats is not None:
        sentences.append(
            "Heart rate in windows of 6 s was convolved with the cardiac response function "
            f"[doi:{_CHANG}]"
        )
    if settings.rates and breaths is not None:
        sentences.append(
            f"Respiratory volume per time [doi:{_BIRN_2006}] was convolved with the respiration "
            f"response function [doi:{_BIRN_2008}]"
        )
    return tuple(sentences)


def _heart_numbers(beats: Beats | None, scan_s: float) -> tuple[float, float]:
    if beats is None:
        return float("nan"), float("nan")
    inside = (beats.times_s >= 0.0) & (beats.times_s <= scan_s)
    times, placed = beats.times_s[inside], beats.inserted[inside]
    intervals = np.diff(times)
    seen = 60.0 / intervals[~placed[1:] & ~placed[:-1]]
    return (
        float(60.0 / intervals.mean()) if intervals.size else float("nan"),
        float(seen.std(ddof=1)) if seen.size > 1 else float("nan"),
    )


def _breathing_numbers(breaths: Breaths | None, scan_s: float) -> tuple[float, float]:
    if breaths is None:
        return float("nan"), float("nan")
    times = breaths.times_s[(breaths.times_s >= 0.0) & (breaths.times_s <= scan_s)]
    rate = float(60.0 / np.median(np.diff(times))) if times.size > 1 else float("nan")
    grid = np.arange(0.0, scan_s, 1.0)
    return rate, float(respiratory_volume_per_time(grid, breaths).mean())
