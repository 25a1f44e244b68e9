"""Basis sets, modulators, names and refusals of a task design."""

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.task import Modulator, TaskSettings, task_design, trial_design

T_R = 2.0
ONSET = np.array([10.0, 40.0, 70.0, 100.0])
KINDS = ["face", "shape", "face", "shape"]


def design(settings, modulators=None, duration=4.0, conditions=("face", "shape"), n_volumes=80):
    return task_design(
        ONSET,
        np.full(4, duration),
        KINDS,
        modulators or {},
        settings=settings,
        conditions=conditions,
        t_r=T_R,
        n_volumes=n_volumes,
    )


def test_finite_impulse_response_is_one_in_its_bin_alone():
    """Onset 10 s, sampled 0.875 s into the volume: bin 0 is volume 5, bin 3 volume 8."""
    made = design(TaskSettings(hrf="fir", fir_duration_s=12.0))
    assert made.condition_columns["face"] == tuple(range(6))
    assert made.columns[3] == "task_face_fir04"
    assert np.flatnonzero(made.X[:, 0]).tolist() == [5, 35]
    assert np.flatnonzero(made.X[:, 3]).tolist() == [8, 38]
    assert set(np.unique(made.X)) == {0.0, 1.0}


def test_finite_impulse_response_recovers_any_shape():
    settings = TaskSettings(hrf="fir", fir_duration_s=24.0, fir_bin_s=4.0)
    made = design(settings, duration=0.0)
    shape = np.arange(1.0, 13.0)
    found = np.linalg.lstsq(made.X, made.X @ shape, rcond=None)[0]
    np.testing.assert_allclose(found, shape, atol=1e-10)
    assert len(made.columns) == 12


def test_columns_of_a_condition_are_orthogonal_and_only_they():
    made = design(TaskSettings(hrf="canonical_derivatives"))
    own = made.X[:, made.condition_columns["shape"]]
    products = own.T @ own
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-10)
    as_is = design(TaskSettings(hrf="canonical_derivatives", orthogonalise=False))
    np.testing.assert_allclose(as_is.X[:, 0], made.X[:, 0])
    assert np.abs(as_is.X[:, 1] - made.X[:, 1]).max() > 0.01
    assert design(TaskSettings(hrf="canonical_derivative")).X.shape[1] == 4


def test_a_modulator_is_centred_and_other_conditions_may_lack_it():
    settings = TaskSettings(modulators={"face": (Modulator(name="load"),)})
    load = np.array([1.0, np.nan, 3.0, np.nan])
    made = design(settings, {"load": load})
    assert list(made.condition_columns) == ["face", "face:load", "shape"]
    first, second = made.X[5:20, 1], made.X[35:50, 1]
    assert first.min() < -0.1
    assert second.max() > 0.1
    assert made.stimulus.shape == (80 * 16, 2)


def test_every_fault_of_settings_events_and_modulators_is_told():
    settings = TaskSettings(
        hrf="fir",
        fir_bin_s=0.01,
        reference_bin=17,
        strict=True,
        modulators={
            "face": (
                Modulator(name="load"),
                Modulator(name="flat"),
                Modulator(name="lost"),
                Modulator(name="none"),
                Modulator(name="load", order=0),
            ),
            "house": (Modulator(name="load"),),
        },
    )
    values = {
        "load": np.array([1.0, 2.0, 3.0, 4.0]),
        "flat": np.ones(4),
        "lost": np.array([np.nan, 1.0, 2.0, 3.0]),
    }
    with pytest.raises(FirstLevelError) as caught:
        design(settings, values, conditions=("face",))
    told = str(caught.value)
    for text in (
        "reference bin",
        "do not fit",
        "shape: events of a condition that is not modelled; found 2 events",
        "face: a modulator tells the events no further apart",
        "face:lost: a modulator is missing",
        "face:none: the events have no such column",
        "face:load: the order",
        "house: a condition that is not modelled has modulators",
    ):
        assert text in told
    assert len(caught.value.problems) == 8


def test_two_powers_need_three_values():
    settings = TaskSettings(modulators={"face": (Modulator(name="load", order=2),)})
    with pytest.raises(FirstLevelError, match="modulating column 2 of 2"):
        design(settings, {"load": np.array([1.0, 0.0, 3.0, 0.0])})


def test_events_of_other_conditions_join_the_baseline_unless_strict():
    alone = design(TaskSettings(), conditions=("face",))
    both = design(TaskSettings())
    np.testing.assert_allclose(alone.X[:, 0], both.X[:, 0])
    with pytest.raises(FirstLevelError, match="2 events"):
        design(TaskSettings(strict=True), conditions=("face",))


def test_single_trials_refuse_what_designs_refuse():
    with pytest.raises(FirstLevelError) as caught:
        trial_design(
            np.array([5.0, 900.0]),
            np.array([-1.0, 1.0]),
            ["face", "face"],
            settings=TaskSettings(reference_bin=0),
            conditions=("face", "house"),
            t_r=T_R,
            n_volumes=80,
        )
    assert len(caught.value.problems) == 4
