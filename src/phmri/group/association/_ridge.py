"""Ridge regression of many scores on the same features at once."""

import numpy as np
from jaxtyping import Float

from phmri.group.association._records import Ridge

__all__ = ["predict_fold"]

NEGLIGIBLE = 1e-10
"""Singular value or its square, relative to the largest, that counts as zero."""


def predict_fold(
    train: Float[np.ndarray, "n_train n_features"],
    test: Float[np.ndarray, "n_test n_features"],
    scores: Float[np.ndarray, "n_train n_scores"],
    model: Ridge,
) -> Float[np.ndarray, "n_test n_scores"]:
    """Learn from the training rows alone, and predict the others.

    Parameters
    ----------
    train, test : ndarray of shape (n_train, n_features), (n_test, n_features)
        Features.
    scores : ndarray of shape (n_train, n_scores)
        Scores, or shufflings of one.
    model : Ridge
        Penalties and number of features.

    Returns
    -------
    ndarray of shape (n_test, n_scores)
        Predictions, in the unit of the score.
    """
    centre, scale = train.mean(axis=0), train.std(axis=0)
    # A feature that is constant in training teaches nothing, and gets a slope of 0.
    scale[scale <= NEGLIGIBLE * np.abs(train).max(axis=0)] = np.inf
    train, test = (train - centre) / scale, (test - centre) / scale
    mean = scores.mean(axis=0)
    centred = scores - mean
    if model.n_selected is None or model.n_selected >= train.shape[1]:
        return np.asarray(mean + _ridge(train, test, centred, model.penalties))
    predicted = np.empty((len(test), scores.shape[1]))
    for k, column in enumerate(centred.T):
        best = np.argsort(-np.abs(column @ train), kind="stable")[: model.n_selected]
        predicted[:, k] = _ridge(train[:, best], test[:, best], column[:, None], model.penalties)[
            :, 0
        ]
    return np.asarray(mean + predicted)


def _ridge(
    train: Float[np.ndarray, "n_train n_features"],
    test: Float[np.ndarray, "n_test n_features"],
    centred: Float[np.ndarray, "n_train n_scores"],
    penalties: tuple[float, ...],
) -> Float[np.ndarray, "n_test n_scores"]:
    """Choose the penalty by leaving one training row out, in closed form, and predict."""
    U, S, along = _axes(train, test)
    projected = U.T @ centred
    lambdas = np.array(penalties) * train.shape[1]
    gains = S / (S**2 + lambdas[:, None])
    chosen = np.zeros(centred.shape[1], dtype=np.int64)
    if len(penalties) > 1:
        errors = np.empty((len(penalties), centred.shape[1]))
        for k, shrink in enumerate(gains * S):
            leverage = 1 / len(train) + U**2 @ shrink
            rest = (centred - U @ (shrink[:, None] * projected)) / (1 - leverage)[:, None]
            errors[k] = np.einsum("ij,ij->j", rest, rest)
        chosen = errors.argmin(axis=0)
    return np.asarray(along @ (gains[chosen].T * projected))


def _axes(
    train: Float[np.ndarray, "n_train n_features"], test: Float[np.ndarray, "n_test n_features"]
) -> tuple[
    Float[np.ndarray, "n_train rank"],
    Float[np.ndarray, " rank"],
    Float[np.ndarray, "n_test rank"],
]:
    """Give left singular vectors, singular values, and the test rows along the right ones."""
    if train.shape[1] <= len(train):
        U, S, V = np.linalg.svd(train, full_matrices=False)
        kept = NEGLIGIBLE * S[0] < S
        return U[:, kept], S[kept], test @ V[kept].T
    # Of many features all that is needed are inner products of rows; squares halve the digits.
    squares, U = np.linalg.eigh(train @ train.T)
    kept = squares > NEGLIGIBLE * squares[-1]
    U, S = U[:, kept], np.sqrt(squares[kept])
    return U, S, (test @ train.T) @ U / S
