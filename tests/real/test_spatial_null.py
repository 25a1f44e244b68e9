"""How often maps that have nothing to do with each other are claimed, on real parcels."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binom

from phmri.dataset import read_image
from phmri.inference.spatial import associate_maps

ATLAS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "atlas" / "schaefer2018"
IMAGE = ATLAS / "Schaefer2018_100Parcels_7Networks_order_FSLMNI152_2mm.nii.gz"
pytestmark = pytest.mark.skipif(not IMAGE.is_file(), reason=f"the atlas is not here: {IMAGE}")
N_TRIALS = 300


@pytest.fixture(scope="module")
def centres() -> np.ndarray:
    image = read_image(IMAGE)
    voxels = np.argwhere(image.data > 0)
    labels = image.data[image.data > 0].astype(int)
    sums = np.stack([np.bincount(labels, voxels[:, axis])[1:] for axis in range(3)], -1)
    means = sums / np.bincount(labels)[1:, None]
    return np.asarray(means @ image.affine[:3, :3].T + image.affine[:3, 3])


@pytest.mark.parametrize("length_mm", [15.0, 40.0])
def test_false_claims_are_five_percent(
    centres: np.ndarray, length_mm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    rng = np.random.default_rng(11)
    root = np.linalg.cholesky(np.exp(-cdist(centres, centres) / length_mm))
    spatial = naive = 0
    for _ in range(N_TRIALS):
        own, *others = rng.standard_normal((2, 100)) @ root.T
        found = associate_maps(own, np.array(others), centres, n_surrogates=199, rng=rng)
        spatial += int(found.pvalue[0] <= 0.05)
        naive += int(found.pvalue_naive[0] <= 0.05)
    low, high = binom.ppf((0.005, 0.995), N_TRIALS, 0.05)
    assert low <= spatial <= high
    assert naive > spatial
    if length_mm > 30:
        assert naive > 0.2 * N_TRIALS
