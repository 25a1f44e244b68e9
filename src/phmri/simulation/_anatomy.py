"""Where brain and its tissues are: a template grid at 2 mm, or a small box for tests."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from phmri.exceptions import SimulationError

__all__ = ["Anatomy", "box_anatomy", "template_anatomy"]

_BOX_VOXEL_MM = 8.0
_BOX_CENTER_MM = (-16.0, 30.0, 18.0)  # holds pgACC, dorsomedial PFC and the left insula
_N_AXES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A brain on a grid; voxels are listed with x running fastest, as they lie in a NIfTI file.

    Parameters
    ----------
    space : str
        Template space (BIDS ``space-``).
    resolution : str or None
        BIDS ``res-``.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    mask : ndarray of shape (x, y, z)
        True inside the brain.
    grey, white, csf : ndarray of shape (n_voxels,)
        Tissue fractions of the voxels of the mask, sum 1.
    position_mm : ndarray of shape (n_voxels, 3)
        Centre of each voxel of the mask.
    """

    space: str
    resolution: str | None
    affine: Float[np.ndarray, "4 4"]
    mask: Bool[np.ndarray, "x y z"]
    grey: Float32[np.ndarray, " n_voxels"]
    white: Float32[np.ndarray, " n_voxels"]
    csf: Float32[np.ndarray, " n_voxels"]
    position_mm: Float32[np.ndarray, "n_voxels 3"]


def template_anatomy(voxel_mm: int = 2, space: str = "MNI152NLin2009aSym") -> Anatomy:
    """Load the ICBM 2009a symmetric template that nilearn brings along.

    Parameters
    ----------
    voxel_mm : int
        Edge of a voxel.
    space : str
        Name under which it goes. Templates of the family differ by a millimetre or so, which
        does not matter for data that are made on the same grid that they are looked at.

    Returns
    -------
    Anatomy
        At 2 mm, 99 x 117 x 95 voxels, 235,375 of them brain.

    References
    ----------
    .. [1] Fonov V, et al. Unbiased average age-appropriate atlases for pediatric studies.
       NeuroImage 54, 2011, 313-327. doi:10.1016/j.neuroimage.2010.07.033
    """
    from nilearn import datasets  # noqa: PLC0415 - seconds to import, and only the demo needs it

    image = datasets.load_mni152_brain_mask(resolution=voxel_mm)
    mask = np.asarray(image.dataobj) > 0
    grey = _inside(datasets.load_mni152_gm_template(resolution=voxel_mm), mask)
    white = _inside(datasets.load_mni152_wm_template(resolution=voxel_mm), mask)
    total = np.maximum(grey + white, np.float32(1.0))
    grey, white = grey / total, white / total
    return Anatomy(
        space=space,
        resolution=str(voxel_mm),
        affine=np.asarray(image.affine, dtype=np.float64),
        mask=mask,
        grey=grey,
        white=white,
        csf=np.float32(1.0) - grey - white,
        position_mm=_positions(mask, np.asarray(image.affine, dtype=np.float64)),
    )


def box_anatomy(shape: tuple[int, int, int]) -> Anatomy:
    """Make a coarse box around the medial prefrontal cortex and the left insula.

    Voxels are 8 mm; the lowest slice is air; tissues alternate by position. It is labelled
    ``MNI152NLin2009cAsym`` so that the regions of the protocol templates can be placed in it.

    Parameters
    ----------
    shape : tuple of int
        Voxels along x, y, z; at least 4 each.

    Returns
    -------
    Anatomy
        Mask, tissues and positions.

    Raises
    ------
    SimulationError
        The box is too small to hold tissues.
    """
    if len(shape) != _N_AXES or min(shape) <= _N_AXES:
        raise SimulationError(f"a box needs at least 4 voxels along each axis; found {shape}")
    affine = np.diag([_BOX_VOXEL_MM, _BOX_VOXEL_MM, _BOX_VOXEL_MM, 1.0])
    affine[:3, 3] = np.asarray(_BOX_CENTER_MM) - (np.asarray(shape) - 1) / 2 * _BOX_VOXEL_MM
    mask = np.ones(shape, dtype=np.bool_)
    mask[:, :, 0] = False
    i, j, k = (axis.ravel(order="F")[mask.ravel(order="F")] for axis in np.indices(shape))
    kind = (i + 2 * j + 3 * k) % 7
    return Anatomy(
        space="MNI152NLin2009cAsym",
        resolution="2",
        affine=affine,
        mask=mask,
        grey=np.isin(kind, (0, 3), invert=True).astype(np.float32),
        white=(kind == 0).astype(np.float32),
        csf=(kind == _N_AXES).astype(np.float32),
        position_mm=_positions(mask, affine),
    )


def _inside(image: object, mask: Bool[np.ndarray, "x y z"]) -> Float32[np.ndarray, " n_voxels"]:
    data = np.asarray(image.dataobj, dtype=np.float32)  # type: ignore[attr-defined]
    fractions = np.clip(data.ravel(order="F")[mask.ravel(order="F")], 0.0, 1.0)
    return np.asarray(fractions, dtype=np.float32)


def _positions(
    mask: Bool[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"]
) -> Float32[np.ndarray, "n_voxels 3"]:
    inside = mask.ravel(order="F")
    index = np.stack([axis.ravel(order="F")[inside] for axis in np.indices(mask.shape)], axis=1)
    return np.asarray(index @ affine[:3, :3].T + affine[:3, 3], dtype=np.float32)
