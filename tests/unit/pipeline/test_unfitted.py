"""Why a model can be fitted to nothing at all."""

import numpy as np
import pytest

from phmri.group import JointEstimate, make_long_design
from phmri.pipeline._long_model import LongModel
from phmri.pipeline._tested import _unfitted
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
