"""What is refused before a blockade is judged."""

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem
from phmri.group._records import JointEstimate

__all__ = ["estimate_problems", "joint_problems", "level_problems"]

NOT_ESTIMABLE = 3


def level_problems(field: str, value: float, highest: float = 1.0) -> list[Problem]:
    """Tell when a probability is not one.

    Parameters
    ----------
    field : str
        Its name.
    value : float
        What was given.
    highest : float, default 1.0
        It must be below.

    Returns
    -------
    list of Problem
        Empty when all is well.
    """
    if 0.0 < value < highest:
        return []
    return [
        Problem(
            what="not a probability that can be used",
            field=field,
            found=str(value),
            expected=f"a number between 0 and {highest:g}",
        )
    ]


def estimate_problems(
    variance: Float[np.ndarray, " n_outcomes"],
    df: float | Float[np.ndarray, " n_outcomes"],
    field: str,
) -> list[Problem]:
    """Tell when a variance or its degrees of freedom are not positive.

    Parameters
    ----------
    variance : ndarray of shape (n_outcomes,)
        Squared unit of the measure; NaN passes, for an outcome without an estimate.
    df : float or ndarray of shape (n_outcomes,)
        Degrees of freedom.
    field : str
        Whose they are.

    Returns
    -------
    list of Problem
        Empty when all is well.
    """
    found = []
    for name, values in (("variance", variance), ("degrees of freedom", np.asarray(df))):
        bad = int((values <= 0).sum())
        if bad:
            found.append(
                Problem(
                    what=f"{name} of an effect must be positive",
                    field=field,
                    found=f"{bad} of {values.size} are not",
                )
            )
    return found


def joint_problems(joint: JointEstimate, names: tuple[str, ...]) -> list[Problem]:
    """Tell what of a joint estimate cannot be used.

    Parameters
    ----------
    joint : JointEstimate
        Contrasts of one model.
    names : tuple of str
        Contrasts that are needed.

    Returns
    -------
    list of Problem
        Missing contrasts, values that are not finite outside status 3, variances and degrees of
        freedom that are not positive.
    """
    absent = [name for name in names if name not in joint.names]
    if absent:
        return [
            Problem(
                what="contrasts are missing",
                field=", ".join(absent),
                found=", ".join(joint.names) or "none",
                expected=", ".join(names),
            )
        ]
    fitted = joint.status != NOT_ESTIMABLE
    rows = [joint.names.index(name) for name in names]
    covariance = joint.covariance[fitted][:, rows][:, :, rows]
    effect, df = joint.effect[rows][:, fitted], joint.df[rows][:, fitted]
    bad = ~np.isfinite(effect).all(axis=0) | np.isnan(df).any(axis=0)
    bad |= ~np.isfinite(covariance).all(axis=(1, 2))
    found = []
    if bad.any():
        found.append(
            Problem(
                what="values that are not finite",
                field=", ".join(names),
                found=f"{int(bad.sum())} of {joint.status.size} outcomes",
                expected="finite numbers, or status 3 where there is no estimate",
            )
        )
    for k, name in enumerate(names):
        found += estimate_problems(covariance[:, k, k], df[k], name)
    return found
