"""What can be tested, what is refused, and special cases with a known answer."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from phmri.exceptions import InferenceError
from phmri.group import UnitDesign, exchange_within, fit_contrast
from phmri.inference.shuffling._source import Shufflings
from phmri.inference.statistics._kernel import shuffled_products
from phmri.inference.statistics._statistics import make_statistic
from phmri.protocol import Inference

N = 12
ARM = np.arange(N) % 2
PLAIN = Inference()
PARTIAL = Inference(min_coverage=0.6)


def make_design(*, voxelwise=False, **changes):
    design = UnitDesign(
        estimator="ancova" if voxelwise else "post",
        subjects=tuple(f"p{k}" for k in range(N)),
        groups=tuple("AB"[arm] for arm in ARM),
        X=(ARM[:, None] == [0, 1]).astype(float),
        columns=("A", "B"),
        contrast=np.array([1.0, -1.0]),
        voxelwise_baseline=voxelwise,
        exchangeability=exchange_within(np.zeros(N, dtype=np.int64)),
        notes=(),
        sentences=(),
        variance_groups=ARM.astype(np.int64),
    )
    return replace(design, **changes)


@pytest.fixture(name="Y")
def draw_outcomes():
    return np.random.default_rng(0).normal(size=(N, 6))


@pytest.fixture(name="baseline")
def draw_baseline():
    return np.random.default_rng(1).normal(size=(N, 6))


def swap(n_rows=N):
    """The identity and one more order."""
    order = np.tile(np.arange(n_rows), (2, 1))
    order[1] = np.random.default_rng(2).permutation(n_rows)
    return Shufflings(order=order, sign=np.ones((2, n_rows)))


def fill(model, shufflings):
    out = np.full((len(shufflings.order), model.observed.size), np.nan, dtype=model.dtype)
    model.fill(shufflings, out)
    return out


@pytest.mark.parametrize("voxelwise", [False, True])
def test_same_t_as_the_estimate(voxelwise, Y, baseline):
    design = make_design(voxelwise=voxelwise)
    given = baseline if voxelwise else None
    model = make_statistic(design, Y, given, PLAIN, single=True)
    estimate = fit_contrast(design, Y, given)
    assert_allclose(model.observed, estimate.t, rtol=1e-12)
    assert model.df == estimate.df
    assert model.dtype == np.float32
    assert_array_equal(model.n_per_outcome, N)


@pytest.mark.parametrize("statistic", ["t", "v", "rank"])
@pytest.mark.parametrize("nuisance", ["freedman_lane", "draper_stoneman", "ter_braak"])
def test_outcomes_that_cannot_be_tested_are_zero(statistic, nuisance, Y, baseline):
    Y[:, 0] = 3.0
    Y[:, 1] = np.where(ARM, 5.0, 1.0)
    baseline[:, 2] = 7.0
    baseline[:, 3] = ARM
    Y[:, 4] = 2 * baseline[:, 4] + 1
    chosen = Inference(statistic=statistic, nuisance=nuisance)
    model = make_statistic(make_design(voxelwise=True), Y, baseline, chosen, single=False)
    assert_array_equal(model.tested, [False] * 5 + [True])
    assert_array_equal(model.observed == 0, ~model.tested)
    maps = fill(model, swap())
    assert_array_equal(maps[:, :5], 0.0)
    assert np.abs(maps[:, 5]).min() > 0
    assert np.isfinite(np.asarray(model.df)).all()


@pytest.mark.parametrize("statistic", ["t", "v"])
def test_coverage_is_asked_of_every_group(statistic, Y):
    Y[[0, 2], 0] = np.nan  # 4 of 6 in A
    Y[[1, 3, 5], 1] = np.nan  # 3 of 6 in B: too few
    Y[[0, 1, 2, 3], 2] = np.nan  # 4 of 6 in both
    chosen = PARTIAL.model_copy(update={"statistic": statistic})
    model = make_statistic(make_design(), Y, None, chosen, single=False)
    assert_array_equal(model.tested, [True, False, True, True, True, True])
    assert_array_equal(model.n_per_outcome, [10, 9, 8, 12, 12, 12])
    for v in np.flatnonzero(model.tested):
        own = Y[np.isfinite(Y[:, v]), v], ARM[np.isfinite(Y[:, v])]
        wanted = stats.ttest_ind(
            own[0][own[1] == 0], own[0][own[1] == 1], equal_var=statistic == "t"
        )
        assert_allclose(model.observed[v], wanted.statistic, rtol=1e-12)
        assert_allclose(model.df[v], wanted.df, rtol=1e-12)
    maps = fill(model, swap())
    assert_array_equal(maps[:, 1], 0.0)
    assert_allclose(maps[0], model.observed, rtol=1e-12, atol=1e-14)


def test_missing_rows_that_empty_a_column_are_not_tested(Y):
    site = np.zeros(N)
    site[[0, 1]] = 1
    design = make_design(
        X=np.column_stack([ARM == 0, ARM == 1, site]).astype(float),
        columns=("A", "B", "site"),
        contrast=np.array([1.0, -1.0, 0.0]),
    )
    Y[[0, 1], 0] = np.nan
    Y[[2, 3], 1] = np.nan
    model = make_statistic(design, Y, None, PARTIAL, single=False)
    assert_array_equal(model.tested, [False, True, True, True, True, True])
    assert_allclose(model.df, [9, 7, 9, 9, 9, 9])
    # A shuffling may leave the site without data: then the rest of the model is fitted.
    order = np.arange(N)
    order[[0, 1, 2, 3]] = 2, 3, 0, 1
    out = fill(model, Shufflings(order=order[None], sign=np.ones((1, N))))
    assert np.isfinite(out).all()
    assert abs(out[0, 1]) > 0


def test_rank_orders_shufflings_as_wilcoxon_does():
    values = np.array([[3.1, 0.2, 5.5, 1.7, 9.0, 2.2, 2.9]]).T
    first = np.array([0, 0, 0, 1, 1, 1, 1])
    design = make_design(
        subjects=tuple("abcdefg"),
        groups=tuple("AAABBBB"),
        X=(first[:, None] == [0, 1]).astype(float),
        exchangeability=exchange_within(np.zeros(7, dtype=np.int64)),
        variance_groups=None,
    )
    orders = [
        [*chosen, *(k for k in range(7) if k not in chosen)]
        for chosen in combinations(range(7), 3)
    ]
    shufflings = Shufflings(order=np.array(orders), sign=np.ones((35, 7)))
    model = make_statistic(design, values, None, Inference(statistic="rank"), single=False)
    t = np.concatenate(
        [
            fill(model, Shufflings(order=shufflings.order[k : k + 16], sign=np.ones((n, 7))))
            for k, n in ((0, 16), (16, 16), (32, 3))
        ]
    )[:, 0]
    for side, share in (
        ("greater", np.mean(t >= t[0] - 1e-9)),
        ("less", np.mean(t <= t[0] + 1e-9)),
        ("two-sided", np.mean(np.abs(t) >= abs(t[0]) - 1e-9)),
    ):
        wanted = stats.mannwhitneyu(
            values[first == 0, 0], values[first == 1, 0], alternative=side, method="exact"
        )
        assert share == pytest.approx(wanted.pvalue, abs=1e-12)


def test_one_group_of_variances_leaves_t(Y):
    chosen = Inference(statistic="v")
    model = make_statistic(make_design(variance_groups=None), Y, None, chosen, single=False)
    assert model.name == "t"
    assert model.df == N - 2


def test_ter_braak_moves_residuals_without_the_effect(Y):
    Y[:, 0] += 50 * ARM
    shufflings = swap()
    kept = make_statistic(make_design(), Y, None, PLAIN, single=False)
    free = make_statistic(make_design(), Y, None, Inference(nuisance="ter_braak"), single=False)
    assert_array_equal(fill(free, shufflings)[0], free.observed)
    assert_allclose(free.observed, kept.observed, rtol=1e-12)
    assert abs(fill(kept, shufflings)[1, 0]) < abs(kept.observed[0])
    residual = Y - np.where(ARM[:, None], Y[ARM == 1].mean(axis=0), Y[ARM == 0].mean(axis=0))
    moved = residual[shufflings.order[1]]
    wanted = stats.ttest_ind(moved[ARM == 0], moved[ARM == 1]).statistic
    assert_allclose(fill(free, shufflings)[1], wanted, rtol=1e-10)


@pytest.mark.parametrize(
    ("changes", "chosen", "words"),
    [
        ({"present": np.arange(N) > 0}, PLAIN, ["rows without data", "p0"]),
        (
            {"dealt": np.array([True, False])},
            PLAIN,
            ["not dealt", "B"],
        ),
        ({"X": np.ones((N, 2))}, PLAIN, ["cannot be estimated"]),
        (
            {"X": np.eye(N), "contrast": np.eye(N)[0] - np.eye(N)[1]},
            PLAIN,
            ["no residual degrees of freedom"],
        ),
    ],
)
def test_designs_that_are_refused(changes, chosen, words, Y):
    design = make_design(**changes)
    with pytest.raises(InferenceError) as caught:
        make_statistic(design, Y, None, chosen, single=False)
    for word in words:
        assert word in str(caught.value)


def test_a_variance_group_without_freedom_is_refused(Y):
    own = np.zeros(N)
    own[0] = 1
    design = make_design(
        X=np.column_stack([ARM == 0, ARM == 1, own]).astype(float),
        columns=("A", "B", "own"),
        contrast=np.array([1.0, -1.0, 0.0]),
        variance_groups=np.r_[2, ARM[1:]].astype(np.int64),
    )
    with pytest.raises(InferenceError, match="variance group has no residual"):
        make_statistic(design, Y, None, Inference(statistic="v"), single=False)


@pytest.mark.parametrize("constant", [0.0, 2.3])
def test_an_outcome_with_a_group_without_error_is_not_tested_by_v(constant, Y):
    """Also where rows are missing; the group would have a weight without end."""
    Y[:, 0] = np.where(ARM == 0, constant, Y[:, 0])
    Y[:, 1] = np.where(ARM == 0, constant, Y[:, 1])
    Y[-1, 1] = np.nan
    chosen = Inference(statistic="v", min_coverage=0.5)
    model = make_statistic(make_design(), Y, None, chosen, single=False)
    assert_array_equal(model.tested[:3], [False, False, True])
    assert_array_equal(model.observed[:2], 0.0)
    assert np.isfinite(np.asarray(model.df)).all()


def test_all_faults_of_the_data_are_named_at_once(Y):
    Y[3, 0] = np.nan
    with pytest.raises(InferenceError) as caught:
        make_statistic(make_design(voxelwise=True), Y, None, PLAIN, single=False)
    assert "needs a baseline" in str(caught.value)
    assert "p3" in str(caught.value)
    assert "min_coverage" in str(caught.value)


def test_infinite_values_and_other_shapes_are_refused(Y, baseline):
    Y[3, 0] = np.inf
    with pytest.raises(InferenceError, match="not finite"):
        make_statistic(make_design(), Y, None, PARTIAL, single=False)
    with pytest.raises(InferenceError, match="does not take"):
        make_statistic(make_design(), np.zeros((N, 2)), np.zeros((N, 2)), PLAIN, single=False)
    with pytest.raises(InferenceError, match="another shape"):
        make_statistic(make_design(), baseline[:4], None, PLAIN, single=False)


@pytest.mark.parametrize("n_rows", [3, 4, 9])
def test_shuffled_products_are_sums_over_groups(n_rows):
    rng = np.random.default_rng(n_rows)
    left, right = rng.normal(size=(2, n_rows, 5))
    order = np.array([rng.permutation(n_rows) for _ in range(3)])
    sign = rng.choice([-1.0, 1.0], size=(3, n_rows))
    groups = (np.arange(n_rows) % 2)[None]
    out = np.zeros((3, 2, 1, 5))
    shuffled_products(left, right, order, sign, groups, out)
    for k in range(3):
        moved = left * sign[k][:, None] * right[order[k]]
        for g in range(2):
            assert_allclose(out[k, g, 0], moved[groups[0] == g].sum(axis=0), atol=1e-12)
