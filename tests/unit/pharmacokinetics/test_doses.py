"""Orders become milligrams, and everything wrong with them is told at once."""

import pytest

from phmri.exceptions import PharmacokineticsError
from phmri.pharmacokinetics import Dose, resolve_doses


def order(amount, unit, *, start=0.0, duration=0.0):
    return Dose(
        route="intravenous", amount=amount, unit=unit, start_min=start, duration_min=duration
    )


@pytest.mark.parametrize(
    ("amount", "unit", "duration", "expected"),
    [
        (20.0, "mg", 0.0, 20.0),
        (20.0, "mg", 40.0, 20.0),
        (0.25, "mg/kg", 1.0, 20.0),
        (30.0, "mg/h", 40.0, 20.0),
        (0.25, "mg/kg/h", 60.0, 20.0),
    ],
)
def test_units(amount, unit, duration, expected):
    found = resolve_doses([order(amount, unit, start=-3.0, duration=duration)], weight_kg=80.0)
    assert found[0].amount_mg == pytest.approx(expected, rel=1e-15)
    assert (found[0].start_min, found[0].duration_min) == (-3.0, duration)


def test_weight_is_not_needed_for_milligrams():
    assert resolve_doses([order(5.0, "mg")])[0].amount_mg == 5.0
    assert resolve_doses([]) == ()


def test_all_problems_at_once():
    wrong = [
        order(0.26, "mg/kg", duration=-1.0),
        order(0.25, "mg/kg/h"),
        order(float("nan"), "mg"),
        order(1.0, "ug"),
        order(1.0, "mg", start=float("inf")),
    ]
    with pytest.raises(PharmacokineticsError) as error:
        resolve_doses(wrong)
    fields = [problem.field for problem in error.value.problems]
    assert fields == [
        "doses[0].duration_min",
        "doses[1].duration_min",
        "doses[2].amount",
        "doses[3].unit",
        "doses[4].start_min",
        "weight_kg",
    ]
    assert "rate without a duration" in str(error.value)


@pytest.mark.parametrize("weight", [0.0, -70.0, float("nan")])
def test_a_weight_has_to_be_one(weight):
    with pytest.raises(PharmacokineticsError, match="weight"):
        resolve_doses([order(5.0, "mg")], weight_kg=weight)
