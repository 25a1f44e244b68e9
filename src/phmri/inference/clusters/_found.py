"""The clusters of a tested map, with everything that is known of each."""

import numpy as np
from jaxtyping import Float, Int

from phmri.inference._pvalues import Alternative
from phmri.inference._records import Cluster, InferenceResult
from phmri.inference._space import Space
from phmri.inference.clusters._clusters import Labelling, cluster_threshold, make_clusters
from phmri.inference.clusters._table import ClusterPvalues, Places, describe_clusters
from phmri.inference.statistics._zscore import make_z_table
from phmri.protocol import Inference

__all__ = ["find_clusters"]


def find_clusters(
    result: InferenceResult,
    settings: Inference,
    *,
    space: Space,
    df: float,
    alternative: Alternative,
    places: Places,
) -> tuple[Cluster, ...]:
    """List clusters beyond the cluster-forming threshold, else the connected outcomes that passed.

    Parameters
    ----------
    result : InferenceResult
        Of outcomes that were all tested.
    settings : Inference
        As the result was made with.
    space : Volume or Graph
        Where the outcomes lie.
    df : float
        Residual degrees of freedom of the model with complete data.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counts as evidence.
    places : Places
        Positions and names.

    Returns
    -------
    tuple of Cluster
        By falling mass.
    """
    values, threshold = _formed(result, settings, df, alternative)
    labelling = make_clusters(space, threshold, mass=settings.cluster_mass).label(values)
    tests = result.tests
    pvalues = ClusterPvalues(
        uncorrected=result.pvalue_parametric,
        extent=tests["cluster_extent"].pvalue if "cluster_extent" in tests else None,
        mass=tests["cluster_mass"].pvalue if "cluster_mass" in tests else None,
        tfce=tests["tfce"].pvalue if "tfce" in tests else None,
        random_field=_of_clusters(result, labelling, "pvalue"),
        topological=_of_clusters(result, labelling, "qvalue"),
    )
    return describe_clusters(labelling, values, pvalues, places, alpha=settings.alpha)


def _formed(
    result: InferenceResult, settings: Inference, df: float, alternative: Alternative
) -> tuple[Float[np.ndarray, " n_outcomes"], float]:
    """Give the map whose clusters are meant, and the threshold beyond which they lie."""
    values = result.statistic
    forming = (settings.cluster_z, settings.cluster_t, settings.cluster_p)
    if result.random_field is not None:
        threshold = result.random_field.cluster_threshold
    elif forming != (None, None, None):
        threshold = cluster_threshold(
            settings, df, df1=result.df1, statistic=result.statistic_name
        )
        if settings.height == "z":
            table = make_z_table(df, result.df1, result.statistic_name)
            values = table.fill(values, np.empty_like(values))
    else:
        threshold = 0.0
        values = np.where(result.pvalue_corrected <= settings.alpha, values, 0.0)
    sides = {"greater": np.maximum(values, 0.0), "less": np.minimum(values, 0.0)}
    return sides.get(alternative, values), threshold


def _of_clusters(
    result: InferenceResult, labelling: Labelling, name: str
) -> Float[np.ndarray, " n_outcomes"] | None:
    """Give every outcome the random-field p (or q) of its cluster."""
    if result.random_field is None:
        return None
    clusters = result.random_field.clusters
    label: Int[np.ndarray, " n_outcomes"] = clusters.label
    sizes: Float[np.ndarray, " n_clusters"] = getattr(clusters, name)
    spread: Float[np.ndarray, " n_outcomes"] = np.concatenate([[1.0], sizes])[label]
    return spread
