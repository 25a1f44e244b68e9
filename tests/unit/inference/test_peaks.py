import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import InferenceError
from phmri.inference import find_peaks
from phmri.inference.clusters._peaks import find_extrema

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def make_map(peaks, shape=(12, 10, 8)):
    t = np.zeros(shape)
    for place, height in peaks.items():
        t[place] = height
    return t


def test_highest_first_with_distance_kept():
    t = make_map({(2, 2, 2): 5.0, (4, 2, 2): 4.0, (9, 2, 2): -6.0, (2, 8, 6): 3.0})
    mask = np.ones(t.shape, dtype=bool)
    found = find_peaks(t, mask, AFFINE, n_peaks=3)
    assert_array_equal(found, [[9, 2, 2], [2, 2, 2], [2, 8, 6]])
    near = find_peaks(t, mask, AFFINE, n_peaks=3, min_distance_mm=4.0)
    assert_array_equal(near, [[9, 2, 2], [2, 2, 2], [4, 2, 2]])


def test_direction_of_the_question():
    t = make_map({(2, 2, 2): 5.0, (9, 2, 2): -6.0})
    mask = np.ones(t.shape, dtype=bool)
    assert_array_equal(find_peaks(t, mask, AFFINE, n_peaks=1, alternative="greater"), [[2, 2, 2]])
    assert_array_equal(find_peaks(t, mask, AFFINE, n_peaks=1, alternative="less"), [[9, 2, 2]])


def test_outside_the_mask_counts_for_nothing():
    t = make_map({(2, 2, 2): np.nan, (3, 2, 2): 4.0, (5, 5, 5): 9.0})
    mask = np.zeros(t.shape, dtype=bool)
    mask[1:5, 1:5, 1:5] = True
    mask[2, 2, 2] = False
    found = find_peaks(t, mask, AFFINE, n_peaks=1)
    assert_array_equal(found, [[3, 2, 2]])


def test_axes_and_their_direction_do_not_matter():
    rng = np.random.default_rng(0)
    t = rng.normal(size=(9, 8, 7)).round(1)  # with ties
    mask = rng.uniform(size=t.shape) < 0.8
    one = find_peaks(t, mask, AFFINE)
    flip = np.array([[-2.0, 0, 0, 16], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    other = find_peaks(t[::-1], mask[::-1], flip)
    turned = find_peaks(t.transpose(2, 0, 1), mask.transpose(2, 0, 1), AFFINE[:, [2, 0, 1, 3]])
    assert_array_equal(one @ AFFINE[:3, :3], other @ flip[:3, :3].T + flip[:3, 3])
    assert_array_equal(one, turned[:, [1, 2, 0]])
    assert len(one) > 3


def test_refuses_other_shapes_and_nan_inside():
    mask = np.ones((3, 3, 3), dtype=bool)
    with pytest.raises(InferenceError, match="not finite"):
        find_peaks(np.full((3, 3, 3), np.nan), mask, AFFINE)


def test_empty_mask_has_no_peaks():
    found = find_peaks(np.zeros((3, 3, 3)), np.zeros((3, 3, 3), dtype=bool), AFFINE)
    assert found.shape == (0, 3)


def test_all_peaks_when_there_is_no_cap():
    rng = np.random.default_rng(1)
    t = rng.normal(size=(14, 12, 10))
    mask = np.ones(t.shape, dtype=bool)
    every = find_peaks(t, mask, AFFINE, n_peaks=None)
    assert len(every) > 10
    assert_array_equal(find_peaks(t, mask, AFFINE, n_peaks=10), every[:10])
    assert len(find_peaks(t, mask, AFFINE, n_peaks=0)) == 0
    apart = np.linalg.norm((every[:, None] - every[None]) * 2.0, axis=2)
    assert apart[~np.eye(len(every), dtype=bool)].min() >= 8.0


def test_two_peaks_exactly_at_the_least_distance_are_both_kept():
    t = make_map({(2, 2, 2): 5.0, (6, 2, 2): 4.0})
    found = find_peaks(t, np.ones(t.shape, dtype=bool), AFFINE, n_peaks=2, min_distance_mm=8.0)
    assert_array_equal(found, [[2, 2, 2], [6, 2, 2]])


def test_extrema_of_both_signs_with_the_strongest_first():
    t = make_map({(2, 2, 2): 5.0, (3, 2, 2): -6.0, (9, 2, 2): 4.0, (9, 3, 2): 3.0})
    mask = np.ones(t.shape, dtype=bool)
    mask[0] = False
    found = find_extrema(t[mask], mask, AFFINE)
    # Each is the extremum of its own sign; the flat ground at 0 is of neither.
    assert_array_equal(np.argwhere(mask)[found], [[3, 2, 2], [2, 2, 2], [9, 2, 2]])


def test_a_map_without_either_sign_has_no_extrema():
    mask = np.ones((3, 3, 3), dtype=bool)
    assert find_extrema(np.zeros(27), mask, AFFINE).size == 0
    assert find_extrema(np.zeros(0), np.zeros((3, 3, 3), dtype=bool), AFFINE).size == 0
