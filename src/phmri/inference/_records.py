"""What the inference room hands on: p-values, peaks, claims."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

__all__ = ["Claim", "Outcomes", "Peak", "PermutationResult"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationResult:
    """p-values of every outcome.

    Parameters
    ----------
    pvalue_uncorrected : ndarray of shape (n_outcomes,)
        By permutation.
    pvalue_fwe : ndarray of shape (n_outcomes,)
        Family-wise, by the permutation distribution of the maximum statistic.
    pvalue_parametric : ndarray of shape (n_outcomes,)
        From Student's t with the model's degrees of freedom.
    qvalue_fdr : ndarray of shape (n_outcomes,)
        Benjamini-Hochberg over ``pvalue_parametric``.
    n_permutations : int
        Shufflings used, the identity included.
    exhaustive : bool
        All distinct shufflings were enumerated.
    n_distinct : int
        Number of distinct shufflings.
    null_maximum : ndarray of shape (n_permutations,)
        Maximum statistic per shuffling, identity first.
    threshold_fwe : float
        Statistic at which the family-wise p reaches alpha.
    sentences : tuple of str
        What was shuffled and corrected, for the methods text.
    """

    pvalue_uncorrected: Float[np.ndarray, " n_outcomes"]
    pvalue_fwe: Float[np.ndarray, " n_outcomes"]
    pvalue_parametric: Float[np.ndarray, " n_outcomes"]
    qvalue_fdr: Float[np.ndarray, " n_outcomes"]
    n_permutations: int
    exhaustive: bool
    n_distinct: int
    null_maximum: Float[np.ndarray, " n_permutations"]
    threshold_fwe: float
    sentences: tuple[str, ...]


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
    """

    kind: Literal["scalar", "map", "parcels", "edges"]
    unit: str
    measure: str
    labels: tuple[str, str]
    names: tuple[str, ...] = ()
    positions_mm: Float[np.ndarray, "n_outcomes 3"] | None = None
    peaks: tuple[int, ...] = ()
    corrected_over: str = ""


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
        Chosen for its height: the estimate is biased away from zero, and marked so.
    pvalue_uncorrected, pvalue_fwe, qvalue_fdr : float
        As in `PermutationResult`.
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
    pvalue_fwe: float
    qvalue_fdr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a question.

    Parameters
    ----------
    question, text, role : str
        From the protocol.
    family : str or None
        From the protocol.
    verdict : {"found", "not found", "refused"}
        Whether any outcome passes the corrected threshold. "not found" is not "absent".
    sentence : str
        The answer in one sentence.
    outcome : {"scalar", "map", "parcels", "edges"}
    unit : str
        Of the effect, e.g. ``Fisher z``.
    n_per_group : dict of str to int
        Participants at hand, per arm or sequence.
    n_outcomes, n_significant : int
        Tested, and passing the corrected threshold.
    peaks : tuple of Peak
        One for a scalar; sorted by falling absolute t.
    df : float
        Residual degrees of freedom.
    alpha, confidence : float
        Error rate of the verdict, coverage of the intervals.
    corrected_over : str
        What the family-wise p covers, in words.
    threshold_fwe : float
        Statistic at which the family-wise p reaches alpha; infinity when none can.
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
    verdict: Literal["found", "not found", "refused"]
    sentence: str
    outcome: Literal["scalar", "map", "parcels", "edges"]
    unit: str
    n_per_group: dict[str, int]
    n_outcomes: int
    n_significant: int
    peaks: tuple[Peak, ...]
    df: float
    alpha: float
    confidence: float
    corrected_over: str
    threshold_fwe: float
    n_permutations: int
    n_distinct: int
    exhaustive: bool
    estimator: str
    alternative: str
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
