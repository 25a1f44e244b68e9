"""Group level: one question in, its estimates, p-values and claim out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import DesignError, InferenceError
from phmri.group import Estimate, UnitDesign, fit_covered, make_outcome, sequence_test
from phmri.inference import (
    InferenceResult,
    Outcomes,
    Space,
    Volume,
    correct_jointly,
    find_peaks,
    infer,
    make_claim,
    make_edge_graph,
    make_source,
    match_estimate,
    region_pairs,
    restrict_result,
    sequence_note,
)
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
    ask,
    contrast_labels,
    corrected_with,
    measure_paths,
    measure_words,
    question_folder,
    question_key,
)
from phmri.pipeline._clusters import list_clusters
from phmri.pipeline._left_out import leave_out_constant, leave_out_untested
from phmri.pipeline._loading import LoadedOutcomes, load_outcomes, load_values
from phmri.pipeline._provenance import hash_parameters
from phmri.pipeline._shuffle import KeptState, forget_shuffling
from phmri.pipeline._units import QuestionUnits
from phmri.protocol import Inference, inference_of

__all__ = ["answer_question"]

OnProgress = Callable[[str, int, int], None]
UNIT = "Fisher z"


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
        asked = {member: ask(inputs, member) for member in corrected_with(inputs.protocol, name)}
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
    if settings.method in {"random_field", "fdr"}:
        return 0
    return make_source(design, settings).n_used


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """A question's data and what inference made of them."""

    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_units n_outcomes"]
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None
    searched: Bool[np.ndarray, " n_outcomes"] | None
    result: InferenceResult


def _test(inputs: GroupInputs, asked: Asked, state: KeptState) -> _Tested:
    """Load the outcomes of a question and test them."""
    question, settings, design = asked.question, asked.settings, asked.design
    region = inputs.regions.get(question.where.mean_of or question.where.within or "")
    # Random fields need the smoothness of the whole map, also to search a small volume.
    narrowed = settings.method == "random_field" and question.where.within is not None
    outcomes = load_outcomes(
        inputs.protocol,
        question,
        asked.units.runs,
        None if narrowed else region,
        min_coverage=settings.min_coverage,
    )
    outcomes = leave_out_constant(outcomes)
    searched = None
    if narrowed and region is not None and outcomes.mask is not None:
        inside = np.zeros(outcomes.mask.size, dtype=bool)
        inside[region.voxels] = True
        searched = inside[outcomes.mask.ravel()]
    Y, baseline = _stack(design, outcomes)
    result = infer(
        design,
        Y,
        baseline,
        settings,
        alternative=question.alternative,
        space=_space(outcomes, settings),
        searched=searched,
        n_threads=inputs.n_threads,
        on_batch=state.keep,
        resume=state.read(),
    )
    return _Tested(outcomes=outcomes, Y=Y, baseline=baseline, searched=searched, result=result)


def _compute(
    inputs: GroupInputs, asked: dict[str, Asked], name: str, states: dict[str, KeptState]
) -> Answer:
    question, settings = asked[name].question, asked[name].settings
    design, units = asked[name].design, asked[name].units
    tested = _test(inputs, asked[name], states[name])
    outcomes, result = tested.outcomes, tested.result
    if len(asked) > 1:
        result = _correct_together(inputs, asked, name, result, states)
    estimate = fit_covered(design, tested.Y, tested.baseline, result.tested)
    estimate = match_estimate(estimate, result)
    if not result.tested.all():
        outcomes = leave_out_untested(outcomes, result, searched=tested.searched)
        estimate, result = restrict_result(estimate, result)
    clusters = list_clusters(
        question,
        design,
        outcomes,
        result,
        settings,
        space=_space(outcomes, settings),
        labels=inputs.labels,
    )
    claim = make_claim(
        name,
        question,
        design,
        estimate,
        result,
        outcomes=_describe(inputs, asked[name], outcomes, estimate, together=tuple(asked)),
        settings=settings,
        clusters=clusters,
        alone=len(asked) == 1,
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
            other = _test(inputs, other_asked, states[member]).result
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


def _stack(
    design: UnitDesign, outcomes: LoadedOutcomes
) -> tuple[
    Float[np.ndarray, "n_units n_outcomes"], Float[np.ndarray, "n_units n_outcomes"] | None
]:
    """Make outcome and baseline of every row; NaN in both where either lacks data."""
    images = outcomes.images
    if design.present is not None:
        full = np.full((len(design.subjects), images["periods"].shape[1]), np.nan)
        full[design.present] = images["periods"]
        images = {"periods": full}
    Y = make_outcome(design, images)
    if not design.voxelwise_baseline:
        return Y, None
    baseline = images["baseline"].astype(np.float64)
    absent = np.isnan(Y) | np.isnan(baseline)
    Y[absent], baseline[absent] = np.nan, np.nan
    return Y, baseline


def _space(outcomes: LoadedOutcomes, settings: Inference) -> Space | None:
    """Say where outcomes lie beside each other: voxels of a mask, edges that share a region."""
    if outcomes.kind == "map" and outcomes.mask is not None:
        return Volume(mask=outcomes.mask, connectivity=settings.connectivity)
    if outcomes.kind == "edges":
        return make_edge_graph(region_pairs(outcomes.names))
    return None


def _notes(units: QuestionUnits, outcomes: LoadedOutcomes) -> tuple[str, ...]:
    notes = [outcomes.note] if outcomes.note else []
    notes += [
        f"sub-{subject} is left out: {reason}." for subject, reason in units.left_out.items()
    ]
    return tuple(notes)


def _order_notes(
    design: UnitDesign, outcomes: LoadedOutcomes, settings: Inference
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
    return (sequence_note(terms, unit=UNIT, confidence=settings.confidence), *terms.sentences)


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
    if outcomes.kind != "map" or outcomes.mask is None or outcomes.affine is None:
        return Outcomes(
            kind=outcomes.kind,
            unit=UNIT,
            measure=words,
            labels=labels,
            names=outcomes.names,
            corrected_over=f"{len(outcomes.names)} outcomes{shared}" if shared else "",
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
        corrected_over=f"{len(voxels)} voxels of {where or 'the brain'}{shared}",
    )
