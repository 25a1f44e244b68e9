r"""Power: how many participants a question needs.

A design gives a contrast its standard error and degrees of freedom; what a test finds then
follows from the noncentral t. Averaged over the standard error that a trial will estimate,
everything asked here is one integral: difference, equivalence, and the verdict on a blockade.
Normal outcomes with one variance are assumed, and no missing scans.

What has no closed form is simulated: small arrays of normal outcomes go through the estimators
and the inference of a run, thousands of trials at once where the outcome is one number.
`study_power` does both for every question of a protocol.
"""

from phmri.simulation.power._blockade import BlockadePower, blockade_power
from phmri.simulation.power._compare import DesignComparison, compare_designs
from phmri.simulation.power._correlation import correlation_power, simulate_association
from phmri.simulation.power._effects import EffectSize, between
from phmri.simulation.power._expected import Expected, expect
from phmri.simulation.power._maps import Independent, SmoothImage, simulate_map
from phmri.simulation.power._pilot import Pilot, read_pilot
from phmri.simulation.power._power import Alternative, equivalence_power, t_power
from phmri.simulation.power._precision import (
    Precision,
    crossover_precision,
    paired_precision,
    parallel_precision,
)
from phmri.simulation.power._records import (
    Curve,
    Need,
    Pairing,
    PowerPlan,
    PowerRow,
    PowerStudy,
    Topic,
    TopicPower,
)
from phmri.simulation.power._sample_size import sample_size
from phmri.simulation.power._scalar import (
    Case,
    QuestionPower,
    simulate_blockade,
    simulate_equivalence,
    simulate_question,
)
from phmri.simulation.power._study import study_power
from phmri.simulation.power._tested import Noise
from phmri.simulation.power._trials import Effort, SimulatedPower

__all__ = [
    "Alternative",
    "BlockadePower",
    "Case",
    "Curve",
    "DesignComparison",
    "EffectSize",
    "Effort",
    "Expected",
    "Independent",
    "Need",
    "Noise",
    "Pairing",
    "Pilot",
    "PowerPlan",
    "PowerRow",
    "PowerStudy",
    "Precision",
    "QuestionPower",
    "SimulatedPower",
    "SmoothImage",
    "Topic",
    "TopicPower",
    "between",
    "blockade_power",
    "compare_designs",
    "correlation_power",
    "crossover_precision",
    "equivalence_power",
    "expect",
    "paired_precision",
    "parallel_precision",
    "read_pilot",
    "sample_size",
    "simulate_association",
    "simulate_blockade",
    "simulate_equivalence",
    "simulate_map",
    "simulate_question",
    "study_power",
    "t_power",
]
