"""What the topics of a protocol share: a trial of a size, and a direction."""

from phmri.protocol import Protocol
from phmri.simulation.power._asked import Asked
from phmri.simulation.power._records import PowerPlan
from phmri.simulation.power._scalar import Case
from phmri.simulation.power._tested import Noise

__all__ = ["case_of", "sign_of"]


def case_of(protocol: Protocol, plan: PowerPlan, asked: Asked, n: int, correlation: float) -> Case:
    """Give a trial of a size, in standard deviations between people.

    Parameters
    ----------
    protocol : Protocol
    plan : PowerPlan
    asked : Asked
    n : int
        Participants per arm, or in the whole crossover.
    correlation : float
        Of two sessions of one person.

    Returns
    -------
    Case
    """
    noise = Noise(correlation=correlation, missing=plan.missing)
    return Case(question=asked.question, design=protocol.design, n=n, noise=noise)


def sign_of(alternative: str) -> float:
    """Give the direction in which an effect is planted.

    Parameters
    ----------
    alternative : str

    Returns
    -------
    float
        -1 where the test looks for less, else 1.
    """
    return -1.0 if alternative == "less" else 1.0
