"""Answers on disk: what a question leaves in its folder, and how it is read back."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import (
    read_image,
    read_table,
    write_image,
    write_table,
)
from phmri.exceptions import DesignError
from phmri.inference import Claim, Outcomes, claim_from_dict, claim_to_dict, make_refusal
from phmri.pipeline._answer_record import AnswerRecord, kept_record, read_record, write_record
from phmri.pipeline._answer_tables import (
    Answer,
    clusters_table,
    name_statistics,
    peaks_table,
    units_table,
    values_label,
)
from phmri.pipeline._loading import LoadedOutcomes
from phmri.pipeline._provenance import FileRecord, is_current, remove_outputs
from phmri.pipeline._treatment_words import say_treatments
from phmri.protocol import Inference, Protocol, Question, protocol_sha256
from phmri.report import QuestionContent

__all__ = [
    "QuestionAnswer",
    "answered_under",
    "fill",
    "read_answer",
    "refuse_question",
    "write_answer",
]


DENOISINGS = (
    "What other denoisings would have answered: effect, interval and uncorrected p at the outcome "
    "that the question's own denoising found strongest, and the least corrected p of each."
)
NUISANCE = (
    "Whether motion, global signal, physiology and the regressors themselves differ, by the model "
    "of the question; p uncorrected."
)
STATUS_CODES = {
    "0": "fitted",
    "1": "fitted, with a variance component at its boundary",
    "2": "not converged",
    "3": "not estimable, or the outcome does not vary",
}
HAVE_CLUSTERS = {"map", "edges"}
"""Outcomes with neighbours; without a cluster their table is its head alone."""
CLUSTERS = {
    "Description": "Clusters and components; x, y, z is the centre of mass in mm. The p of a "
    "cluster says that something in it differs, not that every part of it does. Effects at peaks "
    "were chosen for their height and are biased away from zero."
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswer:
    """An answer as it stands on disk, with what the report draws of it.

    Parameters
    ----------
    claim : Claim
    content : QuestionContent
    kept : bool
        It was there from before, and nothing that it depends on has changed.
    """

    claim: Claim
    content: QuestionContent
    kept: bool


def fill(
    outcomes: LoadedOutcomes, values: Float[np.ndarray, " n_outcomes"]
) -> Float[np.ndarray, "x y z"]:
    """Put values back where their voxels are.

    Parameters
    ----------
    outcomes : LoadedOutcomes
        Of a map.
    values : ndarray of shape (n_outcomes,)

    Returns
    -------
    ndarray of shape (x, y, z)
        NaN outside the tested voxels.

    Raises
    ------
    DesignError
        If the outcomes are no map.
    """
    if outcomes.mask is None:
        raise DesignError("a table has no voxels to fill")
    volume = np.full(outcomes.mask.shape, np.nan)
    volume[outcomes.mask] = values
    return volume


def write_answer(
    protocol: Protocol, folder: Path, answer: Answer, *, key: str, paths: Sequence[Path]
) -> QuestionAnswer:
    """Write maps or tables, participants' values, peaks, and last the claim.

    Parameters
    ----------
    protocol : Protocol
    folder : Path
    answer : Answer
    key : str
        What the answer depends on besides files.
    paths : sequence of Path
        Files that it depends on.

    Returns
    -------
    QuestionAnswer
    """
    stem = folder.name
    claim = say_treatments(protocol, answer.claim)
    _remove_earlier(folder)
    sources = [FileRecord.of(path) for path in paths]
    sidecar = {
        "Question": claim.text,
        "Contrast": list(protocol.questions[claim.question].contrast),
        "Method": answer.result.method,
        "Statistic": answer.result.statistic_name,
        "DegreesOfFreedom": claim.df,
        "NumberOfPermutations": answer.result.n_permutations,
        "Exhaustive": answer.result.exhaustive,
        "ProtocolSHA256": protocol_sha256(protocol),
        "StepKey": key,
        "Sources": [source.path for source in sources],
    }
    outputs = [*_write_statistics(folder, answer, sidecar), folder / f"{stem}_units.tsv"]
    label = values_label(answer)
    write_table(outputs[-1], units_table(answer), {**sidecar, "Description": label})
    outputs.append(folder / f"{stem}_peaks.tsv")
    chosen = {"Description": "The strongest outcomes, chosen for their height."}
    df = [float(answer.result.df[peak.index]) for peak in claim.peaks]
    write_table(outputs[-1], peaks_table(claim).assign(df=df), {**sidecar, **chosen})
    if answer.outcomes.kind in HAVE_CLUSTERS:
        outputs.append(folder / f"{stem}_clusters.tsv")
        write_table(outputs[-1], clusters_table(claim), {**sidecar, **CLUSTERS})
    for name, rows, description in (
        ("denoisings", answer.beside.variants, DENOISINGS),
        ("nuisance", answer.beside.nuisance, NUISANCE),
    ):
        if rows:
            outputs.append(folder / f"{stem}_{name}.tsv")
            table = pd.DataFrame([asdict(row) for row in rows])
            write_table(outputs[-1], table, {**sidecar, "Description": description})
    if answer.result.n_permutations:
        outputs.append(folder / f"{stem}_null.tsv")
        nulls = {method: test.null_maximum for method, test in answer.result.tests.items()}
        maxima = {"Description": "Largest value over the outcomes in every shuffling."}
        write_table(outputs[-1], pd.DataFrame(nulls), {**sidecar, **maxima})
    record = AnswerRecord(
        step_key=key,
        protocol_sha256=protocol_sha256(protocol),
        sources=tuple(sources),
        outputs=tuple(map(FileRecord.of, outputs)),
        values_label=label,
        claim=claim_to_dict(claim),
        beside=answer.beside,
    )
    write_record(folder, record)
    return _read(folder, kept=False)


def _map_path(folder: Path, statistic: str) -> Path:
    return folder / f"{folder.name}_stat-{statistic}_statmap.nii.gz"


def _write_statistics(folder: Path, answer: Answer, sidecar: dict[str, object]) -> list[Path]:
    outcomes = answer.outcomes
    if outcomes.kind != "map" or outcomes.affine is None:
        path = folder / f"{folder.name}_stats.tsv"
        write_table(
            path, pd.DataFrame({"name": outcomes.names, **name_statistics(answer)}), sidecar
        )
        return [path]
    paths = []
    for name, values in name_statistics(answer).items():
        paths.append(_map_path(folder, name))
        write_image(paths[-1], fill(outcomes, values), outcomes.affine, sidecar)
    if answer.whole is not None and answer.status is not None:
        paths.append(_map_path(folder, "status"))
        codes = {"Levels": STATUS_CODES}
        whole = fill(answer.whole, answer.status)
        write_image(paths[-1], whole, outcomes.affine, {**sidecar, **codes})
    return paths


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier answer wrote: another method may write other files."""
    record = kept_record(folder)
    remove_outputs(record.outputs if record is not None else (), folder)


def answered_under(folder: Path) -> str:
    """Tell under which key a question was answered.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Empty when it was not, or refused.
    """
    record = kept_record(folder)
    return "" if record is None else record.step_key


def read_answer(folder: Path, key: str, paths: Sequence[Path]) -> QuestionAnswer | None:
    """Read an answer that needs not be computed again.

    Parameters
    ----------
    folder : Path
    key : str
        What the answer depends on besides files, as it would be now.
    paths : sequence of Path
        Files that it depends on.

    Returns
    -------
    QuestionAnswer or None
        None when there is none, or it is out of date.
    """
    record = kept_record(folder)
    if record is None:
        return None
    current = is_current(
        key,
        paths,
        finished_key=record.step_key,
        sources=record.sources,
        outputs=record.outputs,
        folder=folder,
    )
    return _read(folder, kept=True) if current else None


def _read(folder: Path, *, kept: bool) -> QuestionAnswer:
    record = read_record(folder)
    claim = claim_from_dict(record.alone or record.claim)
    units = read_table(folder / f"{folder.name}_units.tsv", text_columns=("session", "used"))
    subjects = units["participant_id"].str.removeprefix("sub-")
    keys = list(zip(subjects, units["session"], strict=True))
    values = dict(zip(keys, units["value"].to_numpy(np.float64).tolist(), strict=True))
    t_map = p_map = affine = None
    t_values: tuple[float, ...] = ()
    p_values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    statistic = "v" if claim.statistic == "v" else "t"
    corrected = "qfdr" if claim.method == "fdr" else f"p{claim.method.replace('_', '')}"
    if claim.outcome == "map":
        image = read_image(_map_path(folder, statistic), allow_nan=True)
        t_map, affine = image.data.astype(np.float64), image.affine
        p_image = read_image(_map_path(folder, corrected), allow_nan=True)
        p_map = p_image.data.astype(np.float64)
    else:
        table = read_table(folder / f"{folder.name}_stats.tsv", text_columns=("name",))
        t_values, names = tuple(table[statistic]), tuple(table["name"])
        p_values = tuple(table[corrected])
    content = QuestionContent(
        claim=claim,
        t_map=t_map,
        p_map=p_map,
        affine=affine,
        values=values,
        values_label=record.values_label,
        t_values=t_values,
        p_values=p_values,
        names=names,
        beside=record.beside,
        used=frozenset(compress(keys, units["used"] == "True")),
        peak_df=_peak_df(folder),
    )
    return QuestionAnswer(claim=claim, content=content, kept=kept)


def _peak_df(folder: Path) -> tuple[float, ...]:
    table = read_table(folder / f"{folder.name}_peaks.tsv", text_columns=("name",))
    if "df" not in table:  # written by an earlier version, and kept
        return ()
    return tuple(table["df"].to_numpy(np.float64).tolist())


def refuse_question(
    name: str,
    question: Question,
    reason: str,
    *,
    settings: Inference,
    labels: tuple[str, str],
    folder: Path,
) -> QuestionAnswer:
    """Say on disk that a question was not answered, and why.

    Parameters
    ----------
    name : str
    question : Question
    reason : str
    settings : Inference
    labels : tuple of str
        What the two sides of the contrast are called.
    folder : Path

    Returns
    -------
    QuestionAnswer
    """
    _remove_earlier(folder)
    outcomes = Outcomes(kind="scalar", unit="", measure=question.measure, labels=labels)
    claim = make_refusal(name, question, reason, outcomes=outcomes, settings=settings)
    record = AnswerRecord(
        step_key="",
        protocol_sha256="",
        sources=(),
        outputs=(),
        values_label="",
        claim=claim_to_dict(claim),
    )
    write_record(folder, record)
    content = QuestionContent(
        claim=claim, t_map=None, p_map=None, affine=None, values={}, values_label=""
    )
    return QuestionAnswer(claim=claim, content=content, kept=False)
