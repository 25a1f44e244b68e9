"""The engine as a whole: threads, batches, interruptions and precision change nothing."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import UnitDesign, exchange_within
from phmri.inference import PermutationState, Volume, permute
from phmri.inference import _permutation as permutation
from phmri.protocol import Inference

SHAPE = (6, 5, 4)
MASK = np.random.default_rng(9).uniform(size=SHAPE) < 0.85
SPACE = Volume(mask=MASK, connectivity=18)
ALL = {"method": "tfce", "cluster_p": 0.05, "n_permutations": 300, "seed": 4}


def make_data(n, seed=0, n_affected=None):
    """Give noise that is alike in neighbours; the first half, or so many, differ in a corner."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, *SHAPE))
    for axis in (1, 2, 3):
        noise += np.roll(noise, 1, axis=axis)
    noise[: n_affected or n // 2, :3, :3, :2] += 8.0
    return noise[:, MASK]


def make_design(n, *, kind="permute", voxelwise=False, age=False):
    X = np.repeat(np.eye(2), n // 2, axis=0) if kind == "permute" else np.ones((n, 1))
    if age:
        X = np.column_stack([X, np.linspace(-1, 1, n) ** 2])
    contrast = np.zeros(X.shape[1])
    contrast[:2] = [1.0, -1.0] if kind == "permute" else [1.0]
    return UnitDesign(
        estimator="ancova" if voxelwise else "post",
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple("AB"[k >= n // 2] for k in range(n)),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=contrast,
        voxelwise_baseline=voxelwise,
        exchangeability=exchange_within(np.zeros(n, dtype=np.int64), kind=kind),
        notes=(),
        sentences=(),
        variance_groups=np.repeat([0, 1], n // 2) if kind == "permute" else None,
    )


CASES = {
    "signs": {"n_permutations": 600},  # all 512, in float64
    "t": {},  # of 184756 distinct: random, in float64
    "single": {},  # of 10 million: float32
    "z": {"height": "z"},
    "v": {"statistic": "v"},
    "baseline": {},
    "coverage": {"min_coverage": 0.6},
}


def case(name):
    """Give design, outcome, baseline and settings."""
    n = {"signs": 9, "single": 26, "z": 26, "baseline": 16}.get(name, 20)
    kind = "sign_flip" if name == "signs" else "permute"
    design = make_design(n, kind=kind, voxelwise=name == "baseline", age=name == "coverage")
    Y = make_data(n, n_affected=n if name == "signs" else None)
    baseline = make_data(n, seed=5) if name == "baseline" else None
    if name == "coverage":
        Y[np.random.default_rng(3).uniform(size=Y.shape) < 0.02] = np.nan
    return design, Y, baseline, ALL | CASES[name]


def run(name, **options):
    design, Y, baseline, settings = case(name)
    return permute(design, Y, baseline, Inference(**settings), space=SPACE, **options)


def bits(result):
    """Give all numbers of a result as bytes."""
    found = {
        "statistic": result.statistic.tobytes(),
        "uncorrected": result.pvalue_uncorrected.tobytes(),
        "n": result.n_permutations,
    }
    for method, test in result.tests.items():
        for field in ("value", "pvalue", "null_maximum"):
            found[f"{method} {field}"] = getattr(test, field).tobytes()
        found[f"{method} threshold"] = test.threshold
    return found


class PowerCutError(Exception):
    pass


class Recorder:
    """Keep the last state, written to a file and read again; fail once enough is done."""

    def __init__(self, n_enough):
        self.n_enough, self.state = n_enough, None

    def __call__(self, state):
        file = BytesIO()
        np.savez(file, n_done=state.n_done, exceeded=state.exceeded, maxima=state.maxima)
        file.seek(0)
        with np.load(file) as read:
            self.state = PermutationState(
                key=state.key,
                n_done=int(read["n_done"]),
                exceeded=read["exceeded"],
                maxima=read["maxima"],
            )
        if state.n_done >= self.n_enough:
            raise PowerCutError


def cut(name, n_enough, **options):
    """Interrupt a run; give the last state that was kept."""
    recorder = Recorder(n_enough)
    with pytest.raises(PowerCutError):
        run(name, on_batch=recorder, **options)
    return recorder.state


@pytest.mark.parametrize("name", CASES)
def test_threads_batches_and_interruptions_change_no_bit(name):
    whole = run(name)
    assert list(whole.tests) == ["voxel", "tfce", "cluster_extent", "cluster_mass"]
    assert all((test.pvalue <= 0.05).any() for test in whole.tests.values())
    wanted = bits(whole)
    assert bits(run(name, n_threads=2, batch=7)) == wanted
    assert bits(run(name, n_threads=4, batch=64)) == wanted
    state = cut(name, 150, n_threads=2, batch=64)
    assert 150 <= state.n_done < 300
    assert bits(run(name, n_threads=4, batch=7, resume=state)) == wanted
    assert bits(run(name, resume=cut(name, whole.n_permutations))) == wanted


@pytest.mark.parametrize("n_enough", [60, 256])
def test_a_run_that_stops_early_stops_at_the_same_place_however_cut(n_enough):
    design, Y, _, settings = case("t")
    settings = Inference(**settings | {"n_permutations": 2000, "stop_after": 10})
    noise = np.random.default_rng(1).normal(size=Y.shape)

    def stopped(**options):
        return permute(design, noise, None, settings, space=SPACE, **options)

    whole = stopped()
    assert whole.n_permutations == 256
    for options in ({"n_threads": 2, "batch": 7}, {"batch": 1000}):
        assert bits(stopped(**options)) == bits(whole)
    recorder = Recorder(n_enough)
    with pytest.raises(PowerCutError):
        stopped(on_batch=recorder, batch=16)
    assert bits(stopped(resume=recorder.state)) == bits(whole)


def test_states_of_something_else_are_not_resumed():
    design, Y, _, settings = case("t")
    state = cut("t", 150)
    foreign = replace(state, exceeded=state.exceeded + 1000)
    assert run("t", resume=foreign).pvalue_uncorrected.max() > 1  # this one was believed

    def permute_other(design=design, Y=Y, space=SPACE, alternative="two-sided", **changed):
        return permute(
            design,
            Y,
            None,
            Inference(**settings | changed),
            space=space,
            alternative=alternative,
            resume=foreign,
        )

    others = {
        "data": {"Y": Y + np.eye(20, Y.shape[1])},
        "seed": {"seed": 5},
        "side": {"alternative": "greater"},
        "contrast": {"design": replace(design, contrast=-design.contrast)},
        "connectivity": {"space": Volume(mask=MASK, connectivity=6)},
        "mask": {"space": Volume(mask=MASK[::-1].copy(), connectivity=18)},
        "variances": {"design": replace(design, variance_groups=None)},
        "participants": {"design": replace(design, subjects=tuple("abcdefghijklmnopqrst"))},
        "coverage": {"design": replace(design, groups=("x",) * 20)},
    }
    believed = [
        name
        for name, changed in others.items()
        if permute_other(**changed).pvalue_uncorrected.max() > 1
    ]
    assert not believed


@pytest.mark.parametrize("name", ["t", "z", "v", "coverage"])
def test_single_precision_gives_the_same_p(name, monkeypatch):
    monkeypatch.setattr(permutation, "MANY", np.inf)
    double = run(name)
    monkeypatch.setattr(permutation, "MANY", 0)
    single = run(name)
    assert (single.tests["tfce"].null_maximum != double.tests["tfce"].null_maximum).any()
    assert_array_equal(single.pvalue_uncorrected, double.pvalue_uncorrected)
    for method, test in double.tests.items():
        assert_array_equal(single.tests[method].pvalue, test.pvalue)
        assert_allclose(single.tests[method].null_maximum, test.null_maximum, rtol=2e-5)


def test_an_outcome_that_cannot_be_tested_leaves_the_others_alone():
    design, Y, _, settings = case("t")
    hole = int(np.argmin(np.abs(np.argwhere(MASK) - [3, 2, 2]).sum(axis=1)))
    rest = np.arange(Y.shape[1]) != hole
    mask = MASK.copy()
    mask[tuple(np.argwhere(MASK)[hole])] = False
    flat = Y.copy()
    flat[:, hole] = 3.0
    result = permute(design, flat, None, Inference(**settings), space=SPACE)
    without = permute(
        design,
        Y[:, rest],
        None,
        Inference(**settings),
        space=Volume(mask=mask, connectivity=18),
    )
    assert_array_equal(result.tested, rest)
    assert result.statistic[hole] == 0
    assert_array_equal(result.pvalue_uncorrected[rest], without.pvalue_uncorrected)
    for method, test in without.tests.items():
        found = result.tests[method]
        assert_array_equal(found.pvalue[rest], test.pvalue)
        assert_allclose(found.value[rest], test.value, rtol=1e-12)
        assert_allclose(found.null_maximum, test.null_maximum, rtol=1e-12)
        assert found.pvalue[hole] == 1
        assert found.value[hole] == 0
    assert result.pvalue_uncorrected[hole] == result.pvalue_parametric[hole] == 1
    assert_array_equal(result.qvalue_fdr[rest], without.qvalue_fdr)
