"""Why a model can be fitted to nothing at all."""

import numpy as np
import pytest

from phmri.exceptions import DesignError
from phmri.group import JointEstimate, make_long_design
from phmri.group.longitudinal._records import Model
from phmri.pipeline._long_model import LongModel
from phmri.pipeline._tested import _refuse_same_session, _unfitted
from phmri.protocol import Question
from tests.unit.group.longitudinal.long_trials import parallel, settings


def joint(*status: int) -> JointEstimate:
    n = len(status)
    return JointEstimate(
        names=("difference",),
        effect=np.zeros((1, n)),
        covariance=np.ones((n, 1, 1)),
        df=np.ones((1, n)),
        status=np.array(status, dtype=np.uint8),
    )


def test_reasons_are_counted() -> None:
    Y = np.random.default_rng(0).normal(size=(6, 3))
    Y[:, 2] = np.nan
    (problem,) = _unfitted(joint(2, 3, 3), Y)
    assert problem.found == "1 of 3 did not converge, 2 are not estimable"
    assert "too few" in problem.what


@pytest.mark.parametrize(("status", "scale"), [((0, 3), 1.0), ((3, 3), 0.0)])
def test_a_fit_or_outcomes_that_do_not_vary_have_other_words(
    status: tuple[int, ...], scale: float
) -> None:
    Y = scale * np.random.default_rng(0).normal(size=(6, 2))
    assert _unfitted(joint(*status), Y) == ()


def test_sessions_in_which_nothing_is_left_are_named() -> None:
    table = parallel()
    model = LongModel(table=table, design=make_long_design(settings("clda"), table))
    Y = np.random.default_rng(0).normal(size=(len(model.design.rows), 1))
    (few,) = _unfitted(joint(2), Y, model)
    assert "too few" in few.what
    Y[np.array(table.sessions)[model.design.rows] == "acute"] = 4.1
    (problem,) = _unfitted(joint(2), Y, model)
    assert problem.what.startswith("the outcome is the same in every participant")
    assert (problem.field, problem.found) == ("session", "acute")


@pytest.mark.parametrize("model", ["mixed", "clda"])
def test_a_session_that_nobody_differs_in_is_refused_if_it_is_the_one_asked_about(
    model: Model,
) -> None:
    """A random intercept would lend it the variance of the other sessions."""
    table = parallel()
    long = LongModel(table=table, design=make_long_design(settings(model), table))
    Y = np.random.default_rng(0).normal(size=(len(long.design.rows), 1))
    at = np.array(table.sessions)[long.design.rows]
    question = Question.model_construct(session="acute")
    Y[at == "day"] = 5.0
    _refuse_same_session(question, long, Y)
    Y[at == "acute"] = 5.0
    with pytest.raises(DesignError, match=r"same in every participant.*found acute"):
        _refuse_same_session(question, long, Y)
