"""What the page shows of blockades, of effects that persist, and of associations."""

from dataclasses import dataclass

from markupsafe import Markup

from phmri.report._across_records import AssociationContent, FamilyMemberContent
from phmri.report._association import association_lines, circular_lines
from phmri.report._blockade import (
    ContrastRow,
    blockade_badge,
    blockade_lines,
    blockade_rows,
    gate_closed,
    persistence_rows,
    persistence_sentences,
    place_words,
)
from phmri.report._figures import Picture, Pictures
from phmri.report._made import association_made
from phmri.report._records import QuestionContent
from phmri.report._text import Bibliography, join_sentences
from phmri.report._trial import question_anchor

__all__ = ["Aside", "AssociationBlock", "make_asides", "make_association"]

_FILES = {
    "map": "Maps of every voxel's verdict and share removed",
    "parcels": "The verdict and the share removed of every parcel",
    "edges": "The verdict and the share removed of every edge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A section within a question.

    Parameters
    ----------
    title, caption : str
        Of the section, and of its table.
    verdict : str
        Empty where there is none.
    answer : Markup
        First sentence.
    sentences : tuple of Markup
        The others.
    rows : tuple of ContrastRow
    lines : tuple of (str, str)
    note : str
        At which outcome the numbers are, and where those of the others.
    pictures : tuple of Picture
    """

    title: str
    caption: str
    verdict: str
    answer: Markup
    sentences: tuple[Markup, ...]
    rows: tuple[ContrastRow, ...]
    lines: tuple[tuple[str, str], ...]
    note: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationBlock:
    """An association as the page shows it.

    Parameters
    ----------
    anchor : str
    content : AssociationContent
    pvalue : float or None
        Corrected where there are several outcomes.
    lines : tuple of (str, str)
    circular : tuple of str
        Sentences that are not to be quoted.
    notes : tuple of Markup
    pictures : tuple of Picture
    made : tuple of (str, str)
        How p was made.
    between : AssociationBlock or None
        The same between persons, beside that within them.
    """

    anchor: str
    content: AssociationContent
    pvalue: float | None
    lines: tuple[tuple[str, str], ...]
    circular: tuple[str, ...]
    notes: tuple[Markup, ...]
    pictures: tuple[Picture, ...]
    made: tuple[tuple[str, str], ...]
    between: "AssociationBlock | None" = None

    @property
    def title(self) -> str:  # numpydoc ignore=RT01
        """Call the part; empty where there is one alone."""
        return f"{self.content.part} persons".capitalize() if self.content.part else ""


def make_asides(
    question: QuestionContent,
    pictures: Pictures,
    bibliography: Bibliography,
    members: tuple[FamilyMemberContent, ...] = (),
) -> tuple[Aside, ...]:
    """Make the sections on blockade and persistence of a question.

    Parameters
    ----------
    question : QuestionContent
    pictures : Pictures
    bibliography : Bibliography
    members : tuple of FamilyMemberContent, default ()
        What the question's families make of it.

    Returns
    -------
    tuple of Aside
        Empty where the question is about neither.
    """
    claim, beside = question.claim, question.beside
    asides = []
    p_words = "p by t, for this outcome alone"
    if beside.blockade is not None:
        first, *others = _cited(bibliography, beside.blockade.sentences) or (Markup(""),)
        if gate_closed(members):
            first = Markup("The family of this question claims nothing here. Alone: ") + first
        asides.append(
            Aside(
                title="Was it blocked?",
                caption=f"The contrasts of one model that the verdict rests on. {p_words}.",
                verdict=blockade_badge(question, members).removeprefix("blockade: "),
                answer=first,
                sentences=tuple(others),
                rows=blockade_rows(claim, beside.blockade),
                lines=blockade_lines(claim, beside.blockade),
                note=_blockade_note(question),
                pictures=pictures.of_blockade(question),
            )
        )
    if beside.persistence is not None:
        sentences = persistence_sentences(claim, beside.persistence)
        first, *others = _cited(bibliography, sentences)
        early, late = beside.persistence.early_session, beside.persistence.late_session
        asides.append(
            Aside(
                title="How much of the early effect is left?",
                caption=f"The effect at {early} and at {late} in one model. {p_words}.",
                verdict="",
                answer=first,
                sentences=tuple(others),
                rows=persistence_rows(claim, beside.persistence),
                lines=(),
                note=place_words(claim),
                pictures=pictures.of_persistence(question),
            )
        )
    return tuple(asides)


def _blockade_note(question: QuestionContent) -> str:
    claim = question.claim
    files = _FILES.get(claim.outcome)
    if files is None:
        return ""
    folder = f"question-{claim.question.replace('_', '')}"
    return (
        f"{place_words(claim)} {files} are in the folder {folder}; "
        "each is judged by itself, so that they describe."
    )


def make_association(
    association: AssociationContent, pictures: Pictures, bibliography: Bibliography
) -> AssociationBlock:
    """Make the section of an association.

    Parameters
    ----------
    association : AssociationContent
    pictures : Pictures
    bibliography : Bibliography

    Returns
    -------
    AssociationBlock
    """
    several = association.pvalue_corrected is not None
    beside = association.between
    return AssociationBlock(
        anchor=question_anchor(association.name).replace("question", "association", 1),
        content=association,
        pvalue=association.pvalue_corrected if several else association.pvalue,
        lines=association_lines(association),
        circular=circular_lines(association.circular) if association.circular else (),
        notes=_cited(bibliography, association.notes),
        pictures=pictures.of_association(association),
        made=association_made(association),
        between=None if beside is None else make_association(beside, pictures, bibliography),
    )


def _cited(bibliography: Bibliography, sentences: tuple[str, ...]) -> tuple[Markup, ...]:
    return tuple(bibliography.cite(sentence) for sentence in join_sentences(sentences))
