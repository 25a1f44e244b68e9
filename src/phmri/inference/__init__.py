r"""From estimates to claims: how sure, over how many outcomes, and in which words.

Under the null hypothesis the units of a design can be shuffled without changing the
distribution of the data. The p-value of outcome :math:`v` is the share of shufflings
:math:`\pi` (the identity included) whose statistic reaches the observed one,

.. math:: p_v = \frac{\#\{\pi: T_v^\pi \ge T_v\}}{N},\qquad
    p_v^{\mathrm{FWE}} = \frac{\#\{\pi: \max_w T_w^\pi \ge T_v\}}{N},

the second of which covers all outcomes at once; :math:`T` is a statistic, its threshold-free
cluster enhancement, or the size of a cluster. Random field theory and false discovery rates need
no shuffling. A claim says what was found and what was not; "not found" is never worded as
"absent".
"""

from phmri.inference._infer import infer, match_estimate, restrict_result
from phmri.inference._joint import correct_jointly
from phmri.inference._parametric import judge_estimate
from phmri.inference._permutation import permute
from phmri.inference._pvalues import Alternative
from phmri.inference._records import (
    UNSHUFFLED,
    Claim,
    Cluster,
    CorrectedTest,
    InferenceResult,
    Outcomes,
    Peak,
    PermutationState,
)
from phmri.inference._space import Graph, Space, Volume
from phmri.inference.claims._claims import make_claim, make_refusal
from phmri.inference.claims._sequence_note import sequence_note
from phmri.inference.claims._serialise import claim_from_dict, claim_to_dict
from phmri.inference.claims._wording import format_interval, format_p
from phmri.inference.clusters._clusters import cluster_threshold
from phmri.inference.clusters._edges import make_edge_graph, region_pairs
from phmri.inference.clusters._found import find_clusters
from phmri.inference.clusters._peaks import find_extrema, find_peaks
from phmri.inference.clusters._table import Places
from phmri.inference.multiplicity import adjust_by_graph, adjust_pvalues, make_alpha_graph
from phmri.inference.shuffling._attainable import smallest_pvalue
from phmri.inference.shuffling._source import ShufflingSource, make_source
from phmri.inference.spatial import MapCorrelations, associate_maps

__all__ = [
    "UNSHUFFLED",
    "Alternative",
    "Claim",
    "Cluster",
    "CorrectedTest",
    "Graph",
    "InferenceResult",
    "MapCorrelations",
    "Outcomes",
    "Peak",
    "PermutationState",
    "Places",
    "ShufflingSource",
    "Space",
    "Volume",
    "adjust_by_graph",
    "adjust_pvalues",
    "associate_maps",
    "claim_from_dict",
    "claim_to_dict",
    "cluster_threshold",
    "correct_jointly",
    "find_clusters",
    "find_extrema",
    "find_peaks",
    "format_interval",
    "format_p",
    "infer",
    "judge_estimate",
    "make_alpha_graph",
    "make_claim",
    "make_edge_graph",
    "make_refusal",
    "make_source",
    "match_estimate",
    "permute",
    "region_pairs",
    "restrict_result",
    "sequence_note",
    "smallest_pvalue",
]
