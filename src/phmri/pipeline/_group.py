"""Group level: one question in, its estimates, p-values and claim out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phmri.dataset import DatasetCheck, DatasetIndex
from phmri.exceptions import DesignError
from phmri.group import (
    Estimate,
    UnitDesign,
    fit_contrast,
    make_outcome,
    make_unit_design,
    sequence_test,
)
from phmri.inference import (
    Outcomes,
    count_shufflings,
    find_peaks,
    make_claim,
    permute,
    sequence_note,
)
from phmri.pipeline._answers import (
    Answer,
    QuestionAnswer,
    fill,
    read_answer,
    refuse_question,
    write_answer,
)
from phmri.pipeline._job import measure_path
from phmri.pipeline._labels import PeakLabels
from phmri.pipeline._loading import (
    LoadedOutcomes,
    MeasuredRun,
    RunKey,
    load_outcomes,
    load_values,
)
from phmri.pipeline._provenance import hash_parameters
from phmri.pipeline._units import QuestionUnits, find_units
from phmri.protocol import Inference, Parallel, Protocol, Question, RoiToRoi
from phmri.signals import Grid, RegionOnGrid

__all__ = ["GroupInputs", "answer_question"]

OnProgress = Callable[[str, int, int], None]
UNIT = "Fisher z"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInputs:
    """What every question may draw on.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    runs : dict of RunKey to MeasuredRun
    regions : dict of str to RegionOnGrid
        Regions that questions name, on the grid of the maps.
    grid : Grid or None
        Of the maps; None for tabular data.
    labels : PeakLabels
        Names for positions.
    out_dir : Path
    n_threads : int
    """

    protocol: Protocol
    index: DatasetIndex
    check: DatasetCheck
    runs: dict[RunKey, MeasuredRun]
    regions: dict[str, RegionOnGrid]
    grid: Grid | None
    labels: PeakLabels
    out_dir: Path
    n_threads: int


def answer_question(inputs: GroupInputs, name: str, on_progress: OnProgress) -> QuestionAnswer:
    """Answer one question, or say why the data cannot.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        The question's name in the protocol.
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    QuestionAnswer
    """
    question = inputs.protocol.questions[name]
    folder = inputs.out_dir / "group" / f"question-{name.replace('_', '')}"
    try:
        units = find_units(
            inputs.protocol, name, index=inputs.index, check=inputs.check, runs=inputs.runs
        )
        design = make_unit_design(
            question,
            inputs.protocol.design,
            units.table,
            min_per_group=inputs.protocol.exclusions.min_participants_per_group,
        )
        key = _question_key(inputs, name, units)
        paths = _measure_paths(inputs, question)
        kept = read_answer(folder, key, paths)
        if kept is not None:
            return kept
        answer = _compute(inputs, name, units, design, on_progress)
    except DesignError as error:
        return refuse_question(
            name,
            question,
            str(error),
            settings=_settings(inputs.protocol, question),
            labels=_contrast_labels(inputs.protocol, question),
            folder=folder,
        )
    return write_answer(inputs.protocol, folder, answer, key=key, paths=paths)


def _settings(protocol: Protocol, question: Question) -> Inference:
    return question.inference or protocol.inference


def _question_key(inputs: GroupInputs, name: str, units: QuestionUnits) -> str:
    question = inputs.protocol.questions[name]
    used = [run for members in units.runs.values() for run in members]
    return hash_parameters(
        {
            "question": question.model_dump(mode="json"),
            "inference": _settings(inputs.protocol, question).model_dump(mode="json"),
            "design": inputs.protocol.design.model_dump(mode="json"),
            "exclusions": inputs.protocol.exclusions.model_dump(mode="json"),
            "subjects": units.table.subjects,
            "groups": units.table.groups,
            "strata": units.table.strata,
            "covariates": {
                label: values.tolist() for label, values in units.table.covariates.items()
            },
            "left_out": units.left_out,
            "runs": [run.manifest.step_key for run in used],
            "regions": [region.source for region in inputs.regions.values()],
            "labels": inputs.labels.source,
            "words": [
                *_contrast_labels(inputs.protocol, question),
                _measure_words(inputs.protocol, question),
            ],
        }
    )


def _measure_paths(inputs: GroupInputs, question: Question) -> tuple[Path, ...]:
    """List every first-level file of the measure: those tested, and those only drawn."""
    return tuple(
        measure_path(run.job, question.measure)
        for run in inputs.runs.values()
        if not run.manifest.excluded and question.measure in run.job.measures
    )


def _compute(
    inputs: GroupInputs,
    name: str,
    units: QuestionUnits,
    design: UnitDesign,
    on_progress: OnProgress,
) -> Answer:
    question = inputs.protocol.questions[name]
    settings = _settings(inputs.protocol, question)
    region = inputs.regions.get(question.where.mean_of or question.where.within or "")
    outcomes = load_outcomes(inputs.protocol, question, units.runs, region)
    Y = make_outcome(design, outcomes.images)
    baseline = outcomes.images["baseline"] if design.voxelwise_baseline else None
    estimate = fit_contrast(design, Y, baseline)
    total = min(settings.n_permutations, count_shufflings(design))
    done = 0

    def report_batch(n_finished: int) -> None:
        nonlocal done
        done += n_finished
        on_progress(f"Shuffling {name}", done, total)

    result = permute(
        design,
        Y,
        baseline,
        settings,
        alternative=question.alternative,
        n_threads=inputs.n_threads,
        on_batch=report_batch,
    )
    claim = make_claim(
        name,
        question,
        design,
        estimate,
        result,
        outcomes=_describe(inputs, question, outcomes, estimate),
        settings=settings,
        notes=(*_notes(units, outcomes), *_order_notes(design, outcomes, settings)),
    )
    strongest = claim.peaks[0].index if claim.peaks else 0
    return Answer(
        claim=claim,
        outcomes=outcomes,
        estimate=estimate,
        result=result,
        run_values=load_values(question, outcomes, strongest, inputs.runs),
        used=frozenset((*run.key,) for members in units.runs.values() for run in members),
    )


def _notes(units: QuestionUnits, outcomes: LoadedOutcomes) -> tuple[str, ...]:
    notes = [outcomes.note] if outcomes.note else []
    notes += [
        f"sub-{subject} is left out: {reason}." for subject, reason in units.left_out.items()
    ]
    return tuple(notes)


def _order_notes(
    design: UnitDesign, outcomes: LoadedOutcomes, settings: Inference
) -> tuple[str, ...]:
    """Report period effect and carry-over of a crossover; neither decides anything."""
    if design.estimator != "crossover":
        return ()
    terms = sequence_test(design, outcomes.images)
    return (sequence_note(terms, unit=UNIT, confidence=settings.confidence), *terms.sentences)


def _describe(
    inputs: GroupInputs, question: Question, outcomes: LoadedOutcomes, estimate: Estimate
) -> Outcomes:
    """Say what the outcomes are called and where they lie, for the claim."""
    labels = _contrast_labels(inputs.protocol, question)
    words = _measure_words(inputs.protocol, question)
    if outcomes.kind != "map" or outcomes.mask is None or outcomes.affine is None:
        return Outcomes(
            kind=outcomes.kind, unit=UNIT, measure=words, labels=labels, names=outcomes.names
        )
    voxels = np.argwhere(outcomes.mask)
    positions = voxels @ outcomes.affine[:3, :3].T + outcomes.affine[:3, 3]
    found = find_peaks(
        fill(outcomes, estimate.t),
        outcomes.mask,
        outcomes.affine,
        alternative=question.alternative,
    )
    flat = np.full(outcomes.mask.size, -1)
    flat[outcomes.mask.ravel()] = np.arange(len(voxels))
    peaks = tuple(flat[np.ravel_multi_index(tuple(found.T), outcomes.mask.shape)].tolist())
    names = [""] * len(voxels)
    for peak in peaks:
        names[peak] = inputs.labels.label_of(positions[peak])
    where = question.where.within
    return Outcomes(
        kind="map",
        unit=UNIT,
        measure=words,
        labels=labels,
        names=tuple(names),
        positions_mm=positions,
        peaks=peaks,
        corrected_over=f"{len(voxels)} voxels of {where or 'the brain'}",
    )


def _contrast_labels(protocol: Protocol, question: Question) -> tuple[str, str]:
    """Call the sides of a contrast as the protocol's treatments are called."""

    def label(name: str) -> str:
        if isinstance(protocol.design, Parallel):
            name = protocol.design.arms[name].treatment
        return protocol.treatments[name].label or name.replace("_", " ")

    first, second = question.contrast
    return label(first), label(second)


def _measure_words(protocol: Protocol, question: Question) -> str:
    measure = protocol.measures[question.measure]
    scan = protocol.scans[measure.scan]
    when = f" (task {scan.task}" + (f", session {question.session})" if question.session else ")")
    where = question.where
    if isinstance(measure, RoiToRoi):
        of = {"edges": "between regions", "nodes": "of regions", "global": "over all regions"}
        return f"{f'{where.at} ' if where.at else ''}connectivity {of[measure.summary]}{when}"
    target = where.mean_of or where.at or where.within
    return f"connectivity of {measure.seed}{f' with {target}' if target else ''}{when}"
