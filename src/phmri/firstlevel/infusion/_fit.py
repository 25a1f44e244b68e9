"""Fit a response model to the voxels of one run, in percent of their mean signal."""

from collections.abc import Mapping

import numpy as np
import scipy.stats
from jaxtyping import Float, Int

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel._records import RunEstimate
from phmri.firstlevel.glm import Contrast, ContrastEstimate, GivenNoise, Noise, fit_glm
from phmri.firstlevel.infusion._drift import overlap, white_variance
from phmri.firstlevel.infusion._models import InfusionDesign
from phmri.firstlevel.infusion._shape import shape_maps

__all__ = ["fit_infusion"]

_NOISE = {"white": "white noise", "ar": "AR({order}) noise", "arma11": "ARMA(1,1) noise"}
_SCOPE = {"voxel": "of each voxel", "group": "of each tissue", "brain": "of the brain"}


def fit_infusion(
    Y: Float[np.ndarray, "rows n_columns"],
    mean: Float[np.ndarray, " n_mean"],
    design: InfusionDesign,
    nuisance_X: Float[np.ndarray, "nuisance_rows n_nuisance"],
    *,
    noise: Noise | GivenNoise,
    groups: Int[np.ndarray, " n_groups"] | None = None,
    shape_level: float | None = None,
    n_threads: int = 1,
) -> RunEstimate:
    r"""Estimate the response to an infusion in every voxel.

    Parameters
    ----------
    Y : ndarray of shape (n_volumes, n_voxels)
        Signal, its first volume subtracted or not.
    mean : ndarray of shape (n_voxels,)
        Mean signal, the 100 % of percent signal change.
    design : InfusionDesign
        Of the same volumes.
    nuisance_X : ndarray of shape (n_volumes, n_nuisance)
        Motion, physiology and censored volumes (a column that is 1 in one volume); no filter and
        no drift, which is the design's own.
    noise : Noise or GivenNoise
    groups : ndarray of shape (n_voxels,), optional
        Tissue of each voxel, for noise of scope ``group``.
    shape_level : float, optional
        p-value of the F over the course below which a voxel's time to peak, duration and onset
        are told. No such maps when left out.
    n_threads : int, default 1

    Returns
    -------
    RunEstimate
        ``values``, ``variance`` and, in ``extras``, every bin, in percent signal change; ``F``
        over bins or components (a single curve has none), ``driftslope`` in percent signal
        change per minute, ``timetopeak``, ``duration`` and ``onset`` in minutes.

    Raises
    ------
    FirstLevelError
        Data, means, design and nuisance that do not fit each other, means that are not finite,
        or a level for a model without course.

    Notes
    -----
    :math:`100\, c^\top \hat b / \bar y`, with variance
    :math:`(100/\bar y)^2 \operatorname{Var} c^\top \hat b`: the mean counts as known. For
    a response family the value is the bin of the fitted curve with the largest
    absolute value, and the variance that of this bin as if it had been chosen beforehand: under
    no response its absolute value is larger than this variance lets expect.
    """
    problems = _find_problems(Y, mean, design, nuisance_X, shape_level)
    if problems:
        raise FirstLevelError(*problems)
    X = np.hstack([design.X, nuisance_X])
    contrasts = tuple(
        Contrast(
            name=contrast.name,
            weights=np.pad(contrast.weights, ((0, 0), (0, nuisance_X.shape[1]))),
        )
        for contrast in design.contrasts
    )
    fit = fit_glm(Y, X, contrasts, noise=noise, groups=groups, n_threads=n_threads)
    positive = mean > 0.0
    percent = np.where(positive, 100.0 / np.where(positive, mean, 1.0), np.nan)
    found = fit.contrasts
    effect, variance = _measure(design, found)
    values = percent * effect
    extras = {name: percent * found[name].effect[0] for name in design.course}
    if "driftslope" in found:
        extras["driftslope"] = percent * found["driftslope"].effect[0]
    joint = next((found[name] for name in ("bins", "family") if name in found), None)
    if joint is not None:
        # Of one component or bin the statistic is a t.
        statistic = joint.statistic if len(joint.effect) > 1 else joint.statistic**2
        extras["F"] = np.where(positive, statistic, np.nan)
        if shape_level is not None:
            extras |= _shapes(design, found, joint, extras["F"], shape_level)
    return RunEstimate(
        values=values,
        names=(),
        variance=percent**2 * variance,
        df=fit.df,
        unit="% signal change",
        variance_assumes=_assumption(noise, design),
        extras=extras,
        facts={
            **design.facts,
            "overlap_with_nuisance": _overlap_with_nuisance(design, contrasts, X),
            "voxels_without_positive_mean": float((~positive).sum()),
            "voxels_constant": float(fit.n_constant),
            **({} if shape_level is None else {"shape_level": shape_level}),
        },
        n_undefined=int(np.isnan(values).sum()),
    )


def _find_problems(
    Y: Float[np.ndarray, "rows n_columns"],
    mean: Float[np.ndarray, " n_mean"],
    design: InfusionDesign,
    nuisance_X: Float[np.ndarray, "nuisance_rows n_nuisance"],
    shape_level: float | None,
) -> list[Problem]:
    problems = []
    n = design.X.shape[0]
    if Y.shape[0] != n or nuisance_X.shape[0] != n:
        problems.append(
            Problem(
                what="data, design and nuisance are of runs of different length",
                found=f"{Y.shape[0]}, {n} and {nuisance_X.shape[0]} volumes",
            )
        )
    if mean.size != Y.shape[1]:
        problems.append(
            Problem(
                what="every voxel needs a mean",
                field="mean",
                found=f"{mean.size} for {Y.shape[1]} voxels",
            )
        )
    if not np.isfinite(mean).all():
        problems.append(
            Problem(
                what="means are not finite",
                field="mean",
                found=f"{int((~np.isfinite(mean)).sum())} of {mean.size}",
            )
        )
    if shape_level is not None:
        if not design.course:
            problems.append(
                Problem(
                    what="a model of one curve has its shape given, and no map of it",
                    field="shape_level",
                    expected="a pseudoblock or response family",
                )
            )
        if not 0.0 < shape_level < 1.0:
            problems.append(
                Problem(
                    what="not a level",
                    field="shape_level",
                    found=f"{shape_level:g}",
                    expected="above 0, below 1",
                )
            )
    return problems


def _measure(
    design: InfusionDesign, found: Mapping[str, ContrastEstimate]
) -> tuple[Float[np.ndarray, " n_voxels"], Float[np.ndarray, " n_voxels"]]:
    if design.primary in found:
        return found[design.primary].effect[0], found[design.primary].variance[0]
    course = np.vstack([found[name].effect for name in design.course])
    spread = np.vstack([found[name].variance for name in design.course])
    peak = np.abs(course).argmax(axis=0)[None]
    return np.take_along_axis(course, peak, axis=0)[0], np.take_along_axis(spread, peak, axis=0)[0]


def _shapes(
    design: InfusionDesign,
    found: Mapping[str, ContrastEstimate],
    joint: ContrastEstimate,
    statistic: Float[np.ndarray, " n_voxels"],
    level: float,
) -> dict[str, Float[np.ndarray, " n_voxels"]]:
    course = np.vstack([found[name].effect for name in design.course])
    pvalue = scipy.stats.f.sf(statistic, joint.effect.shape[0], joint.df)
    return shape_maps(course, design.edges_min, np.asarray(pvalue < level))


def _overlap_with_nuisance(
    design: InfusionDesign,
    contrasts: tuple[Contrast, ...],
    X: Float[np.ndarray, "n_volumes n_columns"],
) -> float:
    # What the nuisance takes beyond the drift, of the primary contrast (of the worst of a course).
    names = (design.primary,) if design.primary != "peak" else design.course
    bare = np.vstack([c.weights for c in design.contrasts if c.name in names])
    full = np.vstack([c.weights for c in contrasts if c.name in names])
    kept = np.linalg.norm(bare, axis=1) > 0.0
    return float(
        overlap(white_variance(design.X, bare[kept]), white_variance(X, full[kept])).max()
    )


def _assumption(noise: Noise | GivenNoise, design: InfusionDesign) -> str:
    if isinstance(noise, GivenNoise):
        words = "noise of the given autocorrelation"
    elif noise.kind == "white":
        words = _NOISE["white"]
    else:
        words = f"{_NOISE[noise.kind].format(order=noise.order)} {_SCOPE[noise.scope]}"
        if noise.kind == "arma11" and noise.shrink:
            words += ", averaged over its coefficients"
    shape = "" if design.primary == "window" else ", a response of the model's shape"
    if design.primary == "peak":
        shape += ", its peak chosen beforehand"
    drift = "no drift"
    if design.facts["drift_order"]:
        drift = f"a drift of order {design.facts['drift_order']:g} at most"
    return f"{words}{shape} and {drift}"
