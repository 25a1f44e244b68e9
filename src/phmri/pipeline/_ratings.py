"""Scores of scales as the outcomes of questions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phmri.dataset import DatasetCheck, DatasetIndex, read_scale
from phmri.pipeline._loading import LoadedOutcomes, RunKey
from phmri.pipeline._provenance import hash_parameters
from phmri.protocol import Protocol, Question

__all__ = [
    "Rating",
    "gather_ratings",
    "load_ratings",
    "rating_values",
    "scale_file",
    "score_of",
    "scores_before",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One person rated in one session.

    Parameters
    ----------
    key : RunKey
        Participant, session and scale.
    score : float
    subscales : dict of str to float
        NaN where too few items were answered.
    excluded : str
        Why it may not be used; empty when it may.
    """

    key: RunKey
    score: float
    subscales: dict[str, float]
    excluded: str = ""

    @property
    def step_key(self) -> str:  # numpydoc ignore=RT01
        """What it says."""
        return hash_parameters({"score": self.score, "subscales": self.subscales})


def gather_ratings(
    protocol: Protocol, index: DatasetIndex, check: DatasetCheck
) -> dict[RunKey, Rating]:
    """Read the scales that are asked about.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck

    Returns
    -------
    dict of (participant, session, scale) to Rating
        Those that the check calls ``ok``.
    """
    at_hand = {(c.subject, c.session, c.scan) for c in check.ratings if c.status == "ok"}
    found = {}
    for name in sorted({scale for _, _, scale in at_hand}):
        table = read_scale(index, protocol, name)
        for row in table.to_dict(orient="records"):
            key = (str(row["participant"]), str(row["session"]), name)
            if key in at_hand:
                subscales = {part: float(row[part]) for part in protocol.scales[name].subscales}
                found[key] = Rating(key=key, score=float(row["score"]), subscales=subscales)
    return found


def scale_file(protocol: Protocol, index: DatasetIndex, name: str) -> Path:
    """Say where the ratings of a scale stand.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    name : str

    Returns
    -------
    Path
    """
    return index.root / "phenotype" / f"{protocol.scales[name].file or name}.tsv"


def score_of(rating: Rating, part: str | None) -> float:
    """Give the score, or that of a subscale.

    Parameters
    ----------
    rating : Rating
    part : str or None

    Returns
    -------
    float
    """
    return rating.score if part is None else rating.subscales[part]


def scores_before(
    question: Question,
    runs: Mapping[str, Sequence[object]],
    subjects: Sequence[str],
    visits: Sequence[tuple[str, str | int]],
) -> dict[str, float] | None:
    """Give the scores before treatment of those who answer a question of a parallel trial.

    Parameters
    ----------
    question : Question
    runs : mapping of str to sequence
        Per role, what outcomes come from, as `find_units` gives it.
    subjects : sequence of str
        Of every row of roles of one row per participant.
    visits : sequence of (participant, visit)
        Of every row of the role ``periods``.

    Returns
    -------
    dict of str to float, or None
        Participant -> score; None where outcomes are no scores or there is no baseline.
    """
    members = runs.get("baseline", ())
    rows = list(zip(subjects, members, strict=bool(members)))
    if "periods" in runs:
        pairs = zip(visits, runs["periods"], strict=True)
        rows = [(subject, item) for (subject, visit), item in pairs if visit == question.baseline]
    found = {
        subject: score_of(item, question.map) for subject, item in rows if isinstance(item, Rating)
    }
    return found or None


def load_ratings(question: Question, ratings: Mapping[str, Sequence[Rating]]) -> LoadedOutcomes:
    """Give the scores that answer a question.

    Parameters
    ----------
    question : Question
    ratings : mapping of str to sequence of Rating
        Per role, in the order of the participants.

    Returns
    -------
    LoadedOutcomes
        One number per row.
    """
    return LoadedOutcomes(
        kind="scalar",
        images={
            role: np.array([[score_of(rating, question.map)] for rating in members])
            for role, members in ratings.items()
        },
        names=(question.map or question.measure,),
        mask=None,
        affine=None,
        weights=None,
        note="",
    )


def rating_values(question: Question, ratings: Iterable[Rating]) -> dict[RunKey, float]:
    """Give the score of everyone in every session.

    Parameters
    ----------
    question : Question
    ratings : iterable of Rating

    Returns
    -------
    dict of RunKey to float
    """
    return {
        rating.key: score_of(rating, question.map)
        for rating in ratings
        if rating.key[2] == question.measure
    }
