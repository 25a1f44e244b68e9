"""Both sides of the permutation benchmarks: 75 synthetic images over the 2 mm brain mask.

The images are made here once, into ``benchmarks/data`` (ignored by git): Gaussian noise of FWHM
6 mm in the 235,375 voxels of nilearn's brain mask, blobs that differ between three arms, seeded.
The model has five regressors (intercept, two arms, age, sex); one arm is tested, two-sided, by
shuffling all participants.

A test costs something before its first shuffling, so that time is given *per shuffling*: the slope
between a few and many shufflings, in one process, after a first run that compiles what there is to
compile and starts what workers there are.
"""

import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

N_SUBJECTS = 75
N_THREADS = 2
FWHM_MM = 6.0
VOXEL_MM = 2.0
SEED = 20261121
COLUMNS = ("intercept", "arm_1", "arm_2", "age", "sex")
TESTED = COLUMNS.index("arm_2")
EFFECT = 1.0
_BLOBS = {(30, 60, 35): 2.0, (60, 60, 35): 2.8, (45, 35, 25): 3.6, (45, 80, 45): 4.4}
"""Centre -> width, in voxels."""

Facts = dict[str, float]
Settings = dict[str, str | float | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupImages:
    """Paths of the files."""

    images: Path
    baseline: Path
    mask: Path

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the images (n_subjects, n_voxels) and the mask (x, y, z)."""
        return np.load(self.images), self.load_mask()

    def load_mask(self) -> np.ndarray:
        import nibabel as nib  # noqa: PLC0415  each child imports one side only

        return np.asarray(nib.load(self.mask).dataobj) > 0


def make_images(directory: Path) -> GroupImages:
    """Write the images unless they are there already; the last file marks a whole set."""
    data = GroupImages(
        images=directory / "group_images.npy",
        baseline=directory / "group_baseline.npy",
        mask=directory / "group_mask.nii.gz",
    )
    if not data.images.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _write(data, np.random.default_rng(SEED))
    return data


def _write(data: GroupImages, rng: np.random.Generator) -> None:
    import nibabel as nib  # noqa: PLC0415
    from nilearn.datasets import load_mni152_brain_mask  # noqa: PLC0415

    image = load_mni152_brain_mask(resolution=int(VOXEL_MM))
    mask = np.asarray(image.dataobj) > 0
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), data.mask)
    grid = np.indices(mask.shape, np.float32)
    blobs = np.zeros(mask.shape, np.float32)
    for centre, width in _BLOBS.items():
        distance = sum((grid[i] - centre[i]) ** 2 for i in range(3))
        blobs += np.exp(-distance / (2 * width**2))
    effect = np.float32(EFFECT) * _arms()[:, None] * blobs[mask]
    sigma = FWHM_MM / VOXEL_MM / np.sqrt(8 * np.log(2))
    person = 0.8 * smooth_noise(rng, mask, N_SUBJECTS, sigma)
    np.save(data.baseline, person + smooth_noise(rng, mask, N_SUBJECTS, sigma))
    part = data.images.with_suffix(".part.npy")
    np.save(part, person + effect + smooth_noise(rng, mask, N_SUBJECTS, sigma))
    part.rename(data.images)


def smooth_noise(
    rng: np.random.Generator, mask: np.ndarray, n_images: int, sigma: float
) -> np.ndarray:
    """Give Gaussian noise of variance 1 (inside), of this smoothness in voxels, in a mask."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    impulse = np.zeros((41, 41, 41), np.float32)
    impulse[20, 20, 20] = 1
    scale = 1 / np.linalg.norm(gaussian_filter(impulse, sigma))
    noise = np.empty((n_images, int(mask.sum())), np.float32)
    for row in noise:
        white = rng.standard_normal(mask.shape, np.float32)
        row[:] = scale * gaussian_filter(white, sigma, mode="constant")[mask]
    return noise


def _arms() -> np.ndarray:
    return np.repeat(np.arange(3, dtype=np.float32), N_SUBJECTS // 3)


def model_matrix() -> np.ndarray:
    """Give the regressors, one row per participant; age is centred."""
    arm = _arms()
    rng = np.random.default_rng(SEED)
    age, sex = rng.normal(35, 8, N_SUBJECTS), rng.integers(0, 2, N_SUBJECTS)
    return np.column_stack([np.ones(N_SUBJECTS), arm == 1, arm == 2, age - age.mean(), sex])


def make_test(
    directory: Path, settings: Settings, *, with_baseline: bool = False
) -> Callable[[int], object]:
    """Give our test of the images as a function of the number of shufflings."""
    from phmri.group import UnitDesign, exchange_within  # noqa: PLC0415
    from phmri.inference import Volume, permute  # noqa: PLC0415
    from phmri.protocol import Inference  # noqa: PLC0415

    data = make_images(directory)
    images, mask = data.load()
    Y = images.astype(np.float64)  # as the pipeline hands it on
    baseline = np.load(data.baseline).astype(np.float64) if with_baseline else None
    design = UnitDesign(
        estimator="ancova" if with_baseline else "post",
        subjects=tuple(f"{i:02d}" for i in range(N_SUBJECTS)),
        groups=("all",) * N_SUBJECTS,
        X=model_matrix(),
        columns=COLUMNS,
        contrast=np.eye(len(COLUMNS))[TESTED],
        voxelwise_baseline=with_baseline,
        exchangeability=exchange_within(np.zeros(N_SUBJECTS, dtype=np.int64)),
        notes=(),
        sentences=(),
    )

    def test(n_shufflings: int) -> object:
        asked = Inference(**settings, n_permutations=n_shufflings)
        space = Volume(mask=mask, connectivity=asked.connectivity)
        return permute(design, Y, baseline, asked, space=space, n_threads=N_THREADS)

    return test


def ours(
    directory: Path, settings: Settings, *, few: int = 160, many: int = 1760
) -> tuple[Facts, np.ndarray]:
    """Time a shuffling of ours; give the observed map of every correction, t first."""
    test = make_test(directory, settings)
    seconds, result = seconds_per_shuffling(test, few, many)
    maps = [corrected.value for corrected in result.tests.values()]
    return {"s": seconds, "mb": own_peak_mb()}, np.stack([result.statistic, *maps[1:]])


def nilearn_route(
    directory: Path, settings: Settings, outputs: tuple[str, ...], *, few: int, many: int
) -> tuple[Facts, np.ndarray]:
    """Time a shuffling of nilearn's `permuted_ols`; give the observed maps named."""
    from nilearn.maskers import NiftiMasker  # noqa: PLC0415
    from nilearn.mass_univariate import permuted_ols  # noqa: PLC0415

    data = make_images(directory)
    images = np.load(data.images)
    masker = NiftiMasker(str(data.mask)).fit()
    X = model_matrix()
    beside = [i for i, name in enumerate(COLUMNS) if i != TESTED and name != "intercept"]

    def test(n_shufflings: int) -> dict[str, np.ndarray]:
        return permuted_ols(
            X[:, [TESTED]],
            images,
            confounding_vars=X[:, beside],
            n_perm=n_shufflings,
            two_sided_test=True,
            random_state=1,
            n_jobs=N_THREADS,
            masker=masker,
            **settings,
        )

    with TreeMemory() as memory:
        seconds, result = seconds_per_shuffling(test, few, many)
    facts = {"s": seconds, "mb": memory.peak_mb}
    return facts, np.stack([result[name][0] for name in outputs])


def seconds_per_shuffling(
    test: Callable[[int], object], few: int, many: int
) -> tuple[float, object]:
    """Give the slope between two numbers of shufflings, and the last result."""
    test(few)
    start = time.perf_counter()
    test(few)
    between = time.perf_counter()
    result = test(many)
    end = time.perf_counter()
    return ((end - between) - (between - start)) / (many - few), result


def own_peak_mb() -> float:
    """Give the largest memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class TreeMemory:
    """Watches this process and its children; memory that they share counts once."""

    INTERVAL_S = 0.2

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "TreeMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        import psutil  # noqa: PLC0415

        this = psutil.Process()
        while not self._done.wait(self.INTERVAL_S):
            total = 0
            for process in (this, *this.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has ended
                    continue
            self.peak_mb = max(self.peak_mb, total / 2**20)


def difference(ours: np.ndarray, peer: np.ndarray) -> float:
    """Give the largest difference of two maps, in units of the largest value of the peer's."""
    return float(np.abs(ours - peer).max() / np.abs(peer).max())
