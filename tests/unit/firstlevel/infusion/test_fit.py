"""From voxels to percent signal change, against ordinary least squares done by hand."""

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.glm._records import Noise
from phmri.firstlevel.infusion._design import infusion_design
from phmri.firstlevel.infusion._fit import fit_infusion
from phmri.firstlevel.infusion._models import Drift, Pseudoblock, Ramp, ResponseFamily, Step

WHITE = Noise(kind="white")
TIMES = -3.0 + (np.arange(300) + 0.5) * 2.0 / 60.0
RNG = np.random.default_rng(5)
NUISANCE = RNG.standard_normal((300, 3)).cumsum(axis=0)
MEAN = np.array([500.0, 1000.0, 2000.0])


def make(curve, slope=0.0, noise=0.1):
    slow = 0.01 * slope * TIMES
    signal = MEAN * (1.0 + 0.02 * curve + slow)[:, None]
    signal = signal + NUISANCE @ RNG.standard_normal((3, 3))
    return (signal + MEAN * 0.01 * noise * RNG.standard_normal((300, 3))).astype(np.float32)


def fit(design, Y, mean=MEAN, nuisance=NUISANCE, noise=WHITE, **settings):
    return fit_infusion(Y, mean, design, nuisance, noise=noise, **settings)


def test_values_and_variance_are_least_squares_in_percent():
    Y = make(TIMES > 0.0, slope=0.1, noise=0.5)
    design = infusion_design(Step(), TIMES, drift=Drift(order=1))
    found = fit(design, Y)
    X = np.column_stack([TIMES >= 0.0, np.ones(300), TIMES, NUISANCE])
    b, square = np.linalg.lstsq(X, Y.astype(float), rcond=None)[:2]
    variance = square / 294 * np.linalg.inv(X.T @ X)[0, 0]
    np.testing.assert_allclose(found.values, 100 * b[0] / MEAN, rtol=1e-4)
    np.testing.assert_allclose(found.variance, variance * (100 / MEAN) ** 2, rtol=1e-3)
    np.testing.assert_allclose(found.extras["driftslope"], 100 * b[2] / MEAN, rtol=2e-3)
    np.testing.assert_allclose(found.extras["driftslope"], 0.1, atol=0.05)
    assert found.df == 294.0
    assert found.unit == "% signal change"
    assert found.variance_assumes == (
        "white noise, a response of the model's shape and a drift of order 1 at most"
    )
    assert found.n_undefined == 0
    assert "F" not in found.extras


def test_pseudoblock_gives_bins_their_f_and_shape():
    curve = ((TIMES > 2.0) & (TIMES < 5.0)).astype(float)
    design = infusion_design(Pseudoblock(window_min=(2.0, 5.0)), TIMES, drift=Drift(order=0))
    Y = make(curve)
    Y[:, 2] = (2000.0 + 20.0 * RNG.standard_normal(300)).astype(np.float32)
    found = fit(design, Y, shape_level=1e-6)
    assert {f"bin0{k}" for k in range(1, 8)} <= set(found.extras)
    bins = np.array([found.extras[f"bin0{k}"] for k in range(1, 8)])
    np.testing.assert_allclose(found.values, bins[2:5].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.values[:2], 2.0, atol=0.3)
    np.testing.assert_allclose(found.extras["duration"], [3.0, 3.0, np.nan])
    np.testing.assert_allclose(found.extras["onset"], [2.0, 2.0, np.nan])
    assert found.extras["F"][0] > 20.0 > found.extras["F"][2]
    assert "driftslope" not in found.extras
    assert found.facts["shape_level"] == 1e-6
    X = np.column_stack([design.X, NUISANCE])
    less = np.column_stack([np.ones(300), NUISANCE])
    square = [np.linalg.lstsq(x, Y.astype(float), rcond=None)[1] for x in (X, less)]
    F = (square[1] - square[0]) / 7 / (square[0] / found.df)
    np.testing.assert_allclose(found.extras["F"], F, rtol=1e-3)


def test_family_gives_the_largest_distance_of_the_fitted_curve():
    family = ResponseFamily(onset_min=(0.0, 1.0), delay_min=(1.0, 4.0), shape=(1.0, 3.0))
    design = infusion_design(family, TIMES, drift=Drift(order=0))
    s = np.maximum(TIMES - 0.5, 0.0) / 2.0
    found = fit(design, make(-((s * np.exp(1.0 - s)) ** 2)), shape_level=0.001)
    course = np.array([found.extras[name] for name in design.course])
    np.testing.assert_allclose(found.values, course.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.values, -2.0, atol=0.3)
    np.testing.assert_allclose(found.extras["timetopeak"], 2.5, atol=1.01)
    assert (np.asarray(found.variance) > 0.0).all()


def test_voxels_without_positive_mean_are_nan_and_counted():
    design = infusion_design(Pseudoblock(), TIMES, drift=Drift(order=0))
    Y = make(TIMES > 0.0)
    found = fit(design, Y, mean=np.array([500.0, 0.0, -3.0]))
    np.testing.assert_array_equal(np.isnan(found.values), [False, True, True])
    assert np.isnan(np.asarray(found.variance)[1:]).all()
    assert np.isnan(found.extras["bin01"][1:]).all()
    assert np.isnan(found.extras["F"][1:]).all()
    assert found.n_undefined == 2
    assert found.facts["voxels_without_positive_mean"] == 2.0


def test_constant_voxels_are_nan():
    Y = make(TIMES > 0.0)
    Y[:, 1] = 7.0
    found = fit(infusion_design(Step(), TIMES, drift=Drift(order=1)), Y)
    np.testing.assert_array_equal(np.isnan(found.values), [False, True, False])
    assert found.facts["voxels_constant"] == 1.0


def test_what_the_nuisance_takes_is_told():
    design = infusion_design(Step(), TIMES, drift=Drift(order=0))
    late = (TIMES > 1.0).astype(float)[:, None]
    found = fit(design, make(TIMES > 0.0), nuisance=late)
    X = np.column_stack([TIMES >= 0.0, np.ones(300), late])
    bare = np.linalg.inv(X[:, :2].T @ X[:, :2])[0, 0]
    expected = 1.0 - bare / np.linalg.inv(X.T @ X)[0, 0]
    assert found.facts["overlap_with_nuisance"] == pytest.approx(expected)
    assert found.facts["overlap"] == 0.0


def test_noise_is_named():
    design = infusion_design(Pseudoblock(), TIMES, drift=Drift(order=0))
    found = fit(design, make(TIMES > 0.0), noise=Noise(kind="ar", order=2))
    assert found.variance_assumes == "AR(2) noise of each voxel and no drift"


def test_all_mistakes_at_once():
    design = infusion_design(Ramp(end_min=3.0), TIMES, drift=Drift(order=0))
    with pytest.raises(FirstLevelError) as caught:
        fit(design, make(TIMES)[1:], mean=np.array([np.nan, 1.0]), shape_level=2.0)
    assert [problem.field for problem in caught.value.problems] == [
        None,
        "mean",
        "mean",
        "shape_level",
        "shape_level",
    ]


def test_f_of_one_component_is_an_f():
    """A family of nearly one curve has one component: its F is of one degree of freedom."""
    family = ResponseFamily(onset_min=(0.0, 0.5), delay_min=(5.0, 6.0), shape=(1.0, 1.5))
    design = infusion_design(family, TIMES, drift=Drift(order=0))
    s = np.clip(TIMES, 0.0, None) / 5.5
    Y = make(-((s * np.exp(1.0 - s)) ** 1.2), noise=0.5)
    found = fit(design, Y, shape_level=0.001)
    n_components = design.X.shape[1] - 1
    assert n_components == 1

    def rss(X):
        return np.linalg.lstsq(X, Y.astype(float), rcond=None)[1]

    less, full = (rss(np.column_stack([X, NUISANCE])) for X in (np.ones(300), design.X))
    expected = (less - full) / (full / (300 - 5))
    np.testing.assert_allclose(found.extras["F"], expected, rtol=1e-3)
    assert (found.values < 0).all()
    assert np.isfinite(found.extras["timetopeak"]).all()  # a fall is a response as well
