"""Closed forms of a question: what its design promises, and how exactly that is known."""

from dataclasses import dataclass

import numpy as np

from phmri.protocol import Crossover, Parallel
from phmri.simulation.power._layout import sequences_of
from phmri.simulation.power._precision import (
    Precision,
    crossover_precision,
    paired_precision,
    parallel_precision,
)
from phmri.simulation.power._scalar import Case, complete
from phmri.simulation.power._tested import Noise

__all__ = ["Expected", "count_participants", "expect", "least_n", "step_n"]

PAIR = 2
SMALLEST = 4
ORDERED = {"rank", "ordinal"}
RANKS_COST = np.pi / 3
"""Variances by which ranks of normal outcomes are worse (Pitman's efficiency of 3/pi)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a design promises for a question.

    Parameters
    ----------
    precision : Precision
        Of the question's contrast.
    doubt : str
        Why it is not exact; empty where it is.
    """

    precision: Precision
    doubt: str


def expect(case: Case) -> Expected:
    """Give the precision that a trial promises for its question.

    Parameters
    ----------
    case : Case
        Question, trial, size and variation.

    Returns
    -------
    Expected
        For participants with all scans, or for models of all sessions the share of outcomes that
        is not lost.
    """
    if isinstance(case.design, Parallel):
        return _parallel(case, len(case.design.arms))
    return _crossover(case, case.design)


def _parallel(case: Case, n_arms: int) -> Expected:
    question, noise, n = case.question, case.noise, complete(case)
    rho = None if question.baseline is None else noise.correlation
    match question.estimator:
        case "post":
            doubt = "" if question.errors == "model" else "errors hc3 cost a little"
            return Expected(precision=parallel_precision(n, noise.sd, n_arms=n_arms), doubt=doubt)
        case "change":
            precision = parallel_precision(n, noise.difference_sd, n_arms=n_arms)
            doubt = "" if question.errors == "model" else "errors hc3 cost a little"
        case "mixed" | "mmrm" | "clda":
            precision = parallel_precision(
                n * (1 - noise.missing),
                noise.sd,
                n_arms=n_arms,
                baseline_correlation=rho,
                chance_baseline=True,
            )
            doubt = "as an analysis of covariance of the outcomes that are not lost"
        case "rank" | "ordinal":
            sd = float(noise.sd * np.sqrt(RANKS_COST))
            precision = parallel_precision(n, sd, n_arms=n_arms, baseline_correlation=rho)
            doubt = "normal scores, whose ranks cost 5 % of the participants"
        case _:
            precision = parallel_precision(
                n, noise.sd, n_arms=n_arms, baseline_correlation=rho, chance_baseline=True
            )
            doubt = "chance differences of baselines at their mean"
    return Expected(precision=precision, doubt=doubt)


def _crossover(case: Case, design: Crossover) -> Expected:
    noise, n = case.noise, complete(case)
    if design.order == "unknown":
        return Expected(precision=paired_precision(n, noise.difference_sd), doubt="")
    names = sequences_of(case.question, design)
    lengths = {len(design.sequences[name].treatments) for name in names}
    within = float(noise.sd * np.sqrt(1 - noise.correlation))
    repeated = case.question.estimator == "mixed"
    n_periods = max(lengths)
    counted = n * _share_within(n_periods, noise) if repeated else float(n)
    precision = crossover_precision(counted, within, n_treatments=n_periods)
    doubts = []
    if repeated and noise.missing:
        doubts.append("participants count by the comparisons that lost periods leave them")
    if len(lengths) > 1 or len(names) < n_periods:
        doubts.append("sequences are taken to be balanced, which they are not")
    if n_periods > PAIR and not repeated:
        doubts.append("shuffling whole sequences finds less than t, the fewer people the less")
    return Expected(precision=precision, doubt="; ".join(doubts))


def _share_within(n_periods: int, noise: Noise) -> float:
    r"""Give the information of people who lose periods, relative to that of complete ones.

    With k of t periods left a person tells (k - 1)/(t - 1) of what a complete one does; by the
    binomial distribution of k, :math:`\{t(1 - m) - 1 + m^t\}/(t - 1)`. Of two periods, those who
    have one add what they tell between people, :math:`m(1 - m)(1 - \rho)`.
    """
    t, lost = n_periods, noise.missing
    share = (t * (1 - lost) - 1 + lost**t) / (t - 1)
    between = lost * (1 - lost) * (1 - noise.correlation) if t == PAIR else 0.0
    return float(share + between)


def count_participants(case: Case) -> int:
    """Count all participants of a trial.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
        Those of every arm, held ones too.
    """
    return case.n * (len(case.design.arms) if isinstance(case.design, Parallel) else 1)


def least_n(case: Case) -> int:
    """Give the smallest trial that is considered.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
        Per arm, or in the whole crossover.
    """
    return max(SMALLEST, step_n(case))


def step_n(case: Case) -> int:
    """Give the number of participants by which a trial grows.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
        1 per arm; the number of sequences in a crossover of known order.
    """
    if isinstance(case.design, Parallel) or case.design.order == "unknown":
        return 1
    return len(sequences_of(case.question, case.design))
