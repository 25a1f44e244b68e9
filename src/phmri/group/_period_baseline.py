"""Baselines of the periods of a crossover: what is said of them, and when they say nothing."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.group._columns import follows_from
from phmri.group._records import UnitDesign

__all__ = ["ADJUSTED", "LASTING", "SAME_BASELINE", "leave_out_same_baseline"]

ADJUSTED = {
    "crossover": "It was adjusted for the baseline of each period: half of the baseline of period "
    "1 minus that of period 2 was a covariate, fitted anew in every outcome "
    "[doi:10.1093/biostatistics/kxp046].",
    "periods": "Each period was adjusted for its own baseline, with one slope that is fitted "
    "within participants and anew in every outcome [doi:10.1093/biostatistics/kxp046].",
}
"""Estimator -> what the baselines do in its model."""
LASTING = (
    "The baselines of later periods were measured after an earlier treatment: what of it lasts "
    "until then is taken for baseline, and can bias the effect."
)
SAME_BASELINE = (
    "Nobody's baseline differs between periods, or the differences follow from the other columns: "
    "no period was adjusted for its own."
)


def leave_out_same_baseline(
    design: UnitDesign, baseline: Float[np.ndarray, " n_units"]
) -> UnitDesign:
    """Leave baselines out of a model that they say nothing in, with a note.

    Parameters
    ----------
    design : UnitDesign
        Of a crossover with ``voxelwise_baseline``.
    baseline : ndarray of shape (n_units,)
        Of one number, as `make_baseline` gives it; rows without data are not read.

    Returns
    -------
    UnitDesign
        The same where baselines tell something.

    Notes
    -----
    A baseline that is the same in all periods of a participant drops out of comparisons within
    participants. Where that holds in everyone nothing is left to adjust for. A `DesignError` tells
    where baselines follow from the treatment.
    """
    here = np.ones(len(baseline), dtype=bool) if design.present is None else design.present
    column = np.where(here, baseline, 0.0)
    X = np.where(here[:, None], design.X, 0.0)
    if not follows_from(column, X, design.contrast):
        return design
    return replace(
        design,
        voxelwise_baseline=False,
        notes=(*(note for note in design.notes if note != LASTING), SAME_BASELINE),
        sentences=tuple(said for said in design.sentences if said not in ADJUSTED.values()),
    )
