"""Both routes of the task GLM benchmark: ours, and nilearn's `FirstLevelModel`, one design.

Two conditions in blocks of 12 s, cosines to 128 s, 24 confounds, a constant; the contrast is one
condition less the other. The comparison is of t in every voxel of the mask.
"""

import time

import numpy as np
from _seed import FWHM_MM, _run, _warm_up, measured
from _synthetic import N_VOLUMES, T_R, SyntheticRun

N_CONFOUNDS_USED = 24
WITHIN = 1e-3


def make_design(data: SyntheticRun) -> tuple[np.ndarray, np.ndarray]:
    """Give the design of both and the weights of the contrast."""
    from phmri.firstlevel import task_regressors  # noqa: PLC0415  each child imports one side

    onset = np.arange(20.0, 580.0, 24.0)
    kinds = ["A", "B"] * (len(onset) // 2)
    task, _ = task_regressors(
        onset[: len(kinds)],
        np.full(len(kinds), 12.0),
        kinds,
        conditions=("A", "B"),
        t_r=T_R,
        n_volumes=N_VOLUMES,
    )
    n_cosines = int(2 * N_VOLUMES * T_R / 128.0)
    phase = np.pi * (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES
    drift = np.cos(phase[:, None] * np.arange(1, n_cosines + 1))
    confounds = np.loadtxt(data.confounds, skiprows=1)[:, :N_CONFOUNDS_USED]
    X = np.column_stack([task, drift, confounds, np.ones(N_VOLUMES)])
    weights = np.zeros(X.shape[1])
    weights[:2] = 1.0, -1.0
    return X, weights


def ours(data: SyntheticRun) -> tuple[dict[str, float], np.ndarray]:
    """Time phmri from files to t."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    from phmri.dataset import read_mask  # noqa: PLC0415
    from phmri.firstlevel.glm import Contrast, Noise, fit_glm  # noqa: PLC0415
    from phmri.signals import extract_signals  # noqa: PLC0415

    _warm_up(data.mask.parent)
    X, weights = make_design(data)
    start, start_cpu = time.perf_counter(), time.process_time()
    signals = extract_signals(
        _run(data),
        read_mask(data.mask),
        [],
        smoothing_fwhm_mm=FWHM_MM,
        voxels=True,
        dropout_threshold=0.25,
    )
    loaded = time.process_time()
    with threadpool_limits(1):  # as a worker of the pipeline does
        fit = fit_glm(
            signals.voxels,
            X,
            [Contrast(name="task", weights=weights[None])],
            noise=Noise(bias_corrected=False),
        )
    facts = measured(start)
    facts |= {
        "cpu_s": time.process_time() - start_cpu,
        "glm_cpu_s": time.process_time() - loaded,
    }
    return facts, fit.contrasts["task"].statistic


def decompress(data: SyntheticRun) -> tuple[dict[str, float], np.ndarray]:
    """Time what no route can do without: unpacking the file."""
    from isal import igzip  # noqa: PLC0415

    start, start_cpu = time.perf_counter(), time.process_time()
    buffer = bytearray(1 << 21)
    with igzip.open(data.bold, "rb") as file:
        while file.readinto(buffer):
            pass
    return measured(start) | {"cpu_s": time.process_time() - start_cpu}, np.zeros(1)


def nilearn_route(data: SyntheticRun) -> tuple[dict[str, float], np.ndarray]:
    """Time nilearn from files to t."""
    import warnings  # noqa: PLC0415

    import nibabel as nib  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415
    from nilearn.glm.first_level import FirstLevelModel  # noqa: PLC0415

    X, weights = make_design(data)
    design = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    mask = np.asarray(nib.load(data.mask).dataobj) > 0
    start, start_cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FirstLevelModel(
            t_r=T_R,
            noise_model="ar1",
            smoothing_fwhm=FWHM_MM,
            mask_img=str(data.mask),
            minimize_memory=True,
            n_jobs=1,
        ).fit(str(data.bold), design_matrices=design)
        image = model.compute_contrast(weights, stat_type="t", output_type="stat")
    facts = measured(start) | {"cpu_s": time.process_time() - start_cpu}
    return facts, np.asarray(image.dataobj, np.float64)[mask]


def compare_t(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    """Give how many voxels have the same t, and the largest and median difference."""
    difference = np.abs(ours - peer)
    return {
        "fraction_within_0.001": float((difference <= WITHIN).mean()),
        "max_abs_diff": float(difference.max()),
        "median_abs_diff": float(np.median(difference)),
    }
