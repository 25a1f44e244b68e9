"""Interactions: recovery of a planted one, one pass against seed by seed, and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, fit_glm
from phmri.firstlevel.ppi import fit_ppi, ppi_design
from phmri.firstlevel.task import TaskSettings, task_design

N, T_R = 160, 2.0
LOAD = {"load": {"two_back": 1.0, "zero_back": -1.0}}


def make_task(onset=None, duration=24.0, conditions=("zero_back", "two_back")):
    onset = np.arange(10.0, 290.0, 40.0) if onset is None else np.asarray(onset, float)
    kinds = [conditions[i % len(conditions)] for i in range(onset.size)]
    return task_design(
        onset,
        np.full(onset.size, duration),
        kinds,
        {},
        settings=TaskSettings(),
        conditions=conditions,
        t_r=T_R,
        n_volumes=N,
    )


def make_seeds(rng, n_seeds=3):
    """Simulated: slow neural noise seen through the response."""
    neural = rng.standard_normal((N, n_seeds))
    smooth = scipy.signal.lfilter([1.0], [1.0, -0.7], neural, axis=0)
    return smooth / smooth.std(axis=0) + 100.0


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(3)
    seeds = make_seeds(rng)
    drift = np.linspace(-1, 1, N)
    nuisance = np.column_stack([np.ones(N), drift, drift**2])
    design = ppi_design(seeds, make_task(), names=["a", "b", "c"], nuisance=nuisance)
    noise = scipy.signal.lfilter([1.0], [1.0, -0.4], rng.standard_normal((N, 60)), axis=0)
    return design, noise


def test_a_planted_interaction_is_recovered_exactly_without_noise(run):
    design, _ = run
    Y = (
        100.0
        + 0.5 * design.physiological[:, 1]
        + 0.3 * design.interaction[:, 1, 0]
        + 0.8 * design.interaction[:, 1, 1]
        + 2.0 * design.common[:, 0]
    )
    noise = 1e-6 * np.random.default_rng(1).standard_normal(N)
    found = fit_ppi((Y + noise)[:, None], design, LOAD, noise=Noise(kind="white"))
    assert found[1]["load"].values[0] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    "noise", [Noise(kind="white"), Noise(kind="ar", order=1), Noise(kind="ar", order=2)]
)
def test_one_pass_equals_the_engine_seed_by_seed(run, noise):
    design, Y = run
    contrasts = LOAD | {"mean": {"two_back": 0.5, "zero_back": 0.5}}
    ours = fit_ppi(Y, design, contrasts, noise=noise)
    given = noise
    if noise.kind == "ar":
        common = fit_glm(Y, design.common, (), noise=noise).noise
        given = GivenNoise(
            kind="ar", values=np.stack([common[f"ar{i + 1}"] for i in range(noise.order)])
        )
    for s in range(3):
        X = np.column_stack([design.common, design.physiological[:, s], design.interaction[:, s]])
        weights = np.zeros((1, X.shape[1]))
        weights[0, -2:] = [-1.0, 1.0]
        fit = fit_glm(Y, X, [Contrast(name="c", weights=weights)], noise=given)
        expected = fit.contrasts["c"]
        result = ours[s]["load"]
        np.testing.assert_allclose(result.values, expected.effect[0], rtol=1e-8)
        np.testing.assert_allclose(result.variance, expected.variance[0], rtol=1e-8)
        np.testing.assert_allclose(result.extras["t"], expected.statistic, rtol=1e-8)
        assert result.df == expected.df
    assert set(ours[0]) == {"load", "mean"}


def test_seeds_do_not_know_of_each_other(run):
    design, Y = run
    alone = replace(
        design,
        seeds=("b",),
        physiological=design.physiological[:, 1:2],
        interaction=design.interaction[:, 1:2],
    )
    noise = Noise(kind="ar")
    one = fit_ppi(Y, alone, LOAD, noise=noise)[0]["load"]
    many = fit_ppi(Y, design, LOAD, noise=noise)[1]["load"]
    np.testing.assert_allclose(one.values, many.values, rtol=1e-9)
    np.testing.assert_allclose(one.variance, many.variance, rtol=1e-9)


def test_a_voxel_without_variance_is_nan_and_counted(run):
    design, Y = run
    flat = np.column_stack([Y[:, :2], np.full(N, 7.5)]).astype(np.float32)
    for noise in (Noise(kind="white"), Noise(kind="ar"), Noise(kind="ar", order=2)):
        found = fit_ppi(flat, design, LOAD, noise=noise)[0]["load"]
        assert found.n_undefined == 1
        assert np.isnan(found.values[2])
        assert np.isnan(found.variance[2])
        assert np.isfinite(found.values[:2]).all()


def test_conditions_that_fill_the_run_together_allow_only_their_difference():
    """Centred functions that sum to a constant: opposite interactions."""
    seeds = make_seeds(np.random.default_rng(5), 1)
    task = make_task()
    other = 1.0 - task.stimulus[:, :1]
    filled = replace(task, stimulus=np.hstack([task.stimulus[:, :1], other]))
    nuisance = np.ones((N, 1))
    design = ppi_design(seeds, filled, names=["a"], nuisance=nuisance)
    Y = np.random.default_rng(6).standard_normal((N, 4))
    difference = fit_ppi(Y, design, LOAD, noise=Noise(kind="white"))[0]["load"]
    assert np.isfinite(difference.values).all()
    assert difference.df == N - 3 - 2
    with pytest.raises(FirstLevelError, match=r"zero_back.*fill the run"):
        fit_ppi(Y, design, {"one": {"zero_back": 1.0}}, noise=Noise(kind="white"))


def test_refusals_of_the_design_are_told_at_once():
    seeds = make_seeds(np.random.default_rng(5), 2)
    seeds[:, 1] = 4.0
    whole = make_task(onset=[-4.0], duration=400.0, conditions=("rest",))
    with pytest.raises(FirstLevelError) as caught:
        ppi_design(seeds, whole, names=["a", "b"], nuisance=np.ones((N, 1)))
    assert [problem.field for problem in caught.value.problems] == ["b", "rest"]
    broken = seeds.copy()
    broken[3, 0] = np.nan
    with pytest.raises(FirstLevelError) as caught:
        ppi_design(broken[:-1], whole, names=["a", "a"], nuisance=np.zeros((N - 1, 1)))
    told = str(caught.value)
    for text in ("different length", "name of its own", "not finite", "no constant"):
        assert text in told


def test_refusals_of_the_fit(run):
    design, Y = run
    with pytest.raises(FirstLevelError, match="nearest: two_back"):
        fit_ppi(Y, design, {"load": {"twoback": 1.0}}, noise=Noise(kind="white"))
    with pytest.raises(FirstLevelError, match="no contrast"):
        fit_ppi(Y, design, {}, noise=Noise(kind="white"))
    with pytest.raises(FirstLevelError, match="different length"):
        fit_ppi(Y[:-1], design, LOAD, noise=Noise(kind="white"))
    broken = Y.copy()
    broken[0, :2] = np.nan
    with pytest.raises(FirstLevelError, match="in 2 voxels"):
        fit_ppi(broken, design, LOAD, noise=Noise(kind="white"))


def test_without_deconvolution_the_product_is_of_bold_and_convolved_task():
    seeds = make_seeds(np.random.default_rng(8), 1)
    task, nuisance = make_task(), np.ones((N, 1))
    plain = ppi_design(seeds, task, names=["a"], nuisance=nuisance, method="none")
    centred = task.X[:, 0] - task.X[:, 0].mean()
    product = centred * (seeds[:, 0] - seeds[:, 0].mean())
    np.testing.assert_allclose(plain.interaction[:, 0, 0], product - product.mean(), atol=1e-10)


@pytest.mark.parametrize("kind", ["white", "ar"])
def test_a_voxel_that_is_the_seed_is_undefined_not_certain(run, kind):
    design, noise = run
    Y = np.column_stack([design.physiological[:, 1], noise[:, 0]])
    fits = fit_ppi(Y, design, LOAD, noise=Noise(kind=kind))
    of_itself, of_another = fits[1]["load"], fits[0]["load"]
    assert np.isnan(of_itself.values[0])
    assert np.isnan(of_itself.variance[0])
    assert of_itself.n_undefined == 1
    assert np.isfinite([of_itself.values[1], of_another.values[0], of_another.variance[0]]).all()
