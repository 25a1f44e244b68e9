"""Make the table of false claims in ``docs/maps.md``: independent maps on real parcels.

Usage: ``python tests/calibration/make_spatial_table.py LABEL_IMAGE`` (100 Schaefer parcels, MNI).
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from phmri.dataset import read_image
from phmri.inference import associate_maps

N_TRIALS, N_SURROGATES, N_OTHERS = 2000, 499, 8


def centres(path: Path) -> np.ndarray:
    """Give the centre of every label, mm."""
    image = read_image(path)
    labels = image.data.astype(int)
    voxels = [np.argwhere(labels == label).mean(axis=0) for label in range(1, labels.max() + 1)]
    return np.array(voxels) @ image.affine[:3, :3].T + image.affine[:3, 3]


def covariances(positions: np.ndarray) -> dict[str, np.ndarray]:
    """Give what maps are drawn from; ``mirrored`` measures distances folded at the midline."""
    folded = positions * 1.0
    folded[:, 0] = np.abs(folded[:, 0])
    plain, mirrored = cdist(positions, positions), cdist(folded, folded)
    own = np.eye(len(positions))
    return {
        "none": own,
        "exponential, 15 mm": np.exp(-plain / 15),
        "exponential, 40 mm": np.exp(-plain / 40),
        "Gaussian, SD 25 mm": 0.95 * np.exp(-((plain / 25) ** 2) / 2) + 0.05 * own,
        "Gaussian, SD 50 mm": 0.95 * np.exp(-((plain / 50) ** 2) / 2) + 0.05 * own,
        "half mirrored": 0.5 * np.exp(-mirrored / 25) + 0.35 * np.exp(-plain / 25) + 0.15 * own,
        "wholly mirrored": 0.85 * np.exp(-mirrored / 20) + 0.15 * own,
    }


def main() -> None:
    positions, rng = centres(Path(sys.argv[1])), np.random.default_rng(20)
    for name, covariance in covariances(positions).items():
        root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(positions)))
        counts = np.zeros(3)
        for _ in range(N_TRIALS):
            maps = rng.standard_normal((1 + N_OTHERS, len(positions))) @ root.T
            found = associate_maps(
                maps[0], maps[1:], positions, n_surrogates=N_SURROGATES, rng=rng
            )
            least = (found.pvalue[0], found.pvalue_corrected.min(), found.pvalue_naive[0])
            counts += np.array(least) <= 0.05
        rates = " | ".join(f"{100 * rate:.1f}" for rate in counts / N_TRIALS)
        sys.stdout.write(f"| {name} | {rates} |\n")


if __name__ == "__main__":
    main()
