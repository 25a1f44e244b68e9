"""What is said of an association: its answer, how p was made, and what must stand beside it."""

import re

from phmri.group import Correlation, UnitDesign
from phmri.inference import InferenceResult, format_p
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_data import AssociationData, as_question
from phmri.pipeline._measure_words import name_outcome, unit_of
from phmri.protocol import Association, Inference, Parallel, Protocol
from phmri.report import AssociationContent

__all__ = [
    "answer_sentence",
    "in_groups",
    "outcome_label",
    "refuse_association",
    "score_label",
    "shuffling_words",
    "words_beside",
]


def outcome_label(inputs: GroupInputs, item: Association) -> str:
    """Call the outcome, with its unit.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association

    Returns
    -------
    str
    """
    unit = unit_of(inputs.protocol.measures[item.measure], as_question(inputs, item))
    return f"{_outcome_words(inputs, item)} ({unit})"


def score_label(inputs: GroupInputs, item: Association) -> str:
    """Call the score, with its unit.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association

    Returns
    -------
    str
    """
    label = inputs.protocol.scales[item.scale].label or item.scale
    part = f" {item.subscale}" if item.subscale else ""
    return f"{label}{part} score{_change(item)} (points)"


def _change(item: Association) -> str:
    if item.contrast is not None:
        return f", {item.contrast[0]} minus {item.contrast[1]}"
    if item.baseline is not None:
        return f", {item.session} minus {item.baseline}"
    return f", session {item.session}" if item.session else ""


def _outcome_words(inputs: GroupInputs, item: Association) -> str:
    measure = inputs.protocol.measures[item.measure]
    return f"{name_outcome(measure, as_question(inputs, item))}{_change(item)}"


def shuffling_words(inputs: GroupInputs, item: Association, design: UnitDesign) -> tuple[str, str]:
    """Say what changed places, and which hypothesis that tests.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association
    design : UnitDesign

    Returns
    -------
    tuple of str
        What was shuffled; the null hypothesis.
    """
    within = len(set(design.groups)) > 1
    group = "arm" if isinstance(inputs.protocol.design, Parallel) else "sequence"
    adjusted = [f"a mean per {group}"] if within else []
    adjusted += [f"{name}" for name in item.partial]
    words = "Whose scores go with whose outcomes"
    if within:
        words += f", within each {group} only"
    if adjusted:
        words += (
            f", after {', '.join(adjusted)} {'was' if len(adjusted) == 1 else 'were'} taken out"
        )
    return f"{words}.", in_groups(inputs.protocol, design.exchangeability.null)


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


def answer_sentence(
    inputs: GroupInputs,
    item: Association,
    data: AssociationData,
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
    data : AssociationData
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
    score, outcome = score_label(inputs, item), _outcome_words(inputs, item)
    score = score.removesuffix(" (points)")
    label = "r" if item.method == "pearson" else "Spearman's rho"
    numbers = (
        f"{label} {own.r[0]:+.2f}, {100 * settings.confidence:g} % CI {own.low[0]:.2f} to "
        f"{own.high[0]:.2f}; p {format_p(pvalue)}; n = {len(data.subjects)}"
    ).replace("-", "−")
    exploratory = "Exploratory: " if item.role == "exploratory" else ""
    if data.Y.shape[1] == 1:
        if found:
            return f"{exploratory}{score} went with {outcome} ({numbers})."
        return (
            f"{exploratory}No association of {score} with {outcome} was found ({numbers}); this "
            "is not evidence of none."
        )
    n_found = int((result.pvalue_corrected[result.tested] <= settings.alpha).sum())
    n = int(result.tested.sum())
    if found:
        return (
            f"{exploratory}{score} went with {outcome} in {n_found:,} of {n:,} places (corrected "
            f"p {format_p(pvalue)}; n = {len(data.subjects)}). How strongly cannot be read off "
            "places that were selected for it."
        )
    return (
        f"{exploratory}No association of {score} with {outcome} was found in any of {n:,} places "
        f"(smallest corrected p {format_p(pvalue)}; n = {len(data.subjects)}); this is not "
        "evidence of none."
    )


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


def refuse_association(name: str, item: Association, reason: str) -> AssociationContent:
    """Say that an association was not told, and why.

    Parameters
    ----------
    name : str
    item : Association
    reason : str

    Returns
    -------
    AssociationContent
    """
    return AssociationContent(
        name=name,
        text=item.text,
        role=item.role,
        verdict="refused",
        sentence=f"This was not answered: {'; '.join(reason.splitlines()).rstrip('.')}.",
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
    )
