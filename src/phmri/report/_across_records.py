"""What is said across questions, and of associations with a scale."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AssociationContent",
    "CircularContent",
    "EventContent",
    "FamilyContent",
    "FamilyMemberContent",
    "PredictionContent",
    "ReadingContent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyMemberContent:
    """A question in its family.

    Parameters
    ----------
    question : str
        Of a question or an association.
    pvalue, adjusted_pvalue : float or None
        Before and after the family's correction; None where the question was refused.
    verdict : str
        At the family's alpha: ``found``, ``not found``, ``refused``, or ``not tested`` where the
        order of a fixed sequence does not reach it.
    """

    question: str
    pvalue: float | None
    adjusted_pvalue: float | None
    verdict: Literal["found", "not found", "refused", "not tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyContent:
    """Questions that share an error rate by their p-values.

    Parameters
    ----------
    name : str
    correction : str
        In words; citations as ``[doi:...]``.
    alpha : float
        Of the whole family.
    rows : tuple of FamilyMemberContent
        In the order of the protocol, or of the fixed sequence.
    """

    name: str
    correction: str
    alpha: float
    rows: tuple[FamilyMemberContent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContent:
    """An intercurrent event: who had it, and what was done with the data that it touched.

    Parameters
    ----------
    label : str
    source : str
        Column, value and table that say who had it.
    strategy : str
        As in the protocol.
    n_per_group : dict of str to int
        Participants that had it, per arm or sequence.
    done : tuple of str
        Per outcome that it concerns: how many sessions, and what became of them.
    """

    label: str
    source: str
    strategy: str
    n_per_group: dict[str, int]
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircularContent:
    """What selecting and correlating in the same data would have claimed; never an answer.

    Parameters
    ----------
    max_r_in_map, mean_r_selected : float
        Largest and mean correlation of the selected outcomes; NaN if there is none.
    n_selected : int
    threshold : str
        By which they were selected, in words.
    honest_r : float or None
        Correlation when every participant's outcomes are selected without that participant; None
        where nothing was selected so.
    null_r : float or None
        Mean correlation that the same selection gives when there is nothing to find.
    """

    max_r_in_map: float
    mean_r_selected: float
    n_selected: int
    threshold: str
    honest_r: float | None
    null_r: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionContent:
    """How well a score is predicted in participants who taught nothing.

    Parameters
    ----------
    r2 : float
        Share of squared error saved over the mean; negative where the model costs.
    pvalue : float
        By shuffling scores, one-sided; NaN where none was made.
    folds : int
    model : str
        In words.
    r2_in_sample : float or None
        Of the same model in the data that it was fitted to.
    """

    r2: float
    pvalue: float
    folds: int
    model: str
    r2_in_sample: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingContent:
    """A correlation within persons, with what sessions change in everyone or without it.

    Parameters
    ----------
    name : str
        What was left in or taken out, in words.
    r, ci_low, ci_high : float or None
        None where nothing is left to correlate.
    asked : bool
        The verdict rests on it.
    """

    name: str
    r: float | None
    ci_low: float | None
    ci_high: float | None
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationContent:
    """How an outcome goes with the score of a scale.

    Parameters
    ----------
    name, text, role : str
        From the protocol.
    verdict : str
        ``found``, ``not found``, ``refused``, or ``not tested`` as in `FamilyMemberContent`.
    sentence : str
        The answer, or why there is none.
    method : str
        ``pearson`` or ``spearman``.
    n : int
        Participants that have both.
    r, ci_low, ci_high, pvalue : float or None
        At the outcome that is strongest; pvalue for this outcome alone. None where refused.
    pvalue_rank : float or None
        By the other method: of ranks beside Pearson's, of the values beside Spearman's.
    points : dict of str to tuple
        Group -> outcomes, scores and participants, each a tuple of one length.
    x_label, y_label : str
        With unit; x is the outcome, y the score.
    confidence : float
        Coverage of the interval.
    place : str
        Where the outcome was selected for its height; empty for one number.
    pvalue_corrected : float or None
        Over all outcomes; None for one number.
    corrected_over : str
        In words.
    partial : tuple of str
        What both are adjusted for.
    circular : CircularContent or None
    prediction : PredictionContent or None
    notes : tuple of str
    shuffled, null : str
        What changed places, and which hypothesis that tests; empty where nothing did.
    n_permutations, n_distinct : int
        Shufflings used, and distinct ones there are.
    exhaustive : bool
        All distinct shufflings were used.
    sentences : tuple of str
        Methods text, citations as ``[doi:...]``.
    part : {"", "within", "between"}
        Which part of repeated pairs of outcome and score it is; empty where each person has one.
    n_pairs : int
        Pairs, where they are repeated within persons.
    between : AssociationContent or None
        Beside the correlation within persons, that between them. The verdict is on the first;
        its sentence holds both.
    readings : tuple of ReadingContent
        Within persons: with session means left in, and with them taken out.
    readings_words : str
        What they differ in, and on which the verdict rests.
    """

    name: str
    text: str
    role: str
    verdict: Literal["found", "not found", "refused", "not tested"]
    sentence: str
    method: Literal["pearson", "spearman"]
    n: int
    r: float | None
    ci_low: float | None
    ci_high: float | None
    pvalue: float | None
    pvalue_rank: float | None
    points: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]]
    x_label: str
    y_label: str
    confidence: float = 0.95
    place: str = ""
    pvalue_corrected: float | None = None
    corrected_over: str = ""
    partial: tuple[str, ...] = ()
    circular: CircularContent | None = None
    prediction: PredictionContent | None = None
    notes: tuple[str, ...] = ()
    shuffled: str = ""
    null: str = ""
    n_permutations: int = 0
    n_distinct: int = 0
    exhaustive: bool = False
    sentences: tuple[str, ...] = ()
    part: Literal["", "within", "between"] = ""
    n_pairs: int = 0
    between: "AssociationContent | None" = None
    readings: tuple[ReadingContent, ...] = ()
    readings_words: str = ""
