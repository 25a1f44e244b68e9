import numpy as np
import pytest

from phmri.dataset import Series
from phmri.exceptions import SignalsError
from phmri.signals import extract_series, find_series_faults


def make_series():
    values = np.random.default_rng(0).standard_normal((20, 4))
    return Series(names=("a", "b", "c", "d"), values=values)


def test_columns_are_averaged_in_order():
    series = make_series()
    signals = extract_series(series, {"x": ("c", "a"), "d": ("d",)})
    assert signals.region_names == ("x", "d")
    np.testing.assert_allclose(signals.regions[:, 0], series.values[:, [0, 2]].mean(axis=1))
    np.testing.assert_allclose(signals.regions[:, 1], series.values[:, 3])
    assert signals.quality.region_voxels == {"x": 2, "d": 1}
    assert signals.voxels is None


def test_every_broken_parcel_is_named():
    series = make_series()
    series.values[3, 0] = np.nan
    series.values[:, 1] = 7.0
    with pytest.raises(SignalsError) as caught:
        extract_series(series, {"x": ("a", "b"), "y": ("c", "nowhere")})
    assert sorted(p.field for p in caught.value.problems) == ["a", "b", "nowhere"]


def test_broken_parcels_that_nobody_asks_for_do_not_matter():
    series = make_series()
    series.values[:, 1] = 7.0
    assert extract_series(series, {"x": ("a",)}).regions.shape == (20, 1)


ALONE = {name: (name,) for name in "abcd"}


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (2.5, 100.0), (-1.0, 3.0)])
def test_a_copy_of_a_parcel_is_named_with_it(scale, shift):
    series = make_series()
    series.values[:, 3] = scale * series.values[:, 1] + shift
    (problem,) = find_series_faults(series, ALONE)
    assert problem.field == "b, d"
    assert problem.found == f"a correlation of {np.sign(scale):.0f}"
    assert find_series_faults(series, {"x": ("a", "b", "c")}) == []


def test_a_parcel_that_is_nearly_another_is_not_its_copy():
    series = make_series()
    noise = np.random.default_rng(1).standard_normal(20)
    series.values[:, 3] = series.values[:, 1] + 1e-4 * noise
    assert np.corrcoef(series.values[:, 3], series.values[:, 1])[0, 1] > 1 - 1e-7
    assert find_series_faults(series, ALONE) == []


def test_three_copies_are_two_faults():
    series = make_series()
    series.values[:, 1:3] = series.values[:, [0]]
    assert [p.field for p in find_series_faults(series, ALONE)] == ["a, b", "a, c"]


def test_one_column_of_two_regions_is_no_copy():
    series = make_series()
    assert find_series_faults(series, {"x": ("a",), "y": ("a",), "z": ("a", "b")}) == []


def test_parcels_are_judged_by_the_volumes_that_are_whole():
    series = make_series()
    series.values[:, 1] = 7.0
    series.values[4, 1] = np.nan
    series.values[:, 2] = np.nan
    (problem,) = find_series_faults(series, ALONE)
    assert (problem.field, problem.found) == ("b", "7 in every volume")
