"""The smallest trial that reaches a power."""

from collections.abc import Callable

from phmri.exceptions import Problem, SimulationError

__all__ = ["sample_size"]

LARGEST = 1_000_000


def sample_size(
    power_of: Callable[[int], float], target: float, *, least: int = 3, step: int = 1
) -> int:
    """Find the smallest sample size whose power reaches a target.

    Parameters
    ----------
    power_of : callable
        Power of a trial of n participants (or n per arm); rises with n.
    target : float
        Power to reach, between 0 and 1.
    least : int, default 3
        Smallest size to consider.
    step : int, default 1
        Sizes considered are ``least`` plus multiples of it: 2 for two sequences.

    Returns
    -------
    int
        The size, counted as ``power_of`` counts it.

    Raises
    ------
    SimulationError
        When the target is not between 0 and 1, or a million do not reach it.

    Examples
    --------
    >>> from phmri.simulation.power import parallel_precision, t_power
    >>> sample_size(lambda n: t_power(0.5, parallel_precision(n, 1.0)), 0.8)
    64
    """
    if not 0 < target < 1:
        raise SimulationError(
            Problem(what="power lies between 0 and 1", field="target", found=str(target))
        )
    too_few, enough = -1, 0
    while power_of(least + step * enough) < target:
        too_few, enough = enough, 2 * enough + 1
        if least + step * enough > LARGEST:
            raise SimulationError(
                Problem(
                    what="no trial of a million reaches the power",
                    field="target",
                    found=str(target),
                    expected="a larger effect, a smaller standard deviation or a wider margin",
                )
            )
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if power_of(least + step * middle) < target:
            too_few = middle
        else:
            enough = middle
    return least + step * enough
