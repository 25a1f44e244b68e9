"""Which volumes of a run say something, where nuisance takes some of them out."""

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["used_volumes"]


def used_volumes(
    nuisance: Float[np.ndarray, "n_volumes n_nuisance"],
) -> Bool[np.ndarray, " n_volumes"]:
    """Tell which volumes have no column of their own.

    Parameters
    ----------
    nuisance : ndarray of shape (n_volumes, n_nuisance)
        A volume that was removed or censored has a column that is zero in all others.

    Returns
    -------
    ndarray of bool of shape (n_volumes,)

    Examples
    --------
    >>> used_volumes(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    array([ True, False,  True])
    """
    filled = nuisance != 0.0
    alone = filled[:, filled.sum(axis=0) == 1]
    return np.asarray(~alone.any(axis=1))
