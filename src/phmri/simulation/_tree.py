"""A trial on disk: a BIDS root without raw images, and a derivative folder.

Images are laid out as fMRIPrep's, tables as XCP-D's.

Every run draws from its own stream, ``SeedSequence(seed, spawn_key=(subject, session, scan))``,
so that the bytes depend neither on the number of workers nor on what was there before.
"""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from phmri.dataset import sidecar_path, write_json, write_text
from phmri.simulation._confounds import ConfoundTable, make_confounds, motion_confounds
from phmri.simulation._courses import Block, RunCourses, blocks_of, make_courses
from phmri.simulation._files import write_bold, write_columns, write_mask
from phmri.simulation._noise import noise_volumes
from phmri.simulation._people import write_people
from phmri.simulation._plan import PlannedRun, TrialPlan
from phmri.simulation._real_runs import LABEL, RealRun, real_noise
from phmri.simulation._scene import Scene
from phmri.simulation._table import Table, table_noise
from phmri.simulation._truth import Coupling, Movement, Physiology
from phmri.threads import one_blas_thread

__all__ = ["OnRun", "derivative_folder", "write_tree"]

OnRun = Callable[[int, int, str], None]
"""Called after each run with the number done, the number planned, and the run's name."""

_LAID_OUT_AS = {Scene: "fMRIPrep", Table: "XCP-D"}
_FOLDERS = {"fMRIPrep": "fmriprep", "XCP-D": "xcp_d"}
_FORMAT = 2
_REAL_NOISE, _DROPOUT = 8, 9  # of the spawn key: streams of their own
_OWN_MAP_MM = 12.0  # standard deviation of the kernel that makes a person's own map smooth
_README = """\
SIMULATED DATA. No person was scanned.

Made by phmri.simulation to show and test phmri. There are no raw images: this root holds what goes
with them (participants, sessions, events, scan parameters); the preprocessed runs are in
derivatives/{folder}, laid out and named as {tool} would, but not made by {tool}. Dates are
invented and lie before 1925, as BIDS asks of dates that are not true. What was planted stands in
truth.yaml.
"""


def derivative_folder(kind: type[Scene] | type[Table]) -> Path:
    """Say where the runs are.

    Parameters
    ----------
    kind : type
        Of what they share.

    Returns
    -------
    Path
        Relative to the BIDS root.
    """
    return Path("derivatives") / _FOLDERS[_LAID_OUT_AS[kind]]


def write_tree(
    root: Path,
    scene: Scene | Table,
    plan: TrialPlan,
    *,
    n_workers: int = 1,
    on_run: OnRun | None = None,
) -> Path:
    """Write the trial; runs that are there already, made with the same settings, are kept.

    Files of an earlier simulation that this one does not write are removed.

    Parameters
    ----------
    root : Path
        The BIDS root.
    scene : Scene or Table
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
    _remove_stale(root, scene, plan)
    _write_descriptions(root, scene, plan)
    write_people(root, plan)
    with one_blas_thread(), ThreadPoolExecutor(max(1, n_workers)) as pool:
        waiting = {pool.submit(_write_run, root, scene, plan, run): run for run in plan.runs}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                if on_run is not None:
                    on_run(done, len(plan.runs), waiting[future].stem)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return root / derivative_folder(type(scene))


def _remove_stale(root: Path, scene: Scene | Table, plan: TrialPlan) -> None:
    """Remove runs, people and scales of an earlier simulation that are not planned any more."""
    end = _ending(scene)
    place = end.partition("_desc-")[0].partition("_stat-")[0]
    kept = tuple(
        f"{run.stem}_{part}"
        for run in plan.runs
        for part in (place, "events.", "desc-confounds_timeseries.")
    )
    people = {f"sub-{person.label}" for person in plan.people}
    scales = {plan.protocol.scales[name].file or name for name in plan.truth.scales}
    ours = derivative_folder(type(scene))
    for base in (Path(), *(Path("derivatives") / name for name in _FOLDERS.values())):
        foreign = base not in {Path(), ours}
        for path in [*(root / base).glob(f"sub-*/ses-*/func/*_{LABEL}*")]:
            if foreign or not path.name.startswith(kept):
                path.unlink()
        for folder in [*(root / base).glob("sub-*")]:
            if folder.name not in people:
                (folder / f"{folder.name}_sessions.tsv").unlink(missing_ok=True)
            for inside in sorted((folder, *folder.rglob("*")), reverse=True):
                if inside.is_dir() and not any(inside.iterdir()):
                    inside.rmdir()
    for path in [*(root / "phenotype").glob("*")]:
        if path.stem not in scales:
            path.unlink()


def _write_descriptions(root: Path, scene: Scene | Table, plan: TrialPlan) -> None:
    tool, folder = _LAID_OUT_AS[type(scene)], root / derivative_folder(type(scene))
    write_json(
        root / "dataset_description.json",
        {
            "Name": f"SIMULATED: {plan.protocol.name}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["phmri.simulation (SIMULATED data)"],
            "Simulated": True,
            "GeneratedBy": [{"Name": "phmri.simulation", "Version": version("phmri")}],
        },
    )
    write_text(root / "README", _README.format(folder=folder.name, tool=tool))
    # As these tools do: BIDS has no name for such tables yet.
    write_text(folder / ".bidsignore", "*_timeseries.*\n")
    write_json(
        folder / "dataset_description.json",
        {
            "Name": f"SIMULATED {tool}-like output of phmri: {plan.protocol.name}",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0",
            "Simulated": True,
            "GeneratedBy": [
                {
                    "Name": "phmri.simulation",
                    "Version": version("phmri"),
                    "Description": f"SIMULATED; laid out as {tool} does, {tool} was not run.",
                }
            ],
        },
    )


def _write_run(root: Path, scene: Scene | Table, plan: TrialPlan, run: PlannedRun) -> None:
    """Simulate and write one run; its sidecar comes last and says that the run is whole."""
    stem = root / derivative_folder(type(scene)) / run.folder / run.stem
    path = stem.with_name(f"{stem.name}_{_ending(scene)}")
    sidecar = _sidecar(scene, plan, run)
    if _is_written(path, sidecar):
        return
    sidecar_path(path).unlink(missing_ok=True)
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=run.key))
    blocks = blocks_of(plan.truth.scans[run.scan], rng)
    courses = make_courses(run, plan.truth, blocks, plan.seed, rng)
    data = _signals(scene, courses, _maps_of_effects(scene, plan, run))
    if blocks:
        _write_events(root / run.folder / f"{run.stem}_events.tsv", blocks)
    if isinstance(scene, Table):
        data += table_noise(scene, run.n_volumes, rng)
        write_columns(path, dict(zip(scene.names, data.astype(np.float64).T, strict=True)))
        confounds = motion_confounds(courses.motion)
    else:
        for region, loss in _dropout(plan, run).items():
            data *= 1 - np.float32(loss) * scene.shapes[region]
        _add_noise(data, scene, plan, run, rng)
        confounds = make_confounds(scene, data, courses.motion, run.t_r)
        mask = path.name.replace("_desc-preproc_bold.", "_desc-brain_mask.")
        write_mask(path.with_name(mask), scene.anatomy)
        write_bold(path, scene.anatomy, data, run.t_r)
    _write_confounds(stem, confounds)
    write_json(sidecar_path(path), sidecar)


def _ending(scene: Scene | Table) -> str:
    """Give what a run's file has beyond its stem."""
    if isinstance(scene, Table):
        return f"seg-{scene.seg}_stat-mean_timeseries.tsv"
    resolution = f"_res-{scene.anatomy.resolution}" if scene.anatomy.resolution else ""
    return f"space-{scene.anatomy.space}{resolution}_desc-preproc_bold.nii.gz"


def _sidecar(scene: Scene | Table, plan: TrialPlan, run: PlannedRun) -> dict[str, object]:
    made: dict[str, object] = {
        "Format": _FORMAT,
        "Seed": plan.seed,
        "SpawnKey": list(run.key),
        "NumberOfVolumes": run.n_volumes,
        "Nods": run.nods,
        "Effects": {effect.name: effect.size for effect in run.effects},
        "Truth": plan.truth.model_dump(
            mode="json", exclude={"expected", "notes", "scales", "scenario"}
        ),
        "PlacesAndCurvesSHA256": _digest(scene, run),
    }
    common = {"TaskName": run.task, "RepetitionTime": run.t_r, "Simulated": True}
    if isinstance(scene, Table):
        return common | {"SimulationParameters": made | {"Columns": list(scene.names)}}
    source = _real_run(scene, run)
    made |= {
        "Dropout": _dropout(plan, run),
        "NoiseOf": None if source is None else {"File": source.path.name, "SHA256": source.sha256},
        "Shape": list(scene.anatomy.mask.shape),
    }
    return common | {
        "SkullStripped": True,
        "Resolution": f"voxels of {scene.anatomy.resolution} mm",
        "SimulationParameters": made,
    }


def _digest(scene: Scene | Table, run: PlannedRun) -> str:
    """Hash what the protocol says of a run: where regions lie, and when doses act."""
    found = hashlib.sha256()
    curves = {effect.name: effect.curve for effect in run.effects if effect.curve is not None}
    for name, values in (*sorted(scene.shapes.items()), *sorted(curves.items())):
        found.update(name.encode())
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def _maps_of_effects(
    scene: Scene | Table, plan: TrialPlan, run: PlannedRun
) -> dict[str, np.ndarray]:
    """Give the maps of effects in percent of the mean, and of what is a person's own of them."""
    found = {}
    for place, name in enumerate(plan.truth.effects):
        effect = plan.truth.effects[name]
        if name not in {planned.name for planned in run.effects}:
            continue
        if isinstance(effect, Movement):
            continue
        if isinstance(effect, Physiology):
            if isinstance(scene, Scene):
                found[f"effect {name}"] = scene.mean / 100.0 * scene.physiology[effect.place]
            continue
        if isinstance(effect, Coupling):
            unit = np.full_like(scene.mean, np.abs(scene.maps[f"region {effect.target}"]).max())
        else:
            unit = scene.mean / 100.0
            found[f"effect {name}"] = unit * scene.shapes[effect.region]
        if effect.own_map:
            key = (run.person.index, place, 1, 0)
            rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=key))
            found[f"own {name}"] = unit * _own_map(scene, rng)
    return found


def _own_map(scene: Scene | Table, rng: np.random.Generator) -> Float32[np.ndarray, " n_voxels"]:
    """Draw a map of unit standard deviation: smooth in grey matter, or column by column."""
    if isinstance(scene, Table):
        return rng.standard_normal(len(scene.names), dtype=np.float32)
    anatomy = scene.anatomy
    steps = np.sqrt((anatomy.affine[:3, :3] ** 2).sum(axis=0))
    white = rng.standard_normal(anatomy.mask.shape, dtype=np.float32)
    field = ndimage.gaussian_filter(white, _OWN_MAP_MM / steps, mode="wrap", truncate=3.0)
    values = field.ravel(order="F")[anatomy.mask.ravel(order="F")]
    return np.asarray(values / values.std() * anatomy.grey, dtype=np.float32)


def _is_written(path: Path, sidecar: dict[str, object]) -> bool:
    try:
        found = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == sidecar) and path.is_file()


def _dropout(plan: TrialPlan, run: PlannedRun) -> dict[str, float]:
    """Draw which regions lose how much of their signal in a run."""
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(*run.key, _DROPOUT)))
    regions = plan.truth.background.dropout.items()
    return {name: region.loss for name, region in regions if rng.random() < region.runs}


def _real_run(scene: Scene, run: PlannedRun) -> RealRun | None:
    """Give the run that noise is taken from; people take turns among them."""
    runs = scene.real_runs
    return runs[run.person.index % len(runs)] if runs else None


def _signals(
    scene: Scene | Table, courses: RunCourses, maps_of_effects: dict[str, np.ndarray]
) -> Float32[np.ndarray, "n_volumes n_voxels"]:
    maps = scene.maps | maps_of_effects
    # Cleaning has taken what has no map in a table out of it.
    names = [name for name in courses.sources if name in maps or isinstance(scene, Scene)]
    sources = np.stack([courses.sources[name] for name in names], axis=1).astype(np.float32)
    data: np.ndarray = sources @ np.stack([maps[name] for name in names])
    data += scene.mean
    return data


def _add_noise(
    data: Float32[np.ndarray, "n_volumes n_voxels"],
    scene: Scene,
    plan: TrialPlan,
    run: PlannedRun,
    rng: np.random.Generator,
) -> None:
    wanted, source = plan.truth.background.from_runs, _real_run(scene, run)
    if wanted is None or source is None:
        for t, noise in enumerate(noise_volumes(scene, data.shape[0], rng)):
            data[t] += noise
    else:
        key = (*run.key, _REAL_NOISE)
        rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=key))
        share = real_noise(
            source, run.n_volumes, rng, method=wanted.method, block_s=wanted.block_s
        )
        share *= scene.mean
        data += share
    np.maximum(data, np.float32(0.0), out=data)


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
