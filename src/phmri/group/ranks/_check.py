"""What scores may be compared."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem
from phmri.group._confidence import confidence_problems

__all__ = ["group_problems", "score_problems"]


def score_problems(scores: Mapping[str, Float[np.ndarray, " n_scores"]]) -> list[Problem]:
    """Name scores that are not finite.

    Parameters
    ----------
    scores : mapping of str to ndarray of shape (n_scores,)
        By the name of the argument.

    Returns
    -------
    list of Problem
        Empty if all are finite.
    """
    return [
        Problem(
            what="scores that are not finite",
            field=name,
            found=str(int(np.sum(~np.isfinite(values)))),
            expected="none missing",
        )
        for name, values in scores.items()
        if not np.isfinite(values).all()
    ]


def group_problems(
    first: Float[np.ndarray, " n_first"],
    second: Float[np.ndarray, " n_second"],
    *,
    fewest: int,
    confidence: float = 0.95,
) -> list[Problem]:
    """Name what keeps two groups from being compared.

    Parameters
    ----------
    first : ndarray of shape (n_first,)
        Scores of one group.
    second : ndarray of shape (n_second,)
        Scores of the other.
    fewest : int
        Participants that each must have.
    confidence : float, default 0.95
        Of an interval.

    Returns
    -------
    list of Problem
        Empty if they can be compared.
    """
    groups = {"first": first, "second": second}
    problems = score_problems(groups)
    problems += [
        Problem(
            what="too few participants to compare",
            field=name,
            found=str(values.size),
            expected=f"{fewest} or more",
        )
        for name, values in groups.items()
        if values.size < fewest
    ]
    if not problems and np.ptp(np.concatenate([first, second])) == 0:
        problems.append(Problem(what="all participants have the same score"))
    return [*problems, *confidence_problems(confidence)]
