"""Outcomes that do not vary, or whose baseline does not."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import DesignError
from phmri.pipeline._left_out import leave_out_constant, refuse_same_baseline
from phmri.pipeline._loading import LoadedOutcomes

BEFORE = np.array([True, False] * 4)


def loaded(kind: str = "parcels", **images: np.ndarray) -> LoadedOutcomes:
    (n_outcomes,) = {stack.shape[1] for stack in images.values()}
    return LoadedOutcomes(
        kind=kind,
        images=images,
        names=tuple("abc"[:n_outcomes]),
        mask=None,
        affine=None,
        weights=None,
        note="",
    )


def drawn(n_outcomes: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, n_outcomes))


def test_a_flat_baseline_leaves_an_outcome_out_as_a_row_and_as_a_role() -> None:
    stack = drawn(3)
    stack[BEFORE, 1] = 0.0
    of_sessions = leave_out_constant(loaded(periods=stack), BEFORE)
    of_people = leave_out_constant(loaded(outcome=stack[~BEFORE], baseline=stack[BEFORE]))
    for found in (of_sessions, of_people):
        assert found.names == ("a", "c")
        assert found.note == "Left out, having the same baseline in every participant: b."
    assert_array_equal(of_sessions.images["periods"], stack[:, [0, 2]])
    assert leave_out_constant(loaded(periods=stack)).names == ("a", "b", "c")


def test_an_outcome_that_is_flat_where_it_is_asked_about_is_left_out() -> None:
    stack = drawn(3)
    stack[~BEFORE, 0] = 0.3
    found = leave_out_constant(loaded(periods=stack), BEFORE, ~BEFORE)
    assert found.names == ("b", "c")
    assert found.note == "Left out, being the same in every participant: a."


def test_several_outcomes_without_a_baseline_that_varies_are_refused_for_that() -> None:
    stack = drawn(3)
    stack[BEFORE] = 0.3
    stack[:, 2] = 0.5
    for images, before in (
        ({"periods": stack}, BEFORE),
        ({"outcome": stack[~BEFORE], "baseline": stack[BEFORE]}, None),
    ):
        with pytest.raises(DesignError, match=r"baseline is the same in .*found in all 2 outcome"):
            leave_out_constant(loaded(**images), before)


def test_an_outcome_whose_baseline_nobody_has_is_not_constant() -> None:
    stack = drawn(2)
    stack[BEFORE, 1] = np.nan
    assert leave_out_constant(loaded(periods=stack), BEFORE).names == ("a", "b")


def test_one_measured_number_with_a_flat_baseline_is_refused() -> None:
    stack = drawn(1)
    stack[BEFORE] = 2.5
    for images, before in (
        ({"periods": stack}, BEFORE),
        ({"outcome": stack[~BEFORE], "baseline": stack[BEFORE]}, None),
    ):
        with pytest.raises(DesignError, match=r"baseline is the same in every .*found 2.5"):
            refuse_same_baseline(loaded("scalar", **images), before)
    refuse_same_baseline(loaded("scalar", periods=drawn(1)), BEFORE)
    refuse_same_baseline(loaded("parcels", periods=stack), BEFORE)
    refuse_same_baseline(loaded("scalar", outcome=stack[BEFORE]), None)
