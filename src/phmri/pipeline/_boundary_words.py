"""What must be said of a mixed model whose participants are found not to differ."""

import numpy as np
from jaxtyping import Bool

from phmri.group import JointEstimate

__all__ = ["boundary_words"]

AT_BOUNDARY = 1
_WHY = (
    "the least that it can be (a status of 1): p-value and interval take two outcomes of one "
    "participant to be no more alike than those of two."
)


def boundary_words(
    joint: JointEstimate | None, tested: Bool[np.ndarray, " n_outcomes"]
) -> tuple[str, ...]:
    """Say where the variance between participants was estimated as 0.

    Parameters
    ----------
    joint : JointEstimate or None
        None where no model of several sessions or contrasts was fitted.
    tested : ndarray of bool of shape (n_outcomes,)
        The outcomes that are answered.

    Returns
    -------
    tuple of str
        Empty where it was not.
    """
    n_there = 0 if joint is None else int((joint.status[tested] == AT_BOUNDARY).sum())
    if not n_there:
        return ()
    n_tested = int(tested.sum())
    where = "" if n_tested == 1 else f" in {n_there:,} of {n_tested:,} outcomes"
    return (f"The variance between participants was estimated as 0{where}, {_WHY}",)
