r"""Power without simulation: how many participants a question needs.

A design gives a contrast its standard error and degrees of freedom; what a test finds then
follows from the noncentral t. Averaged over the standard error that a trial will estimate,
everything asked here is one integral: difference, equivalence, and the verdict on a blockade.
Normal outcomes with one variance are assumed, and no missing scans.
"""

from phmri.simulation.power._blockade import BlockadePower, blockade_power
from phmri.simulation.power._compare import DesignComparison, compare_designs
from phmri.simulation.power._power import Alternative, equivalence_power, t_power
from phmri.simulation.power._precision import (
    Precision,
    crossover_precision,
    paired_precision,
    parallel_precision,
)
from phmri.simulation.power._sample_size import sample_size

__all__ = [
    "Alternative",
    "BlockadePower",
    "DesignComparison",
    "Precision",
    "blockade_power",
    "compare_designs",
    "crossover_precision",
    "equivalence_power",
    "paired_precision",
    "parallel_precision",
    "sample_size",
    "t_power",
]
