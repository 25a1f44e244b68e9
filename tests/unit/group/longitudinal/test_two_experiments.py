import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import fit_long_design, make_long_design, make_long_table
from phmri.group.blockade import explain, judge_blockade
from phmri.protocol import Crossover
from tests.unit.group.longitudinal.long_trials import TWO_EXPERIMENTS, ask, over_two, units

DIRECT = {"PLA": 0.0, "KET": 3.0, "PLAKET": 13.0, "LTGKET": 11.0}
BLOCKADE = {"reference": "PLA", "reference_drug": "KET"}


def table(sequences=("KP", "PK", "AL", "LA"), n_each=4, lost=(), **sequence):
    trial = Crossover(kind="crossover", sequences=TWO_EXPERIMENTS | sequence)
    people = units([*sequences] * n_each)
    cells = {s: frozenset(p for p in (1, 2) if (s, p) not in lost) for s in people.subjects}
    question = ask(("PLAKET", "LTGKET"), "mixed", blockade=BLOCKADE)
    return make_long_table(question, trial, people, cells)


def outcomes(long, design, noise=1.0):
    rng = np.random.default_rng(3)
    people = {subject: rng.normal() for subject in long.subjects}
    y = np.array([DIRECT[t] for t in long.treatments]) + [people[s] for s in long.subjects]
    y += [
        7.0 * p if e == "one" else -2.0 * p
        for e, p in zip(long.experiments, long.sessions, strict=True)
    ]
    return (y + noise * rng.normal(size=len(y)))[design.rows][:, None]


def test_effects_are_of_the_experiment_that_tells_them():
    long = table()
    design = make_long_design(over_two(), long)
    assert design.names == ("difference", "drug", "pretreated")
    assert {"period:2 of one", "period:2 of two"} <= set(design.columns)
    for errors in ("model", "cr2"):
        joint = fit_long_design(design, outcomes(long, design, 1e-6), errors=errors)
        # A shift of 10 between the experiments is no effect of a drug.
        assert_allclose(joint.effect[:, 0], [2.0, 3.0, 1.0], atol=1e-5)
        assert_allclose(joint.covariance[0, 0, 1], 0, atol=1e-9 * joint.covariance[0, 0, 0])


def test_assumption_is_said_with_the_model():
    (note,) = make_long_design(over_two(), table()).notes
    assert "measured in different people" in note
    assert "that KET and PLAKET do the same in both experiments is assumed" in note


def test_periods_may_be_missing():
    whole, long = table(), table(lost={("01", 2), ("06", 1)})
    design = make_long_design(over_two(), long)
    assert len(design.rows) == len(make_long_design(over_two(), whole).rows) - 2
    joint = fit_long_design(design, outcomes(long, design, 1e-6))
    assert_allclose(joint.effect[:, 0], [2.0, 3.0, 1.0], atol=1e-3)


def test_an_experiment_of_one_order_cannot_tell_its_effect():
    design = make_long_design(over_two(), table(("KP", "AL", "LA")))
    assert design.names == ("difference",)
    assert set(design.not_estimable) == {"drug", "pretreated"}
    with pytest.raises(DesignError, match="cannot be told apart from participants and periods"):
        make_long_design(over_two(), table(("KP", "PK", "AL")))


def test_both_experiments_need_people():
    with pytest.raises(DesignError) as caught:
        make_long_design(over_two(), table(("AL", "LA")))
    assert [problem.field for problem in caught.value.problems] == ["KET", "PLA"]


def test_who_had_none_of_the_treatments_is_refused():
    other = {"PX": {"experiment": "three", "treatments": ("other", "more")}}
    with pytest.raises(DesignError, match="holds none of the treatments"):
        table(("KP", "PX", "AL", "LA"), **other)


def test_names_do_not_matter():
    long = table()
    design = make_long_design(over_two(), long)
    Y = outcomes(long, design)
    plain, turned = (
        make_long_design(one, long)
        for one in (
            over_two(),
            over_two(
                contrast=("LTGKET", "PLAKET"), references=("KET", "KET"), reference_drug="PLA"
            ),
        )
    )
    # Both pairs the other way round: every effect changes its sign, and nothing else.
    for errors in ("model", "cr2"):
        one, other = (fit_long_design(d, Y, errors=errors) for d in (plain, turned))
        assert_allclose(one.effect, -other.effect)
        assert_allclose(one.covariance, other.covariance, atol=1e-12)
        assert_allclose(one.df, other.df)
        assert_array_equal(
            judge_blockade(one, margin=1.0).verdict, judge_blockade(other, margin=1.0).verdict
        )


def test_sentences_say_what_was_assumed():
    long = table()
    design = make_long_design(over_two(), long)
    joint = fit_long_design(design, outcomes(long, design), errors="cr2")
    said = [
        " ".join(explain(judge_blockade(joint, margin=1.0, two_experiments=two), drug="ketamine"))
        for two in (True, False)
    ]
    assert "it takes ketamine to do the same in both experiments" in said[0]
    assert "in both experiments" not in said[1]


def test_outcomes_of_other_rows_are_refused():
    design = make_long_design(over_two(), table())
    with pytest.raises(DesignError, match="other rows than the model"):
        fit_long_design(design, np.zeros((3, 1)))
