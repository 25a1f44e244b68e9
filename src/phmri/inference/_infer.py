"""One question, whatever the method: shuffled, or judged by a known distribution."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import InferenceError, Problem
from phmri.group import Estimate, UnitDesign
from phmri.inference._parametric import Statistics, false_discoveries, parametric_result
from phmri.inference._permutation import BATCH, permute
from phmri.inference._pvalues import Alternative
from phmri.inference._records import UNSHUFFLED, CorrectedTest, InferenceResult, PermutationState
from phmri.inference._space import Space, Volume
from phmri.inference.clusters._clusters import cluster_threshold
from phmri.inference.random_field._euler import StatisticField
from phmri.inference.random_field._records import RandomField
from phmri.inference.random_field._result import random_field_result
from phmri.inference.random_field._smoothness import estimate_smoothness, smoothness_within
from phmri.inference.statistics._residuals import model_residuals
from phmri.inference.statistics._statistics import make_statistic
from phmri.protocol import Inference

__all__ = ["infer", "match_estimate", "restrict_result"]

FORMING_P = 1e-3
"""Cluster-forming p of random fields where the protocol gives none."""
BESIDE = (
    "Random field theory judged the clusters as well, for comparison: the answer does not rest on "
    "it."
)


def infer(  # noqa: PLR0913 - what is asked, and four about how the work is cut
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    *,
    alternative: Alternative = "two-sided",
    space: Space | None = None,
    searched: Bool[np.ndarray, " n_outcomes"] | None = None,
    n_threads: int = 1,
    batch: int = BATCH,
    on_batch: Callable[[PermutationState], None] | None = None,
    resume: PermutationState | None = None,
) -> InferenceResult:
    """Test a contrast in every outcome by the method that the settings name.

    Parameters
    ----------
    design : UnitDesign
        Rows, model, contrast and exchangeability.
    Y : ndarray of shape (n_units, n_outcomes)
        Outcome of every row, as `make_outcome` gives it.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Each unit's own baseline where the design has one.
    settings : Inference
        As the protocol declares it.
    alternative : {"two-sided", "greater", "less"}, default "two-sided"
        Side of the null hypothesis that counts as evidence.
    space : Volume, Graph or None
        Where the outcomes lie beside each other.
    searched : ndarray of bool of shape (n_outcomes,), optional
        For ``random_field``: the voxels of a small volume chosen beforehand; smoothness is
        estimated from all.
    n_threads : int, default 1
        As in `permute`, to which methods that shuffle are handed on.
    batch : int, default 256
        As in `permute`.
    on_batch : callable, optional
        As in `permute`.
    resume : PermutationState, optional
        As in `permute`.

    Returns
    -------
    InferenceResult
        Clusters beyond a cluster-forming threshold of a map of t are judged by random field
        theory as well.
    """
    if settings.method not in UNSHUFFLED:
        result = permute(
            design,
            Y,
            baseline,
            settings,
            alternative=alternative,
            space=space,
            n_threads=n_threads,
            batch=batch,
            on_batch=on_batch,
            resume=resume,
        )
        return _add_random_field(result, design, Y, baseline, settings, alternative, space)
    result = _test_parametrically(design, Y, baseline, settings, alternative)
    if settings.method != "random_field":
        return result
    region = result.tested if searched is None else result.tested & searched
    field = _random_field(result, design, Y, baseline, settings, alternative, space, region)
    fdr = false_discoveries(
        result.statistic, result.pvalue_parametric, region, settings, alternative
    )
    said = (*field.assumptions, *(f"Warning: {doubt}" for doubt in field.doubts))
    if not _forms_clusters(settings):
        said = (f"Clusters were formed at an uncorrected one-sided p of {FORMING_P:g}.", *said)
    pvalue = np.ones(region.size)
    pvalue[region] = field.pvalue
    test = CorrectedTest(
        method="random_field",
        value=result.statistic,
        pvalue=pvalue,
        threshold=field.height_threshold,
        null_maximum=np.empty(0),
        sentences=said,
    )
    return replace(
        result,
        tested=region,
        qvalue_fdr=fdr.pvalue,
        tests={"fdr": fdr, "random_field": test},
        random_field=field,
        sentences=said,
    )


def _test_parametrically(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    alternative: Alternative,
) -> InferenceResult:
    model = make_statistic(design, Y, baseline, settings, single=False)
    found = Statistics(
        name=model.name,
        observed=model.observed,
        df1=model.df1,
        df=np.broadcast_to(np.asarray(model.df, np.float64), model.observed.shape).copy(),
        tested=model.tested,
        n_per_outcome=model.n_per_outcome,
    )
    return parametric_result(found, settings, alternative)


def _add_random_field(
    result: InferenceResult,
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    alternative: Alternative,
    space: Space | None,
) -> InferenceResult:
    """Judge the clusters of a shuffled map by random field theory too, where that can be done."""
    possible = isinstance(space, Volume) and settings.statistic == "t" and settings.height == "t"
    if not possible or not _forms_clusters(settings):
        return result
    if not np.isfinite(Y[:, result.tested][_rows(design)]).all():
        return result
    try:
        field = _random_field(
            result, design, Y, baseline, settings, alternative, space, result.tested
        )
    except InferenceError as error:
        said = f"Random field theory could not be applied: {error}."
        return replace(result, sentences=(*result.sentences, said))
    sentences = (*result.sentences, BESIDE, *field.assumptions)
    return replace(result, random_field=field, sentences=sentences)


def _rows(design: UnitDesign) -> slice | Bool[np.ndarray, " n_units"]:
    return slice(None) if design.present is None else design.present


def _random_field(
    result: InferenceResult,
    design: UnitDesign,
    Y: Float[np.ndarray, "n_units n_outcomes"],
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None,
    settings: Inference,
    alternative: Alternative,
    space: Space | None,
    searched: Bool[np.ndarray, " n_outcomes"],
) -> RandomField:
    """Judge the searched voxels of a map by random field theory.

    Raises
    ------
    InferenceError
        When the outcomes are no map, or the statistic is not t.
    """
    if not isinstance(space, Volume):
        raise InferenceError(
            Problem(
                what="random field theory needs voxels",
                field="method",
                found="outcomes that are no map",
                expected="voxel or fdr",
            )
        )
    if result.statistic_name != "t":
        raise InferenceError(
            Problem(
                what="random field theory is for the statistic t",
                field="method",
                found=f"the statistic {result.statistic_name}",
                expected="voxel or fdr",
            )
        )
    tested = result.tested
    whole = _submask(space.mask, tested)
    residuals = model_residuals(
        design, Y[:, tested], None if baseline is None else baseline[:, tested]
    )
    smoothness = estimate_smoothness(residuals, whole)
    region = _submask(space.mask, searched)
    if (region != whole).any():
        smoothness = smoothness_within(smoothness, whole, region)
    df = float(result.df[searched][0])
    given = _forms_clusters(settings)
    forming = settings if given else settings.model_copy(update={"cluster_p": FORMING_P})
    field = random_field_result(
        -result.statistic[searched] if alternative == "less" else result.statistic[searched],
        Volume(mask=region, connectivity=space.connectivity),
        smoothness,
        StatisticField(kind="t", df=df, two_sided=alternative == "two-sided"),
        cluster_threshold=cluster_threshold(forming, df),
        alpha=settings.alpha,
    )
    if alternative != "less":
        return field
    peaks = field.peaks
    return replace(field, peaks=replace(peaks, height=-peaks.height, z=-peaks.z))


def _forms_clusters(settings: Inference) -> bool:
    return (settings.cluster_z, settings.cluster_t, settings.cluster_p) != (None, None, None)


def _submask(
    mask: Bool[np.ndarray, "x y z"], kept: Bool[np.ndarray, " n_outcomes"]
) -> Bool[np.ndarray, "x y z"]:
    part = np.zeros(mask.shape, dtype=bool)
    part[mask] = kept
    return part


def match_estimate(estimate: Estimate, result: InferenceResult) -> Estimate:
    r"""Give an estimate the standard error that its statistic rests on.

    Parameters
    ----------
    estimate : Estimate
        By least squares with one residual variance.
    result : InferenceResult
        Of the same outcomes.

    Returns
    -------
    Estimate
        For Welch's v: the same effects, the standard error :math:`\hat\tau/v` and Welch's
        degrees of freedom, so that intervals allow for unequal variances as the p-values do.
    """
    if result.statistic_name != "v":
        return estimate
    v = result.statistic
    se = np.where(v == 0, estimate.se, estimate.effect / np.where(v == 0, 1.0, v))
    return replace(estimate, se=se, t=v, df=result.df)


def restrict_result(
    estimate: Estimate, result: InferenceResult
) -> tuple[Estimate, InferenceResult]:
    """Leave out the outcomes that were not tested.

    Parameters
    ----------
    estimate : Estimate
    result : InferenceResult

    Returns
    -------
    Estimate
    InferenceResult
    """
    kept = result.tested
    df = estimate.df if np.ndim(estimate.df) == 0 else np.asarray(estimate.df)[kept]
    smaller = Estimate(
        effect=estimate.effect[kept],
        se=estimate.se[kept],
        t=estimate.t[kept],
        df=df,
        d=estimate.d[kept],
    )
    tests = {
        method: replace(test, value=test.value[kept], pvalue=test.pvalue[kept])
        for method, test in result.tests.items()
    }
    return smaller, replace(
        result,
        statistic=result.statistic[kept],
        df=result.df[kept],
        tested=kept[kept],
        n_per_outcome=result.n_per_outcome[kept],
        pvalue_uncorrected=result.pvalue_uncorrected[kept],
        pvalue_parametric=result.pvalue_parametric[kept],
        qvalue_fdr=result.qvalue_fdr[kept],
        tests=tests,
    )
