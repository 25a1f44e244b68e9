"""TFCE and largest t over voxels, neighbours by faces, per shuffling.

nilearn sums 100 steps up to the largest value and leaves out the width of a step; times that width
its map is ours but for the error of the steps, about 1 % of the largest value.
"""

from pathlib import Path

import numpy as np
from _group import Facts, difference, make_images, nilearn_route
from _group import ours as our_route

PEER = "nilearn permuted_ols(tfce=True, n_jobs=2)"
GOAL = "ratio >= 150, max_abs_diff of t <= 1e-6"
GOAL_RATIO = 150.0
INFORMATION: tuple[str, ...] = ()
PER = "shuffling"
N_STEPS = 100


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    return our_route(directory, {"method": "tfce", "connectivity": 6})


def peer(directory: Path) -> tuple[Facts, np.ndarray]:
    return nilearn_route(directory, {"tfce": True}, ("t", "tfce"), few=4, many=14)


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    step = np.abs(peer[0]).max() / N_STEPS
    return {
        "max_abs_diff": float(np.abs(ours[0] - peer[0]).max()),
        "tfce_difference": difference(ours[1], peer[1] * step),
    }
