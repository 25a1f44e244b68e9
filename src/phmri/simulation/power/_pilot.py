"""What an earlier run tells of variation, reliability and effects."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from phmri.dataset import read_json, read_table
from phmri.exceptions import DatasetError, PhmriError, Problem, SimulationError
from phmri.group import Estimate, effect_size_interval
from phmri.protocol import Parallel, Protocol, Question
from phmri.simulation.power._asked import outcome_label

__all__ = ["Pilot", "PilotOutcome", "read_pilot"]

SURE = 0.6
"""Coverage of the interval whose lower end is planned with: 80 % one-sided."""
FEWEST = 4
COLUMNS = ("participant_id", "session_id", "group", "outcome", "unit", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotOutcome:
    """What a pilot tells of one outcome.

    Parameters
    ----------
    sd : float
        Between people of a group at one session, pooled, in ``unit``.
    df : int
        Degrees of freedom of ``sd``.
    correlation : float or None
        Of two sessions of one person within groups; None where nobody has two.
    n_pairs : int
        People behind it.
    unit : str
        Of the measure.
    """

    sd: float
    df: int
    correlation: float | None
    n_pairs: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """An earlier run as planning sees it.

    Parameters
    ----------
    outcomes : dict of str to PilotOutcome
        By the outcome's name in the table of analysis.
    reliabilities : dict of str to float
        Measure -> intraclass correlation, of a map its median.
    effects : dict of str to float
        Question -> lower 80 % limit of the absolute standardised effect, as the estimator
        standardises it; above 0.
    sentences : tuple of str
        What was read, and from what.
    """

    outcomes: dict[str, PilotOutcome]
    reliabilities: dict[str, float]
    effects: dict[str, float]
    sentences: tuple[str, ...]

    def correlation_of(self, question: Question) -> float | None:
        """Give the correlation of two sessions of a question's outcome.

        Parameters
        ----------
        question : Question

        Returns
        -------
        float or None
            Of the outcome itself, else the reliability of its measure; at least 0 and at most
            0.99.
        """
        own = self.outcomes.get(outcome_label(question))
        known = own.correlation if own is not None else None
        if known is None:
            known = self.reliabilities.get(question.measure)
        return None if known is None else min(max(known, 0.0), 0.99)


def read_pilot(protocol: Protocol, out_dir: Path) -> Pilot:
    """Read what an earlier run tells for planning.

    Parameters
    ----------
    protocol : Protocol
        Of the trial that is planned; outcomes and questions count by their names.
    out_dir : Path
        Output of ``phmri run``.

    Returns
    -------
    Pilot

    Raises
    ------
    SimulationError
        When the folder holds no group results, or none that the protocol asks for.
    """
    group = out_dir / "group"
    if not group.is_dir():
        raise SimulationError(
            Problem(
                what="no group results of an earlier run",
                file=str(out_dir),
                field="--pilot",
                expected="OUT_DIR of a finished 'phmri run … group' or 'all'",
            )
        )
    outcomes = _outcomes(protocol, group)
    reliabilities = _reliabilities(protocol, group)
    effects = _effects(protocol, group)
    if not (outcomes or reliabilities or effects):
        raise SimulationError(
            Problem(
                what="the earlier run tells nothing of what this protocol asks",
                file=str(group),
                field="--pilot",
                expected="outcomes, reliabilities or questions of the same names",
            )
        )
    return Pilot(
        outcomes=outcomes,
        reliabilities=reliabilities,
        effects=effects,
        sentences=_sentences(out_dir, outcomes, reliabilities, effects),
    )


def _outcomes(protocol: Protocol, group: Path) -> dict[str, PilotOutcome]:
    path = group / "analysis.tsv"
    if not path.is_file():
        return {}
    table = read_table(path, text_columns=("participant_id", "session_id", "group", "outcome"))
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise SimulationError(
            Problem(
                what="no table of analysis of this version",
                file=str(path),
                found=f"no column {', '.join(missing)}",
            )
        )
    found: dict[str, PilotOutcome] = {}
    for question in protocol.questions.values():
        label = outcome_label(question)
        rows = table[(table["outcome"] == label) & table["value"].notna()]
        one = _outcome(protocol, question, rows)
        # Of several questions about an outcome the first that has two sessions tells most.
        if one is not None and (label not in found or found[label].correlation is None):
            found[label] = one
    return found


def _outcome(protocol: Protocol, question: Question, rows: pd.DataFrame) -> PilotOutcome | None:
    """Pool variances and correlations within groups and sessions."""
    cells = rows.assign(value=rows["value"].astype(float)).pivot_table(
        index=["group", "participant_id"], columns="session_id", values="value"
    )
    centred = cells - cells.groupby(level="group").transform("mean")
    if isinstance(protocol.design, Parallel):
        asked = [one for one in (question.baseline, question.session) if one in cells.columns]
    else:
        asked = list(cells.columns)
    last = asked[-1:] if isinstance(protocol.design, Parallel) else asked
    squares, df = 0.0, 0
    for session in last:
        known = centred[session].dropna()
        squares += float((known**2).sum())
        df += known.size - known.index.get_level_values("group").nunique()
    if df < FEWEST or not squares > 0:
        return None
    correlation, n_pairs = None, 0
    if len(asked) > 1:
        pairs = cells[asked[:2]].dropna()
        pairs = pairs - pairs.groupby(level="group").transform("mean")
        first, second = pairs.to_numpy(np.float64).T
        n_pairs = first.size
        scale = math.sqrt(float(first @ first) * float(second @ second))
        if n_pairs > FEWEST and scale > 0:
            correlation = float(first @ second) / scale
    return PilotOutcome(
        sd=math.sqrt(squares / df),
        df=df,
        correlation=correlation,
        n_pairs=n_pairs,
        unit=str(rows["unit"].iloc[0]),
    )


def _reliabilities(protocol: Protocol, group: Path) -> dict[str, float]:
    found = {}
    for name, item in protocol.reliability.items():
        path = group / f"reliability-{name.replace('_', '')}" / "reliability.json"
        if not path.is_file():
            continue
        result = read_json(path).get("result")
        if not isinstance(result, dict):
            continue
        numbers, spread = result.get("numbers"), result.get("spread")
        value = None
        if isinstance(numbers, dict):
            value = numbers.get("icc")
        elif isinstance(spread, dict):
            value = spread.get("percentiles", {}).get("median")
        if isinstance(value, int | float):
            found[item.measure] = float(value)
    return found


def _effects(protocol: Protocol, group: Path) -> dict[str, float]:
    """Give cautious effects of questions about one number."""
    found = {}
    for name in protocol.questions:
        stem = f"question-{name.replace('_', '')}"
        path = group / stem / f"{stem}_stats.tsv"
        if not path.is_file():
            continue
        try:
            table = read_table(path, text_columns=("name",))
            df = read_json(path.with_suffix(".json")).get("DegreesOfFreedom")
        except DatasetError:
            continue
        if len(table) != 1 or not isinstance(df, int | float) or "t" not in table.columns:
            continue
        row = table.iloc[0]
        estimate = Estimate(
            effect=np.array([float(row["effect"])]),
            se=np.array([float(row["se"])]),
            t=np.array([float(row["t"])]),
            df=float(df),
            d=np.array([float(row["d"])]),
        )
        try:
            low, high = effect_size_interval(estimate, SURE)
        except PhmriError:
            continue
        nearer = min(abs(low), abs(high))
        if low * high > 0 and math.isfinite(nearer):
            found[name] = nearer
    return found


def _sentences(
    out_dir: Path,
    outcomes: dict[str, PilotOutcome],
    reliabilities: dict[str, float],
    effects: dict[str, float],
) -> tuple[str, ...]:
    said = [f"Pilot: {out_dir}."]
    for label, one in outcomes.items():
        text = f"{label}: SD {one.sd:.4g} {one.unit} ({one.df} df)"
        if one.correlation is not None:
            text += f", correlation of two sessions {one.correlation:.2f} (n = {one.n_pairs})"
        said.append(text + ".")
    said += [f"{measure}: ICC {value:.2f}." for measure, value in reliabilities.items()]
    said += [
        f"{name}: standardised effect at least {value:.2f} (lower 80 % limit)."
        for name, value in effects.items()
    ]
    return tuple(said)
