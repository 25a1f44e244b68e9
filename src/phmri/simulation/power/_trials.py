"""Counting findings in simulated trials: blocks with seeds of their own, on several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy import stats

from phmri.exceptions import Problem, SimulationError
from phmri.threads import one_blas_thread

__all__ = ["Effort", "SimulatedPower", "count_findings"]

COVERAGE = 0.95
BLOCK = 500

Count = Callable[[np.random.Generator, int], Int[np.ndarray, " n_findings"]]
OnBlock = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    n_trials : int, default 1000
        Simulated trials of every case; 1 or more.
    seed : int, default 0
        0 or more. The same seed gives the same numbers, whatever ``n_workers``.
    n_workers : int, default 1
        Threads.
    n_permutations : int, default 500
        Most shufflings in each trial; the trial itself may declare more, which finds hardly more.

    Raises
    ------
    SimulationError
        When a number is too small; all at once.
    """

    n_trials: int = 1000
    seed: int = 0
    n_workers: int = 1
    n_permutations: int = 500

    def __post_init__(self) -> None:
        least = {"n_trials": 1, "seed": 0, "n_workers": 1, "n_permutations": 100}
        problems = [
            Problem(
                what="too small a number",
                field=name,
                found=str(getattr(self, name)),
                expected=f"{number} or more",
            )
            for name, number in least.items()
            if getattr(self, name) < number
        ]
        if problems:
            raise SimulationError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPower:
    """A share of simulated trials, with its Monte-Carlo interval.

    Parameters
    ----------
    n_found, n_trials : int
        Trials in which something was found, and all of them.
    """

    n_found: int
    n_trials: int

    @property
    def power(self) -> float:  # numpydoc ignore=RT01
        """Share of trials in which it was found."""
        return self.n_found / self.n_trials

    @property
    def interval(self) -> tuple[float, float]:  # numpydoc ignore=RT01
        """Exact binomial interval of the share, at 95 % (Clopper and Pearson)."""
        tail = (1 - COVERAGE) / 2
        found, missed = self.n_found, self.n_trials - self.n_found
        low = float(stats.beta.ppf(tail, found, missed + 1)) if found else 0.0
        high = float(stats.beta.isf(tail, found + 1, missed)) if missed else 1.0
        return low, high


def count_findings(
    count: Count,
    effort: Effort,
    *,
    key: tuple[int, ...] = (),
    block: int = BLOCK,
    on_block: OnBlock | None = None,
) -> tuple[SimulatedPower, ...]:
    """Simulate trials in blocks and count what they find.

    Parameters
    ----------
    count : callable
        Called as ``count(rng, n)``: simulates n trials and gives the number of trials with each
        kind of finding.
    effort : Effort
        Trials, seed and threads.
    key : tuple of int, default ()
        Tells cases that share a seed apart: each has random numbers of its own.
    block : int, default 500
        Trials of a block. It belongs to the result as the seed does; threads do not.
    on_block : callable, optional
        Called as ``on_block(trials done, trials in all)``.

    Returns
    -------
    tuple of SimulatedPower
        One per kind of finding.
    """
    sizes = [min(block, effort.n_trials - start) for start in range(0, effort.n_trials, block)]

    def work(number: int) -> Int[np.ndarray, " n_findings"]:
        seeds = np.random.SeedSequence(effort.seed, spawn_key=(*key, number))
        return count(np.random.default_rng(seeds), sizes[number])

    found = np.zeros(0, dtype=np.int64)
    # One limit around all threads: each would otherwise set and restore that of the process.
    with one_blas_thread(), ThreadPoolExecutor(effort.n_workers) as threads:
        for number, counted in enumerate(threads.map(work, range(len(sizes)))):
            found = counted if not number else found + counted
            if on_block is not None:
                on_block(sum(sizes[: number + 1]), effort.n_trials)
    return tuple(
        SimulatedPower(n_found=int(one), n_trials=effort.n_trials) for one in found.tolist()
    )
