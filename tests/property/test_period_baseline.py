"""What a participant has at the baselines of all periods drops out of a crossover."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.group import (
    UnitTable,
    fit_contrast,
    fit_long_design,
    make_baseline,
    make_long_design,
    make_long_table,
    make_outcome,
    make_unit_design,
)
from phmri.group.longitudinal import LongSettings
from phmri.inference import permute
from phmri.protocol import Crossover, Inference, Question

ORDERS = {
    "crossover": [("KET", "PLA"), ("PLA", "KET")],
    "periods": list(permutations(("KET", "LTG", "PLA"))),
}


def trial(kind, n_each, estimator="crossover"):
    orders = {"".join(order): {"treatments": order} for order in ORDERS[kind]}
    groups = [*orders] * n_each
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=("",) * len(groups),
        covariates={},
    )
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("KET", "PLA"),
        estimator=estimator,
        period_baseline=True,
    )
    return question, Crossover(kind="crossover", sequences=orders), table


def images_of(design, seed):
    rng = np.random.default_rng(seed)
    roles = ("first", "second") if design.estimator == "crossover" else ("periods",)
    shape = (len(design.subjects), 2)
    return {name: rng.normal(size=shape) for role in roles for name in (role, f"baseline-{role}")}


@pytest.mark.parametrize("kind", ORDERS)
@given(seed=st.integers(0, 10_000), size=st.floats(0.1, 100.0), shift=st.floats(-50.0, 50.0))
@settings(max_examples=15, deadline=None)
def test_what_all_baselines_of_a_participant_share_changes_nothing(kind, seed, size, shift):
    design = make_unit_design(*trial(kind, 6 if kind == "crossover" else 1))
    images = images_of(design, seed)
    people = np.unique(np.array(design.subjects), return_inverse=True)[1]
    own = size * np.random.default_rng(seed + 1).normal(size=(people.max() + 1, 2))[people] + shift
    raised = {
        role: stack + own if role.startswith("baseline") else stack
        for role, stack in images.items()
    }
    Y = make_outcome(design, images)
    one, other = (
        fit_contrast(design, Y, make_baseline(design, given)) for given in (images, raised)
    )
    assert_allclose(one.effect, other.effect, atol=1e-8)
    assert_allclose(one.se, other.se, rtol=1e-7)


def test_nor_does_it_change_what_is_shuffled():
    design = make_unit_design(*trial("crossover", 6))
    images = images_of(design, 3)
    own = np.random.default_rng(4).normal(size=(12, 2))
    raised = images | {role: images[role] + own for role in ("baseline-first", "baseline-second")}
    Y, how = make_outcome(design, images), Inference(n_permutations=200)
    one, other = (
        permute(design, Y, make_baseline(design, given), how, alternative="two-sided")
        for given in (images, raised)
    )
    assert_allclose(one.pvalue_uncorrected, other.pvalue_uncorrected, atol=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_with_nothing_missing_the_random_intercept_agrees(seed):
    question, design, table = trial("periods", 2, "mixed")
    cells = dict.fromkeys(table.subjects, frozenset({1, 2, 3}))
    long = make_long_table(question, design, table, cells)
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.normal(size=12), 3)
    baseline = own + rng.normal(size=36)
    Y = (3 * np.repeat(rng.normal(size=12), 3) + rng.normal(size=36) + baseline)[:, None]
    unit = make_unit_design(*trial("periods", 2))
    fixed = fit_contrast(unit, Y, baseline[:, None])
    for added in (0.0, 5.0 * own):
        model = make_long_design(
            LongSettings(model="mixed", contrast=("KET", "PLA")), long, baseline=baseline + added
        )
        found = fit_long_design(model, Y)
        assert_allclose(found.effect[0], fixed.effect, atol=1e-6)
