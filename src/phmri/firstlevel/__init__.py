r"""First level: one run to connectivity values.

The model of a run is :math:`y = X b + e`, where X holds the constant, the filter, the confounds
and, where the protocol says so, the task. `phmri.signals.make_cleaning` turns X into one operator
with known degrees of freedom; here the residuals are correlated, and correlations become Fisher z
with variance :math:`1/(df - 2)` under white noise.
"""

from phmri.firstlevel._connectivity import (
    clean,
    edge_names,
    roi_to_roi,
    seed_to_parcel,
    seed_to_voxel,
)
from phmri.firstlevel._records import Connectivity
from phmri.firstlevel._sentences import measure_sentence
from phmri.firstlevel._task import canonical_response, task_regressors

__all__ = [
    "Connectivity",
    "canonical_response",
    "clean",
    "edge_names",
    "measure_sentence",
    "roi_to_roi",
    "seed_to_parcel",
    "seed_to_voxel",
    "task_regressors",
]
