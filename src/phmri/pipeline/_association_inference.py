"""Correlation of a score with one outcome or with all of them, and its p."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.group import Correlation, UnitDesign, correlate
from phmri.inference import InferenceResult, Space, infer
from phmri.pipeline._association_parts import AssociationPart
from phmri.protocol import Association, Inference

__all__ = ["correlate_part", "infer_part"]

EXACT = 1e-12
"""Distance of r from 1 or -1 below which an outcome goes with the score exactly."""
ERROR = 1e-9
"""Error added to such an outcome, relative to its length. Its square, and that of any shuffling
that fits as exactly, lies far below what statistics grow no more beyond, so that they tie."""


def correlate_part(
    part: AssociationPart,
    column: Float[np.ndarray, "n_part 1"],
    method: str,
    confidence: float,
) -> Correlation:
    """Correlate one outcome with the score.

    Parameters
    ----------
    part : AssociationPart
    column : ndarray of shape (n_part, 1)
        NaN where there is none.
    method : {"pearson", "spearman"}
    confidence : float
        Of the interval.

    Returns
    -------
    Correlation
    """
    has = np.isfinite(column[:, 0])
    return correlate(
        column[has],
        part.score[has],
        method="spearman" if method == "spearman" else "pearson",
        nuisance=None if part.nuisance is None else part.nuisance[has],
        groups=None if part.blocks is None else np.array(part.blocks)[has].tolist(),
        confidence=confidence,
    )


def infer_part(
    design: UnitDesign,
    Y: Float[np.ndarray, "n_part n_outcomes"],
    item: Association,
    settings: Inference,
    *,
    space: Space | None,
    n_threads: int,
) -> InferenceResult:
    """Test the correlation with every outcome.

    Parameters
    ----------
    design : UnitDesign
        Of the part.
    Y : ndarray of shape (n_part, n_outcomes)
    item : Association
    settings : Inference
    space : Space or None
        Where the outcomes lie beside each other.
    n_threads : int

    Returns
    -------
    InferenceResult
        An r of exactly 1 or -1, of which t is infinite, is tested by counting as any other.
    """
    ranks = item.method == "spearman"
    if ranks and np.isfinite(Y).all():
        Y = np.asarray(stats.rankdata(Y, axis=0), dtype=np.float64)
    if ranks:
        settings = settings.model_copy(update={"statistic": "rank"})
    tested, exact = _with_error(design, Y)
    if exact and ranks:
        # They are ranks already, and ranking them again would undo the error.
        settings = settings.model_copy(update={"statistic": "t"})
    return infer(
        design,
        tested,
        None,
        settings,
        alternative=item.alternative,
        space=space,
        n_threads=n_threads,
    )


def _with_error(
    design: UnitDesign, Y: Float[np.ndarray, "n_part n_outcomes"]
) -> tuple[Float[np.ndarray, "n_part n_outcomes"], bool]:
    """Add an error that changes no answer to what goes with the score exactly, if anything."""
    basis = design.X[:, 1:]
    score = design.X[:, 0] - basis @ (basis.T @ design.X[:, 0])
    score /= np.linalg.norm(score)
    left = Y - basis @ (basis.T @ Y)
    length = np.linalg.norm(left, axis=0)
    varies = length > ERROR * np.linalg.norm(Y, axis=0)
    exact = varies & (np.abs(score @ left) >= (1 - EXACT) * length)
    if not exact.any():
        return Y, False
    error = np.cos(np.arange(len(Y)) ** 2.0)
    model = np.column_stack([basis, score])
    error -= model @ (model.T @ error)
    error /= np.linalg.norm(error)
    return np.where(exact, Y + ERROR * length * error[:, None], Y), True
