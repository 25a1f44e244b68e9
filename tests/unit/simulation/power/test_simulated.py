"""Layouts, images and correlations of simulated trials."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import SimulationError
from phmri.protocol import Blockade, Crossover, Inference, Parallel, Question
from phmri.simulation.power import (
    Case,
    Effort,
    Independent,
    Noise,
    SmoothImage,
    correlation_power,
    crossover_precision,
    expect,
    paired_precision,
    parallel_precision,
    simulate_map,
    simulate_question,
    t_power,
)
from phmri.simulation.power._curve import fit_curve
from phmri.simulation.power._layout import make_layout
from phmri.simulation.power._scalar import complete
from phmri.simulation.power._tested import draw_cells
from phmri.simulation.power._trials import SimulatedPower

ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "KLP"})
PAIR = Crossover(kind="crossover", sequences={s: {"treatments": tuple(s)} for s in ("KP", "PK")})


def ask(estimator="ancova", **more):
    asked = {"contrast": ("K", "P"), "estimator": estimator}
    if estimator != "crossover":
        asked |= {"session": "acute", "baseline": "before"}
    return Question(text="t", role="primary", measure="m", **(asked | more))


def test_effects_are_planted_after_treatment_alone():
    layout = make_layout(ask(), ARMS, 3)
    assert layout.n_participants == 9
    before, after = layout.drug.reshape(2, 9)
    assert not before.any()
    assert after.tolist() == [1.0] * 3 + [0.0] * 6
    assert not layout.pretreated.any()
    blocked = make_layout(ask(contrast=("K", "L"), blockade=Blockade(reference="P")), ARMS, 3)
    assert blocked.pretreated.reshape(2, 9)[1].tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 3


def test_sessions_of_a_person_correlate_as_asked():
    layout = make_layout(ask(), ARMS, 4)
    noise = Noise(sd=2.0, correlation=0.7)
    rng = np.random.default_rng(1)
    cells = draw_cells(
        layout, noise, rng.standard_normal((12, 20_000)), rng.standard_normal((24, 20_000))
    )
    before, after = cells[0], cells[12]
    assert_allclose(before.std(), 2.0, rtol=0.02)
    assert_allclose(np.corrcoef(before, after)[0, 1], 0.7, atol=0.02)
    assert_allclose((after - before).std(), noise.difference_sd, rtol=0.02)
    assert_allclose(np.corrcoef(before, cells[1])[0, 1], 0.0, atol=0.03)


def test_who_lacks_a_scan_is_left_out():
    lossy = Noise(missing=0.1)
    assert complete(Case(question=ask(), design=ARMS, n=100, noise=lossy)) == 81
    assert complete(Case(question=ask("post"), design=ARMS, n=100, noise=lossy)) == 90
    assert complete(Case(question=ask("clda"), design=ARMS, n=100, noise=lossy)) == 100
    assert complete(Case(question=ask("crossover"), design=PAIR, n=100, noise=lossy)) == 81


def test_standard_errors_of_designs():
    noise = Noise(sd=2.0, correlation=0.5)
    post = expect(Case(question=ask("post"), design=ARMS, n=25, noise=noise))
    assert_allclose((post.precision.se, post.precision.df), (2.0 * np.sqrt(2 / 25), 72.0))
    assert post.doubt == ""
    ancova = expect(Case(question=ask(), design=ARMS, n=25, noise=noise))
    wider = np.sqrt(0.75 * (1 + 1 / 70))
    assert_allclose(ancova.precision.se, post.precision.se * wider)
    assert ancova.precision.df == 71.0
    within = expect(Case(question=ask("crossover"), design=PAIR, n=24, noise=noise))
    assert_allclose(within.precision.se, 2.0 * np.sqrt(0.5 * 2 / 24))


def test_image_is_standard_normal_smooth_and_holds_one_blob():
    image = SmoothImage(side=12, fwhm=3.0)
    drawn = image.draw(np.random.default_rng(2), 200).reshape(200, 12, 12, 12)
    assert_allclose(drawn.std(axis=0).mean(), 1.0, atol=0.02)
    assert_allclose(drawn[:, 0, 0, 0].std(), 1.0, atol=0.15)
    steps = np.diff(drawn, axis=1)
    # A Gaussian kernel of that width: variance of a step is 2 (1 - exp(-1 / 4 sigma^2)).
    sigma = 3.0 / np.sqrt(8 * np.log(2))
    assert_allclose(steps.var(), 2 * (1 - np.exp(-1 / (4 * sigma**2))), rtol=0.05)
    profile = image.profile().reshape(12, 12, 12)
    assert profile.max() == profile[6, 6, 6] == 1.0
    assert_allclose(profile[8, 6, 6], 0.5)
    assert image.n_resels == 64.0


def test_strong_effects_in_maps_are_found_and_none_are_not():
    case = Case(question=ask("post"), design=ARMS, n=12)
    settings = Inference(method="voxel")
    effort = Effort(n_trials=10, n_permutations=100, n_workers=2)
    searched = SmoothImage(side=8)
    assert simulate_map(case, 4.0, settings, searched, effort).n_found == 10
    assert simulate_map(case, 0.0, settings, searched, effort).n_found <= 3
    assert simulate_map(case, 4.0, settings, Independent(n_outcomes=50), effort).n_found == 10


def test_threads_change_no_finding():
    case = Case(question=ask(), design=ARMS, n=8)
    one, two = (
        simulate_question(case, 1.0, Inference(), Effort(n_trials=600, n_workers=n, seed=3))
        for n in (1, 2)
    )
    assert one == two


@pytest.mark.parametrize(("rho", "missing"), [(0.5, 0.3), (0.8, 0.15)])
def test_lost_periods_cost_a_crossover_what_simulated_trials_lose(rho, missing):
    noise = Noise(correlation=rho, missing=missing)
    question = ask("mixed", session=None, baseline=None)
    case = Case(question=question, design=PAIR, n=40, noise=noise)
    effect = 0.45 * np.sqrt(2 * (1 - rho))
    effort = Effort(n_trials=2000, seed=5)
    simulated = simulate_question(case, effect, Inference(method="holm"), effort).by_t
    low, high = simulated.interval
    assert low - 0.015 <= t_power(effect, expect(case).precision) <= high + 0.015
    # Taking every period that is left for as good as one of a pair promises too much.
    hopeful = crossover_precision(40 * (1 - missing), np.sqrt(1 - rho))
    assert t_power(effect, hopeful) > high + 0.015


def test_nobody_left_is_an_error_of_the_plan():
    for precision in (parallel_precision, crossover_precision, paired_precision):
        with pytest.raises(SimulationError, match="nobody has the scans"):
            precision(0, 1.0)


@pytest.mark.parametrize(("r", "n"), [(0.3, 40), (-0.6, 15)])
def test_correlation_power_against_simulated_normal_pairs(r, n):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((n, 40_000))
    y = r * x + np.sqrt(1 - r**2) * rng.standard_normal(x.shape)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    found = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    p = 2 * stats.t.sf(np.abs(found) * np.sqrt((n - 2) / (1 - found**2)), n - 2)
    low, high = SimulatedPower(n_found=int((p <= 0.05).sum()), n_trials=40_000).interval
    assert low <= correlation_power(r, n) <= high


def test_no_correlation_is_found_at_alpha():
    assert_allclose(correlation_power(0.0, 30, alpha=0.01), 0.01, rtol=1e-9)


def test_curve_recovers_the_power_it_was_made_of():
    strengths = np.linspace(2.0, 6.0, 6)
    true = stats.norm.cdf(strengths - 4.0)
    found = [SimulatedPower(n_found=round(1e5 * p), n_trials=100_000) for p in true.tolist()]
    curve = fit_curve(strengths, found)
    assert curve is not None
    assert_allclose((curve.intercept, curve.slope), (-4.0, 1.0), atol=0.01)
    assert fit_curve(strengths[:2], found[:2]) is None


def test_noise_tells_all_that_is_wrong():
    with pytest.raises(SimulationError) as caught:
        Noise(sd=0.0, correlation=1.0, missing=-0.1)
    assert len(caught.value.problems) == 3
