"""Outcomes that are not tested: taken out, and said which and why."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from phmri.exceptions import SAME_OUTCOME, DesignError
from phmri.inference import InferenceResult
from phmri.pipeline._loading import LoadedOutcomes

__all__ = ["leave_out_constant", "leave_out_untested"]


def leave_out_constant(outcomes: LoadedOutcomes) -> LoadedOutcomes:
    """Leave out what is the same in every participant, such as a seed's own parcel.

    Parameters
    ----------
    outcomes : LoadedOutcomes

    Returns
    -------
    LoadedOutcomes

    Raises
    ------
    DesignError
        Nothing varies, in any session: no estimator could tell anything.
    """
    spread = [
        np.nanmax(stack, axis=0) > np.nanmin(stack, axis=0) for stack in outcomes.images.values()
    ]
    if not np.any(spread):
        raise DesignError(f"{SAME_OUTCOME} and session")
    varies = np.logical_and.reduce(spread)
    if outcomes.kind == "scalar" or not varies.any():
        return outcomes
    return _keep(outcomes, varies, _constant_words(outcomes, ~varies))


def leave_out_untested(
    outcomes: LoadedOutcomes,
    result: InferenceResult,
    *,
    searched: Bool[np.ndarray, " n_outcomes"] | None,
    by_model: bool = False,
) -> LoadedOutcomes:
    """Leave out what inference did not test.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    result : InferenceResult
        Of the same outcomes.
    searched : ndarray of bool of shape (n_outcomes,) or None
        The small volume that was searched, if one was.
    by_model : bool, default False
        p-values come from a model that is fitted to each outcome, and need not converge.

    Returns
    -------
    LoadedOutcomes
    """
    inside = np.ones(result.tested.size, dtype=bool) if searched is None else searched
    lost = inside & ~result.tested
    sparse = lost & (result.n_per_outcome < result.n_per_outcome.max())
    words = [] if by_model else [_constant_words(outcomes, lost & ~sparse)]
    if by_model and lost.any():
        words.append(f"Left out, as the model could not be fitted: {_named(outcomes, lost)}.")
        sparse &= False
    if sparse.any():
        words.append(f"Left out, having data in too few of a group: {_named(outcomes, sparse)}.")
    if not inside.all():
        beside = _named(outcomes, ~inside)
        words.append(f"{beside} beside those searched served to estimate the smoothness.")
    return _keep(outcomes, result.tested, " ".join(filter(None, words)))


def _keep(
    outcomes: LoadedOutcomes, kept: Bool[np.ndarray, " n_outcomes"], words: str
) -> LoadedOutcomes:
    if kept.all():
        return outcomes
    mask = None
    if outcomes.mask is not None:
        mask = outcomes.mask.copy()
        mask[outcomes.mask] = kept
    return replace(
        outcomes,
        images={role: stack[:, kept] for role, stack in outcomes.images.items()},
        names=outcomes.names and tuple(np.array(outcomes.names)[kept].tolist()),
        mask=mask,
        note=f"{outcomes.note} {words}".strip(),
    )


def _constant_words(outcomes: LoadedOutcomes, flat: Bool[np.ndarray, " n_outcomes"]) -> str:
    if not flat.any():
        return ""
    return f"Left out, being the same in every participant: {_named(outcomes, flat)}."


def _named(outcomes: LoadedOutcomes, chosen: Bool[np.ndarray, " n_outcomes"]) -> str:
    if outcomes.names:
        return ", ".join(sorted(np.array(outcomes.names)[chosen].tolist()))
    n_voxels = int(chosen.sum())
    return f"{n_voxels} voxel{'' if n_voxels == 1 else 's'}"
