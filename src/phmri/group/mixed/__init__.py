r"""Fit linear mixed models by REML to every outcome at once.

.. math:: y = X\beta + \varepsilon,\qquad \varepsilon\sim N(0, V(\theta)),

with independent participants, and :math:`V` from a random intercept per participant or from a
covariance between visits. :math:`\theta` maximises the restricted likelihood, :math:`\beta` is
generalised least squares at that :math:`\theta`, and Satterthwaite's or Kenward and Roger's
approximation says how many degrees of freedom are left. Outcomes with the same rows missing share
the algebra of their design; only sums over participants differ between them.
"""

from phmri.group.mixed._fit import fit_random_intercept, fit_structured, fit_unstructured
from phmri.group.mixed._records import JointTest, MixedFit

__all__ = [
    "JointTest",
    "MixedFit",
    "fit_random_intercept",
    "fit_structured",
    "fit_unstructured",
]
