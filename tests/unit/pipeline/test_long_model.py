"""Models of all sessions or periods: what is asked of them, and what is said about them."""

import numpy as np
import pytest

from phmri.exceptions import DesignError
from phmri.group import UnitTable
from phmri.pipeline._long_fit import fit_long, own_baselines, rows_of
from phmri.pipeline._long_model import (
    LongModel,
    make_long_model,
    settings_of,
    unit_design_of,
)
from phmri.pipeline._models import residual_sd
from phmri.protocol import Protocol, Question
from tests.unit.pipeline.measured_trial import PARALLEL, parallel

ROOM = {"where": {"mean_of": "target"}}
GROUPS = ("treated", "control") * 4
SUBJECTS = tuple(f"{k:02d}" for k in range(1, 9))
TABLE = UnitTable(subjects=SUBJECTS, groups=GROUPS, strata=("",) * 8, covariates={})
SESSIONS = frozenset({"before", "day", "week"})


def protocol_of(**question: object) -> Protocol:
    asked = PARALLEL | {"estimator": "clda", "baseline": "before"} | question
    return Protocol.model_validate(parallel(questions={"it": asked}))


def asked_of(protocol: Protocol) -> Question:
    return protocol.questions["it"]


def model_of(protocol: Protocol, *, number: bool = True) -> LongModel:
    present = dict.fromkeys(SUBJECTS, SESSIONS) | {"03": frozenset({"before", "week"})}
    return make_long_model(protocol, "it", TABLE, present, number=number)


@pytest.mark.parametrize(
    ("estimator", "number", "baseline_as"),
    [("mixed", False, "common"), ("mixed", True, None), ("clda", False, None)],
)
def test_baseline_of_a_map_is_an_outcome(
    estimator: str, number: bool, baseline_as: str | None
) -> None:
    protocol = protocol_of(estimator=estimator)
    settings = settings_of(protocol, asked_of(protocol), number=number)
    assert settings.baseline_as == baseline_as
    assert settings.model == estimator
    assert settings.references is None


def test_every_voxel_has_its_own_baseline_beside_the_model() -> None:
    protocol = protocol_of(estimator="mmrm")
    model = model_of(protocol, number=False)
    design = unit_design_of(asked_of(protocol), model)
    assert design.voxelwise_baseline
    assert not any(name.startswith("baseline") for name in design.columns)
    at_hand = [
        (subject, session)
        for session in ("week", "before", "day")
        for subject in reversed(SUBJECTS)
        if (subject, session) != ("03", "day")
    ]
    numbers = {"before": 0, "day": 100, "week": 200}
    stack = np.array([[numbers[session] + int(subject)] * 2 for subject, session in at_hand])
    given = own_baselines(asked_of(protocol), model, at_hand, stack.astype(np.float32))
    assert given is not None
    assert given[:, 0].tolist() == [int(subject) for subject in design.subjects]
    held = rows_of(model, at_hand, stack.astype(float))[:, 0] % 100
    assert held.tolist() == given[:, 0].tolist()
    region = model_of(protocol_of(estimator="mmrm", **ROOM))
    assert own_baselines(asked_of(protocol), region, at_hand, stack.astype(float)) is None


def test_mixed_has_no_baseline_of_every_voxel_and_period() -> None:
    protocol = protocol_of(estimator="mixed", **ROOM)
    asked = asked_of(protocol).model_copy(update={"period_baseline": True})
    with pytest.raises(DesignError, match="a baseline of its own in every period"):
        settings_of(protocol, asked, number=False)


@pytest.mark.parametrize("slopes", [(), (0,), (0, 1)])
def test_residual_spread_is_that_of_least_squares(slopes: tuple[int, ...]) -> None:
    """Rows missing in two patterns; no baseline, one slope for all rows, one per visit."""
    rng = np.random.default_rng(5)
    X, visits = np.column_stack([np.ones(20), rng.normal(size=20)]), np.arange(20) % 2
    Y, before = rng.normal(size=(20, 6)), 9 + rng.normal(size=(20, 6))
    Y[3:5, ::2] = np.nan
    given = before if slopes else None
    found = residual_sd(Y, X, given, visits if len(slopes) > 1 else None)
    for v in range(6):
        own = [np.where((visits == k) | (len(slopes) == 1), before[:, v], 0.0) for k in slopes]
        held = np.isfinite(Y[:, v])
        Z = np.column_stack([X, *own])[held]
        left = Y[held, v] - Z @ np.linalg.lstsq(Z, Y[held, v], rcond=None)[0]
        assert found[v] == pytest.approx(np.sqrt(left @ left / (len(Z) - Z.shape[1])), rel=1e-9)


def test_session_at_hand_is_a_row() -> None:
    protocol = protocol_of(**ROOM)
    model = model_of(protocol)
    design = unit_design_of(asked_of(protocol), model)
    assert len(design.subjects) == len(design.groups) == len(design.X) == 23
    assert design.subjects.count("03") == 2
    assert design.exchangeability.fixed.all()  # nothing is shuffled
    groups = dict(zip(SUBJECTS, GROUPS, strict=True))
    assert [groups[subject] for subject in design.subjects] == list(design.groups)


def test_outcomes_are_laid_out_by_participant_and_session() -> None:
    protocol = protocol_of(**ROOM)
    model = model_of(protocol)
    at_hand = [
        (subject, session)
        for session in ("week", "before", "day")
        for subject in reversed(SUBJECTS)
        if (subject, session) != ("03", "day")
    ]
    numbers = {"before": 0, "day": 100, "week": 200}
    stack = np.array([[numbers[session] + int(subject)] for subject, session in at_hand])
    rows = model.design.rows.tolist()
    wanted = [numbers[model.table.sessions[r]] + int(model.table.subjects[r]) for r in rows]
    assert rows_of(model, at_hand, stack.astype(float))[:, 0].tolist() == wanted


def test_own_contrast_is_the_difference_of_the_arms() -> None:
    protocol = protocol_of(degrees_of_freedom="satterthwaite", **ROOM)
    model = model_of(protocol)
    drug = np.array([GROUPS[SUBJECTS.index(model.table.subjects[r])] for r in model.design.rows])
    day = np.array([model.table.sessions[r] for r in model.design.rows]) == "day"
    noise = np.random.default_rng(2).normal(size=(len(day), 1))
    zero, five = (
        fit_long(
            asked_of(protocol),
            model,
            noise + shift * ((drug == "treated") & day)[:, None],
            n_threads=1,
        )
        for shift in (0.0, 5.0)
    )
    assert five.effect[0, 0] - zero.effect[0, 0] == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize(
    ("question", "sentence", "note"),
    [
        ({}, "Kenward and Roger", ""),
        ({"degrees_of_freedom": "satterthwaite"}, "Satterthwaite's", "somewhat too many"),
        ({"errors": "cr2"}, "CR2", ""),
        ({"estimator": "mixed"}, "Kenward and Roger", "p-values are too small"),
        ({"estimator": "mixed", "errors": "cr2"}, "CR2", ""),
    ],
)
def test_standard_errors_are_named_and_doubted_where_due(
    question: dict[str, object], sentence: str, note: str
) -> None:
    protocol = protocol_of(**ROOM, **question)
    design = unit_design_of(asked_of(protocol), model_of(protocol))
    assert any(sentence in text for text in design.sentences)
    doubts = [text for text in design.notes if "nominal 5 %" in text]
    assert len(doubts) == bool(note)
    assert all(note in text for text in doubts)


def test_other_estimators_are_no_model_of_all_sessions() -> None:
    model = model_of(protocol_of(**ROOM))
    with pytest.raises(DesignError, match="ancova is no model of all sessions"):
        unit_design_of(asked_of(protocol_of(estimator="ancova")), model)
