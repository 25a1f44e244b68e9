"""What an estimator needs of the design and the sessions, and what it leaves to be chosen."""

from collections.abc import Iterator
from typing import get_args

from phmri.protocol._check_when import planned
from phmri.protocol._finding import Finding, Path, one_of, shown
from phmri.protocol._questions import Estimator
from phmri.protocol._raw import Raw, mapping, measure_of, scale_of, text

__all__ = ["check_errors", "check_estimator", "check_estimator_sessions", "refitted"]

_LINEAR = ("ancova", "change", "post")
_MIXED = ("mixed", "mmrm", "clda")
_ORDERED = ("rank", "ordinal")
_OF_DESIGN = {
    "parallel": (*_LINEAR, *_MIXED, *_ORDERED),
    "crossover": ("crossover", "mixed"),
    "crossover of unknown order": ("crossover",),
}
_WITH_ERRORS = {"hc3": _LINEAR, "cr2": _MIXED}
"""Standard errors other than the model's -> estimators that have them."""


def refitted(question: Raw) -> str | None:
    """Say by which choice a question is answered by a model that cannot be shuffled.

    Parameters
    ----------
    question : dict
        One entry of ``questions``.

    Returns
    -------
    str or None
        ``estimator mixed`` or ``errors hc3``; None where people can change places.
    """
    estimator, errors = text(question.get("estimator")), text(question.get("errors"))
    if estimator in (*_MIXED, *_ORDERED):
        return f"estimator {estimator}"
    return f"errors {errors}" if errors in _WITH_ERRORS else None


def check_estimator(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the estimator is one of the design.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        One, or none.
    """
    design, estimator = mapping(raw.get("design")), text(question.get("estimator"))
    kind = text(design.get("kind"))
    if kind == "crossover" and design.get("order") == "unknown":
        kind = "crossover of unknown order"
    if kind not in _OF_DESIGN or estimator not in get_args(Estimator):
        return
    if estimator in _OF_DESIGN[kind]:
        return
    needs = {"crossover": "a crossover", "mixed": "a recorded order"}
    needed = needs.get(str(estimator), "a parallel design")
    yield Finding(
        path=(*path, "estimator"),
        what=f"this estimator needs {needed}, "
        f"and the design is {'parallel' if kind == 'parallel' else f'a {kind}'}",
        found=estimator,
        expected=one_of(_OF_DESIGN[kind]),
    )


def check_errors(path: Path, question: Raw) -> Iterator[Finding]:
    """Check that errors and degrees of freedom have an effect with the estimator.

    Parameters
    ----------
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        Each contradiction.
    """
    estimator, errors = text(question.get("estimator")), text(question.get("errors"))
    if estimator not in get_args(Estimator):
        return
    if errors in _WITH_ERRORS and estimator not in _WITH_ERRORS[errors]:
        yield Finding(
            path=(*path, "errors"),
            what=f"the estimator '{estimator}' has no such standard errors",
            found=errors,
            expected=f"model, or as 'estimator' {one_of(_WITH_ERRORS[errors])}",
        )
    given = question.get("degrees_of_freedom")
    if given != "satterthwaite":  # the default, or no choice at all
        return
    if estimator not in _MIXED or errors == "cr2":
        with_what = "errors" if errors == "cr2" else "estimator"
        yield Finding(
            path=(*path, "degrees_of_freedom"),
            what=f"this has no effect with the {with_what} '{question[with_what]}'",
            found=shown(given),
            expected=f"no key 'degrees_of_freedom', or as 'estimator' {one_of(_MIXED)} "
            "with the errors of the model",
        )


def check_estimator_sessions(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that a question of a parallel trial names the sessions that its estimator needs.

    Parameters
    ----------
    raw : dict
        The document as written.
    path : tuple
        Where the question stands.
    question : dict
        The question.

    Yields
    ------
    Finding
        Each contradiction.
    """
    estimator, baseline = text(question.get("estimator")), question.get("baseline")
    if estimator not in _OF_DESIGN["parallel"]:
        return
    needed = ("session",) if estimator in {"post", "mixed", *_ORDERED} else ("session", "baseline")
    for key in needed:
        if question.get(key) is None:
            yield Finding(
                path=path,
                what=f"the estimator '{estimator}' needs the key '{key}'",
                expected=f"'{key}' with the label of a session",
            )
    if estimator == "post" and baseline is not None:
        yield Finding(
            path=(*path, "baseline"),
            what="the estimator 'post' does not look at a baseline",
            found=shown(baseline),
            expected="no key 'baseline', or 'estimator: ancova'",
        )
    elif baseline is not None and baseline == question.get("session"):
        yield Finding(
            path=(*path, "baseline"),
            what="the outcome cannot be its own baseline",
            found=shown(baseline),
            expected="another session than 'session'",
        )
    if estimator == "mixed":
        yield from _check_repeated(raw, path, question)
    if estimator in _ORDERED:
        yield from _check_ordered(raw, path, question)


def _check_repeated(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    scan, scale = text(measure_of(raw, question).get("scan")), scale_of(raw, question)
    sessions = planned(raw, "scales", scale) if scale else planned(raw, "scans", scan or "")
    if sessions is not None and len(sessions) == 1:
        yield Finding(
            path=(*path, "estimator"),
            what="this estimator needs two sessions or more, and there is one",
            found=sessions[0],
            expected=one_of(_LINEAR),
        )


def _check_ordered(raw: Raw, path: Path, question: Raw) -> Iterator[Finding]:
    """Check that the order of scores is all that is asked of."""
    estimator = text(question.get("estimator"))
    if measure_of(raw, question):
        yield Finding(
            path=(*path, "estimator"),
            what="this estimator compares scores of a scale, and the question asks of a measure",
            found=estimator,
            expected=f"{one_of(_LINEAR)}, with ranks as 'statistic: rank' of 'inference'",
        )
    if question.get("blockade") is not None:
        yield Finding(
            path=(*path, "blockade"),
            what="an attenuation is a ratio of differences, and this estimator has none",
            found=f"estimator {estimator}",
            expected=f"'estimator' {one_of((*_LINEAR, *_MIXED))}",
        )
