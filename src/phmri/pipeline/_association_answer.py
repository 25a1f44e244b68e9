"""The answer to an association: one correlation, or those within and between persons."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, InferenceError
from phmri.group import (
    Ridge,
    assign_folds,
    circular_selection,
    predict_across_folds,
)
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import AssociationData
from phmri.pipeline._association_files import write_pairs, write_statistics
from phmri.pipeline._association_inference import correlate_part, infer_part
from phmri.pipeline._association_parts import AssociationPart, average_rows
from phmri.pipeline._association_words import (
    answer_sentence,
    method_sentences,
    outcome_label,
    refuse_association,
    score_label,
    shuffling_words,
    uneven_words,
    words_beside,
)
from phmri.pipeline._session_means import (
    means_words,
    other_words,
    read_both,
    rests_words,
    visit_means,
)
from phmri.pipeline._tested import space_of
from phmri.protocol import Association, Inference, inference_of
from phmri.report import AssociationContent, CircularContent, PredictionContent

__all__ = ["answer_parts"]

SELECTED_P = 0.001


def answer_parts(
    inputs: GroupInputs, name: str, data: AssociationData, folder: Path
) -> AssociationContent:
    """Answer an association, and write what it is made of.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.associations``.
    data : AssociationData
    folder : Path

    Returns
    -------
    AssociationContent
        Of repeated pairs that within persons, which holds that between them.

    Notes
    -----
    A `DesignError` or an `InferenceError` says why there is no answer; of two parts one may be
    refused by itself.
    """
    item = inputs.protocol.associations[name]
    write_pairs(inputs, folder, item, data)
    parts = data.parts
    if len(parts) == 1:
        return _answer(inputs, name, data, parts[0], folder)
    contents = []
    for part in parts:
        try:
            contents.append(_answer(inputs, name, data, part, folder))
        except (DesignError, InferenceError) as error:
            contents.append(refuse_association(name, item, str(error), part))
    within, between = contents
    return replace(within, sentence=f"{within.sentence} {between.sentence}", between=between)


def _answer(
    inputs: GroupInputs, name: str, data: AssociationData, part: AssociationPart, folder: Path
) -> AssociationContent:
    item, settings = inputs.protocol.associations[name], inference_of(inputs.protocol, name)
    design, Y = part.design(item.method), data.outcomes_of(part)
    result = infer_part(
        design,
        Y,
        item,
        settings,
        space=space_of(data.outcomes, settings),
        n_threads=inputs.n_threads,
    )
    t = np.where(result.tested, result.statistic, 0.0)
    write_statistics(inputs, folder, data, part, result)
    strongest = int(np.lexsort((-np.abs(t), result.pvalue_corrected))[0])
    column = Y[:, [strongest]]
    single = Y.shape[1] == 1
    other = "spearman" if item.method == "pearson" else "pearson"
    own = correlate_part(part, column, item.method, settings.confidence)
    beside = correlate_part(part, column, other, settings.confidence)
    found = float(result.pvalue_corrected[strongest]) <= settings.alpha
    n_tested = int(result.tested.sum())
    shuffled, null = shuffling_words(inputs, item, part, design)
    readings = read_both(item, data.rows, part, column, settings.confidence)
    sentence = answer_sentence(inputs, item, part, result, own, strongest, settings)
    unasked = other_words(item, readings, settings.confidence) if single else ""
    return AssociationContent(
        name=name,
        text=item.text,
        role=item.role,
        verdict="found" if found else "not found",
        sentence=f"{sentence} {unasked}".rstrip(),
        method=item.method,
        n=len(set(part.subjects)),
        r=float(own.r[0]),
        ci_low=float(own.low[0]),
        ci_high=float(own.high[0]),
        pvalue=float(result.pvalue_uncorrected[strongest]),
        pvalue_rank=float(beside.pvalue[0]),
        points=_points(part, column[:, 0]),
        x_label=outcome_label(inputs, item, part),
        y_label=score_label(inputs, item, part),
        confidence=settings.confidence,
        place="" if single else _place(inputs, data, strongest),
        pvalue_corrected=None if n_tested == 1 else float(result.pvalue_corrected[strongest]),
        corrected_over="" if n_tested == 1 else f"{n_tested:,} outcomes",
        partial=(*item.partial, *((visit_means(item),) if item.session_means else ())),
        circular=None if single else _circular(item, part, Y),
        prediction=_predict(item, part, Y, settings),
        notes=(
            *design.notes,
            *((data.outcomes.note,) if data.outcomes.note else ()),
            *words_beside(own, result, strongest, settings),
            *(uneven_words(item, data.rows.subjects) if part.name == "between" else ()),
        ),
        shuffled=shuffled,
        null=null,
        n_permutations=result.n_permutations,
        n_distinct=result.n_distinct,
        exhaustive=result.exhaustive,
        sentences=method_sentences(inputs, item, design, result),
        part=part.name,
        n_pairs=len(part.subjects) if part.name == "within" else 0,
        readings=readings,
        readings_words=f"{means_words(inputs.protocol, item)} {rests_words(item)}"
        if readings
        else "",
    )


def _place(inputs: GroupInputs, data: AssociationData, index: int) -> str:
    outcomes = data.outcomes
    if outcomes.mask is None or outcomes.affine is None:
        return outcomes.names[index]
    voxel = np.argwhere(outcomes.mask)[index]
    position = voxel @ outcomes.affine[:3, :3].T + outcomes.affine[:3, 3]
    label = inputs.labels.label_of(position)
    return f"{label} ({', '.join(f'{mm:.0f}' for mm in position)}) mm".strip()


def _points(
    part: AssociationPart, column: Float[np.ndarray, " n_part"]
) -> dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]]:
    has = np.isfinite(column)
    x, y = column[has], part.score[has]
    subjects, groups = np.array(part.subjects)[has], np.array(part.groups)[has]
    if part.name == "within":
        codes = np.unique(subjects, return_inverse=True)[1]
        x, y = (values - average_rows(values[:, None], codes)[codes, 0] for values in (x, y))
    found = {}
    for group in sorted(set(part.groups)):
        own = groups == group
        found[group or "everyone"] = (
            tuple(x[own].tolist()),
            tuple(y[own].tolist()),
            tuple(subjects[own].tolist()),
        )
    return found


def _taken_out(part: AssociationPart) -> Float[np.ndarray, "n n_columns"]:
    """Give a basis of what is taken out: a mean of each arm or person, and nuisance."""
    labels = part.blocks or ("",) * len(part.subjects)
    columns = [[label == level for label in labels] for level in sorted(set(labels))]
    Z = np.array(columns, dtype=np.float64).T
    if part.nuisance is not None:
        Z = np.column_stack([Z, part.nuisance])
    U, S, _ = np.linalg.svd(Z, full_matrices=False)
    least = S[0] * len(Z) * np.finfo(np.float64).eps
    return np.asarray(U[:, least < S])


def _circular(
    item: Association, part: AssociationPart, Y: Float[np.ndarray, "n_part n_outcomes"]
) -> CircularContent | None:
    complete = np.isfinite(Y).all(axis=0)
    if not complete.any():
        return None
    Q, within = _taken_out(part), part.name == "within"
    n_means = len(set(part.subjects)) if within else 1
    try:
        found = circular_selection(
            Y[:, complete] - Q @ (Q.T @ Y[:, complete]),
            part.score - Q @ (Q.T @ part.score),
            part.subjects if within else None,
            n_taken_out=Q.shape[1] - n_means,
            threshold=SELECTED_P,
            alternative=item.alternative,
        )
    except DesignError:  # too few are left of those who could be left out
        return None
    return CircularContent(
        max_r_in_map=found.peak_r,
        mean_r_selected=found.mean_r,
        n_selected=found.n_selected,
        threshold=f"uncorrected p below {SELECTED_P:g}",
        honest_r=found.left_out_r if math.isfinite(found.left_out_r) else None,
        null_r=found.expected.mean_selected,
    )


def _predict(
    item: Association,
    part: AssociationPart,
    Y: Float[np.ndarray, "n_part n_outcomes"],
    settings: Inference,
) -> PredictionContent | None:
    if item.prediction is None:
        return None
    complete = np.isfinite(Y).all(axis=0)
    n, n_folds = len(part.subjects), item.prediction.folds
    folds = assign_folds(n, n_folds, seed=settings.seed, groups=part.blocks)
    least_squares = item.prediction.model == "ols"
    found = predict_across_folds(
        Y[:, complete],
        part.score,
        folds,
        model=Ridge(penalties=(0.0,)) if least_squares else Ridge(),
        groups=part.blocks,
        n_permutations=min(settings.n_permutations, 999),
        seed=settings.seed,
    )
    return PredictionContent(
        r2=found.r2,
        pvalue=found.pvalue,
        folds=n_folds,
        model="least squares"
        if least_squares
        else "ridge regression, penalty chosen within folds",
        r2_in_sample=found.r2_in_sample,
    )
