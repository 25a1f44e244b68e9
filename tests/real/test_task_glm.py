"""A real one-back run, native space: pictures against rest, AR(1) in every voxel.

The data set has no confounds and no anatomy here; the model is the canonical response to the
blocks of pictures, cosines to 128 s, and a constant. The occiput is the back third of the mask.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import scipy.stats

from phmri.dataset import Run, read_mask
from phmri.firstlevel import task_regressors
from phmri.firstlevel.glm import Contrast, Noise, fit_glm
from phmri.signals import extract_signals

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "studyforrest-oneback"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no ../shared/data/real/studyforrest-oneback"
)
STEM = "sub-02_task-oneback_run-01"
T_R, FWHM_MM, HIGHPASS_S = 2.0, 6.0, 128.0


def make_design(n_volumes):
    rows = (FOLDER / f"{STEM}_events.tsv").read_text().splitlines()[1:]
    onset = np.array([float(row.split("\t")[0]) for row in rows])
    # Pictures follow each other within a block; between blocks there are seconds of rest.
    starts = np.flatnonzero(np.diff(onset, prepend=-np.inf) > 3.0)
    ends = np.append(starts[1:], onset.size) - 1
    task, _ = task_regressors(
        onset[starts],
        onset[ends] + 0.9 - onset[starts],
        ["pictures"] * starts.size,
        conditions=("pictures",),
        t_r=T_R,
        n_volumes=n_volumes,
    )
    k = np.arange(1, int(2 * n_volumes * T_R / HIGHPASS_S) + 1)
    drift = np.cos(np.pi * (np.arange(n_volumes)[:, None] + 0.5) * k / n_volumes)
    return np.column_stack([task, drift, np.ones(n_volumes)]), starts.size


def load_run():
    path = FOLDER / f"{STEM}_bold.nii.gz"
    image = nib.load(path)
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
        path=path,
        mask=FOLDER / f"{STEM}_desc-brain_mask.nii.gz",
        confounds=None,
        events=None,
        t_r=T_R,
        n_volumes=image.shape[3],
        shape=image.shape[:3],
        affine=image.affine,
    )
    mask = read_mask(run.mask)
    signals = extract_signals(
        run, mask, [], smoothing_fwhm_mm=FWHM_MM, voxels=True, dropout_threshold=0.25
    )
    return signals.voxels, np.argwhere(mask.data) @ image.affine[:3, :3].T + image.affine[:3, 3]


@pytest.mark.parametrize("noise", [Noise(), Noise(order=3, shrink=True)])
def test_pictures_drive_the_occipital_lobes(noise):
    voxels, mm = load_run()
    X, n_blocks = make_design(len(voxels))
    assert n_blocks == 12
    pictures = Contrast(name="pictures", weights=np.eye(X.shape[1])[:1])
    fit = fit_glm(voxels, X, [pictures], noise=noise)
    t = fit.contrasts["pictures"].statistic
    z = scipy.stats.norm.isf(scipy.stats.t.sf(t, fit.df))
    assert fit.n_constant == 0
    occiput = mm[:, 1] < mm[:, 1].min() + np.ptp(mm[:, 1]) / 3
    middle = (mm[:, 0].min() + mm[:, 0].max()) / 2
    for side in (mm[:, 0] < middle - 4, mm[:, 0] > middle + 4):
        assert z[occiput & side].max() > 12
    assert occiput[np.argsort(z)[-200:]].mean() > 0.9
    assert 0.0 < np.median(fit.noise["ar1"]) < 0.9
