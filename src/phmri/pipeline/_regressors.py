"""Regressors of no interest beside the confounds: the task where it is removed, physiology."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

__all__ = ["Extra", "join"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Regressors beside the confounds, and what they are.

    Parameters
    ----------
    X : ndarray of shape (n_volumes, k)
    names : tuple of str
    sentence : str
        For the methods text.
    """

    X: Float[np.ndarray, "n_volumes k"]
    names: tuple[str, ...]
    sentence: str


def join(parts: Iterable[Extra | None], n_volumes: int) -> Extra:
    """Put regressors side by side.

    Parameters
    ----------
    parts : iterable of Extra or None
        None counts as none.
    n_volumes : int

    Returns
    -------
    Extra
    """
    given = [part for part in parts if part is not None]
    return Extra(
        X=np.hstack([np.empty((n_volumes, 0)), *(part.X for part in given)]),
        names=tuple(name for part in given for name in part.names),
        sentence=". ".join(part.sentence.rstrip(".") for part in given),
    )
