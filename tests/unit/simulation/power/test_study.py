"""The power of a whole protocol: what is asked together, what a pilot tells, what comes out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import write_json, write_table
from phmri.exceptions import SimulationError
from phmri.protocol import Association, Family, Protocol, read_protocol, write_template
from phmri.simulation.power import (
    Effort,
    PowerPlan,
    between,
    correlation_power,
    read_pilot,
    study_power,
)
from phmri.simulation.power._asked import ask_questions
from phmri.simulation.power._layout import make_layout
from phmri.simulation.power._topics import _to_within

CLOSED = PowerPlan(simulated=False, sizes=(25,), correlation=0.5)


@pytest.fixture(scope="module")
def weigner(tmp_path_factory) -> Protocol:
    return read_protocol(write_template("weigner2025", tmp_path_factory.mktemp("weigner")))


@pytest.fixture(scope="module")
def crossover(tmp_path_factory) -> Protocol:
    folder = tmp_path_factory.mktemp("crossover")
    return read_protocol(write_template("timeseries_crossover", folder))


def only(protocol, *names):
    kept = {name: protocol.questions[name] for name in names}
    return protocol.model_copy(update={"questions": kept, "associations": {}})


def test_every_question_is_asked_once(weigner):
    asked, refused = ask_questions(weigner, None)
    names = [name for one in asked for name in one.names]
    assert sorted(names) == sorted(weigner.questions)
    assert refused == {}
    kinds = {name: one.kind for one in asked for name in one.names}
    assert kinds["wm_acute"] == "map"
    assert kinds["wm_dmpfc"] == "difference"
    assert kinds["wm_lamotrigine"] == "blockade"
    regimes = {name: one.regime.name for one in asked for name in one.names}
    assert regimes["dissociation"] == "rating scale"
    assert regimes["wm_dmpfc"] == "connectivity"


def test_a_shared_error_rate_is_planned_with_its_least_part(weigner):
    families = weigner.families | {"regions": Family(correction="holm")}
    shared = weigner.model_copy(update={"families": families})
    members = [name for name, one in shared.questions.items() if one.family == "regions"]
    asked, _ = ask_questions(shared, None)
    own = next(one for one in asked if "wm_dmpfc" in one.names)
    assert_allclose(own.alpha, 0.05 / len(members))
    assert ask_questions(shared, 0.01)[0][0].alpha == 0.01


def test_baselines_of_periods_are_left_out_with_a_note(crossover):
    (name, question), *_ = crossover.questions.items()
    own = question.model_copy(update={"period_baseline": True})
    both = crossover.model_copy(update={"questions": {name: question, "own": own}})
    plain, adjusted = ask_questions(both, None)[0]
    assert adjusted.names == ("own",)
    assert adjusted.notes[0].startswith("Planned without the baselines of periods")
    assert plain.notes == adjusted.notes[1:]
    assert not make_layout(own, crossover.design, 12).unit.voxelwise_baseline


def test_closed_forms_of_a_protocol(weigner):
    study = study_power(only(weigner, "wm_lamotrigine", "wm_dmpfc"), CLOSED)
    found = next(one for one in study.topics if "wm_dmpfc" in one.topic.names)
    large = next(row for row in found.rows if row.size == "large")
    assert large.n_participants == 75
    assert 0.90 < large.closed < 0.94
    assert large.simulated is None
    needs = {need.correlation: need.n for need in found.needs if need.size == "medium"}
    assert needs[0.3] < needs[0.5] < needs[0.7]
    half = next(one for one in study.topics if one.topic.about.startswith("half"))
    assert half.needs[0].n > found.needs[0].n
    pair = next(p for p in study.pairings if p.size.label == "medium" and p.correlation == 0.5)
    assert pair.need.crossover_participants < pair.need.parallel_participants


def test_simulation_is_the_same_whatever_the_threads(crossover):
    def run(n_workers):
        plan = PowerPlan(
            effects=(0.6,),
            sizes=(10, 16),
            n_tests=20,
            effort=Effort(n_trials=40, seed=2, n_workers=n_workers, n_permutations=100),
        )
        return [found.rows for found in study_power(crossover, plan).topics]

    one = run(1)
    assert one == run(2)
    assert any(row.simulated is not None for rows in one for row in rows)


def test_effects_by_hand_take_the_place_of_published_ones(crossover):
    study = study_power(crossover, PowerPlan(effects=(0.7,), sizes=(20,), simulated=False))
    found = next(one for one in study.topics if one.topic.about == "difference")
    assert [row.effect for row in found.rows] == [0.7]
    # Order unknown: a paired test of dz itself.
    assert_allclose(found.rows[0].closed, 0.843, atol=0.002)


def test_between_people_the_same_effect_hangs_on_the_correlation():
    assert between(0.8, 0.5) == pytest.approx(0.8)
    assert between(1.0, 0.875) == pytest.approx(0.5)


def write_pilot(folder: Path, protocol: Protocol, rho: float, sd: float) -> Path:
    """SIMULATED results of a run: one outcome, 400 people per arm."""
    rng = np.random.default_rng(3)
    rows = []
    for arm in protocol.design.arms:
        shared = rng.standard_normal(400)
        for session in ("baseline", "infusion"):
            own = rng.standard_normal(400)
            values = 5.0 + sd * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)
            values += 2.0 * (arm == "ketamine") * (session == "infusion")
            rows += [
                {
                    "participant_id": f"sub-{arm}{k}",
                    "session_id": session,
                    "group": arm,
                    "outcome": "pgacc_nback:dmpfc",
                    "unit": "Fisher z",
                    "value": value,
                }
                for k, value in enumerate(values.tolist())
            ]
    write_table(folder / "group" / "analysis.tsv", pd.DataFrame(rows))
    stem = folder / "group" / "question-wmdmpfc" / "question-wmdmpfc_stats.tsv"
    stats = {"name": "dmpfc", "effect": 0.1, "se": 0.03, "t": 10 / 3, "d": 0.9}
    write_table(stem, pd.DataFrame([stats]), {"DegreesOfFreedom": 70})
    return folder


def test_a_pilot_tells_variation_correlation_and_a_cautious_effect(weigner, tmp_path):
    pilot = read_pilot(weigner, write_pilot(tmp_path, weigner, 0.8, 0.25))
    outcome = pilot.outcomes["pgacc_nback:dmpfc"]
    assert_allclose(outcome.sd, 0.25, rtol=0.05)
    assert_allclose(outcome.correlation, 0.8, atol=0.03)
    assert outcome.df == 3 * 399
    assert 0.5 < pilot.effects["wm_dmpfc"] < 0.9
    plan = PowerPlan(sizes=(25,), simulated=False)
    study = study_power(only(weigner, "wm_dmpfc"), plan, pilot=pilot)
    found = next(one for one in study.topics if "wm_dmpfc" in one.topic.names)
    assert found.topic.correlation == round(outcome.correlation, 3)
    assert found.topic.sizes[-1].label == "pilot"
    assert study.pilot[0].startswith("Pilot:")


def test_a_pilots_effect_of_a_blockade_question_is_not_the_drugs(weigner, tmp_path):
    pilot = read_pilot(weigner, write_pilot(tmp_path, weigner, 0.8, 0.25))
    pilot = replace(pilot, effects={"wm_lamotrigine": 0.5, "wm_dmpfc": 0.5})
    plan = PowerPlan(sizes=(25,), simulated=False)
    study = study_power(only(weigner, "wm_lamotrigine", "wm_dmpfc"), plan, pilot=pilot)
    for found in study.topics:
        labels = [size.label for size in found.topic.sizes]
        assert ("pilot" in labels) == ("wm_dmpfc" in found.topic.names)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        # Of a standardised effect of 1, with sessions that correlate by 0.6: tau is the standard
        # deviation that the estimator divides by, and dz is tau / sqrt(2 (1 - 0.6)).
        ("post", 1.0 / np.sqrt(0.8)),
        ("change", 1.0),
        ("ancova", np.sqrt(1 - 0.36) / np.sqrt(0.8)),
        ("mmrm", np.sqrt(1 - 0.36) / np.sqrt(0.8)),
        ("mixed", np.sqrt(1 - 0.36) / np.sqrt(0.8)),
        ("clda", 1.0 / np.sqrt(0.8)),
    ],
)
def test_standardised_effects_of_every_estimator_become_dz(weigner, estimator, expected):
    question = weigner.questions["wm_dmpfc"].model_copy(update={"estimator": estimator})
    protocol = weigner.model_copy(update={"questions": {"own": question}, "associations": {}})
    ((asked,), _) = ask_questions(protocol, None)
    assert_allclose(_to_within(asked, 0.6), expected)


def test_a_pilots_correlation_is_used_wherever_it_is_known(weigner, tmp_path):
    pilot = read_pilot(weigner, write_pilot(tmp_path, weigner, 0.8, 0.25))
    study = study_power(
        only(weigner, "wm_dmpfc", "dissociation"),
        PowerPlan(sizes=(25,), simulated=False),
        pilot=pilot,
    )
    measured = next(one.topic for one in study.topics if "wm_dmpfc" in one.topic.names)
    assumed = next(one.topic for one in study.topics if "dissociation" in one.topic.names)
    assert not measured.assumed
    assert (assumed.assumed, assumed.correlation) == (True, 0.5)
    first = next(pair for pair in study.pairings if pair.measure == "connectivity")
    assert first.correlation == measured.correlation


@pytest.mark.parametrize("name", ["weigner2025", "deakin2008"])
@pytest.mark.parametrize("missing", [0.51, 0.9])
def test_many_lost_scans_leave_trials_without_power_and_no_error(tmp_path, name, missing):
    protocol = read_protocol(write_template(name, tmp_path))
    study = study_power(protocol, PowerPlan(simulated=False, missing=missing, sizes=(4, 40)))
    assert study.topics
    for found in study.topics:
        smallest = min(row.n for row in found.rows)
        assert all(not row.closed for row in found.rows if row.n == smallest and missing > 0.8)


def test_associations_of_differences_need_both_scans(crossover):
    item = Association(
        text="t", role="secondary", measure=next(iter(crossover.measures)), scale="x",
        contrast=("a", "b"),
    )  # fmt: skip
    power = {}
    for name, one in {"two": item, "one": item.model_copy(update={"contrast": None})}.items():
        protocol = crossover.model_copy(update={"questions": {}, "associations": {"own": one}})
        plan = PowerPlan(simulated=False, missing=0.2, sizes=(100,), effects=(0.3,))
        power[name] = study_power(protocol, plan).topics[0].rows[1].closed
    assert power["two"] == pytest.approx(correlation_power(0.3, 64))
    assert power["one"] == pytest.approx(correlation_power(0.3, 80))


def test_a_pilot_that_tells_nothing_is_refused(weigner, tmp_path):
    with pytest.raises(SimulationError, match="no group results"):
        read_pilot(weigner, tmp_path)
    write_json(tmp_path / "group" / "other.json", {})
    with pytest.raises(SimulationError, match="tells nothing"):
        read_pilot(weigner, tmp_path)


def test_plans_out_of_range_are_told_at_once():
    with pytest.raises(SimulationError) as caught:
        PowerPlan(effects=(-1.0,), sizes=(2,), target=1.0, alpha=0.7, correlation=1.0, missing=1.0)
    assert {problem.field for problem in caught.value.problems} == {
        "effect",
        "n",
        "power",
        "alpha",
        "correlation",
        "missing",
    }
