"""What is compared and adjusted for: one row per unit, made of a participant's images."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import UnitDesign

__all__ = ["make_baseline", "make_outcome"]

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
BASELINE_ROLES: dict[str, tuple[str, ...]] = {
    "crossover": ("baseline-first", "baseline-second"),
    "periods": ("baseline-periods",),
}
"""Of estimators whose periods have baselines; elsewhere a unit has one ``baseline``."""


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

    Notes
    -----
    Crossover: :math:`(y_{i1} - y_{i2})/2` with periods 1 and 2, hence half of first minus second
    treatment with a sign that the unit's order gives. A `DesignError` says that an image role is
    missing or shapes differ.
    """
    return _combine(design, images, ROLES[design.estimator])


def make_baseline(
    design: UnitDesign, images: Mapping[str, Float[np.ndarray, "n_units n_outcomes"]]
) -> Float[np.ndarray, "n_units n_outcomes"]:
    """Make the baseline of every unit, of its baseline images as the outcome is of the others.

    Parameters
    ----------
    design : UnitDesign
        With ``voxelwise_baseline``.
    images : mapping of str to ndarray of shape (n_units, n_outcomes)
        ``baseline`` for parallel designs; ``baseline-first`` and ``baseline-second``, of the
        periods under the first and second treatment of the contrast, for crossovers of two
        periods; ``baseline-periods`` for those of more. Rows as in ``design.subjects``.

    Returns
    -------
    ndarray of shape (n_units, n_outcomes)
        In the measure's unit, float64.

    Notes
    -----
    Crossover: :math:`(b_{i1} - b_{i2})/2` with periods 1 and 2. What a participant has at the
    baselines of both periods drops out, as it does out of the outcome [1]_. A `DesignError` says
    that an image role is missing or shapes differ.

    References
    ----------
    .. [1] Kenward and Roger (2010), doi:10.1093/biostatistics/kxp046.
    """
    return _combine(design, images, BASELINE_ROLES.get(design.estimator, ("baseline",)))


def _combine(
    design: UnitDesign,
    images: Mapping[str, Float[np.ndarray, "n_units n_outcomes"]],
    roles: tuple[str, ...],
) -> Float[np.ndarray, "n_units n_outcomes"]:
    """Take the image of one role, or the first less the second; period 1 first in a crossover.

    Parameters
    ----------
    design : UnitDesign
        Units and estimator.
    images : mapping of str to ndarray of shape (n_units, n_outcomes)
        Per role.
    roles : tuple of str
        One or two.

    Returns
    -------
    ndarray of shape (n_units, n_outcomes)
        float64.

    Raises
    ------
    DesignError
        When an image role is missing or shapes differ.
    """
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
