"""Prediction of a score in participants who taught nothing."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group.association._check import codes_of, data_problems, length_problems
from phmri.group.association._records import Prediction, Ridge
from phmri.group.association._ridge import predict_fold

__all__ = ["predict_across_folds"]

FEWEST = 3
TIE = 1e-12


def predict_across_folds(
    features: Float[np.ndarray, "n_rows n_features"],
    score: Float[np.ndarray, " n_participants"],
    folds: Int[np.ndarray, " n_folded"],
    *,
    model: Ridge | None = None,
    groups: Sequence[str] | None = None,
    n_permutations: int = 0,
    seed: int = 0,
) -> Prediction:
    r"""Predict a score from features across folds of participants.

    Parameters
    ----------
    features : ndarray of shape (n_participants, n_features)
        One row per participant, in any unit: they are standardised in every training set.
    score : ndarray of shape (n_participants,)
        In points of the scale.
    folds : ndarray of shape (n_participants,)
        Fold of each participant, as `assign_folds` deals them; ``arange`` leaves one out.
    model : Ridge, optional
        Penalties and number of features; by default ridge over all features.
    groups : sequence of str, optional
        Arm of each participant: scores change places within their arm only. What the arms differ
        in counts in ``r2``, and equally in every shuffling.
    n_permutations : int, default 0
        Shuffled scores, each taken through the whole of selection, fitting and prediction.
    seed : int, default 0
        Shuffling k draws from a stream of its own.

    Returns
    -------
    Prediction
        Of every participant from the folds without the participant.

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, the score does not vary, a training set
        has fewer than three participants or no more than the features of an unpenalised model,
        or a setting is out of range.

    Notes
    -----
    :math:`R^2 = 1 - \sum_i (s_i-\hat s_i)^2 / \sum_i (s_i-\bar s_{-i})^2` with the mean of the
    training set as reference. Selection, standardisation and the penalty are learnt in the
    training set alone; the penalty by its leave-one-out error in closed form, given the selected
    features: a choice that can be less than best, but that has seen no one it is judged on. A
    penalty is :math:`\lambda` over the number of features, the ratio of noise to explained
    variance for which, with uncorrelated features, ridge is the posterior mean.
    :math:`p = (b+1)/(m+1)` over b of m shufflings with an :math:`R^2` as large [1]_. Across folds
    of tens of participants :math:`R^2` is uncertain, more so than any one number tells [2]_.

    References
    ----------
    .. [1] Phipson and Smyth (2010), doi:10.2202/1544-6115.1585.
    .. [2] Varoquaux (2018), doi:10.1016/j.neuroimage.2017.06.061.
    """
    model = Ridge() if model is None else model
    problems = [
        *data_problems({"features": features, "score": score}, score.size),
        *length_problems({"folds": folds.size}, score.size),
        *length_problems({} if groups is None else {"groups": len(groups)}, score.size),
        *_setting_problems(model, n_permutations),
    ]
    if not problems:
        problems = _fold_problems(features.shape[1], score, folds, model)
    if problems:
        raise DesignError(*problems)
    features = features.astype(np.float64)
    codes = codes_of(groups, score.size)
    shuffled = [score[_shuffle(codes, seed, k)] for k in range(n_permutations)]
    predicted, reference, r2 = _evaluate(features, np.stack([score, *shuffled], 1), folds, model)
    fitted = predict_fold(features, features, score[:, None], model)[:, 0]
    reached = int(np.sum(r2[1:] >= r2[0] - TIE))
    varies = np.ptp(predicted[:, 0]) > 0
    return Prediction(
        predicted=predicted[:, 0],
        reference=reference[:, 0],
        folds=folds.astype(np.int64),
        r2=float(r2[0]),
        correlation=float(np.corrcoef(predicted[:, 0], score)[0, 1]) if varies else float("nan"),
        mean_absolute_error=float(np.abs(predicted[:, 0] - score).mean()),
        r2_in_sample=float(
            1 - np.sum((score - fitted) ** 2) / np.sum((score - score.mean()) ** 2)
        ),
        null=r2[1:],
        pvalue=(reached + 1) / (n_permutations + 1) if n_permutations else float("nan"),
    )


def _evaluate(
    features: Float[np.ndarray, "n_rows n_features"],
    scores: Float[np.ndarray, "n_rows n_scores"],
    folds: Int[np.ndarray, " n_rows"],
    model: Ridge,
) -> tuple[
    Float[np.ndarray, "n_rows n_scores"],
    Float[np.ndarray, "n_rows n_scores"],
    Float[np.ndarray, " n_scores"],
]:
    """Predict every fold from the others: predictions, training means, R squared."""
    predicted, reference = np.empty_like(scores), np.empty_like(scores)
    for fold in np.unique(folds):
        out = folds == fold
        predicted[out] = predict_fold(features[~out], features[out], scores[~out], model)
        reference[out] = scores[~out].mean(axis=0)
    error = np.sum((scores - predicted) ** 2, axis=0)
    return predicted, reference, 1 - error / np.sum((scores - reference) ** 2, axis=0)


def _shuffle(
    codes: Int[np.ndarray, " n_rows"], seed: int, number: int
) -> Int[np.ndarray, " n_rows"]:
    """Draw an order of rows within their groups, from the stream of its own number."""
    stream = np.random.SeedSequence(seed, spawn_key=(number,))
    keys = np.random.Generator(np.random.PCG64(stream)).random(codes.size)
    order = np.empty(codes.size, dtype=np.int64)
    order[np.argsort(codes, kind="stable")] = np.lexsort((keys, codes))
    return order


def _setting_problems(model: Ridge, n_permutations: int) -> list[Problem]:
    """Name settings out of range."""
    problems = []
    if n_permutations < 0:
        problems.append(
            Problem(
                what="a negative number of shufflings",
                field="n_permutations",
                found=str(n_permutations),
                expected="0 or more",
            )
        )
    if not model.penalties or not all(0 <= penalty < np.inf for penalty in model.penalties):
        problems.append(
            Problem(
                what="penalties that are none",
                field="model.penalties",
                found=str(model.penalties),
                expected="at least one, each 0 or more",
            )
        )
    if model.n_selected is not None and model.n_selected < 1:
        problems.append(
            Problem(
                what="no feature selected",
                field="model.n_selected",
                found=str(model.n_selected),
                expected="1 or more, or None",
            )
        )
    return problems


def _fold_problems(
    n_features: int,
    score: Float[np.ndarray, " n_rows"],
    folds: Int[np.ndarray, " n_rows"],
    model: Ridge,
) -> list[Problem]:
    """Name folds that leave too little to learn from."""
    smallest = int(score.size - np.unique(folds, return_counts=True)[1].max())
    used = min(n_features, model.n_selected or n_features)
    problems = []
    if smallest < FEWEST:
        problems.append(
            Problem(
                what="a training set that is too small",
                field="folds",
                found=str(smallest),
                expected=f"{FEWEST} participants or more",
            )
        )
    elif min(model.penalties) == 0 and used > smallest - 2:
        problems.append(
            Problem(
                what="more features than an unpenalised model can carry",
                field="model",
                found=f"{used} features, {smallest} participants in the smallest training set",
                expected=f"at most {smallest - 2} features, or penalties above 0",
            )
        )
    if np.ptp(score) == 0:
        problems.append(Problem(what="the score does not vary", field="score"))
    return problems
