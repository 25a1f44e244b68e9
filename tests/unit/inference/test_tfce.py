from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import InferenceError
from phmri.inference._space import Graph, Volume
from phmri.inference.tfce import _volume
from phmri.inference.tfce._tfce import make_tfce

FLOAT = (np.float32, np.float64)
CONNECTIVITY = (6, 18, 26)
LINE = Volume(mask=np.ones((1, 1, 8), dtype=bool), connectivity=6)
CHAIN = Graph(starts=np.array([0, 1, 3, 5, 6]), neighbours=np.array([1, 0, 2, 1, 3, 2]))
RNG = np.random.default_rng(20261121)


def graph_of(volume):
    """List the neighbours of every voxel, the slow and obvious way."""
    voxels = np.argwhere(volume.mask)
    reach = {6: 1, 18: 2, 26: 3}[volume.connectivity]
    apart = np.abs(voxels[:, None] - voxels[None])
    linked = (apart.max(axis=2) == 1) & (apart.sum(axis=2) <= reach)
    starts = np.concatenate([[0], np.cumsum(linked.sum(axis=1))])
    return Graph(starts=starts, neighbours=np.nonzero(linked)[1])


def enhance(space, values, **powers):
    tfce = make_tfce(space, **powers)
    return tfce.enhance(values, tfce.workspace())


def maxima(space, values, **powers):
    tfce = make_tfce(space, **powers)
    return tfce.maxima(values, tfce.workspace())


@pytest.mark.parametrize("dtype", FLOAT)
def test_two_neighbours_by_hand(dtype):
    # Below 1 both: root of 2 times 1/3; from 1 to 2 the second alone: 7/3. One alone at 3: 27/3.
    values = np.array([1, 2, 0, -3, -0.0, 0, 0, 1.5], dtype=dtype)
    shared = np.sqrt(2) / 3
    expected = [shared, shared + 7 / 3, 0, -9, 0, 0, 0, 1.5**3 / 3]
    assert_allclose(enhance(LINE, values), expected, rtol=1e-14)
    assert_allclose(maxima(LINE, values), (shared + 7 / 3, 9), rtol=1e-14)


def test_powers_by_hand():
    values = np.array([1.0, 2, 0, -3, 0, 0, 0, 0])
    expected = [2 * 1 / 4, 2 * 1 / 4 + 15 / 4, 0, -81 / 4, 0, 0, 0, 0]
    found = enhance(LINE, values, extent_power=1.0, height_power=3.0)
    assert_allclose(found, expected, rtol=1e-14)
    found = enhance(LINE, values, extent_power=0.7, height_power=0.3)
    assert_allclose(found[0], 2**0.7 / 1.3, rtol=1e-14)


@pytest.mark.parametrize("dtype", FLOAT)
def test_plateau_is_one_level(dtype):
    values = np.full(8, -2.5, dtype=dtype)
    assert_allclose(enhance(LINE, values), -np.sqrt(8) * 2.5**3 / 3, rtol=1e-14)
    assert maxima(LINE, values)[0] == 0


@pytest.mark.parametrize("dtype", FLOAT)
def test_opposite_signs_keep_apart(dtype):
    values = np.array([2, -2] * 4, dtype=dtype)
    assert_allclose(enhance(LINE, values), [8 / 3, -8 / 3] * 4, rtol=1e-14)


@pytest.mark.parametrize(
    "space", [LINE, Graph(starts=np.zeros(9, int), neighbours=np.array([], int))]
)
@pytest.mark.parametrize("dtype", FLOAT)
def test_nothing_comes_of_zero(space, dtype):
    values = np.zeros(8, dtype=dtype)
    assert maxima(space, values) == (0.0, 0.0)
    assert_array_equal(enhance(space, values), 0)


@pytest.mark.parametrize(("connectivity", "together"), [(6, 1), (18, 2), (26, 3)])
def test_neighbours_by_faces_edges_corners(connectivity, together):
    # A voxel, one across an edge, and one across a corner from the first only.
    mask = np.ones((3, 3, 3), dtype=bool)
    values = np.zeros((3, 3, 3))
    values[1, 1, 1] = values[2, 2, 1] = values[0, 0, 0] = 1
    space = Volume(mask=mask, connectivity=connectivity)
    assert_allclose(maxima(space, values.ravel())[0], np.sqrt(together) / 3, rtol=1e-14)


@pytest.mark.parametrize("connectivity", CONNECTIVITY)
@pytest.mark.parametrize("shape", [(7, 9, 11), (1, 1, 400), (400, 1, 1), (2, 3, 130), (1, 1, 1)])
def test_volume_equals_its_graph(shape, connectivity):
    mask = RNG.random(shape) < 0.8
    mask.flat[0] = True
    space = Volume(mask=mask, connectivity=connectivity)
    values = RNG.standard_normal(mask.sum())
    expected = enhance(graph_of(space), values)
    assert_allclose(enhance(space, values), expected, rtol=1e-12)
    assert_allclose(maxima(space, values), maxima(graph_of(space), values), rtol=1e-12)


def test_outcomes_are_the_voxels_of_the_mask_in_order():
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[4, 5, 6] = mask[0, 0, 0] = mask[2, 3, 1] = True
    assert_allclose(enhance(Volume(mask=mask), np.array([1.0, 2, -3])), [1 / 3, 8 / 3, -9])


@pytest.mark.parametrize("connectivity", CONNECTIVITY)
def test_as_many_peaks_as_can_be(connectivity):
    values = (np.indices((8, 8, 8)).sum(axis=0) % 2 * 2.0 - 1).ravel()
    space = Volume(mask=np.ones((8, 8, 8), dtype=bool), connectivity=connectivity)
    extent = 1 if connectivity == 6 else 256
    assert_allclose(enhance(space, values), values * np.sqrt(extent) / 3, rtol=1e-13)


def test_more_peaks_than_sixteen_bits_can_number():
    side = 56
    chess = np.indices((side,) * 3).sum(axis=0) % 2 * 2.0 - 1
    space = Volume(mask=np.ones(chess.shape, dtype=bool), connectivity=6)
    assert side**3 / 2 > 2**16
    heights = (chess * RNG.uniform(1, 2, chess.shape)).ravel().astype(np.float32)
    expected = np.sign(heights) * np.abs(heights.astype(np.float64)) ** 3 / 3
    assert_allclose(enhance(space, heights), expected, rtol=1e-13)
    assert_allclose(maxima(space, heights), (expected.max(), -expected.min()), rtol=1e-13)


def test_float64_is_not_rounded():
    step = 2.0**-40
    values = np.array([1 + step, 1 + 3 * step, 1 + 2 * step, 0, -1 - step, -1, 0, 0])
    found = enhance(LINE, values)
    rise = found[1] - found[2]
    assert_allclose(rise, step, rtol=1e-3)
    assert found[1] > found[2] > found[0] > 0
    assert found[4] < found[5] < 0


def test_float32_is_used_as_it_is():
    values = RNG.standard_normal(8).astype(np.float32)
    assert_array_equal(enhance(LINE, values), enhance(LINE, values.astype(np.float64)))


def test_sizes_make_the_extent():
    space = Graph(
        starts=CHAIN.starts, neighbours=CHAIN.neighbours, sizes=np.array([4.0, 5.0, 1.0, 0.25])
    )
    found = enhance(space, np.array([1.0, 2.0, -1.0, 0.0]))
    assert_allclose(found, [3 / 3, 3 / 3 + np.sqrt(5) * 7 / 3, -1 / 3, 0], rtol=1e-14)


def test_nodes_unite_whichever_is_larger():
    # Two nodes at the ends, then the middle ones: the newcomer is smaller, then larger.
    small = Graph(starts=CHAIN.starts, neighbours=CHAIN.neighbours, sizes=np.array([9.0, 1, 1, 9]))
    large = Graph(starts=CHAIN.starts, neighbours=CHAIN.neighbours, sizes=np.array([1.0, 9, 9, 1]))
    for space in (small, large):
        found = enhance(space, np.array([4.0, 2.0, 1.0, 3.0]), extent_power=1.0, height_power=1.0)
        low, pair = 20 / 2, (space.sizes[0] + space.sizes[1]) * 3 / 2
        alone = space.sizes[0] * 12 / 2, space.sizes[3] * 8 / 2
        assert_allclose(found, [low + pair + alone[0], low + pair, low, low + alone[1]])


def test_same_bits_whatever_was_done_before_and_in_threads():
    space = Volume(mask=RNG.random((14, 15, 16)) < 0.7, connectivity=18)
    maps = RNG.standard_normal((12, space.mask.sum())).astype(np.float32)
    tfce = make_tfce(space)
    fresh = [tfce.maxima(values, tfce.workspace()) for values in maps]
    used = tfce.workspace()
    tfce.enhance(maps[3].astype(np.float64), used)
    assert [tfce.maxima(values, used) for values in maps] == fresh
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(
            lambda part, own: [tfce.maxima(values, own) for values in part],
            (maps[:6], maps[6:]),
            (tfce.workspace(), used),
        )
        assert [*chain.from_iterable(halves)] == fresh


def test_map_may_be_a_slice():
    maps = RNG.standard_normal((8, 3)).astype(np.float32)
    assert_array_equal(enhance(LINE, maps[:, 1]), enhance(LINE, maps[:, 1].copy()))


@pytest.mark.parametrize("dtype", FLOAT)
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("space", [LINE, CHAIN])
def test_refuses_what_is_not_finite(space, broken, dtype):
    values = np.ones(8 if space is LINE else 4, dtype=dtype)
    values[2] = broken
    values[0] = -1.0
    for work in (enhance, maxima):
        with pytest.raises(InferenceError, match="not finite"):
            work(space, values)


def test_refuses_a_map_of_another_space():
    with pytest.raises(InferenceError, match="found 7 values; expected 8"):
        maxima(LINE, np.ones(7))


def test_refuses_powers_all_at_once():
    with pytest.raises(InferenceError) as caught:
        make_tfce(LINE, extent_power=0.0, height_power=np.nan)
    assert [problem.field for problem in caught.value.problems] == ["extent_power", "height_power"]


def test_refuses_an_empty_mask():
    with pytest.raises(InferenceError, match="no voxel"):
        make_tfce(Volume(mask=np.zeros((2, 2, 2), dtype=bool)))


def test_refuses_a_box_that_entries_cannot_number(monkeypatch):
    monkeypatch.setattr(_volume, "MOST_CELLS", 200)
    with pytest.raises(InferenceError, match="too large"):
        make_tfce(Volume(mask=np.ones((2, 2, 8), dtype=bool)))


def test_wide_box_of_a_fine_grid():
    # Corners and centre of a 512 x 512 x 64 grid: places beyond 16 million.
    mask = np.zeros((512, 512, 64), dtype=bool)
    mask[0, 0, 0] = mask[-1, -1, -1] = mask[-1, -1, -2] = mask[256, 256, :] = True
    values = np.ones(mask.sum(), dtype=np.float32)
    found = enhance(Volume(mask=mask, connectivity=6), values)
    assert_allclose(found, np.sqrt([1] + [64] * 64 + [2] * 2) / 3, rtol=1e-14)
