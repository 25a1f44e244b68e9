"""What all runs of a trial share: mean image, noise level, and the maps that signals ride on.

One run is ``data = mean + courses @ maps + noise`` with one row of ``maps`` per source. Amplitudes
are in image units; grey matter has a mean of 1000, so 10 units are 1 %.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from phmri.dataset import AtlasStore
from phmri.exceptions import Problem, RegionError, SimulationError
from phmri.protocol import Protocol, Region, SphereRegion
from phmri.signals import Grid, place_region
from phmri.simulation._anatomy import Anatomy
from phmri.simulation._real_runs import RealRun
from phmri.simulation._truth import Activation, Background, Response, Truth

__all__ = ["GREY_MEAN", "NETWORK", "NETWORKS", "PERCENT", "Scene", "make_scene", "place_effects"]

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

GREY_MEAN, _WHITE_MEAN, _CSF_MEAN = 1000.0, 800.0, 1300.0
PERCENT = GREY_MEAN / 100.0
NETWORK, _GLOBAL = 12.0, 5.0


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
    maps : dict of str to ndarray of shape (n_voxels,)
        Of every source; those of regions are named ``region <name>``.
    shapes : dict of str to ndarray of shape (n_voxels,)
        Region -> 1 inside, falling to 0 over its edge.
    physiology : dict of str to ndarray of shape (n_voxels,)
        Place of a `Physiology` -> its map, 1 where that is largest.
    real_runs : tuple of RealRun
        Whose noise is resampled; empty where noise is drawn.
    """

    anatomy: Anatomy
    mean: Float32[np.ndarray, " n_voxels"]
    noise_sd: Float32[np.ndarray, " n_voxels"]
    noise_ar: Float32[np.ndarray, " n_voxels"]
    maps: dict[str, np.ndarray]
    shapes: dict[str, np.ndarray]
    physiology: dict[str, np.ndarray]
    real_runs: tuple[RealRun, ...]


def make_scene(
    anatomy: Anatomy,
    truth: Truth,
    shapes: dict[str, np.ndarray],
    *,
    real_runs: tuple[RealRun, ...] = (),
) -> Scene:
    """Lay sources over an anatomy.

    Parameters
    ----------
    anatomy : Anatomy
        The brain and its grid.
    truth : Truth
        Strength of what is there.
    shapes : dict of str to ndarray of shape (n_voxels,)
        Of the regions.
    real_runs : tuple of RealRun
        Whose noise is resampled.

    Returns
    -------
    Scene
        Mean image, noise level and maps.
    """
    mean = _mixture(anatomy, (GREY_MEAN, _WHITE_MEAN, _CSF_MEAN))
    noise = truth.background
    grey = 0.3 + 0.7 * anatomy.grey
    maps = {
        name: NETWORK * grey * np.max([_bell(anatomy, c, 11.0) for c in centers], 0)
        for name, centers in NETWORKS.items()
    }
    for name, region in truth.regions.items():
        maps[f"region {name}"] = PERCENT * region.signal_percent * shapes[name]
    gradient = _gradient(anatomy, mean)
    physiology = _physiology_maps(anatomy, gradient)
    maps["global"] = _GLOBAL * physiology["brain"]
    maps["white"] = 6.0 * anatomy.white
    maps["csf"] = 14.0 * anatomy.csf
    maps |= _nuisance_maps(anatomy, mean, gradient, noise)
    maps["cardiac"] = PERCENT * noise.cardiac_percent * physiology["vessels"]
    maps["respiratory"] = PERCENT * noise.respiratory_percent * physiology["edge"]
    levels = (noise.grey_percent, noise.white_percent, noise.csf_percent)
    return Scene(
        anatomy=anatomy,
        mean=mean,
        noise_sd=PERCENT * _mixture(anatomy, levels),
        noise_ar=_mixture(anatomy, (noise.grey_ar, noise.white_ar, noise.csf_ar)),
        maps={name: values.astype(np.float32) for name, values in maps.items()},
        shapes=shapes,
        physiology=physiology,
        real_runs=real_runs,
    )


def place_effects(
    anatomy: Anatomy,
    protocol: Protocol,
    truth: Truth,
    *,
    protocol_path: Path,
    atlas: AtlasStore | None,
) -> dict[str, np.ndarray]:
    """Place the regions that a truth names.

    Parameters
    ----------
    anatomy : Anatomy
        The brain and its grid.
    protocol : Protocol
        Declares the regions.
    truth : Truth
        Names them, and how wide their edges are.
    protocol_path : Path
        Its file; files of regions are relative to its folder.
    atlas : AtlasStore or None
        Needed by atlas regions.

    Returns
    -------
    dict of str to ndarray of shape (n_voxels,)
        Region -> 1 inside, a cosine edge, 0 outside.

    Raises
    ------
    SimulationError
        Regions cannot be placed, or lie outside the brain; all at once.
    """
    used = dict.fromkeys(truth.regions)
    used |= dict.fromkeys(
        effect.region
        for effect in truth.effects.values()
        if isinstance(effect, Response | Activation)
    )
    used |= dict.fromkeys(truth.background.dropout)
    found: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    # Of a voxel: a small sphere may lie between centres, and its soft edge still reaches them.
    half = 0.5 * float(np.sqrt((anatomy.affine[:3, :3] ** 2).sum()))
    for name in used:
        region = protocol.regions[name]
        try:
            outside = _distance_outside(anatomy, name, region, protocol_path.parent, atlas)
        except RegionError as error:
            problems.extend(error.problems)
            continue
        if outside.min() > half:
            problems.append(_away(name, region, float(outside.min())))
        edge_mm = truth.regions[name].edge_mm if name in truth.regions else 8.0
        edge = np.clip(outside / edge_mm, 0.0, 1.0)
        found[name] = np.asarray(0.5 * (1 + np.cos(np.pi * edge)), dtype=np.float32)
    if problems:
        file = str(protocol_path)
        raise SimulationError(*(replace(item, file=item.file or file) for item in problems))
    return found


def _distance_outside(
    anatomy: Anatomy, name: str, region: Region, protocol_dir: Path, atlas: AtlasStore | None
) -> np.ndarray:
    """Give for each voxel of the brain how far it lies from a region, 0 or less inside."""
    if isinstance(region, SphereRegion):
        offset = anatomy.position_mm - np.asarray(region.center_mm, dtype=np.float32)
        return np.asarray(np.sqrt((offset**2).sum(axis=1)) - region.radius_mm)
    grid = Grid(shape=anatomy.mask.shape, affine=anatomy.affine, space=anatomy.space)
    placed = place_region(name, region, grid, atlas=atlas, protocol_dir=protocol_dir)
    away = np.ones(anatomy.mask.shape, bool)
    away.ravel()[placed.voxels] = False
    steps = np.sqrt((anatomy.affine[:3, :3] ** 2).sum(axis=0))
    distance = ndimage.distance_transform_edt(away, sampling=steps)
    return np.asarray(distance.ravel(order="F")[anatomy.mask.ravel(order="F")])


def _away(name: str, region: Region, distance_mm: float) -> Problem:
    place = "the region"
    if isinstance(region, SphereRegion):
        center = ", ".join(f"{x:g}" for x in region.center_mm)
        place = f"a sphere of {region.radius_mm:g} mm around [{center}]"
    return Problem(
        what="the region lies outside the simulated brain, so nothing can be planted there",
        field=f"regions.{name}",
        found=f"{place}, {distance_mm:.0f} mm from the nearest voxel",
        expected="a region of the protocol that reaches into the brain",
    )


def _mixture(
    anatomy: Anatomy, values: tuple[float, float, float]
) -> Float32[np.ndarray, " n_voxels"]:
    grey, white, csf = values
    mixed = grey * anatomy.grey + white * anatomy.white + csf * anatomy.csf
    return np.asarray(mixed, dtype=np.float32)


def _physiology_maps(anatomy: Anatomy, gradient: np.ndarray) -> dict[str, np.ndarray]:
    edge = np.sqrt((gradient**2).sum(axis=1))
    return {
        "brain": 0.4 + 0.6 * anatomy.grey,
        "vessels": 0.2 + 0.8 * anatomy.csf,
        "edge": edge / edge.max(),
    }


def _nuisance_maps(
    anatomy: Anatomy,
    mean: Float32[np.ndarray, " n"],
    gradient: np.ndarray,
    background: Background,
) -> dict[str, np.ndarray]:
    position = anatomy.position_mm - anatomy.position_mm.mean(axis=0)
    extent = np.abs(position).max(axis=0)
    drift = 10.0 * background.drift_percent
    maps = {f"drift_{axis}": drift * position[:, k] / extent[k] for k, axis in enumerate("xyz")}
    # First-order effect of a rigid motion: minus the gradient along the displacement it causes.
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


def _gradient(anatomy: Anatomy, mean: Float32[np.ndarray, " n"]) -> np.ndarray:
    """Differentiate the mean image in units per mm; air counts as the brain's mean."""
    inside = anatomy.mask.ravel(order="F")
    flat = np.full(inside.size, mean.mean(), dtype=np.float32)
    flat[inside] = mean
    steps = np.gradient(flat.reshape(anatomy.mask.shape, order="F"))
    sizes = np.diag(anatomy.affine)[:3]
    parts = [step.ravel(order="F")[inside] / size for step, size in zip(steps, sizes, strict=True)]
    return np.stack(parts, axis=1)
