"""Power of an association: closed form, and simulated with shuffled scores."""

from typing import Literal

import numpy as np
from jaxtyping import Int
from scipy import stats

from phmri.exceptions import Problem, SimulationError
from phmri.group import association_design
from phmri.inference import infer
from phmri.protocol import Inference
from phmri.simulation.power._owen import estimated_sd_nodes
from phmri.simulation.power._power import Alternative, number_problems, t_power
from phmri.simulation.power._precision import Precision
from phmri.simulation.power._scalar import settings_for
from phmri.simulation.power._trials import Effort, SimulatedPower, count_findings

__all__ = ["correlation_power", "simulate_association"]

BLOCK = 50
LEAST = 4


def correlation_power(
    correlation: float,
    n: int,
    *,
    n_groups: int = 1,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    r"""Give the probability that a correlation is found.

    Parameters
    ----------
    correlation : float
        True one, between -1 and 1.
    n : int
        Participants in all groups.
    n_groups : int, default 1
        Groups whose means are taken out of both.
    alpha : float, default 0.05
        Error rate.
    alternative : {"two-sided", "greater", "less"}
        Of the test.

    Returns
    -------
    float
        Exact for two normal variables with one correlation in all groups.

    Raises
    ------
    SimulationError
        When a number is out of range; all at once.

    Notes
    -----
    Given the scores the t of the slope is noncentral with :math:`\nu = n - g - 1` and
    :math:`\delta = L\rho/\sqrt{1 - \rho^2}`, :math:`L^2` their sum of squares, which is
    chi-square with :math:`n - g` degrees of freedom; power is averaged over it.

    Examples
    --------
    >>> round(correlation_power(0.5, 29), 3)
    0.811
    """
    problems = number_problems(alpha, {})
    if not -1 < correlation < 1:
        problems.append(
            Problem(
                what="a correlation lies between -1 and 1",
                field="correlation",
                found=str(correlation),
            )
        )
    if n - n_groups < LEAST:
        problems.append(
            Problem(
                what="too few participants for a correlation",
                field="n",
                found=str(n),
                expected=f"{n_groups + LEAST} or more",
            )
        )
    if problems:
        raise SimulationError(*problems)
    freedom = float(n - n_groups)
    nodes, weights = estimated_sd_nodes(freedom, np.empty(0))
    slope = correlation / np.sqrt(1 - correlation**2)
    powers = [
        t_power(
            slope,
            Precision(se=1 / (ratio * np.sqrt(freedom)), df=freedom - 1),
            alpha=alpha,
            alternative=alternative,
        )
        for ratio in nodes.tolist()
    ]
    return float(weights @ np.array(powers))


def simulate_association(  # noqa: PLR0913 - as of a question, with a method and groups
    correlation: float,
    n: int,
    settings: Inference,
    effort: Effort,
    *,
    method: Literal["pearson", "spearman"] = "pearson",
    n_groups: int = 1,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    key: tuple[int, ...] = (),
) -> SimulatedPower:
    """Simulate how often shuffling finds a correlation of one number with a score.

    Parameters
    ----------
    correlation : float
        True one of two normal variables, between -1 and 1.
    n : int
        Participants in all groups, spread evenly.
    settings : Inference
        As the protocol declares them for this association.
    effort : Effort
        Trials, seed, threads, shufflings.
    method : {"pearson", "spearman"}
        Of the values or of their ranks.
    n_groups : int, default 1
        Groups within which participants change places.
    alpha : float, default 0.05
        Error rate.
    alternative : {"two-sided", "greater", "less"}
        Of the test.
    key : tuple of int, default ()
        Tells cases that share a seed apart.

    Returns
    -------
    SimulatedPower
        Share of trials with p at most alpha.

    Notes
    -----
    Trials of a block of 50 share the pattern of their scores and differ in its spread, which is
    drawn anew for each.
    """
    groups = tuple(f"group{k % n_groups}" for k in range(n))
    codes = np.arange(n) % n_groups
    subjects = tuple(f"{k:06d}" for k in range(n))
    slope = correlation / np.sqrt(1 - correlation**2)

    def count(rng: np.random.Generator, n_trials: int) -> Int[np.ndarray, " n_findings"]:
        score = rng.standard_normal(n)
        score -= (np.bincount(codes, score) / np.bincount(codes))[codes]
        score /= np.sqrt(score @ score)
        spread = np.sqrt(rng.chisquare(n - n_groups, n_trials))
        Y = slope * np.outer(score, spread) + rng.standard_normal((n, n_trials))
        if method == "spearman":
            Y = stats.rankdata(Y, axis=0).astype(np.float64)
        design = association_design(
            score,
            subjects=subjects,
            method=method,
            groups=groups if n_groups > 1 else None,
        )
        own = settings_for(settings, effort, alpha, int(rng.integers(2**31)))
        result = infer(design, Y, None, own, alternative=alternative)
        return np.array([(result.pvalue_uncorrected <= alpha).sum()])

    return count_findings(count, effort, key=key, block=BLOCK)[0]
