"""The whole of a trial, or one of its levels."""

from dataclasses import dataclass
from pathlib import Path

from phmri.dataset import (
    AtlasStore,
    DatasetCheck,
    check_dataset,
    index_dataset,
    write_json,
)
from phmri.exceptions import DatasetError, DesignError, OutputError, Problem, ProtocolError
from phmri.inference import Claim
from phmri.pipeline._answer_trial import Answered, answer_trial
from phmri.pipeline._execute import execute, n_workers_that_fit
from phmri.pipeline._guard import refuse_foreign_output
from phmri.pipeline._job import RunJob, manifest_path, run_inputs, run_key
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._participant import run_job
from phmri.pipeline._plan import make_plan, memory_per_run_gb
from phmri.pipeline._provenance import StepLog, is_current
from phmri.pipeline._read_as import read_kept
from phmri.pipeline._trial import OnProgress, Tally, Trial
from phmri.pipeline._versions import dataset_description
from phmri.protocol import Protocol, protocol_sha256, read_protocol
from phmri.report import AssociationContent

__all__ = ["RunSummary", "run"]

LEVELS = ("participant", "group", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a call of `run` did.

    Parameters
    ----------
    claims : tuple of Claim
        In the order of the protocol; empty for the participant level.
    associations : tuple of AssociationContent
        Likewise.
    blockades : dict of str to str
        Question -> verdict on its blockade, of questions that ask for one.
    report_path : Path or None
    n_done, n_kept, n_excluded, n_failed : int
        Steps run now; steps kept from before; runs excluded by rule; runs broken and left out.
    problems : tuple of Problem
        Everything found wrong that the protocol's rules allowed to go on with, and all that was
        not answered, with the reason.
    """

    claims: tuple[Claim, ...]
    associations: tuple[AssociationContent, ...]
    blockades: dict[str, str]
    report_path: Path | None
    n_done: int
    n_kept: int
    n_excluded: int
    n_failed: int
    problems: tuple[Problem, ...]


def run(  # noqa: PLR0913 - the command line has as many options
    bids_dir: Path,
    out_dir: Path,
    level: str,
    protocol_path: Path,
    *,
    derivatives: tuple[Path, ...] = (),
    participants: tuple[str, ...] | None = None,
    n_workers: int = 1,
    memory_gb: float | None = None,
    atlas_dirs: tuple[Path, ...] = (),
    on_progress: OnProgress | None = None,
    command: str = "",
) -> RunSummary:
    """Analyse a trial as its protocol says.

    Parameters
    ----------
    bids_dir : Path
        Root of the BIDS data set.
    out_dir : Path
        Results; made when absent.
    level : {"participant", "group", "all"}
        First levels; group answers and report from finished first levels; both.
    protocol_path : Path
        ``trial.yaml``.
    derivatives : tuple of Path, optional
        Derivative folders; by default every folder in ``bids_dir/derivatives``.
    participants : tuple of str, optional
        Only these participants, without ``sub-``.
    n_workers : int, optional
        Processes. Results do not depend on it.
    memory_gb : float, optional
        Memory that may be used, in GiB: fewer workers run when more would not fit.
    atlas_dirs : tuple of Path, optional
        Folders with atlas files.
    on_progress : callable, optional
        Called as ``on_progress(stage, done, total)``.
    command : str, optional
        How the run was called, for the report.

    Returns
    -------
    RunSummary

    Raises
    ------
    ProtocolError
        If there is no such level, or the protocol cannot be used.

    Notes
    -----
    Raises also `DatasetError` when files are broken and the protocol says to stop then, and
    `DesignError` when a primary question cannot be answered.
    """
    if level not in LEVELS:
        raise ProtocolError(Problem(what="no such level", found=level, expected=", ".join(LEVELS)))
    if level != "participant" and participants is not None:
        raise ProtocolError(
            Problem(
                what="the group level answers for the whole trial",
                found=f"a choice of participants: {', '.join(participants)}",
                expected="no choice; the protocol's `exclusions.participants` leaves people out",
            )
        )
    trial = _open_trial(
        Path(bids_dir),
        Path(out_dir),
        Path(protocol_path),
        level=level,
        derivatives=derivatives,
        participants=participants,
        atlas_dirs=atlas_dirs,
        on_progress=on_progress or (lambda stage, done, total: None),
    )
    fitting = n_workers_that_fit(n_workers, memory_gb, memory_per_run_gb(trial.jobs))
    if level != "group":
        _measure_runs(trial, n_workers=fitting)
    answered = Answered()
    if level != "participant":
        answered = answer_trial(trial, n_threads=n_workers, command=command)
    tally = trial.tally
    told = {problem.field for problem in tally.problems}
    tally.problems += [problem for problem in answered.refused if problem.field not in told]
    return RunSummary(
        claims=answered.claims,
        associations=answered.associations,
        blockades=answered.blockades,
        report_path=answered.report_path,
        n_done=tally.done,
        n_kept=tally.kept,
        n_excluded=tally.excluded,
        n_failed=tally.failed,
        problems=tuple(tally.problems),
    )


def _open_trial(
    bids_dir: Path,
    out_dir: Path,
    protocol_path: Path,
    *,
    level: str,
    derivatives: tuple[Path, ...],
    participants: tuple[str, ...] | None,
    atlas_dirs: tuple[Path, ...],
    on_progress: OnProgress,
) -> Trial:
    protocol = read_protocol(protocol_path)
    sha256 = protocol_sha256(protocol)
    on_progress("Indexing", 0, 1)
    index = index_dataset(bids_dir, tuple(derivatives))
    check = check_dataset(protocol, index, participants)
    on_progress("Indexing", 1, 1)
    refuse_foreign_output(out_dir, index.root, index.derivatives)
    atlas = AtlasStore(tuple(atlas_dirs))
    stopping = check.problems if protocol.exclusions.broken_run == "stop" else ()
    try:
        plan = make_plan(
            protocol,
            index,
            check,
            protocol_dir=protocol_path.resolve().parent,
            protocol_sha256=sha256,
            out_dir=out_dir.resolve(),
            atlas=atlas,
            on_progress=on_progress,
        )
    except DatasetError as error:  # what is wrong with files and with designs is told at once
        raise DatasetError(*dict.fromkeys((*stopping, *error.problems))) from error
    refused = plan.refused if participants is None else ()  # who names some has to do with them
    told = dict.fromkeys((*refused, *plan.tolerated, *check.remarks))
    tally = Tally(failed=len(plan.broken), problems=[*told])
    _stop_if_broken(protocol, check.problems, tally)
    if level != "participant" and _primary_is_lost(plan.check):
        raise DesignError(*tally.problems)  # with what was left out, which may be why
    if participants is None and not plan.jobs:
        raise DesignError("there is no run to measure", *tally.problems)
    if refused:
        n_asked = len(plan.foreseen.questions) + len(plan.foreseen.associations)
        n_refused = len(refused) - len(plan.reliabilities)
        on_progress("Can be answered", n_asked - n_refused, n_asked)
    _make_directory(out_dir)
    write_json(
        out_dir / "dataset_description.json",
        dataset_description(protocol, sha256, index),
    )
    log = StepLog(out_dir / "logs" / "steps.jsonl")
    for key, reason in plan.broken.items() if level != "group" else ():
        log.write(_step_name(key), "failed", note=reason)
    return Trial(
        protocol=protocol,
        protocol_path=protocol_path,
        sha256=sha256,
        index=index,
        check=plan.check,
        jobs=list(plan.jobs),
        atlas=atlas,
        out_dir=out_dir.resolve(),
        log=log,
        on_progress=on_progress,
        tally=tally,
    )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            Problem(what=f"the folder cannot be made: {error.strerror}", file=str(path))
        ) from error


def _stop_if_broken(protocol: Protocol, problems: tuple[Problem, ...], tally: Tally) -> None:
    if problems and protocol.exclusions.broken_run == "stop":
        raise DatasetError(*problems)
    tally.problems.extend(problems)


def _primary_is_lost(check: DatasetCheck) -> bool:
    return any(item.role == "primary" and not item.answerable for item in check.questions)


def _measure_runs(trial: Trial, *, n_workers: int) -> None:
    todo = []
    for job in trial.jobs:
        manifest = _finished_manifest(job)
        if manifest is not None:
            trial.tally.kept += 1
            trial.tally.excluded += bool(manifest.excluded)
            trial.log.write(_step_name(run_key(job)), "kept")
        else:
            todo.append(job)
    total, n_finished = len(trial.jobs), len(trial.jobs) - len(todo)
    trial.on_progress("First levels", n_finished, total)
    failed: list[Problem] = []
    for index, outcome in execute(run_job, todo, n_workers=n_workers):
        n_finished += 1
        trial.on_progress("First levels", n_finished, total)
        note = outcome.reason or "; ".join(str(problem) for problem in outcome.problems)
        trial.log.write(
            _step_name(run_key(todo[index])), outcome.status, seconds=outcome.seconds, note=note
        )
        if outcome.status == "failed":
            failed += outcome.problems
            trial.tally.failed += 1
        else:
            trial.tally.done += 1
            trial.tally.excluded += outcome.status == "excluded"
    _stop_if_broken(trial.protocol, tuple(failed), trial.tally)


def _finished_manifest(job: RunJob) -> RunManifest | None:
    """Read what a run left, unless it has to be measured again."""
    path = manifest_path(job)
    manifest = read_kept(RunManifest, path)
    if manifest is None or manifest.broken:
        return None
    finished = is_current(
        job.key,
        run_inputs(job.run),
        finished_key=manifest.step_key,
        sources=manifest.sources,
        outputs=manifest.outputs,
        folder=path.parent,
    )
    return manifest if finished else None


def _step_name(run: tuple[str, str, str]) -> str:
    subject, session, scan = run
    return f"participant sub-{subject} ses-{session} {scan}"
