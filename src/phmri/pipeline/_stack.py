"""Loaded outcomes as the rows of a design."""

import numpy as np
from jaxtyping import Float

from phmri.group import UnitDesign, make_outcome
from phmri.pipeline._loading import LoadedOutcomes

__all__ = ["stack_outcomes"]


def stack_outcomes(
    design: UnitDesign, outcomes: LoadedOutcomes
) -> tuple[
    Float[np.ndarray, "n_units n_outcomes"], Float[np.ndarray, "n_units n_outcomes"] | None
]:
    """Make outcome and baseline of every row.

    Parameters
    ----------
    design : UnitDesign
    outcomes : LoadedOutcomes

    Returns
    -------
    Y : ndarray of shape (n_units, n_outcomes)
    baseline : ndarray of shape (n_units, n_outcomes) or None
        NaN in both where either lacks data; None where the model has no such covariate.
    """
    images = outcomes.images
    if design.present is not None:
        full = np.full((len(design.subjects), images["periods"].shape[1]), np.nan)
        full[design.present] = images["periods"]
        images = {"periods": full}
    Y = make_outcome(design, images)
    if not design.voxelwise_baseline:
        return Y, None
    baseline = images["baseline"].astype(np.float64)
    absent = np.isnan(Y) | np.isnan(baseline)
    Y[absent], baseline[absent] = np.nan, np.nan
    return Y, baseline
