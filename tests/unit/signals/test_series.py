import numpy as np
import pytest

from phmri.dataset import Series
from phmri.exceptions import SignalsError
from phmri.signals import extract_series


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
    assert [p.field for p in caught.value.problems] == ["a", "b", "nowhere"]


def test_broken_parcels_that_nobody_asks_for_do_not_matter():
    series = make_series()
    series.values[:, 1] = 7.0
    assert extract_series(series, {"x": ("a",)}).regions.shape == (20, 1)
