"""Task: events to design columns and named contrasts."""

from phmri.firstlevel.task._contrast import condition_weights, effects_of_interest, task_contrast
from phmri.firstlevel.task._design import task_design, task_regressors, trial_design
from phmri.firstlevel.task._records import Modulator, TaskDesign, TaskSettings, TrialDesign
from phmri.firstlevel.task._response import (
    BINS,
    basis_functions,
    canonical_response,
    sampled_convolution,
)

__all__ = [
    "BINS",
    "Modulator",
    "TaskDesign",
    "TaskSettings",
    "TrialDesign",
    "basis_functions",
    "canonical_response",
    "condition_weights",
    "effects_of_interest",
    "sampled_convolution",
    "task_contrast",
    "task_design",
    "task_regressors",
    "trial_design",
]
