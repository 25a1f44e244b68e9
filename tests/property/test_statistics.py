"""Every statistic, under every kind of shuffling, against refitting the model each time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from phmri.group import Exchangeability, UnitDesign, exchange_within
from phmri.inference.shuffling._source import Shufflings
from phmri.inference.statistics._statistics import OUTCOMES, TILE, make_statistic
from phmri.protocol import Inference

N = 14
ARM = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2])
STRATUM = np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1])


def make_design(*, joint=False, voxelwise=False, kind="permute", blocks=None):
    """Three arms, a stratum and an age; two arms, or all three jointly, are compared."""
    age = np.random.default_rng(5).normal(size=N)
    X = np.column_stack([*(ARM[:, None] == np.arange(3)).T, STRATUM - 0.5, age]).astype(float)
    contrast = np.array([[1.0, -1, 0, 0, 0], [0, 1.0, -1, 0, 0]])
    blocks = np.zeros(N, dtype=np.int64) if blocks is None else blocks
    return UnitDesign(
        estimator="ancova" if voxelwise else "post",
        subjects=tuple(f"{k:02d}" for k in range(N)),
        groups=tuple("ABC"[arm] for arm in ARM),
        X=X,
        columns=("A", "B", "C", "stratum", "age"),
        contrast=contrast if joint else contrast[0],
        voxelwise_baseline=voxelwise,
        exchangeability=exchange_within(blocks, kind=kind),
        notes=(),
        sentences=(),
        variance_groups=ARM.astype(np.int64),
    )


def draw_shufflings(design, n, *, seed=0):
    """The identity first; rows within blocks, negative blocks fixed."""
    rng = np.random.default_rng(seed)
    tree = design.exchangeability
    n_rows = len(tree.fixed)
    order = np.tile(np.arange(n_rows), (n, 1))
    sign = np.ones((n, n_rows))
    for k in range(1, n):
        for block in np.unique(tree.levels[~tree.fixed, 0]):
            rows = np.flatnonzero(tree.levels[:, 0] == block)
            if tree.kind != "sign_flip":
                order[k, rows] = rng.permutation(rows)
            if tree.kind != "permute":
                sign[k, rows] = rng.choice([-1.0, 1.0], size=rows.size)
    return Shufflings(order=order, sign=sign)


def refit(M, C, y, groups, *, pivotal):
    """The textbook, one outcome at a time: t, F, v or G."""
    inverse = np.linalg.pinv(M.T @ M)
    if np.abs(C @ inverse @ (M.T @ M) - C).max() > 1e-8:
        return 0.0
    effect = C @ np.linalg.lstsq(M, y, rcond=None)[0]
    error = y - M @ np.linalg.lstsq(M, y, rcond=None)[0]
    forming = 1 - np.einsum("ij,jk,ik->i", M, inverse, M)
    if not pivotal:
        groups = np.zeros_like(groups)
    weight = np.empty(len(y))
    for group in np.unique(groups):
        rows = groups == group
        if forming[rows].sum() < 1e-8:
            return 0.0
        weight[rows] = forming[rows].sum() / (error[rows] ** 2).sum()
    q = len(C)
    spread = C @ np.linalg.pinv(M.T @ (weight[:, None] * M)) @ C.T
    if q == 1:
        return float(effect[0] / np.sqrt(spread[0, 0]))
    unevenness = sum(
        (1 - weight[groups == g].sum() / weight.sum()) ** 2 / forming[groups == g].sum()
        for g in np.unique(groups)
    )
    penalty = 1 + 2 * (q - 1) / (q * (q + 2)) * unevenness
    return float(effect @ np.linalg.solve(spread, effect) / q / penalty)


def slow_map(design, Y, baseline, chosen, order, sign):
    """One shuffling of every outcome, following the definitions."""
    C = np.atleast_2d(design.contrast)
    others = np.linalg.svd(C)[2][len(C) :].T
    labels, Z = design.X @ np.linalg.pinv(C), design.X @ others
    present = np.ones(len(Y), dtype=bool) if design.present is None else design.present
    moves_labels = chosen.nuisance == "draper_stoneman" or design.dealt is not None
    groups = np.zeros(len(Y)) if design.variance_groups is None else design.variance_groups
    found = np.zeros(Y.shape[1])
    for v in range(Y.shape[1]):
        beside = np.empty((len(Y), 0)) if baseline is None else baseline[:, v : v + 1]
        has = present & np.isfinite(Y[:, v]) & np.isfinite(beside).all(axis=1)
        if moves_labels:
            if design.dealt is None:
                M, own = np.hstack([sign[:, None] * labels[order], Z]), np.eye(len(C))
            else:
                M, own = design.X.copy(), C
                M[:, design.dealt] = sign[:, None] * design.X[order][:, design.dealt]
            y, used, group = Y[:, v], has, groups[order]
        else:
            M, own, group = design.X, C, groups
            null = np.hstack([design.X if chosen.nuisance == "ter_braak" else Z, beside])
            e = np.full(len(Y), np.nan)
            fit = null[has] @ np.linalg.lstsq(null[has], Y[has, v], rcond=None)[0]
            e[has] = Y[has, v] - fit
            y = sign * e[order]
            used = np.isfinite(y) & np.isfinite(beside).all(axis=1)
        M = np.hstack([M, beside])
        own = np.pad(own, ((0, 0), (0, M.shape[1] - own.shape[1])))
        pivotal = chosen.statistic == "v"
        found[v] = refit(M[used], own, y[used], group[used], pivotal=pivotal)
    return found


def slow_maps(design, Y, baseline, chosen, shufflings):
    maps = [
        slow_map(design, Y, baseline, chosen, order, sign)
        for order, sign in zip(shufflings.order, shufflings.sign, strict=True)
    ]
    if chosen.nuisance == "ter_braak" and design.dealt is None:
        plain = chosen.model_copy(update={"nuisance": "freedman_lane"})
        maps[0] = slow_map(design, Y, baseline, plain, shufflings.order[0], shufflings.sign[0])
    return np.array(maps)


def draw_data(n_outcomes, *, n_rows=N, holes=0, seed=1):
    """Outcomes that depend on their baseline; some rows of some are missing."""
    rng = np.random.default_rng(seed)
    baseline = rng.normal(100, 10, size=(n_rows, n_outcomes))
    Y = 0.5 * baseline + 5 * rng.normal(size=(n_rows, n_outcomes))
    Y *= np.exp(rng.normal(size=n_outcomes) * 3)
    for v in range(0, n_outcomes, 2):
        Y[rng.permutation(n_rows)[: holes * (v % 3)], v] = np.nan
        baseline[rng.permutation(n_rows)[: holes * (v % 4 == 0)], v] = np.nan
    return Y, baseline


def fill(model, shufflings):
    out = np.full((len(shufflings.order), model.observed.size), np.nan, dtype=model.dtype)
    model.fill(shufflings, out)
    return out


@pytest.mark.parametrize("kind", ["permute", "sign_flip", "both"])
@pytest.mark.parametrize("holes", [0, 1])
@pytest.mark.parametrize("voxelwise", [False, True])
@pytest.mark.parametrize("nuisance", ["freedman_lane", "draper_stoneman", "ter_braak"])
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("statistic", ["t", "v"])
def test_equals_a_refit_of_every_shuffling(statistic, joint, nuisance, voxelwise, holes, kind):
    design = make_design(joint=joint, voxelwise=voxelwise, kind=kind)
    chosen = Inference(statistic=statistic, nuisance=nuisance, min_coverage=0.5 if holes else 1.0)
    Y, baseline = draw_data(7, holes=holes)
    baseline = baseline if voxelwise else None
    shufflings = draw_shufflings(design, 6)
    model = make_statistic(design, Y, baseline, chosen, single=False)
    assert model.name == {"t": "tF", "v": "vG"}[statistic][joint]
    assert model.df1 == 1 + joint
    assert model.tested.sum() >= 4
    wanted = slow_maps(design, Y, baseline, chosen, shufflings)
    wanted[:, ~model.tested] = 0
    found = fill(model, shufflings)
    assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    assert_allclose(found[0], model.observed, rtol=1e-10, atol=1e-12)
    single = make_statistic(design, Y, baseline, chosen, single=True)
    assert fill(single, shufflings).dtype == np.float32
    assert_allclose(fill(single, shufflings), wanted, rtol=1e-5, atol=2e-6)
    assert_array_equal(single.observed, model.observed)


@pytest.mark.parametrize("voxelwise", [False, True])
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("nuisance", ["freedman_lane", "draper_stoneman"])
def test_ranks_within_strata_with_an_arm_held(nuisance, joint, voxelwise):
    # Blocks leave columns of the nuisance that no shuffling can meet.
    blocks = np.where(ARM == 2, -1, STRATUM)
    design = make_design(voxelwise=voxelwise, joint=joint, blocks=blocks)
    chosen = Inference(statistic="rank", nuisance=nuisance)
    Y, baseline = draw_data(5)
    Y = (3 * Y / Y.std(axis=0)).round()  # ties
    shufflings = draw_shufflings(design, 8)
    given = baseline if voxelwise else None
    model = make_statistic(design, Y, given, chosen, single=False)
    ranked = None if given is None else rankdata(given, axis=0)
    wanted = slow_maps(design, rankdata(Y, axis=0), ranked, chosen, shufflings)
    assert_allclose(fill(model, shufflings), wanted, rtol=1e-9, atol=1e-9)


def crossover_design(*, present=None, n_people=8):
    """Three periods, three treatments; whole sequences change hands."""
    rng = np.random.default_rng(2)
    person, period = np.divmod(np.arange(3 * n_people), 3)
    dealt = np.concatenate([rng.permutation(3) for _ in range(n_people)])
    treatments = (dealt[:, None] == np.arange(3)).astype(float)
    people = (person[:, None] == np.arange(1, n_people)).astype(float)
    X = np.hstack([treatments, people, (period[:, None] == [1, 2]).astype(float)])
    return UnitDesign(
        estimator="periods",
        subjects=tuple(f"{k:02d}" for k in person),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(f"c{k}" for k in range(X.shape[1])),
        contrast=np.array([1.0, -1.0] + [0.0] * (X.shape[1] - 2)),
        voxelwise_baseline=False,
        exchangeability=Exchangeability(
            kind="permute",
            levels=np.column_stack([person, period]).astype(np.int64),
            exchanged=(True, False),
            fixed=np.zeros(len(X), dtype=bool),
            null="",
            words="",
        ),
        notes=(),
        sentences=(),
        dealt=np.arange(X.shape[1]) < 3,
        present=present,
    )


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("absent", [False, True])
def test_dealt_sequences_with_rows_that_were_never_scanned(absent, joint):
    present = np.ones(24, dtype=bool)
    present[[2, 10, 21]] = not absent
    design = crossover_design(present=present)
    if joint:
        design = replace(
            design, contrast=np.vstack([design.contrast, np.roll(design.contrast, 1)])
        )
    rng = np.random.default_rng(4)
    Y = rng.normal(size=(24, 4))
    Y[~present] = np.nan
    orders = [np.arange(24)]
    orders += [(3 * rng.permutation(8)[:, None] + np.arange(3)).ravel() for _ in range(6)]
    shufflings = Shufflings(order=np.array(orders), sign=np.ones((7, 24)))
    model = make_statistic(design, Y, None, Inference(), single=False)
    assert model.df == present.sum() - 12
    assert_array_equal(model.n_per_outcome, present.sum())
    wanted = slow_maps(design, Y, None, Inference(), shufflings)
    assert np.ptp(wanted, axis=0).min() > 0.1
    assert_allclose(fill(model, shufflings), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("statistic", ["t", "v"])
@pytest.mark.parametrize("nuisance", ["freedman_lane", "draper_stoneman"])
def test_bits_do_not_depend_on_how_the_work_was_cut(nuisance, statistic, single):
    design = make_design(voxelwise=True)
    chosen = Inference(statistic=statistic, nuisance=nuisance, min_coverage=0.5)
    Y, baseline = draw_data(2 * OUTCOMES + 77, holes=1)
    shufflings = draw_shufflings(design, TILE)
    model = make_statistic(design, Y, baseline, chosen, single=single)
    whole = fill(model, shufflings)
    assert whole.dtype == (np.float32 if single else np.float64)
    for parts in ([7, 9], [1, 15], [15, 1]):
        first = 0
        for size in parts:
            rows = slice(first, first + size)
            part = Shufflings(order=shufflings.order[rows], sign=shufflings.sign[rows])
            assert_array_equal(fill(model, part), whole[rows])
            first += size
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: fill(model, shufflings), range(4)):
            assert_array_equal(found, whole)


@given(scale=st.sampled_from([1e-20, 1e-3, 7.0, 1e15]), shift=st.sampled_from([0.0, 100.0]))
@settings(deadline=None, max_examples=8)
def test_neither_unit_nor_origin_matters(scale, shift):
    design = make_design()
    Y, _ = draw_data(5)
    Y /= np.abs(Y).max(axis=0)
    shufflings = draw_shufflings(design, 4)
    for statistic in ("t", "v", "rank"):
        chosen = Inference(statistic=statistic)
        plain = make_statistic(design, Y, None, chosen, single=True)
        moved = make_statistic(design, scale * (Y + shift), None, chosen, single=True)
        assert_allclose(moved.observed, plain.observed, rtol=1e-8)
        assert_allclose(fill(moved, shufflings), fill(plain, shufflings), rtol=1e-4, atol=1e-5)
