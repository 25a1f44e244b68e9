"""All sessions in one model: a baseline that is the same in everyone, an arm without a session."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import fit_long_design, make_long_design, sessions_without_error
from tests.unit.group.longitudinal.long_trials import parallel, settings

NOTE = (
    "The baseline is 0 in everyone compared: it says nothing of the outcome, and was left out of "
    "the model."
)
LATER = ("arm:KET:acute", "arm:PLA:acute", "arm:LTG:acute")


def fit(design, Y):
    return fit_long_design(design, Y[design.rows], df_method="kenward_roger")


@pytest.fixture(name="Y")
def outcomes():
    rng = np.random.default_rng(11)
    people = np.repeat(rng.normal(size=18), 3)
    return (people + rng.normal(size=54))[:, None]


@pytest.mark.parametrize("model", ["mmrm", "clda", "mixed"])
def test_the_later_sessions_are_modelled_without_it(model, Y):
    table = parallel()
    design = make_long_design(settings(model), table, baseline=np.zeros(54))
    assert NOTE in design.notes
    assert "No baseline was used." in design.sentences
    assert design.columns[:3] == LATER
    assert not any("pre" in name or "baseline" in name for name in design.columns)
    assert {table.sessions[row] for row in design.rows} == {"acute", "day"}
    assert fit(design, Y).status == 0


def test_clda_is_then_the_mmrm_of_the_later_sessions(Y):
    """Also where scores before treatment are missing, which clda takes and mmrm does not."""
    zero = np.zeros(54)
    whole = [make_long_design(settings(m), parallel(), baseline=zero) for m in ("clda", "mmrm")]
    first, second = (fit(design, Y) for design in whole)
    assert_allclose(first.effect, second.effect, rtol=1e-9)
    assert_allclose(first.covariance, second.covariance)
    assert_allclose(first.df, second.df)
    lost = np.repeat(np.arange(18) == 4, 3)
    some = make_long_design(
        settings("clda"), parallel(lost={("04", "pre")}), baseline=np.where(lost, np.nan, 0.0)
    )
    assert_allclose(fit(some, Y).effect, first.effect, rtol=1e-9)


def test_one_who_differs_keeps_it():
    baseline = np.repeat(np.arange(18) == 2, 3).astype(float)
    for model, column in (("mmrm", "baseline:acute"), ("clda", "session:pre")):
        design = make_long_design(settings(model), parallel(), baseline=baseline)
        assert column in design.columns
        assert NOTE not in design.notes


def test_one_that_an_arm_beside_the_contrast_tells_is_left_out(Y):
    """As an outcome of clda it would have no variance within arms."""
    table = parallel()
    baseline = np.array([3.0 * (arm == "LTG") for arm in table.groups])
    clda, mmrm = (
        make_long_design(settings(m), table, baseline=baseline) for m in ("clda", "mmrm")
    )
    assert clda.columns == mmrm.columns
    assert not any("baseline" in name for name in clda.columns)
    assert "No baseline was used." in clda.sentences
    assert_allclose(fit(clda, Y).effect, fit(mmrm, Y).effect, rtol=1e-9)


@pytest.mark.parametrize("model", ["clda", "mmrm", "mixed"])
def test_one_that_the_contrast_cannot_be_told_from_is_refused(model):
    table = parallel()
    baseline = np.array([3.0 * (arm == "KET") for arm in table.groups])
    with pytest.raises(DesignError, match=r"cannot be told apart .* found baseline:acute"):
        make_long_design(settings(model), table, baseline=baseline)


@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_a_session_without_error_is_found(constant, Y):
    design = make_long_design(settings("clda"), parallel())
    rows = Y[design.rows]
    assert not sessions_without_error(design, rows).any()
    rows[design.visits == 1] = constant
    assert_array_equal(sessions_without_error(design, rows), [False, True, False])
    repeated = Y[design.rows]
    repeated[design.visits == 2] = repeated[design.visits == 1] + 1.0
    assert_array_equal(sessions_without_error(design, repeated), [False, True, True])


@pytest.mark.parametrize("constant", [0.1, 3.7, 12.9])
def test_what_rounding_leaves_is_no_error(constant, Y):
    """Of least squares with the other sessions, which vary, also where arms do not compare."""
    design = make_long_design(settings("mixed"), parallel(lost={("03", "day"), ("07", "day")}))
    rows = np.repeat(Y[design.rows] * 3.0 + 10.0, 2, axis=1)
    rows[design.visits == 1, 0] = constant
    found = fit_long_design(design, rows, errors="cr2")
    assert_array_equal(found.status, [3, 0])
    assert np.isnan(found.effect[0, 0])
    with pytest.raises(DesignError, match=r"the same in every participant, or .* left of it"):
        fit_long_design(design, rows[:, :1], errors="cr2")


def test_images_have_no_number_to_look_at():
    design = make_long_design(settings("clda"), parallel())
    assert "session:pre" in design.columns
    assert NOTE not in design.notes


ARMLESS = {(f"{k:02d}", "day") for k in range(1, 18, 3)}
"""All of KET in the last session."""


@pytest.mark.parametrize("model", ["mmrm", "clda", "mixed"])
def test_an_arm_without_a_session_is_told(model):
    baseline = np.repeat(np.random.default_rng(1).normal(size=18), 3)
    design = make_long_design(settings(model), parallel(lost=ARMLESS), baseline=baseline)
    assert "arm:KET:day" not in design.columns
    (note,) = (note for note in design.notes if note.startswith("No one"))
    assert note == (
        "No one of KET has data in ses-day: what the model says of KET rests on its other "
        "sessions."
    )


def test_an_arm_without_the_session_that_is_asked_about_is_refused():
    with pytest.raises(DesignError, match="ses-day, KET: too few participants in this arm"):
        make_long_design(settings("clda", session="day", baseline="pre"), parallel(lost=ARMLESS))


def test_nothing_is_said_where_every_arm_has_every_session():
    design = make_long_design(settings("clda"), parallel(lost={("01", "day")}))
    assert not any(note.startswith("No one") for note in design.notes)
