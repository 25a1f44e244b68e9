"""Does a strong effect hide a weak one elsewhere? Ours and nilearn's TFCE on the same trials.

    python benchmarks/masking.py [--trials N] [--shufflings N]

Each simulated trial has two groups, smooth noise, and a weak effect in one place. It is tested
twice: as it is, and with a strong, narrow effect added elsewhere, under the same noise. A weak
effect is detected when any voxel of its place has a family-wise p of at most 0.05. What happens
elsewhere says nothing about that place, so that detection should stay as it is.

nilearn's TFCE sums steps of a hundredth of the largest value of each map and leaves out their
width: the larger the peak of a map, the smaller all of its TFCE becomes, while the maps it is
compared with, whose groups are shuffled, have no such peak.

Prints a table and writes it to ``benchmarks/results/masking.json``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

N_PROCESSES = 2
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # one process per core

import numpy as np  # noqa: E402  after the number of threads
from scipy import stats  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from _group import smooth_noise  # noqa: E402
from run import describe_commit  # noqa: E402

SHAPE = (18, 14, 14)
SIGMA = 3 / np.sqrt(8 * np.log(2))
"""Of the noise: FWHM of 3 voxels."""
N_PER_GROUP = 12
ALPHA = 0.05
SEED = 7
# Centre and width in voxels, height in standard deviations of the noise.
WEAK = ((4, 7, 7), 1.8, 1.55)
STRONG = ((13, 7, 7), 0.8, 8.0)

Detect = Callable[[np.ndarray, int, int], bool]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument(
        "--shufflings", type=int, default=100, help="the data as they are included"
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    with ProcessPoolExecutor(N_PROCESSES) as pool:
        run = partial(_trial, n_shufflings=arguments.shufflings)
        found = np.array(list(pool.map(run, range(arguments.trials))))
    result = {
        "trials": arguments.trials,
        "shufflings": arguments.shufflings,
        "voxels": int(np.prod(SHAPE)),
        **{name: _summary(found[:, i]) for i, name in enumerate(METHODS)},
        "s": round(time.perf_counter() - start),
        "commit": describe_commit(),
    }
    _print_table(result)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "masking.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


def _blob(centre: tuple[int, int, int], width: float, height: float) -> np.ndarray:
    distance = sum((axis - c) ** 2 for axis, c in zip(np.indices(SHAPE), centre, strict=True))
    return (height * np.exp(-distance / (2 * width**2))).ravel()


def _trial(number: int, *, n_shufflings: int) -> list[list[bool]]:
    """Tell per method whether the weak effect is found alone, and beside the strong one."""
    rng = np.random.default_rng([SEED, number])
    noise = smooth_noise(rng, np.ones(SHAPE, bool), 2 * N_PER_GROUP, SIGMA).astype(float)
    treated = np.repeat([1.0, 0.0], N_PER_GROUP)[:, None]
    alone = noise + treated * _blob(*WEAK)
    beside = alone + treated * _blob(*STRONG)
    return [
        [detect(images, n_shufflings, number) for images in (alone, beside)]
        for detect in METHODS.values()
    ]


def _ours(images: np.ndarray, n_shufflings: int, seed: int) -> bool:
    from phmri.group import UnitDesign, exchange_within  # noqa: PLC0415
    from phmri.inference import Volume, permute  # noqa: PLC0415
    from phmri.protocol import Inference  # noqa: PLC0415

    n = len(images)
    treated = np.repeat([1.0, 0.0], N_PER_GROUP)
    design = UnitDesign(
        estimator="post",
        subjects=tuple(f"{i:02d}" for i in range(n)),
        groups=("treated",) * N_PER_GROUP + ("control",) * N_PER_GROUP,
        X=np.column_stack([treated, 1 - treated]),
        columns=("treated", "control"),
        contrast=np.array([1.0, -1.0]),
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(n, dtype=np.int64)),
        notes=(),
        sentences=(),
    )
    settings = Inference(method="tfce", connectivity=6, n_permutations=n_shufflings, seed=seed)
    space = Volume(mask=np.ones(SHAPE, bool), connectivity=6)
    result = permute(design, images, None, settings, space=space)
    return bool((result.pvalue_corrected[_place()] <= ALPHA).any())


def _nilearn(images: np.ndarray, n_shufflings: int, seed: int) -> bool:
    import nibabel as nib  # noqa: PLC0415
    from nilearn.maskers import NiftiMasker  # noqa: PLC0415
    from nilearn.mass_univariate import permuted_ols  # noqa: PLC0415

    masker = NiftiMasker(nib.Nifti1Image(np.ones(SHAPE, np.uint8), np.eye(4))).fit()
    result = permuted_ols(
        np.repeat([1.0, 0.0], N_PER_GROUP)[:, None],
        images,
        n_perm=n_shufflings - 1,  # it counts the data as they are beside these
        two_sided_test=True,
        random_state=seed,
        masker=masker,
        tfce=True,
    )
    logarithm = result["logp_max_tfce"][0, _place()]
    return bool((logarithm >= -np.log10(ALPHA) - 1e-9).any())


METHODS: dict[str, Detect] = {"ours": _ours, "nilearn": _nilearn}


def _place() -> np.ndarray:
    """Give the voxels in which the weak effect has at least half its height."""
    blob = _blob(*WEAK)
    return blob >= blob.max() / 2


def _summary(found: np.ndarray) -> dict[str, object]:
    """Count detections (n_trials, 2); the p-value is McNemar's, exact."""
    alone, beside = found.T
    lost, gained = int((alone & ~beside).sum()), int((beside & ~alone).sum())
    changed = lost + gained
    return {
        "alone": round(float(alone.mean()), 3),
        "beside": round(float(beside.mean()), 3),
        "lost": lost,
        "gained": gained,
        "pvalue": float(stats.binomtest(lost, changed).pvalue) if changed else 1.0,
    }


def _print_table(result: dict[str, object]) -> None:
    print("weak effect found  alone  beside a strong one  lost  gained       p")
    for name in METHODS:
        row = result[name]
        print(
            f"{name:<17}  {row['alone']:>5.1%}  {row['beside']:>19.1%}  {row['lost']:>4}  "
            f"{row['gained']:>6}  {row['pvalue']:>6.2g}"
        )
    print(
        f"{result['trials']} trials, {result['shufflings']} shufflings, "
        f"{result['voxels']} voxels, {result['s']} s"
    )


if __name__ == "__main__":
    sys.exit(main())
