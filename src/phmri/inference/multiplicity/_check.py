"""What is refused as a p-value."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem

__all__ = ["check_pvalues"]


def check_pvalues(pvalue: Float[np.ndarray, " n"], field: str = "pvalue") -> None:
    """Refuse what is no probability.

    Parameters
    ----------
    pvalue : ndarray of shape (n,)
        Any number of them.
    field : str
        What the message calls them.

    Raises
    ------
    InferenceError
        When one is not a number between 0 and 1.
    """
    bad = ~((pvalue >= 0) & (pvalue <= 1))
    if bad.any():
        raise InferenceError(
            Problem(
                what="p-values that are not probabilities",
                field=field,
                found=f"{int(bad.sum())} of {bad.size}, the first is {pvalue[bad][0]}",
                expected="numbers between 0 and 1",
            )
        )
