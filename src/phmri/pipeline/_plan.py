"""What has to run: the protocol and the checked data set as a list of jobs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from phmri.dataset import AtlasStore, Cell, DatasetCheck, DatasetIndex, find_tissues, without_runs
from phmri.exceptions import DatasetError, Problem
from phmri.pipeline._after_events import check_after_events
from phmri.pipeline._by_tissue import by_tissue
from phmri.pipeline._exposure import Exposures
from phmri.pipeline._foresee import foresee
from phmri.pipeline._job import RunJob, job_key, run_key
from phmri.pipeline._map_files import find_map_faults
from phmri.pipeline._places import Placer
from phmri.pipeline._populations import find_events
from phmri.pipeline._provenance import FileRecord
from phmri.protocol import Association, Measure, Protocol, Question, Reliability

__all__ = ["Plan", "make_plan", "memory_per_run_gb", "plan_jobs"]

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The runs to be measured, and what keeps them from it.

    Parameters
    ----------
    jobs : tuple of RunJob
        In the order of the check's cells; of use where there is no problem.
    problems : tuple of Problem
        At which a run stops: doses, weights, designs, regions, files, seeds.
    tolerated : tuple of Problem
        Of single runs, which the protocol leaves out.
    broken : dict of (str, str, str) to str
        Participant, session and scan of the runs that are left out -> why.
    check : DatasetCheck
        Without these runs: who can answer what.
    """

    jobs: tuple[RunJob, ...]
    problems: tuple[Problem, ...]
    tolerated: tuple[Problem, ...]
    broken: dict[tuple[str, str, str], str]
    check: DatasetCheck


def make_plan(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    *,
    protocol_dir: Path,
    protocol_sha256: str,
    out_dir: Path,
    atlas: AtlasStore,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Plan:
    """List the runs to be measured, with all that each needs, or say why that cannot be.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    protocol_dir : Path
        Files named in the protocol are relative to it.
    protocol_sha256 : str
    out_dir : Path
    atlas : AtlasStore
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    Plan
        Without problems at which a run stops.

    Raises
    ------
    DatasetError
        With all doses, weights, designs, regions, files and seeds that keep a measure from being
        computed; where the protocol leaves broken runs out, without what is wrong with single
        runs.
    """
    plan = plan_jobs(
        protocol,
        index,
        check,
        protocol_dir=protocol_dir,
        protocol_sha256=protocol_sha256,
        out_dir=out_dir,
        atlas=atlas,
        on_progress=on_progress,
    )
    if plan.problems:
        raise DatasetError(*plan.problems)
    return plan


def plan_jobs(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    *,
    protocol_dir: Path,
    protocol_sha256: str,
    out_dir: Path | None,
    atlas: AtlasStore,
    on_progress: OnProgress,
) -> Plan:
    """List the runs to be measured, and all that keeps measures from being computed.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    protocol_dir : Path
        Files named in the protocol are relative to it.
    protocol_sha256 : str
    out_dir : Path or None
        None where nothing is to be measured: then no run counts as measured already.
    atlas : AtlasStore
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    Plan
    """
    exposures = Exposures(protocol, index, check.cells)
    maps, lacking = _map_files(protocol, protocol_dir)
    placer = Placer(protocol=protocol, atlas=atlas, protocol_dir=protocol_dir)
    jobs = []
    for cell in check.cells:
        measures = _measures(protocol, cell, exposures.start_min(cell))
        measures = {k: item for k, item in measures.items() if maps.keys() >= {*item.map_files}}
        if cell.run is None or not measures:
            continue
        places = placer.places(measures, cell.run)
        curves = {item.used_exposure for item in measures.values()} - {None}
        denoisings = {name for item in measures.values() for name in item.denoisings}
        tissues = any(map(by_tissue, measures.values()))
        job = RunJob(
            run=replace(cell.run, tissues=find_tissues(cell.run, index.derivatives))
            if tissues
            else cell.run,
            scan_name=cell.scan,
            scan=protocol.scans[cell.scan],
            session=cell.session,
            measures=measures,
            denoising={name: protocol.denoising[name] for name in sorted(denoisings)},
            exclusions=protocol.exclusions,
            regions=places.regions,
            series=places.series,
            parcels=places.parcels,
            start_min=exposures.start_min(cell),
            told_start=exposures.told_start(cell),
            exposures=exposures.curves(cell, sorted(filter(None, curves))),
            maps={file: maps[file] for item in measures.values() for file in item.map_files},
            out_dir=out_dir or Path(),
            protocol_sha256=protocol_sha256,
            key="",
        )
        # Regions that only questions look into change no map: their coverage alone is measured.
        key = job_key(replace(job, regions=job.regions[: places.n_used]))
        jobs.append(replace(job, key=key))
    common = (*exposures.problems, *lacking, *placer.problems, *_of_events(protocol, index))
    common += find_map_faults(protocol, protocol_dir)
    asked: dict[str, Question | Association | Reliability] = {
        **{f"questions.{name}": item for name, item in protocol.questions.items()},
        **{f"associations.{name}": item for name, item in protocol.associations.items()},
        **{f"reliability.{name}": item for name, item in protocol.reliability.items()},
    }
    found = foresee(
        jobs,
        asked,
        resuming=out_dir is not None,
        on_progress=on_progress,
    )
    stops = protocol.exclusions.broken_run == "stop"
    stopping = (problem for problem in found.problems if problem.subject is None or stops)
    tolerated = (problem for problem in found.problems if not (problem.subject is None or stops))
    broken = {} if stops else found.broken
    return Plan(
        jobs=tuple(job for job in jobs if run_key(job) not in broken),
        problems=tuple(dict.fromkeys((*common, *stopping))),
        tolerated=tuple(tolerated),
        broken=broken,
        check=_counted(protocol, index, without_runs(protocol, index, check, broken)),
    )


def _counted(protocol: Protocol, index: DatasetIndex, check: DatasetCheck) -> DatasetCheck:
    """Count who can answer as answering does; tables of events that are wrong are told apart."""
    try:
        return check_after_events(protocol, index, check)
    except DatasetError:
        return check


def _measures(protocol: Protocol, cell: Cell, start_min: float | None) -> dict[str, Measure]:
    """Give the measures of a scan that can be taken in this session."""
    return {
        name: item
        for name, item in protocol.measures.items()
        if item.scan == cell.scan and not (item.needs_time_zero and start_min is None)
    }


def _map_files(
    protocol: Protocol, protocol_dir: Path
) -> tuple[dict[str, FileRecord], list[Problem]]:
    # Hash the images of networks and receptors; tell of those that are not there.
    names = {name: key for key, item in protocol.measures.items() for name in item.map_files}
    there = {name for name in names if (protocol_dir / name).is_file()}
    missing = [
        Problem(
            what="there is no such file", file=str(protocol_dir / name), field=f"measures.{key}"
        )
        for name, key in names.items()
        if name not in there
    ]
    return {name: FileRecord.of(protocol_dir / name) for name in sorted(there)}, missing


def memory_per_run_gb(jobs: Iterable[RunJob]) -> float:
    """Estimate what the largest run needs in memory.

    Parameters
    ----------
    jobs : iterable of RunJob

    Returns
    -------
    float
        GiB: every voxel of the grid as float32, half as much again, and the libraries.
    """
    largest = 0.0
    for job in jobs:
        if job.run.shape is not None and job.run.n_volumes is not None:
            largest = max(largest, float(np.prod(job.run.shape)) * job.run.n_volumes)
    return 0.4 + 1.5 * 4 * largest / 2**30


def _of_events(protocol: Protocol, index: DatasetIndex) -> tuple[Problem, ...]:
    """Find what is wrong with the tables of intercurrent events."""
    try:
        find_events(protocol, index)
    except DatasetError as error:
        return error.problems
    return ()
