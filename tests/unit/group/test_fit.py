from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.exceptions import DesignError
from phmri.group import (
    Estimate,
    UnitDesign,
    adjust_outcomes,
    confidence_interval,
    effect_size_interval,
    exchange_within,
    fit_contrast,
    make_outcome,
    partition_contrast,
    sequence_test,
)


def make_design(X, contrast, estimator="post"):
    X = np.asarray(X, dtype=float)
    return UnitDesign(
        estimator=estimator,
        subjects=tuple(f"{k:02d}" for k in range(len(X))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.asarray(contrast, dtype=float),
        voxelwise_baseline=estimator == "ancova",
        exchangeability=exchange_within(
            np.zeros(len(X), dtype=np.int64),
            kind="sign_flip" if estimator == "paired" else "permute",
        ),
        notes=(),
        sentences=(),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def ancova(rng):
    arms = np.eye(3)[np.arange(18) % 3]
    return make_design(np.column_stack([arms, rng.normal(size=18)]), [1, -1, 0, 0], "ancova")


def solve(X, y, contrast):
    """Least squares as a textbook writes it."""
    inverse = np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ y
    df = len(X) - X.shape[1]
    s2 = ((y - X @ b) ** 2).sum() / df
    return contrast @ b, np.sqrt(s2 * contrast @ inverse @ contrast), np.sqrt(s2), df


def test_every_outcome_is_its_own_regression(ancova, rng):
    Y, B = rng.normal(size=(2, 18, 30))
    estimate = fit_contrast(ancova, Y, B)
    for v in range(30):
        X = np.column_stack([ancova.X, B[:, v]])
        effect, se, sd, df = solve(X, Y[:, v], np.append(ancova.contrast, 0))
        assert_allclose(
            [estimate.effect[v], estimate.se[v], estimate.t[v], estimate.d[v]],
            [effect, se, effect / se, effect / sd],
            rtol=1e-9,
        )
        assert estimate.df == df


def test_blocks_of_outcomes_change_no_number(ancova, rng, monkeypatch):
    Y, B = rng.normal(size=(2, 18, 50))
    whole = fit_contrast(ancova, Y, B)
    monkeypatch.setattr("phmri.group._fit.BLOCK", 7)
    cut = fit_contrast(ancova, Y, B)
    assert_allclose(cut.t, whole.t, rtol=1e-12)


def test_float32_is_summed_in_double(ancova, rng):
    Y, B = rng.normal(size=(2, 18, 5)).astype(np.float32) + np.float32(1000)
    assert_allclose(
        fit_contrast(ancova, Y, B).t,
        fit_contrast(ancova, Y.astype(float), B.astype(float)).t,
        rtol=1e-12,
    )


def test_partition_gives_back_the_model(ancova):
    partition = partition_contrast(ancova)
    whole = np.column_stack([partition.labels, partition.nuisance])
    assert np.linalg.matrix_rank(np.column_stack([whole, ancova.X])) == 4
    assert_allclose(partition.nuisance.T @ partition.regressor, 0, atol=1e-12)
    assert_allclose(partition.nuisance.T @ partition.nuisance, np.eye(3), atol=1e-12)
    assert partition.df == 13


@pytest.mark.parametrize("rows", [2, 3])
def test_partition_of_several_rows_gives_back_the_model(ancova, rows):
    pairwise = np.array([[1.0, -1, 0, 0], [0, 1, -1, 0], [1, 0, -1, 0]])
    joint = replace(ancova, contrast=pairwise[:rows])
    partition = partition_contrast(joint)
    assert partition.regressor.shape == partition.labels.shape == (18, rows)
    assert partition.nuisance.shape == (18, 2)
    assert_allclose(partition.nuisance.T @ partition.regressor, 0, atol=1e-12)
    # With labels and nuisance as the model, the coefficients of the labels are the contrasts.
    b = np.array([3.0, 1.0, -2.0, 0.5])
    model = np.column_stack([partition.labels, partition.nuisance])
    found, *_ = np.linalg.lstsq(model, joint.X @ b, rcond=None)
    assert_allclose(found[:rows], joint.contrast @ b, rtol=1e-10)


def test_several_rows_have_no_single_estimate(ancova, rng):
    Y, B = rng.normal(size=(2, 18, 4))
    joint = replace(ancova, contrast=np.array([[1.0, -1, 0, 0], [0, 1, -1, 0]]))
    with pytest.raises(DesignError, match="no single estimate; found 2 rows"):
        fit_contrast(joint, Y, B)


def test_rows_without_data_are_not_fitted(ancova, rng):
    Y = rng.normal(size=(18, 4))
    present = np.ones(18, dtype=bool)
    present[[0, 7]] = False
    partial = replace(ancova, present=present, voxelwise_baseline=False, estimator="periods")
    whole = make_design(ancova.X[present], ancova.contrast)
    wanted = fit_contrast(whole, Y[present])
    Y[0], Y[7] = np.nan, 1e6
    found = fit_contrast(partial, Y)
    assert_allclose(found.t, wanted.t, rtol=1e-10)
    assert_allclose(found.d, wanted.d / np.sqrt(2), rtol=1e-10)
    assert found.df == wanted.df == 12
    Y[1, 2] = np.nan
    with pytest.raises(DesignError, match="1 in participants 01"):
        fit_contrast(partial, Y)


def test_adjusted_residuals_are_free_of_nuisance_and_baseline(ancova, rng):
    Y, B = rng.normal(size=(2, 18, 4))
    adjusted = adjust_outcomes(partition_contrast(ancova), Y, B)
    assert_allclose(np.einsum("ij,ij->j", adjusted.residual, B), 0, atol=1e-10)
    assert_allclose((adjusted.baseline**2).sum(axis=0), 1, rtol=1e-12)
    assert not adjusted.degenerate.any()


@pytest.mark.parametrize("where", ["outcome", "baseline", "perfect", "contrast"])
def test_outcomes_that_do_not_vary_are_refused(ancova, rng, where):
    Y, B = rng.normal(size=(2, 18, 6))
    if where == "outcome":
        Y[:, 2] = 0.1
    elif where == "baseline":
        B[:, 2] = 0.1
    elif where == "perfect":
        Y[:, 2] = ancova.X @ [1.0, 2.0, 3.0, 4.0]
    else:
        B[:, 2] = ancova.X[:, 0] - ancova.X[:, 1]
    with pytest.raises(DesignError, match="1 of 6, first at index 2"):
        fit_contrast(ancova, Y, B)


def test_nan_is_refused_and_named(ancova, rng):
    Y, B = rng.normal(size=(2, 18, 6))
    Y[3, 1] = np.nan
    B[4, :] = np.inf
    with pytest.raises(DesignError) as caught:
        fit_contrast(ancova, Y, B)
    assert [p.field for p in caught.value.problems] == ["outcome", "baseline"]
    assert "1 in participants 03" in str(caught.value)
    assert "6 in participants 04" in str(caught.value)


def test_baseline_and_shape_must_fit_the_design(ancova, rng):
    Y = rng.normal(size=(18, 6))
    with pytest.raises(DesignError, match="needs a baseline image"):
        fit_contrast(ancova, Y)
    post = replace(ancova, estimator="post", voxelwise_baseline=False)
    with pytest.raises(DesignError, match="does not take a baseline image"):
        fit_contrast(post, Y, Y)
    with pytest.raises(DesignError, match="another shape"):
        fit_contrast(post, Y[:4])
    with pytest.raises(DesignError, match="another shape"):
        fit_contrast(post, Y[:, :0])


def test_outcome_of_each_estimator():
    first = np.array([[3.0], [5.0], [7.0], [9.0]])
    second = np.array([[1.0], [2.0], [3.0], [4.0]])
    groups = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    crossover = make_design(groups, [1, -1], "crossover")
    paired = make_design(np.ones((4, 1)), [1], "paired")
    change = make_design(groups, [1, -1], "change")
    post = make_design(groups, [1, -1], "post")
    both = {"first": first, "second": second}
    assert_allclose(make_outcome(crossover, both)[:, 0], [1, -1.5, 2, -2.5])
    assert_allclose(make_outcome(paired, both)[:, 0], [2, 3, 4, 5])
    assert_allclose(
        make_outcome(change, {"outcome": first, "baseline": second})[:, 0], [2, 3, 4, 5]
    )
    assert_allclose(make_outcome(post, {"outcome": first}), first)
    periods = make_design(groups, [1, -1], "periods")
    lost = np.where(first > 8, np.nan, first).astype(np.float32)
    found = make_outcome(periods, {"periods": lost})
    assert found.dtype == np.float64
    assert_allclose(found[:, 0], [3, 5, 7, np.nan])


def test_outcome_refuses_missing_roles_and_shapes():
    design = make_design([[1, 0], [0, 1], [1, 0]], [1, -1], "crossover")
    with pytest.raises(DesignError, match="expected second"):
        make_outcome(design, {"first": np.ones((3, 2))})
    with pytest.raises(DesignError, match="another shape"):
        make_outcome(design, {"first": np.ones((3, 2)), "second": np.ones((4, 2))})
    with pytest.raises(DesignError, match="found none"):
        make_outcome(design, {})


def test_crossover_effect_is_the_treatment_difference(rng):
    first_is_one = np.arange(10) % 2 == 0
    tau, period = 0.8, 5.0
    person = 3 * rng.normal(size=10)
    noise = 0.01 * rng.normal(size=(2, 10))
    drug = person + tau + noise[0] + period * ~first_is_one
    placebo = person + noise[1] + period * first_is_one
    design = make_design(np.column_stack([first_is_one, ~first_is_one]), [1, -1], "crossover")
    images = {"first": drug[:, None], "second": placebo[:, None]}
    estimate = fit_contrast(design, make_outcome(design, images))
    terms = sequence_test(design, images)
    assert estimate.effect[0] == pytest.approx(tau, abs=0.02)
    assert terms.period.effect[0] == pytest.approx(-period, abs=0.02)
    assert terms.period_pvalue[0] < 1e-6
    assert terms.carry_over_pvalue[0] > 1e-6
    difference = np.where(first_is_one, drug - placebo, placebo - drug)
    pooled = np.sqrt((difference[::2].var(ddof=1) + difference[1::2].var(ddof=1)) / 2)
    assert estimate.d[0] == pytest.approx(estimate.effect[0] / pooled, rel=1e-9)


def test_sequence_terms_exist_only_in_crossovers():
    design = make_design(np.ones((4, 1)), [1], "paired")
    with pytest.raises(DesignError, match="recorded order"):
        sequence_test(design, {"first": np.ones((4, 1)), "second": np.ones((4, 1))})


def one_estimate(t, d, df):
    return Estimate(effect=np.array([t]), se=np.ones(1), t=np.array([t]), df=df, d=np.array([d]))


@pytest.mark.parametrize("sign", [1, -1])
def test_effect_size_interval_inverts_the_noncentral_t(sign):
    low, high = effect_size_interval(one_estimate(sign * 2.5, sign * 0.9, 21.0), 0.95)
    ratio = 0.9 / 2.5
    near, far = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    assert stats.nct.sf(2.5, 21, near / ratio) == pytest.approx(0.025, abs=1e-8)
    assert stats.nct.cdf(2.5, 21, far / ratio) == pytest.approx(0.025, abs=1e-8)
    assert low < sign * 0.9 < high


def test_intervals_refuse_nonsense():
    with pytest.raises(DesignError, match="probability"):
        confidence_interval(one_estimate(1.0, 1.0, 3.0), 95.0)
    with pytest.raises(DesignError, match="probability"):
        effect_size_interval(one_estimate(1.0, 1.0, 3.0), 1.0)
    with pytest.raises(DesignError, match="exactly zero"):
        effect_size_interval(one_estimate(0.0, 0.0, 3.0), 0.95)
