"""Outcomes of which none can be tested."""

import numpy as np
import pytest

from phmri.exceptions import InferenceError
from phmri.inference._untested import refuse_untested


@pytest.mark.parametrize(
    ("n", "found"), [(1, "1 outcome"), (3, "3 outcomes, of which none can be tested")]
)
def test_one_and_many_are_told_in_words(n: int, found: str) -> None:
    with pytest.raises(InferenceError) as caught:
        refuse_untested(np.zeros(n, dtype=bool))
    (problem,) = caught.value.problems
    assert problem.what == (
        "the outcome is the same in every participant, or nothing is left of it as error, or too "
        "few have data"
    )
    assert problem.found == found


def test_one_that_varies_is_enough() -> None:
    assert refuse_untested(np.array([False, True])) is None
