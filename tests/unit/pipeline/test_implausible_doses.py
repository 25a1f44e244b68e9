from dataclasses import replace

import pytest

from phmri.dataset import Cell, DosingRow
from phmri.pipeline._implausible_doses import find_implausible
from phmri.protocol import Dose, Drug, Protocol, Treatment

BOLUS = Dose(
    drug="ketamine", route="intravenous", amount=0.26, unit="mg/kg", start_min=0, duration_min=1
)
ROW = DosingRow(
    subject="01",
    session="one",
    drug="ketamine",
    route="intravenous",
    amount=0.26,
    unit="mg/kg",
    start=0.0,
    duration=60.0,
    scan="rest",
    line=2,
)
PROTOCOL = Protocol.model_construct(
    drugs={"ketamine": Drug(), "saline": Drug()},
    treatments={"ketamine": Treatment(doses=(BOLUS,)), "placebo": Treatment()},
)


def told(*rows: DosingRow, treatment: str = "ketamine") -> list[str]:
    cell = Cell(
        subject="01",
        session="one",
        scan="rest",
        group=None,
        treatment=treatment,
        status="ok",
        reason="",
        run=None,
    )
    found = find_implausible(PROTOCOL, {("01", "one"): list(rows)}, [cell], "dosing.tsv")
    return [f"{problem.line} {problem.field}: {problem.what}" for problem in found]


def test_what_was_planned_is_plausible() -> None:
    assert told(ROW, replace(ROW, amount=0.3, start=120.0, line=3)) == []


def test_a_drug_in_a_placebo_session() -> None:
    (only,) = told(ROW, treatment="placebo")
    assert only.startswith("2 drug: the log gives a drug that the treatment")


def test_a_drug_that_no_treatment_plans_may_be_logged() -> None:
    assert told(replace(ROW, drug="saline"), treatment="placebo") == []


def test_a_line_twice() -> None:
    assert told(ROW, replace(ROW, line=3)) == ["3 drug: the same dose stands twice"]


@pytest.mark.parametrize("amount", [2.7, 260.0, 0.025])
def test_another_unit_or_a_slip(amount: float) -> None:
    (only,) = told(replace(ROW, amount=amount))
    assert only == "2 amount: the amount is more than 10 times off the planned one"
