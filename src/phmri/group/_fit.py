"""Least squares of one contrast in every outcome."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import SAME_OUTCOME, DesignError, Problem
from phmri.group._partition import VANISHING, adjust_outcomes, partition_contrast
from phmri.group._records import ContrastPartition, Estimate, UnitDesign

__all__ = ["fit_contrast"]

BLOCK = 4096
"""Outcomes fitted at once: bounds the memory, changes no number."""
SCALES = {"crossover": 2.0, "periods": 2.0**0.5}
"""Standard deviation of a within-person difference, in residual standard deviations."""


def fit_contrast(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None = None,
) -> Estimate:
    r"""Estimate the treatment effect in every outcome.

    Parameters
    ----------
    design : UnitDesign
        Units, model, contrast and blocks.
    Y : ndarray of shape (n_units, n_outcomes)
        As `make_outcome` gives it; float32 is summed in float64. Rows without data
        (``design.present``) are not read.
    baseline : ndarray of shape (n_units, n_outcomes), optional
        Each unit's own baseline, needed when ``design.voxelwise_baseline`` and refused otherwise.

    Returns
    -------
    Estimate
        Effect, standard error, t and d of every outcome.

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, an outcome or its baseline does not vary,
        the model fits an outcome without error, or the contrast has several rows.

    Notes
    -----
    With the contrast's regressor :math:`r` free of nuisance and baseline and the residual
    :math:`e` under the null, :math:`\hat\tau = r^\top e / r^\top r`, :math:`s^2 =
    \lVert e - r\hat\tau\rVert^2/\nu`, :math:`\mathrm{SE} = s/\sqrt{r^\top r}`. Errors are taken
    as independent between units with one variance over all groups. ``d`` is :math:`\hat\tau/s`
    (for ancova: of what the baseline does not explain), in a crossover :math:`\hat\tau/(2s)`, of
    several periods :math:`\hat\tau/(\sqrt{2}s)`: there :math:`2s` and :math:`\sqrt{2}s` are the
    standard deviation of a within-person difference.
    """
    _refuse_outcomes(design, Y, baseline)
    partition = partition_contrast(design)
    n_outcomes = Y.shape[1]
    effect, se, sd = np.empty((3, n_outcomes))
    degenerate = np.zeros(n_outcomes, dtype=bool)
    for start in range(0, n_outcomes, BLOCK):
        part = slice(start, start + BLOCK)
        given = None if baseline is None else _held(design, baseline[:, part])
        effect[part], se[part], sd[part], degenerate[part] = _fit_block(
            partition, _held(design, Y[:, part]), given
        )
    if degenerate.any():
        raise DesignError(
            Problem(
                what=f"{SAME_OUTCOME}, or its baseline is, or nothing is left of it as error",
                found=f"{int(degenerate.sum())} of {n_outcomes}, first at index "
                f"{int(np.flatnonzero(degenerate)[0])}",
                expected="an outcome that varies between participants",
            )
        )
    scale = SCALES.get(design.estimator, 1.0)
    return Estimate(effect=effect, se=se, t=effect / se, df=partition.df, d=effect / (scale * sd))


def _held(
    design: UnitDesign, Y: Float[np.ndarray, "n_units n_block"]
) -> Float[np.ndarray, "n_units n_block"]:
    """Put 0 where a row has no data: such rows of the model are 0 too and add nothing."""
    return Y if design.present is None else np.where(design.present[:, None], Y, 0.0)


def _fit_block(
    partition: ContrastPartition,
    Y: Float[np.ndarray, "n_units n_block"],
    baseline: Float[np.ndarray, "n_units n_block"] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give effect, standard error, residual standard deviation and degeneracy of a block."""
    adjusted = adjust_outcomes(partition, Y, baseline)
    information = np.where(adjusted.degenerate, 1.0, adjusted.information)
    error = adjusted.residual
    null_ss = np.einsum("ij,ij->j", error, error)
    effect = partition.regressor @ error / information
    error -= partition.regressor[:, None] * effect
    if adjusted.baseline is not None and adjusted.overlap is not None:
        error += adjusted.baseline * (adjusted.overlap * effect)
    rss = np.einsum("ij,ij->j", error, error)
    degenerate = adjusted.degenerate | (rss <= VANISHING * null_ss)
    sd = np.sqrt(np.where(degenerate, 1.0, rss) / partition.df)
    return effect, sd / np.sqrt(information), sd, degenerate


def _refuse_outcomes(
    design: UnitDesign, Y: Float[np.ndarray, "..."], baseline: Float[np.ndarray, "..."] | None
) -> None:
    problems = []
    if design.contrast.ndim > 1:
        problems.append(
            Problem(
                what="a contrast of several rows has no single estimate",
                field="contrast",
                found=f"{len(design.contrast)} rows",
                expected="one row per call",
            )
        )
    if design.voxelwise_baseline == (baseline is None):
        problems.append(
            Problem(
                what=f"estimator {design.estimator} "
                + ("needs" if baseline is None else "does not take")
                + " a baseline image as covariate",
                field="baseline",
            )
        )
    problems.extend(_bad_values("outcome", Y, design))
    if baseline is not None:
        problems.extend(_bad_values("baseline", baseline, design))
    if problems:
        raise DesignError(*problems)


def _bad_values(field: str, values: Float[np.ndarray, "..."], design: UnitDesign) -> list[Problem]:
    if values.ndim != 2 or len(values) != len(design.subjects) or not values.shape[1]:  # noqa: PLR2004
        return [
            Problem(
                what="values of another shape than participants x outcomes",
                field=field,
                found=str(values.shape),
                expected=f"({len(design.subjects)}, at least 1)",
            )
        ]
    bad = ~np.isfinite(values)
    if design.present is not None:
        bad &= design.present[:, None]
    if not bad.any():
        return []
    rows = [s for s, any_ in zip(design.subjects, bad.any(axis=1), strict=True) if any_]
    return [
        Problem(
            what="values that are not finite",
            field=field,
            found=f"{int(bad.sum())} in participants {', '.join(rows[:5])}",
            expected="finite numbers; leave such voxels out of the mask first",
        )
    ]
