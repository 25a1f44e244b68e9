"""The clusters of a question's map, or the components of its edges, placed and named."""

import numpy as np

from phmri.group import UnitDesign
from phmri.inference import Cluster, InferenceResult, Places, Space, find_clusters, find_extrema
from phmri.pipeline._labels import PeakLabels
from phmri.pipeline._loading import LoadedOutcomes
from phmri.protocol import Inference, Question

__all__ = ["list_clusters"]

MM3_DIGITS = 6


def list_clusters(
    question: Question,
    design: UnitDesign,
    outcomes: LoadedOutcomes,
    result: InferenceResult,
    settings: Inference,
    *,
    space: Space | None,
    labels: PeakLabels,
) -> tuple[Cluster, ...]:
    """List the clusters of a question.

    Parameters
    ----------
    question : Question
    design : UnitDesign
    outcomes : LoadedOutcomes
    result : InferenceResult
    settings : Inference
    space : Volume, Graph or None
        None for outcomes without neighbours, which form no clusters.
    labels : PeakLabels

    Returns
    -------
    tuple of Cluster
    """
    if space is None:
        return ()
    n_fitted = len(design.X) if design.present is None else int(design.present.sum())
    return find_clusters(
        result,
        settings,
        space=space,
        df=float(n_fitted - design.X.shape[1] - design.voxelwise_baseline),
        alternative=question.alternative,
        places=_places(outcomes, result, labels),
    )


def _places(outcomes: LoadedOutcomes, result: InferenceResult, labels: PeakLabels) -> Places:
    if outcomes.mask is None or outcomes.affine is None:
        return Places(name_of=lambda k: outcomes.names[k])
    voxels, affine = np.argwhere(outcomes.mask), outcomes.affine
    positions = voxels @ affine[:3, :3].T + affine[:3, 3]
    return Places(
        positions_mm=positions,
        # The determinant of millimetres is good to more than this.
        voxel_mm3=round(float(abs(np.linalg.det(affine[:3, :3]))), MM3_DIGITS),
        maxima=find_extrema(result.statistic, outcomes.mask, affine),
        name_of=lambda k: labels.label_of(positions[k]),
    )
