"""Regional homogeneity of one full run at 2 mm: 27 neighbours, 300 volumes, 36 confounds.

No peer: AFNI's 3dReHo is not at hand. For information ``sorting``: the order of every series in
time, which no way of computing it can do without. Both on one thread.
"""

import time
from pathlib import Path

import numpy as np
from _group import own_peak_mb
from _synthetic import N_CONFOUNDS, N_VOLUMES, T_R, make_run

PEER = None
GOAL = "ours <= 20 s"
GOAL_RATIO = None
INFORMATION = ("sorting",)


def prepare(directory: Path) -> None:
    make_run(directory)


def ours(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  each child imports one side only

    from phmri.firstlevel.local import reho  # noqa: PLC0415
    from phmri.protocol import Denoising  # noqa: PLC0415
    from phmri.signals import make_cleaning  # noqa: PLC0415

    mask, series, confounds = _make_series(directory)
    cleaning = make_cleaning(
        Denoising(strategy="none", highpass_hz=0.01),
        None,
        n_volumes=N_VOLUMES,
        t_r=T_R,
        extra=confounds,
        extra_names=[f"confound_{i}" for i in range(N_CONFOUNDS)],
    )
    reho(cleaning, series[:, :8], np.ones((2, 2, 2), bool))  # compiles
    start = time.perf_counter()
    with threadpool_limits(1):  # as a worker of the pipeline does
        answer = reho(cleaning, series, mask)
    return {"s": time.perf_counter() - start, "mb": own_peak_mb()}, answer.values


def sorting(directory: Path) -> tuple[dict[str, float], np.ndarray]:
    series = np.ascontiguousarray(_make_series(directory)[1].T)
    start = time.perf_counter()
    for i in range(0, series.shape[0], 4096):
        np.argsort(series[i : i + 4096], axis=1)
    return {"s": time.perf_counter() - start, "mb": own_peak_mb()}, np.zeros(1)


def _make_series(directory: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Time does not depend on the values, so that the image need not be read.
    import nibabel as nib  # noqa: PLC0415

    run = make_run(directory)
    mask = np.asarray(nib.load(run.mask).dataobj) > 0
    rng = np.random.default_rng(3)
    series = rng.standard_normal((N_VOLUMES, int(mask.sum())), np.float32)
    return mask, series, np.loadtxt(run.confounds, skiprows=1)
