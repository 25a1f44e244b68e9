r"""Reduce a question to a model of participants and fit it to every outcome.

The model of every estimator is linear, as a rule with one row per unit (a participant),

.. math:: y_{iv} = x_i^\top \beta_v + b_{iv} \gamma_v + \varepsilon_{iv},

for unit :math:`i` and outcome :math:`v` (voxel, parcel, edge or a single number). What
:math:`y` is depends on the estimator: the image at the asked session (``ancova``, ``post``),
its difference from the baseline session (``change``), half of period 1 minus period 2
(``crossover``), or the first minus the second treatment (``paired``). A crossover of more periods
(``periods``) has one row per participant and planned period. The unit's own baseline
:math:`b_{iv}` enters with a slope of its own per outcome (``ancova``; in a crossover that of each
period, half of period 1 minus period 2 where the outcome is). The answer is a contrast
:math:`c^\top\beta_v` that equals the treatment effect in the measure's own unit.

Where all sessions or periods are modelled together, a participant has several rows with correlated
errors, and several contrasts of one fit are asked for at once: a `JointEstimate` holds them with
their covariance, degrees of freedom and status. One folder per idea:

- ``longitudinal``: from the cells at hand to a model of all sessions or periods with contrasts;
- ``mixed``: restricted maximum likelihood in every outcome; random intercept, unstructured;
- ``robust``: least squares with HC and cluster-robust errors, Wald tests, single-step maximum t;
- ``blockade``: drug, pretreated drug and reference judged together; persistence;
- ``bayes``: Bayes factors of an effect, of an interval, of models; partial pooling;
- ``association``: outcomes with the score of a scale, within and out of sample;
- ``ranks``: rank and ordinal alternatives for scores with floors and ties;
- ``reliability``: intraclass correlations, agreement;
- ``missing``: multiple imputation, delta adjustment, balance.
"""

from phmri.group._coverage import fit_covered
from phmri.group._design import make_unit_design
from phmri.group._exchangeability import exchange_repeated, exchange_within, override_kind
from phmri.group._fit import fit_contrast
from phmri.group._intervals import confidence_interval, effect_size_interval
from phmri.group._outcome import make_baseline, make_outcome
from phmri.group._parallel import without_baseline
from phmri.group._partition import adjust_outcomes, partition_contrast
from phmri.group._period_baseline import SAME_BASELINE, leave_out_same_baseline
from phmri.group._records import (
    AdjustedOutcomes,
    ContrastPartition,
    Estimate,
    Exchangeability,
    JointEstimate,
    SequenceTest,
    UnitDesign,
    UnitTable,
)
from phmri.group._sequence import sequence_test
from phmri.group.association import (
    CircularSelection,
    Correlation,
    Prediction,
    Ridge,
    assign_folds,
    association_design,
    circular_selection,
    correlate,
    predict_across_folds,
)
from phmri.group.bayes import adjusted_bayes_factor, interval_bayes_factor
from phmri.group.blockade import (
    KINDS,
    VERDICTS,
    Blockade,
    BootstrapInterval,
    ContrastTest,
    RatioInterval,
    bootstrap_interval,
    contrast_test,
    explain,
    judge_blockade,
    persistence,
    resample_units,
)
from phmri.group.longitudinal import (
    LongDesign,
    LongSettings,
    LongTable,
    carryover_design,
    check_covariance,
    fit_long_design,
    make_long_design,
    make_long_table,
    make_unit_contrasts,
    sessions_without_error,
)
from phmri.group.mixed import fit_random_intercept, fit_unstructured
from phmri.group.ranks import (
    ORDERED,
    fit_ordered,
    proportional_odds,
    standardised,
    wilcoxon_mann_whitney,
)
from phmri.group.reliability import bland_altman, crossed_components, intraclass_correlation
from phmri.group.robust import fit_cluster_robust, fit_ols

__all__ = [
    "KINDS",
    "ORDERED",
    "SAME_BASELINE",
    "VERDICTS",
    "AdjustedOutcomes",
    "Blockade",
    "BootstrapInterval",
    "CircularSelection",
    "ContrastPartition",
    "ContrastTest",
    "Correlation",
    "Estimate",
    "Exchangeability",
    "JointEstimate",
    "LongDesign",
    "LongSettings",
    "LongTable",
    "Prediction",
    "RatioInterval",
    "Ridge",
    "SequenceTest",
    "UnitDesign",
    "UnitTable",
    "adjust_outcomes",
    "adjusted_bayes_factor",
    "assign_folds",
    "association_design",
    "bland_altman",
    "bootstrap_interval",
    "carryover_design",
    "check_covariance",
    "circular_selection",
    "confidence_interval",
    "contrast_test",
    "correlate",
    "crossed_components",
    "effect_size_interval",
    "exchange_repeated",
    "exchange_within",
    "explain",
    "fit_cluster_robust",
    "fit_contrast",
    "fit_covered",
    "fit_long_design",
    "fit_ols",
    "fit_ordered",
    "fit_random_intercept",
    "fit_unstructured",
    "interval_bayes_factor",
    "intraclass_correlation",
    "judge_blockade",
    "leave_out_same_baseline",
    "make_baseline",
    "make_long_design",
    "make_long_table",
    "make_outcome",
    "make_unit_contrasts",
    "make_unit_design",
    "override_kind",
    "partition_contrast",
    "persistence",
    "predict_across_folds",
    "proportional_odds",
    "resample_units",
    "sequence_test",
    "sessions_without_error",
    "standardised",
    "wilcoxon_mann_whitney",
    "without_baseline",
]
