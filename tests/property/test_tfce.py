"""TFCE against its definition: the integral over every height at which anything changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_allclose
from scipy import ndimage

from phmri.inference._space import Volume
from phmri.inference.tfce._tfce import make_tfce

REACH = {6: 1, 18: 2, 26: 3}


def by_definition(values, space, E, H):
    """Label every set of voxels above a height, and sum over heights."""
    structure = ndimage.generate_binary_structure(3, REACH[space.connectivity])
    enhanced = np.zeros(space.mask.shape)
    for sign in (1.0, -1.0):
        heights = np.zeros(space.mask.shape)
        heights[space.mask] = np.maximum(sign * values.astype(np.float64), 0)
        below = 0.0
        for height in np.unique(heights[heights > 0]):
            labels, _ = ndimage.label(heights >= height, structure)
            extents = np.bincount(labels.ravel()).astype(np.float64)
            extents[0] = 0
            step = (height ** (H + 1) - below ** (H + 1)) / (H + 1)
            enhanced += sign * extents[labels] ** E * step
            below = height
    return enhanced[space.mask]


def make_map(rng, shape, kind):
    values = rng.standard_normal(shape)
    if kind == "smooth":
        values = ndimage.gaussian_filter(values, 1.0, mode="constant") * 5
    elif kind == "plateaus":
        values = np.round(values)
    elif kind == "one-sided":
        values = np.abs(values)
    elif kind == "nearly tied":
        values = np.round(values) + 1e-7 * rng.integers(-2, 3, shape)
    return values


@pytest.mark.parametrize("kind", ["white", "smooth", "plateaus", "one-sided", "nearly tied"])
@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_random_volumes_by_definition(kind, connectivity):
    rng = np.random.default_rng([connectivity, len(kind)])
    for trial in range(14):
        shape = tuple(rng.integers(1, 8, size=3))
        mask = rng.random(shape) < rng.choice([0.3, 0.7, 1.1])
        mask.flat[rng.integers(mask.size)] = True
        E, H = [(0.5, 2.0), (1.0, 3.0), (rng.uniform(0.2, 2), rng.uniform(0.2, 4))][trial % 3]
        space = Volume(mask=mask, connectivity=connectivity)
        tfce = make_tfce(space, extent_power=E, height_power=H)
        workspace = tfce.workspace()
        values = make_map(rng, shape, kind)[mask]
        for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-10)):
            cast = values.astype(dtype)
            expected = by_definition(cast, space, E, H)
            enhanced = tfce.enhance(cast, workspace)
            assert_allclose(enhanced, expected, rtol=tolerance)
            largest = np.max(enhanced, initial=0), np.max(-enhanced, initial=0)
            assert_allclose(tfce.maxima(cast, workspace), largest, rtol=1e-12)


MAPS = npst.arrays(
    np.float64,
    npst.array_shapes(min_dims=3, max_dims=3, max_side=5),
    elements=st.floats(-50, 50).map(lambda height: round(height, 3)),
)
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def enhance_box(values, connectivity):
    tfce = make_tfce(Volume(mask=np.ones(values.shape, dtype=bool), connectivity=connectivity))
    return tfce.enhance(values.ravel(), tfce.workspace()).reshape(values.shape)


@settings(deadline=None, max_examples=40)
@given(values=MAPS, connectivity=st.sampled_from([6, 18, 26]), scale=st.floats(0.1, 10))
def test_sign_scale_and_mirror(values, connectivity, scale):
    enhanced = enhance_box(values, connectivity)
    assert_allclose(enhance_box(-values, connectivity), -enhanced, **TIGHT)
    assert_allclose(enhance_box(scale * values, connectivity), scale**3 * enhanced, **TIGHT)
    mirrored = enhance_box(values[::-1, :, ::-1].copy(), connectivity)
    assert_allclose(mirrored, enhanced[::-1, :, ::-1], **TIGHT)
    turned = enhance_box(values.transpose(2, 0, 1).copy(), connectivity)
    assert_allclose(turned, enhanced.transpose(2, 0, 1), **TIGHT)


@settings(deadline=None, max_examples=40)
@given(values=MAPS, connectivity=st.sampled_from([6, 18, 26]))
def test_more_support_never_lowers(values, connectivity):
    heights = np.abs(values)
    higher = heights.copy()
    higher.flat[0] += 1
    enhanced, raised = enhance_box(heights, connectivity), enhance_box(higher, connectivity)
    assert (raised >= enhanced * (1 - 1e-12)).all()
    # Alone a voxel has extent 1; more neighbours never lower that.
    assert (enhanced >= heights**3 / 3 * (1 - 1e-12)).all()
    assert (enhance_box(heights, 26) >= enhanced * (1 - 1e-12)).all()
