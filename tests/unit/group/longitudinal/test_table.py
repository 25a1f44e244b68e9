import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import DesignError
from phmri.group.longitudinal import make_long_table
from phmri.protocol import Crossover, Parallel
from tests.unit.group.longitudinal.long_trials import ORDERS, ask, crossover, parallel, units


def test_one_row_per_participant_and_session():
    table = parallel(2, lost={("01", "day"), ("02", "pre")}, age=range(6))
    assert table.kind == "parallel"
    assert table.subjects[:4] == ("00", "00", "00", "01")
    assert table.sessions[:4] == ("pre", "acute", "day", "pre")
    assert table.groups[2:4] == ("PLA", "KET")
    assert table.treatments[:6] == ("", "PLA", "PLA", "", "KET", "KET")
    assert set(table.previous_treatments) == {""}
    assert_array_equal(np.flatnonzero(~table.present), [5, 6])
    assert_array_equal(table.covariates["age"][:4, 0], [0, 0, 0, 1])


def test_sessions_without_an_order_start_with_the_baseline():
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("KET", "PLA")})
    cells = {"00": frozenset({"acute"}), "01": frozenset({"z", "pre", "acute"})}
    table = make_long_table(ask(), trial, units(["KET", "PLA"]), cells)
    assert table.sessions == ("pre", "acute", "z") * 2
    assert_array_equal(table.present, [False, True, False, True, True, True])


def test_periods_know_the_treatment_before():
    table = crossover(1, lost={("00", 2)})
    assert table.sessions[:4] == (1, 2, 3, 1)
    assert table.treatments[:3] == ("PLA", "KET", "LTG")
    assert table.previous_treatments[:4] == ("", "PLA", "KET", "")
    assert_array_equal(np.flatnonzero(~table.present), [1])


def test_experiments_are_strata():
    orders = {f"{n}{k}": {**o, "experiment": f"e{k}"} for k in (1, 2) for n, o in ORDERS.items()}
    table = crossover(1, orders=orders)
    assert set(table.experiments) == {"e1", "e2"}
    assert table.strata == table.experiments


@pytest.mark.parametrize(
    ("groups", "cells", "words"),
    [
        (["KET", "XXX"], {}, "sub-01: participant belongs to no arm of the design; found XXX"),
        (["KET", "PLA"], {"00": frozenset({"when"})}, "sub-00: data in a session .* found when"),
    ],
)
def test_participants_that_do_not_fit_the_arms_are_refused(groups, cells, words):
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("KET", "PLA")})
    with pytest.raises(DesignError, match=words):
        make_long_table(ask(), trial, units(groups), cells, sessions=("pre", "acute"))


def test_unknown_arms_and_periods_are_refused():
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("KET", "PLA")})
    with pytest.raises(DesignError, match="an arm that the design does not have; found LTG"):
        make_long_table(ask(("KET", "LTG")), trial, units(["KET", "PLA"]), {})
    with pytest.raises(DesignError, match="found 4; expected 1, 2, 3"):
        make_long_table(
            ask(estimator="crossover"),
            Crossover(kind="crossover", sequences=ORDERS),
            units(["PKL"]),
            {"00": frozenset({1, 4})},
        )
