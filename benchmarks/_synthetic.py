"""One synthetic run at full 2 mm size, made once into ``benchmarks/data`` (ignored by git).

91 x 109 x 91 x 300 int16 ``.nii.gz``, TR 2 s: a smooth anatomy, spatially and temporally coloured
noise, a network of three blobs that share a slow signal, and three of 36 drifting confounds mixed
into the data. Seeded: the same file on every machine.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHAPE = (91, 109, 91)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
N_VOLUMES = 300
T_R = 2.0
N_CONFOUNDS = 36
SEED_MM = (0.0, -66.0, 8.0)
SEED_RADIUS_MM = 8.0
_BLOBS = ((45, 30, 40), (30, 70, 45), (60, 70, 45))


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticRun:
    """Paths of the files."""

    bold: Path
    mask: Path
    confounds: Path


def make_run(directory: Path) -> SyntheticRun:
    """Write the run unless it is there already; the image comes last, so it marks a whole set."""
    run = SyntheticRun(
        bold=directory / "run_bold.nii.gz",
        mask=directory / "run_mask.nii.gz",
        confounds=directory / "run_confounds.tsv",
    )
    if not run.bold.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _write(run, np.random.default_rng(20261121))
    return run


def _brain_mask() -> np.ndarray:
    from nilearn.datasets import load_mni152_brain_mask  # noqa: PLC0415  only to make the data
    from nilearn.image import resample_img  # noqa: PLC0415

    mask = resample_img(
        load_mni152_brain_mask(resolution=2),
        AFFINE,
        SHAPE,
        interpolation="nearest",
        force_resample=True,
        copy_header=True,
    )
    return np.asarray(mask.dataobj) > 0


def _make_confounds(rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal((N_VOLUMES, N_CONFOUNDS))
    confounds = 0.3 * np.cumsum(noise, axis=0) + noise
    return confounds - confounds.mean(axis=0)


def _header() -> bytes:
    import nibabel as nib  # noqa: PLC0415

    header = nib.Nifti1Header()
    header.set_data_shape((*SHAPE, N_VOLUMES))
    header.set_data_dtype(np.int16)
    header.set_zooms((2, 2, 2, T_R))
    header.set_xyzt_units("mm", "sec")
    header.set_sform(AFFINE, code=4)
    header.set_qform(AFFINE, code=4)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    front = io.BytesIO()
    header.write_to(front)
    return front.getvalue().ljust(352, b"\0")


def _write(run: SyntheticRun, rng: np.random.Generator) -> None:
    import nibabel as nib  # noqa: PLC0415
    from isal import igzip  # noqa: PLC0415
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    mask = _brain_mask()
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), AFFINE), run.mask)
    confounds = _make_confounds(rng)
    names = "\t".join(f"confound_{i:02d}" for i in range(N_CONFOUNDS))
    np.savetxt(run.confounds, confounds, delimiter="\t", header=names, comments="", fmt="%.10g")

    def field(sigma: float) -> np.ndarray:
        return gaussian_filter(rng.standard_normal(SHAPE, np.float32), sigma, truncate=3.0)

    anatomy = field(4.0)
    anatomy = np.where(mask, 6000 + 4000 * (anatomy - anatomy.min()) / np.ptp(anatomy), 0.0)
    grid = np.indices(SHAPE, np.float32)
    network = np.zeros(SHAPE, np.float32)
    for blob in _BLOBS:
        distance = sum((grid[i] - blob[i]) ** 2 for i in range(3))
        network += np.exp(-distance / (2 * 4.0**2))
    drift = [30 * field(2.0) * np.where(mask, 1.0, 0.1) for _ in range(3)]
    signal = np.cumsum(rng.standard_normal(N_VOLUMES))
    signal -= np.linspace(signal[0], signal[-1], N_VOLUMES)
    signal /= signal.std()
    scale = np.where(mask, 60, 8).astype(np.float32)
    part = run.bold.with_suffix(".part")
    with igzip.open(part, "wb", compresslevel=2) as file:
        file.write(_header())
        noise = np.zeros(SHAPE, np.float32)
        for t in range(N_VOLUMES):
            white = rng.standard_normal(SHAPE, np.float32)
            noise = 0.35 * noise + 1.8 * gaussian_filter(white, 0.8, truncate=3.0) + 0.4 * white
            volume = anatomy * (1 + 0.004 * signal[t] * network) + noise * scale
            for k in range(3):
                volume = volume + drift[k] * confounds[t, k]
            values = np.clip(np.rint(volume), -32768, 32767).astype("<i2")
            file.write(values.tobytes(order="F"))
    part.rename(run.bold)
