"""Seed connectivity of one full run: Butterworth 0.01-0.1 Hz, 36 confounds, 6 mm.

``ours`` applies nilearn's own pipeline (detrend, filter, regress) as one operator; the
projection band-pass, phmri's default, is timed as information.
"""

from pathlib import Path

import numpy as np
from _seed import compare_correlations, nilearn_route
from _seed import ours as our_route
from _synthetic import make_run

PEER = "nilearn NiftiMasker + NiftiSpheresMasker, filter butterworth"
GOAL = "ratio >= 35, ours_mb <= peer_mb / 3, max_abs_diff <= 1e-4"
GOAL_RATIO = 35.0
INFORMATION = ("projection",)


def prepare(directory: Path) -> None:
    make_run(directory)


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return our_route(make_run(directory), lowpass_hz=0.1, filtering="butterworth")


def peer(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return nilearn_route(make_run(directory), lowpass_hz=0.1, filtering="butterworth")


def projection(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return our_route(make_run(directory), lowpass_hz=0.1, filtering="projection")


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return compare_correlations(ours, peer)
