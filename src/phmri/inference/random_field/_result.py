"""A map judged by random field theory: thresholds, clusters, peaks, assumptions."""

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage, stats

from phmri.exceptions import InferenceError, Problem
from phmri.inference._fdr import false_discovery
from phmri.inference._space import STEPS, Volume
from phmri.inference.random_field._euler import StatisticField, expected_euler, tail_probability
from phmri.inference.random_field._extent import (
    cluster_pvalue,
    expected_resels_per_cluster,
    extent_threshold,
    set_pvalue,
)
from phmri.inference.random_field._height import height_threshold, peak_pvalue, peak_qvalue
from phmri.inference.random_field._records import FieldClusters, FieldPeaks, RandomField
from phmri.inference.random_field._smoothness import Smoothness

__all__ = ["random_field_result"]

CLUSTER_FORMING_P, LEAST_FWHM, FEW_DF = 1e-3, 3.0, 20.0
# The ; of the DOI is written as %3B, because ; ends a DOI in a citation.
WORSLEY = "10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO%3B2-O"
KIEBEL, FRISTON = "10.1006/nimg.1999.0508", "10.1002/hbm.460010306"
CHUMBLEY = "10.1016/j.neuroimage.2008.05.021, doi:10.1016/j.neuroimage.2009.10.090"
EKLUND, NICHOLS = "10.1073/pnas.1602413113", "10.1191/0962280203sm341ra"


def random_field_result(
    statistic: Float[np.ndarray, " n_voxels"],
    volume: Volume,
    smoothness: Smoothness,
    field: StatisticField,
    *,
    cluster_threshold: float,
    alpha: float = 0.05,
) -> RandomField:
    """Judge peaks and clusters of a map by random field theory.

    Parameters
    ----------
    statistic : ndarray of shape (n_voxels,)
        Large against the null hypothesis; with its sign when the field has two sides.
    volume : Volume
        Search region, and which voxels are neighbours (18 as SPM has it).
    smoothness : Smoothness
        Of the errors, in the same region.
    field : StatisticField
        Kind of field under the null hypothesis.
    cluster_threshold : float
        Height above which voxels form clusters and peaks are looked for, above 0.
    alpha : float, default 0.05
        Error rate of the thresholds.

    Returns
    -------
    RandomField
        Thresholds, p-values and tables.

    Raises
    ------
    InferenceError
        When numbers of voxels differ, a statistic is not finite, the cluster-forming height or
        alpha is not above 0, or the region is thinner than the volume it lies in.

    Notes
    -----
    An extent in resels is the voxels over the product of the FWHM in voxels: smoothness is taken
    as the same everywhere. Clusters of the two sides of a field are never joined.
    """
    problems = _problems(statistic, volume, smoothness, cluster_threshold, alpha)
    if problems:
        raise InferenceError(*problems)
    resels = smoothness.resels
    voxels_per_resel = float(np.prod(smoothness.fwhm_voxels))
    about_clusters = (cluster_threshold, field, resels)
    label, at = _find_clusters_and_peaks(statistic, volume, cluster_threshold, field.sides)
    clusters = _describe_clusters(label, voxels_per_resel, about_clusters)
    peaks = _describe_peaks(statistic, label, at, smoothness.n_voxels, about_clusters)
    forming = np.array([cluster_threshold])
    pvalue = peak_pvalue(_size(statistic, field), field, resels, smoothness.n_voxels)
    needed = extent_threshold(alpha, *about_clusters) * voxels_per_resel
    forming_pvalue = float(tail_probability(forming, field).item())
    return RandomField(
        field=field,
        smoothness=smoothness,
        alpha=alpha,
        pvalue=pvalue,
        height_threshold=height_threshold(alpha, field, resels, smoothness.n_voxels),
        height_threshold_fdr=_least(_size(peaks.height, field)[peaks.qvalue <= alpha]),
        cluster_threshold=cluster_threshold,
        cluster_forming_pvalue=forming_pvalue,
        expected_clusters=float(expected_euler(forming, field, resels).item()),
        expected_extent=expected_resels_per_cluster(*about_clusters) * voxels_per_resel,
        extent_threshold=max(float(np.ceil(needed)), 1.0),
        extent_threshold_fdr=_least(clusters.extent[clusters.qvalue <= alpha]),
        set_pvalue=set_pvalue(clusters.extent.size, 0.0, *about_clusters),
        clusters=clusters,
        peaks=peaks,
        assumptions=_assumptions(smoothness),
        doubts=_doubts(smoothness, field, forming_pvalue),
    )


def _find_clusters_and_peaks(
    statistic: Float[np.ndarray, " n_voxels"],
    volume: Volume,
    threshold: float,
    sides: int,
) -> tuple[Int[np.ndarray, " n_voxels"], Int[np.ndarray, " n_peaks"]]:
    """Label the clusters by their strongest peak, and give the outcomes of the peaks."""
    mask = volume.mask
    near = ndimage.generate_binary_structure(3, STEPS[volume.connectivity])
    label = np.zeros(statistic.size, dtype=np.int64)
    peak = np.zeros(statistic.size, dtype=bool)
    for sign in (1.0, -1.0)[:sides]:
        height = np.full(mask.shape, -np.inf)
        height[mask] = sign * statistic
        above = height > threshold
        found = ndimage.label(above, structure=near)[0][mask]
        label[found > 0] = found[found > 0] + label.max(initial=0)
        highest = ndimage.maximum_filter(height, footprint=near, mode="constant", cval=-np.inf)
        peak |= (above & (height >= highest))[mask]
    outcome = np.flatnonzero(peak)
    outcome = outcome[np.argsort(-np.abs(statistic[outcome]), kind="stable")]
    rank = np.zeros(label.max(initial=0) + 1, dtype=np.int64)
    strongest_first = list(dict.fromkeys(label[outcome].tolist()))
    rank[strongest_first] = np.arange(1, len(strongest_first) + 1)
    return rank[label], outcome


def _describe_clusters(
    label: Int[np.ndarray, " n_voxels"],
    voxels_per_resel: float,
    about: tuple[float, StatisticField, Float[np.ndarray, " 4"]],
) -> FieldClusters:
    extent = np.bincount(label)[1:]
    pvalue, uncorrected = cluster_pvalue(extent / voxels_per_resel, *about)
    return FieldClusters(
        label=label,
        extent=extent,
        pvalue=pvalue,
        qvalue=false_discovery(uncorrected, "bh"),
        pvalue_uncorrected=uncorrected,
    )


def _describe_peaks(
    statistic: Float[np.ndarray, " n_voxels"],
    label: Int[np.ndarray, " n_voxels"],
    outcome: Int[np.ndarray, " n_peaks"],
    n_voxels: int,
    about: tuple[float, StatisticField, Float[np.ndarray, " 4"]],
) -> FieldPeaks:
    _, field, resels = about
    height = statistic[outcome].astype(np.float64)
    size = _size(height, field)
    uncorrected = np.maximum(tail_probability(size, field), np.finfo(np.float64).tiny)
    sign = np.sign(height) if field.two_sided else 1.0
    return FieldPeaks(
        outcome=outcome,
        cluster=label[outcome],
        height=height,
        z=sign * stats.norm.isf(uncorrected / field.sides),
        pvalue=peak_pvalue(size, field, resels, n_voxels),
        qvalue=peak_qvalue(size, *about),
        pvalue_uncorrected=uncorrected,
    )


def _size(statistic: Float[np.ndarray, " n"], field: StatisticField) -> Float[np.ndarray, " n"]:
    values = statistic.astype(np.float64)
    return np.abs(values) if field.two_sided else values


def _least(passed: Float[np.ndarray, " n"] | Int[np.ndarray, " n"]) -> float:
    return float(passed.min()) if passed.size else float("inf")


def _assumptions(smoothness: Smoothness) -> tuple[str, ...]:
    widths = " x ".join(f"{width:.1f}" for width in smoothness.fwhm_voxels)
    return (
        (
            "Heights of peaks were judged by Gaussian random field theory, or by Bonferroni's "
            f"bound where that is smaller [doi:{WORSLEY}]: errors are taken as Gaussian with one "
            "variance, and as smooth compared with the voxels."
        ),
        (
            f"Smoothness was estimated from the model's residuals [doi:{KIEBEL}]: FWHM {widths} "
            f"voxels, {smoothness.resels[3]:.1f} resels in {smoothness.n_voxels:,} voxels."
        ),
        (
            "Extents of clusters were judged by their distribution in Gaussian fields "
            f"[doi:{FRISTON}]: smoothness is taken as the same everywhere, and the "
            "autocorrelation of the errors as that of a Gaussian kernel."
        ),
        (
            "The false discovery rate is that of peaks, and that of clusters, above the "
            f"cluster-forming height [doi:{CHUMBLEY}]."
        ),
    )


def _doubts(
    smoothness: Smoothness, field: StatisticField, forming_pvalue: float
) -> tuple[str, ...]:
    one_sided = forming_pvalue / field.sides
    said = []
    if one_sided > CLUSTER_FORMING_P * (1 + 1e-6):
        said.append(
            f"clusters were formed at p = {one_sided:.2g}"
            + (" on each side" if field.two_sided else "")
            + f", above {CLUSTER_FORMING_P:g}, where their p-values were found far too small in "
            f"real data [doi:{EKLUND}]."
        )
    if smoothness.fwhm_voxels[smoothness.fwhm_voxels != 1].min(initial=np.inf) < LEAST_FWHM:
        said.append(
            f"the errors are less than {LEAST_FWHM:g} voxels FWHM smooth; p-values of "
            f"peaks are then too large and those of clusters unreliable [doi:{NICHOLS}]."
        )
    if field.kind != "z" and field.df < FEW_DF:
        said.append(
            f"{field.df:g} residual degrees of freedom are few; p-values of peaks are "
            f"then too large and those of clusters unreliable [doi:{NICHOLS}]."
        )
    return tuple(said)


def _problems(
    statistic: Float[np.ndarray, " n_voxels"],
    volume: Volume,
    smoothness: Smoothness,
    cluster_threshold: float,
    alpha: float,
) -> list[Problem]:
    problems = []
    if not 0 < alpha < 1:
        problems.append(
            Problem(
                what="an error rate that is none",
                field="alpha",
                found=f"{alpha:g}",
                expected="above 0 and below 1",
            )
        )
    sizes = (statistic.size, int(volume.mask.sum()), smoothness.n_voxels)
    if len(set(sizes)) > 1:
        problems.append(
            Problem(
                what="statistic, mask and smoothness speak of different numbers of voxels",
                found=", ".join(map(str, sizes)),
                expected="one number",
            )
        )
    if not np.isfinite(statistic).all():
        problems.append(Problem(what="statistics that are not finite", field="statistic"))
    if not 0 < cluster_threshold < np.inf:
        problems.append(
            Problem(
                what="a cluster-forming height that is none",
                field="cluster_threshold",
                found=f"{cluster_threshold:g}",
                expected="a finite number above 0",
            )
        )
    dimension = sum(size > 1 for size in volume.mask.shape)
    if not smoothness.resels[dimension] > 0:
        problems.append(
            Problem(
                what="the search region is thinner than two voxels, so that the extent of a "
                "cluster has no distribution",
                field="mask",
                expected="a region with room for clusters",
            )
        )
    return problems
