"""Psychophysiological interaction and beta series: connectivity by task condition."""

from phmri.firstlevel.ppi._beta_series import fit_beta_series, trial_estimator
from phmri.firstlevel.ppi._deconvolution import deconvolve
from phmri.firstlevel.ppi._design import PpiDesign, interactions, ppi_design
from phmri.firstlevel.ppi._fit import fit_ppi

__all__ = [
    "PpiDesign",
    "deconvolve",
    "fit_beta_series",
    "fit_ppi",
    "interactions",
    "ppi_design",
    "trial_estimator",
]
