"""Contrasts by the names of conditions."""

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.task import (
    Modulator,
    TaskSettings,
    effects_of_interest,
    task_contrast,
    task_design,
)

LOAD = {"two_back": 1.0, "zero_back": -1.0}


def design(settings):
    return task_design(
        np.array([10.0, 40.0, 70.0, 100.0]),
        np.full(4, 4.0),
        ["zero_back", "two_back"] * 2,
        {"hits": np.array([1.0, 2.0, 3.0, 4.0])},
        settings=settings,
        conditions=("zero_back", "two_back"),
        t_r=2.0,
        n_volumes=80,
    )


def test_derivatives_weigh_nothing():
    made = design(TaskSettings(hrf="canonical_derivatives"))
    contrast = task_contrast(made, LOAD, name="load", n_columns=9)
    np.testing.assert_array_equal(contrast.weights, [[-1, 0, 0, 1, 0, 0, 0, 0, 0]])
    assert contrast.name == "load"


def test_f_compares_every_basis_function():
    made = design(TaskSettings(hrf="canonical_derivative"))
    contrast = task_contrast(made, LOAD, name="load", kind="F")
    np.testing.assert_array_equal(contrast.weights, [[-1, 0, 1, 0], [0, -1, 0, 1]])


def test_finite_impulse_response_compares_means_over_bins():
    made = design(TaskSettings(hrf="fir", fir_duration_s=8.0))
    mean = task_contrast(made, LOAD, name="load")
    np.testing.assert_allclose(mean.weights, [[-0.25] * 4 + [0.25] * 4])
    assert task_contrast(made, LOAD, name="load", kind="F").weights.shape == (4, 8)


def test_modulators_have_a_name_of_their_own():
    made = design(TaskSettings(modulators={"two_back": (Modulator(name="hits"),)}))
    contrast = task_contrast(made, {"two_back:hits": 1.0}, name="slope")
    np.testing.assert_array_equal(contrast.weights, [[0, 0, 1]])


def test_effects_of_interest_are_all_columns_of_the_task():
    made = design(TaskSettings())
    contrast = effects_of_interest(made, name="task", n_columns=3)
    np.testing.assert_array_equal(contrast.weights, [[1, 0, 0], [0, 1, 0]])


def test_unknown_conditions_are_named_with_the_nearest():
    made = design(TaskSettings())
    with pytest.raises(FirstLevelError) as caught:
        task_contrast(made, {"twoback": 1.0, "zero_back": np.nan}, name="load")
    told = str(caught.value)
    assert "nearest: two_back" in told
    assert "one of zero_back, two_back" in told
    assert len(caught.value.problems) == 2
    with pytest.raises(FirstLevelError, match="other than 0"):
        task_contrast(made, {"zero_back": 0.0}, name="load")
