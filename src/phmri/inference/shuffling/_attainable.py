"""The smallest p-value that the shufflings of a design can give."""

import numpy as np

from phmri.group import UnitDesign, partition_contrast
from phmri.inference._pvalues import Alternative
from phmri.inference.shuffling._source import ShufflingSource

__all__ = ["smallest_pvalue"]

CHUNK = 1024
TOLERANCE = 1e-9


def smallest_pvalue(
    design: UnitDesign, source: ShufflingSource, alternative: Alternative
) -> float:
    r"""Give the smallest p-value that counting these shufflings can give.

    Parameters
    ----------
    design : UnitDesign
        Rows, model and contrast.
    source : ShufflingSource
        Its shufflings.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.

    Returns
    -------
    float
        :math:`1/N`; or :math:`2/N` where all are enumerated and one of them turns the sign of
        every statistic, so that a two-sided test always meets its own statistic twice.
    """
    two_sided = alternative == "two-sided" and np.ndim(design.contrast) == 1
    met_twice = two_sided and source.exhaustive and _turns_signs(design, source)
    return (2 if met_twice else 1) / source.n_used


def _turns_signs(design: UnitDesign, source: ShufflingSource) -> bool:
    """Tell whether a shuffling turns the sign of every statistic, whatever the data.

    It does when it turns the contrast's regressor into its negative and keeps the space of the
    nuisance. A voxelwise baseline stays where it is, which rules it out where residuals move
    against it; dealt columns move while all data stay.
    """
    moved_against = design.voxelwise_baseline and design.dealt is None
    if moved_against or not (design.present is None or design.present.all()):
        return False
    partition = partition_contrast(design)
    r, Q = partition.regressor, partition.nuisance
    for start in range(0, source.n_used, CHUNK):
        taken = source.take(range(start, min(start + CHUNK, source.n_used)))
        gap = np.abs(taken.sign * r[taken.order] + r).max(axis=1)
        for k in np.flatnonzero(gap <= TOLERANCE * np.abs(r).max()):
            moved = taken.sign[k, :, None] * Q[taken.order[k]]
            if np.abs(moved - Q @ (Q.T @ moved)).max(initial=0.0) <= TOLERANCE:
                return True
    return False
