r"""What missing scans do to an answer: who is missing, and how far it would have to matter.

Missing outcomes are drawn several times from what is known of the person, each completed trial is
analysed as planned, and the answers are pooled by Rubin's rules. The draws assume that those who
are missing differ from the others only by what the model holds. A number :math:`\delta` added to
the drawn outcomes of some arms says how wrong that may be before the answer changes.
"""

from phmri.group.missing._balance import standardised_difference
from phmri.group.missing._delta import TippingPoints, adjust_by_delta, find_tipping_points
from phmri.group.missing._disposition import Disposition, count_scans
from phmri.group.missing._impute import draw_outcomes
from phmri.group.missing._pool import PooledEstimate, pool_imputations

__all__ = [
    "Disposition",
    "PooledEstimate",
    "TippingPoints",
    "adjust_by_delta",
    "count_scans",
    "draw_outcomes",
    "find_tipping_points",
    "pool_imputations",
    "standardised_difference",
]
