"""Extent and mass of the largest cluster and largest t, neighbours by faces, per shuffling.

nilearn's p of 0.001 is two-sided: 0.0005 on each side.
"""

from pathlib import Path

import numpy as np
from _group import Facts, difference, make_images, nilearn_route
from _group import ours as our_route

PEER = "nilearn permuted_ols(threshold=0.001, n_jobs=2)"
GOAL = "ratio >= 12, largest_extent_difference 0 voxels, mass_difference <= 1e-6"
GOAL_RATIO = 12.0
INFORMATION: tuple[str, ...] = ()
PER = "shuffling"


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    settings = {"method": "cluster_mass", "cluster_p": 0.0005, "connectivity": 6}
    return our_route(directory, settings, few=320, many=3520)


def peer(directory: Path) -> tuple[Facts, np.ndarray]:
    outputs = ("t", "size", "mass")
    return nilearn_route(directory, {"threshold": 0.001}, outputs, few=20, many=220)


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return {
        "max_abs_diff": float(np.abs(ours[0] - peer[0]).max()),
        "largest_extent_difference": float(np.abs(np.abs(ours[1]) - peer[1]).max()),
        "mass_difference": difference(np.abs(ours[2]), peer[2]),
    }
