"""A small trial on disk, in the layout of fMRIPrep, that tests then break."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phmri.dataset import write_image, write_json, write_table, write_text
from phmri.protocol import Protocol

SPACE = "MNI152NLin2009cAsym"
N_VOLUMES, T_R = 12, 2.0
SHAPE = (5, 6, 4)
AFFINE = np.array(
    [
        [20.0, 0.0, 0.0, -40.0],
        [0.0, 20.0, 0.0, -60.0],
        [0.0, 0.0, 20.0, -30.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


@dataclass(frozen=True)
class Trial:
    """Where the pieces of the trial lie."""

    root: Path

    @property
    def fmriprep(self) -> Path:
        return self.root / "derivatives" / "fmriprep"

    def func(self, subject: str, session: str) -> Path:
        return self.fmriprep / f"sub-{subject}" / f"ses-{session}" / "func"

    def bold(self, subject: str = "01", session: str = "infusion", task: str = "nback") -> Path:
        name = (
            f"sub-{subject}_ses-{session}_task-{task}_space-{SPACE}_res-2_desc-preproc_bold.nii.gz"
        )
        return self.func(subject, session) / name

    def mask(self, subject: str = "01", session: str = "infusion", task: str = "nback") -> Path:
        bold = self.bold(subject, session, task)
        return bold.with_name(bold.name.replace("desc-preproc_bold", "desc-brain_mask"))

    def confounds(
        self, subject: str = "01", session: str = "infusion", task: str = "nback"
    ) -> Path:
        name = f"sub-{subject}_ses-{session}_task-{task}_desc-confounds_timeseries.tsv"
        return self.func(subject, session) / name

    def events(self, subject: str = "01", session: str = "infusion") -> Path:
        name = f"sub-{subject}_ses-{session}_task-nback_events.tsv"
        return self.root / f"sub-{subject}" / f"ses-{session}" / "func" / name

    def add_run(self, subject: str, session: str, task: str) -> None:
        bold = np.arange(np.prod(SHAPE) * N_VOLUMES, dtype=np.int16).reshape(*SHAPE, N_VOLUMES)
        write_image(
            self.bold(subject, session, task), bold, AFFINE, {"RepetitionTime": T_R}, t_r=T_R
        )
        write_image(self.mask(subject, session, task), np.ones(SHAPE, dtype=bool), AFFINE)
        rows = pd.DataFrame({"trans_x": np.zeros(N_VOLUMES), "csf": np.ones(N_VOLUMES)})
        write_table(self.confounds(subject, session, task), rows, {"csf": {"Method": "Mean"}})

    def add_participants(self, arms: dict[str, str]) -> None:
        table = pd.DataFrame(
            {
                "participant_id": [f"sub-{subject}" for subject in arms],
                "arm": list(arms.values()),
                "age": [20 + i for i in range(len(arms))],
            }
        )
        write_table(self.root / "participants.tsv", table)


def write_trial(root: Path, arms: dict[str, str], sessions: tuple[str, ...]) -> Trial:
    trial = Trial(root)
    write_json(root / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.9.0"})
    write_json(root / "task-nback_bold.json", {"RepetitionTime": T_R, "TaskName": "nback"})
    write_json(
        trial.fmriprep / "dataset_description.json",
        {"Name": "y", "DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep"}]},
    )
    trial.add_participants(arms)
    for subject in arms:
        lines = [f"ses-{name}\t2024-01-{day:02d}T09:00:00" for day, name in enumerate(sessions, 1)]
        path = root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv"
        write_text(path, "session_id\tacq_time\n" + "\n".join(lines) + "\n")
        for session in sessions:
            trial.add_run(subject, session, "nback")
            write_text(
                trial.events(subject, session),
                "onset\tduration\ttrial_type\n0\t4\ttwo\n8\t4\ttwo\n",
            )
    return trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Four participants in two arms, baseline and infusion, one task."""
    arms = {"01": "ketamine", "02": "ketamine", "03": "placebo", "04": "placebo"}
    return write_trial(tmp_path / "bids", arms, ("baseline", "infusion"))


PARALLEL: dict[str, object] = {
    "phmri": 1,
    "name": "small",
    "title": "A small trial",
    "drugs": {"ketamine": {}},
    "treatments": {"ketamine": {}, "placebo": {}},
    "design": {
        "kind": "parallel",
        "arms": {"ketamine": {"treatment": "ketamine"}, "placebo": {"treatment": "placebo"}},
    },
    "sessions": {"baseline": {"phase": "baseline"}, "infusion": {"phase": "acute"}},
    "scans": {"memory": {"task": "nback", "conditions": ["two"]}},
    "space": SPACE,
    "regions": {
        "seed": {"kind": "sphere", "center_mm": [0, 0, 0], "radius_mm": 30, "space": SPACE}
    },
    "denoising": {"plain": {"strategy": "none"}},
    "measures": {
        "seedmap": {
            "kind": "seed_to_voxel",
            "scan": "memory",
            "denoising": "plain",
            "seed": "seed",
        }
    },
    "questions": {
        "acute": {
            "text": "Does it?",
            "role": "primary",
            "measure": "seedmap",
            "contrast": ["ketamine", "placebo"],
            "session": "infusion",
            "baseline": "baseline",
            "estimator": "ancova",
        }
    },
}

CROSSOVER: dict[str, object] = {
    **PARALLEL,
    "design": {
        "kind": "crossover",
        "sequences": {
            "KP": {"treatments": ["ketamine", "placebo"]},
            "PK": {"treatments": ["placebo", "ketamine"]},
        },
        "column": "arm",
    },
    "sessions": {
        "first": {"phase": "acute", "period": 1},
        "second": {"phase": "acute", "period": 2},
    },
    "questions": {
        "acute": {
            "text": "Does it?",
            "role": "primary",
            "measure": "seedmap",
            "contrast": ["ketamine", "placebo"],
            "estimator": "crossover",
        }
    },
}


@pytest.fixture
def parallel() -> dict[str, object]:
    """The protocol of `trial`, as a dict to be changed."""
    return {**PARALLEL}


@pytest.fixture
def protocol() -> Protocol:
    """The protocol of `trial`."""
    return Protocol.model_validate(PARALLEL)


@pytest.fixture
def crossover_trial(tmp_path: Path) -> Trial:
    """Four participants in two sequences, one session per period."""
    groups = {"01": "KP", "02": "KP", "03": "PK", "04": "PK"}
    return write_trial(tmp_path / "crossover", groups, ("first", "second"))


@pytest.fixture
def crossover() -> dict[str, object]:
    """The protocol of `crossover_trial`, as a dict to be changed."""
    return {**CROSSOVER}
