"""Interactions of two conditions with 20 seeds against one, AR(1), a run of 300 volumes.

Data are simulated in memory (228 000 voxels, AR(1) 0.3, float32) before the clock starts; the
clock covers deconvolution, design and fit of all voxels. Answers are of the first seed.
"""

import time
from pathlib import Path

import numpy as np
from _seed import measured

PEER = "phmri fit_ppi, one seed"
GOAL = "ratio >= 0.33 (20 seeds within 3 times one), max_abs_diff <= 1e-9"
GOAL_RATIO = 1 / 3
INFORMATION: tuple[str, ...] = ("white",)

N_VOLUMES, N_VOXELS, N_CONFOUNDS, T_R = 300, 228_000, 36, 2.0


def prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)


def _fit(n_seeds: int, kind: str) -> tuple[dict[str, float], np.ndarray]:
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  each child imports for itself

    from phmri.firstlevel.glm import Noise  # noqa: PLC0415
    from phmri.firstlevel.ppi import fit_ppi, ppi_design  # noqa: PLC0415
    from phmri.firstlevel.task import TaskSettings, task_design  # noqa: PLC0415

    rng = np.random.default_rng(20261121)
    Y = rng.standard_normal((N_VOLUMES, N_VOXELS), np.float32)
    for t in range(1, N_VOLUMES):
        Y[t] += 0.3 * Y[t - 1]
    seeds = np.cumsum(rng.standard_normal((N_VOLUMES, 20)), axis=0)[:, :n_seeds]
    confounds = rng.standard_normal((N_VOLUMES, N_CONFOUNDS))
    onset = np.arange(14) * 42.0 + 6.0
    start = time.perf_counter()
    with threadpool_limits(1):  # as a worker of the pipeline does
        task = task_design(
            onset,
            np.full(14, 24.0),
            ["zero_back", "two_back"] * 7,
            {},
            settings=TaskSettings(),
            conditions=("zero_back", "two_back"),
            t_r=T_R,
            n_volumes=N_VOLUMES,
        )
        nuisance = np.column_stack([np.ones(N_VOLUMES), confounds])
        names = [f"seed{i:02d}" for i in range(n_seeds)]
        design = ppi_design(seeds, task, names=names, nuisance=nuisance)
        contrasts = {"load": {"two_back": 1.0, "zero_back": -1.0}}
        found = fit_ppi(Y, design, contrasts, noise=Noise(kind=kind))
    facts = measured(start)
    return facts, found[0]["load"].extras["t"]


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return _fit(20, "ar")


def peer(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return _fit(1, "ar")


def white(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    return _fit(20, "white")


def compare(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    return {"max_abs_diff": float(np.abs(ours - peer).max())}
