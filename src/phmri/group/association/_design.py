"""The association as a linear model, to be tested by shuffling like any other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._exchangeability import exchange_within
from phmri.group._records import UnitDesign
from phmri.group.association._check import (
    codes_of,
    data_problems,
    length_problems,
    nuisance_columns,
)
from phmri.group.association._correlate import Method, left_of_score, ranked, within_problems

__all__ = ["association_design"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """What has a mean of its own, in words."""

    null: str
    words: str
    model: str
    doi: str = "doi:10.1016/j.neuroimage.2014.01.060"


_EVERYONE = _Blocks(null="", words="Participants change places.", model="")
_ARMS = _Blocks(
    null=" in any arm",
    words="Participants change places within their arm.",
    model=" with a mean per arm",
)
_PARTICIPANTS = _Blocks(
    null=" within any participant",
    words="Sessions change places within their participant.",
    model=" with a mean per participant",
    doi="doi:10.3389/fpsyg.2017.00456",
)


def association_design(
    score: Float[np.ndarray, " n_participants"],
    *,
    subjects: Sequence[str],
    method: Method = "pearson",
    nuisance: Float[np.ndarray, "n_others n_nuisance"] | None = None,
    groups: Sequence[str] | None = None,
    repeated: bool = False,
) -> UnitDesign:
    r"""Make the linear model whose contrast is the slope of every outcome on a score.

    Parameters
    ----------
    score : ndarray of shape (n_rows,)
        In points of the scale.
    subjects : sequence of str
        Participant of each row.
    method : {"pearson", "spearman"}, default "pearson"
        Spearman: score and nuisance are ranked here; give ranks of the outcomes too, or ask the
        inference for the statistic ``rank``.
    nuisance : ndarray of shape (n_rows, n_nuisance), optional
        Taken out of both.
    groups : sequence of str, optional
        Arm of each participant; arms have means of their own, and participants change places
        within their arm only.
    repeated : bool, default False
        Rows are sessions of ``subjects``: these take the place of ``groups``, each with a mean
        of its own, and sessions change places within their participant only.

    Returns
    -------
    UnitDesign
        Its effect is in the measure's unit per point of the scale (per rank for Spearman).

    Raises
    ------
    DesignError
        When shapes do not fit, a value is not finite, repeated rows are given groups, or too
        little of the score or of the rows is left beside groups and nuisance.

    Notes
    -----
    The t of the slope of y on s equals that of the correlation without nuisance, whichever is
    called the response: :math:`r = t/\sqrt{t^2+\nu}`. Shuffling what the nuisance leaves of the
    outcomes [1]_, all outcomes of a participant together, gives p of the largest correlation
    over all outcomes. Within participants the r is repeated measures correlation [2]_, and
    shuffling takes any two sessions of a participant to be equally correlated.

    References
    ----------
    .. [1] Freedman and Lane (1983), doi:10.1080/07350015.1983.10509354.
    .. [2] Bakdash and Marusich (2017), doi:10.3389/fpsyg.2017.00456.
    """
    n = score.size
    lengths = {"subjects": len(subjects)} | ({} if groups is None else {"groups": len(groups)})
    problems = [
        *data_problems({"score": score, "nuisance": nuisance}, n),
        *length_problems(lengths, n),
    ]
    if repeated and groups is not None:
        problems.append(
            Problem(what="groups beside participants, which hold them", field="groups")
        )
    if problems:
        raise DesignError(*problems)
    if method == "spearman":
        score = ranked(score)
        nuisance = None if nuisance is None else ranked(nuisance)
    codes = codes_of(subjects if repeated else groups, n)
    basis = nuisance_columns(codes, nuisance)
    _, problems = left_of_score(score, basis)
    if problems:
        raise DesignError(*(within_problems(problems) if repeated else problems))
    blocks = (
        _PARTICIPANTS if repeated else _ARMS if groups is not None and codes.any() else _EVERYONE
    )
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
            null=f"no outcome depends on the score{beside}{blocks.null}",
            words=blocks.words,
        ),
        notes=("A correlation picked because it is large is too large to be an estimate.",),
        sentences=(
            "The outcome was regressed on the score"
            + (", ranked," if method == "spearman" else "")
            + blocks.model
            + ("; nuisance variables were part of the model" if nuisance is not None else "")
            + f" [{blocks.doi}].",
        ),
    )
