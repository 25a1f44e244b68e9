"""Baselines of the periods of a crossover in the models of one row per participant or period."""

from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.exceptions import DesignError, InferenceError
from phmri.group import (
    SAME_BASELINE,
    UnitTable,
    fit_contrast,
    leave_out_same_baseline,
    make_baseline,
    make_outcome,
    make_unit_design,
    sequence_test,
)
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Question

TWO = {"KP": {"treatments": ("KET", "PLA")}, "PK": {"treatments": ("PLA", "KET")}}
WILLIAMS = {"".join(order): {"treatments": order} for order in permutations(("KET", "LTG", "PLA"))}


def make(sequences, n_each, *, present=None, period_baseline=True, covariates=None):
    groups = [*sequences] * n_each
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates=covariates or {},
    )
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("KET", "PLA"),
        estimator="crossover",
        period_baseline=period_baseline,
    )
    trial = Crossover(kind="crossover", sequences=sequences)
    return make_unit_design(question, trial, table, present=present)


def drawn(design, n_outcomes, seed=1):
    rng = np.random.default_rng(seed)
    roles = ("first", "second") if design.estimator == "crossover" else ("periods",)
    shape = (len(design.subjects), n_outcomes)
    return {name: rng.normal(size=shape) for role in roles for name in (role, f"baseline-{role}")}


def test_two_periods_take_the_difference_of_the_baselines_with_the_sign_of_the_outcome():
    design = make(TWO, 4)
    images = drawn(design, 3)
    Y, baseline = make_outcome(design, images), make_baseline(design, images)
    sign = np.where(np.array(design.groups) == "KP", 0.5, -0.5)[:, None]
    assert_allclose(Y, sign * (images["first"] - images["second"]))
    assert_allclose(baseline, sign * (images["baseline-first"] - images["baseline-second"]))
    assert make(TWO, 4, period_baseline=False).voxelwise_baseline is False
    with pytest.raises(DesignError, match="needs images of another role"):
        make_baseline(design, {"baseline": Y})


def test_a_baseline_takes_a_degree_of_freedom():
    Y, baseline = np.random.default_rng(2).normal(size=(2, 4, 1))
    assert fit_contrast(make(TWO, 2), Y, baseline).df == 1
    assert fit_contrast(make(TWO, 2, period_baseline=False), Y).df == 2
    age = {"age": np.array([[-1.0], [0.5], [2.0], [-1.5]])}
    assert make(TWO, 2, period_baseline=False, covariates=age).X.shape == (4, 3)
    with pytest.raises(DesignError, match="no residual degrees of freedom"):
        make(TWO, 2, covariates=age)


def test_period_and_carry_over_are_shown_without_the_baselines():
    design = make(TWO, 6)
    images = drawn(design, 2)
    plain = sequence_test(make(TWO, 6, period_baseline=False), images)
    found = sequence_test(design, images)
    assert_allclose(found.period.effect, plain.period.effect)
    assert_allclose(found.carry_over.t, plain.carry_over.t)
    assert "estimated without the baselines beside" in found.sentences[0]
    assert "without the baselines" not in plain.sentences[0]


def test_several_periods_are_least_squares_in_every_outcome_with_cells_missing():
    lost = {"03": {2}, "07": {1}}
    present = {f"{k:02d}": frozenset({1, 2, 3} - lost.get(f"{k:02d}", set())) for k in range(12)}
    design = make(WILLIAMS, 2, present=present)
    images = drawn(design, 4)
    Y, baseline = make_outcome(design, images), make_baseline(design, images)
    Y[~design.present], baseline[~design.present] = np.nan, np.nan
    found = fit_contrast(design, Y, baseline)
    here = design.present
    for v in range(4):
        X = np.column_stack([design.X, baseline[:, v]])[here]
        b, rss, *_ = np.linalg.lstsq(X, Y[here, v], rcond=None)
        c = np.append(design.contrast, 0.0)
        df = len(X) - X.shape[1]
        assert found.df == df
        assert_allclose(found.effect[v], c @ b, rtol=1e-9)
        se = np.sqrt(rss[0] / df * (c @ np.linalg.inv(X.T @ X) @ c))
        assert_allclose(found.se[v], se, rtol=1e-9)


def test_treatments_are_dealt_anew_against_the_baselines():
    """Permutations of sequences against a slow refit, with the baseline held in place."""
    design = make(WILLIAMS, 1)
    images = drawn(design, 2)
    Y, baseline = make_outcome(design, images), make_baseline(design, images)
    settings = Inference(n_permutations=5000, alpha=0.26)
    found = permute(design, Y, baseline, settings, alternative="two-sided")
    # Only the twins with KET and PLA swapped change places: 2**3 arrangements.
    T, groups = design.X[:, :3].reshape(6, 3, 3), list(design.groups[::3])
    swap = {"KET": "PLA", "PLA": "KET", "LTG": "LTG"}
    twin = [groups.index("".join(swap[g[k : k + 3]] for k in range(0, 9, 3))) for g in groups]
    pairs = sorted({tuple(sorted((k, other))) for k, other in enumerate(twin)})
    t = []
    for bits in range(8):
        order = np.arange(6)
        for bit, (one, other) in enumerate(pairs):
            if bits >> bit & 1:
                order[[one, other]] = other, one
        rest = design.X[:, 3:]
        row = []
        for v in range(2):
            X = np.column_stack([T[order].reshape(18, 3), rest, baseline[:, v]])
            b, rss, *_ = np.linalg.lstsq(X, Y[:, v], rcond=None)
            c = np.append(design.contrast, 0.0)
            unit = c @ np.linalg.inv(X.T @ X) @ c
            row.append(c @ b / np.sqrt(rss[0] / (len(X) - X.shape[1]) * unit))
        t.append(row)
    oriented = np.abs(t)
    assert_allclose(fit_contrast(design, Y, baseline).t, t[0], rtol=1e-8)
    assert_allclose(t[-1], np.negative(t[0]), rtol=1e-8)  # all twins at once
    assert_allclose(
        found.pvalue_uncorrected, (oriented >= oriented[0] - 1e-8).mean(axis=0), atol=1e-12
    )
    with pytest.raises(InferenceError, match=r"0\.25"):
        permute(design, Y, baseline, Inference(alpha=0.2), alternative="two-sided")


@pytest.mark.parametrize(("sequences", "n_each"), [(TWO, 5), (WILLIAMS, 2)])
def test_baselines_that_tell_nothing_are_left_out_with_a_note(sequences, n_each):
    design = make(sequences, n_each)
    images = drawn(design, 1)
    role = "periods" if design.estimator == "periods" else "first"
    kept = leave_out_same_baseline(design, make_baseline(design, images)[:, 0])
    assert kept is design
    own = np.random.default_rng(5).normal(size=(len(set(design.subjects)), 1))
    own = np.repeat(own, len(design.subjects) // len(own), axis=0)
    same = dict.fromkeys((f"baseline-{role}", "baseline-second"), own)
    left = leave_out_same_baseline(design, make_baseline(design, same)[:, 0])
    assert not left.voxelwise_baseline
    assert left.notes[-1] == SAME_BASELINE
    plain = make(sequences, n_each, period_baseline=False)
    assert left.notes[:-1] == plain.notes
    assert left.sentences == plain.sentences
    assert_allclose(left.X, plain.X)


def test_a_baseline_that_the_treatment_tells_is_refused():
    design = make(TWO, 4)
    before = np.where(np.array(design.groups) == "KP", 1.0, -0.5)
    with pytest.raises(DesignError, match=r"cannot be told apart .* found baseline"):
        leave_out_same_baseline(design, before)
