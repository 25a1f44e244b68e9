r"""Comparisons of scales with floors and ties, by ranks and by categories.

Half of the participants on placebo score 0 on a scale of dissociation: means are pulled by the
few, and normality is out of the question. Ranks ask instead how often a participant of one arm
scores above one of the other,

.. math:: P(X > Y) + \tfrac12 P(X = Y),

a number that needs no unit. The analysis of covariance of ranks and the proportional odds model
adjust for the baseline. They are alternatives to the comparison of means, not tests to be tried
until one is significant.
"""

from phmri.group.ranks._ancova import quade_test, scale_ancova
from phmri.group.ranks._brunner_munzel import brunner_munzel
from phmri.group.ranks._of_design import ORDERED, fit_ordered, standardised
from phmri.group.ranks._proportional_odds import proportional_odds
from phmri.group.ranks._records import (
    ArmTest,
    ProportionalOdds,
    RankComparison,
    StratifiedComparison,
    Superiority,
)
from phmri.group.ranks._stratified import stratified_rank_test
from phmri.group.ranks._wilcoxon import wilcoxon_mann_whitney

__all__ = [
    "ORDERED",
    "ArmTest",
    "ProportionalOdds",
    "RankComparison",
    "StratifiedComparison",
    "Superiority",
    "brunner_munzel",
    "fit_ordered",
    "proportional_odds",
    "quade_test",
    "scale_ancova",
    "standardised",
    "stratified_rank_test",
    "wilcoxon_mann_whitney",
]
