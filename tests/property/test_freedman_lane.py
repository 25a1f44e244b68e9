"""Freedman-Lane and sign flips against a slow copy: whole model refitted to every shuffling."""

from itertools import permutations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import UnitTable, make_unit_design
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Parallel, Question

ENOUGH = Inference(n_permutations=5000, alpha=0.12)
ALTERNATIVES = ("two-sided", "greater", "less")


def t_of(X, contrast, y):
    """Fit one outcome by the textbook: t of a contrast from the inverse of X'X."""
    b, *_ = np.linalg.lstsq(X, y, rcond=None)
    e = y - X @ b
    variance = e @ e / (len(y) - X.shape[1]) * (contrast @ np.linalg.inv(X.T @ X) @ contrast)
    return contrast @ b / np.sqrt(variance)


def slow_p(models, null_models, contrast, Y, shufflings, alternative):
    """Shuffle fitted residuals of the null model, add its fit back, refit the whole model."""
    t = np.empty((len(shufflings), Y.shape[1]))
    for v, (X, Z) in enumerate(zip(models, null_models, strict=True)):
        fit = Z @ np.linalg.lstsq(Z, Y[:, v], rcond=None)[0]
        for k, shuffle in enumerate(shufflings):
            t[k, v] = t_of(X, contrast, fit + shuffle(Y[:, v] - fit))
    oriented = {"two-sided": np.abs(t), "greater": t, "less": -t}[alternative]
    least = oriented[0] - 1e-8
    single = (oriented >= least).mean(axis=0)
    family = (oriented.max(axis=1)[:, None] >= least).mean(axis=0)
    return t[0], single, family


def reorder(order):
    return lambda e: e[np.asarray(order)]


def flip(sign):
    return lambda e: e * np.asarray(sign)


def orders_within(blocks):
    """List every order that moves units within their block only; negative blocks stay."""
    members = [np.flatnonzero(blocks == b) for b in np.unique(blocks[blocks >= 0])]
    for choice in product(*(permutations(rows) for rows in members)):
        order = np.arange(len(blocks))
        for rows, moved in zip(members, choice, strict=True):
            order[rows] = moved
        yield reorder(order)


@pytest.mark.parametrize("estimator", ["ancova", "change", "post"])
@pytest.mark.parametrize("with_age", [True, False])
def test_two_of_three_arms_within_strata(estimator, with_age):
    rng = np.random.default_rng(3)
    groups, strata = "ABABBABCCCC", "xxxxyyyxyyx"
    n, n_outcomes = len(groups), 3
    age = rng.normal(size=(n, 1))
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("A", "B"),
        session="s",
        baseline=None if estimator == "post" else "b",
        estimator=estimator,
    )
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple(groups),
        strata=tuple(strata),
        covariates={"age": age} if with_age else {},
    )
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in "ABC"})
    design = make_unit_design(question, trial, table)
    is_ = {arm: np.array([g == arm for g in groups], dtype=float) for arm in "ABC"}
    in_y = np.array([s == "y" for s in strata], dtype=float)
    assert_array_equal(design.exchangeability.levels[:, 0], np.where(is_["C"] == 1, -1, in_y))

    baseline = rng.exponential(size=(n, n_outcomes))
    Y = 0.5 * baseline + rng.exponential(size=(n, n_outcomes)) * (1 + 4 * is_["C"])[:, None]
    Y += 2.0 * is_["C"][:, None]
    shared = [in_y, age[:, 0]] if with_age else [in_y]
    own = [[baseline[:, v]] if estimator == "ancova" else [] for v in range(n_outcomes)]
    models = [np.column_stack([*is_.values(), *shared, *more]) for more in own]
    nulls = [np.column_stack([is_["A"] + is_["B"], is_["C"], *shared, *more]) for more in own]
    contrast = np.zeros(models[0].shape[1])
    contrast[:2] = 1, -1
    shufflings = list(orders_within(design.exchangeability.levels[:, 0]))
    assert len(shufflings) == 4 * 3 * 2 * 3 * 2  # 4! x 3!
    for alternative in ALTERNATIVES:
        result = permute(
            design, Y, baseline if estimator == "ancova" else None, ENOUGH, alternative=alternative
        )
        assert result.exhaustive
        _, single, family = slow_p(models, nulls, contrast, Y, shufflings, alternative)
        assert_allclose(result.pvalue_uncorrected, single, rtol=1e-12)
        assert_allclose(result.pvalue_corrected, family, rtol=1e-12)


@pytest.mark.parametrize("order", ["recorded", "unknown"])
def test_crossover_in_two_experiments_with_a_covariate(order):
    rng = np.random.default_rng(4)
    groups = ["AB1", "AB1", "BA1", "BA1", "AB2", "BA2", "BA2"]
    n, n_outcomes = len(groups), 3
    age = rng.normal(size=(n, 1))
    trial = Crossover(
        kind="crossover",
        sequences={
            name + str(k): {"treatments": tuple(name), "experiment": f"e{k}"}
            for name in ("AB", "BA")
            for k in (1, 2)
        },
        order=order,
    )
    question = Question(
        text="t", role="primary", measure="m", contrast=("A", "B"), estimator="crossover"
    )
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=tuple(groups) if order == "recorded" else ("unknown",) * n,
        strata=("",) * n,
        covariates={"age": age},
    )
    design = make_unit_design(question, trial, table)
    first, second = rng.exponential(size=(2, n, n_outcomes))
    a_first = np.array([g.startswith("AB") for g in groups])
    if order == "recorded":
        Y = np.where(a_first[:, None], first - second, second - first) / 2
        second_experiment = np.array([float(g.endswith("2")) for g in groups])
        X = np.column_stack([a_first, ~a_first, second_experiment, age])
        Z, contrast = np.column_stack([np.ones(n), X[:, 2:]]), np.array([1.0, -1, 0, 0])
        shufflings = list(orders_within(second_experiment))
    else:
        Y = first - second
        X = np.column_stack([np.ones(n), age - age.mean()])
        Z, contrast = X[:, 1:], np.array([1.0, 0])
        shufflings = [flip(sign) for sign in product((1, -1), repeat=n)]
    for alternative in ALTERNATIVES:
        result = permute(design, Y, None, ENOUGH, alternative=alternative)
        assert result.n_permutations == len(shufflings)
        _, single, family = slow_p(
            [X] * n_outcomes, [Z] * n_outcomes, contrast, Y, shufflings, alternative
        )
        assert_allclose(result.pvalue_uncorrected, single, rtol=1e-12)
        assert_allclose(result.pvalue_corrected, family, rtol=1e-12)
