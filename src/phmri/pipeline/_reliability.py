"""How well outcomes repeat themselves in the same people: estimated, described, kept."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import read_image, write_image, write_json, write_table
from phmri.exceptions import SAME_OUTCOME, DesignError, InferenceError
from phmri.group import bland_altman, crossed_components, intraclass_correlation
from phmri.pipeline._answers import fill
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._measure_words import name_outcome, name_score, question_unit
from phmri.pipeline._provenance import (
    FileRecord,
    are_there,
    hash_parameters,
    left_in,
    remove_outputs,
)
from phmri.pipeline._read_as import read_kept
from phmri.pipeline._reliability_data import (
    ReliabilityData,
    find_repeated,
    load_reliability,
    reliability_question,
)
from phmri.protocol import Reliability, protocol_sha256
from phmri.report import (
    ReliabilityContent,
    ReliabilityNumbers,
    ReliabilityResult,
    ReliabilitySpread,
)

__all__ = ["estimate_reliability", "try_reliability"]

FORMS = {"agreement": "ICC(2,1)", "consistency": "ICC(3,1)"}
CITED = (
    "Intraclass correlations and their intervals are those of a two-way analysis of variance "
    "[doi:10.1037/0033-2909.86.2.420, doi:10.1037/1082-989X.1.1.30]; variances of participants, "
    "sessions and error are estimated by restricted maximum likelihood and never negative."
)
DIFFER = (
    "The sessions differ in treatment: what a treatment changes in everybody alike counts as a "
    "difference between sessions, what it changes in some more than in others as error."
)

BINS = np.linspace(-1.0, 1.0, 41).round(2)
PERCENTILES = {"5th": 5, "25th": 25, "median": 50, "75th": 75, "95th": 95}
NOT_ESTIMABLE = 3
PAIR = 2
NOUNS = {"scalar": "outcome", "map": "voxels", "parcels": "parcels", "edges": "edges"}
Maps = dict[str, Float[np.ndarray, " n_outcomes"]]
FILE = "reliability.json"
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """``reliability.json``."""

    step_key: str
    protocol_sha256: str
    result: ReliabilityResult
    outputs: tuple[FileRecord, ...]


def estimate_reliability(
    inputs: GroupInputs, name: str, on_progress: OnProgress
) -> ReliabilityContent:
    """Estimate one reliability, or say why the data cannot.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.reliability``.
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.

    Returns
    -------
    ReliabilityContent
    """
    item = inputs.protocol.reliability[name]
    folder = inputs.out_dir / "group" / f"reliability-{name.replace('_', '')}"
    kept = read_kept(_Record, folder / FILE)
    earlier = kept.outputs if kept is not None else ()
    try:
        data = load_reliability(inputs, name)
        key = _key(inputs, item, data)
        if kept is not None and kept.step_key == key and are_there(kept.outputs, folder):
            return _with_map(folder, kept.result)
        remove_outputs(earlier, folder)
        on_progress(f"Reliability {name}", 0, 1)
        result = _compute(inputs, name, data, folder)
    except (DesignError, InferenceError) as error:
        remove_outputs(earlier, folder)
        key, result = "", _refusal(name, item, str(error))
    record = _Record(
        step_key=key,
        protocol_sha256=protocol_sha256(inputs.protocol),
        result=result,
        outputs=left_in(folder, record=FILE),
    )
    write_json(folder / FILE, asdict(record))
    return _with_map(folder, result)


def try_reliability(inputs: GroupInputs, name: str) -> str:
    """Say why a reliability will be refused, as far as that can be known beforehand.

    Parameters
    ----------
    inputs : GroupInputs
        With every run at hand as if it were measured.
    name : str
        Key in ``protocol.reliability``.

    Returns
    -------
    str
        In the words of the refusal; empty where nothing is known against it. Scores of a scale
        are tried, which wait for no run.
    """
    item = inputs.protocol.reliability[name]
    try:
        if item.measure in inputs.protocol.scales:
            data = load_reliability(inputs, name)
            _estimate(data.Y, FORMS[item.kind], inputs.protocol.inference.confidence)
        else:
            find_repeated(inputs, name)
    except (DesignError, InferenceError) as error:
        return "; ".join(str(error).splitlines())
    return ""


def _key(inputs: GroupInputs, item: Reliability, data: ReliabilityData) -> str:
    scale = inputs.protocol.scales.get(item.measure)
    return hash_parameters(
        {
            "reliability": item.model_dump(mode="json"),
            "confidence": inputs.protocol.inference.confidence,
            "scale": None if scale is None else scale.model_dump(mode="json"),
            "subjects": data.subjects,
            "groups": data.groups,
            "occasions": data.occasions,
            "regions": [region.source for region in inputs.regions.values()],
            "sources": data.sources,
        }
    )


def _with_map(folder: Path, result: ReliabilityResult) -> ReliabilityContent:
    """Add the map that is drawn, where the outcome is one."""
    path = _map_path(folder, "icc")
    if result.verdict == "refused" or result.spread is None or not path.is_file():
        return ReliabilityContent(result=result)
    image = read_image(path, allow_nan=True)
    return ReliabilityContent(
        result=result, icc_map=image.data.astype(np.float64), affine=image.affine
    )


def _compute(
    inputs: GroupInputs, name: str, data: ReliabilityData, folder: Path
) -> ReliabilityResult:
    item, confidence = inputs.protocol.reliability[name], inputs.protocol.inference.confidence
    maps = _estimate(data.Y, FORMS[item.kind], confidence)
    _write(inputs, folder, item, data, maps)
    question = reliability_question(inputs.protocol, item)
    words = (
        name_score(inputs.protocol, question)
        if item.measure in inputs.protocol.scales
        else name_outcome(inputs.protocol.measures[item.measure], question)
    )
    single = data.Y.shape[2] == 1
    result = ReliabilityResult(
        name=name,
        text=item.text,
        verdict="estimated",
        sentence="",
        form=FORMS[item.kind],
        n=len(data.subjects),
        occasions=data.occasions,
        label=words,
        unit=question_unit(inputs.protocol, question),
        confidence=confidence,
        numbers=_numbers(data, maps) if single else None,
        spread=None if single else _spread(maps),
        points=_points(data) if single else None,
        notes=(
            CITED,
            *((DIFFER,) if data.differ else ()),
            *((data.outcomes.note,) if data.outcomes.note else ()),
        ),
    )
    return replace(result, sentence=_sentence(result, data))


def _estimate(
    Y: Float[np.ndarray, "n_participants n_occasions n_outcomes"], form: str, confidence: float
) -> Maps:
    """Give the maps of a reliability; NaN where someone has no data.

    Raises
    ------
    DesignError
        No outcome is known of everyone, or none varies.
    """
    complete = np.isfinite(Y).all(axis=(0, 1))
    if not complete.any():
        raise DesignError("no outcome has data of every participant in every session")
    found = intraclass_correlation(Y[:, :, complete], confidence=confidence)
    parts = crossed_components(Y[:, :, complete])
    row = found.forms.index(form)
    numbers: Maps = {
        "icc": found.icc[row],
        "icclow": found.low[row],
        "icchigh": found.high[row],
        "varparticipant": parts.participant,
        "varsession": parts.session,
        "varresidual": parts.residual,
        "sem": found.error_of_measurement,
        "smallestchange": found.smallest_change,
        "status": parts.status.astype(np.float64),
    }
    maps = {}
    for name, values in numbers.items():
        maps[name] = np.full(complete.size, float(NOT_ESTIMABLE) if name == "status" else np.nan)
        maps[name][complete] = values
    if (maps["status"] == NOT_ESTIMABLE).all():
        raise DesignError(f"{SAME_OUTCOME} and session")
    return maps


def _numbers(data: ReliabilityData, maps: Maps) -> ReliabilityNumbers:
    agreement = None
    if data.Y.shape[1] == PAIR:
        found = bland_altman(data.Y[:, 0], data.Y[:, 1])
        low, high = found.limits[:, 0].tolist()
        agreement = (float(found.bias[0]), low, high)
    return ReliabilityNumbers(
        icc=float(maps["icc"][0]),
        low=float(maps["icclow"][0]),
        high=float(maps["icchigh"][0]),
        participant=float(maps["varparticipant"][0]),
        session=float(maps["varsession"][0]),
        residual=float(maps["varresidual"][0]),
        error_of_measurement=float(maps["sem"][0]),
        smallest_change=float(maps["smallestchange"][0]),
        agreement=agreement,
    )


def _spread(maps: Maps) -> ReliabilitySpread:
    known = maps["status"] != NOT_ESTIMABLE
    icc = maps["icc"][known]
    parts = np.stack([maps[f"var{of}"][known] for of in ("participant", "session", "residual")])
    people, sessions, error = np.median(100.0 * parts / parts.sum(axis=0), axis=1).tolist()
    counts = np.histogram(np.clip(icc, BINS[0], BINS[-1]), BINS)[0]
    return ReliabilitySpread(
        n_outcomes=known.size,
        n_unknown=int((~known).sum()),
        percentiles={name: float(np.percentile(icc, q)) for name, q in PERCENTILES.items()},
        shares=(people, sessions, error),
        edges=tuple(BINS.tolist()),
        counts=tuple(counts.tolist()),
    )


def _points(data: ReliabilityData) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    found = {}
    for group in sorted(set(data.groups)):
        own = [k for k, label in enumerate(data.groups) if label == group]
        first, second = (tuple(data.Y[own, k, 0].tolist()) for k in (0, 1))
        found[group or "everyone"] = (first, second)
    return found


def _sentence(result: ReliabilityResult, data: ReliabilityData) -> str:
    people = f"n = {result.n}, {len(data.occasions)} sessions"
    label = result.label[:1].upper() + result.label[1:]
    if result.numbers is not None:
        found = result.numbers
        interval = f"{100 * result.confidence:g} % CI {found.low:.2f} to {found.high:.2f}"
        return (
            f"{label} repeated itself with {result.form} {found.icc:.2f} ({interval}; {people}). "
            f"Changes of one participant of up to {found.smallest_change:.2g} {result.unit} may "
            "be error alone."
        ).replace("-", "−")
    if result.spread is None:
        return ""
    spread, noun = result.spread, NOUNS[data.outcomes.kind]
    n_known = spread.n_outcomes - spread.n_unknown
    low, middle, high = (spread.percentiles[name] for name in ("25th", "median", "75th"))
    text = f"{middle:.2f} (middle half {low:.2f} to {high:.2f}".replace("-", "−")
    return f"{label} had a median {result.form} of {text}; {n_known:,} {noun}; {people})."


def _map_path(folder: Path, statistic: str) -> Path:
    return folder / f"{folder.name}_stat-{statistic}_statmap.nii.gz"


def _table_path(folder: Path) -> Path:
    return folder / f"{folder.name}_stats.tsv"


def _write(
    inputs: GroupInputs, folder: Path, item: Reliability, data: ReliabilityData, maps: Maps
) -> None:
    sidecar = {
        "Description": "Intraclass correlation with its interval, variances of participants, "
        "sessions and error (never negative), standard error of measurement, and the change of "
        "one participant that error alone exceeds in 5 %.",
        "Form": FORMS[item.kind],
        "Confidence": inputs.protocol.inference.confidence,
        "Sessions": list(data.occasions),
        "Participants": [f"sub-{subject}" for subject in data.subjects],
        "StatusLevels": {
            "0": "estimated",
            "1": "a variance is at its boundary of 0",
            "3": "does not vary, or data are missing",
        },
        "ProtocolSHA256": protocol_sha256(inputs.protocol),
    }
    outcomes = data.outcomes
    if outcomes.kind == "map" and outcomes.affine is not None:
        for name, values in maps.items():
            write_image(_map_path(folder, name), fill(outcomes, values), outcomes.affine, sidecar)
        return
    table = pd.DataFrame({"name": outcomes.names, **maps})
    write_table(_table_path(folder), table, sidecar)


def _refusal(name: str, item: Reliability, reason: str) -> ReliabilityResult:
    return ReliabilityResult(
        name=name,
        text=item.text,
        verdict="refused",
        sentence=f"This was not estimated: {'; '.join(reason.splitlines()).rstrip('.')}.",
        form=FORMS[item.kind],
    )
