r"""Bayes factors of an effect from its t, and partial pooling over regions.

The standardised effect :math:`\delta` has a Cauchy prior of scale r (Jeffreys, Zellner and Siow),
its half above or below 0 where the effect is directed, or is asked to lie inside an interval.
Integrals are sums over fixed nodes, for all outcomes at once.
"""

from phmri.group.bayes._information import bayesian_information, bic_bayes_factor
from phmri.group.bayes._interval import interval_bayes_factor
from phmri.group.bayes._jzs import adjusted_bayes_factor, jzs_bayes_factor
from phmri.group.bayes._pooling import PooledEffects, partial_pooling

__all__ = [
    "PooledEffects",
    "adjusted_bayes_factor",
    "bayesian_information",
    "bic_bayes_factor",
    "interval_bayes_factor",
    "jzs_bayes_factor",
    "partial_pooling",
]
