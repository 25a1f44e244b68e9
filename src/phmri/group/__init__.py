r"""Reduce a question to independent units and fit it to every outcome.

The model of every estimator is linear, as a rule with one row per unit (a participant),

.. math:: y_{iv} = x_i^\top \beta_v + b_{iv} \gamma_v + \varepsilon_{iv},

for unit :math:`i` and outcome :math:`v` (voxel, parcel, edge or a single number). What
:math:`y` is depends on the estimator: the image at the asked session (``ancova``, ``post``),
its difference from the baseline session (``change``), half of period 1 minus period 2
(``crossover``), or the first minus the second treatment (``paired``). A crossover of more periods
(``periods``) has one row per participant and planned period. The unit's own baseline
:math:`b_{iv}` enters with a slope of its own per outcome (``ancova``). The answer is a contrast
:math:`c^\top\beta_v` that equals the treatment effect in the measure's own unit.
"""

from phmri.group._coverage import fit_covered
from phmri.group._design import make_unit_design
from phmri.group._exchangeability import exchange_repeated, exchange_within, override_kind
from phmri.group._fit import fit_contrast
from phmri.group._intervals import confidence_interval, effect_size_interval
from phmri.group._outcome import make_outcome
from phmri.group._partition import adjust_outcomes, partition_contrast
from phmri.group._records import (
    AdjustedOutcomes,
    ContrastPartition,
    Estimate,
    Exchangeability,
    SequenceTest,
    UnitDesign,
    UnitTable,
)
from phmri.group._sequence import sequence_test

__all__ = [
    "AdjustedOutcomes",
    "ContrastPartition",
    "Estimate",
    "Exchangeability",
    "SequenceTest",
    "UnitDesign",
    "UnitTable",
    "adjust_outcomes",
    "confidence_interval",
    "effect_size_interval",
    "exchange_repeated",
    "exchange_within",
    "fit_contrast",
    "fit_covered",
    "make_outcome",
    "make_unit_design",
    "override_kind",
    "partition_contrast",
    "sequence_test",
]
