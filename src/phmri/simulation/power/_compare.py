"""The same question asked between people and within them."""

from dataclasses import dataclass

import numpy as np

from phmri.exceptions import Problem, SimulationError
from phmri.simulation.power._power import Alternative, t_power
from phmri.simulation.power._precision import crossover_precision, parallel_precision
from phmri.simulation.power._sample_size import sample_size

__all__ = ["DesignComparison", "compare_designs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignComparison:
    """What two designs need for the same power.

    Parameters
    ----------
    parallel_per_arm : int
        Participants of each arm.
    parallel_participants, parallel_scans : int
        Of the whole parallel trial, the baseline scan included.
    crossover_participants, crossover_scans : int
        Of the whole crossover, the sequences being equally long.
    """

    parallel_per_arm: int
    parallel_participants: int
    parallel_scans: int
    crossover_participants: int
    crossover_scans: int


def compare_designs(
    effect: float,
    sd: float,
    correlation: float,
    *,
    n_treatments: int = 2,
    target: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> DesignComparison:
    r"""Compare a parallel trial that adjusts for a baseline with a crossover.

    Parameters
    ----------
    effect : float
        Difference of two treatments, in the measure's unit.
    sd : float
        Standard deviation between people at one session, in the measure's unit.
    correlation : float
        Of two sessions of the same person under the same treatment, from 0 to below 1.
    n_treatments : int, default 2
        Arms of the one, periods of the other.
    target : float, default 0.8
        Power for the difference of two treatments.
    alpha : float, default 0.05
        Error rate.
    alternative : {"two-sided", "greater", "less"}
        Of the test.

    Returns
    -------
    DesignComparison
        The smallest trials that reach the power.

    Raises
    ------
    SimulationError
        When the correlation is not from 0 to below 1, or no trial reaches the power.

    Notes
    -----
    Variances of the difference are :math:`2\sigma^2(1 - \rho^2)/n` with n per arm, widened by what
    chance differences of baselines cost on average, and :math:`2\sigma^2(1 - \rho)/N`.
    A Williams design takes N in steps of t sequences, or 2t where
    t is odd. What the comparison leaves out speaks for the parallel trial: carry-over, people who
    do not come back, and blinding lost after the first ketamine session.

    Examples
    --------
    >>> compare_designs(0.5, 1.0, 0.5).crossover_participants
    34
    """
    if not 0 <= correlation < 1:
        raise SimulationError(
            Problem(
                what="sessions of a person correlate by 0 to below 1",
                field="correlation",
                found=str(correlation),
            )
        )

    def parallel(n: int) -> float:
        design = parallel_precision(
            n,
            sd,
            n_arms=n_treatments,
            baseline_correlation=correlation,
            chance_baseline=True,
        )
        return t_power(effect, design, alpha=alpha, alternative=alternative)

    def crossover(n: int) -> float:
        design = crossover_precision(n, sd * np.sqrt(1 - correlation), n_treatments=n_treatments)
        return t_power(effect, design, alpha=alpha, alternative=alternative)

    n_sequences = n_treatments * (1 + n_treatments % 2)
    per_arm = sample_size(parallel, target)
    within = sample_size(crossover, target, least=max(n_sequences, 4), step=n_sequences)
    return DesignComparison(
        parallel_per_arm=per_arm,
        parallel_participants=per_arm * n_treatments,
        parallel_scans=2 * per_arm * n_treatments,
        crossover_participants=within,
        crossover_scans=within * n_treatments,
    )
