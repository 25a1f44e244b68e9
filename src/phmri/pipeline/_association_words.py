"""What is said of an association: its answer, how p was made, and what must stand beside it."""

import re
from collections import Counter
from collections.abc import Sequence

from phmri.group import Correlation, UnitDesign
from phmri.inference import InferenceResult, format_p
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import as_question
from phmri.pipeline._association_parts import AssociationPart
from phmri.pipeline._measure_words import name_outcome, unit_of
from phmri.protocol import Association, Inference, Parallel, Protocol
from phmri.report import AssociationContent

__all__ = [
    "answer_sentence",
    "in_groups",
    "method_sentences",
    "outcome_label",
    "refuse_association",
    "score_label",
    "shuffling_words",
    "uneven_words",
    "words_beside",
]

AXES = {"": "", "within": ", less the person's own mean", "between": ", the person's mean"}
SHUFFLED = {
    "": "Whose scores go with whose outcomes",
    "within": "Which of a person's scores go with which of their outcomes",
    "between": "Whose mean scores go with whose mean outcomes",
}

REPLACED = "were replaced by their ranks"
OF_RANKS = "Spearman's rho, its interval and its p are of these ranks."


def outcome_label(inputs: GroupInputs, item: Association, part: AssociationPart) -> str:
    """Call the outcome, with its unit.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    part : AssociationPart

    Returns
    -------
    str
    """
    question = as_question(inputs.protocol, item)
    unit = unit_of(inputs.protocol.measures[item.measure], question)
    return f"{_outcome_words(inputs, item)}{AXES[part.name]} ({unit})"


def score_label(inputs: GroupInputs, item: Association, part: AssociationPart) -> str:
    """Call the score, with its unit.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    part : AssociationPart

    Returns
    -------
    str
    """
    return f"{_score_words(inputs, item)}{AXES[part.name]} (points)"


def _score_words(inputs: GroupInputs, item: Association) -> str:
    label = inputs.protocol.scales[item.scale].label or item.scale
    part = f" {item.subscale}" if item.subscale else ""
    return f"{label}{part} score{_change(item)}"


def _change(item: Association) -> str:
    if item.repeated:
        return ""
    if item.contrast is not None:
        return f", {item.contrast[0]} minus {item.contrast[1]}"
    if item.baseline is not None:
        return f", {item.session} minus {item.baseline}"
    return f", session {item.session}" if item.session else ""


def _outcome_words(inputs: GroupInputs, item: Association) -> str:
    measure = inputs.protocol.measures[item.measure]
    return f"{name_outcome(measure, as_question(inputs.protocol, item))}{_change(item)}"


def shuffling_words(
    inputs: GroupInputs, item: Association, part: AssociationPart, design: UnitDesign
) -> tuple[str, str]:
    """Say what changed places, and which hypothesis that tests.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    part : AssociationPart
    design : UnitDesign

    Returns
    -------
    tuple of str
        What was shuffled; the null hypothesis.
    """
    several = part.blocks is not None and len(set(part.blocks)) > 1
    group = "arm" if isinstance(inputs.protocol.design, Parallel) else "sequence"
    if part.name == "within":
        group = "person"
    adjusted = [f"a mean per {group}"] if several else []
    adjusted += [f"{name}" for name in item.partial]
    if item.session_means:
        adjusted.append(f"the mean of every {'session' if item.sessions else 'treatment'}")
    words = SHUFFLED[part.name]
    if several:
        words += f", within each {group} only"
    if adjusted:
        words += f", after {_listed(adjusted)} {'was' if len(adjusted) == 1 else 'were'} taken out"
    return f"{words}.", in_groups(inputs.protocol, design.exchangeability.null)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def in_groups(protocol: Protocol, text: str) -> str:
    """Call the groups of a crossover sequences where a sentence speaks of arms.

    Parameters
    ----------
    protocol : Protocol
    text : str

    Returns
    -------
    str
    """
    return text if isinstance(protocol.design, Parallel) else re.sub(r"\barm\b", "sequence", text)


def method_sentences(
    inputs: GroupInputs, item: Association, design: UnitDesign, result: InferenceResult
) -> tuple[str, ...]:
    """Say how an association was tested, for the methods.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    design : UnitDesign
        Of the association, or of one of its parts.
    result : InferenceResult

    Returns
    -------
    tuple of str
        Citations as ``[doi:...]``. A test on ranks takes its estimate to be of values, which
        the correlation of ranks is not.
    """
    said = [*design.sentences, *result.sentences]
    if item.method == "spearman":
        said = [text for text in said if REPLACED not in text]
        ranked = _listed(("Outcomes", "scores", *item.partial))
        said.insert(len(design.sentences), f"{ranked} {REPLACED}; {OF_RANKS}")
    return tuple(in_groups(inputs.protocol, text) for text in said)


def answer_sentence(
    inputs: GroupInputs,
    item: Association,
    part: AssociationPart,
    result: InferenceResult,
    own: Correlation,
    strongest: int,
    settings: Inference,
) -> str:
    """Say in a sentence how the score goes with the outcome.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    part : AssociationPart
    result : InferenceResult
    own : Correlation
        At the strongest outcome.
    strongest : int
        Which outcome that is.
    settings : Inference

    Returns
    -------
    str
    """
    pvalue = float(result.pvalue_corrected[strongest])
    found = pvalue <= settings.alpha
    score, outcome = _score_words(inputs, item), _outcome_words(inputs, item)
    label = "r" if item.method == "pearson" else "Spearman's rho"
    n = count_words(part)
    numbers = (
        f"{label} {own.r[0]:+.2f}, {100 * settings.confidence:g} % CI {own.low[0]:.2f} to "
        f"{own.high[0]:.2f}; p {format_p(pvalue)}; {n}"
    ).replace("-", "−")
    start = start_words(item, part)
    no = "no" if part.name else "No"
    if result.statistic.size == 1:
        if found:
            return f"{start}{score} went with {outcome} ({numbers})."
        return (
            f"{start}{no} association of {score} with {outcome} was found ({numbers}); this "
            "is not evidence of none."
        )
    n_found = int((result.pvalue_corrected[result.tested] <= settings.alpha).sum())
    n_tested = int(result.tested.sum())
    if found:
        return (
            f"{start}{score} went with {outcome} in {n_found:,} of {n_tested:,} places (corrected "
            f"p {format_p(pvalue)}; {n}). How strongly cannot be read off "
            "places that were selected for it."
        )
    return (
        f"{start}{no} association of {score} with {outcome} was found in any of {n_tested:,} "
        f"places (smallest corrected p {format_p(pvalue)}; {n}); this is not "
        "evidence of none."
    )


def start_words(item: Association, part: AssociationPart) -> str:
    """Begin the sentence of a part.

    Parameters
    ----------
    item : Association
    part : AssociationPart

    Returns
    -------
    str
        Empty, or ending in a blank.
    """
    exploratory = "Exploratory: " if item.role == "exploratory" and part.name != "between" else ""
    return (
        exploratory
        + {"": "", "within": "Within persons, ", "between": "Between persons, "}[part.name]
    )


def count_words(part: AssociationPart) -> str:
    """Say how many there are.

    Parameters
    ----------
    part : AssociationPart

    Returns
    -------
    str
        Participants, and their pairs of outcome and score where these are repeated.
    """
    n = f"n = {len(set(part.subjects))}"
    return f"{n} with {len(part.subjects)} pairs" if part.name == "within" else n


def words_beside(
    own: Correlation, result: InferenceResult, strongest: int, settings: Inference
) -> tuple[str, ...]:
    """Say so where interval and p of one number point to different answers.

    Parameters
    ----------
    own : Correlation
        Of the outcome.
    result : InferenceResult
    strongest : int
        Which outcome it is.
    settings : Inference

    Returns
    -------
    tuple of str
        Empty where they agree, or where several outcomes were searched.
    """
    if result.statistic.size > 1:
        return ()
    found = float(result.pvalue_corrected[strongest]) <= settings.alpha
    apart = float(own.low[0]) > 0.0 or float(own.high[0]) < 0.0
    if found == apart:
        return ()
    return (
        (
            "The p-value rests on shuffling and the interval on a normal distribution of Fisher's "
            "z; here they fall on different sides of alpha."
        ),
    )


def uneven_words(item: Association, subjects: Sequence[str]) -> tuple[str, ...]:
    """Say who lacks a session, so that the mean is of fewer.

    Parameters
    ----------
    item : Association
        Of several.
    subjects : sequence of str
        Of every pair.

    Returns
    -------
    tuple of str
        Empty where everyone has all.
    """
    counts = Counter(subjects)
    lacking = sum(count < len(item.repeated) for count in counts.values())
    if not lacking:
        return ()
    visits = "sessions" if item.sessions else "treatments"
    return (
        (
            f"{lacking} of {len(counts)} participants lack one or more of the {visits}; their "
            "means are of those they have."
        ),
    )


def refuse_association(
    name: str, item: Association, reason: str, part: AssociationPart | None = None
) -> AssociationContent:
    """Say that an association was not told, and why.

    Parameters
    ----------
    name : str
    item : Association
    reason : str
    part : AssociationPart, optional
        Of an association in parts.

    Returns
    -------
    AssociationContent
    """
    start = "" if part is None else start_words(item, part)
    this = "this" if part is not None and part.name else "This"
    return AssociationContent(
        name=name,
        text=item.text,
        role=item.role,
        verdict="refused",
        sentence=f"{start}{this} was not answered: {'; '.join(reason.splitlines()).rstrip('.')}.",
        method=item.method,
        n=0,
        r=None,
        ci_low=None,
        ci_high=None,
        pvalue=None,
        pvalue_rank=None,
        points={},
        x_label="",
        y_label="",
        part="" if part is None else part.name,
    )
