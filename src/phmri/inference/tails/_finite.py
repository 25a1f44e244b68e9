"""One question that every way to a p-value asks of its input."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem

__all__ = ["not_finite"]


def not_finite(name: str, values: Float[np.ndarray, "..."]) -> list[Problem]:
    """Say how many values are not finite numbers.

    Parameters
    ----------
    name : str
        Of the argument.
    values : ndarray
        Of any shape.

    Returns
    -------
    list of Problem
        One; none when all values are finite.
    """
    n_wrong = int((~np.isfinite(values)).sum())
    if not n_wrong:
        return []
    what = "values that are not finite numbers"
    return [Problem(what=what, field=name, found=f"{n_wrong} of {values.size}")]
