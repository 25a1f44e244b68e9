"""What the first level hands on."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

__all__ = ["RunEstimate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """One measure of one run, with its sampling variance.

    Parameters
    ----------
    values : ndarray of shape (n_outcomes,)
        NaN where undefined.
    names : tuple of str
        Outcome names (``A~B`` for edges, ``A`` for nodes, ``mean``); empty for voxels.
    variance : float or ndarray of shape (n_outcomes,)
        Sampling variance of `values`; NaN where no formula is known.
    df : float
        Degrees of freedom of that variance; NaN where there are none.
    unit : str
        ``Fisher z``, ``% signal change``, ...
    variance_assumes : str
        Under which noise the variance holds, in a clause.
    extras : dict of str to ndarray of shape (n_outcomes,)
        Further maps of the same model; keys are letters and digits only.
    facts : dict of str to float, str or list of str
        Further numbers and words for the sidecar.
    n_undefined : int
        Outcomes whose value is NaN.
    """

    values: Float[np.ndarray, " n_outcomes"]
    names: tuple[str, ...]
    variance: float | Float[np.ndarray, " n_outcomes"]
    df: float
    unit: str
    variance_assumes: str
    extras: dict[str, Float[np.ndarray, " n_outcomes"]] = field(default_factory=dict)
    facts: dict[str, float | str | list[str]] = field(default_factory=dict)
    n_undefined: int = 0
