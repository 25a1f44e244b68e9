"""Trees of tiny runs with known couplings, in the layouts of several programs.

A run is noise in which two regions are coupled: the target's voxels carry ``weight`` times the
seed's course. Tables of series are made so that their correlation is exactly what was asked for.
"""

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from phmri.cli import main

SPACE = "MNI152NLin2009cAsym"
T_R = 2.0
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
SEED_MM, TARGET_MM = (0.0, 26.0, -10.0), (6.0, -18.0, 2.0)


@dataclass(frozen=True)
class Box:
    """A grid whose voxels all are brain."""

    shape: tuple[int, int, int] = (6, 11, 6)
    origin_mm: tuple[float, float, float] = (-20.0, -42.0, -22.0)
    voxel_mm: float = 8.0

    @property
    def affine(self) -> np.ndarray:
        affine = np.diag([self.voxel_mm] * 3 + [1.0])
        affine[:3, 3] = self.origin_mm
        return affine

    def inside(self, center_mm: Sequence[float], radius_mm: float) -> np.ndarray:
        """Mark the voxels whose centre lies in a sphere."""
        index = np.moveaxis(np.indices(self.shape), 0, -1)
        position = index * self.voxel_mm + np.asarray(self.origin_mm)
        return np.asarray(((position - np.asarray(center_mm)) ** 2).sum(-1) <= radius_mm**2)


def call(*words: str | Path) -> tuple[int, str]:
    """Call the command; give exit code and all that was printed."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as error,
    ):
        code = main([str(word) for word in words])
    return code, out.getvalue() + error.getvalue()


def run_all(bids: Path, out: Path, protocol: Path, *options: str | Path) -> str:
    """Run a whole trial, which must work, and give what was printed."""
    code, printed = call(
        "run", bids, out, "all", "--protocol", protocol, "--n-workers", "1", *options
    )
    assert code == 0, printed
    return printed


def claim_of(out: Path, question: str) -> dict[str, object]:
    path = out / "group" / f"question-{question}" / "claim.json"
    claim: dict[str, object] = json.loads(path.read_text())["claim"]
    return claim


def statistics_of(out: Path, question: str) -> pd.DataFrame:
    """Read the table of a question that is not about voxels."""
    folder = out / "group" / f"question-{question}"
    return pd.read_csv(
        folder / f"{folder.name}_stats.tsv", sep="\t", dtype={"name": str}
    ).set_index("name")


def map_of(out: Path, question: str, stat: str) -> np.ndarray:
    folder = out / "group" / f"question-{question}"
    path = folder / f"{folder.name}_stat-{stat}_statmap.nii.gz"
    return np.asarray(nib.load(path).dataobj, float)


def z_map(out: Path, subject: str, session: str, measure: str) -> Path:
    (path,) = (out / f"sub-{subject}" / f"ses-{session}" / "func").glob(
        f"*contrast-{measure}_stat-z_statmap.nii.gz"
    )
    return path


def write_table(path: Path, columns: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False, na_rep="n/a")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def describe(root: Path, kind: str = "raw", by: str = "tests") -> None:
    write_json(
        root / "dataset_description.json",
        {
            "Name": "tiny",
            "BIDSVersion": "1.10.0",
            "DatasetType": kind,
            "GeneratedBy": [{"Name": by}],
        },
    )


def coupled_data(
    rng: np.random.Generator, box: Box, n_volumes: int, pairs: Sequence[tuple[float, tuple]]
) -> np.ndarray:
    """Make a run in which targets carry the seed's course with a weight each."""
    data = 1000.0 + rng.normal(0.0, 10.0, (*box.shape, n_volumes))
    course = rng.normal(0.0, 10.0, n_volumes)
    data[box.inside(SEED_MM, 12.0)] += course
    for weight, center in pairs:
        data[box.inside(center, 12.0)] += weight * course
    return data.astype(np.float32)


def write_image(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header["pixdim"][4] = T_R
    nib.save(image, path)


def write_run(folder: Path, stem: str, data: np.ndarray, box: Box, entities: str) -> Path:
    """Write image, sidecar and mask; ``entities`` stand between stem and suffix."""
    path = folder / f"{stem}{entities}_bold.nii.gz"
    write_image(path, data, box.affine)
    write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {"RepetitionTime": T_R})
    return path


def write_mask(path: Path, box: Box) -> None:
    write_image(path, np.ones(box.shape, np.uint8), box.affine)


def write_confounds(folder: Path, stem: str, rng: np.random.Generator, n_volumes: int) -> None:
    """Write motion with derivatives and squares, tissue signals and displacement."""
    columns = {name: rng.normal(0.0, 0.02, n_volumes) for name in MOTION}
    for name in MOTION:
        columns[f"{name}_derivative1"] = np.diff(columns[name], prepend=np.nan)
    for name in tuple(columns):
        columns[f"{name}_power2"] = columns[name] ** 2
    columns |= {name: rng.normal(0.0, 1.0, n_volumes) for name in ("csf", "white_matter")}
    columns["framewise_displacement"] = np.append(np.nan, rng.uniform(0.05, 0.2, n_volumes - 1))
    columns["std_dvars"] = np.append(np.nan, rng.uniform(0.8, 1.2, n_volumes - 1))
    write_table(folder / f"{stem}_desc-confounds_timeseries.tsv", columns)


def write_fmriprep_run(
    fmriprep: Path, subject: str, session: str, task: str, data: np.ndarray, box: Box, seed: int
) -> None:
    """Write one run as fMRIPrep does."""
    folder = fmriprep / f"sub-{subject}" / f"ses-{session}" / "func"
    stem = f"sub-{subject}_ses-{session}_task-{task}"
    write_run(folder, stem, data, box, f"_space-{SPACE}_desc-preproc")
    write_mask(folder / f"{stem}_space-{SPACE}_desc-brain_mask.nii.gz", box)
    write_confounds(folder, stem, np.random.default_rng([seed, 9]), data.shape[-1])


def exact_series(
    rng: np.random.Generator, z: float, n_volumes: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """Make two courses whose Fisher z is exactly this."""
    noise = rng.normal(size=(n_volumes, 2))
    one, other = np.linalg.qr(noise - noise.mean(axis=0))[0].T
    r = np.tanh(z)
    return one, r * one + np.sqrt(1 - r**2) * other
