"""Local and global measures of one run's spontaneous signal.

Each takes a run's cleaning and its uncleaned series and gives one `RunEstimate`: a value per voxel
or parcel, its sampling variance where a formula is known, and what that assumes.
"""

from phmri.firstlevel.local._amplitude import alff, falff
from phmri.firstlevel.local._degree import degree_centrality, every_nth_voxel
from phmri.firstlevel.local._dual_regression import dual_regression, receptor_regression
from phmri.firstlevel.local._exposure import exposure_connectivity, find_window_problems
from phmri.firstlevel.local._global import global_connectivity
from phmri.firstlevel.local._homogeneity import reho

__all__ = [
    "alff",
    "degree_centrality",
    "dual_regression",
    "every_nth_voxel",
    "exposure_connectivity",
    "falff",
    "find_window_problems",
    "global_connectivity",
    "receptor_regression",
    "reho",
]
