"""From a protocol and a truth to a simulated trial on disk."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phmri.dataset import AtlasStore, write_json, write_text
from phmri.exceptions import PhmriError, Problem, ProtocolError, SimulationError
from phmri.protocol import Finding, Protocol, protocol_sha256, read_protocol, read_record
from phmri.simulation._anatomy import Anatomy, template_anatomy
from phmri.simulation._check_truth import check_against
from phmri.simulation._earlier import COPY_HEAD, folder_problems, is_same_file
from phmri.simulation._plan import TrialPlan, make_plan, sizes_in_words
from phmri.simulation._real_runs import find_real_runs
from phmri.simulation._scene import Scene, make_scene, place_effects
from phmri.simulation._table import Table, make_table
from phmri.simulation._tree import OnRun, derivative_folder, write_tree
from phmri.simulation._truth import Truth

__all__ = [
    "SimulatedTrial",
    "number_problems",
    "read_truth",
    "refuse_small_disk",
    "simulate",
    "simulate_trial",
]

_BYTES_PER_VALUE = {Scene: 1.15, Table: 9.0}  # of a compressed run, as measured; of digits
_SPARE = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTrial:
    """Where the parts of a simulated trial are.

    Parameters
    ----------
    bids_dir : Path
        The BIDS root.
    derivatives : Path
        The folder of preprocessed runs in it.
    protocol : Path
        The protocol that it was made for.
    truth : Path
        ``truth.yaml``: what was planted.
    """

    bids_dir: Path
    derivatives: Path
    protocol: Path
    truth: Path


def read_truth(path: Path, protocol: Protocol) -> Truth:
    """Read what is to be planted.

    Parameters
    ----------
    path : Path
        ``truth.yaml``.
    protocol : Protocol
        That it is planted in.

    Returns
    -------
    Truth
        Frozen, and fitting the protocol.

    Raises
    ------
    ProtocolError
        The file cannot be read, or names what the protocol does not have; all at once, by line.
    """  # noqa: DOC502 - raised by read_record
    return _read_truth(path, check_against(protocol))


def _read_truth(path: Path, check: Callable[[dict[str, Any]], Iterable[Finding]]) -> Truth:
    return read_record(path, Truth, check, name="truth file", usual="truth.yaml")


def number_problems(seed: int, n_workers: int) -> list[Problem]:
    """Say which numbers cannot be used.

    Parameters
    ----------
    seed : int
        Not negative.
    n_workers : int
        At least 1.

    Returns
    -------
    list of Problem
        Empty when all can.
    """
    return [
        Problem(what="not a number that can be used", field=name, found=str(value), expected=text)
        for name, value, low, text in (
            ("seed", seed, 0, "0 or more"),
            ("n_workers", n_workers, 1, "1 or more"),
        )
        if value < low
    ]


def simulate(
    protocol_path: Path,
    directory: Path,
    *,
    truth_path: Path,
    seed: int = 0,
    n_workers: int = 1,
    atlas_dirs: tuple[Path, ...] = (),
    on_run: OnRun | None = None,
) -> SimulatedTrial:
    """Write a SIMULATED trial with a known truth.

    The same seed gives the same bytes whatever the number of workers; runs that are there
    already, made with the same settings, are kept.

    Parameters
    ----------
    protocol_path : Path
        ``trial.yaml``.
    directory : Path
        Made when absent; holds ``bids/``, ``truth.yaml`` and ``drawn.json`` afterwards.
    truth_path : Path
        What is planted.
    seed : int
        Not negative.
    n_workers : int
        Threads; each holds one run.
    atlas_dirs : tuple of Path
        Folders with atlas files, for regions of an atlas.
    on_run : callable, optional
        Called after each run with the number done, the number planned, and the run's name.

    Returns
    -------
    SimulatedTrial
        Where its parts are.

    Raises
    ------
    ProtocolError
        Protocol or truth cannot be used; every mistake of both by its line.
    SimulationError
        As well, or instead: a number is out of its range, a curve is nothing in its runs, runs
        whose noise is asked for do not fit, regions lie outside the brain, the folder is a file or
        holds other data or another truth, or the disk is too small. Nothing is written then.

    Notes
    -----
    One run is :math:`Y = m + S A + E`: the mean image :math:`m`; time courses :math:`S` of
    networks, regions, task, drug, global signal, drift, motion, rhythms and the first volume's
    saturation; their maps :math:`A`; noise :math:`E`, smooth in space and first-order
    autoregressive in time. A coupling replaces the target's course :math:`s_t` by
    :math:`s_t + g_i s_s`, with the seed's own course :math:`s_s` and a gain :math:`g_i` of
    participant *i*; a response adds :math:`p_i c(t)` percent of the mean in its region, with a
    curve *c* of height 1.
    """  # noqa: DOC502 - raised below
    problems = number_problems(seed, n_workers) + folder_problems(directory, truth_path)
    protocol, truth = _read_both(protocol_path, truth_path, problems)
    try:
        plan = make_plan(protocol, truth, seed)
    except SimulationError as error:
        raise SimulationError(*_in_file(truth_path, error)) from None
    return simulate_trial(
        protocol_path,
        truth_path,
        directory,
        plan,
        atlas=AtlasStore(local_dirs=atlas_dirs),
        n_workers=n_workers,
        on_run=on_run,
    )


def _read_both(
    protocol_path: Path, truth_path: Path, others: list[Problem]
) -> tuple[Protocol, Truth]:
    """Read protocol and truth; what is wrong with either is told together with the others.

    Raises
    ------
    ProtocolError
        Nothing but protocol or truth cannot be used.
    SimulationError
        There are others.
    """
    protocol, truth = None, None
    problems: list[Problem] = []
    try:
        protocol = read_protocol(protocol_path)
    except ProtocolError as error:
        problems.extend(error.problems)
    try:
        # Without a protocol, a truth still shows what is wrong in itself.
        truth = _read_truth(truth_path, check_against(protocol) if protocol else lambda _: ())
    except ProtocolError as error:
        problems.extend(error.problems)
    if others:
        raise SimulationError(*problems, *others)
    if protocol is None or truth is None:
        raise ProtocolError(*problems)
    return protocol, truth


def simulate_trial(
    protocol_path: Path,
    truth_path: Path,
    directory: Path,
    plan: TrialPlan,
    anatomy: Anatomy | None = None,
    *,
    atlas: AtlasStore | None = None,
    n_workers: int = 1,
    on_run: OnRun | None = None,
) -> SimulatedTrial:
    """Write a planned trial.

    Parameters
    ----------
    protocol_path, truth_path : Path
        That the plan was made of.
    directory : Path
        Made when absent.
    plan : TrialPlan
        Who is scanned when, and what runs carry.
    anatomy : Anatomy, optional
        The brain and its grid; that of the template when left out. Tables have none.
    atlas : AtlasStore or None
        Needed by regions of an atlas.
    n_workers : int
        Threads; each holds one run.
    on_run : callable, optional
        Progress.

    Returns
    -------
    SimulatedTrial
        Where its parts are.

    Raises
    ------
    SimulationError
        Runs whose noise is asked for do not fit, regions lie outside the brain, the folder holds
        other data or another truth, or the disk is too small. Nothing is written then.
    """
    bids_dir = directory / "bids"
    problems = folder_problems(directory, truth_path)
    if problems:
        raise SimulationError(*problems)
    scene: Scene | Table
    if plan.truth.tables is not None:
        scene = make_table(plan.protocol, plan.truth, plan.truth.tables)
    else:
        anatomy = anatomy or template_anatomy(plan.truth.voxel_mm, plan.protocol.space)
        scene = _lay_out(protocol_path, truth_path, plan, anatomy, atlas)
    refuse_small_disk(directory, plan, type(scene), scene.mean.size)
    truth = directory / "truth.yaml"
    if not is_same_file(truth, truth_path):
        write_text(truth, COPY_HEAD + truth_path.read_text(encoding="utf-8"))
    write_json(
        directory / "drawn.json",
        {
            "Simulated": True,
            "Seed": plan.seed,
            "ProtocolSHA256": protocol_sha256(plan.protocol),
            "SizeOfEffects": sizes_in_words(plan),
        },
    )
    derivatives = write_tree(bids_dir, scene, plan, n_workers=n_workers, on_run=on_run)
    return SimulatedTrial(
        bids_dir=bids_dir,
        derivatives=derivatives,
        protocol=protocol_path,
        truth=truth,
    )


def _lay_out(
    protocol_path: Path,
    truth_path: Path,
    plan: TrialPlan,
    anatomy: Anatomy,
    atlas: AtlasStore | None,
) -> Scene:
    """Place regions and find the runs whose noise is asked for.

    Raises
    ------
    SimulationError
        Either cannot be done; both are told at once.
    """
    problems: list[Problem] = []
    try:
        shapes = place_effects(
            anatomy, plan.protocol, plan.truth, protocol_path=protocol_path, atlas=atlas
        )
    except SimulationError as error:
        problems.extend(error.problems)
    try:
        real_runs = find_real_runs(plan.truth, anatomy, truth_path.parent)
    except SimulationError as error:
        problems.extend(_in_file(truth_path, error))
    if problems:
        raise SimulationError(*problems)
    return make_scene(anatomy, plan.truth, shapes, real_runs=real_runs)


def _in_file(path: Path, error: PhmriError) -> list[Problem]:
    """Name the file of problems that have none."""
    return [replace(problem, file=problem.file or str(path)) for problem in error.problems]


def refuse_small_disk(
    directory: Path, plan: TrialPlan, kind: type[Scene] | type[Table], n_columns: int
) -> None:
    """Refuse a trial for which there is no room.

    Parameters
    ----------
    directory : Path
        Where it goes.
    plan : TrialPlan
        Its runs.
    kind : type
        Of their scene.
    n_columns : int
        Voxels or columns of a run.

    Raises
    ------
    SimulationError
        The disk is too small.
    """
    values = sum(run.n_volumes for run in plan.runs) * n_columns
    there = directory / "bids" / derivative_folder(kind)
    done = sum(path.stat().st_size for path in there.rglob("*") if path.is_file())
    needed = _SPARE * _BYTES_PER_VALUE[kind] * values - done
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise SimulationError(
            Problem(
                what="the disk is too small for this trial",
                file=str(directory),
                found=f"{free / 2**30:.1f} GiB free",
                expected=f"about {needed / 2**30:.1f} GiB for {len(plan.runs)} runs; a larger "
                "voxel_mm, fewer participants or volumes need less",
            )
        )
