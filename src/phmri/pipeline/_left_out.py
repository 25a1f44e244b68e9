"""Outcomes that are not tested: taken out, and said which and why."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import SAME_OUTCOME, DesignError, Problem
from phmri.inference import InferenceResult
from phmri.pipeline._loading import LoadedOutcomes

__all__ = ["leave_out_constant", "leave_out_untested", "refuse_same_baseline"]


def leave_out_constant(
    outcomes: LoadedOutcomes,
    before: Bool[np.ndarray, " n_rows"] | None = None,
    asked: Bool[np.ndarray, " n_rows"] | None = None,
) -> LoadedOutcomes:
    """Leave out what is the same in every participant, such as a seed's own parcel.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    before, asked : ndarray of bool of shape (n_rows,), optional
        Rows of the role ``periods`` that are the baseline of a model of all sessions, and those of
        the session asked about.

    Returns
    -------
    LoadedOutcomes
        Of several, those that vary, and whose baseline does.

    Raises
    ------
    DesignError
        Nothing varies, in any session: no estimator could tell anything. Or no baseline does, of
        several outcomes that are adjusted for it.
    """
    varies = {role: _varies(stack) for role, stack in outcomes.images.items()}
    if not np.any(list(varies.values())):
        raise DesignError(f"{SAME_OUTCOME} and session")
    if outcomes.kind == "scalar":
        return outcomes
    later = [found for role, found in varies.items() if "baseline" not in role]
    first = [found for role, found in varies.items() if "baseline" in role]
    if asked is not None:
        later.append(_varies(outcomes.images["periods"][asked]))
    if before is not None:
        given = outcomes.images["periods"][before]
        first.append(_varies(given) | np.isnan(given).all(axis=0))  # a model may do without
    same = ~np.logical_and.reduce(later)
    alike = ~same & ~np.logical_and.reduce([~same, *first])
    if same.all():
        return outcomes
    if not (~same & ~alike).any():
        raise DesignError(
            Problem(
                what="the baseline is the same in every participant",
                field="baseline",
                found=f"in all {int(alike.sum())} outcomes that vary",
                expected="measured numbers that vary, or estimator post",
            )
        )
    words = (
        _constant_words(outcomes, same),
        _constant_words(outcomes, alike, "having the same baseline in every participant"),
    )
    return _keep(outcomes, ~same & ~alike, " ".join(filter(None, words)))


def _varies(stack: Float[np.ndarray, "n_rows n_outcomes"]) -> Bool[np.ndarray, " n_outcomes"]:
    varies: Bool[np.ndarray, " n_outcomes"] = np.fmax.reduce(stack) > np.fmin.reduce(stack)
    return varies


def refuse_same_baseline(
    outcomes: LoadedOutcomes, before: Bool[np.ndarray, " n_rows"] | None
) -> None:
    """Refuse a measured number whose baseline is the same in every participant.

    Parameters
    ----------
    outcomes : LoadedOutcomes
        For a model that takes the baseline in.
    before : ndarray of bool of shape (n_rows,), or None
        As `leave_out_constant` takes it.

    Raises
    ------
    DesignError
        A score can have a floor; a number of an image that nobody differs in was not measured.
    """
    images = outcomes.images
    stack = images.get("baseline") if before is None else images["periods"][before]
    if outcomes.kind != "scalar" or stack is None:
        return
    held = stack[np.isfinite(stack)]
    if held.size > 1 and held.min() == held.max():
        raise DesignError(
            Problem(
                what="the baseline is the same in every participant",
                field="baseline",
                found=f"{float(held[0]):g}",
                expected="a measured number that varies, or estimator post",
            )
        )


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


def _constant_words(
    outcomes: LoadedOutcomes,
    flat: Bool[np.ndarray, " n_outcomes"],
    why: str = "being the same in every participant",
) -> str:
    return f"Left out, {why}: {_named(outcomes, flat)}." if flat.any() else ""


def _named(outcomes: LoadedOutcomes, chosen: Bool[np.ndarray, " n_outcomes"]) -> str:
    if outcomes.names:
        return ", ".join(sorted(np.array(outcomes.names)[chosen].tolist()))
    n_voxels = int(chosen.sum())
    return f"{n_voxels} voxel{'' if n_voxels == 1 else 's'}"
