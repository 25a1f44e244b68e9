"""Loaded outcomes as the rows of a design."""

import numpy as np
from jaxtyping import Float

from phmri.group import UnitDesign, make_baseline, make_outcome
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
        images = {role: _planned(design, stack) for role, stack in images.items()}
    Y = make_outcome(design, images)
    if not design.voxelwise_baseline:
        return Y, None
    baseline = make_baseline(design, images)
    absent = np.isnan(Y) | np.isnan(baseline)
    Y[absent], baseline[absent] = np.nan, np.nan
    return Y, baseline


def _planned(
    design: UnitDesign, stack: Float[np.ndarray, "n_sources n_outcomes"]
) -> Float[np.ndarray, "n_units n_outcomes"]:
    """Put the periods at hand in the rows of those that were planned."""
    full = np.full((len(design.subjects), stack.shape[1]), np.nan)
    full[design.present] = stack
    return full
