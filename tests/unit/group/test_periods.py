from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import UnitTable, fit_contrast, make_outcome, make_unit_design
from phmri.protocol import Crossover, Question

WILLIAMS = {"".join(order): {"treatments": order} for order in permutations(("KET", "LTG", "PLA"))}
LATIN = {name: WILLIAMS[name] for name in ("KETLTGPLA", "LTGPLAKET", "PLAKETLTG")}


def ask(contrast=("KET", "PLA")):
    return Question(
        text="t", role="primary", measure="m", contrast=contrast, estimator="crossover"
    )


def trial(sequences, **fields):
    return Crossover(kind="crossover", sequences=sequences, **fields)


def table(groups, *, strata=None, **covariates):
    return UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=tuple(strata) if strata else ("",) * len(groups),
        covariates={k: np.asarray(v, dtype=float)[:, None] for k, v in covariates.items()},
    )


def williams(n_each=2, **fields):
    return make_unit_design(ask(), trial(WILLIAMS), table([*WILLIAMS] * n_each), **fields)


def test_one_row_per_participant_and_period():
    design = williams()
    assert design.estimator == "periods"
    assert design.subjects[:4] == ("00", "00", "00", "01")
    assert design.groups[:4] == ("KETLTGPLA",) * 3 + ("KETPLALTG",)
    assert design.columns[:4] == (
        "treatment:KET",
        "treatment:PLA",
        "treatment:LTG",
        "participant:01",
    )
    assert design.columns[-2:] == ("period:2", "period:3")
    assert design.X.shape == (36, 3 + 11 + 2)
    assert np.linalg.matrix_rank(design.X) == 16
    assert_array_equal(design.X[:6, :3], np.eye(3)[[0, 2, 1, 0, 1, 2]])
    assert_array_equal(design.contrast[:3], [1, -1, 0])
    assert_array_equal(np.flatnonzero(design.dealt), [0, 1, 2])
    assert design.present is None
    assert design.variance_groups is None


def test_effects_are_found_free_of_participant_and_period():
    rng = np.random.default_rng(1)
    present = {f"{k:02d}": frozenset({1, 2, 3} - {k % 5}) for k in range(12)}
    design = williams(present=present)
    effect = design.X[:, :3] @ [2.0, 0.5, -7.0]
    person = 10 * rng.normal(size=12).repeat(3)
    period = np.tile([0.0, 40.0, -90.0], 12)
    Y = (effect + person + period + 1e-6 * rng.normal(size=36))[:, None]
    Y[~design.present] = np.nan
    estimate = fit_contrast(design, make_outcome(design, {"periods": Y}))
    assert_allclose(estimate.effect, 1.5, atol=1e-5)
    assert estimate.df == design.present.sum() - 16
    assert f"{(~design.present).sum()} of 36 planned cells have no data" in design.sentences[0]


def test_only_the_two_treatments_swap_where_the_trial_allows():
    design = williams()
    block, person, period = design.exchangeability.levels.T
    assert design.exchangeability.exchanged == (False, True, False)
    assert_array_equal(period, np.tile([0, 1, 2], 12))
    assert_array_equal(person, np.arange(12).repeat(3))
    pairs = {frozenset(np.array(design.groups)[block == k]) for k in np.unique(block)}
    assert pairs == {
        frozenset({"KETLTGPLA", "PLALTGKET"}),
        frozenset({"KETPLALTG", "PLAKETLTG"}),
        frozenset({"LTGKETPLA", "LTGPLAKET"}),
    }
    assert design.exchangeability.null == (
        "KET and PLA give the same outcome in every participant (LTG may differ)"
    )
    assert design.notes == ()


def test_a_latin_square_tests_that_no_treatment_differs():
    design = make_unit_design(ask(), trial(LATIN), table([*LATIN] * 3))
    assert len(np.unique(design.exchangeability.levels[:, 0])) == 1
    assert design.exchangeability.null == "no treatment differs from another in any participant"
    assert "third treatment" in design.notes[0]


def test_participants_without_any_swapped_pair_are_all_shuffled():
    groups = ["KETLTGPLA", "LTGPLAKET", "PLAKETLTG"] * 2
    design = make_unit_design(ask(), trial(WILLIAMS), table(groups))
    assert design.exchangeability.null == "no treatment differs from another in any participant"
    with pytest.raises(DesignError, match="nothing can be shuffled; found x; y; z"):
        make_unit_design(ask(), trial(WILLIAMS), table(groups, strata="xyz" * 2))


def test_experiments_have_their_own_periods_and_strata():
    sequences = {
        f"{name}{k}": {**sequence, "experiment": f"e{k}"}
        for k in (1, 2)
        for name, sequence in WILLIAMS.items()
    }
    design = make_unit_design(
        ask(),
        trial(sequences, strata=("sex",)),
        table([*sequences] * 4, strata="a" * 24 + "b" * 24),
    )
    later = [f"period:{period} of e{k}" for period in (2, 3) for k in (1, 2)]
    assert list(design.columns[-4:]) == later
    assert design.X.shape[1] == 3 + 47 + 4
    assert "within strata (experiment, sex)." in design.exchangeability.words
    assert len(np.unique(design.exchangeability.levels[:, 0])) == 12


def test_participants_without_partner_and_covariates_are_noted():
    groups = ["KETLTGPLA", "PLALTGKET"] * 3 + ["KETPLALTG"] * 2
    design = make_unit_design(ask(), trial(WILLIAMS), table(groups, age=range(8)))
    covariate, alone = design.notes
    assert covariate.startswith("Covariate age does not vary within participants")
    assert alone == (
        "Participants of KET, PLA, LTG or PLA, KET, LTG could not be shuffled: no other sequence."
    )


def test_two_treatments_in_four_periods():
    order = {name: {"treatments": tuple(name)} for name in ("ABBA", "BAAB")}
    design = make_unit_design(ask(("A", "B")), trial(order), table([*order] * 3))
    assert design.columns[:2] == ("treatment:A", "treatment:B")
    assert design.X.shape == (24, 2 + 5 + 3)
    assert design.exchangeability.null == "A and B give the same outcome in every participant"


ORDER = [*WILLIAMS]
LOST = {"00": frozenset({1}), "01": frozenset({1, 2, 4})} | {
    f"{k:02d}": frozenset({1, 2, 3}) for k in range(2, 6)
}


@pytest.mark.parametrize(
    ("sequences", "groups", "present", "words"),
    [
        (WILLIAMS, ORDER, LOST, "sub-00: too few periods with data"),
        (WILLIAMS, ORDER, LOST, "sub-01: data in a period .* found 4; expected 1 to 3"),
        (WILLIAMS, ORDER, {}, "found none; expected at least 2"),
        (WILLIAMS, ["KETLTGPLA"] * 4, None, "cannot be told apart from participants and periods"),
        (WILLIAMS, ["KETLTGPLA", "PLAKETLTG"], None, "residual degrees of freedom"),
        (WILLIAMS, ["KETLTGPLA"], None, "too few participants with data under this treatment"),
        (WILLIAMS, ["KETLTGPLA", "XXX"], None, "belongs to no sequence"),
        (
            {**LATIN, "KP": {"treatments": ("KET", "PLA")}},
            [*LATIN, "KP"] * 3,
            None,
            r"the visits differ; found 03 \(1, 2\); 07 \(1, 2\); 11 \(1, 2\)",
        ),
    ],
)
def test_trials_that_cannot_answer_are_refused(sequences, groups, present, words):
    with pytest.raises(DesignError, match=words):
        make_unit_design(ask(), trial(sequences), table(groups), present=present)


def test_least_number_under_either_treatment_is_the_protocols():
    assert williams(1, min_per_group=6).X.shape[0] == 18
    with pytest.raises(DesignError) as caught:
        williams(1, min_per_group=7)
    assert {p.field for p in caught.value.problems} == {"KET", "PLA"}
