"""A trial on disk: a BIDS root without raw images, and a derivative folder laid out as fMRIPrep's.

Every run draws from its own stream, ``SeedSequence(seed, spawn_key=(subject, session, task))``,
so that the bytes depend neither on the number of workers nor on what was there before.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from threadpoolctl import threadpool_limits

from phmri.dataset import sidecar_path, write_json, write_text
from phmri.simulation._confounds import ConfoundTable, make_confounds
from phmri.simulation._courses import Block, RunCourses, blocks_of, make_courses
from phmri.simulation._files import write_bold, write_columns, write_mask
from phmri.simulation._noise import noise_volumes
from phmri.simulation._scene import Scene

__all__ = ["DERIVATIVES", "OnRun", "TrialPlan", "coupling_of", "make_plan", "write_tree"]

OnRun = Callable[[int, int, str], None]
"""Called after each run with the number done, the number planned, and the run's name."""

DERIVATIVES = Path("derivatives") / "fmriprep"
_ACQ = "acq-simulated"
_FORMAT = 1
_REST = "rest"
_README = """\
SIMULATED DATA. No person was scanned.

Made by phmri.simulation to show and test phmri. There are no raw images: this root holds what goes
with them (participants, sessions, events, scan parameters); the preprocessed runs are in
derivatives/fmriprep, laid out and named as fMRIPrep would, but not made by fMRIPrep. Dates are
invented and lie before 1925, as BIDS asks of dates that are not true. What was planted stands in
truth.yaml.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """Who is scanned when, and where the effect is.

    Parameters
    ----------
    name : str
        Of the data set.
    seed : int
        Not negative.
    arms : dict of str to str
        Participant -> arm, in the order of the participants.
    sessions, tasks : tuple of str
        BIDS labels, in order.
    n_volumes : int
        Volumes per run.
    t_r : float
        Seconds.
    planted : tuple of (str, str, str)
        Arm, session and task whose runs carry the coupling.
    coupling_mean, coupling_sd : float
        Over participants; see `phmri.simulation._courses.make_courses`.
    """

    name: str
    seed: int
    arms: dict[str, str]
    sessions: tuple[str, ...]
    tasks: tuple[str, ...]
    n_volumes: int
    t_r: float
    planted: tuple[str, str, str]
    coupling_mean: float
    coupling_sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunPlan:
    subject: str
    session: str
    task: str
    key: tuple[int, int, int]

    @property
    def stem(self) -> str:
        return f"sub-{self.subject}_ses-{self.session}_task-{self.task}_{_ACQ}"

    @property
    def folder(self) -> Path:
        return Path(f"sub-{self.subject}") / f"ses-{self.session}" / "func"


def make_plan(
    name: str,
    *,
    subjects_per_arm: dict[str, int],
    sessions: tuple[str, ...],
    tasks: tuple[str, ...],
    n_volumes: int,
    t_r: float,
    seed: int,
) -> TrialPlan:
    """Randomise participants to arms and say where the effect is planted.

    Parameters
    ----------
    name : str
        Of the data set.
    subjects_per_arm : dict of str to int
        Arm to number of participants.
    sessions, tasks : tuple of str
        BIDS labels, in order.
    n_volumes : int
        Volumes per run.
    t_r : float
        Seconds.
    seed : int
        Not negative.

    Returns
    -------
    TrialPlan
        Arms by participant, and what is planted.
    """
    arms = np.repeat(list(subjects_per_arm), list(subjects_per_arm.values()))
    np.random.default_rng(np.random.SeedSequence(seed)).shuffle(arms)
    width = max(2, len(str(arms.size)))
    return TrialPlan(
        name=name,
        seed=seed,
        arms={f"{i:0{width}d}": str(arm) for i, arm in enumerate(arms, start=1)},
        sessions=sessions,
        tasks=tasks,
        n_volumes=n_volumes,
        t_r=t_r,
        planted=("ketamine", "infusion", "nback"),
        coupling_mean=1.8,
        coupling_sd=0.2,
    )


def coupling_of(plan: TrialPlan, subject: str) -> float:
    """Draw a participant's own strength of the coupling, used where it is planted.

    Parameters
    ----------
    plan : TrialPlan
        Who is scanned when.
    subject : str
        BIDS label.

    Returns
    -------
    float
        In units of the dorsomedial course's own standard deviation.
    """
    index = list(plan.arms).index(subject)
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(index,)))
    return float(rng.normal(plan.coupling_mean, plan.coupling_sd))


def write_tree(
    root: Path, scene: Scene, plan: TrialPlan, *, n_workers: int = 1, on_run: OnRun | None = None
) -> Path:
    """Write the trial; runs that are there already, made with the same settings, are kept.

    Parameters
    ----------
    root : Path
        The BIDS root.
    scene : Scene
        What the runs share.
    plan : TrialPlan
        Who is scanned when.
    n_workers : int
        Threads; each holds one run.
    on_run : callable, optional
        Progress.

    Returns
    -------
    Path
        The derivative folder.
    """
    _write_descriptions(root, plan)
    _write_people(root, plan)
    runs = [
        _RunPlan(subject=subject, session=session, task=task, key=(s, i, t))
        for (s, subject), (i, session), (t, task) in product(
            enumerate(plan.arms), enumerate(plan.sessions), enumerate(plan.tasks)
        )
    ]
    with threadpool_limits(limits=1), ThreadPoolExecutor(max(1, n_workers)) as pool:
        waiting = {pool.submit(_write_run, root, scene, plan, run): run for run in runs}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                if on_run is not None:
                    on_run(done, len(runs), waiting[future].stem)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return root / DERIVATIVES


def _write_descriptions(root: Path, plan: TrialPlan) -> None:
    write_json(
        root / "dataset_description.json",
        {
            "Name": f"SIMULATED: {plan.name}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Simulated": True,
            "GeneratedBy": [{"Name": "phmri.simulation", "Version": version("phmri")}],
        },
    )
    write_text(root / "README", _README)
    write_json(
        root / DERIVATIVES / "dataset_description.json",
        {
            "Name": f"SIMULATED fMRIPrep-like output of phmri: {plan.name}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0",
            "Simulated": True,
            "GeneratedBy": [
                {
                    "Name": "phmri.simulation",
                    "Version": version("phmri"),
                    "Description": "SIMULATED; laid out as fMRIPrep does, fMRIPrep was not run.",
                }
            ],
        },
    )
    for task in plan.tasks:
        write_json(
            root / f"task-{task}_{_ACQ}_bold.json",
            {"TaskName": task, "RepetitionTime": plan.t_r, "Simulated": True},
        )


def _write_people(root: Path, plan: TrialPlan) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(0, 0)))
    n = len(plan.arms)
    write_columns(
        root / "participants.tsv",
        {
            "participant_id": [f"sub-{subject}" for subject in plan.arms],
            "arm": list(plan.arms.values()),
            "sex": rng.choice(["F", "M"], size=n).tolist(),
            "age": rng.integers(18, 46, size=n).astype(str).tolist(),
        },
    )
    write_json(
        root / "participants.json",
        {
            "arm": {"Description": "Arm that the participant was randomised to (SIMULATED)"},
            "sex": {"Levels": {"F": "female", "M": "male"}},
            "age": {"Description": "Age", "Units": "year"},
        },
    )
    for index, subject in enumerate(plan.arms):
        days = [
            f"1900-{1 + index % 12:02d}-{1 + day:02d}T10:00:00"
            for day in range(len(plan.sessions))
        ]
        write_columns(
            root / f"sub-{subject}" / f"sub-{subject}_sessions.tsv",
            {
                "session_id": [f"ses-{session}" for session in plan.sessions],
                "acq_time": days,
            },
        )


def _write_run(root: Path, scene: Scene, plan: TrialPlan, run: _RunPlan) -> None:
    """Simulate and write one run; its sidecar comes last and says that the run is whole."""
    folder = root / DERIVATIVES / run.folder
    resolution = f"_res-{scene.anatomy.resolution}" if scene.anatomy.resolution else ""
    template = f"{run.stem}_space-{scene.anatomy.space}{resolution}"
    planted = plan.planted == (plan.arms[run.subject], run.session, run.task)
    coupling = coupling_of(plan, run.subject) if planted else 0.0
    sidecar: dict[str, object] = {
        "TaskName": run.task,
        "RepetitionTime": plan.t_r,
        "SkullStripped": True,
        "Simulated": True,
        "SimulationParameters": {
            "Format": _FORMAT,
            "Seed": plan.seed,
            "SpawnKey": list(run.key),
            "NumberOfVolumes": plan.n_volumes,
            "Coupling": coupling,
            "Shape": list(scene.anatomy.mask.shape),
        },
    }
    image = folder / f"{template}_desc-preproc_bold.nii.gz"
    if _is_written(image, sidecar):
        return
    sidecar_path(image).unlink(missing_ok=True)
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=run.key))
    blocks = () if run.task == _REST else blocks_of(plan.n_volumes, plan.t_r, rng)
    courses = make_courses(plan.n_volumes, plan.t_r, blocks, coupling=coupling, rng=rng)
    data = _simulate(scene, courses, rng)
    if blocks:
        _write_events(root / run.folder / f"{run.stem}_events.tsv", blocks)
    _write_confounds(folder / run.stem, make_confounds(scene, data, courses.motion, plan.t_r))
    write_mask(folder / f"{template}_desc-brain_mask.nii.gz", scene.anatomy)
    write_bold(image, scene.anatomy, data, plan.t_r)
    write_json(sidecar_path(image), sidecar)


def _is_written(image: Path, sidecar: dict[str, object]) -> bool:
    try:
        found = json.loads(sidecar_path(image).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == sidecar) and image.is_file()


def _simulate(
    scene: Scene, courses: RunCourses, rng: np.random.Generator
) -> Float32[np.ndarray, "n_volumes n_voxels"]:
    data: np.ndarray = courses.sources @ scene.maps
    data += scene.mean
    for t, noise in enumerate(noise_volumes(scene, data.shape[0], rng)):
        data[t] += noise
    np.maximum(data, np.float32(0.0), out=data)
    return data


def _write_events(path: Path, blocks: tuple[Block, ...]) -> None:
    write_columns(
        path,
        {
            "onset": np.array([block.onset for block in blocks]),
            "duration": np.array([block.duration for block in blocks]),
            "trial_type": [block.trial_type for block in blocks],
        },
    )


def _write_confounds(stem: Path, table: ConfoundTable) -> None:
    path = stem.with_name(f"{stem.name}_desc-confounds_timeseries.tsv")
    write_columns(path, table.columns)
    write_json(path.with_suffix(".json"), table.metadata)
