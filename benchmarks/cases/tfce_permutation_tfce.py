"""TFCE and largest t over voxels, all 26 neighbours, per shuffling; the peer is exact too.

The package `tfce` brings a model that shuffles and the enhancement; its documentation puts them
together in a loop, and has maps enhanced a block at a time, one per thread, which is faster.
"""

from pathlib import Path

import numpy as np
from _group import (
    COLUMNS,
    N_SUBJECTS,
    N_THREADS,
    TESTED,
    Facts,
    difference,
    make_images,
    model_matrix,
    own_peak_mb,
    seconds_per_shuffling,
)
from _group import ours as our_route

PEER = "tfce PermutedGLM + tfce.tfce(n_jobs=2)"
GOAL = "ratio >= 8, tfce_difference <= 1e-6"
GOAL_RATIO = 8.0
INFORMATION: tuple[str, ...] = ()
PER = "shuffling"
BLOCK = 16


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    return our_route(directory, {"method": "tfce", "connectivity": 26})


def peer(directory: Path) -> tuple[Facts, np.ndarray]:
    from tfce import tfce  # noqa: PLC0415  each child imports one side only
    from tfce.glm import PermutedGLM  # noqa: PLC0415

    images, mask = make_images(directory).load()
    model = PermutedGLM(images.T, model_matrix(), np.eye(len(COLUMNS))[TESTED])
    volumes = np.zeros((*mask.shape, BLOCK), np.float32, order="F")  # as its core reads them
    observed = model.fit(None)

    def test(n_shufflings: int) -> np.ndarray:
        rng = np.random.default_rng(1)
        maxima = np.empty((2, n_shufflings))
        volumes[mask, 0] = observed
        enhanced = tfce(volumes[..., 0], connectivity=26)
        for start in range(0, n_shufflings, BLOCK):
            numbers = range(start, min(start + BLOCK, n_shufflings))
            for place, number in enumerate(numbers):
                t = model.fit(rng.permutation(N_SUBJECTS))
                maxima[0, number] = np.abs(t).max()
                volumes[mask, place] = t
            maps = tfce(volumes, connectivity=26, n_jobs=N_THREADS)
            maxima[1, numbers] = np.abs(maps[..., : len(numbers)]).max(axis=(0, 1, 2))
        return enhanced[mask]

    seconds, enhanced = seconds_per_shuffling(test, 32, 160)
    return {"s": seconds, "mb": own_peak_mb()}, np.stack([observed, enhanced])


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return {
        "max_abs_diff": float(np.abs(ours[0] - peer[0]).max()),
        "tfce_difference": difference(ours[1], peer[1]),
    }
