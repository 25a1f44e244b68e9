"""Carry-over of several periods: a note beside the answer, or nothing."""

import re
from pathlib import Path

import numpy as np
import pytest

from phmri.pipeline._asked import ask
from phmri.pipeline._carry_over import carry_over_note
from phmri.pipeline._tested import load_asked
from tests.unit.pipeline.measured_trial import (
    ARMS,
    N_VOXELS,
    Trial,
    document,
    make_trial,
    parallel,
    question,
)

ORDERS = {
    "".join(order): list(order)
    for order in ("abc", "acb", "bac", "bca", "cab", "cba")  # balanced for what came before
}
SESSIONS = {name: {"phase": "acute", "period": k} for k, name in enumerate(("p1", "p2", "p3"), 1)}
CARRIED = 2.0


def periods(root: Path, orders: dict[str, list[str]], estimator: str = "crossover") -> Trial:
    """Measure 12 people: a adds 3, and 2 to the period after it; noise is small."""
    content = document(
        treatments={name: {} for name in "abc"},
        design={
            "kind": "crossover",
            "sequences": {name: {"treatments": order} for name, order in orders.items()},
        },
        sessions=SESSIONS,
        scans={"rest": {"task": "rest", "start_min": dict.fromkeys(SESSIONS, -1)}},
        drugs={},
        questions={
            "it": question(contrast=["a", "c"], estimator=estimator, where={"mean_of": "target"})
        },
    )
    people = {f"{k:02d}": list(orders)[k % len(orders)] for k in range(1, 13)}
    trial = make_trial(root, content, people)
    rng = np.random.default_rng(1)
    level = {subject: rng.normal() for subject in people}

    def write(subject: str, session: str, *which: str) -> np.ndarray:
        order, at = orders[people[subject]], list(SESSIONS).index(session)
        effect = 3.0 * (order[at] == "a") + CARRIED * (at > 0 and order[at - 1] == "a")
        return level[subject] + effect + rng.normal(0, 0.05, N_VOXELS)

    trial.write("step", write)
    return trial


def note_of(trial: Trial, unit: str = "points") -> tuple[str, ...]:
    asked = ask(trial.inputs, "it")
    outcomes = load_asked(trial.inputs, asked)
    return carry_over_note(trial.inputs, asked, outcomes, 0, unit)


@pytest.mark.parametrize("estimator", ["crossover", "mixed"])
def test_effect_free_of_carry_over_stands_beside(tmp_path: Path, estimator: str) -> None:
    trial = periods(tmp_path, ORDERS, estimator)
    (note,) = note_of(trial)
    own, carried = re.findall(r"a - c: points \+(\d\.\d+)", note)
    assert float(own) == pytest.approx(3.0, abs=0.1)
    assert float(carried) == pytest.approx(CARRIED, abs=0.1)
    assert "did not decide" in note
    assert "strongest" not in note  # one number
    # The claim is that of the model without: carry-over is in it.
    claim = trial.answer().claim
    assert note.split(":")[0] in " ".join(claim.notes)
    assert claim.peaks[0].effect < 2.95


def test_two_periods_and_parallel_trials_have_no_such_note(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    asked = question(contrast=["treated", "control"], session="day", estimator="post")
    for name, trial in (
        ("two", make_trial(tmp_path / "two")),
        ("arms", make_trial(tmp_path / "arms", parallel(questions={"it": asked}), ARMS)),
    ):
        trial.write("step", lambda *run: rng.normal(size=N_VOXELS))
        assert note_of(trial) == (), name
