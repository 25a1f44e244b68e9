"""What the inference room hands on: p-values, peaks, claims."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from phmri.inference.random_field._records import RandomField

__all__ = [
    "UNSHUFFLED",
    "Claim",
    "Cluster",
    "CorrectedTest",
    "InferenceResult",
    "Method",
    "Outcomes",
    "Peak",
    "PermutationState",
    "StatisticName",
]


StatisticName = Literal["t", "F", "v", "G"]
Method = Literal["voxel", "tfce", "cluster_mass", "cluster_extent", "random_field", "fdr", "holm"]
UNSHUFFLED: frozenset[Method] = frozenset({"random_field", "fdr", "holm"})
"""Methods whose p-values come from a distribution, not from shuffling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedTest:
    """One way to correct for the number of outcomes.

    Parameters
    ----------
    method : str
        As in the protocol's ``inference``.
    value : ndarray of shape (n_outcomes,)
        What is compared with its null distribution, with the sign of the statistic: the
        statistic itself (voxel, random_field, fdr), its TFCE, or extent or mass of the cluster
        that the outcome lies in (0 outside).
    pvalue : ndarray of shape (n_outcomes,)
        Family-wise p; for ``fdr`` the q-value.
    threshold : float
        Least oriented value at which the p-value reaches alpha; infinity when none can.
    null_maximum : ndarray of shape (n_permutations,)
        Largest value per shuffling, identity first; empty where nothing was shuffled.
    sentences : tuple of str
        How the p-values were made, for the methods text.
    """

    method: Method
    value: Float[np.ndarray, " n_outcomes"]
    pvalue: Float[np.ndarray, " n_outcomes"]
    threshold: float
    null_maximum: Float[np.ndarray, " n_permutations"]
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceResult:
    """p-values of every outcome, from shuffling or without.

    Parameters
    ----------
    statistic_name : {"t", "F", "v", "G"}
        What was computed; t of ranks is called t.
    statistic : ndarray of shape (n_outcomes,)
        With its sign; 0 where nothing could be tested.
    df1 : int
        Rows of the contrast.
    df : ndarray of shape (n_outcomes,)
        Residual degrees of freedom.
    tested : ndarray of bool of shape (n_outcomes,)
        False where the outcome does not vary or too few participants have data.
    n_per_outcome : ndarray of int of shape (n_outcomes,)
        Rows with data.
    pvalue_uncorrected : ndarray of shape (n_outcomes,)
        By shuffling; parametric where nothing was shuffled.
    pvalue_parametric : ndarray of shape (n_outcomes,)
        From the distribution of the statistic under normal errors.
    qvalue_fdr : ndarray of shape (n_outcomes,)
        False discovery rate over ``pvalue_parametric``.
    method : str
        The correction that the verdict rests on.
    tests : dict of str to CorrectedTest
        Every correction that was made, by method.
    n_permutations : int
        Shufflings used, the identity included; 0 where nothing was shuffled.
    exhaustive : bool
        All distinct shufflings were enumerated.
    n_distinct : int
        Number of distinct shufflings.
    shufflings_key : str
        Equal for results whose shuffling k moved the same participants in the same way.
    sentences : tuple of str
        What was shuffled and corrected, for the methods text.
    random_field : RandomField or None
        What random field theory says of the tested voxels.
    """

    statistic_name: StatisticName
    statistic: Float[np.ndarray, " n_outcomes"]
    df1: int
    df: Float[np.ndarray, " n_outcomes"]
    tested: Bool[np.ndarray, " n_outcomes"]
    n_per_outcome: Int[np.ndarray, " n_outcomes"]
    pvalue_uncorrected: Float[np.ndarray, " n_outcomes"]
    pvalue_parametric: Float[np.ndarray, " n_outcomes"]
    qvalue_fdr: Float[np.ndarray, " n_outcomes"]
    method: Method
    tests: dict[Method, CorrectedTest]
    n_permutations: int
    exhaustive: bool
    n_distinct: int
    shufflings_key: str
    sentences: tuple[str, ...]
    random_field: RandomField | None = None

    @property
    def pvalue_corrected(self) -> Float[np.ndarray, " n_outcomes"]:  # numpydoc ignore=RT01
        """p-values of the correction that the verdict rests on."""
        return self.tests[self.method].pvalue

    @property
    def threshold(self) -> float:  # numpydoc ignore=RT01
        """Threshold of the correction that the verdict rests on."""
        return self.tests[self.method].threshold

    @property
    def null_maximum(self) -> Float[np.ndarray, " n_permutations"]:  # numpydoc ignore=RT01
        """Null maxima of the correction that the verdict rests on."""
        return self.tests[self.method].null_maximum


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationState:
    """Where shuffling stands, so that it can go on after an interruption.

    Parameters
    ----------
    key : str
        What it belongs to: data, design and settings.
    n_done : int
        Shufflings finished, the identity included.
    exceeded : ndarray of int of shape (n_outcomes,)
        Shufflings whose statistic reached the observed one.
    maxima : ndarray of shape (n_done, n_tests)
        Largest value of every correction in every shuffling.
    """

    key: str
    n_done: int
    exceeded: Int[np.ndarray, " n_outcomes"]
    maxima: Float[np.ndarray, "n_done n_tests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What the outcomes of a question are called, and where they lie.

    Parameters
    ----------
    kind : {"scalar", "map", "parcels", "edges"}
    unit : str
        Of the effect, e.g. ``Fisher z``.
    measure : str
        In words, as it reads inside a sentence: ``connectivity of pgACC with dmPFC at rest``.
    labels : tuple of str
        What the two sides of the contrast are called, e.g. ``("ketamine", "placebo")``.
    names : tuple of str
        One per outcome: parcels, edges, or atlas labels of voxels; empty when unknown.
    positions_mm : ndarray of shape (n_outcomes, 3) or None
        x, y, z of every outcome; None for parcels and edges.
    peaks : tuple of int
        Outcomes to list; the ten strongest when empty.
    corrected_over : str
        What the family-wise p covers, in words; counted out when empty.
    limits : tuple of float
        Least and largest effect that there can be, at which intervals are cut.
    """

    kind: Literal["scalar", "map", "parcels", "edges"]
    unit: str
    measure: str
    labels: tuple[str, str]
    names: tuple[str, ...] = ()
    positions_mm: Float[np.ndarray, "n_outcomes 3"] | None = None
    peaks: tuple[int, ...] = ()
    corrected_over: str = ""
    limits: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A local maximum of a map, or the strongest parcel or edge.

    Parameters
    ----------
    name : str
        Parcel or edge, or atlas label of the voxel; empty when unknown.
    position_mm : tuple of float or None
        x, y, z; None for parcels and edges.
    index : int
        Outcome index.
    t, effect, ci_low, ci_high, d : float
        Chosen for its height: the estimate is biased away from zero, and marked so. ``t`` is the
        statistic that was tested: Welch's v, or t of ranks, where the claim's statistic is.
    pvalue_uncorrected, pvalue_corrected, qvalue_fdr : float
        As in `InferenceResult`; corrected by the claim's method.
    """

    name: str
    position_mm: tuple[float, float, float] | None
    index: int
    t: float
    effect: float
    ci_low: float
    ci_high: float
    d: float
    pvalue_uncorrected: float
    pvalue_corrected: float
    qvalue_fdr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Connected outcomes of one sign.

    Parameters
    ----------
    number : int
        From 1, by falling mass.
    sign : int
        1 or -1.
    n_outcomes : int
        Voxels, or edges of a component.
    volume_mm3 : float or None
        Of voxels.
    extent, mass : float
        As they were compared with their null distributions.
    centre_mm : tuple of float or None
        Mean position, weighted by the absolute statistic.
    peaks : tuple of int
        Outcome indices of local maxima, the strongest first.
    label : str
        Name of the strongest peak's place; empty when unknown.
    pvalue_extent, pvalue_mass, pvalue_tfce : float or None
        Family-wise, by shuffling; of TFCE the least within the cluster.
    pvalue_random_field, qvalue_topological : float or None
        Family-wise p of the extent, and false discovery rate over clusters, by random field
        theory.
    true_discoveries : int
        Lower bound on the outcomes in it that truly differ, at 1 - alpha.
    strongest : Peak or None
        Its strongest outcome, with effect and interval; `make_claim` fills it in.
    """

    number: int
    sign: int
    n_outcomes: int
    volume_mm3: float | None
    extent: float
    mass: float
    centre_mm: tuple[float, float, float] | None
    peaks: tuple[int, ...]
    label: str
    pvalue_extent: float | None
    pvalue_mass: float | None
    pvalue_tfce: float | None
    pvalue_random_field: float | None
    qvalue_topological: float | None
    true_discoveries: int
    strongest: Peak | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a question.

    Parameters
    ----------
    question, text, role : str
        From the protocol.
    family : str or None
        From the protocol.
    verdict : {"found", "not found", "refused", "not tested"}
        Whether any outcome passes the corrected threshold. "not found" is not "absent"; "not
        tested" is what the order of a family does not reach.
    sentence : str
        The answer in one sentence.
    outcome : {"scalar", "map", "parcels", "edges"}
    unit : str
        Of the effect, e.g. ``Fisher z``.
    n_per_group : dict of str to int
        Participants at hand, per arm or sequence.
    n_outcomes, n_significant : int
        Tested, and passing the corrected threshold.
    least_pvalue : float or None
        Least corrected p of all outcomes, listed or not; None where nothing was tested.
    peaks : tuple of Peak
        One for a scalar; the surest first, then by falling absolute statistic.
    clusters : tuple of Cluster
        Connected outcomes beyond the cluster-forming threshold; for TFCE and voxelwise
        correction those that pass.
    statistic : {"t", "v", "rank"}
        As in the protocol's ``inference``.
    df : float
        Residual degrees of freedom, at the strongest outcome.
    method : str
        The correction that the verdict rests on.
    alpha, confidence : float
        Error rate of the verdict, coverage of the intervals.
    corrected_over : str
        What the corrected p covers, in words; empty for one number, which needs no correction.
    threshold : float
        Value (of the statistic, TFCE, or the size of a cluster) at which the corrected p reaches
        alpha; infinity when none can.
    pvalue_interval : tuple of float
        Monte-Carlo interval of the least corrected p.
    shuffled, null : str
        What was shuffled, and which hypothesis that tests; empty when nothing was.
    n_permutations, n_distinct : int
        Shufflings used, and distinct ones of the design.
    exhaustive : bool
        All distinct shufflings were used.
    estimator : str
        As in `UnitDesign`.
    alternative : str
        Side of the null hypothesis that counts as evidence.
    notes : tuple of str
        What must be said beside the answer.
    sentences : tuple of str
        Methods text of this question.
    """

    question: str
    text: str
    role: str
    family: str | None
    verdict: Literal["found", "not found", "refused", "not tested"]
    sentence: str
    outcome: Literal["scalar", "map", "parcels", "edges"]
    unit: str
    n_per_group: dict[str, int]
    n_outcomes: int
    n_significant: int
    least_pvalue: float | None = None
    peaks: tuple[Peak, ...]
    clusters: tuple[Cluster, ...]
    statistic: Literal["t", "v", "rank"]
    df: float
    method: Method
    alpha: float
    confidence: float
    corrected_over: str
    threshold: float
    pvalue_interval: tuple[float, float]
    shuffled: str
    null: str
    n_permutations: int
    n_distinct: int
    exhaustive: bool
    estimator: str
    alternative: str
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
