"""Largest t over voxels, per shuffling."""

from pathlib import Path

import numpy as np
from _group import Facts, make_images, nilearn_route
from _group import ours as our_route

PEER = "nilearn permuted_ols(n_jobs=2)"
GOAL = "ratio >= 8, max_abs_diff <= 1e-6"
GOAL_RATIO = 8.0
INFORMATION: tuple[str, ...] = ()
PER = "shuffling"


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    return our_route(directory, {"method": "voxel"}, few=320, many=3520)


def peer(directory: Path) -> tuple[Facts, np.ndarray]:
    return nilearn_route(directory, {}, ("t",), few=40, many=440)


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return {"max_abs_diff": float(np.abs(ours - peer).max())}
