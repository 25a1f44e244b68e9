"""The association as a linear model, to be tested by shuffling like any other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError
from phmri.group._exchangeability import exchange_within
from phmri.group._records import UnitDesign
from phmri.group.association._check import (
    codes_of,
    data_problems,
    length_problems,
    nuisance_columns,
)
from phmri.group.association._correlate import Method, left_of_score, ranked

__all__ = ["association_design"]


def association_design(
    score: Float[np.ndarray, " n_participants"],
    *,
    subjects: Sequence[str],
    method: Method = "pearson",
    nuisance: Float[np.ndarray, "n_others n_nuisance"] | None = None,
    groups: Sequence[str] | None = None,
) -> UnitDesign:
    r"""Make the linear model whose contrast is the slope of every outcome on a score.

    Parameters
    ----------
    score : ndarray of shape (n_participants,)
        In points of the scale.
    subjects : sequence of str
        Participant of each row.
    method : {"pearson", "spearman"}, default "pearson"
        Spearman: score and nuisance are ranked here; give ranks of the outcomes too, or ask the
        inference for the statistic ``rank``.
    nuisance : ndarray of shape (n_participants, n_nuisance), optional
        Taken out of both.
    groups : sequence of str, optional
        Arm of each participant; arms have means of their own, and participants change places
        within their arm only.

    Returns
    -------
    UnitDesign
        Its effect is in the measure's unit per point of the scale (per rank for Spearman).

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, or too little of the score or of the
        participants is left beside groups and nuisance.

    Notes
    -----
    The t of the slope of y on s equals that of the correlation without nuisance, whichever is
    called the response: :math:`r = t/\sqrt{t^2+\nu}`. Shuffling what the nuisance leaves of the
    outcomes [1]_, all outcomes of a participant together, gives p of the largest correlation
    over all outcomes.

    References
    ----------
    .. [1] Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354.
    """
    n = score.size
    lengths = {"subjects": len(subjects)} | ({} if groups is None else {"groups": len(groups)})
    problems = [
        *data_problems({"score": score, "nuisance": nuisance}, n),
        *length_problems(lengths, n),
    ]
    if problems:
        raise DesignError(*problems)
    if method == "spearman":
        score = ranked(score)
        nuisance = None if nuisance is None else ranked(nuisance)
    codes = codes_of(groups, n)
    basis = nuisance_columns(codes, nuisance)
    _, problems = left_of_score(score, basis)
    if problems:
        raise DesignError(*problems)
    many = groups is not None and int(codes.max()) > 0
    beside = " beside the nuisance" if nuisance is not None else ""
    return UnitDesign(
        estimator="post",
        subjects=tuple(subjects),
        groups=tuple(groups) if groups is not None else ("",) * n,
        X=np.column_stack([score, basis]),
        columns=("score", *(f"nuisance_{k}" for k in range(1, basis.shape[1] + 1))),
        contrast=np.eye(basis.shape[1] + 1)[0],
        voxelwise_baseline=False,
        exchangeability=exchange_within(
            codes,
            null=f"no outcome depends on the score{beside}{' in any arm' if many else ''}",
            words=f"Participants change places{' within their arm' if many else ''}.",
        ),
        notes=("A correlation picked because it is large is too large to be an estimate.",),
        sentences=(
            "The outcome was regressed on the score"
            + (", ranked," if method == "spearman" else "")
            + (" with a mean per arm" if many else "")
            + ("; nuisance variables were part of the model" if nuisance is not None else "")
            + " [doi:10.1016/j.neuroimage.2014.01.060].",
        ),
    )
