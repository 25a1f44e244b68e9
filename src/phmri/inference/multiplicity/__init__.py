r"""Several questions of one trial at once, at one family-wise error rate.

Closed testing rejects a hypothesis when every set of hypotheses that holds it is rejected; the
adjusted p-value is the largest p-value of those sets,

.. math:: \tilde p_j = \max_{J \ni j} p_J .

What differs is how a set is tested: Bonferroni for each alike (Holm) or with weights that a graph
hands on (Bretz), Simes' test (Hommel, and its shortcut by Hochberg), or the first of an order
alone (fixed sequence).
"""

from phmri.inference.multiplicity._adjust import Adjustment, adjust_pvalues
from phmri.inference.multiplicity._graph import AlphaGraph, adjust_by_graph, make_alpha_graph
from phmri.inference.multiplicity._serial import adjust_in_order, make_serial_graph

__all__ = [
    "Adjustment",
    "AlphaGraph",
    "adjust_by_graph",
    "adjust_in_order",
    "adjust_pvalues",
    "make_alpha_graph",
    "make_serial_graph",
]
