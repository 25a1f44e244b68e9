"""Pharmacological fMRI trials, from protocol to report."""

__version__ = "0.1.0"
