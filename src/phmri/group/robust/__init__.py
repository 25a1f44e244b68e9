"""Least squares of several contrasts, with errors of the model, of each row or of participants."""

from phmri.group.robust._cluster import fit_cluster_robust
from phmri.group.robust._maximum import max_t_pvalues
from phmri.group.robust._ols import fit_ols
from phmri.group.robust._records import WaldTest
from phmri.group.robust._wald import wald_htz, wald_test

__all__ = [
    "WaldTest",
    "fit_cluster_robust",
    "fit_ols",
    "max_t_pvalues",
    "wald_htz",
    "wald_test",
]
