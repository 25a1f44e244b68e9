"""Surrogates of real runs: they keep what noise is known by, and nothing of the run itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import read_image, read_mask
from phmri.simulation import Truth, resample
from phmri.simulation._anatomy import Anatomy
from phmri.simulation._real_runs import find_real_runs, real_noise

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"
SERIES, BOLD = REAL / "lsd-schaefer100", REAL / "studyforrest-oneback"
N = 150


@pytest.mark.skipif(not SERIES.is_dir(), reason=f"real data are not here: {SERIES}")
@pytest.mark.parametrize(("method", "tolerance"), [("phase", 1e-4), ("block", 0.02)])
def test_parcels_stay_as_connected_as_they_were(method: str, tolerance: float) -> None:
    path = min(SERIES.glob("*_ses-PLCB_*_timeseries.tsv"))
    series = pd.read_csv(path, sep="\t").to_numpy(np.float64)
    time = np.stack([np.ones(len(series)), np.arange(len(series))], axis=1)
    before = series - time @ np.linalg.lstsq(time, series, rcond=None)[0]
    made = resample(series, np.random.default_rng(1), method=method, block=20)
    matrices = np.corrcoef(before.T), np.corrcoef(made.T)
    np.testing.assert_allclose(matrices[1], matrices[0], atol=tolerance)
    same = [np.corrcoef(a, b)[0, 1] for a, b in zip(before.T, made.T, strict=True)]
    assert np.abs(same).mean() < 0.4


@pytest.mark.skipif(not BOLD.is_dir(), reason=f"real data are not here: {BOLD}")
def test_voxels_keep_level_colour_and_smoothness() -> None:
    mask = read_mask(BOLD / "sub-02_task-oneback_run-01_desc-brain_mask.nii.gz")
    image = read_image(BOLD / "sub-02_task-oneback_run-01_bold.nii.gz")
    anatomy = _anatomy(mask.data, mask.affine)
    truth = Truth.model_validate(
        {
            "phmri_truth": 1,
            "scans": {"rest": {"n_volumes": N, "t_r": 2.0}},
            "background": {"from_runs": {"files": ["."]}},
        }
    )
    (source,) = find_real_runs(truth, anatomy, BOLD)
    made = real_noise(source, N, np.random.default_rng(3), method="phase", block_s=30.0)
    inside = mask.data.ravel(order="F")
    real = image.data.reshape(-1, image.data.shape[3], order="F")[inside].T.astype(float)
    bright = real.mean(axis=0) > 0.5 * np.median(real.mean(axis=0))
    time = np.linspace(-1, 1, len(real))
    real = real / real.mean(axis=0) - 1
    real -= np.outer(time, time @ real / (time @ time))
    found = [_describe(values[:, bright]) for values in (real, made.astype(float))]
    np.testing.assert_allclose(found[1], found[0], rtol=0.1)
    spatial = [_neighbours(values, mask.data) for values in (real, made.astype(float))]
    assert spatial[1] == pytest.approx(spatial[0], abs=0.03)
    assert spatial[0] > 0.1


def _describe(values: np.ndarray) -> tuple[float, float]:
    """Give the medians over voxels of standard deviation and lag-one correlation."""
    centred = values - values.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    lag = (centred[1:] * centred[:-1]).mean(axis=0) / variance
    return float(np.median(np.sqrt(variance))), float(np.median(lag))


def _neighbours(values: np.ndarray, mask: np.ndarray) -> float:
    number = np.full(mask.shape, -1)
    number[mask] = 0
    flat = number.ravel(order="F")
    flat[flat == 0] = np.arange(int(mask.sum()))
    number = flat.reshape(mask.shape, order="F")
    left, right = number[:-1].ravel(), number[1:].ravel()
    both = (left >= 0) & (right >= 0)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    pairs = zip(left[both][::50], right[both][::50], strict=True)
    return float(np.median([(standard[:, a] * standard[:, b]).mean() for a, b in pairs]))


def _anatomy(mask: np.ndarray, affine: np.ndarray) -> Anatomy:
    inside = mask.ravel(order="F")
    index = np.stack([axis.ravel(order="F")[inside] for axis in np.indices(mask.shape)], axis=1)
    position = index @ affine[:3, :3].T + affine[:3, 3]
    grey = np.ones(len(index), dtype=np.float32)
    return Anatomy(
        space="native",
        resolution=None,
        affine=np.asarray(affine, dtype=np.float64),
        mask=mask,
        grey=grey,
        white=0 * grey,
        csf=0 * grey,
        position_mm=position.astype(np.float32),
    )
