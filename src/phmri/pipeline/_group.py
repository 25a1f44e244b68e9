"""Group level: one question in, its estimates, p-values and claim out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from phmri.exceptions import DesignError, InferenceError
from phmri.group import Estimate, UnitDesign, sequence_test
from phmri.inference import (
    UNSHUFFLED,
    Claim,
    InferenceResult,
    Outcomes,
    correct_jointly,
    find_peaks,
    make_claim,
    make_source,
    restrict_result,
    sequence_note,
)
from phmri.pipeline._after_events import ask_counted
from phmri.pipeline._answer_tables import Answer
from phmri.pipeline._answers import (
    QuestionAnswer,
    answered_under,
    fill,
    read_answer,
    refuse_question,
    write_answer,
)
from phmri.pipeline._asked import (
    Asked,
    GroupInputs,
    contrast_labels,
    corrected_with,
    measure_paths,
    measure_words,
    question_folder,
    question_key,
)
from phmri.pipeline._beside import other_denoisings, test_nuisance
from phmri.pipeline._boundary_words import boundary_words
from phmri.pipeline._carry_over import carry_over_note
from phmri.pipeline._clusters import list_clusters
from phmri.pipeline._course import load_course
from phmri.pipeline._event_words import event_notes
from phmri.pipeline._judged import (
    BLOCKADE_SAID,
    describe_blockade,
    describe_persistence,
    extra_statistics,
)
from phmri.pipeline._left_out import leave_out_untested
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun, RunKey, load_values
from phmri.pipeline._measure_words import question_unit
from phmri.pipeline._ordered import describe_effect, effect_limits, effect_unit
from phmri.pipeline._population_answers import population_answers
from phmri.pipeline._provenance import hash_parameters
from phmri.pipeline._ratings import rating_values
from phmri.pipeline._shuffle import KeptState, forget_shuffling
from phmri.pipeline._tested import Tested, space_of, test_question
from phmri.pipeline._units import QuestionUnits
from phmri.protocol import Inference, Question, inference_of
from phmri.report import BesideContent

__all__ = ["answer_question"]

OnProgress = Callable[[str, int, int], None]


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
    folder = question_folder(inputs, name)
    try:
        asked = {
            member: ask_counted(inputs, member) for member in corrected_with(inputs.protocol, name)
        }
        key = hash_parameters({member: question_key(inputs, asked[member]) for member in asked})
        paths = tuple(
            path
            for member in asked
            for path in measure_paths(inputs, inputs.protocol.questions[member])
        )
        kept = read_answer(folder, key, paths)
        if kept is not None:
            _forget_shufflings(inputs, tuple(asked), key)
            return kept
        states = {
            member: KeptState(
                question_folder(inputs, member), _progress(asked[member], on_progress)
            )
            for member in asked
        }
        answer = _compute(inputs, asked, name, states)
    except (DesignError, InferenceError) as error:
        forget_shuffling(folder)
        return refuse_question(
            name,
            question,
            str(error),
            settings=inference_of(inputs.protocol, name),
            labels=contrast_labels(inputs.protocol, question),
            folder=folder,
        )
    written = write_answer(inputs.protocol, folder, answer, key=key, paths=paths)
    _forget_shufflings(inputs, tuple(asked), key)
    return written


def _forget_shufflings(inputs: GroupInputs, together: tuple[str, ...], key: str) -> None:
    """Remove kept shufflings once all questions that are corrected together have their answer."""
    folders = [question_folder(inputs, member) for member in together]
    if all(answered_under(folder) == key for folder in folders):
        for folder in folders:
            forget_shuffling(folder)


def _progress(asked: Asked, on_progress: OnProgress) -> Callable[[int], None]:
    total = _n_shufflings(asked.design, asked.settings)

    def report(n_done: int) -> None:
        on_progress(f"Shuffling {asked.name}", n_done, total)

    return report


def _n_shufflings(design: UnitDesign, settings: Inference) -> int:
    if settings.method in UNSHUFFLED:
        return 0
    return make_source(design, settings).n_used


def _compute(
    inputs: GroupInputs, asked: dict[str, Asked], name: str, states: dict[str, KeptState]
) -> Answer:
    question = asked[name].question
    tested = test_question(inputs, asked[name], states[name])
    outcomes, result = tested.outcomes, tested.result
    if len(asked) > 1:
        result = _correct_together(inputs, asked, name, result, states)
    estimate = tested.estimate
    if not result.tested.all():
        outcomes = leave_out_untested(
            outcomes, result, searched=tested.searched, by_model=tested.joint is not None
        )
        estimate, result = restrict_result(estimate, result)
    kept = replace(tested, outcomes=outcomes, result=result, estimate=estimate)
    claim = _claim(
        inputs,
        asked[name],
        kept,
        together=tuple(asked),
        carried=(
            *boundary_words(tested.joint, tested.result.tested),
            *_carried(inputs, asked[name], tested, effect_unit(inputs.protocol, question)),
        ),
    )
    strongest = claim.peaks[0].index if claim.peaks else 0
    beside = _beside(inputs, asked[name], tested, claim, outcomes, estimate)
    if beside.effect_measure is not None:
        claim = replace(claim, sentence=f"{claim.sentence} {beside.effect_measure.sentence}")
    if beside.blockade is not None and claim.outcome == "scalar":  # last: a family may take it off
        verdict = f"{claim.sentence}{BLOCKADE_SAID}{beside.blockade.verdict}."
        claim = replace(claim, sentence=verdict)
    return Answer(
        claim=claim,
        outcomes=outcomes,
        estimate=estimate,
        result=result,
        run_values=_values(inputs, question, outcomes, strongest),
        values_unit=question_unit(inputs.protocol, question),
        used=frozenset(
            (*run.key,) for members in asked[name].units.runs.values() for run in members
        ),
        beside=beside,
        extras=extra_statistics(inputs, asked[name], tested),
        whole=tested.outcomes,
        status=None if tested.joint is None else tested.joint.status.astype(np.float64),
    )


def _claim(
    inputs: GroupInputs,
    asked: Asked,
    kept: Tested,
    *,
    together: tuple[str, ...],
    carried: tuple[str, ...],
) -> Claim:
    """Say what was found in the outcomes that could be tested."""
    design, settings, outcomes = asked.design, asked.settings, kept.outcomes
    unit = effect_unit(inputs.protocol, asked.question)
    return make_claim(
        asked.name,
        asked.question,
        design,
        kept.estimate,
        kept.result,
        outcomes=replace(
            _describe(inputs, asked, outcomes, kept.estimate, together=together),
            limits=effect_limits(asked.question),
        ),
        settings=settings,
        clusters=list_clusters(
            asked.question,
            design,
            outcomes,
            kept.result,
            settings,
            space=space_of(outcomes, settings),
            labels=inputs.labels,
        ),
        alone=len(together) == 1,
        notes=(
            *_notes(asked.units, outcomes),
            *event_notes(
                inputs.protocol,
                asked.name,
                index=inputs.index,
                check=inputs.check,
                happened=inputs.happened,
            ),
            *_order_notes(design, outcomes, settings, unit),
            *carried,
        ),
    )


def _values(
    inputs: GroupInputs, question: Question, outcomes: LoadedOutcomes, strongest: int
) -> dict[RunKey, float]:
    if question.measure in inputs.protocol.scales:
        return rating_values(question, inputs.ratings.values())
    return load_values(question, outcomes, strongest, inputs.runs)


def _beside(
    inputs: GroupInputs,
    asked: Asked,
    tested: Tested,
    claim: Claim,
    outcomes: LoadedOutcomes,
    estimate: Estimate,
) -> BesideContent:
    """Gather what is shown beside an answer; scores of a scale have no runs to show."""
    question = asked.question
    strongest = claim.peaks[0].index if claim.peaks else 0
    judged = BesideContent(
        blockade=describe_blockade(inputs, asked, tested, strongest),
        persistence=describe_persistence(inputs, asked, tested, strongest),
        populations=population_answers(inputs, asked, claim, outcomes, estimate),
        effect_measure=describe_effect(asked, estimate),
    )
    if question.measure in inputs.protocol.scales:
        return judged
    runs = {
        role: tuple(item for item in members if isinstance(item, MeasuredRun))
        for role, members in asked.units.runs.items()
    }
    return replace(
        judged,
        variants=other_denoisings(inputs, asked, claim, outcomes, estimate),
        nuisance=()
        if asked.long
        else test_nuisance(asked.design, runs, asked.settings.confidence),
        course=load_course(inputs, question, outcomes, strongest),
    )


def _correct_together(
    inputs: GroupInputs,
    asked: dict[str, Asked],
    name: str,
    result: InferenceResult,
    states: dict[str, KeptState],
) -> InferenceResult:
    """Correct a question together with the others of its family."""
    method = result.method
    tests, keys = {name: result.tests[method]}, {name: result.shufflings_key}
    states[name].store()
    for member, other_asked in asked.items():
        if member != name:
            # What is shuffled here serves the others too, until the last of them is answered.
            other = test_question(inputs, other_asked, states[member]).result
            states[member].store()
            tests[member], keys[member] = other.tests[method], other.shufflings_key
    joint = correct_jointly(
        {member: tests[member] for member in asked},
        {member: keys[member] for member in asked},
        alternative=asked[name].question.alternative,
        alpha=asked[name].settings.alpha,
    )[name]
    return replace(
        result,
        tests={**result.tests, method: joint},
        sentences=(*result.sentences, joint.sentences[-1]),
    )


def _notes(units: QuestionUnits, outcomes: LoadedOutcomes) -> tuple[str, ...]:
    notes = [outcomes.note] if outcomes.note else []
    notes += [
        f"sub-{subject} is left out: {reason}." for subject, reason in units.left_out.items()
    ]
    return tuple(notes)


def _covered(n_outcomes: int, together: tuple[str, ...]) -> str:
    """Say what p covers where questions are corrected together; empty where one stands alone."""
    if len(together) == 1:
        return ""
    questions = f"the questions {', '.join(together)}"
    return questions if n_outcomes == 1 else f"{n_outcomes:,} outcomes and {questions}"


def _carried(inputs: GroupInputs, asked: Asked, tested: Tested, unit: str) -> tuple[str, ...]:
    t = np.where(tested.result.tested, np.abs(tested.estimate.t), 0.0)
    strongest = int(np.lexsort((-t, tested.result.pvalue_corrected))[0])
    return carry_over_note(inputs, asked, tested.outcomes, strongest, unit)


def _order_notes(
    design: UnitDesign, outcomes: LoadedOutcomes, settings: Inference, unit: str
) -> tuple[str, ...]:
    """Report period effect and carry-over where everyone has data; neither decides anything."""
    if design.estimator != "crossover":
        return ()
    complete = np.logical_and.reduce(
        [np.isfinite(stack).all(axis=0) for stack in outcomes.images.values()]
    )
    if not complete.any():
        return ()
    images = {role: stack[:, complete] for role, stack in outcomes.images.items()}
    terms = sequence_test(design, images)
    return (sequence_note(terms, unit=unit, confidence=settings.confidence), *terms.sentences)


def _describe(
    inputs: GroupInputs,
    asked: Asked,
    outcomes: LoadedOutcomes,
    estimate: Estimate,
    *,
    together: tuple[str, ...],
) -> Outcomes:
    """Say what the outcomes are called and where they lie, for the claim."""
    question = asked.question
    shared = f" and the questions {', '.join(together)}" if len(together) > 1 else ""
    labels = contrast_labels(inputs.protocol, question)
    words = measure_words(inputs.protocol, question)
    unit = effect_unit(inputs.protocol, question)
    if outcomes.kind != "map" or outcomes.mask is None or outcomes.affine is None:
        return Outcomes(
            kind=outcomes.kind,
            unit=unit,
            measure=words,
            labels=labels,
            names=outcomes.names,
            corrected_over=_covered(len(outcomes.names), together),
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
        unit=unit,
        measure=words,
        labels=labels,
        names=tuple(names),
        positions_mm=positions,
        peaks=peaks,
        corrected_over=f"{len(voxels)} voxels of {where or 'the brain'}{shared}",
    )
