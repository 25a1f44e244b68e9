"""Beta series: one product against one regression per trial, and correlations by hand."""

import numpy as np
import pytest

from phmri.exceptions import FirstLevelError
from phmri.firstlevel.ppi import fit_beta_series, trial_estimator
from phmri.firstlevel.task import TaskSettings, trial_design

N, T_R = 150, 2.0
CONDITIONS = ("go", "stop")


def make_trials(onset, kinds, conditions=CONDITIONS):
    onset = np.asarray(onset, float)
    return trial_design(
        onset,
        np.ones(onset.size),
        kinds,
        settings=TaskSettings(),
        conditions=conditions,
        t_r=T_R,
        n_volumes=N,
    )


@pytest.fixture(scope="module")
def trials():
    rng = np.random.default_rng(2)
    onset = np.cumsum(rng.uniform(6, 16, 24)) + 3
    return make_trials(onset, ["go", "stop", "go"] * 8)


@pytest.fixture(scope="module")
def nuisance():
    return np.column_stack([np.ones(N), np.linspace(-1, 1, N), np.random.default_rng(4).random(N)])


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(9).standard_normal((N, 12)) + 50.0


def test_one_product_equals_a_regression_per_trial(trials, nuisance, data):
    estimator, kinds = trial_estimator(trials, nuisance)
    ours = estimator @ data
    own = np.array(trials.trial_type)
    for j, kind in enumerate(kinds):
        others = [
            trials.X[:, [i for i in np.flatnonzero(own == name) if i != j]].sum(axis=1)
            for name in CONDITIONS
        ]
        X = np.column_stack([trials.X[:, j], *others, nuisance])
        expected = np.linalg.lstsq(X, data, rcond=None)[0][0]
        np.testing.assert_allclose(ours[j], expected, rtol=1e-8, atol=1e-10)
        assert kind == own[j]


def test_correlations_and_their_difference(trials, nuisance, data):
    seeds = data[:, :2] + np.random.default_rng(1).standard_normal((N, 2))
    contrasts = {"go": {"go": 1.0}, "inhibition": {"stop": 1.0, "go": -1.0}}
    found = fit_beta_series(data, seeds, trials, contrasts, names=["a", "b"], nuisance=nuisance)
    estimator, kinds = trial_estimator(trials, nuisance)
    betas, seed = estimator @ data, estimator @ seeds[:, 1]
    z = {}
    for name in CONDITIONS:
        own = np.array(kinds) == name
        z[name] = np.arctanh(
            [np.corrcoef(seed[own], betas[own, v])[0, 1] for v in range(data.shape[1])]
        )
    np.testing.assert_allclose(found[1]["go"].values, z["go"], rtol=1e-8)
    np.testing.assert_allclose(found[1]["inhibition"].values, z["stop"] - z["go"], atol=1e-8)
    assert found[1]["go"].variance == pytest.approx(1 / 13)
    assert found[1]["go"].df == pytest.approx(13)
    assert found[1]["inhibition"].variance == pytest.approx(1 / 13 + 1 / 5)
    assert 5 < found[1]["inhibition"].df < 18
    assert found[0]["go"].unit == "Fisher z"
    assert found[0]["go"].facts == {"trials": ["go 16", "stop 8"]}


def test_a_voxel_without_variance_is_nan_and_counted(trials, nuisance, data):
    flat = np.column_stack([data[:, :1], np.zeros(N)])
    found = fit_beta_series(
        flat, data[:, 1:2], trials, {"go": {"go": 1.0}}, names=["a"], nuisance=nuisance
    )[0]["go"]
    assert found.n_undefined == 1
    assert np.isnan(found.values[1])


def test_a_trial_at_the_end_is_modelled_but_not_counted(nuisance):
    onset = [*np.arange(5.0, 275.0, 27.0), 298.0]
    late = make_trials(onset, ["go", "stop"] * 5 + ["go"])
    assert late.within[-1] < 0.5 < late.within[-2]
    estimator, kinds = trial_estimator(late, nuisance)
    assert estimator.shape == (10, N)
    assert kinds.count("go") == 5


def test_refusals_are_told_at_once(nuisance, data):
    onset = [*np.arange(5.0, 275.0, 27.0), 5.0]
    few = make_trials(onset, ["go"] * 8 + ["stop"] * 2 + ["go"])
    with pytest.raises(FirstLevelError) as caught:
        trial_estimator(few, np.column_stack([nuisance, few.X[:, 8:10].sum(axis=1)]))
    told = str(caught.value)
    for text in ("stop: a condition has too few", "stop: a condition cannot be told"):
        assert text in told
    together = make_trials([5.0] * 6, ["go"] * 6, ("go",))
    with pytest.raises(FirstLevelError, match=r"trial 6 .go.: a trial cannot be told"):
        trial_estimator(together, nuisance)


def test_a_seed_without_variance_and_data_that_do_not_fit(trials, nuisance, data):
    contrasts = {"go": {"go": 1.0}}
    with pytest.raises(FirstLevelError, match="b: a seed has no variance"):
        fit_beta_series(
            data,
            np.column_stack([data[:, 0], np.zeros(N)]),
            trials,
            contrasts,
            names=["a", "b"],
            nuisance=nuisance,
        )
    with pytest.raises(FirstLevelError, match="different length"):
        trial_estimator(trials, nuisance[:-1])
    with pytest.raises(FirstLevelError, match="different length"):
        fit_beta_series(
            data[:-1],
            data[:-1, :1],
            trials,
            contrasts,
            names=["a"],
            nuisance=nuisance[:-1],
        )
    with pytest.raises(FirstLevelError, match="unknown condition"):
        fit_beta_series(
            data, data[:, :1], trials, {"x": {"x": 1.0}}, names=["a"], nuisance=nuisance
        )


def censor(nuisance, volumes):
    return np.column_stack([nuisance, np.eye(N)[:, volumes]])


def test_trials_that_censoring_takes_are_not_counted(trials, nuisance):
    first = np.flatnonzero(trials.X[:, 3] > 0.5 * trials.X[:, 3].max())
    _, kinds = trial_estimator(trials, censor(nuisance, first))
    assert len(kinds) == len(trials.trial_type) - 1
    _, kinds = trial_estimator(trials, censor(nuisance, first[:1]))
    assert len(kinds) == len(trials.trial_type)


def test_variance_holds_where_a_tenth_is_censored(nuisance):
    """Unrelated seed and voxels: z / SE is standard normal, whatever is censored in bursts."""
    rng = np.random.default_rng(12)
    n = 300
    onset = np.sort(np.arange(8, 570, 14.0) + rng.uniform(0, 4, 41))
    kinds = (["go", "stop"] * 21)[:41]
    trials = trial_design(
        onset, np.ones(41), kinds, settings=TaskSettings(), conditions=CONDITIONS, t_r=T_R,
        n_volumes=n,
    )  # fmt: skip
    ratios = []
    for _ in range(12):
        bad = np.zeros(n, bool)
        while bad.mean() < 0.1:
            start = rng.integers(0, n - 6)
            bad[start : start + rng.integers(1, 7)] = True
        Y, seed = rng.standard_normal((n, 300)), rng.standard_normal((n, 1))
        (found,) = fit_beta_series(
            Y, seed, trials, {"difference": {"go": 1.0, "stop": -1.0}}, names=["s"],
            nuisance=np.column_stack([np.ones(n), np.eye(n)[:, bad]]),
        )  # fmt: skip
        estimate = found["difference"]
        ratios.append(np.mean(estimate.values**2) / estimate.variance)
    # Over 12 x 300 values that share 12 seeds; without the rule it is about 5.
    assert 0.8 < np.mean(ratios) < 1.25
