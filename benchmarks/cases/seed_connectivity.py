"""Seed connectivity of one full run: cosine high-pass, 36 confounds, 6 mm."""

from pathlib import Path

import numpy as np
from _seed import compare_correlations, nilearn_route
from _seed import ours as our_route
from _synthetic import make_run

PEER = "nilearn NiftiMasker + NiftiSpheresMasker, filter cosine"
GOAL = "ratio >= 10, ours_mb <= peer_mb / 3, max_abs_diff <= 1e-4"
GOAL_RATIO = 10.0
INFORMATION: tuple[str, ...] = ()


def prepare(directory: Path) -> None:
    make_run(directory)


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return our_route(make_run(directory), lowpass_hz=None, filtering="projection")


def peer(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return nilearn_route(make_run(directory), lowpass_hz=None, filtering="cosine")


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return compare_correlations(ours, peer)
