"""What is asked: a question with who can answer it, the model that does, and its words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset import REPEATED, DatasetCheck, DatasetIndex
from phmri.group import UnitDesign, UnitTable, make_unit_design, override_kind
from phmri.pipeline._event_words import event_notes
from phmri.pipeline._labels import PeakLabels
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._long_model import LongModel, make_long_model, unit_design_of
from phmri.pipeline._measure_words import name_outcome, name_score
from phmri.pipeline._models import refuse_thin_references
from phmri.pipeline._outcome_files import outcome_path
from phmri.pipeline._period_scores import adjust_for_scores, scores_of_periods
from phmri.pipeline._populations import count_in
from phmri.pipeline._provenance import hash_parameters
from phmri.pipeline._ratings import Rating, scale_file, scores_before
from phmri.pipeline._units import QuestionUnits, Visit, find_units, is_number, periods_of
from phmri.protocol import (
    Inference,
    Parallel,
    Protocol,
    Question,
    inference_of,
)
from phmri.signals import Grid, RegionOnGrid

__all__ = [
    "Asked",
    "GroupInputs",
    "ask",
    "contrast_labels",
    "corrected_with",
    "long_model",
    "measure_paths",
    "measure_words",
    "model_question",
    "question_folder",
    "question_key",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInputs:
    """What every question may draw on.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    runs : dict of RunKey to MeasuredRun
    ratings : dict of RunKey to Rating
        Of the scales that are asked about.
    happened : dict of str to frozenset of (str, str)
        Intercurrent event -> participants and sessions that it counts in.
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
    ratings: dict[RunKey, Rating]
    happened: dict[str, frozenset[tuple[str, str]]]
    regions: dict[str, RegionOnGrid]
    grid: Grid | None
    labels: PeakLabels
    out_dir: Path
    n_threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with who can answer it, and the model that does.

    Parameters
    ----------
    name : str
    question : Question
    settings : Inference
    units : QuestionUnits
    design : UnitDesign
    long : LongModel or None
        Where all sessions or periods are modelled together; ``design`` then describes it.
    """

    name: str
    question: Question
    settings: Inference
    units: QuestionUnits
    design: UnitDesign
    long: LongModel | None = None


def question_folder(inputs: GroupInputs, name: str) -> Path:
    """Name the folder of a question's answer.

    Parameters
    ----------
    inputs : GroupInputs
    name : str

    Returns
    -------
    Path
    """
    return inputs.out_dir / "group" / f"question-{name.replace('_', '')}"


def corrected_with(protocol: Protocol, name: str) -> tuple[str, ...]:
    """List the questions that share an error rate by the maximum; as a rule the question alone.

    Parameters
    ----------
    protocol : Protocol
    name : str

    Returns
    -------
    tuple of str
        In the order of the protocol.
    """
    questions = protocol.questions
    family = protocol.families.get(questions[name].family or "")
    if family is None or family.correction != "joint_maximum":
        return (name,)
    return tuple(other for other in questions if questions[other].family == questions[name].family)


def model_question(
    protocol: Protocol,
    name: str,
    table: UnitTable,
    *,
    present: Mapping[str, frozenset[Visit]] | None,
    before: Float[np.ndarray, " n_units"] | None = None,
) -> UnitDesign:
    """Make the model of a question for the participants at hand.

    Parameters
    ----------
    protocol : Protocol
    name : str
    table : UnitTable
    present : mapping of str to frozenset of int or None
    before : ndarray of shape (n_units,), optional
        As `make_unit_design` takes them.

    Returns
    -------
    UnitDesign
        Shuffled as the design says, or as the protocol overrides it; with other questions of a
        family that is corrected jointly, the arms of all their contrasts change places.
    """
    question, settings = protocol.questions[name], inference_of(protocol, name)
    together = corrected_with(protocol, name)
    refuse_thin_references(protocol, question, table)
    moved = {group for member in together for group in protocol.questions[member].contrast}
    design = make_unit_design(
        question,
        protocol.design,
        table,
        min_per_group=protocol.exclusions.min_participants_per_group,
        present=periods_of(present),
        moved=tuple(sorted(moved)),
        before=before,
    )
    if settings.shuffle == "from_design":
        return design
    return override_kind(design, settings.shuffle)


def ask(inputs: GroupInputs, name: str, population: str | None = None) -> Asked:
    """Find the participants of a question and make its model.

    Questions corrected together are answered by the same participants, and the arms of all their
    contrasts change places, so that shuffling k is the same one in each.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
    population : str, optional
        In place of the question's own.

    Returns
    -------
    Asked
    """
    protocol = inputs.protocol
    question, settings = protocol.questions[name], inference_of(protocol, name)
    together = corrected_with(protocol, name)

    def units_of(member: str, only: frozenset[str] | None = None) -> QuestionUnits:
        asked = protocol.questions[member]
        counted = count_in(
            protocol,
            asked.measure,
            inputs.check,
            inputs.happened,
            population or next(iter(asked.populations), None),
        )
        sources = inputs.ratings if asked.measure in protocol.scales else inputs.runs
        return find_units(
            protocol, member, index=inputs.index, counted=counted, sources=sources, only=only
        )

    only = None
    if len(together) > 1:
        members = (frozenset(units_of(member).table.subjects) for member in together)
        only = frozenset.intersection(*members)
    units = units_of(name, only)
    people, scores = units.table.subjects, None
    if isinstance(protocol.design, Parallel):
        scores = scores_before(question, units.runs, people, units.visits)
    of_periods = scores_of_periods(question, units)
    long = long_model(protocol, name, units.table, units.present, scores, of_periods)
    if long is not None:
        design = unit_design_of(question, long)
    else:
        before = None if scores is None else np.array([scores[person] for person in people])
        design = model_question(protocol, name, units.table, present=units.present, before=before)
        design = adjust_for_scores(question, units, design)
    design = replace(design, notes=(*design.notes, *_absent_arms(protocol, units.table)))
    return Asked(
        name=name, question=question, settings=settings, units=units, design=design, long=long
    )


def _absent_arms(protocol: Protocol, table: UnitTable) -> tuple[str, ...]:
    """Say which arms nobody takes part of."""
    if not isinstance(protocol.design, Parallel):
        return ()
    absent = [arm for arm in protocol.design.arms if arm not in table.groups]
    if not absent:
        return ()
    return (f"Nobody of {', '.join(absent)} has the data that this question needs.",)


def long_model(
    protocol: Protocol,
    name: str,
    table: UnitTable,
    present: Mapping[str, frozenset[Visit]] | None,
    baseline: Mapping[str, float] | None = None,
    of_periods: Mapping[tuple[str, Visit], float] | None = None,
) -> LongModel | None:
    """Make the model of all sessions or periods of a question that asks for one.

    Parameters
    ----------
    protocol : Protocol
    name : str
    table : UnitTable
    present : mapping of str to frozenset of (str or int), or None
        Participant -> sessions or periods at hand.
    baseline : mapping of str to float, optional
        Participant -> score before treatment, where the outcome is one.
    of_periods : mapping of (str, int) to float, optional
        Participant and period -> score at its baseline, likewise.

    Returns
    -------
    LongModel or None
        None for estimators that reduce to one row per participant.
    """
    question = protocol.questions[name]
    if question.estimator not in REPEATED or present is None:
        return None
    number = is_number(protocol, question)
    return make_long_model(
        protocol, name, table, present, number=number, baseline=baseline, before=of_periods
    )


def question_key(inputs: GroupInputs, asked: Asked) -> str:
    """Hash all that an answer depends on besides files.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked

    Returns
    -------
    str
    """
    used = [run for members in asked.units.runs.values() for run in members]
    table = asked.units.table
    return hash_parameters(
        {
            "question": asked.question.model_dump(mode="json"),
            "inference": asked.settings.model_dump(mode="json"),
            "design": inputs.protocol.design.model_dump(mode="json"),
            "exclusions": inputs.protocol.exclusions.model_dump(mode="json"),
            "subjects": table.subjects,
            "groups": table.groups,
            "strata": table.strata,
            "covariates": {label: values.tolist() for label, values in table.covariates.items()},
            "left_out": asked.units.left_out,
            "told": event_notes(
                inputs.protocol,
                asked.name,
                index=inputs.index,
                check=inputs.check,
                happened=inputs.happened,
            ),
            "runs": [run.step_key for run in used],
            "measure": _measured_by(inputs.protocol, asked.question.measure),
            "regions": [region.source for region in inputs.regions.values()],
            "labels": inputs.labels.source,
            "words": [
                *contrast_labels(inputs.protocol, asked.question),
                measure_words(inputs.protocol, asked.question),
            ],
        }
    )


def _measured_by(protocol: Protocol, name: str) -> object:
    # What a run was measured with is in its own key; a score depends on its scale.
    scale = protocol.scales.get(name)
    return None if scale is None else scale.model_dump(mode="json")


def measure_paths(inputs: GroupInputs, question: Question) -> tuple[Path, ...]:
    """List every first-level file of the measure: those tested, and those only drawn.

    Parameters
    ----------
    inputs : GroupInputs
    question : Question

    Returns
    -------
    tuple of Path
    """
    if question.measure in inputs.protocol.scales:
        return (scale_file(inputs.protocol, inputs.index, question.measure),)
    return tuple(
        outcome_path(run.job, question)
        for run in inputs.runs.values()
        if not run.manifest.excluded and question.measure in run.job.measures
    )


def contrast_labels(protocol: Protocol, question: Question) -> tuple[str, str]:
    """Call the sides of a contrast as the protocol's treatments are called.

    Parameters
    ----------
    protocol : Protocol
    question : Question

    Returns
    -------
    tuple of str
    """

    def label(name: str) -> str:
        if isinstance(protocol.design, Parallel):
            name = protocol.design.arms[name].treatment
        return protocol.treatments[name].label or name.replace("_", " ")

    first, second = question.contrast
    return label(first), label(second)


def measure_words(protocol: Protocol, question: Question) -> str:
    """Say what a question measures, as it reads inside a sentence.

    Parameters
    ----------
    protocol : Protocol
    question : Question

    Returns
    -------
    str
    """
    if question.measure in protocol.scales:
        return name_score(protocol, question)
    measure = protocol.measures[question.measure]
    scan = protocol.scans[measure.scan]
    when = f" (task {scan.task}" + (f", session {question.session})" if question.session else ")")
    return f"{name_outcome(measure, question)}{when}"
