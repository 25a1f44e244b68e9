"""Noise that the voxels of a tissue share: which measures ask for it, and whose tissues."""

import numpy as np
from jaxtyping import Int

from phmri.dataset import Run
from phmri.exceptions import PhmriError, Problem
from phmri.pipeline._job import grid_of
from phmri.pipeline._run_data import RunData
from phmri.protocol import Measure
from phmri.signals import place_tissues

__all__ = ["by_tissue", "refuse_without_tissues", "tissues_of"]


def by_tissue(measure: Measure) -> bool:
    """Tell whether the noise of a measure is shared by the voxels of a tissue.

    Parameters
    ----------
    measure : Measure

    Returns
    -------
    bool
    """
    noise = getattr(measure, "noise", None)
    return noise is not None and noise.kind != "white" and noise.scope == "tissue"


def refuse_without_tissues(run: Run) -> None:
    """See that there is an image of a run's tissues.

    Parameters
    ----------
    run : Run

    Raises
    ------
    PhmriError
        There is none.
    """
    if not run.tissues:
        raise PhmriError(
            Problem(
                what="noise by tissue needs an image of the participant's tissues, and there is "
                "none in the space of the run",
                file=str(run.path),
                found="no such file in anat of the derivatives",
                expected=f"..._space-{run.space or '<space>'}_dseg.nii.gz, or noise.scope: voxel",
            )
        )


def tissues_of(data: RunData, measure: Measure) -> Int[np.ndarray, " n_voxels"] | None:
    """Give the tissue of every voxel in the mask of a run.

    Parameters
    ----------
    data : RunData
    measure : Measure

    Returns
    -------
    ndarray of shape (n_voxels,) or None
        1 grey matter, 2 white matter, 3 CSF; None where the noise is not by tissue.
    """
    if not by_tissue(measure):
        return None
    run = data.job.run
    refuse_without_tissues(run)
    return np.asarray(place_tissues(run.tissues, grid_of(run))[data.mask])
