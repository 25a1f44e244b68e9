"""TFCE against other programs: exact ones to their rounding, stepwise ones as their limit."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from phmri.inference._space import Volume
from phmri.inference.tfce._tfce import make_tfce

HERE = Path(__file__).parent
FLOAT = (np.float32, np.float64)


@pytest.mark.parametrize("dtype", FLOAT)
@pytest.mark.parametrize(
    ("name", "connectivity", "E", "H"),
    [
        ("out_tfce_E05_H2", 6, 0.5, 2.0),
        ("out_tfce_E1_H3", 6, 1.0, 3.0),
        ("out_tfce26_E05_H2", 26, 0.5, 2.0),
    ],
)
def test_signed_map_of_workbench_and_tfce(name, connectivity, E, H, dtype):
    with np.load(HERE / "tfce_signed_map.npz") as stored:
        space = Volume(mask=stored["mask"], connectivity=connectivity)
        tfce = make_tfce(space, extent_power=E, height_power=H)
        values, expected = stored["in_map"].astype(dtype), stored[name].astype(np.float64)
    largest = np.abs(expected).max()
    assert_allclose(tfce.enhance(values, tfce.workspace()), expected, atol=1e-6 * largest)
    maxima = tfce.maxima(values, tfce.workspace())
    assert_allclose(maxima, (expected.max(), -expected.min()), rtol=1e-6)


def step_by_step(t, connectivity, step):
    """Sum over steps as the reference does: right ends, up to the maximum of the map."""
    structure = ndimage.generate_binary_structure(3, {6: 1, 26: 3}[connectivity])
    total = np.zeros_like(t)
    for k in range(1, int(t.max() / step + 1e-9) + 1):
        labels, _ = ndimage.label(t >= step * k - 1e-12, structure)
        extents = np.bincount(labels.ravel())
        extents[0] = 0
        total += np.sqrt(extents[labels]) * (step * k) ** 2 * step
    return total


@pytest.mark.parametrize("connectivity", [6, 26])
def test_limit_of_the_stepwise_reference(connectivity):
    table = np.genfromtxt(HERE / "tfce_stepwise.csv", delimiter=",", names=True)
    t = np.zeros((8, 8, 6))
    t[tuple(table[axis].astype(int) for axis in "ijk")] = table["t"]
    # The rows of the table are not in C order.
    rows = np.ravel_multi_index([table[axis].astype(int) for axis in "ijk"], t.shape)
    tfce = make_tfce(Volume(mask=np.ones(t.shape, dtype=bool), connectivity=connectivity))
    exact = np.maximum(tfce.enhance(t.ravel(), tfce.workspace()), 0)
    largest, top = exact.max(), t.max()
    expected = table[f"tfce{connectivity}_100_steps"]
    coarse = step_by_step(t, connectivity, top / 100).ravel()
    assert_allclose(coarse[rows], expected, rtol=1e-6, atol=1e-6)
    # Of first order: ten times the steps, about a tenth of the error.
    errors = [
        np.abs(step_by_step(t, connectivity, top / n).ravel() - exact).max() / largest
        for n in (100, 1000, 10000)
    ]
    assert errors[0] < 0.03
    assert 5 < errors[0] / errors[1] < 20
    assert 5 < errors[1] / errors[2] < 20


def test_fixed_steps_within_three_per_cent():
    table = np.genfromtxt(HERE / "tfce_stepwise.csv", delimiter=",", names=True)
    t = np.zeros((8, 8, 6))
    where = tuple(table[axis].astype(int) for axis in "ijk")
    t[where] = table["t"]
    tfce = make_tfce(Volume(mask=np.ones(t.shape, dtype=bool), connectivity=6))
    exact = tfce.enhance(t.ravel(), tfce.workspace()).reshape(t.shape)[where]
    stepwise = table["tfce6_step_01"]
    assert np.abs(np.maximum(exact, 0) - stepwise).max() < 0.03 * stepwise.max()
