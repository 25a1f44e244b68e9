"""Synthetic trials with known truth, written as BIDS and fMRIPrep-like trees.

``truth.yaml`` says what is planted in the trial that a protocol declares. One run is
``Y = m + S A + E``: a mean image, time courses of networks, regions, effects, task, global
signal, drift, motion and rhythms on their maps, and noise that is smooth in space and
autoregressive in time. What is not planted is null. All that is written says SIMULATED.
"""

from phmri.simulation._demo import DEMOS, is_earlier_demo, list_scenarios, simulate_demo
from phmri.simulation._real_runs import resample
from phmri.simulation._recovered import Recovered, compare, write_recovered
from phmri.simulation._simulate import SimulatedTrial, read_truth, simulate
from phmri.simulation._small import make_small_tree
from phmri.simulation._truth import Truth

__all__ = [
    "DEMOS",
    "Recovered",
    "SimulatedTrial",
    "Truth",
    "compare",
    "is_earlier_demo",
    "list_scenarios",
    "make_small_tree",
    "read_truth",
    "resample",
    "simulate",
    "simulate_demo",
    "write_recovered",
]
