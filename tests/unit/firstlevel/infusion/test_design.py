"""Columns, contrasts and overlap of infusion designs against hand-made least squares."""

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.infusion._bins import bin_edges, bin_index
from phmri.firstlevel.infusion._design import infusion_design
from phmri.firstlevel.infusion._models import (
    Drift,
    Exposure,
    GammaVariate,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    Step,
)

NONE = Drift(order=0)
TIMES = -3.0 + (np.arange(300) + 0.5) * 2.0 / 60.0  # 3 min before, 7 min after
CURVE = np.where(TIMES < 0, 0.0, 300.0 * np.exp(-np.maximum(TIMES, 0.0) / 3.0) + 100.0)
FAMILY = ResponseFamily(onset_min=(0.0, 1.0), delay_min=(1.0, 5.0), shape=(1.0, 3.0))


def weights(design, name):
    return next(c.weights for c in design.contrasts if c.name == name)


def estimate(design, y, name):
    return weights(design, name) @ np.linalg.lstsq(design.X, y, rcond=None)[0]


def test_bins_are_means_after_minus_mean_before():
    y = np.random.default_rng(1).standard_normal(300)
    design = infusion_design(Pseudoblock(), TIMES, drift=NONE)
    expected = [y[TIMES >= 0].reshape(7, 30)[k].mean() - y[TIMES < 0].mean() for k in range(7)]
    found = [estimate(design, y, f"bin{k + 1:02d}")[0] for k in range(7)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(estimate(design, y, "window")[0], np.mean(expected), atol=1e-12)
    np.testing.assert_allclose(estimate(design, y, "bins"), expected, atol=1e-12)
    assert design.overlap == 0.0
    assert design.primary == "window"
    np.testing.assert_allclose(design.edges_min, np.arange(8.0), atol=1e-9)


def test_window_weighs_bins_by_the_length_inside():
    model = Pseudoblock(window_min=(1.5, 3.0))
    design = infusion_design(model, TIMES, drift=NONE)
    np.testing.assert_allclose(weights(design, "window")[0, :4], [0.0, 1 / 3, 2 / 3, 0.0])


def test_a_baseline_shorter_than_the_time_before():
    y = np.random.default_rng(2).standard_normal(300)
    design = infusion_design(Pseudoblock(baseline_min=2.0), TIMES, drift=NONE)
    near = (TIMES < 0) & (TIMES > -2.0)
    expected = y[(TIMES >= 0) & (TIMES < 1)].mean() - y[near].mean()
    np.testing.assert_allclose(estimate(design, y, "bin01")[0], expected, atol=1e-12)
    assert design.facts["baseline_volumes"] == 60.0


@pytest.mark.parametrize(
    ("end", "length", "edges", "merged"),
    [
        (5.0, 1.0, [0, 1, 2, 3, 4, 5], False),
        (2.4, 1.0, [0, 1, 2.4], True),
        (2.5, 1.0, [0, 1, 2, 2.5], False),
        (0.3, 1.0, [0, 0.3], False),
        (0.1 * 3, 0.1, [0, 0.1, 0.2, 0.3], False),
    ],
)
def test_a_short_last_bin_joins_the_one_before(end, length, edges, merged):
    found, said = bin_edges(end, length)
    np.testing.assert_allclose(found, edges, atol=1e-12)
    assert said is merged


def test_a_merged_bin_is_told():
    design = infusion_design(Pseudoblock(bin_s=96.0), TIMES, drift=NONE)  # 4 bins, 36 s left
    assert design.edges_min[-1] == pytest.approx(7.0)
    assert len(design.course) == 4
    assert design.facts["last_bin"] == "a rest shorter than half a bin joined it"


def test_a_volume_on_an_edge_is_in_the_later_bin():
    found = bin_index(np.array([-0.1, 0.0, 0.9, 1.0, 2.9]), np.arange(4.0))
    np.testing.assert_array_equal(found, [-1, 0, 0, 1, 2])


@pytest.mark.parametrize(
    ("model", "at", "value"),
    [
        (Step(onset_min=1.0), [0.5, 1.5], [0.0, 1.0]),
        (Ramp(end_min=5.0, onset_min=1.0), [0.5, 2.0, 6.0], [0.0, 0.25, 1.0]),
        (GammaVariate(peak_min=3.0, shape=2.0, onset_min=1.0), [0.5, 3.0], [0.0, 1.0]),
        (
            GammaVariate(peak_min=3.0, shape=2.0, onset_min=1.0),
            [2.0, 5.0],
            [0.25 * np.e, 4.0 * np.exp(-2.0)],
        ),
        (Exposure(), [0.5], [(300 * np.exp(-0.5 / 3) + 100) / CURVE.max()]),
        (Exposure(peak_ng_ml=200.0), [0.5], [(300 * np.exp(-0.5 / 3) + 100) / 200.0]),
    ],
)
def test_curves_by_their_equations(model, at, value):
    fine = -3.0 + np.arange(601) / 60.0  # seconds, so that the asked times are among them
    exposure = None
    if isinstance(model, Exposure):
        exposure = np.where(fine < 0, 0.0, 300.0 * np.exp(-np.maximum(fine, 0.0) / 3.0) + 100.0)
        value = [v * CURVE.max() / 400.0 for v in value] if model.peak_ng_ml is None else value
    design = infusion_design(model, fine, drift=NONE, exposure=exposure)
    found = np.interp(at, fine, design.X[:, 0])
    np.testing.assert_allclose(found, value, atol=1e-9)
    assert design.X[fine < 0, 0].max() == 0.0


@pytest.mark.parametrize("source", ["run", "baseline"])
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(
    ("model", "curve"),
    [
        (Exposure(), CURVE / CURVE.max()),
        (Step(), (TIMES >= 0).astype(float)),
        (Ramp(end_min=4.0), np.clip(TIMES / 4.0, 0.0, 1.0)),
    ],
)
def test_a_planted_response_is_found_beside_its_drift(model, curve, order, source):
    drift = sum(((-1) ** k) * 0.7 * (TIMES / 5.0) ** k for k in range(1, order + 1))
    exposure = CURVE if isinstance(model, Exposure) else None
    if source == "baseline" and order:  # bins hold the curve's mean only
        index = np.floor(TIMES).astype(int)
        curve = np.array([curve[index == index[i]].mean() for i in range(300)]) * (TIMES >= 0)
    y = 100.0 + 2.5 * curve + drift
    design = infusion_design(
        model, TIMES, drift=Drift(order=order, source=source), exposure=exposure, max_overlap=1.0
    )
    np.testing.assert_allclose(estimate(design, y, design.primary), [2.5], atol=1e-7)


def test_drift_of_the_baseline_is_the_two_step_fit():
    y = np.random.default_rng(3).standard_normal(300).cumsum()
    design = infusion_design(
        Exposure(), TIMES, drift=Drift(source="baseline"), exposure=CURVE, max_overlap=1.0
    )
    before = TIMES < 0
    left = (y - np.polyval(np.polyfit(TIMES[before], y[before], 1), TIMES))[~before]
    distance = left.reshape(7, 30).mean(axis=1)
    shape = (CURVE / CURVE.max())[~before].reshape(7, 30).mean(axis=1)
    expected = shape @ distance / (shape @ shape)
    np.testing.assert_allclose(estimate(design, y, "response")[0], expected, atol=1e-8)


def test_overlap_is_the_share_of_variance_due_to_drift():
    y = np.random.default_rng(4).standard_normal((300, 20000))
    design = infusion_design(Step(), TIMES, drift=Drift(order=1))
    bare = infusion_design(Step(), TIMES, drift=NONE)
    simulated = 1.0 - np.var(estimate(bare, y, "response")) / np.var(
        estimate(design, y, "response")
    )
    assert design.overlap == pytest.approx(simulated, abs=0.03)
    step = np.column_stack([np.ones(300), TIMES])
    regression = TIMES >= 0
    left = regression - step @ np.linalg.lstsq(step, regression, rcond=None)[0]
    exact = 1.0 - (left**2).sum() / ((regression - regression.mean()) ** 2).sum()
    assert design.overlap == pytest.approx(exact, abs=1e-10)


def test_drift_slope_is_per_minute():
    design = infusion_design(Step(), TIMES, drift=Drift(order=3), max_overlap=1.0)
    np.testing.assert_allclose(estimate(design, 0.3 * TIMES, "driftslope"), [0.3], atol=1e-9)


def test_components_span_the_family():
    design = infusion_design(FAMILY, TIMES, drift=NONE)
    assert design.facts["family_explained"] >= 0.99
    n = len(weights(design, "family"))
    assert 2 <= n <= 5
    inside = GammaVariate(peak_min=3.0, shape=1.7, onset_min=0.4)
    curve = infusion_design(inside, TIMES, drift=NONE).X[:, 0]
    fitted = design.X @ np.linalg.lstsq(design.X, curve, rcond=None)[0]
    assert np.linalg.norm(fitted - curve) < 0.12 * np.linalg.norm(curve)
    means = fitted[TIMES >= 0].reshape(7, 30).mean(axis=1) - fitted[TIMES < 0].mean()
    course = [estimate(design, curve, name)[0] for name in design.course]
    np.testing.assert_allclose(course, means, atol=1e-10)


def test_a_fixed_number_of_components():
    model = ResponseFamily(
        onset_min=(0.0, 1.0), delay_min=(1.0, 5.0), shape=(1.0, 3.0), n_components=2
    )
    assert len(weights(infusion_design(model, TIMES, drift=NONE), "family")) == 2


def test_a_family_that_begins_late_has_no_empty_bins():
    model = ResponseFamily(onset_min=(2.0, 3.0), delay_min=(1.0, 4.0), shape=(1.0, 2.0))
    design = infusion_design(model, TIMES, drift=Drift(order=1))
    assert design.edges_min[0] == pytest.approx(2.0)
    assert all(np.abs(weights(design, name)).max() > 0 for name in design.course)


def test_a_response_like_the_drift_is_refused_by_name():
    with pytest.raises(FirstLevelError) as caught:
        infusion_design(Pseudoblock(), TIMES, drift=Drift(order=2, source="baseline"))
    message = str(caught.value)
    for word in ("pseudoblock", "order 2", "baseline", "overlap 0.99", "at most 0.99"):
        assert word in message
    ramp = Ramp(end_min=7.0)
    with pytest.raises(FirstLevelError, match="ramp cannot be told from a drift of order 1"):
        infusion_design(ramp, TIMES, drift=Drift(order=1), max_overlap=0.8)


def test_words_name_model_and_drift():
    design = infusion_design(
        Pseudoblock(window_min=(1.0, 3.0)), TIMES, drift=Drift(order=1), max_overlap=1.0
    )
    response, drift = design.sentences
    assert "7 bins of 60 s" in response
    assert "minutes 1 to 3" in response
    assert "[doi:10.1007/s00213-005-2270-y]" in response
    assert f"is {design.overlap:.3f}" in drift


def fields(model, times=TIMES, **settings):
    settings.setdefault("drift", NONE)
    with pytest.raises(FirstLevelError) as caught:
        infusion_design(model, times, **settings)
    return [problem.field for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("model", "settings", "expected"),
    [
        (Exposure(), {}, ["exposure"]),
        (Exposure(), {"exposure": CURVE[1:]}, ["exposure"]),
        (Exposure(), {"exposure": np.where(TIMES > 5, np.nan, CURVE)}, ["exposure"]),
        (Exposure(), {"exposure": -CURVE}, ["exposure"]),
        (Exposure(), {"exposure": np.full(300, 5.0)}, ["exposure"]),
        (Exposure(), {"exposure": np.zeros(300)}, ["exposure"]),
        (Exposure(peak_ng_ml=0.0), {"exposure": CURVE}, ["peak_ng_ml"]),
        (Step(), {"exposure": CURVE}, ["exposure"]),
        (Step(onset_min=7.5), {}, ["onset_min"]),
        (Step(onset_min=-1.0), {}, ["onset_min"]),
        (Ramp(end_min=1.0, onset_min=2.0), {}, ["end_min"]),
        (GammaVariate(peak_min=0.0, shape=-1.0), {}, ["shape", "peak_min"]),
        (Ramp(end_min=7.5), {}, ["end_min"]),
        (GammaVariate(peak_min=8.0, shape=1.0), {}, ["peak_min"]),
        (Pseudoblock(bin_s=-5.0), {}, ["bin_s"]),
        (Pseudoblock(bin_s=1.0), {}, [f"bin {k} " for k in range(1, 421, 2)]),
        (Pseudoblock(bin_s=200.0), {}, ["bin_s"]),
        (Pseudoblock(baseline_min=4.0), {}, ["baseline_min"]),
        (Pseudoblock(window_min=(2.0, 1.0)), {}, ["window_min"]),
        (Pseudoblock(window_min=(5.0, 8.0)), {}, ["window_min"]),
        (Pseudoblock(window_min=(-2.0, 1.0)), {}, ["window_min"]),
        (
            ResponseFamily(onset_min=(2.0, 1.0), delay_min=(0.0, 1.0), shape=(1.0, 2.0)),
            {},
            ["onset_min", "delay_min"],
        ),
        (Step(), {"drift": Drift(order=-1)}, ["drift.order"]),
        (Step(), {"min_baseline_volumes": 91}, ["min_baseline_volumes"]),
        (
            Pseudoblock(baseline_min=1.0),
            {"min_baseline_volumes": 31},
            ["min_baseline_volumes"],
        ),
    ],
)
def test_each_mistake_is_told(model, settings, expected):
    found = fields(model, **settings)
    assert len(found) >= len(expected)
    assert all(any(f.startswith(e) for f in found) for e in expected[:2])


def test_all_mistakes_at_once():
    found = fields(
        Pseudoblock(bin_s=400.0, window_min=(5.0, 90.0)),
        exposure=CURVE,
        min_baseline_volumes=200,
        drift=Drift(order=-1),
    )
    assert found[:5] == [
        "min_baseline_volumes",
        "drift.order",
        "exposure",
        "bin_s",
        "window_min",
    ]


@pytest.mark.parametrize("start", [0.0, 2.0])
def test_a_scan_without_baseline_is_refused(start):
    assert "min_baseline_volumes" in fields(Step(onset_min=3.0), TIMES - TIMES[0] + start)


def test_a_scan_before_the_infusion_is_refused():
    with pytest.raises(FirstLevelError, match="the scan ends before the infusion begins"):
        infusion_design(Step(), TIMES - 20.0, drift=NONE)


def test_a_gap_empties_a_bin_and_disorder_is_refused():
    gap = TIMES[(TIMES < 2.0) | (TIMES > 3.0)]
    with pytest.raises(FirstLevelError, match=r"bin 3 \(2 to 3 min\): a bin has no volume"):
        infusion_design(Pseudoblock(), gap, drift=NONE)
    assert fields(Step(), TIMES[::-1].copy()) == ["times_min"]


def test_censored_volumes_are_no_baseline():
    used = np.ones(TIMES.size, bool)
    used[np.flatnonzero(TIMES < 0)[3:]] = False
    assert infusion_design(Step(), TIMES, drift=Drift(order=0)).facts["baseline_volumes"] == 90.0
    with pytest.raises(FirstLevelError) as caught:
        infusion_design(Step(), TIMES, drift=Drift(order=0), used=used)
    (problem,) = caught.value.problems
    assert problem.field == "min_baseline_volumes"
    assert problem.found.startswith("3 of 90, the others censored or removed")
    used[:30] = True
    made = infusion_design(Step(), TIMES, drift=Drift(order=0), used=used)
    assert made.facts["baseline_volumes"] == 30.0
