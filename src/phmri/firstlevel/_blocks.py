r"""Weights of volumes: how much of a volume belongs to the blocks of a condition.

With :math:`u_c(t)` 1 within the blocks of condition :math:`c` and 0 elsewhere, and :math:`h` the
canonical response, the weight of volume :math:`t` is :math:`w_c(t) = \max(0, (h * u_c)(t))`: the
blocks, late and blurred as the signal is. They are worth

.. math:: n_c = \frac{(\sum_t w_c(t))^2}{\sum_t w_c(t)^2}

volumes of equal weight (Kish's effective sample size).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel.task import task_regressors

__all__ = ["BlockWeights", "block_weights", "effective_volumes", "find_short_conditions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWeights:
    """Weights of the volumes of a run, and what to make of the correlations they give.

    Parameters
    ----------
    conditions : tuple of str
    contrast : ndarray of shape (n_conditions,)
        Weights of the conditions' Fisher z; ``[1]`` for one condition alone.
    weights : ndarray of shape (n_volumes, n_conditions)
        0 or more, of all volumes of the file; their unit has no effect.
    min_volumes : float
        A condition that is worth fewer volumes is refused.
    """

    conditions: tuple[str, ...]
    contrast: Float[np.ndarray, " n_conditions"]
    weights: Float[np.ndarray, "n_volumes n_conditions"]
    min_volumes: float


def block_weights(
    onset: Float[np.ndarray, " n_events"],
    duration: Float[np.ndarray, " n_events"],
    trial_type: Sequence[str],
    *,
    contrast: Mapping[str, float],
    t_r: float,
    n_volumes: int,
    min_volumes: float,
) -> BlockWeights:
    """Weigh the volumes of a run by the blocks of conditions.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds; onsets count from the first volume of the file.
    trial_type : sequence of str
        Condition of every event.
    contrast : dict of str to float
        Weights of the conditions' Fisher z; other events are left out.
    t_r : float
        Repetition time in seconds.
    n_volumes : int
        Volumes in the file.
    min_volumes : float
        A condition that is worth fewer volumes is refused.

    Returns
    -------
    BlockWeights

    Raises
    ------
    FirstLevelError
        No condition has a weight; a condition has no event, or events without duration, or
        is worth too few volumes; an event has no finite time or lies outside the run.

    References
    ----------
    Whitfield-Gabrieli & Nieto-Castanon 2012, doi:10.1089/brain.2012.0073.

    Examples
    --------
    >>> import numpy as np
    >>> blocks = block_weights(
    ...     np.array([20.0]),
    ...     np.array([60.0]),
    ...     ["go"],
    ...     contrast={"go": 1.0},
    ...     t_r=2.0,
    ...     n_volumes=60,
    ...     min_volumes=15.0,
    ... )
    >>> round(effective_volumes(blocks.weights[:, 0]))
    31
    """
    conditions = tuple(name for name, weight in contrast.items() if weight != 0)
    if not conditions:
        raise FirstLevelError(Problem(what="no condition has a weight other than 0"))
    regressors, _ = task_regressors(
        onset, duration, trial_type, conditions=conditions, t_r=t_r, n_volumes=n_volumes
    )
    blocks = BlockWeights(
        conditions=conditions,
        contrast=np.array([float(contrast[name]) for name in conditions]),
        weights=np.maximum(regressors, 0.0),
        min_volumes=min_volumes,
    )
    kinds = np.asarray(trial_type, dtype=str)
    momentary = [name for name in conditions if not duration[kinds == name].any()]
    problems = [
        Problem(
            what="the events of a condition have no duration, and are no blocks",
            field=name,
            found=f"{int((kinds == name).sum())} events",
            expected="blocks, or a beta series of single trials",
        )
        for name in momentary
    ]
    problems += [
        problem
        for problem in find_short_conditions(blocks, np.ones(n_volumes, dtype=bool))
        if problem.field not in momentary
    ]
    if problems:
        raise FirstLevelError(*problems)
    return blocks


def effective_volumes(weights: Float[np.ndarray, " n_volumes"]) -> float:
    """Count the volumes of equal weight that would be worth as much.

    Parameters
    ----------
    weights : ndarray of shape (n_volumes,)
        0 or more.

    Returns
    -------
    float
        At most the number of volumes whose weight is not 0; 0 where all are.
    """
    power = float((weights**2).sum())
    return float(weights.sum()) ** 2 / power if power > 0 else 0.0


def find_short_conditions(
    blocks: BlockWeights, sample_mask: Bool[np.ndarray, " n_volumes"]
) -> tuple[Problem, ...]:
    """Find conditions whose volumes are too few.

    Parameters
    ----------
    blocks : BlockWeights
    sample_mask : ndarray of shape (n_volumes,)
        True for the volumes that are kept.

    Returns
    -------
    tuple of Problem
        One per condition, with its name as the field.
    """
    worth = [effective_volumes(column) for column in blocks.weights[sample_mask].T]
    return tuple(
        Problem(
            what="the blocks of a condition are worth too few volumes",
            field=name,
            found=f"{found:.1f} effective volumes of {int(sample_mask.sum())}",
            expected=f"at least {blocks.min_volumes:g}",
        )
        for name, found in zip(blocks.conditions, worth, strict=True)
        if found < blocks.min_volumes
    )
