"""What holds for every infusion design: units, shifts, time and drift."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.firstlevel.infusion._bins import bin_edges
from phmri.firstlevel.infusion._design import infusion_design
from phmri.firstlevel.infusion._models import Drift, Exposure, GammaVariate, Pseudoblock, Step
from phmri.firstlevel.infusion._shape import shape_maps

MODELS = (Pseudoblock(), Step(), GammaVariate(peak_min=2.0, shape=1.5), Exposure())


@st.composite
def cases(draw):
    t_r = draw(st.sampled_from([0.72, 1.5, 2.0, 3.0]))
    before = draw(st.floats(2.0, 6.0))
    after = draw(st.floats(4.0, 12.0))
    times = np.arange(int(60.0 * (before + after) / t_r)) * t_r / 60.0 - before
    model = draw(st.sampled_from(MODELS))
    exposure = None
    if isinstance(model, Exposure):
        exposure = np.where(times < 0.0, 0.0, 50.0 + 80.0 * np.exp(-np.abs(times)))
    order = draw(st.integers(0, 2))
    drift = Drift(order=order, source=draw(st.sampled_from(["run", "baseline"])))
    return times, model, exposure, drift


def estimates(design, y):
    b = np.linalg.lstsq(design.X, y, rcond=None)[0]
    return {c.name: c.weights @ b for c in design.contrasts}


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 2**31))
def test_any_drift_of_the_order_changes_no_response(case, seed):
    times, model, exposure, drift = case
    design = infusion_design(model, times, drift=drift, exposure=exposure, max_overlap=1.0)
    assert np.linalg.matrix_rank(design.X) == design.X.shape[1] == len(design.columns)
    assert 0.0 <= design.overlap <= 1.0
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(times.size)
    slow = np.polyval(rng.uniform(-1.0, 1.0, drift.order + 1), times / 10.0)
    before, after = estimates(design, y), estimates(design, y + slow)
    for name in before.keys() - {"driftslope"}:
        np.testing.assert_allclose(after[name], before[name], atol=1e-5)
    doubled = estimates(design, 2.0 * y)
    np.testing.assert_allclose(doubled[design.primary], 2.0 * before[design.primary], atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_more_drift_never_costs_less(case):
    times, model, exposure, drift = case
    found = [
        infusion_design(
            model,
            times,
            drift=Drift(order=order, source="run"),
            exposure=exposure,
            max_overlap=1.0,
        ).overlap
        for order in range(drift.order + 2)
    ]
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(found))


@settings(max_examples=100, deadline=None)
@given(st.floats(0.2, 90.0), st.floats(0.1, 5.0))
def test_bins_cover_all_time_and_none_is_short(end, length):
    edges, _ = bin_edges(end, length)
    assert edges[0] == 0.0
    assert edges[-1] == end
    lengths = np.diff(edges)
    assert (lengths > 0.0).all()
    if lengths.size > 1:
        assert lengths.min() >= 0.5 * length - 1e-8
        assert lengths.max() < 1.5 * length + 1e-8


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([-3.0, 0.01, 7.0]))
def test_shape_knows_neither_unit_nor_sign(seed, scale):
    course = np.random.default_rng(seed).standard_normal((12, 20))
    edges, told = np.arange(13.0), np.ones(20, dtype=bool)
    one, other = shape_maps(course, edges, told), shape_maps(scale * course, edges, told)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    assert (one["duration"] >= 1.0).all()
    assert (one["onset"] < 12.0).sum() + np.isnan(one["onset"]).sum() == 20
