"""Synthetic trials with known truth, written as BIDS and fMRIPrep-like trees.

One run is ``Y = m + S A + E``: a mean image, time courses of networks, regions, task, global
signal, drift and motion on their maps, and noise that is smooth in space and autoregressive in
time. A trial plants one effect: in one arm, session and task a region's own signal is added to
another region, with a strength of the person's own. Everything else is null. All that is written
says SIMULATED.
"""

from phmri.simulation._demo import DemoTrial, simulate_demo
from phmri.simulation._small import make_small_tree

__all__ = ["DemoTrial", "make_small_tree", "simulate_demo"]
