"""What a run's confounds and its voxel statistics say of its quality."""

import numpy as np
from jaxtyping import Float

from phmri.dataset import Confounds
from phmri.signals._columns import find_column
from phmri.signals._records import RunQuality
from phmri.signals._volumes import count_leading

__all__ = ["run_quality"]


def run_quality(confounds: Confounds | None) -> RunQuality:
    """Summarise motion from a confound table.

    Parameters
    ----------
    confounds : Confounds or None
        The run's table, if it has one.

    Returns
    -------
    RunQuality
        Means over the volumes in steady state that have a value (the first has none), whether
        censored or not; NaN where the table has no such column. No image statistic is known.

    Examples
    --------
    >>> run_quality(None).region_voxels
    {}
    """
    return RunQuality(
        mean_fd_mm=_mean(confounds, "framewise_displacement"),
        mean_std_dvars=_mean(confounds, "std_dvars"),
        tsnr_median=float("nan"),
        region_voxels={},
        region_coverage={},
    )


def _mean(confounds: Confounds | None, name: str) -> float:
    column = None if confounds is None else find_column(confounds, name)
    if confounds is None or column is None:
        return float("nan")
    values: Float[np.ndarray, " n"] = column[count_leading(confounds) :]
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")
