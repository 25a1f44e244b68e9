"""What all runs of a trial share: mean image, noise level, and the maps that signals ride on.

One run is ``data = mean + courses @ maps + noise`` with one row of ``maps`` per source. Amplitudes
are in image units; grey matter has a mean of 1000, so 10 units are 1 %.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from phmri.simulation._anatomy import Anatomy

__all__ = ["DMPFC_MM", "INSULA_MM", "NETWORKS", "PGACC_MM", "SOURCES", "Scene", "make_scene"]

PGACC_MM = (0.0, 46.8, 9.5)
"""Between the left and right centroids of the areas p24ab, p24c and p32 of Julich-Brain 3.1."""
DMPFC_MM = (0.0, 38.0, 42.0)
"""Ours: the trial's own coordinate is not known."""
INSULA_MM = (-38.0, 6.0, 0.0)
"""Ours: the trial's own coordinate is not known."""

_Point = tuple[float, float, float]
NETWORKS: dict[str, tuple[_Point, ...]] = {
    "default": (
        (0.0, -54.0, 28.0),
        (0.0, 52.0, 4.0),
        (0.0, 40.0, 40.0),
        (-46.0, -66.0, 32.0),
        (48.0, -64.0, 32.0),
    ),
    "salience": ((-38.0, 6.0, 0.0), (38.0, 6.0, 0.0), (0.0, 18.0, 38.0)),
    "frontoparietal": (
        (-44.0, 34.0, 26.0),
        (44.0, 34.0, 26.0),
        (-44.0, -52.0, 46.0),
        (44.0, -52.0, 46.0),
    ),
    "visual": ((0.0, -84.0, 4.0), (-26.0, -86.0, 2.0), (26.0, -86.0, 2.0)),
    "sensorimotor": ((-40.0, -24.0, 56.0), (40.0, -24.0, 56.0), (0.0, -18.0, 58.0)),
}
"""Centres of smooth blobs in mm, ours: enough for maps that look like brains."""

SOURCES = (
    *NETWORKS,
    "pgacc",
    "dmpfc",
    "insula",
    "global",
    "white",
    "csf",
    "drift_x",
    "drift_y",
    "drift_z",
    "trans_x",
    "trans_y",
    "trans_z",
    "rot_x",
    "rot_y",
    "rot_z",
    "spike",
    "saturation",
)
"""Rows of the maps and columns of the time courses."""

_GREY_MEAN, _WHITE_MEAN, _CSF_MEAN = 1000.0, 800.0, 1300.0
_GREY_SD, _WHITE_SD, _CSF_SD = 20.0, 14.0, 26.0
_GREY_AR, _WHITE_AR, _CSF_AR = 0.40, 0.20, 0.35
_AMPLITUDE = {"pgacc": 12.0, "dmpfc": 8.0, "insula": 9.0, "network": 12.0, "global": 5.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The parts of a simulated brain that do not change between runs.

    Parameters
    ----------
    anatomy : Anatomy
        The brain and its grid.
    mean : ndarray of shape (n_voxels,)
        Steady-state image.
    noise_sd : ndarray of shape (n_voxels,)
        Standard deviation of the noise in time.
    noise_ar : ndarray of shape (n_voxels,)
        First-order autocorrelation of the noise at lag one volume.
    maps : ndarray of shape (n_sources, n_voxels)
        In the order of `SOURCES`.
    """

    anatomy: Anatomy
    mean: Float32[np.ndarray, " n_voxels"]
    noise_sd: Float32[np.ndarray, " n_voxels"]
    noise_ar: Float32[np.ndarray, " n_voxels"]
    maps: Float32[np.ndarray, "n_sources n_voxels"]


def make_scene(anatomy: Anatomy) -> Scene:
    """Lay sources over an anatomy.

    Parameters
    ----------
    anatomy : Anatomy
        The brain and its grid.

    Returns
    -------
    Scene
        Mean image, noise level and maps.
    """
    mean = _mixture(anatomy, (_GREY_MEAN, _WHITE_MEAN, _CSF_MEAN))
    maps = _neural_maps(anatomy) | _nuisance_maps(anatomy, mean)
    return Scene(
        anatomy=anatomy,
        mean=mean,
        noise_sd=_mixture(anatomy, (_GREY_SD, _WHITE_SD, _CSF_SD)),
        noise_ar=_mixture(anatomy, (_GREY_AR, _WHITE_AR, _CSF_AR)),
        maps=np.stack([maps[name] for name in SOURCES]).astype(np.float32),
    )


def _mixture(
    anatomy: Anatomy, values: tuple[float, float, float]
) -> Float32[np.ndarray, " n_voxels"]:
    grey, white, csf = values
    mixed = grey * anatomy.grey + white * anatomy.white + csf * anatomy.csf
    return np.asarray(mixed, dtype=np.float32)


def _neural_maps(anatomy: Anatomy) -> dict[str, np.ndarray]:
    grey = 0.3 + 0.7 * anatomy.grey
    maps = {
        name: _AMPLITUDE["network"] * grey * np.max([_bell(anatomy, c, 11.0) for c in centers], 0)
        for name, centers in NETWORKS.items()
    }
    maps["pgacc"] = _AMPLITUDE["pgacc"] * _disc(anatomy, PGACC_MM)
    maps["dmpfc"] = _AMPLITUDE["dmpfc"] * _disc(anatomy, DMPFC_MM)
    maps["insula"] = _AMPLITUDE["insula"] * _disc(anatomy, INSULA_MM)
    maps["global"] = _AMPLITUDE["global"] * (0.4 + 0.6 * anatomy.grey)
    maps["white"] = 6.0 * anatomy.white
    maps["csf"] = 14.0 * anatomy.csf
    return maps


def _nuisance_maps(anatomy: Anatomy, mean: Float32[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    position = anatomy.position_mm - anatomy.position_mm.mean(axis=0)
    extent = np.abs(position).max(axis=0)
    maps = {f"drift_{axis}": 10.0 * position[:, k] / extent[k] for k, axis in enumerate("xyz")}
    # First-order effect of a rigid motion: minus the gradient along the displacement it causes.
    gradient = _gradient(anatomy, mean)
    turn = np.cross(position, gradient)
    for k, axis in enumerate("xyz"):
        maps[f"trans_{axis}"] = -gradient[:, k]
        maps[f"rot_{axis}"] = -turn[:, k]
    maps["spike"] = -0.03 * mean * (1 + position[:, 2] / extent[2])
    maps["saturation"] = 0.12 * mean
    return maps


def _bell(anatomy: Anatomy, center: _Point, sd_mm: float) -> np.ndarray:
    squared = ((anatomy.position_mm - np.asarray(center, dtype=np.float32)) ** 2).sum(axis=1)
    return np.asarray(np.exp(-squared / (2 * sd_mm**2)), dtype=np.float32)


def _disc(
    anatomy: Anatomy, center: _Point, inner_mm: float = 6.0, outer_mm: float = 16.0
) -> np.ndarray:
    """Give 1 up to a radius, then a cosine edge down to 0."""
    squared = ((anatomy.position_mm - np.asarray(center, dtype=np.float32)) ** 2).sum(axis=1)
    edge = np.clip((np.sqrt(squared) - inner_mm) / (outer_mm - inner_mm), 0.0, 1.0)
    return np.asarray(0.5 * (1 + np.cos(np.pi * edge)), dtype=np.float32)


def _gradient(anatomy: Anatomy, mean: Float32[np.ndarray, " n"]) -> np.ndarray:
    """Differentiate the mean image in units per mm; air counts as the brain's mean."""
    inside = anatomy.mask.ravel(order="F")
    flat = np.full(inside.size, mean.mean(), dtype=np.float32)
    flat[inside] = mean
    steps = np.gradient(flat.reshape(anatomy.mask.shape, order="F"))
    sizes = np.diag(anatomy.affine)[:3]
    parts = [step.ravel(order="F")[inside] / size for step, size in zip(steps, sizes, strict=True)]
    return np.stack(parts, axis=1)
