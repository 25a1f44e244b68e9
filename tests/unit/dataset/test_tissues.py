"""Which image of tissues belongs to a run, by names as fMRIPrep gives them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import Run, find_tissues, index_dataset, write_image
from tests.unit.dataset.conftest import AFFINE, SHAPE, SPACE, Trial

LABELS = np.ones(SHAPE, np.uint8)


@pytest.fixture
def run(trial: Trial) -> Run:
    index = index_dataset(trial.root, (trial.fmriprep,))
    return next(item for item in index.runs if (item.subject, item.session) == ("01", "infusion"))


def add(trial: Trial, name: str, *, place: str = "anat", affine: np.ndarray = AFFINE) -> Path:
    path = trial.fmriprep / "sub-01" / place / f"sub-01_{name}.nii.gz"
    write_image(path, LABELS, affine)
    return path


def found(trial: Trial, run: Run) -> list[str]:
    return [path.name for path in find_tissues(run, (trial.fmriprep,))]


def test_none(trial: Trial, run: Run) -> None:
    add(trial, "dseg")  # of the anatomical image's own space
    add(trial, f"space-{SPACE}_desc-aseg_dseg")
    add(trial, "space-MNI152NLin6Asym_dseg")
    add(trial, f"space-{SPACE}_label-GM_probseg")
    assert found(trial, run) == []


def test_resolution_and_session_decide_among_several(trial: Trial, run: Run) -> None:
    add(trial, f"space-{SPACE}_res-1_dseg")
    assert found(trial, run) == [f"sub-01_space-{SPACE}_res-1_dseg.nii.gz"]
    add(trial, f"space-{SPACE}_dseg")
    assert found(trial, run) == [f"sub-01_space-{SPACE}_dseg.nii.gz"]
    for session in ("baseline", "infusion"):
        add(trial, f"ses-{session}_space-{SPACE}_res-2_dseg", place=f"ses-{session}/anat")
    assert found(trial, run) == [f"sub-01_ses-infusion_space-{SPACE}_res-2_dseg.nii.gz"]


def test_own_space_has_no_entity(trial: Trial, run: Run) -> None:
    add(trial, "dseg")
    assert found(trial, replace(run, space="T1w")) == ["sub-01_dseg.nii.gz"]
    assert found(trial, replace(run, space=None)) == []


def test_probabilities_on_the_grid_of_the_run(trial: Trial, run: Run) -> None:
    shifted = AFFINE.copy()
    shifted[0, 3] += 1.0
    for tissue in ("GM", "WM", "CSF"):
        add(trial, f"space-{SPACE}_res-2_label-{tissue}_probseg")
        add(trial, f"space-{SPACE}_label-{tissue}_probseg", affine=shifted)
    assert found(trial, run) == [
        f"sub-01_space-{SPACE}_res-2_label-{tissue}_probseg.nii.gz"
        for tissue in ("GM", "WM", "CSF")
    ]
    add(trial, f"space-{SPACE}_dseg")
    assert found(trial, run) == [f"sub-01_space-{SPACE}_dseg.nii.gz"]


def test_the_own_derivatives_come_first(trial: Trial, run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    path = other / "sub-01" / "anat" / f"sub-01_space-{SPACE}_dseg.nii.gz"
    write_image(path, LABELS, AFFINE)
    assert find_tissues(run, (other, trial.fmriprep)) == (path,)
    own = add(trial, f"space-{SPACE}_dseg")
    assert find_tissues(run, (other, trial.fmriprep)) == (own,)
