"""How a design's errors and contrasts read."""

from phmri.dataset import REPEATED
from phmri.group import UnitDesign
from phmri.protocol import Question

__all__ = ["contrast_words", "covariance_words", "order_words"]

_ORDERED = {
    "rank": "none: the variance of placements in the two arms (Brunner and Munzel)",
    "ordinal": "none: the likelihood of the order of scores, z of its odds ratio",
}

_DF = {
    "kenward_roger": "Kenward and Roger's degrees of freedom",
    "satterthwaite": "Satterthwaite's degrees of freedom",
}


def covariance_words(question: Question, design: UnitDesign) -> str:
    """Say how errors are allowed to vary and to go together.

    Parameters
    ----------
    question : Question
    design : UnitDesign

    Returns
    -------
    str
        Empty where shuffling needs no such assumption.
    """
    if question.errors == "hc3":
        return "a variance of its own for every participant (HC3)"
    if question.errors == "cr2":
        return "rows of a participant go together in any way (least squares, CR2)"
    if question.estimator not in REPEATED:
        return _ORDERED.get(question.estimator, "")
    df = _DF[question.degrees_of_freedom]
    if question.estimator == "mixed":
        return f"random intercept per participant, by REML, {df}"
    rows = len(design.subjects)
    return f"unstructured covariance between sessions, by REML, {df}; {rows} rows"


def order_words(question: Question) -> str:
    """Say where p comes from if nothing but the order of scores is looked at.

    Parameters
    ----------
    question : Question

    Returns
    -------
    str
        Empty for other estimators.
    """
    return {
        "rank": "Student's t of the probability of superiority",
        "ordinal": "Wald's z of the log odds ratio (anticonservative with few participants)",
    }.get(question.estimator, "")


def contrast_words(question: Question) -> tuple[str, ...]:
    """List what is estimated in one model.

    Parameters
    ----------
    question : Question

    Returns
    -------
    tuple of str
        The question's own contrast first.
    """
    first, second = question.contrast
    when = f" at {question.session}" if question.session else ""
    said = [f"{first} - {second}{when}"]
    blocked, later = question.blockade, question.persistence
    if blocked is not None:
        own = blocked.pretreated_reference or blocked.reference
        if blocked.reference_drug is None:
            said += [f"{first} - {blocked.reference}{when}", f"{second} - {own}{when}"]
        else:
            effect = f"{blocked.reference_drug} - {blocked.reference}"
            said += [f"{effect} (in other people)", f"({effect}) - ({said[0]})"]
        margin = "no margin: neither 'blocked' nor 'not blocked' can be said"
        if blocked.margin is not None:
            margin = f"equivalent within {blocked.margin:g}"
        said.append(f"blockade of the second from these ({margin})")
        if own != blocked.reference:
            said.append(f"({said[1]}) - ({said[2]})")
    if later is not None:
        said.append(f"{first} - {second} at {later.early}")
    return tuple(said)
