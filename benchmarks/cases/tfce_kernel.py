"""The largest TFCE of one map, against what no way of computing it could do without.

All 26 neighbours count, both signs, one thread.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from _floor import make_floor
from _group import Facts, make_images, own_peak_mb, smooth_noise

PEER = "floor: sort of all voxels by digits + one look at all neighbours"
GOAL = "ratio >= 0.25: at most 4 times the floor"
GOAL_RATIO = 0.25
INFORMATION: tuple[str, ...] = ()
PER = "map"
N_MAPS = 16
REPEATS = 5


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    from phmri.inference import Volume  # noqa: PLC0415  each child imports one side only
    from phmri.inference.tfce._tfce import make_tfce  # noqa: PLC0415

    mask = make_images(directory).load_mask()
    tfce = make_tfce(Volume(mask=mask, connectivity=26))
    workspace = tfce.workspace()
    return _time(mask, lambda values: tfce.maxima(values, workspace))


def peer(directory: Path) -> tuple[Facts, np.ndarray]:
    mask = make_images(directory).load_mask()
    return _time(mask, make_floor(mask))


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return {}  # a floor has no answer


def _time(mask: np.ndarray, take: Callable[[np.ndarray], object]) -> tuple[Facts, np.ndarray]:
    maps = smooth_noise(np.random.default_rng(2), mask, N_MAPS, 1.3)
    take(maps[0])  # compiles
    seconds = []
    for values in np.tile(maps, (REPEATS, 1)):
        start = time.perf_counter()
        take(values)
        seconds.append(time.perf_counter() - start)
    return {"s": median(seconds), "mb": own_peak_mb()}, np.zeros(1)
