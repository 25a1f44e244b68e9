r"""Signals: from an image and a confound table to time series and one cleaning operator.

A run is a matrix Y (volumes x voxels). A region's series is a weighted mean over its voxels of
unsmoothed data; voxels are smoothed by a separable Gaussian. All temporal cleaning is linear,
:math:`\hat y = (I - Q Q^\top) y`, with Q an orthonormal basis of everything to be removed, so one
operator with known degrees of freedom goes to the first level. This is the last room to see an
image.
"""

from phmri.signals._cleaning import make_cleaning
from phmri.signals._extract import extract_signals
from phmri.signals._quality import run_quality
from phmri.signals._records import Cleaning, Grid, RegionOnGrid, RunQuality, RunSignals
from phmri.signals._regions import place_parcels, place_region
from phmri.signals._series import extract_series
from phmri.signals._strategies import Strategy, list_strategies

__all__ = [
    "Cleaning",
    "Grid",
    "RegionOnGrid",
    "RunQuality",
    "RunSignals",
    "Strategy",
    "extract_series",
    "extract_signals",
    "list_strategies",
    "make_cleaning",
    "place_parcels",
    "place_region",
    "run_quality",
]
