r"""How outcomes go with a scale across participants, within them, and out of sample.

A symptom score :math:`s_i` and an outcome :math:`y_{iv}` (voxel, parcel, edge or a single
number) of participant :math:`i` are compared after what they share with nuisance and arm
:math:`Z` is taken out of both,

.. math:: r_v = \mathrm{cor}(M s, M y_v), \qquad M = I - Z Z^{+}.

The same r is the t of the score in :math:`y_v = s\,\beta_v + Z g_v + e_v`, so that
`association_design` hands the question to everything that tests a linear model by shuffling:
family-wise p over all outcomes, clusters, TFCE. An r picked because it is large is no estimate;
`circular_selection` and `null_inflation` say by how much, `predict_across_folds` what is left.
"""

from phmri.group.association._circular import circular_selection
from phmri.group.association._compare import compare_dependent, compare_independent
from phmri.group.association._correlate import correlate
from phmri.group.association._design import association_design
from phmri.group.association._folds import assign_folds
from phmri.group.association._inflation import null_inflation
from phmri.group.association._predict import predict_across_folds
from phmri.group.association._records import (
    CircularSelection,
    Correlation,
    DependentDifference,
    IndependentDifference,
    NullInflation,
    Prediction,
    RepeatedCorrelation,
    Ridge,
    SlopeTest,
)
from phmri.group.association._repeated import correlate_repeated, split_within_between

__all__ = [
    "CircularSelection",
    "Correlation",
    "DependentDifference",
    "IndependentDifference",
    "NullInflation",
    "Prediction",
    "RepeatedCorrelation",
    "Ridge",
    "SlopeTest",
    "assign_folds",
    "association_design",
    "circular_selection",
    "compare_dependent",
    "compare_independent",
    "correlate",
    "correlate_repeated",
    "null_inflation",
    "predict_across_folds",
    "split_within_between",
]
