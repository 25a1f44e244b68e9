"""Refuse outcomes of which none can be tested."""

import numpy as np
from jaxtyping import Bool

from phmri.exceptions import SAME_OUTCOME, InferenceError, Problem

__all__ = ["refuse_untested"]


def refuse_untested(tested: Bool[np.ndarray, " n_outcomes"]) -> None:
    """Refuse outcomes of which none can be tested.

    Parameters
    ----------
    tested : ndarray of bool of shape (n_outcomes,)
        Which vary between participants and are not fitted without error, with data in enough
        of them.

    Raises
    ------
    InferenceError
        When there is none.
    """
    if not tested.any():
        n = tested.size
        raise InferenceError(
            Problem(
                what=f"{SAME_OUTCOME}, or nothing is left of it as error, or too few have data",
                found="1 outcome" if n == 1 else f"{n} outcomes, of which none can be tested",
                expected="an outcome that varies between participants",
            )
        )
