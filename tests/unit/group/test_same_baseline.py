"""A baseline that is the same in everyone is left out of a model, and that is said."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import UnitTable, fit_contrast, fit_ordered, make_unit_design
from phmri.protocol import Parallel, Question

GROUPS = ("KET", "PLA", "LTG") * 8
PEOPLE = UnitTable(
    subjects=tuple(f"{k:02d}" for k in range(24)),
    groups=GROUPS,
    strata=("",) * 24,
    covariates={},
)
ARMS = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in ("PLA", "KET", "LTG")})
ZERO = np.zeros(24)
NOTE = (
    "The baseline is 0 in everyone compared: it says nothing of the outcome, and was left out of "
    "the model."
)
SCORES = np.random.default_rng(4).normal(10, 3, (24, 1)).round()


def make(estimator, before, baseline="pre"):
    question = Question(
        text="t",
        role="primary",
        measure="m",
        contrast=("KET", "PLA"),
        session="s",
        baseline=baseline,
        estimator=estimator,
    )
    return make_unit_design(question, ARMS, PEOPLE, before=before)


@pytest.mark.parametrize("estimator", ["ancova", "rank", "ordinal"])
def test_the_design_has_no_baseline_and_says_so(estimator):
    design = make(estimator, ZERO)
    assert not design.voxelwise_baseline
    assert NOTE in design.notes
    assert "baseline" not in design.sentences[1]
    assert "own baseline as a covariate" not in design.sentences[0]


@pytest.mark.parametrize("estimator", ["rank", "ordinal"])
def test_the_order_of_scores_is_that_without_a_baseline(estimator):
    found = fit_ordered(make(estimator, ZERO), SCORES)
    plain = fit_ordered(make(estimator, None, baseline=None), SCORES)
    assert_array_equal(found.effect, plain.effect)
    assert_array_equal(found.covariance, plain.covariance)


def test_analysis_of_covariance_is_the_comparison_at_the_session():
    found = fit_contrast(make("ancova", ZERO + 18.1), SCORES)
    plain = fit_contrast(make("post", None, baseline=None), SCORES)
    assert_allclose((found.t, found.effect), (plain.t, plain.effect), rtol=1e-12)
    assert found.df == 21


@pytest.mark.parametrize("estimator", ["ancova", "rank", "ordinal"])
def test_a_baseline_that_varies_stays(estimator):
    for before in (ZERO + (np.arange(24) == 3), None):
        design = make(estimator, before)
        assert design.voxelwise_baseline
        assert NOTE not in design.notes


@pytest.mark.parametrize("estimator", ["ancova", "ordinal"])
def test_a_baseline_constant_within_arms_is_not_constant(estimator):
    """It tells the arms apart, and nobody can say what is drug and what was there before."""
    before = np.array([{"KET": 1.0, "PLA": 0.0, "LTG": 2.0}[arm] for arm in GROUPS])
    with pytest.raises(DesignError, match=r"cannot be told apart .* found baseline"):
        make(estimator, before)


def test_ranks_look_at_nobody_beside_the_contrast():
    before = np.array([float(arm == "LTG") for arm in GROUPS]) + (np.arange(24) == 2)
    assert not make("rank", before).voxelwise_baseline
    assert make("ancova", before).voxelwise_baseline
    assert make("ordinal", before).voxelwise_baseline


@pytest.mark.parametrize("estimator", ["ancova", "ordinal"])
def test_a_baseline_that_an_arm_beside_the_contrast_tells_is_left_out(estimator):
    before = np.array([3.0 * (arm == "LTG") for arm in GROUPS])
    design = make(estimator, before)
    assert not design.voxelwise_baseline
    assert design.notes[0] == (
        "The baseline follows from the other columns, and was left out of the model."
    )
    assert "baseline" not in design.sentences[1]
    fit = fit_contrast if estimator == "ancova" else fit_ordered
    plain = fit(make("post" if estimator == "ancova" else estimator, None, baseline=None), SCORES)
    assert_allclose(fit(design, SCORES).effect, plain.effect, rtol=1e-12)


def test_a_change_needs_no_baseline_that_varies():
    design = make("change", ZERO)
    assert not any("left out" in note for note in design.notes)
