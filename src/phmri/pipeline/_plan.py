"""What has to run: the protocol and the checked data set as a list of jobs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from phmri.dataset import AtlasStore, Cell, DatasetCheck, DatasetIndex, find_tissues, without_runs
from phmri.exceptions import DatasetError, Problem
from phmri.pipeline._answerable import foresee_answers, foresee_reliabilities, refusals
from phmri.pipeline._at_hand import Happened, outcome_names, suppose_measured
from phmri.pipeline._by_tissue import by_tissue
from phmri.pipeline._design import describe_at_hand
from phmri.pipeline._design_summary import DesignSummary
from phmri.pipeline._exposure import Exposures
from phmri.pipeline._foresee import foresee
from phmri.pipeline._job import RunJob, job_key, run_key
from phmri.pipeline._map_files import find_map_faults
from phmri.pipeline._places import Placer
from phmri.pipeline._populations import find_events
from phmri.pipeline._provenance import FileRecord
from phmri.pipeline._ratings import scale_file
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
        Of single runs, which the protocol leaves out; tables of scales that are not there.
    broken : dict of (str, str, str) to str
        Participant, session and scan of the runs that are left out -> why.
    check : DatasetCheck
        Without these runs: who has what is needed to answer what.
    foreseen : DatasetCheck
        The same, with all refusals that are known before anything is measured.
    designs : tuple of DesignSummary
        What every question shuffles, tests and can show with these data.
    reliabilities : dict of str to str
        Reliabilities that are known to be refused -> why.
    """

    jobs: tuple[RunJob, ...]
    problems: tuple[Problem, ...]
    tolerated: tuple[Problem, ...]
    broken: dict[tuple[str, str, str], str]
    check: DatasetCheck
    foreseen: DatasetCheck
    designs: tuple[DesignSummary, ...]
    reliabilities: dict[str, str]

    @property
    def refused(self) -> tuple[Problem, ...]:  # numpydoc ignore=RT01
        """Questions, associations and reliabilities that will not be answered, and why."""
        lost = [Problem(what=v, field=f"reliability.{k}") for k, v in self.reliabilities.items()]
        return (*refusals(self.foreseen), *lost)


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
    happened, of_events = _events(protocol, index)
    common = (*exposures.problems, *lacking, *placer.problems, *of_events)
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
    kept = without_runs(protocol, index, check, broken)
    at_hand = suppose_measured(protocol, index, kept, happened, outcome_names(jobs))
    designs = describe_at_hand(at_hand)
    foreseen = foresee_answers(at_hand, designs)
    return Plan(
        jobs=tuple(job for job in jobs if run_key(job) not in broken),
        problems=tuple(dict.fromkeys((*common, *stopping))),
        tolerated=(*tolerated, *_absent_scales(protocol, index, kept)),
        broken=broken,
        check=_in_words_of(foreseen, at_hand.counted),
        foreseen=foreseen,
        designs=designs,
        reliabilities=foresee_reliabilities(at_hand),
    )


def _in_words_of(foreseen: DatasetCheck, counted: DatasetCheck) -> DatasetCheck:
    """Refuse what too few have data for in the words of the refusal."""
    reasons = {item.question: item.reason for item in foreseen.questions}
    questions = (
        item if item.answerable else replace(item, reason=reasons[item.question])
        for item in counted.questions
    )
    return replace(counted, questions=tuple(questions))


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


def _absent_scales(protocol: Protocol, index: DatasetIndex, check: DatasetCheck) -> list[Problem]:
    """Tell of tables of scales that are not there (yet), and what is to stand in them."""
    problems = []
    for name in dict.fromkeys(cell.scan for cell in check.ratings):
        path, scale = scale_file(protocol, index, name), protocol.scales[name]
        items = dict.fromkeys((*scale.columns, *chain.from_iterable(scale.subscales.values())))
        if not path.is_file():
            problems.append(
                Problem(
                    what="there is no such table, and no score of the scale",
                    file=str(path),
                    field=f"scales.{name}",
                    expected=f"columns participant_id, session_id, {', '.join(items)}",
                )
            )
    return problems


def _events(protocol: Protocol, index: DatasetIndex) -> tuple[Happened, tuple[Problem, ...]]:
    """Look up intercurrent events; where their tables are wrong, say so and take none for had."""
    try:
        return find_events(protocol, index), ()
    except DatasetError as error:
        return dict.fromkeys(protocol.intercurrent_events, frozenset()), error.problems
