r"""How well a measure repeats itself: intraclass correlations, errors of measurement, agreement.

Participant :math:`i` measured in session :math:`j` gives, for every outcome,

.. math:: y_{ij} = \mu + p_i + s_j + e_{ij},

so that reliability is the share of the participants' variance. Everything is computed for all
outcomes (voxels, parcels, edges or a single number) at once.
"""

from phmri.group.reliability._agreement import bland_altman
from phmri.group.reliability._components import crossed_components
from phmri.group.reliability._difference import largest_correlation, reliability_of_difference
from phmri.group.reliability._intraclass import intraclass_correlation
from phmri.group.reliability._records import Agreement, Reliability, VarianceComponents

__all__ = [
    "Agreement",
    "Reliability",
    "VarianceComponents",
    "bland_altman",
    "crossed_components",
    "intraclass_correlation",
    "largest_correlation",
    "reliability_of_difference",
]
