from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import InferenceError
from phmri.group import UnitDesign, exchange_within
from phmri.inference import correct_jointly, make_source, permute
from phmri.protocol import Inference

N = 14
RNG = np.random.default_rng(6)
FIRST, SECOND = RNG.normal(size=(2, N, 5))
FIRST[:7] += 0.8
SUBJECTS = tuple(map(str, range(N)))
SECOND[:7, 0] += 3.0


def make_design(subjects=SUBJECTS):
    return UnitDesign(
        estimator="post",
        subjects=subjects,
        groups=("x",) * N,
        X=np.repeat(np.eye(2), N // 2, axis=0),
        columns=("a", "b"),
        contrast=np.array([1.0, -1]),
        voxelwise_baseline=False,
        exchangeability=exchange_within(np.zeros(N, dtype=np.int64)),
        notes=(),
        sentences=(),
    )


def ask(Y, *, subjects=SUBJECTS, alternative="two-sided", **settings):
    design = make_design(subjects)
    chosen = Inference(**{"n_permutations": 500, "seed": 3} | settings)
    return permute(design, Y, None, chosen, alternative=alternative)


def join(results, alternative="two-sided", alpha=0.05):
    return correct_jointly(
        {name: result.tests["voxel"] for name, result in results.items()},
        {name: result.shufflings_key for name, result in results.items()},
        alternative=alternative,
        alpha=alpha,
    )


def brute_force(Y, alternative):
    """Student's t of two groups under the same 500 orders."""
    order = (
        make_source(make_design(), Inference(n_permutations=500, seed=3)).take(range(500)).order
    )
    shuffled = Y[order]
    a, b = shuffled[:, :7], shuffled[:, 7:]
    error = (a.var(axis=1) + b.var(axis=1)) * 7 / (N - 2) * 2 / 7
    t = (a.mean(axis=1) - b.mean(axis=1)) / np.sqrt(error)
    return {"two-sided": np.abs(t), "greater": t, "less": -t}[alternative]


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_p_compares_with_the_largest_of_all_questions(alternative):
    results = {
        "rest": ask(FIRST, alternative=alternative),
        "task": ask(SECOND, alternative=alternative),
    }
    joint = join(results, alternative)
    t = {"rest": brute_force(FIRST, alternative), "task": brute_force(SECOND, alternative)}
    largest = np.maximum(t["rest"].max(axis=1), t["task"].max(axis=1))
    for name, test in joint.items():
        wanted = (largest[:, None] >= t[name][0] - 1e-9).mean(axis=0)
        assert_allclose(test.pvalue, wanted, rtol=1e-12)
        assert (test.pvalue >= results[name].pvalue_corrected).all()
        assert_array_equal(test.value, results[name].statistic)
        assert "rest, task together" in test.sentences[-1]
        assert ((largest >= test.threshold).mean() <= 0.05) == np.isfinite(test.threshold)
    assert joint["rest"].threshold == joint["task"].threshold
    assert joint["rest"].threshold >= max(result.threshold for result in results.values())


def test_one_question_alone_keeps_its_p():
    result = ask(FIRST)
    (test,) = join({"alone": result}).values()
    assert_array_equal(test.pvalue, result.pvalue_corrected)
    assert_allclose(test.threshold, result.threshold, rtol=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 4},
        {"n_permutations": 400},
        {"subjects": tuple("abcdefghijklmn")},
    ],
)
def test_other_shufflings_are_refused(other):
    results = {"rest": ask(FIRST), "task": ask(SECOND, **other)}
    with pytest.raises(InferenceError, match="task unlike rest"):
        join(results)


def test_runs_that_stopped_at_different_places_are_refused():
    early = {"stop_after": 10, "n_permutations": 2000}
    results = {"rest": ask(SECOND[:, 1:], **early), "task": ask(SECOND, **early)}
    assert results["rest"].n_permutations < results["task"].n_permutations
    with pytest.raises(InferenceError, match="number of shufflings"):
        join(results)


def test_other_methods_are_refused_in_the_same_breath():
    one, two = ask(FIRST), ask(SECOND, seed=4)
    tests = {"a": one.tests["voxel"], "b": replace(two.tests["voxel"], method="tfce")}
    keys = {"a": one.shufflings_key, "b": two.shufflings_key}
    with pytest.raises(InferenceError) as caught:
        correct_jointly(tests, keys, alternative="two-sided", alpha=0.05)
    assert [problem.found for problem in caught.value.problems] == ["tfce, voxel", "b unlike a"]
    with pytest.raises(InferenceError, match="no question"):
        correct_jointly({}, {}, alternative="two-sided", alpha=0.05)
