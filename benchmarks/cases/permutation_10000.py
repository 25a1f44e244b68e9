"""A whole test: 10,000 shufflings with voxels, clusters and TFCE in one pass; ours alone.

Also 1,000 shufflings, whose memory is to be the same, and 10,000 with every participant's own
baseline image as a covariate. Nothing is compared: no peer does all of it, and a peer's time is
never extrapolated.
"""

import time
from pathlib import Path

import numpy as np
from _group import Facts, make_images, make_test, own_peak_mb

PEER = None
GOAL = "ours_s <= 120, baseline s <= 360, ours_mb <= 1024 and as of 1,000 shufflings"
GOAL_RATIO = None
INFORMATION = ("thousand", "baseline")
N_SHUFFLINGS = 10_000
SETTINGS = {"method": "tfce", "cluster_p": 0.001}


def prepare(directory: Path) -> None:
    make_images(directory)


def ours(directory: Path) -> tuple[Facts, np.ndarray]:
    return _whole(directory, N_SHUFFLINGS)


def thousand(directory: Path) -> tuple[Facts, np.ndarray]:
    return _whole(directory, N_SHUFFLINGS // 10)


def baseline(directory: Path) -> tuple[Facts, np.ndarray]:
    return _whole(directory, N_SHUFFLINGS, with_baseline=True)


def _whole(
    directory: Path, n_shufflings: int, *, with_baseline: bool = False
) -> tuple[Facts, np.ndarray]:
    test = make_test(directory, SETTINGS, with_baseline=with_baseline)
    test(100)  # compiles
    start = time.perf_counter()
    result = test(n_shufflings)
    facts = {"s": time.perf_counter() - start, "mb": own_peak_mb()}
    return facts, np.array([result.pvalue_corrected.min()])
