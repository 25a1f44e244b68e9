"""Who took part: participants, visits, and what they scored on rating scales."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from phmri.dataset import write_json
from phmri.protocol import Scale, treatment_of
from phmri.simulation._files import write_columns
from phmri.simulation._plan import Person, TrialPlan
from phmri.simulation._truth import ScaleTruth

__all__ = ["write_people"]

_SCALES = 3  # of the spawn key: a stream of its own


def write_people(root: Path, plan: TrialPlan) -> None:
    """Write participants, sessions and scales.

    Parameters
    ----------
    root : Path
        The BIDS root.
    plan : TrialPlan
        Who is scanned when.
    """
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(0, 0)))
    n, column = len(plan.people), plan.protocol.design.column
    table = {
        "participant_id": [f"sub-{person.label}" for person in plan.people],
        column: [person.group for person in plan.people],
        "sex": rng.choice(["F", "M"], size=n).tolist(),
        "age": rng.integers(18, 46, size=n).astype(str).tolist(),
    }
    described: dict[str, object] = {
        column: {"Description": "Arm or sequence that was drawn (SIMULATED)"},
        "sex": {"Levels": {"F": "female", "M": "male"}},
        "age": {"Description": "Age", "Units": "year"},
    }
    for exposure in plan.protocol.exposures.values():
        table[exposure.weight_column] = [f"{person.weight_kg:g}" for person in plan.people]
        described[exposure.weight_column] = {"Description": "Body weight", "Units": "kg"}
    write_columns(root / "participants.tsv", table)
    write_json(root / "participants.json", described)
    visits = plan.visits
    order = list(plan.protocol.sessions)
    for person in plan.people:
        write_columns(
            root / f"sub-{person.label}" / f"sub-{person.label}_sessions.tsv",
            {
                "session_id": [f"ses-{session}" for session in visits[person.label]],
                "acq_time": [
                    f"1900-{1 + person.index % 12:02d}-{1 + order.index(session):02d}T10:00:00"
                    for session in visits[person.label]
                ],
            },
        )
    for place, (name, truth) in enumerate(plan.truth.scales.items()):
        scale = plan.protocol.scales[name]
        key = (0, place, _SCALES, 0)
        rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=key))
        _write_scale(root / "phenotype", name, scale, truth, plan, rng)


def _write_scale(
    folder: Path,
    name: str,
    scale: Scale,
    truth: ScaleTruth,
    plan: TrialPlan,
    rng: np.random.Generator,
) -> None:
    people, sessions, scores = [], [], []
    for person in plan.people:
        for session in plan.visits[person.label]:
            if scale.sessions is not None and session not in scale.sessions:
                continue
            people.append(f"sub-{person.label}")
            sessions.append(f"ses-{session}")
            expected = _expected(scale, truth, plan, person, session)
            score = rng.normal(expected, truth.sd)
            scores.append(float(np.clip(np.rint(score), scale.minimum, scale.maximum)))
    items = _spread_over_items(np.array(scores), scale, rng)
    stem = scale.file or name
    write_columns(
        folder / f"{stem}.tsv",
        {"participant_id": people, "session_id": sessions}
        | {column: items[:, k] for k, column in enumerate(scale.columns)},
    )
    write_json(
        folder / f"{stem}.json",
        {
            "MeasurementToolMetadata": {"Description": f"{scale.label or name} (SIMULATED)"},
            **{column: {"Description": "Score (SIMULATED)"} for column in scale.columns},
        },
    )


def _expected(
    scale: Scale, truth: ScaleTruth, plan: TrialPlan, person: Person, session: str
) -> float:
    treatment = treatment_of(plan.protocol, person.group, session) or ""
    mean = truth.mean.get(treatment, scale.minimum)
    for name, points in truth.follows.items():
        effect = plan.truth.effects[name]
        here = effect.sessions is None or session in effect.sessions
        if here:
            mean += points * person.scores[name] * effect.treatments.get(treatment, 0.0)
    return mean


def _spread_over_items(
    scores: Float[np.ndarray, " n"], scale: Scale, rng: np.random.Generator
) -> Float[np.ndarray, "n n_items"]:
    """Give every item a share of the score, one point at a time where the range allows it."""
    n_items = len(scale.columns)
    if n_items == 1:
        return scores[:, None]
    low = scale.item_minimum if scale.item_minimum is not None else scale.minimum / n_items
    high = scale.item_maximum if scale.item_maximum is not None else scale.maximum / n_items
    items = np.full((scores.size, n_items), float(low))
    for row, score in enumerate(scores):
        for _ in range(round(float(score) - low * n_items)):
            open_ = np.flatnonzero(items[row] + 1 <= high)
            if open_.size:
                items[row, rng.choice(open_)] += 1
    return items
