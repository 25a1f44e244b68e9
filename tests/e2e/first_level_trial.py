"""A small trial of an infusion, simulated: what the drug does in it is known.

Rest begins 1.5 minutes before the infusion. Where the drug acts, the signal follows a
concentration curve that is computed here, not by phmri; the task raises the signal there too.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
import yaml

from tests.e2e.trees import (
    SPACE,
    T_R,
    Box,
    describe,
    write_fmriprep_run,
    write_image,
    write_table,
)

BOX = Box(shape=(5, 5, 5), origin_mm=(-16.0, -16.0, -16.0))
N_VOLUMES = 120
START_MIN = -1.5
ARMS = ("placebo", "ketamine", "placebo", "ketamine", "placebo", "ketamine")
SUBJECTS = tuple(f"{i + 1:02d}" for i in range(len(ARMS)))
WEIGHTS = dict(zip(SUBJECTS, (60.0, 65.0, 70.0, 75.0, 80.0, 85.0), strict=True))
SEED_MM, OTHER_MM, TARGET_MM = (-8.0, -8.0, -8.0), (8.0, -8.0, -8.0), (8.0, 8.0, 8.0)
RADIUS_MM = 8.5
PLANTED_PERCENT = 3.0
"""Of the signal, at the peak of the typical participant's curve."""
MG_PER_KG, VOLUME_L, CLEARANCE_L_PER_H, REFERENCE_KG = 0.5, 50.0, 600.0, 70.0
EVENTS = pd.DataFrame(
    {
        "onset": 8.0 + 14.0 * np.arange(16),
        "duration": 4.0,
        "trial_type": ["zero_back", "two_back"] * 8,
        "difficulty": [1.0 + (i * 7) % 5 for i in range(16)],
    }
)


def minutes(start_min: float = START_MIN, n_volumes: int = N_VOLUMES) -> np.ndarray:
    """Give the middle of every volume, in minutes from time zero."""
    return start_min + (np.arange(n_volumes) + 0.5) * T_R / 60


def concentration(
    times_min: np.ndarray, weight_kg: float, *, amount: float = MG_PER_KG, start_min: float = 0.0
) -> np.ndarray:
    """Solve one compartment with a constant infusion of one minute by hand, in ng/mL."""
    k = CLEARANCE_L_PER_H / 60 / VOLUME_L
    rate = amount * weight_kg / 1.0
    t = times_min - start_min
    rise = rate / (k * VOLUME_L) * (1 - np.exp(-k * np.clip(t, 0.0, 1.0)))
    return np.asarray(1000 * rise * np.exp(-k * np.clip(t - 1.0, 0.0, None)))


def curve(weight_kg: float, **given: float) -> np.ndarray:
    """Give a person's curve over the run, in units of the typical participant's peak."""
    return (
        concentration(minutes(), weight_kg, **given) / concentration(minutes(), REFERENCE_KG).max()
    )


def inside(center_mm: tuple[float, float, float]) -> np.ndarray:
    return BOX.inside(center_mm, RADIUS_MM)


def block_course(trial_type: str) -> np.ndarray:
    """Give a crude response to a condition: 1 from 4 to 10 s after its onsets."""
    seconds = (np.arange(N_VOLUMES) + 0.5) * T_R
    onsets = EVENTS["onset"][EVENTS["trial_type"] == trial_type].to_numpy()
    since = seconds[:, None] - onsets
    return np.asarray(((since > 4) & (since < 10)).any(axis=1), float)


def rest(rng: np.random.Generator, weight_kg: float, *, drug: bool) -> np.ndarray:
    data = _coupled(rng)
    if drug:
        data[inside(TARGET_MM)] += 10 * PLANTED_PERCENT * curve(weight_kg)
    return data


def nback(rng: np.random.Generator, *, drug: bool) -> np.ndarray:
    data = _coupled(rng)
    data[inside(TARGET_MM)] += (25.0 if drug else 10.0) * block_course("two_back")
    return data


def _coupled(rng: np.random.Generator) -> np.ndarray:
    shape = BOX.shape
    level = 1000.0 + 20.0 * np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)
    data = level[..., None] + rng.normal(0.0, 5.0, (*shape, N_VOLUMES))
    shared = rng.normal(0.0, 5.0, N_VOLUMES)
    for center in (SEED_MM, OTHER_MM):
        data[inside(center)] += shared
    return np.asarray(data)


@dataclass(frozen=True)
class InfusionTrial:
    """Where the trial lies."""

    root: Path

    @property
    def bids(self) -> Path:
        return self.root / "bids"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def protocol(self) -> Path:
        return self.root / "trial.yaml"

    @property
    def document(self) -> dict[str, dict]:
        document: dict[str, dict] = yaml.safe_load(self.protocol.read_text())
        return document

    def write_protocol(self, document: dict[str, dict]) -> None:
        unshared = json.loads(json.dumps(document))  # a protocol may not refer to itself
        self.protocol.write_text(yaml.safe_dump(unshared, sort_keys=False))

    def func(self, subject: str, *, raw: bool = False) -> Path:
        root = self.bids if raw else self.bids / "derivatives" / "fmriprep"
        return root / f"sub-{subject}" / "ses-infusion" / "func"

    def bold(self, subject: str, task: str) -> Path:
        (path,) = self.func(subject).glob(f"*task-{task}_*_bold.nii.gz")
        return path

    def confounds_path(self, subject: str, task: str) -> Path:
        (path,) = self.func(subject).glob(f"*task-{task}_desc-confounds_timeseries.tsv")
        return path

    def confounds(self, subject: str, task: str) -> pd.DataFrame:
        return pd.read_csv(self.confounds_path(subject, task), sep="\t", na_values="n/a")

    def events(self, subject: str) -> Path:
        (path,) = self.func(subject, raw=True).glob("*_events.tsv")
        return path

    def results(self, subject: str, measure: str, ending: str) -> Path:
        folder = self.out / f"sub-{subject}" / "ses-infusion" / "func"
        (path,) = folder.glob(f"*contrast-{measure}_{ending}")
        return path


def write_trial(root: Path, document: dict[str, dict], *, seed: int = 1) -> InfusionTrial:
    """Write data and protocol of six participants."""
    trial = InfusionTrial(root=root)
    fmriprep = trial.bids / "derivatives" / "fmriprep"
    describe(trial.bids)
    describe(fmriprep, "derivative", "fMRIPrep")
    write_people(trial, WEIGHTS)
    for number, (subject, arm) in enumerate(zip(SUBJECTS, ARMS, strict=True)):
        rng, drug = np.random.default_rng([seed, number]), arm == "ketamine"
        runs = {"rest": rest(rng, WEIGHTS[subject], drug=drug), "nback": nback(rng, drug=drug)}
        for order, (task, data) in enumerate(runs.items()):
            write_fmriprep_run(
                fmriprep,
                subject,
                "infusion",
                task,
                data.astype(np.float32),
                BOX,
                seed=2 * number + order,
            )
            table = trial.confounds(subject, task)
            table["global_signal"] = data.reshape(-1, N_VOLUMES).mean(axis=0)
            write_table(trial.confounds_path(subject, task), dict(table))
        stem = f"sub-{subject}_ses-infusion_task-nback"
        write_table(trial.func(subject, raw=True) / f"{stem}_events.tsv", dict(EVENTS))
    write_maps(root)
    trial.write_protocol(document)
    return trial


def write_people(trial: InfusionTrial, weights: dict[str, float]) -> None:
    write_table(
        trial.bids / "participants.tsv",
        {
            "participant_id": [f"sub-{label}" for label in SUBJECTS],
            "arm": ARMS,
            "weight_kg": [weights[label] for label in SUBJECTS],
        },
    )


def parcels() -> np.ndarray:
    labels = np.zeros(BOX.shape, np.int16)
    for label, center in enumerate((SEED_MM, OTHER_MM, TARGET_MM), start=1):
        labels[inside(center)] = label
    return labels


def write_maps(root: Path) -> None:
    """Write an atlas, three networks and two receptors."""
    rng = np.random.default_rng(9)
    write_image(root / "atlas.nii.gz", parcels(), BOX.affine)
    write_table(root / "atlas.tsv", {"index": [1, 2, 3], "name": ["one", "other", "target"]})
    networks = rng.normal(0.0, 1.0, (*BOX.shape, 3))
    networks[inside(SEED_MM), 0] += 5.0
    write_image(root / "networks.nii.gz", networks.astype(np.float32), BOX.affine)
    for name in ("ht1a", "ht2a"):
        density = rng.uniform(0.1, 5.0, BOX.shape).astype(np.float32)
        write_image(root / f"{name}.nii.gz", density, BOX.affine)


def sphere(center_mm: tuple[float, float, float]) -> dict[str, object]:
    return {
        "kind": "sphere",
        "center_mm": list(center_mm),
        "radius_mm": RADIUS_MM,
        "space": SPACE,
    }


def question(measure: str, **more: object) -> dict[str, object]:
    return {
        "text": f"Does ketamine change {measure}?",
        "role": "secondary",
        "measure": measure,
        "contrast": ["ketamine", "placebo"],
        "session": "infusion",
        "estimator": "post",
        **more,
    }


def base_document() -> dict[str, dict]:
    """Give a protocol with one infusion measure and its question."""
    infusion = {"kind": "infusion", "scan": "rest", "denoising": "motion"}
    return {
        "phmri": 1,
        "name": "infusion_trial",
        "title": "SIMULATED infusion",
        "drugs": {"ketamine": {}, "saline": {}},
        "treatments": {
            "placebo": {},
            "ketamine": {
                "doses": [
                    {
                        "drug": "ketamine",
                        "route": "intravenous",
                        "amount": MG_PER_KG,
                        "unit": "mg/kg",
                        "start_min": 0,
                        "duration_min": 1,
                    }
                ]
            },
        },
        "design": {
            "kind": "parallel",
            "arms": {
                "placebo": {"treatment": "placebo"},
                "ketamine": {"treatment": "ketamine"},
            },
        },
        "sessions": {"infusion": {"phase": "acute"}},
        "scans": {
            "rest": {"task": "rest", "start_min": {"infusion": START_MIN}},
            "nback": {"task": "nback", "conditions": ["zero_back", "two_back"]},
        },
        "space": SPACE,
        "regions": {
            "seed": sphere(SEED_MM),
            "other": sphere(OTHER_MM),
            "target": sphere(TARGET_MM),
        },
        "parcellations": {"atlas": {"file": "atlas.nii.gz", "names": "atlas.tsv", "space": SPACE}},
        "denoising": {
            "motion": {"strategy": "6motion"},
            "motion_gsr": {"strategy": "24motion_wmcsf_gsr"},
        },
        "compartments": {
            "mine": {
                "volumes_l": [VOLUME_L],
                "clearances_l_per_h": [CLEARANCE_L_PER_H],
                "site": "venous",
                "reference_weight_kg": REFERENCE_KG,
                "volume_exponent": 0,
                "clearance_exponent": 0,
            }
        },
        "exposures": {"plasma": {"treatment": "ketamine", "drug": "ketamine", "model": "mine"}},
        "measures": {
            "bins": {
                **infusion,
                "response": {"model": "pseudoblock", "bin_s": 30},
                "drift": {"order": 1, "max_overlap": 0.99},
                "noise": {"kind": "white"},
            },
            "follows": {
                **infusion,
                "response": {"model": "exposure", "exposure": "plasma"},
                "drift": {"order": 1, "max_overlap": 0.99},
                "noise": {"kind": "white"},
            },
        },
        "questions": {"response": question("bins", role="primary", where={"mean_of": "target"})},
        "inference": {"method": "voxel", "n_permutations": 100, "alpha": 0.2},
        "exclusions": {"min_participants_per_group": 2},
    }


# ------------------------------------------------------------------------------- by NumPy alone
def ols(Y: np.ndarray, X: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Give a contrast's effect, its variance under white noise, and the degrees of freedom."""
    inverse = np.linalg.pinv(X)
    df = len(Y) - np.linalg.matrix_rank(X)
    beta = inverse @ Y
    residual = Y - X @ beta
    row = np.pad(weights, (0, X.shape[1] - len(weights)))
    unit = float(row @ inverse @ inverse.T @ row)
    return row @ beta, unit * (residual**2).sum(axis=0) / df, int(df)


def spm_regressor(trial_type: str) -> np.ndarray:
    """Convolve the events of a condition as SPM does: 16 bins per volume, sampled in the 8th.

    SPM's events last a bin longer than they say.
    """
    bins, step = 16, T_R / 16
    time = np.arange(round(32 / step) + 1) * step
    response = scipy.stats.gamma.pdf(time, 6) - scipy.stats.gamma.pdf(time, 16) / 6
    response /= response.sum()
    return np.asarray(np.convolve(_stimulus(trial_type), response)[7 : N_VOLUMES * bins : bins])


def _stimulus(trial_type: str) -> np.ndarray:
    step = T_R / 16
    boxcar = np.zeros(16 * N_VOLUMES)
    own = EVENTS[EVENTS["trial_type"] == trial_type]
    for onset, duration in zip(own["onset"], own["duration"], strict=True):
        boxcar[round(onset / step) : round((onset + duration) / step) + 1] = 1.0
    return boxcar


def line() -> np.ndarray:
    return np.linspace(-1.0, 1.0, N_VOLUMES)[:, None]


def bin_columns() -> np.ndarray:
    """Give boxcars of 30 s from time zero on."""
    k = np.floor(minutes() / 0.5)
    return np.column_stack([(k == i).astype(float) for i in range(5)])
