"""What is said of participants that a mixed model finds not to differ."""

import numpy as np

from phmri.group import JointEstimate
from phmri.pipeline._boundary_words import boundary_words


def joint(*status: int) -> JointEstimate:
    n = len(status)
    return JointEstimate(
        names=("difference",),
        effect=np.zeros((1, n)),
        covariance=np.ones((n, 1, 1)),
        df=np.ones((1, n)),
        status=np.array(status, dtype=np.uint8),
    )


def test_participants_that_do_not_differ_are_told() -> None:
    tested = np.array([True, True, False])
    (many,) = boundary_words(joint(1, 0, 1), tested)
    assert many.startswith(
        "The variance between participants was estimated as 0 in 1 of 2 outcomes"
    )
    (one,) = boundary_words(joint(1), tested[:1])
    assert one.startswith("The variance between participants was estimated as 0, the least")
    assert boundary_words(joint(0, 0, 1), tested) == ()
    assert boundary_words(None, tested) == ()
