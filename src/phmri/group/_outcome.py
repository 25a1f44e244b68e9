"""What is compared: one row per unit, made of a participant's images."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import UnitDesign

__all__ = ["make_outcome"]

ROLES: dict[str, tuple[str, ...]] = {
    "ancova": ("outcome",),
    "post": ("outcome",),
    "rank": ("outcome",),
    "ordinal": ("outcome",),
    "change": ("outcome", "baseline"),
    "crossover": ("first", "second"),
    "paired": ("first", "second"),
    "periods": ("periods",),
}


def make_outcome(
    design: UnitDesign, images: Mapping[str, Float[np.ndarray, "n_units n_outcomes"]]
) -> Float[np.ndarray, "n_units n_outcomes"]:
    """Make the outcome of every unit from its images.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    images : mapping of str to ndarray of shape (n_units, n_outcomes)
        ``outcome`` (and ``baseline``) at the question's sessions for parallel designs; ``first``
        and ``second`` under the first and second treatment of the contrast, whatever period that
        was, for crossovers of two periods; ``periods`` for those of more, NaN in rows without
        data. Rows as in ``design.subjects``. A ``baseline`` that the estimator
        does not subtract (ancova: pass it to `fit_contrast`) is not touched.

    Returns
    -------
    ndarray of shape (n_units, n_outcomes)
        In the measure's unit, float64.

    Raises
    ------
    DesignError
        When an image role is missing or shapes differ.

    Notes
    -----
    Crossover: :math:`(y_{i1} - y_{i2})/2` with periods 1 and 2, hence half of first minus second
    treatment with a sign that the unit's order gives.
    """
    roles = ROLES[design.estimator]
    shape = (len(design.subjects), next(iter(images.values())).shape[-1] if images else 0)
    problems = [
        Problem(
            what=f"estimator {design.estimator} needs images of another role",
            found=", ".join(images) or "none",
            expected=role,
        )
        for role in roles
        if role not in images
    ]
    problems.extend(
        Problem(
            what="images of another shape than participants and outcomes",
            field=role,
            found=str(images[role].shape),
            expected=str(shape),
        )
        for role in roles
        if role in images and images[role].shape != shape
    )
    if problems:
        raise DesignError(*problems)
    Y = images[roles[0]].astype(np.float64)
    if len(roles) > 1:
        Y -= images[roles[1]]
    if design.estimator == "crossover":
        Y *= 0.5 * (design.X[:, :2] @ design.contrast[:2])[:, None]
    return Y
