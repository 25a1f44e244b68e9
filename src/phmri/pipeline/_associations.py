"""How outcomes go with the score of a scale: tested, described, kept."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import TypeAdapter, ValidationError

from phmri.dataset import read_json, write_image, write_json, write_table
from phmri.exceptions import DatasetError, DesignError, InferenceError
from phmri.group import (
    Correlation,
    Ridge,
    assign_folds,
    association_design,
    circular_selection,
    correlate,
    predict_across_folds,
)
from phmri.inference import InferenceResult, infer
from phmri.pipeline._answers import fill
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import AssociationData, load_association
from phmri.pipeline._association_words import (
    answer_sentence,
    in_groups,
    outcome_label,
    refuse_association,
    score_label,
    shuffling_words,
    words_beside,
)
from phmri.pipeline._provenance import hash_parameters
from phmri.pipeline._tested import space_of
from phmri.protocol import Association, Inference, inference_of, protocol_sha256
from phmri.report import AssociationContent, CircularContent, PredictionContent

__all__ = ["answer_association", "store_association"]

RECORD = 2
"""Raised when the record holds more: an earlier one is made again."""
SELECTED_P = 0.001
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """``association.json``."""

    step_key: str
    protocol_sha256: str
    content: AssociationContent
    alone: AssociationContent | None = None


def answer_association(
    inputs: GroupInputs, name: str, on_progress: OnProgress
) -> AssociationContent:
    """Answer one association, or say why the data cannot.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.associations``.
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    AssociationContent
    """
    item, settings = inputs.protocol.associations[name], inference_of(inputs.protocol, name)
    folder = _folder(inputs, name)
    try:
        data = load_association(inputs, name)
        key = _key(inputs, item, settings, data)
        kept = _read(folder, key)
        if kept is not None:
            return kept
        on_progress(f"Association {name}", 0, 1)
        content = _compute(inputs, name, item, settings, data, folder)
    except (DesignError, InferenceError) as error:
        key, content = "", refuse_association(name, item, str(error))
    record = _Record(
        step_key=key, protocol_sha256=protocol_sha256(inputs.protocol), content=content
    )
    write_json(folder / "association.json", asdict(record))
    return content


def _folder(inputs: GroupInputs, name: str) -> Path:
    return inputs.out_dir / "group" / f"association-{name.replace('_', '')}"


def store_association(inputs: GroupInputs, content: AssociationContent) -> None:
    """Put what a family makes of an association in its record, and keep it alone beside that.

    Parameters
    ----------
    inputs : GroupInputs
    content : AssociationContent
        After its family.
    """
    path = _folder(inputs, content.name) / "association.json"
    record = read_json(path)
    alone = cast("dict[str, object]", record.get("alone") or record["content"])
    settled = {**alone, "verdict": content.verdict, "sentence": content.sentence}
    if settled != record["content"]:
        kept = None if settled == alone else alone
        write_json(path, {**record, "content": settled, "alone": kept})


def _key(
    inputs: GroupInputs, item: Association, settings: Inference, data: AssociationData
) -> str:
    scale = inputs.protocol.scales[item.scale]
    return hash_parameters(
        {
            "record": RECORD,
            "association": item.model_dump(mode="json"),
            "inference": settings.model_dump(mode="json"),
            "scale": scale.model_dump(mode="json"),
            "subjects": data.subjects,
            "groups": data.groups,
            "nuisance": None if data.nuisance is None else data.nuisance.tolist(),
            "sources": data.sources,
        }
    )


def _read(folder: Path, key: str) -> AssociationContent | None:
    try:
        record = TypeAdapter(_Record).validate_python(read_json(folder / "association.json"))
    except (DatasetError, ValidationError):  # none, or not of this version
        return None
    return (record.alone or record.content) if record.step_key == key else None


def _compute(
    inputs: GroupInputs,
    name: str,
    item: Association,
    settings: Inference,
    data: AssociationData,
    folder: Path,
) -> AssociationContent:
    groups = data.groups if any(data.groups) else None
    design = association_design(
        data.score,
        subjects=data.subjects,
        method=item.method,
        nuisance=data.nuisance,
        groups=groups,
    )
    if item.method == "spearman":
        settings = settings.model_copy(update={"statistic": "rank"})
    result = infer(
        design,
        data.Y,
        None,
        settings,
        alternative=item.alternative,
        space=space_of(data.outcomes, settings),
        n_threads=inputs.n_threads,
    )
    t = np.where(result.tested, result.statistic, 0.0)
    r = t / np.sqrt(t**2 + result.df)
    _write(inputs, folder, data, result, r)
    strongest = int(np.lexsort((-np.abs(t), result.pvalue_corrected))[0])
    single = data.Y.shape[1] == 1
    other = "spearman" if item.method == "pearson" else "pearson"
    own = _correlate(data, item.method, strongest, settings.confidence)
    beside = _correlate(data, other, strongest, settings.confidence)
    found = float(result.pvalue_corrected[strongest]) <= settings.alpha
    place = "" if single else _place(inputs, data, strongest)
    n_tested = int(result.tested.sum())
    shuffled, null = shuffling_words(inputs, item, design)
    return AssociationContent(
        name=name,
        text=item.text,
        role=item.role,
        verdict="found" if found else "not found",
        sentence=answer_sentence(inputs, item, data, result, own, strongest, settings),
        method=item.method,
        n=len(data.subjects),
        r=float(own.r[0]),
        ci_low=float(own.low[0]),
        ci_high=float(own.high[0]),
        pvalue=float(result.pvalue_uncorrected[strongest]),
        pvalue_rank=float(beside.pvalue[0]),
        points=_points(data, strongest),
        x_label=outcome_label(inputs, item),
        y_label=score_label(inputs, item),
        confidence=settings.confidence,
        place=place,
        pvalue_corrected=None if n_tested == 1 else float(result.pvalue_corrected[strongest]),
        corrected_over="" if n_tested == 1 else f"{n_tested:,} outcomes",
        partial=item.partial,
        circular=None if single else _circular(item, data, groups),
        prediction=_predict(item, data, groups, settings),
        notes=(
            *design.notes,
            *((data.outcomes.note,) if data.outcomes.note else ()),
            *words_beside(own, result, strongest, settings),
        ),
        shuffled=shuffled,
        null=null,
        n_permutations=result.n_permutations,
        n_distinct=result.n_distinct,
        exhaustive=result.exhaustive,
        sentences=tuple(
            in_groups(inputs.protocol, text) for text in (*design.sentences, *result.sentences)
        ),
    )


def _correlate(data: AssociationData, method: str, index: int, confidence: float) -> Correlation:
    column = data.Y[:, [index]]
    has = np.isfinite(column[:, 0])
    return correlate(
        column[has],
        data.score[has],
        method="spearman" if method == "spearman" else "pearson",
        nuisance=None if data.nuisance is None else data.nuisance[has],
        groups=[g for g, h in zip(data.groups, has, strict=True) if h]
        if any(data.groups)
        else None,
        confidence=confidence,
    )


def _write(
    inputs: GroupInputs,
    folder: Path,
    data: AssociationData,
    result: InferenceResult,
    r: Float[np.ndarray, " n_outcomes"],
) -> None:
    corrected = f"p{result.method.replace('_', '')}"
    maps = {
        "r": r,
        "t": result.statistic,
        "puncorrected": result.pvalue_uncorrected,
        "qfdr" if result.method == "fdr" else corrected: result.pvalue_corrected,
    }
    sidecar = {
        "Description": "Correlation with the score over participants; r of places that were "
        "selected for their height is too large.",
        "Method": result.method,
        "NumberOfPermutations": result.n_permutations,
        "Participants": [f"sub-{subject}" for subject in data.subjects],
        "ProtocolSHA256": protocol_sha256(inputs.protocol),
    }
    outcomes = data.outcomes
    if outcomes.kind == "map" and outcomes.affine is not None:
        for name, values in maps.items():
            path = folder / f"{folder.name}_stat-{name}_statmap.nii.gz"
            write_image(path, fill(outcomes, values), outcomes.affine, sidecar)
        return
    table = pd.DataFrame({"name": outcomes.names, **maps})
    write_table(folder / f"{folder.name}_stats.tsv", table, sidecar)


def _place(inputs: GroupInputs, data: AssociationData, index: int) -> str:
    outcomes = data.outcomes
    if outcomes.mask is None or outcomes.affine is None:
        return outcomes.names[index]
    voxel = np.argwhere(outcomes.mask)[index]
    position = voxel @ outcomes.affine[:3, :3].T + outcomes.affine[:3, 3]
    label = inputs.labels.label_of(position)
    return f"{label} ({', '.join(f'{mm:.0f}' for mm in position)}) mm".strip()


def _points(
    data: AssociationData, index: int
) -> dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]]:
    found = {}
    column = data.Y[:, index]
    for group in sorted(set(data.groups)):
        own = [k for k, g in enumerate(data.groups) if g == group and math.isfinite(column[k])]
        found[group or "everyone"] = (
            tuple(column[own].tolist()),
            tuple(data.score[own].tolist()),
            tuple(data.subjects[k] for k in own),
        )
    return found


def _without(
    values: Float[np.ndarray, "n ..."], data: AssociationData, groups: tuple[str, ...] | None
) -> Float[np.ndarray, "n ..."]:
    """Take arms and nuisance out."""
    labels = groups or ("",) * len(data.subjects)
    columns = [[label == level for label in labels] for level in sorted(set(labels))]
    Z = np.array(columns, dtype=np.float64).T
    if data.nuisance is not None:
        Z = np.column_stack([Z, data.nuisance])
    Q = np.linalg.qr(Z)[0]
    return np.asarray(values - Q @ (Q.T @ values))


def _circular(
    item: Association, data: AssociationData, groups: tuple[str, ...] | None
) -> CircularContent | None:
    complete = np.isfinite(data.Y).all(axis=0)
    if not complete.any():
        return None
    found = circular_selection(
        _without(data.Y[:, complete], data, groups),
        _without(data.score, data, groups),
        threshold=SELECTED_P,
        alternative=item.alternative,
    )
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
    data: AssociationData,
    groups: tuple[str, ...] | None,
    settings: Inference,
) -> PredictionContent | None:
    if item.prediction is None:
        return None
    complete = np.isfinite(data.Y).all(axis=0)
    n_folds = min(item.prediction.folds, len(data.subjects))
    folds = assign_folds(len(data.subjects), n_folds, seed=settings.seed, groups=groups)
    least_squares = item.prediction.model == "ols"
    found = predict_across_folds(
        data.Y[:, complete],
        data.score,
        folds,
        model=Ridge(penalties=(0.0,)) if least_squares else Ridge(),
        groups=groups,
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
