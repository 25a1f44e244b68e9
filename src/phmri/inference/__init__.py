r"""From estimates to claims: how sure, over how many outcomes, and in which words.

Under the null hypothesis the units of a design can be shuffled without changing the
distribution of the data. The p-value of outcome :math:`v` is the share of shufflings
:math:`\pi` (the identity included) whose statistic reaches the observed one,

.. math:: p_v = \frac{\#\{\pi: T_v^\pi \ge T_v\}}{N},\qquad
    p_v^{\mathrm{FWE}} = \frac{\#\{\pi: \max_w T_w^\pi \ge T_v\}}{N},

the second of which covers all outcomes at once. A claim says what was found and what was not;
"not found" is never worded as "absent".
"""

from phmri.inference._claims import make_claim, make_refusal
from phmri.inference._peaks import find_peaks
from phmri.inference._permutation import permute
from phmri.inference._records import Claim, Outcomes, Peak, PermutationResult
from phmri.inference._sequence_note import sequence_note
from phmri.inference._serialise import claim_from_dict, claim_to_dict
from phmri.inference._shuffling import count_shufflings

__all__ = [
    "Claim",
    "Outcomes",
    "Peak",
    "PermutationResult",
    "claim_from_dict",
    "claim_to_dict",
    "count_shufflings",
    "find_peaks",
    "make_claim",
    "make_refusal",
    "permute",
    "sequence_note",
]
