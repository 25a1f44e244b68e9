import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import make_unit_design
from phmri.group.longitudinal import carryover_design, make_long_design, make_unit_contrasts
from phmri.group.robust import fit_ols
from phmri.protocol import Crossover
from tests.unit.group.longitudinal.long_trials import ORDERS, ask, crossover, settings, units

TWO = {"KP": {"treatments": ("KET", "PLA")}, "PK": {"treatments": ("PLA", "KET")}}
DIRECT = {"PLA": 0.0, "KET": 3.0, "LTG": 1.0}
CARRIED = {"": 0.0, "PLA": 0.5, "KET": -2.0, "LTG": 4.0}


def of_periods(model, **fields):
    return settings(model, **({"session": None} | fields))


def effects(table, design, carried=0.0):
    rng = np.random.default_rng(0)
    y = np.array([DIRECT[t] for t in table.treatments])
    y += carried * np.array([CARRIED[t] for t in table.previous_treatments])
    y += np.array([10.0 * p for p in table.sessions]) + 1e-6 * rng.normal(size=len(y))
    Y = y[design.rows][:, None]
    joint = fit_ols(Y, design.X, design.contrasts, design.names)
    return dict(zip(joint.names, joint.effect[:, 0], strict=True))


@pytest.mark.parametrize("model", ["mixed", "fixed_subject"])
def test_treatments_are_compared_free_of_periods(model):
    table = crossover(lost={("03", 2), ("07", 1), ("07", 3)})
    design = make_long_design(of_periods(model), table)
    assert len(design.rows) == 33
    assert "3 of 36 planned cells have no data." in design.sentences
    assert_allclose(effects(table, design)["KET - PLA"], 3, atol=1e-4)


def test_mixed_models_keep_sequences_and_covariates():
    table = crossover(age=range(12))
    design = make_long_design(of_periods("mixed"), table)
    assert design.structure == "random_intercept"
    assert design.columns[:5] == (
        "treatment:KET",
        "treatment:PLA",
        "treatment:LTG",
        "period:2",
        "period:3",
    )
    assert design.columns[5] == "age"
    assert sum(name.startswith("sequence:") for name in design.columns) == 5
    plain = make_long_design(of_periods("mixed", with_sequence=False), table)
    assert plain.X.shape == (36, 6)
    assert_array_equal(plain.visits[:4], [0, 1, 2, 0])


def test_fixed_subjects_leave_covariates_out():
    design = make_long_design(of_periods("fixed_subject"), crossover(age=range(12)))
    assert design.structure == "independent"
    assert design.X.shape == (36, 3 + 2 + 11)
    assert design.notes[0].startswith("Covariate age does not vary within participants")


def test_experiments_have_their_own_periods():
    orders = {f"{n}{k}": {**o, "experiment": f"e{k}"} for k in (1, 2) for n, o in ORDERS.items()}
    table = crossover(orders=orders)
    design = make_long_design(of_periods("mixed"), table)
    assert design.columns[3:7] == (
        "period:2 of e1",
        "period:2 of e2",
        "period:3 of e1",
        "period:3 of e2",
    )
    assert "stratum:e2" in design.columns
    assert_allclose(effects(table, design)["KET - PLA"], 3, atol=1e-4)


def test_carry_over_is_taken_out_and_shown():
    table = crossover(lost={("03", 2)})
    asked = of_periods("fixed_subject", contrast=("KET", "LTG"), references=("PLA", "PLA"))
    biased = effects(table, make_long_design(asked, table), carried=1.0)
    assert abs(biased["drug"] - 3) > 0.2
    found = effects(table, carryover_design(asked, table), carried=1.0)
    assert_allclose([found[k] for k in ("difference", "drug", "pretreated")], [2, 3, 1], atol=1e-4)
    assert_allclose(found["carry-over KET - PLA"], -2.5, atol=1e-4)
    assert_allclose(found["carry-over LTG - PLA"], 3.5, atol=1e-4)


def test_carry_over_of_two_periods_is_the_sequence():
    table = crossover(6, orders=TWO)
    with pytest.raises(DesignError, match="cannot be told apart from participants and periods"):
        carryover_design(of_periods("fixed_subject"), table)
    design = carryover_design(of_periods("mixed"), table)
    assert design.names == ("KET - PLA", "carry-over KET - PLA")


def test_period_baselines_are_split():
    table = crossover(6, orders=TWO)
    rng = np.random.default_rng(1)
    baseline = rng.normal(size=24)
    design = make_long_design(of_periods("mixed"), table, baseline=baseline)
    within, between = design.X[:, -2:].T
    assert_allclose(within + between + baseline.mean(), baseline, atol=1e-12)
    assert_allclose(within.reshape(-1, 2).sum(axis=1), 0, atol=1e-12)
    assert_allclose(between.sum(), 0, atol=1e-12)
    baseline[5] = np.nan
    with pytest.raises(DesignError, match="sub-02, period 2: baseline has no finite value"):
        make_long_design(of_periods("mixed"), table, baseline=baseline)


def test_contrasts_of_several_periods_are_those_of_the_long_model():
    groups = [*ORDERS] * 2
    unit = make_unit_design(
        ask(estimator="crossover"), Crossover(kind="crossover", sequences=ORDERS), units(groups)
    )
    asked = of_periods("fixed_subject", contrast=("KET", "LTG"), references=("PLA", "PLA"))
    contrasts, names = make_unit_contrasts(asked, unit)
    assert names == ("difference", "drug", "pretreated")
    Y = np.random.default_rng(2).normal(size=(36, 3))
    one = fit_ols(Y, unit.X, contrasts, names)
    design = make_long_design(asked, crossover())
    other = fit_ols(Y, design.X, design.contrasts, design.names)
    assert_allclose(one.effect, other.effect, atol=1e-10)
    assert_allclose(one.covariance, other.covariance, rtol=1e-9)
    with pytest.raises(DesignError, match="no column of this treatment; found XXX"):
        make_unit_contrasts(of_periods("fixed_subject", contrast=("KET", "XXX")), unit)


LATER = {(f"{k:02d}", p) for k in range(12) for p in (1, 2, 3)}


@pytest.mark.parametrize(
    ("model", "fields", "orders", "lost", "words"),
    [
        ("mmrm", {"session": None}, None, (), "does not belong to a crossover design; found mmrm"),
        ("mixed", {"contrast": ("KET", "KET")}, None, (), "a treatment cannot be compared with"),
        ("mixed", {"min_per_group": 13}, None, (), "too few participants with data under this"),
        ("mixed", {"contrast": ("KET", "XXX")}, None, (), "XXX: too few .* found 0"),
        ("mixed", {}, {"KP": TWO["KP"]}, (), "the two treatments cannot be told apart"),
        ("fixed_subject", {}, TWO, {("00", 2), ("01", 1)}, "no residual degrees of freedom"),
        ("mixed", {"session": "acute"}, None, (), "not for a session; found acute"),
        ("mixed", {}, None, LATER, "no participant can answer this question"),
    ],
)
def test_trials_that_cannot_answer_are_refused(model, fields, orders, lost, words):
    table = crossover(2, lost=lost, orders=orders)
    with pytest.raises(DesignError, match=words):
        make_long_design(of_periods(model, **fields), table)
