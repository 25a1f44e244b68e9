"""Group level of a trial: every question answered, families settled, the report written."""

import time
from dataclasses import dataclass
from pathlib import Path

from phmri.inference import Claim
from phmri.pipeline._analysis_table import write_analysis_table
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._associations import answer_association
from phmri.pipeline._families import (
    settle_answer,
    settle_association,
    settle_families,
    write_families,
)
from phmri.pipeline._group import answer_question
from phmri.pipeline._labels import label_regions
from phmri.pipeline._loading import gather_runs
from phmri.pipeline._places import place_group_regions
from phmri.pipeline._populations import find_events
from phmri.pipeline._ratings import gather_ratings
from phmri.pipeline._report import write_trial_report
from phmri.pipeline._trial import Trial
from phmri.report import AssociationContent, FamilyContent

__all__ = ["Answered", "answer_trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the group level of a trial left.

    Parameters
    ----------
    claims : tuple of Claim
        In the order of the protocol.
    associations : tuple of AssociationContent
        In the order of the protocol.
    report_path : Path or None
    """

    claims: tuple[Claim, ...] = ()
    associations: tuple[AssociationContent, ...] = ()
    report_path: Path | None = None


def answer_trial(trial: Trial, *, n_threads: int, command: str) -> Answered:
    """Answer the questions and associations of a trial, and write its report.

    Parameters
    ----------
    trial : Trial
    n_threads : int
    command : str
        How the run was called, for the report.

    Returns
    -------
    Answered
    """
    inputs = _group_inputs(trial, n_threads=n_threads)
    results = _answer_questions(trial, inputs)
    associations = _answer_associations(trial, inputs)
    families = settle_families(trial.protocol, results, associations)
    write_families(trial.protocol, families, trial.out_dir)
    results = [settle_answer(families, result) for result in results]
    associations = [settle_association(families, item) for item in associations]
    write_analysis_table(inputs, results)
    report_path = _report(
        trial, inputs, results, associations=associations, families=families, command=command
    )
    return Answered(
        claims=tuple(result.claim for result in results),
        associations=tuple(associations),
        report_path=report_path,
    )


def _group_inputs(trial: Trial, *, n_threads: int) -> GroupInputs:
    regions, grid = place_group_regions(
        trial.protocol,
        trial.jobs,
        atlas=trial.atlas,
        protocol_dir=trial.protocol_path.resolve().parent,
    )
    return GroupInputs(
        protocol=trial.protocol,
        index=trial.index,
        check=trial.check,
        runs=gather_runs(trial.jobs),
        ratings=gather_ratings(trial.protocol, trial.index, trial.check),
        happened=find_events(trial.protocol, trial.index),
        regions=regions,
        grid=grid,
        labels=label_regions(regions, grid, trial.atlas.labels(grid.space) if grid else None),
        out_dir=trial.out_dir,
        n_threads=n_threads,
    )


def _answer_questions(trial: Trial, inputs: GroupInputs) -> list[QuestionAnswer]:
    trial.tally.excluded = sum(bool(run.manifest.excluded) for run in inputs.runs.values())
    results = []
    for number, name in enumerate(trial.protocol.questions):
        trial.on_progress("Questions", number, len(trial.protocol.questions))
        started = time.perf_counter()
        result = answer_question(inputs, name, trial.on_progress)
        results.append(result)
        trial.tally.kept += result.kept
        trial.tally.done += not result.kept
        status = "kept" if result.kept else "done"
        trial.log.write(
            f"question {name}",
            status,
            seconds=time.perf_counter() - started,
            note=result.claim.sentence,
        )
    trial.on_progress("Questions", len(results), len(results))
    return results


def _answer_associations(trial: Trial, inputs: GroupInputs) -> list[AssociationContent]:
    found = []
    for name in trial.protocol.associations:
        started = time.perf_counter()
        found.append(answer_association(inputs, name, trial.on_progress))
        seconds = time.perf_counter() - started
        trial.log.write(f"association {name}", "done", seconds=seconds, note=found[-1].sentence)
    return found


def _report(
    trial: Trial,
    inputs: GroupInputs,
    results: list[QuestionAnswer],
    *,
    associations: list[AssociationContent],
    families: tuple[FamilyContent, ...],
    command: str,
) -> Path:
    trial.on_progress("Report", 0, 1)
    started = time.perf_counter()
    path = write_trial_report(
        protocol=trial.protocol,
        protocol_sha256=trial.sha256,
        index=trial.index,
        check=trial.check,
        regions=inputs.regions,
        grid=inputs.grid,
        runs=inputs.runs,
        results=results,
        associations=associations,
        families=families,
        out_dir=trial.out_dir,
        command=command,
    )
    trial.tally.done += 1
    trial.log.write("report", "done", seconds=time.perf_counter() - started)
    trial.on_progress("Report", 1, 1)
    return path
