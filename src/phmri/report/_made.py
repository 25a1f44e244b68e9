"""How the p-values of a question were made, for its part of the page."""

import math

from phmri.inference import Claim
from phmri.protocol import Inference, Protocol, inference_of
from phmri.report._across_records import AssociationContent
from phmri.report._correction import (
    cluster_word,
    height_words,
    is_single,
    pvalue_word,
    statistic_word,
)
from phmri.report._text import format_pvalue, join_sentences, plural, superscript

__all__ = [
    "association_made",
    "correction_sentence",
    "doubt_sentence",
    "forming_words",
    "is_warning",
    "made_lines",
    "warning_sentences",
]

_LARGE = 1_000_000
_MAXIMA = {
    "voxel": "the maximum {statistic}",
    "tfce": "the maximum enhanced value (TFCE)",
    "cluster_mass": "the mass of the heaviest {cluster}",
    "cluster_extent": "the extent of the largest {cluster}",
}
_VALUES = {
    "tfce": "the enhanced value",
    "cluster_mass": "the mass of the {cluster}",
    "cluster_extent": "the extent of the {cluster}",
}


def correction_sentence(claim: Claim) -> str:
    """Say what p-values are corrected for, by what, and what reaches alpha.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Empty for a refused question.
    """
    if claim.verdict == "refused":
        return ""
    over = f" over {claim.corrected_over}" if claim.corrected_over else ""
    if is_single(claim):
        said = "is of one number, and nothing is corrected"
    elif claim.method == "fdr":
        said = f"is the expected share of false discoveries{over}"
    elif claim.method == "random_field":
        said = f"is corrected{over} by random field theory"
    elif claim.method == "holm":
        said = f"is corrected{over} by Holm's method"
    else:
        largest = _MAXIMA[claim.method].format(
            statistic=statistic_word(claim), cluster=cluster_word(claim)
        )
        said = f"is corrected{over} by {largest} in every shuffling"
    reached = height_words(claim)
    if claim.method in _VALUES and math.isfinite(claim.threshold):
        value = _VALUES[claim.method].format(cluster=cluster_word(claim))
        reached = f"{value} ≥ {_large(claim.threshold)}"
    if reached:
        said += f"; it is at most {claim.alpha:g} where {reached}"
    return f"{pvalue_word(claim)} {said}."


def _large(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def made_lines(protocol: Protocol, claim: Claim) -> tuple[tuple[str, str], ...]:
    """Say how p-values were made: what was shuffled, which null that tests, how often.

    Parameters
    ----------
    protocol : Protocol
        Whose settings say whether a tail was fitted.
    claim : Claim

    Returns
    -------
    tuple of (str, str)
        Term and its text; empty for a refused question.
    """
    if claim.verdict == "refused":
        return ()
    corrected = ("Correction", f"{correction_sentence(claim)}{_instead(protocol, claim)}")
    if not claim.n_permutations:
        basis = (
            "random field theory; Methods name its assumptions"
            if claim.method == "random_field"
            else f"the distribution of {statistic_word(claim)} under normal errors"
        )
        return (("Shuffled", f"Nothing. p-values rest on {basis}."), corrected)
    settings = _settings(protocol, claim)
    fitted = settings is not None and settings.tail != "counts" and not claim.exhaustive
    least = f"1/{claim.n_permutations:,} = {format_pvalue(1 / claim.n_permutations)}"
    lines = (
        ("Shuffled", _sentence(claim.shuffled)),
        ("Null hypothesis", _sentence(claim.null)),
        ("Shufflings", _how_many(claim.n_permutations, claim.n_distinct, all_=claim.exhaustive)),
        corrected,
        (
            "Least p",
            f"Below {least}, p-values come from a fitted tail, not from a count."
            if fitted
            else f"No p-value can be smaller than {least}{_twice(claim)}.",
        ),
    )
    return tuple((term, text) for term, text in lines if text)


def _twice(claim: Claim) -> str:
    """Say when the least p of an enumerated two-sided test is two shufflings."""
    if not claim.exhaustive or claim.alternative != "two-sided":
        return ""
    two = format_pvalue(2 / claim.n_permutations)
    return f", or than {two} where one of the shufflings turns the sign of every statistic"


def _instead(protocol: Protocol, claim: Claim) -> str:
    """Say that one number was shuffled although the protocol's method is another."""
    method, question = protocol.inference.method, protocol.questions.get(claim.question)
    inherited = question is not None and question.inference is None
    shuffled = is_single(claim) and claim.n_permutations > 0
    if not (shuffled and inherited and method != claim.method):
        return ""
    return (
        f" The protocol's method '{method}' is for several outcomes; this p comes from shuffling."
    )


def _sentence(text: str) -> str:
    (sentence,) = join_sentences((text,)) or ("",)
    return sentence[:1].upper() + sentence[1:]


def _how_many(n_permutations: int, n_distinct: int, *, all_: bool) -> str:
    if all_:
        return f"All {plural(n_permutations, 'distinct shuffling')}."
    many = f"{n_distinct:,}"
    if n_distinct >= _LARGE:
        many = f"more than 10{superscript(math.floor(math.log10(n_distinct)))}"
    return (
        f"{n_permutations:,}, drawn at random out of {many} distinct ones, the observed one "
        "included."
    )


def association_made(association: AssociationContent) -> tuple[tuple[str, str], ...]:
    """Say how the p of an association was made.

    Parameters
    ----------
    association : AssociationContent

    Returns
    -------
    tuple of (str, str)
        Term and its text; empty where nothing was shuffled.
    """
    item = association
    if not item.n_permutations:
        return ()
    corrected = (
        f"p is corrected over {item.corrected_over} by the largest in every shuffling."
        if item.corrected_over and item.pvalue_corrected is not None
        else "p is of one number, and nothing is corrected."
    )
    return (
        ("Shuffled", _sentence(item.shuffled)),
        ("Null hypothesis", _sentence(item.null)),
        (
            "Shufflings",
            _how_many(item.n_permutations, item.n_distinct, all_=item.exhaustive),
        ),
        ("Correction", corrected),
    )


def doubt_sentence(claim: Claim) -> str:
    """Say when more shufflings could change the verdict.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    str
        Empty when the Monte-Carlo interval of the least p lies on one side of alpha.
    """
    low, high = claim.pvalue_interval
    straddles = low <= claim.alpha < high
    if claim.verdict == "refused" or claim.exhaustive or low == high or not straddles:
        return ""
    return (
        f"Close to the limit: the least {pvalue_word(claim)} is known only to lie between "
        f"{format_pvalue(low)} and {format_pvalue(high)} ({100 * claim.confidence:g} % "
        f"Monte-Carlo interval), and {claim.alpha:g} is in between. Other random shufflings might "
        "give the other verdict; more of them would settle it."
    )


def forming_words(protocol: Protocol, claim: Claim) -> str:
    """Say what made outcomes belong to a cluster.

    Parameters
    ----------
    protocol : Protocol
    claim : Claim

    Returns
    -------
    str
    """
    settings = _settings(protocol, claim)
    given = {} if settings is None else {
        "z": settings.cluster_z,
        statistic_word(claim): settings.cluster_t,
        "one-sided p": settings.cluster_p,
    }  # fmt: skip
    for unit, value in given.items():
        if value is not None:
            return f"beyond the cluster-forming threshold of {unit} = {value:g}"
    if any(cluster.pvalue_random_field is not None for cluster in claim.clusters):
        return "beyond the cluster-forming threshold"
    return f"that passed ({pvalue_word(claim)} ≤ {claim.alpha:g})"


def _settings(protocol: Protocol, claim: Claim) -> Inference | None:
    return inference_of(protocol, claim.question) if claim.question in protocol.questions else None


def warning_sentences(claim: Claim) -> tuple[str, ...]:
    """List what must not be overlooked beside the answer.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    tuple of str
        Notes and sentences that begin with "Warning:", each once, and doubt about the verdict.
    """
    said = [text for text in (*claim.notes, *claim.sentences) if is_warning(text)]
    doubt = doubt_sentence(claim)
    return tuple(dict.fromkeys([*([doubt] if doubt else []), *said]))


def is_warning(text: str) -> bool:
    """Tell whether a sentence warns.

    Parameters
    ----------
    text : str

    Returns
    -------
    bool
    """
    return text.startswith("Warning:")
