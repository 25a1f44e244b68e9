"""What the coverage of an interval may be."""

from phmri.exceptions import Problem

__all__ = ["confidence_problems"]


def confidence_problems(confidence: float) -> list[Problem]:
    """Name a confidence that is not a probability.

    Parameters
    ----------
    confidence : float
        Of an interval.

    Returns
    -------
    list of Problem
        Empty between 0 and 1.
    """
    if 0 < confidence < 1:
        return []
    return [
        Problem(
            what="a confidence that is not a probability",
            field="confidence",
            found=str(confidence),
            expected="between 0 and 1, e.g. 0.95",
        )
    ]
