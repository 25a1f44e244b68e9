"""Time to peak, duration and onset by their equations."""

import numpy as np
import pytest

from phmri.firstlevel.infusion._shape import shape_maps

EDGES = np.arange(11.0)
ALL = np.ones(1, dtype=bool)


def maps(course, responds=ALL, edges=EDGES):
    found = shape_maps(np.asarray(course, float)[:, None], edges, responds)
    return {name: float(value[0]) for name, value in found.items()}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_block_of_either_sign(sign):
    found = maps(sign * np.array([0, 0, 0, 2, 2, 2, 2, 0, 0, 0]))
    assert found == {"timetopeak": 4.5, "duration": 4.0, "onset": 3.0}


def test_lone_bins_give_no_onset():
    found = maps([0, 0, 0, 4, 0, 0, 0, 0, 0, 0])  # smoothed 1, 2, 1: all at or above half
    assert found == {"timetopeak": 3.5, "duration": 3.0, "onset": 2.0}
    lone = maps([9, 0, 0, 0, 0, 0, 0, 0, 0, 0])  # smoothed 6.75, 2.25
    assert lone["duration"] == 1.0
    assert np.isnan(lone["onset"])


def test_bins_of_unequal_length_count_by_length():
    edges = np.array([0.0, 1.0, 2.0, 5.0])
    assert maps([0, 1, 1], edges=edges)["duration"] == pytest.approx(4.0)
    assert maps([0, 0, 1], edges=edges)["timetopeak"] == pytest.approx(3.5)


@pytest.mark.parametrize("course", [np.zeros(10), np.full(10, np.nan)])
def test_no_course_no_shape(course):
    assert all(np.isnan(value) for value in maps(course).values())


def test_where_nothing_responds_nothing_is_told():
    assert all(np.isnan(value) for value in maps(np.arange(10), responds=~ALL).values())


def test_one_bin_has_no_onset():
    found = maps([1.0], edges=EDGES[:2])
    assert found["timetopeak"] == 0.5
    assert np.isnan(found["onset"])
