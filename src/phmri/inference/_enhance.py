"""The corrections of one run: from a map of the statistic to the largest value of each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import Alternative
from phmri.inference._records import Method, StatisticName
from phmri.inference._space import Space
from phmri.inference.clusters._clusters import (
    ClusterFinder,
    ClusterWorkspace,
    Labelling,
    cluster_threshold,
    make_clusters,
)
from phmri.inference.statistics._zscore import ZTable, make_z_table
from phmri.inference.tfce._tfce import Tfce, Workspace, make_tfce
from phmri.protocol import Inference

__all__ = ["Enhancer", "EnhancerWorkspace", "make_enhancer"]

SIDES: dict[Alternative, tuple[float, float]] = {
    "two-sided": (1.0, 1.0),
    "greater": (1.0, 0.0),
    "less": (0.0, 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerWorkspace:
    """Buffers of one thread.

    Parameters
    ----------
    tfce : Workspace or None
    clusters : ClusterWorkspace or None
    heights : ndarray of shape (n_outcomes,)
        A map turned into z.
    """

    tfce: Workspace | None
    clusters: ClusterWorkspace | None
    heights: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhancer:
    """Everything beside the statistic itself that is looked at in a map.

    Parameters
    ----------
    methods : tuple of str
        One per column of the maxima; ``voxel`` is not among them.
    alternative : {"two-sided", "greater", "less"}
        Which sign counts.
    z_table : ZTable or None
        Turns heights into z where TFCE and clusters are of z.
    tfce : Tfce or None
    clusters : ClusterFinder or None
    """

    methods: tuple[Method, ...]
    alternative: Alternative
    z_table: ZTable | None
    tfce: Tfce | None
    clusters: ClusterFinder | None

    def workspace(self, n_outcomes: int, dtype: np.dtype) -> EnhancerWorkspace:
        """Make the buffers of one thread.

        Parameters
        ----------
        n_outcomes : int
        dtype : dtype
            Of the maps.

        Returns
        -------
        EnhancerWorkspace
        """
        return EnhancerWorkspace(
            tfce=self.tfce.workspace() if self.tfce else None,
            clusters=self.clusters.workspace() if self.clusters else None,
            heights=np.empty(n_outcomes if self.z_table else 0, dtype=dtype),
        )

    def maxima(
        self, values: Float[np.ndarray, " n_outcomes"], workspace: EnhancerWorkspace
    ) -> list[float]:
        """Give the largest value of each method in one map.

        Parameters
        ----------
        values : ndarray of shape (n_outcomes,)
            Statistic with its sign.
        workspace : EnhancerWorkspace
            Of the calling thread.

        Returns
        -------
        list of float
            In the order of ``methods``.
        """
        up, down = SIDES[self.alternative]
        heights = self._heights(values, workspace.heights)
        found: dict[Method, float] = {}
        if self.tfce is not None and workspace.tfce is not None:
            positive, negative = self.tfce.maxima(heights, workspace.tfce)
            found["tfce"] = max(up * positive, down * negative)
        if self.clusters is not None and workspace.clusters is not None:
            largest = self.clusters.maxima(heights, workspace.clusters)
            found["cluster_extent"] = max(up * largest[0], down * largest[2])
            found["cluster_mass"] = max(up * largest[1], down * largest[3])
        return [found[method] for method in self.methods]

    def values(
        self, observed: Float[np.ndarray, " n_outcomes"]
    ) -> dict[Method, Float[np.ndarray, " n_outcomes"]]:
        """Give the value of each method in every outcome of one map.

        Parameters
        ----------
        observed : ndarray of shape (n_outcomes,)
            Statistic with its sign.

        Returns
        -------
        dict of str to ndarray of shape (n_outcomes,)
            With the sign of the statistic.
        """
        heights = self._heights(observed, np.empty_like(observed))
        found: dict[Method, Float[np.ndarray, " n_outcomes"]] = {}
        if self.tfce is not None:
            found["tfce"] = self.tfce.enhance(heights, self.tfce.workspace())
        if self.clusters is not None:
            labelling = self.clusters.label(heights)
            found["cluster_extent"] = _spread(labelling, labelling.extent)
            found["cluster_mass"] = _spread(labelling, labelling.mass)
        return found

    def _heights(
        self, values: Float[np.ndarray, " n_outcomes"], out: Float[np.ndarray, " _"]
    ) -> Float[np.ndarray, " n_outcomes"]:
        return values if self.z_table is None else self.z_table.fill(values, out)


def make_enhancer(
    name: StatisticName,
    df1: int,
    df: float,
    settings: Inference,
    *,
    alternative: Alternative,
    space: Space | None,
) -> Enhancer:
    """Prepare the corrections that the settings ask for.

    Parameters
    ----------
    name : {"t", "F", "v", "G"}
        The statistic.
    df1 : int
        Rows of the contrast.
    df : float
        Residual degrees of freedom of the model with complete data; one number for all outcomes
        and shufflings, so that heights are one function of the statistic.
    settings : Inference
        As the protocol declares it.
    alternative : {"two-sided", "greater", "less"}
        Which sign counts.
    space : Volume, Graph or None
        Where the outcomes lie; None when they have no neighbours.

    Returns
    -------
    Enhancer

    Raises
    ------
    InferenceError
        When the method needs neighbours and there are none.
    """
    thresholds = (settings.cluster_z, settings.cluster_t, settings.cluster_p)
    clustered = any(threshold is not None for threshold in thresholds)
    enhanced = settings.method == "tfce"
    if not (clustered or enhanced) or (space is None and settings.method == "voxel"):
        return Enhancer(
            methods=(), alternative=alternative, z_table=None, tfce=None, clusters=None
        )
    if space is None:
        raise InferenceError(
            Problem(
                what="this method needs outcomes with neighbours",
                field="method",
                found=settings.method,
                expected="voxel, for parcels and single numbers",
            )
        )
    methods: tuple[Method, ...] = ("tfce",) if enhanced else ()
    methods += ("cluster_extent", "cluster_mass") if clustered else ()
    return Enhancer(
        methods=methods,
        alternative=alternative,
        z_table=make_z_table(df, df1, name) if settings.height == "z" else None,
        tfce=make_tfce(
            space,
            extent_power=settings.tfce_extent_power,
            height_power=settings.tfce_height_power,
        )
        if enhanced
        else None,
        clusters=make_clusters(
            space,
            cluster_threshold(settings, df, df1=df1, statistic=name),
            mass=settings.cluster_mass,
        )
        if clustered
        else None,
    )


def _spread(
    labelling: Labelling, sizes: Float[np.ndarray, " n_clusters"]
) -> Float[np.ndarray, " n_outcomes"]:
    """Give every outcome the signed size of the cluster it lies in, 0 outside."""
    signed = np.concatenate([[0.0], labelling.sign * sizes])
    spread: Float[np.ndarray, " n_outcomes"] = signed[labelling.labels]
    return spread
