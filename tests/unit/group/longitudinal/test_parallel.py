from contextlib import nullcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import without_baseline
from phmri.group.longitudinal import (
    carryover_design,
    check_covariance,
    fit_long_design,
    make_long_design,
)
from phmri.group.robust import fit_cluster_robust
from tests.unit.group.longitudinal.long_trials import ARMS, parallel, settings

TRUTH = {"PLA": (0.0, 1.0, 2.0), "KET": (0.0, 4.0, 2.5), "LTG": (0.0, 2.0, 2.0)}


def outcomes(table, design, slope=0.0):
    """Give outcomes whose differences between arms are those of `TRUTH`, and hardly any noise."""
    rng = np.random.default_rng(0)
    own = dict.fromkeys(table.subjects)
    own = dict(zip(own, rng.normal(size=len(own)), strict=True))
    at = {"pre": 0, "acute": 1, "day": 2}
    y = [
        10 + TRUTH[arm][at[s]] + (1 if s == "pre" else slope) * own[subject]
        for subject, arm, s in zip(table.subjects, table.groups, table.sessions, strict=True)
    ]
    return (np.array(y) + 1e-6 * rng.normal(size=len(y)))[design.rows][:, None]


def effects(table, design, slope=0.0):
    joint = fit_cluster_robust(
        outcomes(table, design, slope),
        design.X,
        design.subjects,
        design.contrasts,
        design.names,
    )
    return dict(zip(joint.names, joint.effect[:, 0], strict=True))


def baseline_of(table, missing=()):
    rng = np.random.default_rng(0)
    people = list(dict.fromkeys(table.subjects))
    own = dict(zip(people, rng.normal(size=len(people)), strict=True))
    return np.array([np.nan if s in missing else own[s] for s in table.subjects])


def test_clda_has_one_mean_of_all_arms_at_baseline():
    table = parallel(40, lost={("05", "day"), ("06", "pre")}, strata="xxyy" * 30)
    design = make_long_design(settings("clda"), table)
    assert design.columns == (
        "session:pre",
        "arm:KET:acute",
        "arm:PLA:acute",
        "arm:LTG:acute",
        "arm:KET:day",
        "arm:PLA:day",
        "arm:LTG:day",
        "stratum:y",
    )
    assert design.structure == "unstructured"
    assert_array_equal(design.contrasts, [[0, 1, -1, 0, 0, 0, 0, 0]])
    assert len(design.rows) == 358
    assert_array_equal(design.visits[:3], [0, 1, 2])
    assert_array_equal(design.subjects[:4], [0, 0, 0, 1])
    assert design.notes == ()
    assert any("one mean of all arms" in s for s in design.sentences)
    assert any("2 of 360 outcomes were missing" in s for s in design.sentences)
    assert "adjusted for stratum:y" in design.sentences[2]
    assert_allclose(effects(table, design)["KET - PLA"], 3, atol=1e-4)


def test_changes_are_compared_when_the_baseline_is_an_outcome():
    table = parallel()
    design = make_long_design(settings("mixed", baseline_as="outcome", early="day"), table)
    assert design.structure == "random_intercept"
    assert design.X.shape == (54, 9)
    assert design.names == ("KET - PLA", "early", "late", "difference")
    early, late, waned = design.contrasts[1:]
    assert_array_equal(waned, early - late)
    found = effects(table, design)
    # A noisy person at baseline alone moves every change of that person.
    own = baseline_of(table)[design.rows]
    arm = np.array(table.groups)[design.rows]
    drift = own[arm == "KET"].mean() - own[arm == "PLA"].mean()
    assert_allclose(found["KET - PLA"], 3 - drift, atol=1e-4)
    assert_allclose(found["early"], 0.5 - drift, atol=1e-4)
    assert_array_equal(design.contrasts[2], design.contrasts[0])


def test_numbers_at_baseline_are_a_covariate_with_a_slope_per_session():
    table = parallel()
    design = make_long_design(settings("mmrm"), table, baseline=baseline_of(table))
    assert design.columns[-2:] == ("baseline:acute", "baseline:day")
    assert design.X.shape == (36, 8)
    assert set(design.visits) == {0, 1}
    assert "18 participants are few for an unstructured covariance" in design.notes[0]
    assert_allclose(effects(table, design, slope=0.7)["KET - PLA"], 3, atol=1e-4)


def test_images_have_each_their_baseline_beside_the_model():
    """The same numbers, as columns and as the baseline of one outcome, are one model."""
    table = parallel(40, lost={("05", "day"), ("06", "pre"), ("07", "acute")})
    numbers = baseline_of(table, {"06"})
    with_numbers, own = (
        make_long_design(settings("mmrm"), table, baseline=given) for given in (numbers, None)
    )
    assert own.voxelwise_baseline
    assert not with_numbers.voxelwise_baseline
    assert own.columns == with_numbers.columns[:6]
    assert_array_equal(own.rows, with_numbers.rows)
    assert own.notes == with_numbers.notes
    assert "1 participants without a baseline were left out of the model: 06." in own.notes
    assert any("fitted anew in every outcome" in s for s in own.sentences)
    Y = outcomes(table, own, slope=0.7)
    Y += np.random.default_rng(1).normal(size=Y.shape)
    one = fit_long_design(with_numbers, Y)
    other = fit_long_design(own, Y, baseline=numbers[own.rows, None])
    assert_allclose(one.effect, other.effect, rtol=1e-8)
    assert_allclose(one.covariance, other.covariance, rtol=1e-8)
    assert_allclose(one.df, other.df, rtol=1e-8)
    one, other = (
        fit_long_design(with_numbers, Y, errors="cr2"),
        fit_long_design(own, Y, baseline=numbers[own.rows, None], errors="cr2"),
    )
    assert_allclose(one.effect, other.effect, rtol=1e-8)
    assert_allclose(one.covariance, other.covariance, rtol=1e-8)
    assert_allclose(one.df, other.df, rtol=1e-8)
    with pytest.raises(DesignError, match="only an MMRM of maps takes a baseline"):
        fit_long_design(own, Y)
    with pytest.raises(DesignError, match="only an MMRM of maps takes a baseline"):
        fit_long_design(with_numbers, Y, baseline=numbers[own.rows, None])


def test_too_few_for_a_covariance_counts_the_baseline_of_images():
    """Nine people, six means and two slopes in two sessions: as with numbers."""
    for k, refused in ((5, True), (6, False)):
        lost = {(f"{n:02d}", s) for n in range(k, 18) for s in ("pre", "acute", "day")}
        table = parallel(lost=lost)
        for given in (baseline_of(table), None):
            design = make_long_design(settings("mmrm"), table, baseline=given)
            with pytest.raises(DesignError, match="too few") if refused else nullcontext():
                check_covariance(design)


@pytest.mark.parametrize(
    ("missing", "role"), [((), "covariate"), (("04",), "common"), (None, "common")]
)
def test_mixed_takes_numbers_where_all_have_them(missing, role):
    table = parallel()
    baseline = None if missing is None else baseline_of(table, missing)
    design = make_long_design(settings("mixed"), table, baseline=baseline)
    assert ("baseline:acute" in design.columns) == (role == "covariate")
    assert ("session:pre" in design.columns) == (role == "common")


def test_participants_without_a_baseline_leave_a_model_that_needs_it():
    table = parallel(20)
    design = make_long_design(settings("mmrm"), table, baseline=baseline_of(table, {"04", "11"}))
    assert len(design.rows) == 2 * 58
    assert "2 participants without a baseline were left out of the model: 04, 11." in design.notes


@pytest.mark.parametrize(
    ("model", "numbers", "adjusts"),
    [
        ("clda", False, False),
        ("mixed", False, False),
        ("mixed", True, True),
        ("mmrm", True, True),
    ],
)
def test_least_squares_says_where_it_does_not_adjust(model, numbers, adjusts):
    """A baseline that is an outcome tells least squares nothing of the later sessions."""
    table = parallel(lost={("03", "day")})
    given = baseline_of(table) if numbers else None
    design = make_long_design(settings(model, least_squares=True), table, baseline=given)
    assert without_baseline(design.notes) != adjusts
    assert any("does not adjust for it" in s for s in design.sentences) != adjusts
    assert any("depends on arm, session and covariates only" in s for s in design.sentences)
    arms, sessions = (np.array(x)[design.rows] for x in (table.groups, table.sessions))
    y = outcomes(table, design, slope=0.7)
    raw = [y[(arms == arm) & (sessions == "acute"), 0].mean() for arm in ("KET", "PLA")]
    assert (
        abs(effects(table, design, slope=0.7)["KET - PLA"] - raw[0] + raw[1]) < 1e-9
    ) != adjusts


def test_without_a_baseline_arms_are_compared_as_they_are():
    design = make_long_design(settings("mixed", session="acute"), parallel())
    assert design.X.shape == (54, 9)
    assert_array_equal(np.flatnonzero(design.contrasts[0]), [3, 4])
    assert "No baseline was used." in design.sentences


def test_blockade_is_three_contrasts_of_one_model():
    table = parallel()
    asked = settings("clda", contrast=("KET", "LTG"), references=("PLA", "PLA"))
    design = make_long_design(asked, table)
    assert design.names == ("difference", "drug", "pretreated")
    assert_array_equal(design.contrasts[0], design.contrasts[1] - design.contrasts[2])
    found = effects(table, design)
    assert_allclose([found[k] for k in design.names], [2, 3, 1], atol=1e-4)


def test_what_another_session_cannot_tell_is_named():
    lost = {(f"{k:02d}", "day") for k in range(18) if k % 3 == 1}
    design = make_long_design(settings("mixed", early="day"), parallel(lost=lost))
    assert design.names == ("KET - PLA", "late")
    lost_words = "no participant has data of KET at day"
    assert design.not_estimable == {"early": lost_words, "difference": lost_words}


def test_covariates_that_say_nothing_new_are_noted():
    design = make_long_design(settings("clda"), parallel(age=[1.0] * 18))
    assert design.notes[0].startswith("Covariate age is constant over the participants")


def test_sessions_keep_their_planned_order():
    design = make_long_design(settings("clda"), parallel(lost={("00", "acute")}))
    assert_array_equal(design.visits[:5], [0, 2, 0, 1, 2])
    assert design.sentences[0].startswith("The outcomes of pre, acute and day were modelled")


def test_a_baseline_at_the_floor_is_noted():
    design = make_long_design(settings("mmrm"), parallel(40), baseline=np.zeros(360))
    assert design.columns[-1] == "arm:LTG:day"
    assert design.notes[0].startswith("The baseline is 0 in everyone compared")


NO_KET = {(f"{k:02d}", "acute") for k in range(18) if k % 3 == 1}
ONE_KET = NO_KET - {("01", "acute")}
NEVER_BOTH = {(f"{k:02d}", "day" if k < 9 else "acute") for k in range(18)}


@pytest.mark.parametrize(
    ("model", "fields", "lost", "words"),
    [
        ("mixed", {}, NO_KET, "ses-acute, KET: too few participants in this arm .* found 0"),
        ("clda", {}, ONE_KET, "found 1; expected at least 2"),
        ("mixed", {"min_per_group": 7}, (), "found 6; expected at least 7"),
        ("clda", {}, NEVER_BOTH, "acute and day: too few participants have both sessions"),
        ("mixed", {"contrast": ("KET", "KET")}, (), "an arm cannot be compared with itself"),
        ("mixed", {"session": "night"}, (), "no participant has a row of this session"),
        ("mixed", {"session": "pre", "baseline": "pre"}, (), "needs a session after the baseline"),
        ("clda", {"session": "acute"}, (), "estimator clda needs a baseline session"),
        ("mixed", {"baseline_as": "covariate"}, (), "adjusts for one baseline number per partic"),
        ("fixed_subject", {"session": "acute"}, (), "leaves nothing to compare"),
    ],
)
def test_trials_that_cannot_answer_are_refused(model, fields, lost, words):
    with pytest.raises(DesignError, match=words):
        make_long_design(settings(model, **fields), parallel(lost=lost))


def test_confounded_covariates_and_wrong_baselines_are_refused():
    arms = [float(ARMS[k % 3] == "KET") for k in range(18)]
    with pytest.raises(DesignError, match="cannot be told apart from the columns it is adjusted"):
        make_long_design(settings("clda"), parallel(genotype=arms))
    with pytest.raises(DesignError, match="column of another length than the rows"):
        make_long_design(settings("mmrm"), parallel(), baseline=np.zeros(3))
    with pytest.raises(DesignError, match="baseline numbers of no session"):
        make_long_design(settings("mixed", session="acute"), parallel(), baseline=np.zeros(54))
    with pytest.raises(DesignError, match="carry-over exists only in a crossover"):
        carryover_design(settings("mixed"), parallel())


@pytest.mark.parametrize("model", ["mixed", "mmrm", "clda"])
def test_only_the_covariate_that_is_collinear_with_the_arm_is_blamed(model):
    rng = np.random.default_rng(4)
    covariates = {
        "age": rng.normal(40.0, 9.0, 18),
        "site": [float(ARMS[k % 3] == "KET") for k in range(18)],
        "weight": rng.normal(75.0, 9.0, 18),
    }
    table = parallel(**covariates)
    own = None if model == "clda" else np.repeat(rng.normal(size=18), 3)
    with pytest.raises(DesignError) as caught:
        make_long_design(settings(model), table, baseline=own)
    (problem,) = caught.value.problems
    assert problem.found == "site"


def test_columns_that_are_collinear_with_the_arm_together_are_blamed_together():
    rng = np.random.default_rng(5)
    first = rng.normal(size=18)
    covariates = {
        "first": first,
        "other": rng.normal(size=18),
        "second": [float(ARMS[k % 3] == "KET") - first[k] for k in range(18)],
    }
    with pytest.raises(DesignError) as caught:
        make_long_design(settings("mixed"), parallel(**covariates))
    assert caught.value.problems[0].found == "first, second"


def test_a_trial_without_data_is_refused():
    lost = {(f"{k:02d}", s) for k in range(18) for s in ("pre", "acute", "day")}
    with pytest.raises(DesignError, match="no participant can answer this question"):
        make_long_design(settings("mixed"), parallel(lost=lost))


def test_nothing_left_as_error_is_refused():
    table = parallel(
        2, lost={(f"{k:02d}", s) for k in range(6) for s in ("pre", "day")}, a=range(6)
    )
    wide = {f"c{k}": np.eye(6)[:, [k]][list(map(int, table.subjects))] for k in range(5)}
    full = type(table)(
        **{name: getattr(table, name) for name in table.__slots__ if name != "covariates"},
        covariates=wide,
    )
    with pytest.raises(DesignError, match=r"cannot be told apart|no residual degrees"):
        make_long_design(settings("mixed", session="acute"), full)
