import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import UnitTable, make_unit_design
from phmri.group._columns import Adjustment, find_aliased
from phmri.protocol import Crossover, Parallel, Question

ARMS = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("PLA", "KET", "LTG")})
SEQUENCES = {
    "KP": {"treatments": ("KET", "PLA")},
    "PK": {"treatments": ("PLA", "KET")},
    "LK": {"treatments": ("LTG", "KET"), "experiment": "two"},
    "three": {"treatments": ("KET", "PLA", "LTG")},
}
CROSSOVER = Crossover(kind="crossover", sequences=SEQUENCES)


def ask(estimator, contrast=("KET", "PLA"), *, baseline="pre"):
    return Question(
        text="t",
        role="primary",
        measure="m",
        contrast=contrast,
        session=None if estimator == "crossover" else "s",
        baseline=baseline if estimator in {"ancova", "change"} else None,
        estimator=estimator,
    )


def table(groups, *, strata=None, subjects=None, **covariates):
    groups = groups.split() if isinstance(groups, str) else groups
    return UnitTable(
        subjects=tuple(subjects or (f"{k:02d}" for k in range(len(groups)))),
        groups=tuple(groups),
        strata=tuple(strata) if strata else ("",) * len(groups),
        covariates={
            k: np.asarray(v, dtype=float).reshape(len(v), -1) for k, v in covariates.items()
        },
    )


def test_parallel_holds_all_arms_and_shuffles_two_within_strata():
    design = make_unit_design(
        ask("ancova"),
        ARMS,
        table("KET PLA LTG KET PLA LTG KET PLA LTG KET PLA", strata="aaabbbaaabb"),
    )
    assert design.columns == ("arm:KET", "arm:PLA", "arm:LTG", "stratum:b")
    assert_array_equal(design.contrast, [1, -1, 0, 0])
    assert_array_equal(design.exchangeability.levels[:, 0], [0, 0, -1, 1, 1, -1, 0, 0, -1, 1, 1])
    assert_array_equal(np.flatnonzero(design.exchangeability.fixed), [2, 5, 8])
    assert_allclose(design.X[:, 3].sum(), 0, atol=1e-12)
    assert (design.estimator, design.exchangeability.kind, design.voxelwise_baseline) == (
        "ancova",
        "permute",
        True,
    )
    assert design.exchangeability.words == (
        "Participants of KET and PLA change places within strata; those of LTG stay."
    )
    assert design.exchangeability.null == (
        "KET and PLA give the same outcome in every participant (LTG may differ)"
    )
    assert_array_equal(design.variance_groups, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])


def test_strata_are_named_as_the_design_has_them():
    trial = ARMS.model_copy(update={"strata": ("sex", "site")})
    design = make_unit_design(ask("post"), trial, table("KET PLA KET PLA", strata="aabb"))
    words = "Participants of KET and PLA change places within strata (sex, site)."
    assert design.exchangeability.words == words
    assert design.exchangeability.null == "KET and PLA give the same outcome in every participant"


def test_crossover_contrast_is_first_treatment_first():
    design = make_unit_design(ask("crossover"), CROSSOVER, table("KP PK KP PK PK KP"))
    assert_array_equal(design.X @ design.contrast, [1, -1, 1, -1, -1, 1])
    assert design.columns == ("KET first", "PLA first")
    assert_array_equal(design.variance_groups, [0, 1, 0, 1, 1, 0])
    assert design.exchangeability.words == (
        "Participants change places between the two orders of treatment."
    )
    other = make_unit_design(
        ask("crossover", ("PLA", "KET")), CROSSOVER, table("KP PK KP PK PK KP")
    )
    assert_array_equal(other.X @ other.contrast, -(design.X @ design.contrast))


def test_experiments_of_one_protocol_are_strata():
    sequences = {
        f"{name}{k}": {"treatments": order, "experiment": f"e{k}"}
        for k in (1, 2)
        for name, order in (("KP", ("KET", "PLA")), ("PK", ("PLA", "KET")))
    }
    trial = Crossover(kind="crossover", sequences=sequences)
    design = make_unit_design(ask("crossover"), trial, table("KP1 PK1 KP2 PK2 KP1 PK1 KP2 PK2"))
    assert_array_equal(design.exchangeability.levels[:, 0], [0, 0, 1, 1, 0, 0, 1, 1])
    assert design.columns == ("KET first", "PLA first", "stratum:e2")
    assert "within strata (experiment)." in design.exchangeability.words


def test_unknown_order_is_paired_and_says_so():
    trial = CROSSOVER.model_copy(update={"order": "unknown"})
    design = make_unit_design(ask("crossover"), trial, table(["unknown"] * 5))
    assert (design.estimator, design.exchangeability.kind) == ("paired", "sign_flip")
    assert "order of treatments is not recorded" in design.notes[0]
    assert "symmetric" in design.notes[1]
    assert design.exchangeability.null == (
        "the difference between KET and PLA is symmetric about zero"
    )
    assert design.variance_groups is None


def test_redundant_covariates_are_left_out_and_noted():
    sex = [1, 0, 0, 1, 1, 0, 0, 1]
    two_columns = np.column_stack([sex, 1 - np.array(sex)])
    design = make_unit_design(
        ask("post"),
        ARMS,
        table("KET PLA KET PLA KET PLA KET PLA", sex=two_columns, site=[3.0] * 8),
    )
    assert design.columns == ("arm:KET", "arm:PLA", "sex:1")
    assert len(design.notes) == 1
    assert "Covariate site is constant" in design.notes[0]


@pytest.mark.parametrize(
    ("estimator", "trial", "units", "words"),
    [
        ("ancova", ARMS, table("KET PLA PLA PLA"), "too few participants in this arm"),
        ("ancova", ARMS, table("KET KET PLA PLA XXX"), "belongs to no arm"),
        ("crossover", ARMS, table("KET KET PLA PLA"), "does not belong to a parallel"),
        ("post", CROSSOVER, table("KP PK KP PK"), "does not belong to a crossover"),
        ("post", ARMS, table([]), "no participant"),
        ("post", ARMS, table("KET KET PLA PLA", dose=[5, 5, 0, 0]), "dose collinear with"),
        ("post", ARMS, table("KET KET PLA PLA", a=[1, 2, 3, 5], b=[0, 1, 0, 2]), "no residual"),
        ("ancova", ARMS, table("KET KET PLA PLA", a=[1, 2, 3, 5]), "no residual"),
        ("post", ARMS, table("KET KET KET PLA PLA PLA", strata="aaabbb"), "collinear"),
        ("post", ARMS, table("KET KET PLA PLA", subjects=["1", "1", "2", "3"]), "more than once"),
        ("post", ARMS, table("KET KET PLA PLA", age=[1, np.nan, 2, 3]), "no finite value"),
        ("crossover", CROSSOVER, table("KP KP KP KP"), "only one order of treatment"),
        ("crossover", CROSSOVER, table("KP PK PK PK"), "too few participants with this order"),
        ("crossover", CROSSOVER, table("KP PK KP PK LK"), "does not hold both treatments"),
        ("crossover", CROSSOVER, table("KP PK KP PK ??"), "belongs to no sequence"),
        (
            "crossover",
            CROSSOVER,
            table("KP PK KP PK three"),
            r"visits differ; found 04 \(1, 2, 3\)",
        ),
        (
            "crossover",
            CROSSOVER,
            table("KP PK KP PK", a=[1, -1, 2, -2], b=[0, 0, 1, 0]),
            "no resid",
        ),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(estimator, trial, units, words):
    with pytest.raises(DesignError, match=words):
        make_unit_design(ask(estimator), trial, units)


def test_confounded_strata_are_refused_even_when_the_rank_is_full():
    groups = "KET KET KET PLA PLA PLA LTG LTG"
    with pytest.raises(DesignError, match="no stratum holds participants of both KET"):
        make_unit_design(ask("post"), ARMS, table(groups, strata="aaabbbab"))


def test_all_problems_come_at_once():
    with pytest.raises(DesignError) as caught:
        make_unit_design(
            ask("ancova", ("KET", "NONE"), baseline=None), ARMS, table("KET KET PLA XXX")
        )
    assert len(caught.value.problems) == 3
    assert {p.field for p in caught.value.problems} >= {"contrast", "baseline"}


def test_least_number_per_group_is_the_protocols():
    units = table("KET KET PLA PLA PLA")
    assert make_unit_design(ask("post"), ARMS, units).X.shape == (5, 2)
    with pytest.raises(DesignError, match="at least 3"):
        make_unit_design(ask("post"), ARMS, units, min_per_group=3)


def test_paired_refuses_unknown_treatments_and_too_few():
    trial = CROSSOVER.model_copy(update={"order": "unknown"})
    with pytest.raises(DesignError) as caught:
        make_unit_design(ask("crossover", ("KET", "XXX")), trial, table(["unknown"]))
    assert len(caught.value.problems) == 2


def test_wrong_lengths_are_refused():
    broken = UnitTable(
        subjects=("1", "2"), groups=("KET",), strata=("", ""), covariates={"a": np.ones((3, 1))}
    )
    with pytest.raises(DesignError) as caught:
        make_unit_design(ask("post"), ARMS, broken)
    assert {p.field for p in caught.value.problems} == {"groups", "covariates.a"}


def test_strata_of_one_arm_are_named():
    groups = "KET PLA KET PLA KET PLA KET KET"
    design = make_unit_design(ask("post"), ARMS, table(groups, strata="aaaabbcc"))
    assert len(design.notes) == 1
    assert design.notes[0].startswith("Participants of c could not be shuffled")


def test_orders_that_never_meet_in_a_stratum_are_refused():
    with pytest.raises(DesignError):
        make_unit_design(ask("crossover"), CROSSOVER, table("KP KP PK PK", strata="aabb"))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_the_unit_of_a_covariate_does_not_decide_on_the_rank(unit):
    values = np.random.default_rng(1).normal(size=(12, 1)) * unit
    groups = np.repeat(np.eye(2), 6, axis=0)
    adjustment = Adjustment(columns=values, names=("level",), notes=())
    assert find_aliased(groups, ("a", "b"), adjustment) == ()
    same = Adjustment(columns=groups[:, :1] * unit, names=("arm",), notes=())
    assert find_aliased(groups, ("a", "b"), same)
