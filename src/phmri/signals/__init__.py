r"""Signals: from an image and a confound table to time series and one cleaning operator.

A run is a matrix Y (volumes x voxels). A region's series is a weighted mean over its voxels of
unsmoothed data; voxels are smoothed by a separable Gaussian. All temporal cleaning is linear,
:math:`\hat y = (I - Q Q^\top) y`, with Q an orthonormal basis of everything to be removed, so one
operator with known degrees of freedom goes to the first level. This is the last room to see an
image.
"""

from phmri.signals._cleaning import make_cleaning
from phmri.signals._extract import extract_signals
from phmri.signals._maps import place_maps
from phmri.signals._nuisance import make_nuisance
from phmri.signals._quality import run_quality
from phmri.signals._records import (
    Cleaning,
    Grid,
    Nuisance,
    RegionOnGrid,
    RunQuality,
    RunSignals,
)
from phmri.signals._regions import place_parcels, place_region
from phmri.signals._series import extract_series, find_series_faults
from phmri.signals._strategies import Strategy, list_strategies
from phmri.signals._tissues import place_tissues
from phmri.signals._volumes import count_leading
from phmri.signals.physiology import (
    Beats,
    Breaths,
    PhysiologyRegressors,
    PhysiologySettings,
    PhysiologySummary,
    RecordingLimits,
    RecordingQuality,
    cardiac_phase,
    cardiac_response,
    find_beats,
    find_breaths,
    heart_rate,
    physiology_regressors,
    physiology_summary,
    pick_recordings,
    respiration_response,
    respiratory_phase,
    respiratory_volume_per_time,
    retroicor,
)

__all__ = [
    "Beats",
    "Breaths",
    "Cleaning",
    "Grid",
    "Nuisance",
    "PhysiologyRegressors",
    "PhysiologySettings",
    "PhysiologySummary",
    "RecordingLimits",
    "RecordingQuality",
    "RegionOnGrid",
    "RunQuality",
    "RunSignals",
    "Strategy",
    "cardiac_phase",
    "cardiac_response",
    "count_leading",
    "extract_series",
    "extract_signals",
    "find_beats",
    "find_breaths",
    "find_series_faults",
    "heart_rate",
    "list_strategies",
    "make_cleaning",
    "make_nuisance",
    "physiology_regressors",
    "physiology_summary",
    "pick_recordings",
    "place_maps",
    "place_parcels",
    "place_region",
    "place_tissues",
    "respiration_response",
    "respiratory_phase",
    "respiratory_volume_per_time",
    "retroicor",
    "run_quality",
]
