"""A real BOLD run, native space, its own mask: seed connectivity from the visual cortex.

The confounds are made from the run itself (mean of the mask, mean of the voxels of least variance
outside it, a line), so that regression is exercised; both routes get the same table.
"""

import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn import signal
from nilearn.maskers import NiftiMasker

from phmri.dataset import Run, read_mask
from phmri.firstlevel import seed_to_voxel
from phmri.protocol import Denoising, SphereRegion
from phmri.signals import Grid, extract_signals, make_cleaning, place_region

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "studyforrest-oneback"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no ../shared/data/real/studyforrest-oneback"
)
BOLD = FOLDER / "sub-02_task-oneback_run-01_bold.nii.gz"
MASK = FOLDER / "sub-02_task-oneback_run-01_desc-brain_mask.nii.gz"
T_R, FWHM, HIGHPASS, RADIUS = 2.0, 6.0, 0.01, 6.0


@pytest.fixture(scope="module")
def case():
    image = nib.load(BOLD)
    mask = read_mask(MASK)
    data = np.asarray(image.dataobj, np.float32)
    voxels = np.argwhere(mask.data)
    mm = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
    series = data[mask.data]
    center = _visual_center(mm, series)
    confounds = np.column_stack([series.mean(axis=0), np.arange(data.shape[3], dtype=float)])
    return image, mask, mm, center, confounds


def _visual_center(mm, series):
    """Centre of the back of the brain, a little above its lowest third, on the mid-line."""
    low, high = mm.min(axis=0), mm.max(axis=0)
    target = [(low[0] + high[0]) / 2 + 8, low[1] + 22, low[2] + 0.5 * (high[2] - low[2])]
    bright = series.mean(axis=1) > 0.5 * np.median(series.mean(axis=1))
    nearest = np.argmin(np.where(bright, np.linalg.norm(mm - target, axis=1), np.inf))
    return mm[nearest]


def _ours(image, mask, center, confounds):
    grid = Grid(shape=image.shape[:3], affine=image.affine, space="native")
    sphere = SphereRegion(
        kind="sphere", center_mm=tuple(center.tolist()), radius_mm=RADIUS, space="native"
    )
    seed = place_region("visual", sphere, grid, atlas=None, protocol_dir=FOLDER)
    run = Run(
        subject="02",
        session=None,
        task="oneback",
        run="01",
        space="native",
        resolution=None,
        seg=None,
        kind="volume",
        pipeline="studyforrest",
        path=BOLD,
        mask=MASK,
        confounds=None,
        events=None,
        t_r=T_R,
        n_volumes=image.shape[3],
        shape=image.shape[:3],
        affine=image.affine,
    )
    signals = extract_signals(
        run, mask, [seed], smoothing_fwhm_mm=FWHM, voxels=True, dropout_threshold=0.25
    )
    cleaning = make_cleaning(
        Denoising(strategy="none", highpass_hz=HIGHPASS),
        None,
        n_volumes=image.shape[3],
        t_r=T_R,
        extra=confounds,
        extra_names=("global", "line"),
    )
    (result,) = seed_to_voxel(cleaning, signals.regions, signals.voxels)
    return signals, result


def _nilearn(image, mask, signals, confounds):
    """nilearn's masker and clean; the seed is float, its spheres masker floors integer means."""
    options = {
        "standardize": "zscore_sample",
        "detrend": False,
        "high_pass": HIGHPASS,
        "t_r": T_R,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masker = NiftiMasker(
            nib.Nifti1Image(mask.data.astype(np.uint8), mask.affine),
            smoothing_fwhm=FWHM,
            clean_args={"filter": "cosine"},
            **options,
        )
        voxels = masker.fit_transform(image, confounds=confounds)
        seed = signal.clean(signals.regions, confounds=confounds, filter="cosine", **options)
    return np.arctanh((voxels.T @ seed)[:, 0] / (voxels.shape[0] - 1))


def test_visual_seed_peaks_in_both_occipital_lobes_and_equals_nilearn(case):
    image, mask, mm, center, confounds = case
    signals, result = _ours(image, mask, center, confounds)
    z = result.values
    assert result.n_undefined == 0
    assert signals.quality.region_coverage["visual"] > 0.9
    assert 40 < signals.quality.tsnr_median < 120

    middle = (mm[:, 0].min() + mm[:, 0].max()) / 2
    back = mm[:, 1].min()
    depth = np.ptp(mm[:, 1])
    for side in (mm[:, 0] < middle - 4, mm[:, 0] > middle + 4):
        peak = mm[side][z[side].argmax()]
        assert peak[1] < back + depth / 3, f"peak of a hemisphere at {peak}"
        assert z[side].max() > 0.5
    # The 1 % strongest voxels lie at the back, on both sides.
    strong = z > np.quantile(z, 0.99)
    assert (mm[strong, 1] < back + depth / 2).mean() > 0.9
    assert 0.1 < (mm[strong, 0] < middle).mean() < 0.9

    theirs = _nilearn(image, mask, signals, confounds)
    assert np.abs(z - theirs).max() < 1e-3
