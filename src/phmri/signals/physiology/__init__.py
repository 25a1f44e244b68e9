"""Pulse and breathing recordings: beats, breaths, their quality, and regressors from them.

A recording gives peaks (`find_beats`, `find_breaths`) with a judgement of how far they are to be
trusted; peaks give phases and rates; those give regressors of no interest
(`physiology_regressors`) or outcomes (`physiology_summary`).
"""

from phmri.signals.physiology._peaks import find_beats, find_breaths
from phmri.signals.physiology._rates import (
    cardiac_response,
    heart_rate,
    respiration_response,
    respiratory_volume_per_time,
)
from phmri.signals.physiology._records import (
    BREATHING,
    PULSE,
    Beats,
    Breaths,
    PhysiologyRegressors,
    PhysiologySettings,
    PhysiologySummary,
    RecordingLimits,
    RecordingQuality,
)
from phmri.signals.physiology._regressors import (
    physiology_regressors,
    physiology_summary,
    pick_recordings,
)
from phmri.signals.physiology._retroicor import cardiac_phase, respiratory_phase, retroicor

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
    "cardiac_phase",
    "cardiac_response",
    "find_beats",
    "find_breaths",
    "heart_rate",
    "physiology_regressors",
    "physiology_summary",
    "pick_recordings",
    "respiration_response",
    "respiratory_phase",
    "respiratory_volume_per_time",
    "retroicor",
]
