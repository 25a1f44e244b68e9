"""Task GLM of one full run: AR(1) in every voxel, cosine drift, 24 confounds, 6 mm.

Same design, same noise model (nilearn's: uncorrected coefficients in steps of 0.01), one thread
each. `decompress` only unpacks the file.
"""

from pathlib import Path

import numpy as np
from _synthetic import make_run
from _task import compare_t, nilearn_route
from _task import decompress as unpack
from _task import ours as our_route

PEER = "nilearn FirstLevelModel, noise_model ar1, n_jobs 1"
GOAL = "ratio >= 8, 99.9 % of t within 1e-3, ours_mb < 1000, cpu <= 4 times decompression"
GOAL_RATIO = 8.0
INFORMATION = ("decompress",)


def prepare(directory: Path) -> None:
    make_run(directory)


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return our_route(make_run(directory))


def peer(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return nilearn_route(make_run(directory))


def decompress(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return unpack(make_run(directory))


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return compare_t(ours, peer)
