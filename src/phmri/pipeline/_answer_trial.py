"""Group level of a trial: every question answered, families settled, the report written."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from phmri.exceptions import Problem
from phmri.inference import Claim
from phmri.pipeline._analysis_table import write_analysis_table
from phmri.pipeline._answer_record import store_settled
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs, question_folder
from phmri.pipeline._associations import answer_association, store_association
from phmri.pipeline._families import (
    settle_answer,
    settle_association,
    settle_families,
    write_families,
)
from phmri.pipeline._group import answer_question
from phmri.pipeline._labels import label_regions
from phmri.pipeline._loading import gather_runs
from phmri.pipeline._map_associations import associate_question
from phmri.pipeline._places import place_group_regions
from phmri.pipeline._populations import find_events
from phmri.pipeline._ratings import gather_ratings
from phmri.pipeline._reliability import estimate_reliability
from phmri.pipeline._report import write_trial_report
from phmri.pipeline._trial import Trial
from phmri.report import (
    AssociationContent,
    FamilyContent,
    MapAssociationContent,
    ReliabilityContent,
)

__all__ = ["Answered", "answer_trial"]


class _Settled(Protocol):
    """What an answer of any kind says of itself."""

    @property
    def verdict(self) -> str: ...
    @property
    def sentence(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the group level of a trial left.

    Parameters
    ----------
    claims : tuple of Claim
        In the order of the protocol.
    associations : tuple of AssociationContent
        In the order of the protocol.
    blockades : dict of str to str
        Question -> verdict on its blockade, of questions that ask for one.
    report_path : Path or None
    refused : tuple of Problem
        All that was not answered, by its place in the protocol, and why.
    """

    claims: tuple[Claim, ...] = ()
    associations: tuple[AssociationContent, ...] = ()
    blockades: dict[str, str] = field(default_factory=dict)
    report_path: Path | None = None
    refused: tuple[Problem, ...] = ()


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
    reliabilities = _estimate_reliabilities(trial, inputs)
    with_maps = _associate_with_maps(trial, inputs, results)
    families = settle_families(trial.protocol, results, associations)
    write_families(trial.protocol, families, trial.out_dir)
    results = [settle_answer(families, result) for result in results]
    for result in results:
        store_settled(question_folder(inputs, result.claim.question), result.claim)
    associations = [settle_association(families, item) for item in associations]
    for item in associations:
        store_association(inputs, item)
    write_analysis_table(inputs, results)
    report_path = _report(
        trial,
        inputs,
        results,
        associations=associations,
        reliabilities=reliabilities,
        map_associations=with_maps,
        families=families,
        command=command,
    )
    return Answered(
        claims=tuple(result.claim for result in results),
        associations=tuple(associations),
        blockades={
            result.claim.question: result.content.beside.blockade.verdict
            for result in results
            if result.content.beside.blockade is not None
        },
        report_path=report_path,
        refused=_refused(results, associations, reliabilities, with_maps),
    )


def _refused(
    results: list[QuestionAnswer],
    associations: list[AssociationContent],
    reliabilities: list[ReliabilityContent],
    with_maps: list[MapAssociationContent],
) -> tuple[Problem, ...]:
    """List what was not answered, each with the reason that its sentence gives."""
    told: list[tuple[str, _Settled]] = [
        (f"questions.{one.claim.question}", one.claim) for one in results
    ]
    told += [(f"associations.{one.name}", one) for one in associations]
    told += [(f"reliability.{one.result.name}", one.result) for one in reliabilities]
    told += [(f"map_associations.{one.result.name}", one.result) for one in with_maps]
    return tuple(
        Problem(what=_reason(item.sentence), field=field)
        for field, item in told
        if item.verdict == "refused"
    )


def _reason(sentence: str) -> str:
    """Take the reason out of a sentence such as ``This was not answered: REASON``."""
    return sentence.partition(" was not ")[2].partition(": ")[2].rstrip(".")


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


def _estimate_reliabilities(trial: Trial, inputs: GroupInputs) -> list[ReliabilityContent]:
    found = []
    for name in trial.protocol.reliability:
        started = time.perf_counter()
        found.append(estimate_reliability(inputs, name, trial.on_progress))
        seconds = time.perf_counter() - started
        note = found[-1].result.sentence
        trial.log.write(f"reliability {name}", "done", seconds=seconds, note=note)
    return found


def _associate_with_maps(
    trial: Trial, inputs: GroupInputs, results: list[QuestionAnswer]
) -> list[MapAssociationContent]:
    answers = {result.claim.question: result for result in results}
    protocol_dir = trial.protocol_path.resolve().parent
    found = []
    for name in trial.protocol.map_associations:
        started = time.perf_counter()
        found.append(associate_question(inputs, name, answers, protocol_dir))
        seconds = time.perf_counter() - started
        note = found[-1].result.sentence
        trial.log.write(f"map association {name}", "done", seconds=seconds, note=note)
    return found


def _report(
    trial: Trial,
    inputs: GroupInputs,
    results: list[QuestionAnswer],
    *,
    associations: list[AssociationContent],
    reliabilities: list[ReliabilityContent],
    map_associations: list[MapAssociationContent],
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
        reliabilities=reliabilities,
        map_associations=map_associations,
        families=families,
        happened=inputs.happened,
        out_dir=trial.out_dir,
        command=command,
    )
    trial.tally.done += 1
    trial.log.write("report", "done", seconds=time.perf_counter() - started)
    trial.on_progress("Report", 1, 1)
    return path
