"""Both routes of the seed-connectivity benchmarks: ours, and nilearn's as its users call it.

nilearn: `NiftiMasker` (smoothing, filter, confounds, standardise) for the brain,
`NiftiSpheresMasker` for the seed, correlation by a product, as in nilearn's example "Producing
single subject maps of seed-to-voxel correlation". On integer images its spheres masker rounds
every mean down, so the maps are *compared* with one seed for both (our mean in float64, cleaned
by nilearn); that comparison is made after the clock and the memory have been read.
"""

import resource
import time
from pathlib import Path

import numpy as np
from _synthetic import AFFINE, N_VOLUMES, SEED_MM, SEED_RADIUS_MM, SHAPE, T_R, SyntheticRun

FWHM_MM = 6.0
HIGHPASS_HZ = 0.01


def measured(start: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"s": time.perf_counter() - start, "mb": peak}


def ours(
    data: SyntheticRun, *, lowpass_hz: float | None, filtering: str
) -> tuple[dict[str, float], np.ndarray]:
    """Time phmri from files to z; give r in every voxel."""
    imported = time.perf_counter()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  each child imports one side only

    from phmri.dataset import read_confounds, read_mask  # noqa: PLC0415
    from phmri.firstlevel import seed_to_voxel  # noqa: PLC0415
    from phmri.protocol import Denoising, SphereRegion  # noqa: PLC0415
    from phmri.signals import Grid, extract_signals, make_cleaning, place_region  # noqa: PLC0415

    _warm_up(data.mask.parent)
    warm = time.perf_counter() - imported
    start = time.perf_counter()
    grid = Grid(shape=SHAPE, affine=AFFINE, space="native")
    region = SphereRegion(
        kind="sphere", center_mm=SEED_MM, radius_mm=SEED_RADIUS_MM, space="native"
    )
    seed = place_region("seed", region, grid, atlas=None, protocol_dir=data.mask.parent)
    table = read_confounds(data.confounds)
    setting = Denoising(
        strategy="none", highpass_hz=HIGHPASS_HZ, lowpass_hz=lowpass_hz, filter=filtering
    )
    cleaning = make_cleaning(
        setting,
        None,
        n_volumes=N_VOLUMES,
        t_r=T_R,
        extra=table.values,
        extra_names=table.names,
    )
    signals = extract_signals(
        _run(data),
        read_mask(data.mask),
        [seed],
        smoothing_fwhm_mm=FWHM_MM,
        voxels=True,
        dropout_threshold=0.25,
    )
    with threadpool_limits(1):  # as a worker of the pipeline does
        (result,) = seed_to_voxel(cleaning, signals.regions, signals.voxels)
    facts = measured(start) | {"warm_s": warm}
    return facts, np.stack([np.tanh(result.values)])


def _run(data: SyntheticRun):
    from phmri.dataset import Run  # noqa: PLC0415

    return Run(
        subject="01",
        session=None,
        task="rest",
        run=None,
        space="native",
        resolution=None,
        seg=None,
        kind="volume",
        pipeline="synthetic",
        path=data.bold,
        mask=data.mask,
        confounds=data.confounds,
        events=None,
        t_r=T_R,
        n_volumes=N_VOLUMES,
        shape=SHAPE,
        affine=AFFINE,
    )


def _warm_up(directory: Path) -> None:
    """Load the compiled kernels for int16, compiling them where they are not cached."""
    from dataclasses import replace  # noqa: PLC0415

    from phmri.dataset import write_volumes  # noqa: PLC0415
    from phmri.signals import RegionOnGrid, extract_signals  # noqa: PLC0415

    small = directory / "warm_up.nii"
    if not small.exists():
        rng = np.random.default_rng(0)
        volumes = (rng.integers(90, 110, (6, 6, 6)).astype(np.int16) for _ in range(4))
        write_volumes(small, volumes, (6, 6, 6, 4), np.eye(4), dtype=np.int16, t_r=2.0)
    run = replace(_run(SyntheticRun(bold=small, mask=small, confounds=small)), n_volumes=4)
    region = RegionOnGrid(name="r", voxels=np.array([80]), weights=np.ones(1), source={})
    extract_signals(
        run,
        np.ones((6, 6, 6), bool),
        [region],
        smoothing_fwhm_mm=3.0,
        voxels=True,
        dropout_threshold=0.25,
    )


def nilearn_route(
    data: SyntheticRun, *, lowpass_hz: float | None, filtering: str
) -> tuple[dict[str, float], np.ndarray]:
    """Time nilearn from files to r; give r in every voxel for the seed in float64."""
    import nibabel as nib  # noqa: PLC0415
    from nilearn import signal  # noqa: PLC0415
    from nilearn.maskers import NiftiMasker, NiftiSpheresMasker  # noqa: PLC0415

    options = {
        "standardize": "zscore_sample",
        "t_r": T_R,
        "high_pass": HIGHPASS_HZ,
        "low_pass": lowpass_hz,
        "detrend": filtering == "butterworth",
        "clean_args": {"filter": filtering},
    }
    start = time.perf_counter()
    confounds = np.loadtxt(data.confounds, skiprows=1)
    brain = NiftiMasker(str(data.mask), smoothing_fwhm=FWHM_MM, **options)
    voxels = brain.fit_transform(str(data.bold), confounds=confounds)
    spheres = NiftiSpheresMasker([SEED_MM], radius=SEED_RADIUS_MM, **options)
    seed = spheres.fit_transform(str(data.bold), confounds=confounds)
    floored = (voxels.T @ seed)[:, 0] / (N_VOLUMES - 1)
    facts = measured(start)
    image = np.asarray(nib.load(data.bold).dataobj)
    series = image[_sphere_mask()].mean(axis=0, dtype=float)
    exact = signal.clean(
        series[:, None],
        confounds=confounds,
        **{k: v for k, v in options.items() if k != "clean_args"},
        filter=filtering,
    )
    return facts, np.stack([(voxels.T @ exact)[:, 0] / (N_VOLUMES - 1), floored])


def _sphere_mask() -> np.ndarray:
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    position = voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.linalg.norm(position - np.array(SEED_MM), axis=-1) <= SEED_RADIUS_MM + 1e-6


def compare_correlations(ours: np.ndarray, peer: np.ndarray) -> dict[str, float]:
    """Give the largest difference in r, with one seed for both and with the peer's rounded one."""
    return {
        "max_abs_diff": float(np.abs(ours[0] - peer[0]).max()),
        "max_abs_diff_rounded_seed": float(np.abs(ours[0] - peer[1]).max()),
    }
