"""The subject-level analysis table: what a statistician needs to run every answer again elsewhere.

One row per participant, planned session and outcome that is one number; what is a map has no
row, as numbers read off it would have been chosen by the test.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from phmri.dataset import Cell, read_table, source_of, write_parquet, write_table
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._asked import GroupInputs, question_folder
from phmri.pipeline._measure_words import question_unit
from phmri.pipeline._populations import count_in
from phmri.pipeline._units import is_number
from phmri.protocol import Protocol, Question, protocol_sha256

__all__ = ["write_analysis_table"]

COLUMNS = {
    "participant_id": "Participant.",
    "session_id": "Session.",
    "group": "Arm or sequence that the participant was randomised to.",
    "period": "Number of the period, in a crossover.",
    "phase": "Phase of the session: baseline, acute or sustained.",
    "treatment": "What the participant had received by this session.",
    "outcome": "Name of the outcome: measure or scale, with map, region or place.",
    "unit": "Unit of value, value_analysed, baseline and change.",
    "value": "The outcome as it was measured or rated; n/a where there is none.",
    "value_analysed": "The value that answers count on: after intercurrent events by their "
    "strategy, n/a where one takes it out, a score where one stands for it.",
    "baseline": "value_analysed in the session of phase baseline, in a crossover in that of the "
    "same period, where there is one.",
    "change": "value_analysed minus baseline.",
    "status": "ok, missing, excluded, or another reason for which there is no value.",
    "reason": "Why there is none, in words.",
    "mean_fd_mm": "Mean framewise displacement of the run, in mm.",
    "questions": "Questions that this value answers, separated by commas.",
}


def write_analysis_table(inputs: GroupInputs, results: Sequence[QuestionAnswer]) -> Path | None:
    """Write ``group/analysis.tsv`` with its data dictionary, and the same as Parquet.

    Parameters
    ----------
    inputs : GroupInputs
    results : sequence of QuestionAnswer

    Returns
    -------
    Path or None
        The table of text; None where no question is about one number.
    """
    outcomes = _outcomes(inputs, results)
    if not outcomes:
        return None
    rows = [row for label, members in outcomes.items() for row in _rows(inputs, label, members)]
    table = pd.DataFrame(rows)
    extra = [name for name in table.columns if name not in COLUMNS]
    table = table[[*COLUMNS, *extra]]
    events = [f"event_{name}" for name in inputs.happened]
    table = table.astype(dict.fromkeys(events, "boolean"))
    path = inputs.out_dir / "group" / "analysis.tsv"
    write_parquet(path.with_suffix(".parquet"), table)
    return write_table(path, table, _dictionary(inputs, extra))


def _outcomes(
    inputs: GroupInputs, results: Sequence[QuestionAnswer]
) -> dict[str, list[QuestionAnswer]]:
    """Bring together the questions about one outcome."""
    found: dict[str, list[QuestionAnswer]] = {}
    for result in results:
        question = inputs.protocol.questions[result.claim.question]
        if is_number(inputs.protocol, question) and result.claim.verdict != "refused":
            found.setdefault(_label(question), []).append(result)
    return found


def _label(question: Question) -> str:
    where = question.where.mean_of or question.where.at
    parts = (question.measure, question.map, question.denoising, where)
    return ":".join(part for part in parts if part)


def _rows(
    inputs: GroupInputs, label: str, members: Sequence[QuestionAnswer]
) -> list[dict[str, object]]:
    protocol = inputs.protocol
    question = protocol.questions[members[0].claim.question]
    source = source_of(protocol, question.measure)
    every = inputs.check.ratings if question.measure in protocol.scales else inputs.check.cells
    cells = [cell for cell in every if cell.scan == source and cell.status != "not planned"]
    values: dict[tuple[str, str], float] = {}
    for member in members:
        values |= member.content.values  # noqa: PD011 - no table
    used = {member.claim.question: _used(inputs, member.claim.question) for member in members}
    analysed = _analysed(inputs, question, cells, values)
    baselines = {
        _period_of(protocol, cell): analysed[cell.subject, cell.session]
        for cell in cells
        if protocol.sessions[cell.session].phase == "baseline"
        and (cell.subject, cell.session) in analysed
    }
    unit = question_unit(protocol, question)
    return [
        {
            **_place(inputs, cell),
            "outcome": label,
            "unit": unit,
            "value": (value := values.get((cell.subject, cell.session), np.nan)),
            "value_analysed": (counts := analysed.get((cell.subject, cell.session), np.nan)),
            "baseline": (before := baselines.get(_period_of(protocol, cell), np.nan)),
            "change": counts - before,
            **_standing(inputs, cell, measured=math.isfinite(value)),
            "questions": ",".join(
                name for name, keys in used.items() if (cell.subject, cell.session) in keys
            ),
            **_people(inputs, cell, question.measure),
        }
        for cell in cells
    ]


def _period_of(protocol: Protocol, cell: Cell) -> tuple[str, int | None]:
    """Give participant and period, which a baseline belongs to; parallel trials have no period."""
    return cell.subject, protocol.sessions[cell.session].period


def _analysed(
    inputs: GroupInputs,
    question: Question,
    cells: Sequence[Cell],
    values: Mapping[tuple[str, str], float],
) -> dict[tuple[str, str], float]:
    """Give the values after intercurrent events, as answers take them."""
    counted = count_in(
        inputs.protocol, question.measure, inputs.check, inputs.happened, population=None
    )
    found = {
        key: value
        for key, value in values.items()
        if key[0] not in counted.left_out and key not in counted.missing
    }
    if question.measure in inputs.protocol.scales and question.map is None:
        rated = {(cell.subject, cell.session) for cell in cells} & found.keys()
        found |= {key: score for key, score in counted.scores.items() if key in rated}
    return found


def _used(inputs: GroupInputs, name: str) -> set[tuple[str, str]]:
    folder = question_folder(inputs, name)
    table = read_table(folder / f"{folder.name}_units.tsv", text_columns=("session", "used"))
    used = table[table["used"] == "True"]
    people = used["participant_id"].str.removeprefix("sub-")
    return set(zip(people, used["session"], strict=True))


def _place(inputs: GroupInputs, cell: Cell) -> dict[str, object]:
    visit = inputs.protocol.sessions[cell.session]
    return {
        "participant_id": f"sub-{cell.subject}",
        "session_id": f"ses-{cell.session}",
        "group": cell.group,
        "period": visit.period,
        "phase": visit.phase,
        "treatment": cell.treatment,
    }


def _standing(inputs: GroupInputs, cell: Cell, *, measured: bool) -> dict[str, object]:
    run = inputs.runs.get((cell.subject, cell.session, cell.scan))
    status, reason = cell.status, cell.reason
    if run is not None and run.manifest.excluded:
        status, reason = "excluded", run.manifest.excluded
    elif not measured and status == "ok":
        status, reason = "missing", "not measured"
    fd = None if run is None else run.manifest.mean_fd_mm
    return {"status": status, "reason": reason, "mean_fd_mm": fd}


def _people(inputs: GroupInputs, cell: Cell, measure: str) -> dict[str, object]:
    """Give covariates, intercurrent events and populations of a participant."""
    protocol, table = inputs.protocol, inputs.index.participants
    names = (
        *protocol.design.strata,
        *(name for question in protocol.questions.values() for name in question.covariates),
    )
    row: dict[str, object] = {
        f"covariate_{name}": table[name].get(cell.subject)
        for name in dict.fromkeys(names)
        if name in table
    }
    for name, pairs in inputs.happened.items():
        only = protocol.intercurrent_events[name].measures
        counts = only is None or measure in only
        row[f"event_{name}"] = (cell.subject, cell.session) in pairs if counts else None
    for name in protocol.populations:
        row[f"population_{name}"] = _belongs(inputs, measure, name, cell.subject)
    return row


def _belongs(inputs: GroupInputs, measure: str, population: str, subject: str) -> bool:
    counted = count_in(inputs.protocol, measure, inputs.check, inputs.happened, population)
    return subject not in counted.left_out


def _dictionary(inputs: GroupInputs, extra: Sequence[str]) -> Mapping[str, object]:
    protocol = inputs.protocol
    found: dict[str, object] = {name: {"Description": words} for name, words in COLUMNS.items()}
    for name in extra:
        kind, _, rest = name.partition("_")
        words = {
            "covariate": f"Column '{rest}' of participants.tsv.",
            "event": f"Whether the intercurrent event '{rest}' counts in this session; n/a for "
            "outcomes that it does not concern.",
            "population": f"Whether the participant is of the population '{rest}'.",
        }[kind]
        found[name] = {"Description": words}
        if kind == "event":
            found[name] = {"Description": words, **_strategy(protocol, rest)}
    return {**found, "ProtocolSHA256": protocol_sha256(protocol)}


def _strategy(protocol: Protocol, name: str) -> dict[str, object]:
    event = protocol.intercurrent_events[name]
    said = {
        "Strategy": event.strategy,
        "CompositeValue": event.composite_value if event.strategy == "composite" else None,
        "Outcomes": None if event.measures is None else list(event.measures),
    }
    return {key: value for key, value in said.items() if value is not None}
