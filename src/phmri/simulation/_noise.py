"""Noise with the smoothness and the temporal colour of an echo-planar series.

Per volume, independent uniform integers on the grid are summed with the kernel [1 2 1] along each
axis (full width at half maximum 1.7 voxels, 3.3 mm at 2 mm). The sum is close to Gaussian: its
excess kurtosis is -1.2 * (18/36)**3 = -0.15. In time, a voxel's noise follows

    e[t] = a e[t-1] + sqrt(1 - a^2) w[t]

with the voxel's own autocorrelation a, started in its stationary state.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32

from phmri.simulation._scene import Scene

__all__ = ["noise_volumes"]

_LEVELS = 256
_WEIGHT = 64  # (1 + 2 + 1) ** 3
_SQUARED_WEIGHT = 216  # (1 + 4 + 1) ** 3
_SD = float(np.sqrt((_LEVELS**2 - 1) / 12 * _SQUARED_WEIGHT))
_MEAN = (_LEVELS - 1) / 2 * _WEIGHT


def noise_volumes(
    scene: Scene, n_volumes: int, rng: np.random.Generator
) -> Iterator[Float32[np.ndarray, " n_voxels"]]:
    """Draw noise, one volume after the other.

    Parameters
    ----------
    scene : Scene
        What the runs share.
    n_volumes : int
        Volumes per run.
    rng : numpy.random.Generator
        Source of randomness.

    Yields
    ------
    ndarray of shape (n_voxels,)
        Image units; valid until the next volume is asked for.
    """
    box, inside = _bounding_box(scene.anatomy.mask)
    fresh = np.sqrt(1 - scene.noise_ar**2, dtype=np.float32)
    state = _smooth_noise(box, inside, rng)
    for volume in range(n_volumes):
        if volume:
            innovation = _smooth_noise(box, inside, rng)
            innovation *= fresh
            state *= scene.noise_ar
            state += innovation
        yield state * scene.noise_sd


def _bounding_box(
    mask: Bool[np.ndarray, "x y z"],
) -> tuple[tuple[int, int, int], Bool[np.ndarray, " n_box"]]:
    """Give the box around the mask, and the mask in it, with x running fastest."""
    slices = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1))
    cut = mask[tuple(slices)].transpose(2, 1, 0)
    return (cut.shape[0], cut.shape[1], cut.shape[2]), np.ascontiguousarray(cut).ravel()


def _smooth_noise(
    box: tuple[int, int, int], inside: Bool[np.ndarray, " n_box"], rng: np.random.Generator
) -> Float32[np.ndarray, " n_voxels"]:
    padded = tuple(length + 2 for length in box)
    draw = np.frombuffer(rng.bytes(int(np.prod(padded))), dtype=np.uint8)
    field = draw.reshape(padded).astype(np.int16)  # at most 255 * 64 = 16320
    for _ in range(2):
        field = field[1:] + field[:-1]
        field = field[:, 1:] + field[:, :-1]
        field = field[:, :, 1:] + field[:, :, :-1]
    values: np.ndarray = field.reshape(-1)[inside].astype(np.float32)
    values -= np.float32(_MEAN)
    values *= np.float32(1 / _SD)
    return values
