"""Sets of shufflings of repeated measures, and p-values from refitting the model to each."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.group import (
    UnitDesign,
    UnitTable,
    exchange_repeated,
    exchange_within,
    fit_contrast,
    make_outcome,
    make_unit_design,
)
from phmri.inference.shuffling._source import make_source, plan_shufflings
from phmri.protocol import Crossover, Inference, Question

HERE = Path(__file__).parent
ALL = Inference(n_permutations=10_000)


def make_design(X, contrast, exchangeability, subjects):
    return UnitDesign(
        estimator="post",
        subjects=tuple(map(str, subjects)),
        groups=("x",) * len(X),
        X=np.asarray(X, dtype=float),
        columns=tuple(map(str, range(np.shape(X)[1]))),
        contrast=np.asarray(contrast, dtype=float),
        voxelwise_baseline=False,
        exchangeability=exchangeability,
        notes=(),
        sentences=(),
    )


def t_of(X, contrast, Y):
    """Fit by the textbook; outcomes along the last axis."""
    inverse = np.linalg.inv(X.T @ X)
    b = inverse @ X.T @ Y
    rss = ((Y - X @ b) ** 2).sum(axis=-2)
    variance = rss / (len(X) - X.shape[1]) * (contrast @ inverse @ contrast)
    return np.einsum("c,...cv->...v", contrast, b) / np.sqrt(variance)


def refit(design, Y, null_model=None):
    """Give t of every distinct shuffling of the data, or of the residuals of a null model."""
    source = make_source(design, ALL)
    assert source.exhaustive
    order = source.take(range(source.n_used)).order
    fit = 0.0
    if null_model is not None:
        fit = null_model @ np.linalg.lstsq(null_model, Y, rcond=None)[0]
    return t_of(design.X, design.contrast, fit + (Y - fit)[order])


def check_pvalues(t, value):
    assert len(t) == value["n_perm"]
    assert_allclose(t[0], value["t"], rtol=1e-9)
    for name, found in (("one", t), ("two", np.abs(t))):
        least = found[0] - 1e-9
        assert_allclose((found >= least).mean(axis=0), value[f"p_{name}_sided"], rtol=1e-12)
        family = (found.max(axis=1)[:, None] >= least).mean(axis=0)
        assert_allclose(family, value[f"p_fwe_{name}_sided"], rtol=1e-12)


def blocks(data, n_subjects=6):
    frame = data("perm_blocks").query("subject <= @n_subjects")
    return frame, frame["subject"].astype(str).tolist(), frame["session"].tolist()


def test_participants_as_whole_blocks(data, expected):
    frame, subjects, sessions = blocks(data)
    group = frame["group"].to_numpy()
    between = exchange_repeated(subjects, sessions, effect="between")
    design = make_design(np.column_stack([group == 1, group == 0]), [1, -1], between, subjects)
    t = refit(design, frame.filter(regex="^v").to_numpy())
    check_pvalues(t, expected("O_blocks", "blocks_whole_between_subject"))


@pytest.mark.parametrize("freedman_lane", [False, True])
def test_sessions_within_participants(data, expected, freedman_lane):
    frame, subjects, sessions = blocks(data, 5)
    session = frame["session"].to_numpy()
    people = np.array([[s == name for name in dict.fromkeys(subjects)] for s in subjects])
    X = np.column_stack([session == 2, session == 3, people]).astype(float)
    within = exchange_repeated(subjects, sessions, effect="within")
    design = make_design(X, np.eye(7)[0], within, subjects)
    Y = frame.filter(regex="^v").to_numpy()
    t = refit(design, Y, X[:, 1:] if freedman_lane else None)
    name = "blocks_within_session" + ("_freedman_lane" if freedman_lane else "")
    check_pvalues(t, expected("O_blocks", name))


def test_group_by_session_by_differences(data, expected):
    frame, _, _ = blocks(data)
    at = {k: frame[frame["session"] == k] for k in (1, 2)}
    group = at[1]["group"].to_numpy()
    Y = at[2].filter(regex="^v").to_numpy() - at[1].filter(regex="^v").to_numpy()
    free = exchange_within(np.zeros(6, dtype=np.int64))
    X = np.column_stack([group == 1, group == 0])
    design = make_design(X, [1, -1], free, range(6))
    check_pvalues(refit(design, Y), expected("O_blocks", "blocks_group_by_session_via_difference"))


@pytest.mark.parametrize(
    ("run", "effect", "n_distinct", "n_tied"),
    [("whole_blocks", "between", 70, 0), ("paired", "within", 256, 1)],
)
def test_palm_counts_the_same_shufflings(run, effect, n_distinct, n_tied):
    with np.load(HERE / "data" / "palm_blocks.npz") as palm:
        X, C, EB, Y, t, p = (palm[f"{run}_{name}"] for name in ("X", "C", "EB", "Y", "t", "p"))
    subjects, visits = EB.astype(int).astype(str).tolist(), [1, 2] * 8
    exchangeability = exchange_repeated(subjects, visits, effect=effect)
    design = make_design(X, C[0], exchangeability, subjects)
    found = refit(design, Y.astype(float))
    assert len(found) == n_distinct
    assert_allclose(found[0], t, atol=1e-10)
    counts = n_distinct * ((found >= found[0] - 1e-9).mean(axis=0) - p)
    assert np.abs(counts).max() <= n_tied + 1e-3


def williams(data, column):
    """Give design and outcome of the Williams trial, without the participant with one period."""
    frame = data("williams3").sort_values(["subject", "period"])
    frame = frame[frame.groupby("subject")[column].transform("count") > 1]
    people = frame.drop_duplicates("subject")
    treatments = {
        name: tuple(rows["treatment"])
        for name, rows in frame.drop_duplicates(["sequence", "period"]).groupby("sequence")
    }
    trial = Crossover(
        kind="crossover",
        sequences={name: {"treatments": order} for name, order in treatments.items()},
    )
    question = Question(
        text="t", role="primary", measure="m", contrast=("KET", "PLA"), estimator="crossover"
    )
    table = UnitTable(
        subjects=tuple(people["subject"]),
        groups=tuple(people["sequence"]),
        strata=("",) * len(people),
        covariates={},
    )
    present = {
        name: frozenset(rows["period"].tolist())
        for name, rows in frame.dropna(subset=column).groupby("subject")
    }
    design = make_unit_design(question, trial, table, present=present)
    return design, make_outcome(design, {"periods": frame[[column]].to_numpy()})


@pytest.mark.parametrize(("column", "n_missing"), [("y", 0), ("y_missing", 5)])
def test_williams_design_equals_r(data, expected, column, n_missing):
    value = expected("G_williams", f"williams3_fixed_subject_{column}")
    design, Y = williams(data, column)
    assert (design.present is None) == (n_missing == 0)
    assert np.isnan(Y).sum() == n_missing
    estimate = fit_contrast(design, Y)
    wanted = value["blockade"]["contrasts"]["KET_minus_PLA"]
    assert_allclose(
        [estimate.effect[0], estimate.se[0], estimate.t[0], estimate.df],
        [wanted[name] for name in ("estimate", "se", "t", "df")],
        rtol=1e-8,
    )
    assert_allclose(estimate.effect / estimate.d, np.sqrt(2 * value["sigma2"]), rtol=1e-8)


def test_williams_sequences_dealt_again_equal_r(data, expected):
    value = expected("G_williams", "williams3_rerandomisation")
    design, Y = williams(data, "y")
    given = data("perm_indices_williams3").to_numpy() - 1
    t, F = np.empty((2, len(given)))
    rest = np.column_stack([np.ones(len(Y)), design.X[:, ~design.dealt]])
    rss_null = np.linalg.lstsq(rest, Y, rcond=None)[1][0]
    for k, index in enumerate(given):
        order = (3 * index[:, None] + np.arange(3)).ravel()
        X = design.X.copy()
        X[:, design.dealt] = X[order][:, design.dealt]
        t[k] = t_of(X, design.contrast, Y)[0]
        rss = np.linalg.lstsq(X, Y, rcond=None)[1][0]
        F[k] = (rss_null - rss) / 2 / (rss / 44)
    assert_allclose(t[0], value["t_observed"], rtol=1e-8)
    assert_allclose(F[:5], value["F_first5"], rtol=1e-8)
    assert (np.abs(t) >= np.abs(t[0]) - 1e-9).mean() == value["p_t_two_sided"]
    assert (F[0] - 1e-9 <= F).mean() == value["p_F"]


def test_williams_sequences_change_places_in_swapped_pairs(data):
    design, _ = williams(data, "y_missing")
    every = plan_shufflings(design.exchangeability, None, moves_labels=True, seed=0, n_wanted=1000)
    assert every.n_distinct == 40320**2 * 5040
    source = make_source(design, Inference(n_permutations=1000, seed=1))
    assert source.n_distinct == 70**2 * 35  # pairs of 4 + 4, 4 + 4 and 4 + 3 participants
    order = source.take(range(1000)).order
    dealt = design.X[:, design.dealt]
    names = [name.removeprefix("treatment:") for name in design.columns[: dealt.shape[1]]]
    third = names.index("LTGKET")
    assert names[:2] == ["KET", "PLA"]
    assert_array_equal(dealt[order][:, :, third], np.tile(dealt[:, third], (1000, 1)))
    either = dealt[:, 0] + dealt[:, 1]
    assert_array_equal(dealt[order][:, :, :2].sum(axis=2), np.tile(either, (1000, 1)))
    swapped = dealt[order][:, :, 0] != dealt[:, 0]
    assert_array_equal(swapped.reshape(1000, 23, 3).sum(axis=2) % 2, 0)
    assert 0.4 < swapped.reshape(1000, 23, 3).any(axis=2)[1:].mean() < 0.6
